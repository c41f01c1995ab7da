//! What hookbox keeps, table by table: how an engine is put under the storage.
//!
//! The meaning of a [`crate::storage::Storage`] (owed exactly, leases, fences, routing, retention) is
//! written once, in [`TableStorage`]. An engine brings a [`Database`], which runs a piece of work in
//! one transaction, and [`Tables`], which read and write rows inside it. Each method of `Tables` is one
//! plain query: none decides anything. docs/storage.md shows how to write one, docs/schema.md what
//! the tables hold. This is the extension tier: it may gain required methods in a minor release.

mod database;
mod own;
mod rows;

use std::collections::BTreeSet;

pub use crate::storage::outbox::{TableStorage, emit};
pub use database::Database;
pub(crate) use own::Own;
pub use rows::{
    BatchRow, Entry, Numbered, OfWebhook, OldBatch, Replay, Span, Subscription, Unrouted,
    WebhookState,
};

use crate::error::Result;
use crate::machine::InFlight;
use crate::model::{
    ApiKey, ApiKeyId, App, AppId, AppState, Attempt, Batch, BatchId, BatchStatus, Class, Event,
    EventId, EventType, Ordering, Position, Positions, Timestamp, Webhook, WebhookId,
};
use crate::storage::{
    ApiKeyFilter, PreparedEvent, StoredApiKey, StoredKey, StoredWebhook, WebhookFilter,
};

/// The tables, inside one transaction. Numbers (`no`) are the engine's: given in ascending order,
/// never reused. Lists are in ascending order of their key unless said otherwise.
///
/// Where several transactions can write at once, the `lock_…` methods keep others out until the end
/// of the transaction. They are called in the order log, app, webhooks in order of number; engines
/// with one writer at a time need none of them.
///
/// Every method fails with the engine's own errors; [`crate::StorageFault::BadRow`] stands for a row that
/// is missing where there must be one, or that holds what hookbox would not have written.
#[expect(clippy::missing_errors_doc, reason = "said once, for all of them")]
pub trait Tables {
    /// Runs `work` so that what it wrote is undone when it fails, and the rest of the transaction
    /// is not.
    fn nested(&self, work: &mut dyn FnMut() -> Result<()>) -> Result<()>;

    /// Keeps other transactions from changing what is owed, and gives every event that is committed
    /// its position: [`Tables::head`] is exact then, until the end of the transaction.
    fn lock_log(&self) -> Result<()> {
        Ok(())
    }

    /// Keeps others from changing an app's keys.
    fn lock_app(&self, _app: &AppId) -> Result<()> {
        Ok(())
    }

    /// Keeps others from changing a webhook, where it stands, and its batches.
    fn lock_webhook(&self, _webhook_no: i64) -> Result<()> {
        Ok(())
    }

    /// The same for the webhooks of these batches, all at once.
    fn lock_webhooks_of(&self, _batches: &[BatchId]) -> Result<()> {
        Ok(())
    }

    /// A random number that each change of any app or webhook sets anew; `None` where the engine does
    /// not keep one: then the versions of each are asked for, one by one.
    fn registry_version(&self) -> Result<Option<i64>> {
        Ok(None)
    }

    // Apps, keys, the catalogue.

    /// Adds an app; false when there is one of this id.
    fn insert_app(&self, app: &App) -> Result<bool>;

    /// Reads an app.
    fn app(&self, id: &AppId) -> Result<Option<App>>;

    /// Reads an app's state only.
    fn app_state(&self, id: &AppId) -> Result<Option<AppState>>;

    /// A random number that each change of the app sets anew.
    fn app_version(&self, id: &AppId) -> Result<Option<i64>>;

    /// Apps after this id.
    fn apps(&self, after: &str, limit: usize) -> Result<Vec<App>>;

    /// Sets an app's state, and marks all of its webhooks as ready, or not: `ready`, with `due_at` 0
    /// where it is unset.
    fn set_app_state(&self, id: &AppId, state: AppState, ready: bool) -> Result<()>;

    /// Deletes about `limit` rows of what belongs to an app, batches first, itself last; false when
    /// nothing is left.
    fn delete_of_app(&self, id: &AppId, limit: usize) -> Result<bool>;

    /// The current catalogue.
    fn event_types(&self) -> Result<Vec<EventType>>;

    /// Whether a type is in the current catalogue.
    fn has_event_type(&self, name: &EventType) -> Result<bool>;

    /// Adds to the catalogue; with `replace`, every other name leaves it.
    fn set_event_types(&self, types: &[EventType], replace: bool) -> Result<()>;

    /// An app's keys, in order of `created_at`, `signs_from`, `kid`.
    fn keys(&self, app: &AppId) -> Result<Vec<StoredKey>>;

    /// Replaces an app's keys.
    fn replace_keys(&self, app: &AppId, keys: &[StoredKey]) -> Result<()>;

    /// Deletes the keys of all apps that are published until before `now`.
    fn delete_expired_keys(&self, now: Timestamp) -> Result<()>;

    // API keys. They go with the app that they are for.

    /// Adds an API key.
    fn insert_api_key(&self, key: &StoredApiKey) -> Result<()>;

