//! Apps and the catalogue of event types.

use crate::hookbox::{NewApp, NewKey};
use crate::model::{App, AppId, AppState, EventType, KeyId, KeySize, Profile, Secret};
use crate::storage::{Page, PageRequest};

use super::boundary::{Done, Output, optional_text, sized, text, texts};
use super::error::{Failure, hookbox_error};
use super::handle::{call, hookbox_box};
use super::status::hookbox_status;
use super::text::{Keep, give, give_texts, hookbox_str, hookbox_texts, page_parts, take_back};

/// What may be created as an app. Clear it with zeros, set struct_size (HOOKBOX_NEW_APP_INIT does
/// both), and then what is to differ.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct hookbox_new_app {
    /// sizeof(hookbox_new_app).
    pub struct_size: u32,
    /// Bits of the RSA signing key that hookbox makes: 2048, 3072 or 4096; 0 means 2048.
    pub key_bits: u32,
    /// Its id: 1 to 64 characters of A-Z a-z 0-9 . _ -, the first one alphanumeric.
    pub id: hookbox_str,
    /// Which wire contract its webhooks follow: "prelude" (if empty), "fingerprint",
    /// "standard_webhooks", or a profile of the host's own as a JSON object: take the one of
    /// hookbox_profile() and change it.
    pub profile: hookbox_str,
    /// A signing key of the host's own (PEM, PKCS#8 or PKCS#1, 2048 bits or more); empty: hookbox makes one.
    pub key_pem: hookbox_str,
    /// The id of that key (kid); empty: a random UUID. Not without key_pem.
    pub key_id: hookbox_str,
}

const NEW_APP_BYTES: usize = 72;
const _: () = assert!(size_of::<hookbox_new_app>() >= NEW_APP_BYTES);

/// A tenant: it owns signing keys, webhooks and events. Owned by the caller, or part of a page.
/// Immutable. Later versions may append members: do not copy it whole.
#[repr(C)]
#[derive(Debug)]
pub struct hookbox_app {
    /// Its id.
    pub id: hookbox_str,
    /// Whether it takes events and changes.
    pub enabled: bool,
    /// When it was created, in Unix milliseconds.
    pub created_at_ms: i64,
    /// The name of its profile.
    pub profile_name: hookbox_str,
    /// Its whole profile as JSON.
    pub profile: hookbox_str,
}

/// One page of a listing of apps. Owned by the caller: free it with hookbox_app_page_free(). Immutable.
#[repr(C)]
#[derive(Debug)]
pub struct hookbox_app_page {
    /// The apps, in order of id.
    pub items: *const *const hookbox_app,
    /// How many.
    pub count: usize,
    /// For the next call; empty on the last page.
    pub next_cursor: hookbox_str,
}

fn view(app: &App, keep: &mut Keep) -> hookbox_app {
    hookbox_app {
        id: keep.text(app.id.as_str()),
        enabled: app.state == AppState::Enabled,
        created_at_ms: app.created_at.as_millis(),
        profile_name: keep.text(&app.profile.name),
        profile: keep.text(serde_json::to_string(&app.profile).unwrap_or_default()),
    }
}

fn give_app(app: &App) -> *mut hookbox_app {
    let mut keep = Keep::default();
    give(view(app, &mut keep), keep)
}

fn give_page(page: &Page<App>) -> *mut hookbox_app_page {
    let parts = page_parts(page, view);
    let page = hookbox_app_page {
        items: parts.items,
        count: parts.count,
        next_cursor: parts.next_cursor,
    };
    give(page, parts.keep)
}

/// Which page: at most `limit` rows (0 means 100, at most 1000), after the row that a cursor names.
///
/// # Safety
/// As `optional_text` needs it.
pub(super) unsafe fn page_request(cursor: hookbox_str, limit: usize) -> Done<PageRequest> {
    // SAFETY: by the contract.
    let cursor = unsafe { optional_text(cursor, "cursor") }?;
    let first = if limit == 0 {
        PageRequest::default()
    } else {
        PageRequest::first(limit)?
    };
    Ok(first.after(cursor.map(str::to_owned)))
}

