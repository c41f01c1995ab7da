//! Emitting, and looking at what was emitted.

use serde::Serialize;

use crate::error::Error;
use crate::model::{DeliveryMode, Environment, Event, EventType, NewEvent};
use crate::storage::EventFilter;

use super::super::Response;
use super::super::call::{Call, json};
use super::super::fault::Fault;
use super::super::fields::Fields;
use super::super::route::{Needs, Route};
use super::super::views::{EventStoryView, EventView, Listing};

/// Bytes of a body that emits.
pub(in super::super) const BYTES_MAX: usize = 1024 * 1024;

pub(super) const ROUTES: &[Route] = &[
    Route::get("/hookbox/v1/apps/{app}/events", Needs::Read, list),
    Route::post("/hookbox/v1/apps/{app}/events", Needs::Write, emit).with_body(BYTES_MAX),
    Route::get("/hookbox/v1/apps/{app}/events/{event}", Needs::Read, get),
    Route::get(
        "/hookbox/v1/apps/{app}/events/{event}/explain",
        Needs::Read,
        explain,
    ),
];

#[derive(Serialize)]
struct Emitted {
    ids: Vec<String>,
}

/// One event, or a list of them: all or none.
fn emit(call: &Call<'_>) -> Result<Response, Fault> {
    let app = call.hooks.app(call.param("app"))?;
    let (items, is_list) = Fields::parse_one_or_many(&call.request.body)?;
    let header = call.request.header("idempotency-key");
    let (mut events, mut violations) = (Vec::new(), Vec::new());
    for mut fields in items {
        let key = key_of(&mut fields, header, is_list);
        events.extend(read_event(&mut fields, key));
        violations.extend(fields.violations());
    }
    if !violations.is_empty() {
        return Err(Fault::invalid(violations));
    }
    // After the shape of all of them, as everywhere: whether the types can be types.
    let events = events.into_iter().collect::<Result<Vec<_>, Error>>()?;
    let ids = call.hooks.emit_many(app.id.as_str(), events)?;
    let ids = ids.iter().map(ToString::to_string).collect();
    json(201, &Emitted { ids })
}

/// An event, unless something is missing; an error for a type that cannot be one.
fn read_event(fields: &mut Fields<'_>, key: Option<String>) -> Option<Result<NewEvent, Error>> {
    let event_type = fields.required::<String>("type", "must be a string");
    let payload = fields.verbatim("payload");
    if payload.is_none() {
        fields.refuse("payload", "is missing: it may be any JSON");
    }
    let rule = "must be a string or null";
    let environment = fields.optional::<Option<String>>("environment", rule);
    let environment = environment.flatten().and_then(|name| {
        let parsed = Environment::parse(&name);
        fields.parsed("environment", parsed)
    });
    let rule = "must be `at_least_once` or `at_most_once`";
    let mode = fields.optional::<DeliveryMode>("mode", rule);
    let (event_type, payload) = (EventType::parse(&event_type?), payload?);
    Some(event_type.map(|event_type| NewEvent {
        idempotency_key: key,
        environment,
        mode: mode.unwrap_or_default(),
        ..NewEvent::new(event_type, payload)
    }))
}

/// The idempotency key of an event: in the body, or in the header of a request with one event.
fn key_of(fields: &mut Fields<'_>, header: Option<&str>, is_list: bool) -> Option<String> {
    let name = "idempotency_key";
    let rule = "must be a string or null";
    let own = fields.optional::<Option<String>>(name, rule).flatten();
    match (header, &own) {
        (Some(_), _) if is_list => {
            fields.refuse(name, "must be in each event of a list, not in the header");
        }
        (Some(header), Some(own)) if header != own => {
            fields.refuse(name, "differs from the header Idempotency-Key");
        }
        _ => {}
    }
    let key = own.or_else(|| header.map(str::to_owned))?;
    if !(1..=255).contains(&key.len()) {
        fields.refuse(name, "must have 1 to 255 bytes");
    }
    Some(key)
}

fn list(call: &Call<'_>) -> Result<Response, Fault> {
    let mut query = call.query();
    let filter = EventFilter {
        event_type: query.parsed("type", EventType::parse),
    };
    let page = query.page()?;
    let page = call.hooks.events(call.param("app"), filter, page)?;
    let views = page.items.iter().map(EventView::new).collect();
    json(200, &Listing::new(views, page.next_cursor))
}

/// The event in the path, if it is the app's.
fn event_of(call: &Call<'_>) -> Result<Event, Fault> {
    let app = call.hooks.app(call.param("app"))?;
    let event = call.hooks.event(&call.event_id()?)?;
    if event.app_id != app.id {
        return Err(Error::EventNotFound(event.id).into());
    }
    Ok(event)
}

fn get(call: &Call<'_>) -> Result<Response, Fault> {
    json(200, &EventView::new(&event_of(call)?))
}

fn explain(call: &Call<'_>) -> Result<Response, Fault> {
    let event = event_of(call)?;
    let story = call.hooks.explain_event(&event.id)?;
    json(200, &EventStoryView::new(&story))
}
