//! The Prelude dialect (contracts.md §1.1): its operations, its webhook, its errors.

use std::sync::Arc;

use serde::Serialize;

use crate::error::Error;
use crate::model::{App, AppState, EventType, Events, NewWebhook, Secret, Webhook, WebhookSecrets};
use crate::registry::check_secrets;
use crate::storage::{PageRequest, WebhookFilter};

use super::Response;
use super::call::{Call, json, no_content};
use super::fault::Fault;
use super::fields::Fields;
use super::route::{BODY_BYTES_MAX, Needs, Route};
use super::views::{NEVER, Rfc3339};

pub(super) const ROUTES: &[Route] = &[
    Route::get("/v2/session/apps/{appID}/webhooks", Needs::Read, list),
    Route::post("/v2/session/apps/{appID}/webhooks", Needs::Write, create)
        .with_body(BODY_BYTES_MAX),
    Route::get(
        "/v2/session/apps/{appID}/webhooks/{webhookID}",
        Needs::Read,
        get,
    ),
    Route::delete(
        "/v2/session/apps/{appID}/webhooks/{webhookID}",
        Needs::Write,
        delete,
    ),
    Route::post(
        "/v2/session/apps/{appID}/webhooks/{webhookID}/activate",
        Needs::Write,
        activate,
    ),
    Route::post(
        "/v2/session/apps/{appID}/webhooks/{webhookID}/deactivate",
        Needs::Write,
        deactivate,
    ),
    Route::post(
        "/v2/session/apps/{appID}/webhooks/{webhookID}/events",
        Needs::Write,
        add_event,
    )
    .with_body(BODY_BYTES_MAX),
    Route::delete(
        "/v2/session/apps/{appID}/webhooks/{webhookID}/events/{event}",
        Needs::Write,
        remove_event,
    ),
];

/// The vendor's eight members, never more.
#[derive(Serialize)]
struct View<'a> {
    id: &'a str,
    url: &'a str,
    events: Vec<&'a str>,
    active: bool,
    last_http_code: u16,
    last_http_code_date: String,
    created_at: Rfc3339,
    updated_at: Rfc3339,
}

#[derive(Serialize)]
struct One<'a> {
    webhook: View<'a>,
}

#[derive(Serialize)]
struct Many<'a> {
    webhooks: Vec<View<'a>>,
}

/// What stands for the events of a webhook that hears all, which this contract has no word for: every type
/// there is. Read only where there is such a webhook.
fn catalogue(call: &Call<'_>, webhooks: &[Webhook]) -> Result<Vec<EventType>, Fault> {
    if webhooks.iter().any(|webhook| webhook.events == Events::All) {
        return Ok(call.hooks.event_types()?);
    }
    Ok(Vec::new())
}

fn view<'a>(webhook: &'a Webhook, catalogue: &'a [EventType]) -> View<'a> {
    let events = match &webhook.events {
        Events::All => catalogue,
        Events::Only(types) => types,
    };
    let last = webhook.last_http_code;
    View {
        id: webhook.id.as_str(),
        url: webhook.url.as_str(),
        events: events.iter().map(EventType::as_str).collect(),
        active: webhook.is_active(),
        last_http_code: last.map_or(0, |(code, _)| code),
        last_http_code_date: last.map_or_else(|| NEVER.to_owned(), |(_, at)| at.to_string()),
        created_at: Rfc3339(webhook.created_at),
        updated_at: Rfc3339(webhook.updated_at),
    }
}

fn answer(call: &Call<'_>, status: u16, webhook: &Webhook) -> Result<Response, Fault> {
    let catalogue = catalogue(call, std::slice::from_ref(webhook))?;
    let webhook = view(webhook, &catalogue);
    json(status, &One { webhook })
}

/// The app, if it is not disabled: a disabled one is refused for reading too.
fn enabled_app(call: &Call<'_>) -> Result<Arc<App>, Fault> {
    let app = call.hooks.app(call.param("appID"))?;
    match app.state {
        AppState::Enabled => Ok(app),
        AppState::Disabled => Err(Error::SessionDisabled(app.id.clone()).into()),
    }
}

fn list(call: &Call<'_>) -> Result<Response, Fault> {
    let app = enabled_app(call)?;
    let (mut webhooks, mut page) = (Vec::new(), PageRequest::first(1000)?);
    loop {
        let filter = WebhookFilter::default();
        let found = call.hooks.webhooks(app.id.as_str(), filter, page.clone())?;
        webhooks.extend(found.items);
        if found.next_cursor.is_none() {
            break;
        }
        page = page.after(found.next_cursor);
    }
    let catalogue = catalogue(call, &webhooks)?;
    let webhooks = webhooks.iter().map(|webhook| view(webhook, &catalogue));
    json(
        200,
        &Many {
            webhooks: webhooks.collect(),
        },
    )
}