/// A profile by name, or the host's own as JSON.
fn profile_of(text: Option<&str>) -> Done<Profile> {
    let text = text.unwrap_or("prelude");
    if text.trim_start().starts_with('{') {
        let refused = |error: serde_json::Error| {
            Failure::from(crate::error::Error::invalid(
                "profile",
                format!("is not a profile: {error}"),
            ))
        };
        return serde_json::from_str(text).map_err(refused);
    }
    Profile::by_name(text).ok_or_else(|| {
        let message = "must be prelude, fingerprint, standard_webhooks, or a JSON object";
        crate::error::Error::invalid("profile", message).into()
    })
}

/// A new signing key from its parts.
///
/// # Safety
/// As `optional_text` needs it.
pub(super) unsafe fn new_key(bits: u32, pem: hookbox_str, kid: hookbox_str) -> Done<NewKey> {
    // SAFETY: by the contract.
    let (pem, kid) = unsafe {
        (
            optional_text(pem, "key_pem")?,
            optional_text(kid, "key_id")?,
        )
    };
    if pem.is_none() && kid.is_some() {
        let message =
            "is for a key of the program's own: leave it empty where hookbox makes the key";
        return Err(crate::error::Error::invalid("kid", message).into());
    }
    Ok(match pem {
        Some(pem) => NewKey::Import {
            pem: Secret::new(pem),
            kid: kid.map(KeyId::parse).transpose()?,
        },
        None if bits == 0 => NewKey::Generate(KeySize::default()),
        None => NewKey::Generate(KeySize::from_bits(bits as usize)?),
    })
}

/// A built-in profile as JSON, one text, to be changed and given to hookbox_app_create():
/// "prelude", "fingerprint" or "standard_webhooks".
///
/// Errors: HOOKBOX_INVALID_REQUEST for another name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hookbox_profile(
    name: hookbox_str,
    out_json: *mut *mut hookbox_texts,
    error: *mut *mut hookbox_error,
) -> hookbox_status {
    // SAFETY: the caller gives a text, a place, and a place or NULL.
    unsafe {
        super::boundary::guard(error, || {
            let out = Output::new(out_json, "out_json")?;
            let profile = profile_of(Some(text(name, "name")?))?;
            out.set(give_texts([
                serde_json::to_string(&profile).unwrap_or_default()
            ]));
            Ok(())
        })
    }
}

/// Creates an app, with a signing key where its profile signs with one. `out_app` may be NULL.
///
/// Errors: HOOKBOX_APP_EXISTS; HOOKBOX_APP_NOT_FOUND when the text cannot be an app's id;
/// HOOKBOX_INVALID_REQUEST for a profile out of range; HOOKBOX_INVALID_KEY.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hookbox_app_create(
    hooks: *mut hookbox_box,
    new_app: *const hookbox_new_app,
    out_app: *mut *mut hookbox_app,
    error: *mut *mut hookbox_error,
) -> hookbox_status {
    // SAFETY: the caller keeps what the header says.
    unsafe {
        call(hooks, error, |hooks| {
            let new = sized(new_app, NEW_APP_BYTES, "new_app")?;
            let out = Output::optional(out_app, "out_app")?;
            let app = hooks.create_app_with(NewApp {
                id: AppId::parse(text(new.id, "id")?)?,
                profile: profile_of(optional_text(new.profile, "profile")?)?,
                key: new_key(new.key_bits, new.key_pem, new.key_id)?,
            })?;
            if out.is_wanted() {
                out.set(give_app(&app));
            }
            Ok(())
        })
    }
}

/// Reads an app. Free it with hookbox_app_free().
///
/// Errors: HOOKBOX_APP_NOT_FOUND.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hookbox_app_get(
    hooks: *const hookbox_box,
    app: hookbox_str,
    out_app: *mut *mut hookbox_app,
    error: *mut *mut hookbox_error,
) -> hookbox_status {
    // SAFETY: the caller keeps what the header says.
    unsafe {
        call(hooks, error, |hooks| {
            let out = Output::new(out_app, "out_app")?;
            out.set(give_app(&*hooks.app(text(app, "app")?)?));
            Ok(())
        })
    }
}

/// Lists apps in order of id: at most `limit` of them (1 to 1000; 0 means 100), after the page that
/// gave `cursor` (empty: from the first one on).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hookbox_app_list(
    hooks: *const hookbox_box,
    cursor: hookbox_str,
    limit: usize,
    out_page: *mut *mut hookbox_app_page,
    error: *mut *mut hookbox_error,
) -> hookbox_status {
    // SAFETY: the caller keeps what the header says.
    unsafe {
        call(hooks, error, |hooks| {
            let out = Output::new(out_page, "out_page")?;
            out.set(give_page(&hooks.apps(page_request(cursor, limit)?)?));
            Ok(())
        })
    }
}