    /// Reads an API key.
    fn api_key(&self, id: &ApiKeyId) -> Result<Option<StoredApiKey>>;

    /// API keys whose id, as text, comes after this text.
    fn api_keys(&self, filter: &ApiKeyFilter, after: &str, limit: usize) -> Result<Vec<ApiKey>>;

    /// Sets an API key's `revoked_at`, unless it is set.
    fn revoke_api_key(&self, id: &ApiKeyId, at: Timestamp) -> Result<()>;

    /// Sets an API key's `last_used_at`, unless that is later.
    fn note_api_key_use(&self, id: &ApiKeyId, at: Timestamp) -> Result<()>;

    // Webhooks.

    /// Adds a webhook, and where it stands: at this cursor, not ready, well. Returns its number.
    fn insert_webhook(&self, webhook: &StoredWebhook, cursor: Position) -> Result<i64>;

    /// A webhook's number, if it is of this app.
    fn webhook_no(&self, app: &AppId, id: &WebhookId) -> Result<Option<i64>>;

    /// Reads a webhook; its `last_http_code` is where it stands'.
    fn webhook(&self, no: i64) -> Result<StoredWebhook>;

    /// A random number that each change of the webhook sets anew.
    fn webhook_version(&self, no: i64) -> Result<i64>;

    /// An app's webhooks after a number.
    fn webhooks(
        &self,
        app: &AppId,
        filter: &WebhookFilter,
        after: i64,
        limit: usize,
    ) -> Result<Vec<Numbered<Webhook>>>;

    /// Writes a changed webhook. Its `id`, `app_id`, `created_at` and `last_http_code` are left.
    fn update_webhook(&self, no: i64, webhook: &StoredWebhook) -> Result<()>;

    /// Deletes a webhook with everything that has its number.
    fn delete_webhook(&self, no: i64) -> Result<()>;

    /// A webhook's subscriptions, in order of type and `from`.
    fn subscriptions(&self, webhook_no: i64) -> Result<Vec<Subscription>>;

    /// Replaces a webhook's subscriptions.
    fn replace_subscriptions(
        &self,
        app: &AppId,
        webhook_no: i64,
        subscriptions: &[Subscription],
    ) -> Result<()>;

    /// Deletes the subscriptions of all webhooks that end at or before their webhook's cursor.
    fn delete_passed_subscriptions(&self) -> Result<()>;

    /// At most `limit` webhooks with a subscription that covers an event, and a cursor before it.
    fn awaited_by(&self, event: &Event, limit: usize) -> Result<Vec<WebhookId>>;

    // Where webhooks stand, and which to look at.

    /// Where a webhook stands.
    fn state(&self, webhook_no: i64) -> Result<WebhookState>;

    /// Writes where a webhook stands. Its `app_id` is left.
    fn save_state(&self, state: &WebhookState) -> Result<()>;

    /// Marks a webhook as not ready until a time, whatever else its row holds.
    fn look_later(&self, webhook_no: i64, at: Timestamp) -> Result<()>;

    /// Sets `has_backlog`, `ready`, and `due_at` to `now` for every webhook of the app that has not,
    /// whose cursor is before `last`, and that has a subscription to the type or to all types with
    /// any position in it.
    fn mark_backlog(
        &self,
        app: &str,
        event_type: &str,
        last: Position,
        now: Timestamp,
    ) -> Result<()>;

    /// Marks as ready at most `limit` webhooks that are not and are due at `now`, the earliest first;
    /// all that have any `due_at` when `now` is `None`. Returns how many.
    fn wake_timers(&self, now: Option<Timestamp>, limit: usize) -> Result<usize>;

    /// The earliest `due_at` of those that are not ready.
    fn next_timer(&self) -> Result<Option<Timestamp>>;

    /// At most `limit` apps with ready webhooks of this class, from the one after `start` on and
    /// around. The cost must not grow with the number of ready webhooks.
    fn ready_apps(&self, class: Class, limit: usize, start: &str) -> Result<Vec<String>>;

    /// At most `limit` ready webhooks of this class of one app, the earliest `due_at` first. Where
    /// others can hold them, they are locked, and those that others hold are passed over.
    fn ready_webhooks(&self, class: Class, app: &str, limit: usize) -> Result<Vec<i64>>;

    /// A webhook's first replay.
    fn replay(&self, webhook_no: i64) -> Result<Option<Replay>>;

    /// Adds a replay.
    fn insert_replay(&self, webhook_no: i64, cursor: Position, until: Position) -> Result<()>;

    /// Moves a replay's cursor; at its end, deletes it.
    fn save_replay(&self, webhook_no: i64, replay: Replay) -> Result<()>;

    // The log.

    /// Appends events, each but those whose idempotency key the app has used; returns the id of each,
    /// or of the event first stored under its key.
    fn append(&self, app: &AppId, events: &[PreparedEvent]) -> Result<Vec<EventId>>;

    /// The last position given: everything up to here can be read, nothing after it.
    fn head(&self) -> Result<Position>;

