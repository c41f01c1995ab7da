//! The JSON shapes of records, as docs/api.md and docs/shell.md show them: times as RFC 3339, members
//! in the order in which people read them, no secrets.

use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use crate::hookbox::{BatchStory, EventStory};
use crate::model::{
    App, AppState, Attempt, AttemptResult, Batch, BatchStatus, DeliveryMode, EndReason,
    Environment, Event, Health, Jwk, KeyPhase, Profile, SigningKey, Timestamp, Webhook,
};
use crate::storage::{BacklogRow, BatchCounts};

/// The vendor's date of something that never was; schema-valid (contracts.md §1.1).
pub const NEVER: &str = "0001-01-01T00:00:00Z";

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

/// One page of a listing.
#[derive(Debug, Serialize)]
pub struct Listing<T> {
    items: Vec<T>,
    next_cursor: Option<String>,
}

impl<T> Listing<T> {
    /// The rows, and the cursor of the page after.
    #[must_use]
    pub const fn new(items: Vec<T>, next_cursor: Option<String>) -> Self {
        Self { items, next_cursor }
    }
}

/// An app.
#[derive(Debug, Serialize)]
pub struct AppView<'a> {
    id: &'a str,
    state: AppState,
    created_at: Rfc3339,
    profile: &'a Profile,
}

impl<'a> AppView<'a> {
    /// Shows an app.
    #[must_use]
    pub fn new(app: &'a App) -> Self {
        Self {
            id: app.id.as_str(),
            state: app.state,
            created_at: Rfc3339(app.created_at),
            profile: &app.profile,
        }
    }
}

/// An event. Its payload stands as it was emitted, byte for byte.
#[derive(Debug, Serialize)]
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
    /// `None` where somebody spoiled it.
    payload: Option<&'a RawValue>,
}

impl<'a> EventView<'a> {
    /// Shows an event.
    #[must_use]
    pub fn new(event: &'a Event) -> Self {
        Self {
            id: event.id.to_string(),
            kind: event.event_type.as_str(),
            created_at: Rfc3339(event.created_at),
            app_id: event.app_id.as_str(),
            position: event.position,
            idempotency_key: event.idempotency_key.as_deref(),
            environment: event.environment.as_ref().map(Environment::as_str),
            mode: event.mode,
            payload: serde_json::from_str(&event.payload).ok(),
        }
    }
}

/// A batch.
#[derive(Debug, Serialize)]
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
    /// Shows a batch.
    #[must_use]
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

/// An attempt. Either `http_status` or `error` is null.
#[derive(Debug, Serialize)]
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
    /// Shows an attempt.
    #[must_use]
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

/// Where a webhook stands, with its URL and switch beside it.
#[derive(Debug, Serialize)]
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
    /// Shows where a webhook stands.
    #[must_use]
    pub fn new(webhook: &'a Webhook, row: &BacklogRow) -> Self {
        Self {
            webhook_id: webhook.id.as_str(),
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

/// How well a webhook answered lately.
#[derive(Debug, Serialize)]
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

/// A signing key, without its private part.
#[derive(Debug, Serialize)]
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
    /// Shows a key, and what it is for at `now`.
    #[must_use]
    pub fn new(key: &'a SigningKey, now: Timestamp) -> Self {
        Self {
            kid: key.kid.as_str(),
            phase: key.phase(now),
            has_private_part: key.has_private_part,
            created_at: Rfc3339(key.created_at),
            signs_from: Rfc3339(key.signs_from),
            signs_until: maybe(key.signs_until),
            published_until: maybe(key.published_until),
            public: &key.public,
        }
    }
}

/// The story of a batch.
#[derive(Debug, Serialize)]
pub struct BatchStoryView<'a> {
    batch: BatchView<'a>,
    attempts: Vec<AttemptView<'a>>,
    sentences: &'a [String],
}

impl<'a> BatchStoryView<'a> {
    /// Shows a batch's story.
    #[must_use]
    pub fn new(story: &'a BatchStory) -> Self {
        Self {
            batch: BatchView::new(&story.batch),
            attempts: story.attempts.iter().map(AttemptView::new).collect(),
            sentences: &story.sentences,
        }
    }
}

/// The story of an event.
#[derive(Debug, Serialize)]
pub struct EventStoryView<'a> {
    event: EventView<'a>,
    batches: Vec<BatchStoryView<'a>>,
    sentences: &'a [String],
}

impl<'a> EventStoryView<'a> {
    /// Shows an event's story.
    #[must_use]
    pub fn new(story: &'a EventStory) -> Self {
        Self {
            event: EventView::new(&story.event),
            batches: story.batches.iter().map(BatchStoryView::new).collect(),
            sentences: &story.sentences,
        }
    }
}