/// Lets an app take events and changes again; its deliveries go on.
///
/// Errors: HOOKBOX_APP_NOT_FOUND.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hookbox_app_enable(
    hooks: *mut hookbox_box,
    app: hookbox_str,
    error: *mut *mut hookbox_error,
) -> hookbox_status {
    // SAFETY: the caller keeps what the header says.
    unsafe {
        call(hooks, error, |hooks| {
            hooks.enable_app(text(app, "app")?)?;
            Ok(())
        })
    }
}

/// Disables an app: emits and changes are refused with HOOKBOX_SESSION_DISABLED, and its deliveries
/// wait.
///
/// Errors: HOOKBOX_APP_NOT_FOUND.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hookbox_app_disable(
    hooks: *mut hookbox_box,
    app: hookbox_str,
    error: *mut *mut hookbox_error,
) -> hookbox_status {
    // SAFETY: the caller keeps what the header says.
    unsafe {
        call(hooks, error, |hooks| {
            hooks.disable_app(text(app, "app")?)?;
            Ok(())
        })
    }
}

/// Deletes an app with everything of its: keys, webhooks, events, batches and attempts.
///
/// Errors: HOOKBOX_APP_NOT_FOUND.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hookbox_app_delete(
    hooks: *mut hookbox_box,
    app: hookbox_str,
    error: *mut *mut hookbox_error,
) -> hookbox_status {
    // SAFETY: the caller keeps what the header says.
    unsafe {
        call(hooks, error, |hooks| {
            Ok(hooks.delete_app(text(app, "app")?)?)
        })
    }
}

/// Frees an app that was given by itself. NULL is ignored.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hookbox_app_free(app: *mut hookbox_app) {
    // SAFETY: it came from `give`, and is not used again.
    unsafe { take_back(app) }
}

/// Frees a page and the apps in it. NULL is ignored.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hookbox_app_page_free(page: *mut hookbox_app_page) {
    // SAFETY: it came from `give`, and is not used again.
    unsafe { take_back(page) }
}

/// The catalogue of event types, in order of name; by default the seven of the Prelude profile. Free
/// it with hookbox_texts_free().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hookbox_event_types_list(
    hooks: *const hookbox_box,
    out_types: *mut *mut hookbox_texts,
    error: *mut *mut hookbox_error,
) -> hookbox_status {
    // SAFETY: the caller keeps what the header says.
    unsafe {
        call(hooks, error, |hooks| {
            let out = Output::new(out_types, "out_types")?;
            let types = hooks.event_types()?;
            out.set(give_texts(types.iter().map(EventType::as_str)));
            Ok(())
        })
    }
}

/// Adds event types to the catalogue: 1 to 128 characters of A-Z a-z 0-9 . _ - / : each.
///
/// Errors: HOOKBOX_INVALID_WEBHOOK_EVENT.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hookbox_event_types_add(
    hooks: *mut hookbox_box,
    types: *const hookbox_str,
    count: usize,
    error: *mut *mut hookbox_error,
) -> hookbox_status {
    // SAFETY: the caller keeps what the header says.
    unsafe {
        call(hooks, error, |hooks| {
            Ok(hooks.add_event_types(event_types(types, count)?)?)
        })
    }
}

/// Makes these the whole catalogue. Events and subscriptions of other types stay as they are; new ones
/// are refused.
///
/// Errors: HOOKBOX_INVALID_WEBHOOK_EVENT.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hookbox_event_types_replace(
    hooks: *mut hookbox_box,
    types: *const hookbox_str,
    count: usize,
    error: *mut *mut hookbox_error,
) -> hookbox_status {
    // SAFETY: the caller keeps what the header says.
    unsafe {
        call(hooks, error, |hooks| {
            Ok(hooks.replace_event_types(event_types(types, count)?)?)
        })
    }
}

/// Event types out of an array of texts.
///
/// # Safety
/// As `texts` needs it.
pub(super) unsafe fn event_types(first: *const hookbox_str, count: usize) -> Done<Vec<EventType>> {
    // SAFETY: by the contract.
    let names = unsafe { texts(first, count, "types") }?;
    let types = names.into_iter().map(EventType::parse);
    Ok(types.collect::<crate::error::Result<_>>()?)
}
