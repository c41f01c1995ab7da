//! Webhooks: registering, changing, activating.

use crate::hookbox::Hookbox;
use crate::model::{Environment, EventType, Events, Secret, Timestamp, Webhook, WebhookId};
use crate::storage::{Page, WebhookFilter};

use super::apps::page_request;
use super::boundary::{Done, Output, not_one_of, optional_text, text};
use super::error::hookbox_error;
use super::handle::{call, hookbox_box};
use super::signals::blocked;
use super::status::hookbox_status;
use super::text::{Keep, give, give_texts, hookbox_str, hookbox_texts, page_parts, take_back};
use super::webhook_config::{hookbox_webhook_config, new_webhook, update};

/// Either is wanted: the filter is off.
pub const HOOKBOX_ANY: i32 = 0;
/// Only what is enabled.
pub const HOOKBOX_ENABLED: i32 = 1;
/// Only what is disabled.
pub const HOOKBOX_DISABLED: i32 = 2;

/// One registered URL of an app. Its secrets are never shown. Owned by the caller, or part of a page.
/// Immutable. Later versions may append members: do not copy it whole.
#[repr(C)]
#[derive(Debug)]
pub struct hookbox_webhook {
    /// Its id: "web_…", or "wh_…" under the Fingerprint profile.
    pub id: hookbox_str,
    /// The app it belongs to.
    pub app_id: hookbox_str,
    /// Where its requests go.
    pub url: hookbox_str,
    /// Whether it hears every event type; else event_types has them.
    pub all_events: bool,
    /// Whether the endpoint passed its challenge.
    pub verified: bool,
    /// The operator's switch.
    pub enabled: bool,
    /// Verified and enabled: it is owed what is emitted now.
    pub active: bool,
    /// Whether requests carry basic authentication.
    pub has_basic_auth: bool,
    /// The status of the last delivery that was answered; 0 before the first.
    pub last_http_code: u16,
    /// When that was, in Unix milliseconds; 0 before the first.
    pub last_http_code_at_ms: i64,
    /// Which event types it is subscribed to.
    pub event_types: *const hookbox_str,
    /// How many.
    pub event_type_count: usize,
    /// For people.
    pub description: hookbox_str,
    /// Only events of this environment are owed; empty: all.
    pub environment: hookbox_str,
    /// Its own settings, as in hookbox_webhook_config.
    pub overrides: hookbox_str,
    /// Names of the custom headers.
    pub header_names: *const hookbox_str,
    /// How many.
    pub header_name_count: usize,
    /// When it was registered, in Unix milliseconds.
    pub created_at_ms: i64,
    /// When its registration last changed, in Unix milliseconds.
    pub updated_at_ms: i64,
    /// When it was last enabled, in Unix milliseconds; 0 for never.
    pub last_enabled_at_ms: i64,
    /// When it was last disabled, in Unix milliseconds; 0 for never.
    pub last_disabled_at_ms: i64,
}

/// One page of a listing of webhooks. Owned by the caller: free it with hookbox_webhook_page_free().
/// Immutable.
#[repr(C)]
#[derive(Debug)]
pub struct hookbox_webhook_page {
    /// The webhooks, in order of registration.
    pub items: *const *const hookbox_webhook,
    /// How many.
    pub count: usize,
    /// For the next call; empty on the last page.
    pub next_cursor: hookbox_str,
}

/// A time for C: 0 for none.
pub(super) fn millis(at: Option<Timestamp>) -> i64 {
    at.map_or(0, Timestamp::as_millis)
}

fn view(webhook: &Webhook, keep: &mut Keep) -> hookbox_webhook {
    let types: &[EventType] = match &webhook.events {
        Events::All => &[],
        Events::Only(types) => types,
    };
    let (event_types, event_type_count) = keep.texts(types.iter().map(EventType::as_str));
    let (header_names, header_name_count) = keep.texts(&webhook.header_names);
    hookbox_webhook {
        id: keep.text(webhook.id.as_str()),
        app_id: keep.text(webhook.app_id.as_str()),
        url: keep.text(webhook.url.as_str()),
        all_events: webhook.events == Events::All,
        verified: webhook.verified,
        enabled: webhook.enabled,
        active: webhook.is_active(),
        has_basic_auth: webhook.has_basic_auth,
        last_http_code: webhook.last_http_code.map_or(0, |(code, _)| code),
        last_http_code_at_ms: millis(webhook.last_http_code.map(|(_, at)| at)),
        event_types,
        event_type_count,
        description: keep.text(&webhook.description),
        environment: keep.optional(webhook.environment.as_ref().map(Environment::as_str)),
        overrides: keep.text(serde_json::to_string(&webhook.overrides).unwrap_or_default()),
        header_names,
        header_name_count,
        created_at_ms: webhook.created_at.as_millis(),
        updated_at_ms: webhook.updated_at.as_millis(),
        last_enabled_at_ms: millis(webhook.last_enabled_at),
        last_disabled_at_ms: millis(webhook.last_disabled_at),
    }
}