fn create(call: &Call<'_>) -> Result<Response, Fault> {
    let app = enabled_app(call)?;
    let mut fields = Fields::parse(&call.request.body)?;
    let url = fields.required::<String>("url", "must be a string");
    let token = fields.required::<Secret>("verification_token", "must be a string");
    let events = fields.required::<Vec<String>>("events", "must be a list of strings");
    let (Some(url), Some(verification_token), Some(events)) = (url, token, events) else {
        return Err(fields.fault());
    };
    // The token is of the shape, which is told before the events and the URL.
    check_secrets(&WebhookSecrets {
        verification_token: verification_token.clone(),
        ..WebhookSecrets::default()
    })?;
    let events = events.iter().map(|name| EventType::parse(name));
    let new = NewWebhook {
        verification_token,
        events: Some(Events::only(events.collect::<Result<Vec<_>, _>>()?)),
        ..NewWebhook::new(url)
    };
    answer(call, 201, &call.hooks.create_webhook(app.id.as_str(), new)?)
}

fn get(call: &Call<'_>) -> Result<Response, Fault> {
    let app = enabled_app(call)?;
    let id = call.webhook_id("webhookID")?;
    answer(call, 200, &call.hooks.webhook(app.id.as_str(), &id)?)
}

fn delete(call: &Call<'_>) -> Result<Response, Fault> {
    let app = enabled_app(call)?;
    let id = call.webhook_id("webhookID")?;
    call.hooks.delete_webhook(app.id.as_str(), &id)?;
    Ok(no_content())
}

fn activate(call: &Call<'_>) -> Result<Response, Fault> {
    let app = enabled_app(call)?;
    let id = call.webhook_id("webhookID")?;
    answer(call, 200, &call.hooks.activate(app.id.as_str(), &id)?)
}

fn deactivate(call: &Call<'_>) -> Result<Response, Fault> {
    let app = enabled_app(call)?;
    let id = call.webhook_id("webhookID")?;
    answer(call, 200, &call.hooks.deactivate(app.id.as_str(), &id)?)
}

/// Whatever is wrong with the body, the event is invalid: the page declares no other 400.
fn add_event(call: &Call<'_>) -> Result<Response, Fault> {
    let app = enabled_app(call)?;
    let id = call.webhook_id("webhookID")?;
    call.hooks.webhook(app.id.as_str(), &id)?;
    let name = Fields::parse(&call.request.body)
        .ok()
        .and_then(|mut fields| fields.required::<String>("event", "must be a string"));
    let event = EventType::parse(&name.unwrap_or_default())?;
    let webhook = call.hooks.add_event_type(app.id.as_str(), &id, &event)?;
    answer(call, 201, &webhook)
}

/// A type that left the catalogue can still be removed from who named it before.
fn remove_event(call: &Call<'_>) -> Result<Response, Fault> {
    let app = enabled_app(call)?;
    let id = call.webhook_id("webhookID")?;
    let webhook = call.hooks.webhook(app.id.as_str(), &id)?;
    let event = EventType::parse(call.param("event"))?;
    let is_named = match &webhook.events {
        Events::All => false,
        Events::Only(types) => types.contains(&event),
    };
    if !is_named && !call.hooks.event_types()?.contains(&event) {
        return Err(EventType::unknown(event.as_str()).into());
    }
    let webhook = call.hooks.remove_event_type(app.id.as_str(), &id, &event)?;
    answer(call, 200, &webhook)
}

/// The flat error, all members required.
#[derive(Serialize)]
struct Flat<'a> {
    code: &'a str,
    status: &'a str,
    message: &'a str,
}

/// A fault in this dialect's shape.
pub(super) fn render(fault: &Fault) -> Result<Response, Fault> {
    json(
        fault.status,
        &Flat {
            code: fault.code,
            status: status_word(fault.status),
            message: vendor_message(fault.code).unwrap_or(&fault.message),
        },
    )
}

/// The vendor's own sentences, to the letter.
fn vendor_message(code: &str) -> Option<&'static str> {
    Some(match code {
        "invalid_request" => "The request body is invalid.",
        "invalid_webhook_event" => "The webhook event type is invalid.",
        "webhook_invalid_url" => "The webhook URL is invalid.",
        "session_disabled" => "Session management is disabled for this application.",
        "app_not_found" => "The application was not found.",
        "webhook_not_found" => "The webhook was not found.",
        _ => return None,
    })
}

/// The vendor's word for a status: its name in snake case.
pub(super) const fn status_word(status: u16) -> &'static str {
    match status {
        400 => "bad_request",
        401 => "unauthorized",
        403 => "forbidden",
        404 => "not_found",
        405 => "method_not_allowed",
        409 => "conflict",
        413 => "content_too_large",
        415 => "unsupported_media_type",
        429 => "too_many_requests",
        503 => "service_unavailable",
        _ => "internal_server_error",
    }
}