    /// The next log entries that were not routed, at most `limit`. Where commit order is not the
    /// order in which entries are numbered, this gives them their positions.
    fn unrouted(&self, limit: usize) -> Result<Unrouted>;

    /// Everything up to here is routed.
    fn set_routed(&self, until: Position) -> Result<()>;

    /// Up to where everything is routed.
    fn routed(&self) -> Result<Position>;

    /// The names of all types that an app has events of; one seek in an index for each.
    fn types_of(&self, app: &AppId) -> Result<Vec<String>>;

    /// At most `limit` of an app's log entries in these spans, in order of position. Spans do not
    /// overlap, unless somebody spoiled them.
    fn entries(&self, app: &AppId, spans: &[Span], limit: usize) -> Result<Vec<Entry>>;

    /// How many of an app's events in a span match, counted up to `limit`, and the first of them.
    fn count_entries(
        &self,
        app: &AppId,
        span: &Span,
        limit: u64,
    ) -> Result<(u64, Option<Position>)>;

    /// How many of these positions the log still has.
    fn count_positions(&self, positions: &Positions) -> Result<usize>;

    /// The events at these positions, as far as the log still has them.
    fn events_at(&self, positions: &Positions) -> Result<Vec<Event>>;

    /// Position and time of the first event after a position.
    fn first_event_after(&self, position: Position) -> Result<Option<(Position, Timestamp)>>;

    /// Reads an event. Its position is 0 while it has none.
    fn event(&self, id: &EventId) -> Result<Option<Event>>;

    /// An app's events with positions before one, the newest first.
    fn events(
        &self,
        app: &AppId,
        event_type: Option<&EventType>,
        before: Position,
        limit: usize,
    ) -> Result<Vec<Event>>;

    // Batches and attempts.

    /// Adds a batch; returns its number.
    fn insert_batch(&self, webhook_no: i64, batch: &Batch) -> Result<i64>;

    /// Writes what [`crate::machine::step`] may change of a batch.
    fn update_batch(&self, row: &BatchRow) -> Result<()>;

    /// Reads a batch.
    fn batch(&self, id: &BatchId) -> Result<Option<BatchRow>>;

    /// How many of a webhook's batches are leased (in their first or a later attempt), and waiting;
    /// the waiting ones are counted up to 64.
    fn in_flight(&self, webhook_no: i64) -> Result<InFlight>;

    /// At most `limit` of a webhook's batches in an unsettled status (waiting, leased, parked or
    /// exhausted), the earliest `due_at` first; with [`Ordering::Fifo`], the first positions first.
    fn unsettled(
        &self,
        webhook_no: i64,
        status: BatchStatus,
        order: Ordering,
        limit: usize,
    ) -> Result<Vec<BatchRow>>;

    /// The `due_at` of the first of them.
    fn earliest(
        &self,
        webhook_no: i64,
        status: BatchStatus,
        order: Ordering,
    ) -> Result<Option<Timestamp>>;

    /// Makes those of a webhook's waiting batches due `now` that are due after `far`.
    fn bring_near(&self, webhook_no: i64, far: Timestamp, now: Timestamp) -> Result<()>;

    /// How many of a webhook's batches are in an unsettled status.
    fn count_unsettled(&self, webhook_no: i64, status: BatchStatus) -> Result<u64>;

    /// An app's batches with numbers before one, the newest first.
    fn batches(
        &self,
        of: OfWebhook<'_>,
        status: Option<BatchStatus>,
        before: i64,
        limit: usize,
    ) -> Result<Vec<BatchRow>>;

    /// The batches of an app that hold a position.
    fn batches_holding(&self, app: &AppId, position: Position) -> Result<Vec<Batch>>;

    /// Adds an attempt.
    fn insert_attempt(&self, batch_no: i64, webhook_no: i64, attempt: &Attempt) -> Result<()>;

    /// An app's attempts (of one batch, where one is given) with numbers before one, the newest
    /// first.
    fn attempts(
        &self,
        of: OfWebhook<'_>,
        batch_no: Option<i64>,
        before: i64,
        limit: usize,
    ) -> Result<Vec<Numbered<Attempt>>>;

    // Retention.

    /// Batches of all webhooks after a number.
    fn batches_after(&self, no: i64, limit: usize) -> Result<Vec<OldBatch>>;

    /// Deletes a batch with its attempts.
    fn delete_batch(&self, no: i64) -> Result<()>;

    /// Position and time of the events of all apps after a position and up to another.
    fn events_after(
        &self,
        position: Position,
        until: Position,
        limit: usize,
    ) -> Result<Vec<(Position, Timestamp)>>;

    /// The positions from `first` to `last` that something is still owed: by a webhook's
    /// subscriptions after its cursor, by a replay of its app's events, or by a batch that waits, is
    /// leased, parked or exhausted.
    fn still_owed(&self, first: Position, last: Position) -> Result<BTreeSet<Position>>;

    /// Deletes the events from `first` to `last`, each of which is there.
    fn delete_events(&self, first: Position, last: Position) -> Result<()>;

    /// What contradicts itself in the tables, in sentences.
    fn contradictions(&self) -> Result<Vec<String>>;
}