/// Writes a webhook where it is wanted.
unsafe fn set(out: Output<*mut hookbox_webhook>, webhook: &Webhook) {
    if out.is_wanted() {
        let mut keep = Keep::default();
        // SAFETY: the caller of the exported function gave the place.
        unsafe { out.set(give(view(webhook, &mut keep), keep)) };
    }
}

fn give_page(page: &Page<Webhook>) -> *mut hookbox_webhook_page {
    let parts = page_parts(page, view);
    let page = hookbox_webhook_page {
        items: parts.items,
        count: parts.count,
        next_cursor: parts.next_cursor,
    };
    give(page, parts.keep)
}

/// A webhook's id out of an argument.
///
/// # Safety
/// As `text` needs it.
pub(super) unsafe fn webhook_id(id: hookbox_str) -> Done<WebhookId> {
    // SAFETY: by the contract.
    Ok(WebhookId::parse(unsafe { text(id, "webhook") }?)?)
}

/// The inside of the functions that do something with a webhook and give it back, where it is wanted.
unsafe fn change(
    hooks: *mut hookbox_box,
    app: hookbox_str,
    webhook: hookbox_str,
    out_webhook: *mut *mut hookbox_webhook,
    error: *mut *mut hookbox_error,
    work: impl FnOnce(&Hookbox, &str, &WebhookId) -> Done<Webhook>,
) -> hookbox_status {
    // SAFETY: the caller of the exported function keeps what the header says.
    unsafe {
        call(hooks, error, |hooks| {
            let out = Output::optional(out_webhook, "out_webhook")?;
            let (app, id) = (text(app, "app")?, webhook_id(webhook)?);
            set(out, &work(hooks, app, &id)?);
            Ok(())
        })
    }
}

/// Registers a webhook. It is inactive until hookbox_webhook_activate() (except under a profile without
/// verification), and is owed what is emitted from then on. `out_webhook` may be NULL.
///
/// Errors, checked in this order: HOOKBOX_APP_NOT_FOUND, HOOKBOX_SESSION_DISABLED,
/// HOOKBOX_INVALID_REQUEST, HOOKBOX_INVALID_WEBHOOK_EVENT, HOOKBOX_WEBHOOK_INVALID_URL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hookbox_webhook_create(
    hooks: *mut hookbox_box,
    app: hookbox_str,
    config: *const hookbox_webhook_config,
    out_webhook: *mut *mut hookbox_webhook,
    error: *mut *mut hookbox_error,
) -> hookbox_status {
    // SAFETY: the caller keeps what the header says.
    unsafe {
        call(hooks, error, |hooks| {
            let out = Output::optional(out_webhook, "out_webhook")?;
            let webhook = hooks.create_webhook(text(app, "app")?, new_webhook(config)?)?;
            set(out, &webhook);
            Ok(())
        })
    }
}

/// Reads a webhook. Free it with hookbox_webhook_free().
///
/// Errors: HOOKBOX_APP_NOT_FOUND, HOOKBOX_WEBHOOK_NOT_FOUND.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hookbox_webhook_get(
    hooks: *const hookbox_box,
    app: hookbox_str,
    webhook: hookbox_str,
    out_webhook: *mut *mut hookbox_webhook,
    error: *mut *mut hookbox_error,
) -> hookbox_status {
    // SAFETY: the caller keeps what the header says.
    unsafe {
        call(hooks, error, |hooks| {
            let out = Output::new(out_webhook, "out_webhook")?;
            set(
                out,
                &hooks.webhook(text(app, "app")?, &webhook_id(webhook)?)?,
            );
            Ok(())
        })
    }
}

