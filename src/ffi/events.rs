//! Emitting events, and reading them back.

use std::ffi::c_void;

use crate::hookbox::Hookbox;
use crate::model::{DeliveryMode, Environment, Event, EventId, EventType, NewEvent};
use crate::storage::{EventFilter, Page};

use super::apps::page_request;
use super::boundary::{Done, Output, optional_text, sized, sized_slice, text};
use super::error::hookbox_error;
use super::handle::{call, hookbox_box};
use super::status::hookbox_status;
use super::text::{Keep, give, hookbox_id, hookbox_str, page_parts, take_back};

/// Events in one call at most.
pub const HOOKBOX_EMIT_EVENTS_MAX: usize = 10_000;

/// An event to emit. Clear it with zeros, set struct_size (HOOKBOX_NEW_EVENT_INIT does both), and then
/// type and payload.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct hookbox_new_event {
    /// sizeof(hookbox_new_event); the same in all events of an array.
    pub struct_size: u32,
    /// Never sent again once any byte of a request may have arrived: the event may be lost. By default
    /// it is sent until it has arrived, and may arrive twice.
    pub at_most_once: bool,
    /// Its type, of the catalogue.
    pub event_type: hookbox_str,
    /// One JSON text, stored and sent verbatim.
    pub payload: hookbox_str,
    /// Emitting again with the same key gives the first event's id and stores nothing (at most 255
    /// bytes; for as long as retention keeps the event); empty for none.
    pub idempotency_key: hookbox_str,
    /// The environment it happened in; empty for none.
    pub environment: hookbox_str,
}

const NEW_EVENT_BYTES: usize = 72;
const _: () = assert!(size_of::<hookbox_new_event>() >= NEW_EVENT_BYTES);

/// An event as stored. Owned by the caller, or part of a page. Immutable. Later versions may append
/// members: do not copy it whole.
#[repr(C)]
#[derive(Debug)]
pub struct hookbox_event {
    /// Its id, "evt_…". Receivers deduplicate on it.
    pub id: hookbox_str,
    /// Its place in the log, counted from 1.
    pub position: i64,
    /// The app it belongs to.
    pub app_id: hookbox_str,
    /// Its type.
    pub event_type: hookbox_str,
    /// The JSON text as emitted.
    pub payload: hookbox_str,
    /// When it was emitted, in Unix milliseconds.
    pub created_at_ms: i64,
    /// As given at emission; empty for none.
    pub idempotency_key: hookbox_str,
    /// As given at emission; empty for none.
    pub environment: hookbox_str,
    /// As given at emission.
    pub at_most_once: bool,
}

/// One page of a listing of events. Owned by the caller: free it with hookbox_event_page_free(). Immutable.
#[repr(C)]
#[derive(Debug)]
pub struct hookbox_event_page {
    /// The events, the newest first.
    pub items: *const *const hookbox_event,
    /// How many.
    pub count: usize,
    /// For the next call; empty on the last page.
    pub next_cursor: hookbox_str,
}

pub(super) fn view(event: &Event, keep: &mut Keep) -> hookbox_event {
    hookbox_event {
        id: keep.text(event.id.to_string()),
        position: event.position,
        app_id: keep.text(event.app_id.as_str()),
        event_type: keep.text(event.event_type.as_str()),
        payload: keep.text(&event.payload),
        created_at_ms: event.created_at.as_millis(),
        idempotency_key: keep.optional(event.idempotency_key.as_deref()),
        environment: keep.optional(event.environment.as_ref().map(Environment::as_str)),
        at_most_once: event.mode == DeliveryMode::AtMostOnce,
    }
}

fn give_page(page: &Page<Event>) -> *mut hookbox_event_page {
    let parts = page_parts(page, view);
    let page = hookbox_event_page {
        items: parts.items,
        count: parts.count,
        next_cursor: parts.next_cursor,
    };
    give(page, parts.keep)
}

/// An event as it was given.
unsafe fn new_event(given: &hookbox_new_event) -> Done<NewEvent> {
    // SAFETY: the caller of the exported function keeps what the header says of each member.
    unsafe {
        let key = optional_text(given.idempotency_key, "idempotency_key")?;
        let environment = optional_text(given.environment, "environment")?;
        Ok(NewEvent {
            event_type: EventType::parse(text(given.event_type, "event_type")?)?,
            payload: text(given.payload, "payload")?.to_owned(),
            idempotency_key: key.map(str::to_owned),
            environment: environment.map(Environment::parse).transpose()?,
            mode: DeliveryMode::of(given.at_most_once),
        })
    }
}

