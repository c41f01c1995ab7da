//! The JSON shapes (docs/shell.md). Most are the management API's; those here are the shell's own.

use hookbox::api::views::NEVER;
use hookbox::model::{Events, Overrides, Timestamp, Webhook};
use serde::Serialize;

pub use hookbox::api::views::{
    AppView, AttemptView, BacklogView, BatchView, EventView, KeyView, Rfc3339,
};

fn maybe(at: Option<Timestamp>) -> Option<Rfc3339> {
    at.map(Rfc3339)
}

/// The vendor's eight members first, then ours.
#[expect(
    clippy::struct_excessive_bools,
    reason = "the members of a JSON object"
)]
#[derive(Serialize)]
pub struct WebhookView<'a> {
    id: &'a str,
    url: &'a str,
    events: Vec<&'a str>,
    active: bool,
    last_http_code: u16,
    last_http_code_date: String,
    created_at: Rfc3339,
    updated_at: Rfc3339,
    app_id: &'a str,
    verified: bool,
    enabled: bool,
    description: &'a str,
    environment: Option<&'a str>,
    overrides: &'a Overrides,
    header_names: &'a [String],
    has_basic_auth: bool,
    last_enabled_at: Option<Rfc3339>,
    last_disabled_at: Option<Rfc3339>,
}

impl<'a> WebhookView<'a> {
    pub fn new(webhook: &'a Webhook) -> Self {
        let (code, date) = match webhook.last_http_code {
            Some((code, at)) => (code, at.to_string()),
            None => (0, NEVER.to_owned()),
        };
        Self {
            id: webhook.id.as_str(),
            url: webhook.url.as_str(),
            events: event_names(&webhook.events),
            active: webhook.is_active(),
            last_http_code: code,
            last_http_code_date: date,
            created_at: Rfc3339(webhook.created_at),
            updated_at: Rfc3339(webhook.updated_at),
            app_id: webhook.app_id.as_str(),
            verified: webhook.verified,
            enabled: webhook.enabled,
            description: &webhook.description,
            environment: webhook
                .environment
                .as_ref()
                .map(hookbox::model::Environment::as_str),
            overrides: &webhook.overrides,
            header_names: &webhook.header_names,
            has_basic_auth: webhook.has_basic_auth,
            last_enabled_at: maybe(webhook.last_enabled_at),
            last_disabled_at: maybe(webhook.last_disabled_at),
        }
    }
}

/// The names, or `*` for a webhook that hears all.
pub fn event_names(events: &Events) -> Vec<&str> {
    match events {
        Events::All => vec!["*"],
        Events::Only(types) => types
            .iter()
            .map(hookbox::model::EventType::as_str)
            .collect(),
    }
}

/// What was deleted.
#[derive(Serialize)]
pub struct Deleted<'a> {
    pub deleted: &'a str,
}