/// Lists an app's webhooks in order of registration: those that `enabled` (HOOKBOX_ANY, HOOKBOX_ENABLED,
/// HOOKBOX_DISABLED) and `environment` (empty: any) let through, at most `limit` (1 to 1000; 0 means
/// 100), after the page that gave `cursor`.
///
/// Errors: HOOKBOX_APP_NOT_FOUND.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hookbox_webhook_list(
    hooks: *const hookbox_box,
    app: hookbox_str,
    enabled: i32,
    environment: hookbox_str,
    cursor: hookbox_str,
    limit: usize,
    out_page: *mut *mut hookbox_webhook_page,
    error: *mut *mut hookbox_error,
) -> hookbox_status {
    // SAFETY: the caller keeps what the header says.
    unsafe {
        call(hooks, error, |hooks| {
            let out = Output::new(out_page, "out_page")?;
            let environment = optional_text(environment, "environment")?;
            let filter = WebhookFilter {
                enabled: match enabled {
                    HOOKBOX_ANY => None,
                    HOOKBOX_ENABLED => Some(true),
                    HOOKBOX_DISABLED => Some(false),
                    other => return Err(not_one_of("enabled", other)),
                },
                environment: environment.map(Environment::parse).transpose()?,
            };
            let page = page_request(cursor, limit)?;
            out.set(give_page(&hooks.webhooks(
                text(app, "app")?,
                filter,
                page,
            )?));
            Ok(())
        })
    }
}

/// Changes a webhook: the fields that `fields` names (HOOKBOX_WEBHOOK_URL and its like, added up) become
/// those of `config`. What it was owed before stays owed. `out_webhook` may be NULL.
///
/// Errors: as hookbox_webhook_create(), and HOOKBOX_WEBHOOK_NOT_FOUND.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hookbox_webhook_update(
    hooks: *mut hookbox_box,
    app: hookbox_str,
    webhook: hookbox_str,
    fields: u32,
    config: *const hookbox_webhook_config,
    out_webhook: *mut *mut hookbox_webhook,
    error: *mut *mut hookbox_error,
) -> hookbox_status {
    // SAFETY: the caller keeps what the header says.
    unsafe {
        change(hooks, app, webhook, out_webhook, error, |hooks, app, id| {
            Ok(hooks.update_webhook(app, id, update(fields, config)?)?)
        })
    }
}

/// Deletes a webhook with its batches and attempts.
///
/// Errors: HOOKBOX_APP_NOT_FOUND, HOOKBOX_SESSION_DISABLED, HOOKBOX_WEBHOOK_NOT_FOUND.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hookbox_webhook_delete(
    hooks: *mut hookbox_box,
    app: hookbox_str,
    webhook: hookbox_str,
    error: *mut *mut hookbox_error,
) -> hookbox_status {
    // SAFETY: the caller keeps what the header says.
    unsafe {
        call(hooks, error, |hooks| {
            Ok(hooks.delete_webhook(text(app, "app")?, &webhook_id(webhook)?)?)
        })
    }
}

/// Subscribes a webhook to one more event type, from now on. Twice is as good as once. `out_webhook`
/// may be NULL.
///
/// Errors: as hookbox_webhook_update().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hookbox_webhook_add_event_type(
    hooks: *mut hookbox_box,
    app: hookbox_str,
    webhook: hookbox_str,
    event_type: hookbox_str,
    out_webhook: *mut *mut hookbox_webhook,
    error: *mut *mut hookbox_error,
) -> hookbox_status {
    // SAFETY: the caller keeps what the header says.
    unsafe {
        change(hooks, app, webhook, out_webhook, error, |hooks, app, id| {
            let name = EventType::parse(text(event_type, "event_type")?)?;
            Ok(hooks.add_event_type(app, id, &name)?)
        })
    }
}

/// Unsubscribes a webhook from an event type, from now on; what it was owed stays owed. Removing what
/// is not there is no error. `out_webhook` may be NULL.
///
/// Errors: as hookbox_webhook_update(); HOOKBOX_INVALID_REQUEST for a webhook that hears all types.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hookbox_webhook_remove_event_type(
    hooks: *mut hookbox_box,
    app: hookbox_str,
    webhook: hookbox_str,
    event_type: hookbox_str,
    out_webhook: *mut *mut hookbox_webhook,
    error: *mut *mut hookbox_error,
) -> hookbox_status {
    // SAFETY: the caller keeps what the header says.
    unsafe {
        change(hooks, app, webhook, out_webhook, error, |hooks, app, id| {
            let name = EventType::parse(text(event_type, "event_type")?)?;
            Ok(hooks.remove_event_type(app, id, &name)?)
        })
    }
}

