//! The JSON shapes (docs/shell.md): the library's records with times as RFC 3339, members in the
//! order in which people read them.

use hookbox::clock::{Clock, SystemClock};
use hookbox::model::{
    App, AppState, Attempt, AttemptResult, Batch, BatchStatus, DeliveryMode, EndReason, Event,
    Events, Health, Jwk, KeyPhase, Overrides, Profile, SigningKey, Timestamp, Webhook,
};
use hookbox::storage::{BacklogRow, BatchCounts};
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

/// A time as RFC 3339 text.
#[derive(Debug, Clone, Copy)]
pub struct Rfc3339(pub Timestamp);

impl Serialize for Rfc3339 {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&self.0)
    }
}

fn maybe(at: Option<Timestamp>) -> Option<Rfc3339> {
    at.map(Rfc3339)
}

#[derive(Serialize)]
pub struct AppView<'a> {
    id: &'a str,
    state: AppState,
    created_at: Rfc3339,
    profile: &'a Profile,
}

impl<'a> AppView<'a> {
    pub fn new(app: &'a App) -> Self {
        Self {
            id: app.id.as_str(),
            state: app.state,
            created_at: Rfc3339(app.created_at),
            profile: &app.profile,
        }
    }
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
            // The vendor's "never", schema-valid (contracts.md §1.1).
            None => (0, "0001-01-01T00:00:00Z".to_owned()),
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

/// The payload stands as it was emitted, byte for byte.
#[derive(Serialize)]
pub struct EventView<'a> {
    id: String,
    #[serde(rename = "type")]
    kind: &'a str,
    created_at: Rfc3339,
    app_id: &'a str,
    position: i64,
    idempotency_key: Option<&'a str>,
    environment: Option<&'a str>,
    mode: DeliveryMode,
    payload: Option<&'a RawValue>,
}

impl<'a> EventView<'a> {
    pub fn new(event: &'a Event) -> Self {
        Self {
            id: event.id.to_string(),
            kind: event.event_type.as_str(),
            created_at: Rfc3339(event.created_at),
            app_id: event.app_id.as_str(),
            position: event.position,
            idempotency_key: event.idempotency_key.as_deref(),
            environment: event
                .environment
                .as_ref()
                .map(hookbox::model::Environment::as_str),
            mode: event.mode,
            payload: serde_json::from_str(&event.payload).ok(),
        }
    }
}

#[derive(Serialize)]
pub struct BatchView<'a> {
    id: String,
    app_id: &'a str,
    webhook_id: &'a str,
    status: BatchStatus,
    end_reason: Option<EndReason>,
    events: usize,
    positions: &'a [(i64, i64)],
    attempts: u32,
    failures: u32,
    mode: DeliveryMode,
    parent: Option<String>,
    created_at: Rfc3339,
    window_start: Option<Rfc3339>,
    due_at: Option<Rfc3339>,
    ended_at: Option<Rfc3339>,
}

impl<'a> BatchView<'a> {
    pub fn new(batch: &'a Batch) -> Self {
        Self {
            id: batch.id.to_string(),
            app_id: batch.app_id.as_str(),
            webhook_id: batch.webhook_id.as_str(),
            status: batch.status,
            end_reason: batch.end_reason,
            events: batch.positions.len(),
            positions: batch.positions.ranges(),
            attempts: batch.attempts,
            failures: batch.failures,
            mode: batch.mode,
            parent: batch.parent.map(|id| id.to_string()),
            created_at: Rfc3339(batch.created_at),
            window_start: maybe(batch.window_start),
            due_at: maybe(batch.due_at),
            ended_at: maybe(batch.ended_at),
        }
    }
}

/// Either `http_status` or `error` is null.
#[derive(Serialize)]
pub struct AttemptView<'a> {
    batch_id: String,
    webhook_id: &'a str,
    number: u32,
    started_at: Rfc3339,
    duration_ms: u64,
    http_status: Option<u16>,
    error: Option<&'static str>,
    excerpt: &'a str,
}

impl<'a> AttemptView<'a> {
    pub fn new(attempt: &'a Attempt) -> Self {
        let (http_status, error) = match attempt.result {
            AttemptResult::Status(status) => (Some(status), None),
            AttemptResult::Failure(kind) => (None, Some(kind.as_str())),
        };
        Self {
            batch_id: attempt.batch_id.to_string(),
            webhook_id: attempt.webhook_id.as_str(),
            number: attempt.number,
            started_at: Rfc3339(attempt.started_at),
            duration_ms: attempt.duration_ms,
            http_status,
            error,
            excerpt: &attempt.excerpt,
        }
    }
}

/// A backlog row with the webhook's switch beside it.
#[derive(Serialize)]
pub struct BacklogView<'a> {
    webhook_id: &'a str,
    url: &'a str,
    active: bool,
    events_owed: u64,
    oldest_owed_at: Option<Rfc3339>,
    batches: BatchCounts,
    next_due: Option<Rfc3339>,
    health: HealthView,
}

impl<'a> BacklogView<'a> {
    pub fn new(webhook: &'a Webhook, row: &'a BacklogRow) -> Self {
        Self {
            webhook_id: row.webhook_id.as_str(),
            url: webhook.url.as_str(),
            active: webhook.is_active(),
            events_owed: row.events_owed,
            oldest_owed_at: maybe(row.oldest_owed_at),
            batches: row.batches,
            next_due: maybe(row.next_due),
            health: HealthView::new(&row.health),
        }
    }
}

#[derive(Serialize)]
pub struct HealthView {
    consecutive_failures: u32,
    failing_since: Option<Rfc3339>,
    last_success_at: Option<Rfc3339>,
    paused_until: Option<Rfc3339>,
    ramp: Option<u32>,
}

impl HealthView {
    fn new(health: &Health) -> Self {
        Self {
            consecutive_failures: health.consecutive_failures,
            failing_since: maybe(health.failing_since),
            last_success_at: maybe(health.last_success_at),
            paused_until: maybe(health.paused_until),
            ramp: health.ramp,
        }
    }
}

#[derive(Serialize)]
pub struct KeyView<'a> {
    kid: &'a str,
    phase: KeyPhase,
    has_private_part: bool,
    created_at: Rfc3339,
    signs_from: Rfc3339,
    signs_until: Option<Rfc3339>,
    published_until: Option<Rfc3339>,
    public: &'a Jwk,
}

impl<'a> KeyView<'a> {
    pub fn new(key: &'a SigningKey) -> Self {
        Self {
            kid: key.kid.as_str(),
            phase: key.phase(SystemClock.now()),
            has_private_part: key.has_private_part,
            created_at: Rfc3339(key.created_at),
            signs_from: Rfc3339(key.signs_from),
            signs_until: maybe(key.signs_until),
            published_until: maybe(key.published_until),
            public: &key.public,
        }
    }
}

/// What was deleted.
#[derive(Serialize)]
pub struct Deleted<'a> {
    pub deleted: &'a str,
}
