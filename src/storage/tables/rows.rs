//! The rows that [`super::Tables`] gives and takes, where they are not plain data of the model.

use crate::model::{AppId, Batch, Class, DeliveryMode, Environment, Health, Position, Timestamp};

/// Where a webhook stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookState {
    /// The webhook's number.
    pub webhook_no: i64,
    /// Its app.
    pub app_id: AppId,
    /// Every event owed up to here is in a batch.
    pub cursor: Position,
    /// Whether anything owed after the cursor has been routed.
    pub has_backlog: bool,
    /// Whether a sender should look at it now; else `due_at` says when.
    pub ready: bool,
    /// When to look at it; `None` when only something that happens can make it worth a look. While
    /// it is ready: since when.
    pub due_at: Option<Timestamp>,
    /// Which senders its batches go through.
    pub class: Class,
    /// Its health.
    pub health: Health,
    /// The last HTTP status that its endpoint gave, and when.
    pub last_http_code: Option<(u16, Timestamp)>,
}

/// Between which log positions a webhook was active and subscribed to a type: it is owed the events
/// of its app and that type (and environment) after `from` and up to `until`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// The name of the type; [`Subscription::ALL_TYPES`] for every type.
    pub event_type: String,
    /// The last position before it.
    pub from: Position,
    /// Its last position; `None` while it holds.
    pub until: Option<Position>,
    /// Only events of this environment; `None` for all events.
    pub environment: Option<Environment>,
}

impl Subscription {
    /// Stands for every type. No event type has this name.
    pub const ALL_TYPES: &str = "*";
}

/// A part of the log: the events of one type after `from`, up to `until`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// The name of the type.
    pub event_type: String,
    /// The last position before the span.
    pub from: Position,
    /// The last position of the span.
    pub until: Position,
    /// The environment that matches; `None` when each does.
    pub environment: Option<Environment>,
}

/// One log entry, as far as carving a batch needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// Its position.
    pub position: Position,
    /// Bytes of its payload.
    pub bytes: u64,
    /// Its delivery mode.
    pub mode: DeliveryMode,
    /// Whether its environment is its span's.
    pub matches: bool,
}

/// A batch with its row number and its webhook's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchRow {
    /// Its number: batches are numbered as they are made.
    pub no: i64,
    /// The number of its webhook.
    pub webhook_no: i64,
    /// The batch.
    pub batch: Batch,
}

/// A range of the log that a webhook is to be sent once more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Replay {
    /// Its number.
    pub no: i64,
    /// What was taken of it so far: the last position looked at.
    pub cursor: Position,
    /// Its last position.
    pub until: Position,
}

/// New log entries that no webhook has been told of.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Unrouted {
    /// For each app and type among them, the last position.
    pub last: Vec<(String, String, Position)>,
    /// The last position of all; `None` when there are no new entries.
    pub until: Option<Position>,
    /// Whether there are more than these.
    pub more: bool,
}

/// A batch as retention sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OldBatch {
    /// Its number.
    pub no: i64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
}

/// Whose batches or attempts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OfWebhook<'a> {
    /// The app.
    pub app: &'a AppId,
    /// One webhook of it; `None` for all.
    pub webhook_no: Option<i64>,
}

/// A row with its number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Numbered<T> {
    /// The number.
    pub no: i64,
    /// The row.
    pub row: T,
}