/// Asks the endpoint to prove its ownership, and makes the webhook active: verified and enabled. What
/// waited for it goes out again. Takes as long as the endpoint does, within the profile's deadline.
/// `out_webhook` may be NULL.
///
/// Errors: HOOKBOX_WEBHOOK_ACTIVATION_FAILED, its message says what the endpoint did; nothing is
/// changed then. HOOKBOX_APP_NOT_FOUND, HOOKBOX_SESSION_DISABLED, HOOKBOX_WEBHOOK_NOT_FOUND.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hookbox_webhook_activate(
    hooks: *mut hookbox_box,
    app: hookbox_str,
    webhook: hookbox_str,
    out_webhook: *mut *mut hookbox_webhook,
    error: *mut *mut hookbox_error,
) -> hookbox_status {
    // SAFETY: the caller keeps what the header says.
    unsafe {
        change(hooks, app, webhook, out_webhook, error, |hooks, app, id| {
            Ok(blocked(|| hooks.activate(app, id))?)
        })
    }
}

/// As hookbox_webhook_activate(), but leaves the operator's switch as it is (Fingerprint's verification
/// call).
///
/// Errors: as hookbox_webhook_activate().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hookbox_webhook_verify(
    hooks: *mut hookbox_box,
    app: hookbox_str,
    webhook: hookbox_str,
    out_webhook: *mut *mut hookbox_webhook,
    error: *mut *mut hookbox_error,
) -> hookbox_status {
    // SAFETY: the caller keeps what the header says.
    unsafe {
        change(hooks, app, webhook, out_webhook, error, |hooks, app, id| {
            Ok(blocked(|| hooks.verify(app, id))?)
        })
    }
}

/// Switches a webhook off. It is not owed what is emitted from now on; what it was owed waits.
/// `out_webhook` may be NULL.
///
/// Errors: HOOKBOX_APP_NOT_FOUND, HOOKBOX_SESSION_DISABLED, HOOKBOX_WEBHOOK_NOT_FOUND.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hookbox_webhook_deactivate(
    hooks: *mut hookbox_box,
    app: hookbox_str,
    webhook: hookbox_str,
    out_webhook: *mut *mut hookbox_webhook,
    error: *mut *mut hookbox_error,
) -> hookbox_status {
    // SAFETY: the caller keeps what the header says.
    unsafe {
        change(hooks, app, webhook, out_webhook, error, |hooks, app, id| {
            Ok(hooks.deactivate(app, id)?)
        })
    }
}

/// The secrets a webhook's deliveries are signed with, the current one first; none under a profile that
/// signs with the app's key. For the receiver's owner only. Free them with hookbox_texts_free().
///
/// Errors: HOOKBOX_WEBHOOK_NOT_FOUND, HOOKBOX_SEAL_BROKEN.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hookbox_webhook_signing_secrets(
    hooks: *const hookbox_box,
    app: hookbox_str,
    webhook: hookbox_str,
    out_secrets: *mut *mut hookbox_texts,
    error: *mut *mut hookbox_error,
) -> hookbox_status {
    // SAFETY: the caller keeps what the header says.
    unsafe {
        call(hooks, error, |hooks| {
            let out = Output::new(out_secrets, "out_secrets")?;
            let secrets = hooks.signing_secrets(text(app, "app")?, &webhook_id(webhook)?)?;
            out.set(give_texts(secrets.iter().map(Secret::expose)));
            Ok(())
        })
    }
}

/// Makes a signing secret the current one (empty: hookbox makes one), and gives it as one text in
/// `out_secret`, which may be NULL. With `keep_previous` deliveries carry a signature of each until the
/// next call.
///
/// Errors: HOOKBOX_INVALID_KEY; HOOKBOX_UNSUPPORTED where the profile signs with the app's key.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hookbox_webhook_roll_signing_secret(
    hooks: *mut hookbox_box,
    app: hookbox_str,
    webhook: hookbox_str,
    secret: hookbox_str,
    keep_previous: bool,
    out_secret: *mut *mut hookbox_texts,
    error: *mut *mut hookbox_error,
) -> hookbox_status {
    // SAFETY: the caller keeps what the header says.
    unsafe {
        call(hooks, error, |hooks| {
            let out = Output::optional(out_secret, "out_secret")?;
            let (app, id) = (text(app, "app")?, webhook_id(webhook)?);
            let new = optional_text(secret, "secret")?.map(Secret::new);
            let current = hooks.roll_signing_secret(app, &id, new, keep_previous)?;
            if out.is_wanted() {
                out.set(give_texts([current.expose()]));
            }
            Ok(())
        })
    }
}

/// Frees a webhook that was given by itself. NULL is ignored.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hookbox_webhook_free(webhook: *mut hookbox_webhook) {
    // SAFETY: it came from `give`, and is not used again.
    unsafe { take_back(webhook) }
}

/// Frees a page and the webhooks in it. NULL is ignored.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hookbox_webhook_page_free(page: *mut hookbox_webhook_page) {
    // SAFETY: it came from `give`, and is not used again.
    unsafe { take_back(page) }
}