unsafe fn new_events(first: *const hookbox_new_event, count: usize) -> Done<Vec<NewEvent>> {
    if count > HOOKBOX_EMIT_EVENTS_MAX {
        let message = format!("must be at most {HOOKBOX_EMIT_EVENTS_MAX} a call");
        return Err(crate::error::Error::invalid("events", message).into());
    }
    // SAFETY: the caller of the exported function keeps what the header says.
    unsafe {
        let given = sized_slice(first, count, NEW_EVENT_BYTES, "events")?;
        given.iter().map(|event| new_event(event)).collect()
    }
}

/// Writes ids one after the other, where they are wanted.
unsafe fn set_ids(out: Output<hookbox_id>, ids: &[EventId]) {
    for (index, id) in ids.iter().enumerate() {
        // SAFETY: the caller has room for as many ids as there are events.
        unsafe { out.at(index).set(hookbox_id::new(&id.to_string())) };
    }
}

/// Emits one event: a type of the catalogue, and one JSON text, which is stored and sent verbatim. When
/// this returns HOOKBOX_OK, the event survives power loss. `out_id` may be NULL.
///
/// Errors: HOOKBOX_APP_NOT_FOUND, HOOKBOX_SESSION_DISABLED, HOOKBOX_INVALID_WEBHOOK_EVENT,
/// HOOKBOX_INVALID_PAYLOAD, HOOKBOX_PAYLOAD_TOO_LARGE: nothing is stored then. After
/// HOOKBOX_STORAGE_COMMIT_UNKNOWN it may be: emit again with the same idempotency key.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hookbox_emit(
    hooks: *mut hookbox_box,
    app: hookbox_str,
    event_type: hookbox_str,
    payload: hookbox_str,
    out_id: *mut hookbox_id,
    error: *mut *mut hookbox_error,
) -> hookbox_status {
    // SAFETY: the caller keeps what the header says.
    unsafe {
        call(hooks, error, |hooks| {
            let out = Output::optional(out_id, "out_id")?;
            let (app, name) = (text(app, "app")?, text(event_type, "event_type")?);
            let id = hooks.emit(app, name, text(payload, "payload")?)?;
            set_ids(out, &[id]);
            Ok(())
        })
    }
}

/// Emits one event with everything that can be said of it. `out_id` may be NULL. With an idempotency key
/// that was used before it gets the first event's id, and nothing is stored.
///
/// Errors: as hookbox_emit().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hookbox_emit_event(
    hooks: *mut hookbox_box,
    app: hookbox_str,
    event: *const hookbox_new_event,
    out_id: *mut hookbox_id,
    error: *mut *mut hookbox_error,
) -> hookbox_status {
    // SAFETY: the caller keeps what the header says.
    unsafe {
        call(hooks, error, |hooks| {
            let out = Output::optional(out_id, "out_id")?;
            let event = new_event(&sized(event, NEW_EVENT_BYTES, "event")?)?;
            let id = hooks.emit_event(text(app, "app")?, event)?;
            set_ids(out, &[id]);
            Ok(())
        })
    }
}

/// Emits up to HOOKBOX_EMIT_EVENTS_MAX events in one commit: all or none. `out_ids` has room for `count`
/// ids, or is NULL.
///
/// Errors: as hookbox_emit(); HOOKBOX_INVALID_REQUEST for too many.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hookbox_emit_many(
    hooks: *mut hookbox_box,
    app: hookbox_str,
    events: *const hookbox_new_event,
    count: usize,
    out_ids: *mut hookbox_id,
    error: *mut *mut hookbox_error,
) -> hookbox_status {
    // SAFETY: the caller keeps what the header says.
    unsafe {
        call(hooks, error, |hooks| {
            let out = Output::optional(out_ids, "out_ids")?;
            let ids = hooks.emit_many(text(app, "app")?, new_events(events, count)?)?;
            set_ids(out, &ids);
            Ok(())
        })
    }
}

/// Emits events inside a transaction of the program's own: `sqlite3` is its own connection (a
/// `sqlite3 *`) to the box's file, with a transaction begun. They are emitted if and only if it commits.
/// `out_ids` has room for `count` ids, or is NULL.
///
/// Only where this library and the program share one copy of SQLite, the system's: see
/// hookbox_sqlite_is_bundled(). Two copies of SQLite in one process that open the same file corrupt it,
/// so the other flavour refuses to do this.
///
/// Finish statements that write before this. Do not call hookbox_emit() while the same thread holds a
/// write transaction on this file: it would wait for itself. After the commit call hookbox_box_wake();
/// without it the threads notice within half a second.
///
/// Errors: as hookbox_emit(); HOOKBOX_UNSUPPORTED from a library with a copy of SQLite of its own;
/// HOOKBOX_INVALID_REQUEST when no transaction was begun. Nothing was written then, and the transaction
/// can go on.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hookbox_emit_in(
    hooks: *mut hookbox_box,
    sqlite3: *mut c_void,
    app: hookbox_str,
    events: *const hookbox_new_event,
    count: usize,
    out_ids: *mut hookbox_id,
    error: *mut *mut hookbox_error,
) -> hookbox_status {
    // SAFETY: the caller keeps what the header says.
    unsafe {
        call(hooks, error, |hooks| {
            let out = Output::optional(out_ids, "out_ids")?;
            if sqlite3.is_null() {
                return Err(super::error::Failure::null("sqlite3"));
            }
            let (app, events) = (text(app, "app")?, new_events(events, count)?);
            set_ids(out, &emit_in(hooks, sqlite3, app, events)?);
            Ok(())
        })
    }
}

/// # Safety
/// `sqlite3` is an open connection that no other thread uses meanwhile.
#[cfg(not(feature = "bundled"))]
unsafe fn emit_in(
    hooks: &Hookbox,
    sqlite3: *mut c_void,
    app: &str,
    events: Vec<NewEvent>,
) -> crate::error::Result<Vec<EventId>> {
    // SAFETY: by the contract; the connection stays the host's: dropping this does not close it.
    let connection =
        unsafe { rusqlite::Connection::from_handle(sqlite3.cast()) }.map_err(|error| {
            crate::error::Error::invalid("sqlite3", format!("is no connection: {error}"))
        })?;
    if connection.is_autocommit() {
        let message = "has no transaction: BEGIN one first";
        return Err(crate::error::Error::invalid("sqlite3", message));
    }
    hooks.emit_on(&connection, app, events)
}

#[cfg(feature = "bundled")]
unsafe fn emit_in(
    _hooks: &Hookbox,
    _sqlite3: *mut c_void,
    _app: &str,
    _events: Vec<NewEvent>,
) -> crate::error::Result<Vec<EventId>> {
    let message = "this library runs on a copy of SQLite of its own, and two copies in one process corrupt \
                   a file: build it on the system's SQLite (--no-default-features --features capi)";
    Err(crate::error::Error::Unsupported(message.into()))
}

/// Reads an event. Free it with hookbox_event_free().
///
/// Errors: HOOKBOX_EVENT_NOT_FOUND.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hookbox_event_get(
    hooks: *const hookbox_box,
    event: hookbox_str,
    out_event: *mut *mut hookbox_event,
    error: *mut *mut hookbox_error,
) -> hookbox_status {
    // SAFETY: the caller keeps what the header says.
    unsafe {
        call(hooks, error, |hooks| {
            let out = Output::new(out_event, "out_event")?;
            let event = hooks.event(&EventId::parse(text(event, "event")?)?)?;
            let mut keep = Keep::default();
            out.set(give(view(&event, &mut keep), keep));
            Ok(())
        })
    }
}

/// Lists an app's events, the newest first: of one type, or all (empty), at most `limit` (1 to 1000; 0
/// means 100), after the page that gave `cursor`.
///
/// Errors: HOOKBOX_APP_NOT_FOUND.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hookbox_event_list(
    hooks: *const hookbox_box,
    app: hookbox_str,
    event_type: hookbox_str,
    cursor: hookbox_str,
    limit: usize,
    out_page: *mut *mut hookbox_event_page,
    error: *mut *mut hookbox_error,
) -> hookbox_status {
    // SAFETY: the caller keeps what the header says.
    unsafe {
        call(hooks, error, |hooks| {
            let out = Output::new(out_page, "out_page")?;
            let name = optional_text(event_type, "event_type")?;
            let filter = EventFilter {
                event_type: name.map(EventType::parse).transpose()?,
            };
            let page = page_request(cursor, limit)?;
            out.set(give_page(&hooks.events(text(app, "app")?, filter, page)?));
            Ok(())
        })
    }
}

/// Frees an event that was given by itself. NULL is ignored.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hookbox_event_free(event: *mut hookbox_event) {
    // SAFETY: it came from `give`, and is not used again.
    unsafe { take_back(event) }
}

/// Frees a page and the events in it. NULL is ignored.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hookbox_event_page_free(page: *mut hookbox_event_page) {
    // SAFETY: it came from `give`, and is not used again.
    unsafe { take_back(page) }
}
