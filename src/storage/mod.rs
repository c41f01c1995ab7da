//! The storage: what hookbox needs kept, as a trait of meaning.
//!
//! Each method is one atomic, durable change (or one consistent read). When it returns `Ok` the
//! change survives power loss; when it returns an error nothing was changed, except for
//! [`StorageFault::CommitUnknown`](crate::StorageFault), where it is unknown. Times and random
//! values come in as arguments. The decisions are not the storage's own: it calls the pure rules
//! of [`crate::machine`] inside its transactions, so that all storages mean the same. Whoever writes
//! one runs `storage::conformance` over it (feature `testing`): each promise made here is checked there.
//!
//! Positions are given in commit order. (An engine where commit order is not sequence order gives
//! them later, when it routes.) A subscription holds between two positions: the webhook is owed
//! exactly the events of its app, type and environment that lie between them.

mod commit;
#[cfg(feature = "testing")]
pub mod conformance;
#[cfg(any(feature = "sqlite", feature = "redb"))]
mod file;
pub mod kv;
mod outbox;
#[cfg(feature = "postgres")]
pub mod postgres;
mod rows;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod sql_rows;
#[cfg(feature = "sqlite")]
pub mod sqlite;
pub mod tables;

use std::fmt::Debug;
use std::path::Path;
use std::sync::Arc;

pub use rows::{
    ApiKeyFilter, AttemptFilter, BacklogRow, BatchCounts, BatchFilter, EventFilter, Page,
    PageRequest, StorageStats, StoredApiKey, WebhookFilter,
};

use crate::error::Result;
use crate::machine::{Outcome, lease_span};
use crate::model::{
    ApiKey, ApiKeyId, App, AppId, AppState, Attempt, Batch, BatchId, Class, DeliveryPolicy, Event,
    EventId, EventType, KeyId, NewEvent, Notice, OfClass, Positions, SigningKey, Timestamp,
    Webhook, WebhookId,
};

/// A signing key with its private part as the keyring sealed it.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredKey {
    /// The key.
    pub key: SigningKey,
    /// The sealed private part; empty when it is not in the box.
    pub sealed: Vec<u8>,
}

/// A webhook with its secrets as the registry sealed them.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredWebhook {
    /// The webhook.
    pub webhook: Webhook,
    /// The sealed [`crate::model::WebhookSecrets`].
    pub sealed: Vec<u8>,
}

impl Debug for StoredKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StoredKey")
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}

impl Debug for StoredWebhook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StoredWebhook")
            .field("webhook", &self.webhook)
            .finish_non_exhaustive()
    }
}

/// An event ready to be stored: checked for form, with an id and a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PreparedEvent {
    /// Its id, unless its idempotency key is known already.
    pub id: EventId,
    /// When it was emitted.
    pub created_at: Timestamp,
    /// What was emitted.
    pub event: NewEvent,
}

/// What a sender asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClaimRequest {
    /// At most this many batches in all.
    pub batches_max: usize,
    /// At most so many of them for webhooks of each class: each has senders of its own.
    pub class_max: OfClass<usize>,
}

impl ClaimRequest {
    /// So many batches, for webhooks of whatever class.
    #[must_use]
    pub const fn any(batches_max: usize) -> Self {
        Self {
            batches_max,
            class_max: [batches_max; Class::COUNT],
        }
    }
}

/// A batch leased to the caller, with everything needed to send it.
#[derive(Debug, Clone)]
pub struct Claimed {
    /// The batch; its `fence` must come back with the result, its `due_at` is the lease's end.
    pub batch: Batch,
    /// Its app.
    pub app: Arc<App>,
    /// Its webhook and sealed secrets.
    pub webhook: Arc<StoredWebhook>,
    /// The app's policy under the webhook's overrides.
    pub policy: Arc<DeliveryPolicy>,
    /// The class of its webhook, for [`ClaimRequest::class_max`].
    pub class: Class,
}

impl Claimed {
    /// Whether the lease outlasts an attempt begun at `now`. One that it does not is not begun: its
    /// result would come when somebody else may have begun too.
    #[must_use]
    pub fn outlasts_attempt(&self, now: Timestamp) -> bool {
        let until = now.plus(self.policy.timeout);
        // One that lasts longer than any was given before the clock was set back. To everybody
        // else it ends by the clock as it is now.
        let longest = now.plus(lease_span(&self.policy));
        self.batch
            .due_at
            .is_some_and(|lease_end| until < lease_end && lease_end <= longest)
    }
}

/// What came of a claimed batch.
#[derive(Debug, Clone)]
pub struct Settlement {
    /// The batch.
    pub batch_id: BatchId,
    /// The fence of the claim.
    pub fence: u64,
    /// The attempt, for the record, and the judgement on it; `None` gives the batch back unsent.
    pub attempt: Option<(Attempt, Outcome)>,
}

/// What an exchange brought.
#[derive(Debug, Default)]
pub struct Exchanged {
    /// Batches whose result was refused, because their lease was no longer held.
    pub lost: Vec<BatchId>,
    /// Batches now leased to the caller.
    pub claimed: Vec<Claimed>,
    /// What operators may want to hear, now that it is stored.
    pub notices: Vec<Notice>,
    /// When something is due next, if the caller asked for batches and got all that is due.
    pub next_due: Option<Timestamp>,
    /// Whether the storage has more to do at once than it does in one transaction: ask again. (What
    /// is due beyond the numbers asked for is not counted: ask again when a result comes in.)
    pub more: bool,
}

/// How a webhook is to be changed: called inside the transaction, and again when an engine has to
/// repeat it.
pub type EditWebhook = Box<dyn Fn(&mut StoredWebhook) -> Result<()> + Send>;

/// What a storage calls when there may be work.
pub type Wake = Box<dyn Fn() + Send + Sync>;

/// How an app's keys are to be changed: called inside the transaction with all of them, and again
/// when an engine has to repeat it.
pub type EditKeys = Box<dyn Fn(&mut Vec<StoredKey>) -> Result<()> + Send>;

/// A storage. Made for one box; shared by all its threads; other processes may share the data.
pub trait Storage: Debug + Send + Sync {
    /// Creates an app with its first keys.
    ///
    /// # Errors
    /// [`crate::Error::AppExists`].
    fn create_app(&self, app: App, keys: Vec<StoredKey>) -> Result<()>;

    /// Reads an app.
    ///
    /// # Errors
    /// [`crate::Error::AppNotFound`].
    fn get_app(&self, id: &AppId) -> Result<Arc<App>>;

    /// Lists apps in order of id.
    ///
    /// # Errors
    /// Storage errors only.
    fn list_apps(&self, page: PageRequest) -> Result<Page<App>>;

    /// Enables or disables an app. While disabled it takes no events and no changes to its webhooks,
    /// and its deliveries wait; an operator can still look, resend, cancel, replay and rotate keys.
    ///
    /// # Errors
    /// [`crate::Error::AppNotFound`].
    fn set_app_state(&self, id: &AppId, state: AppState) -> Result<App>;

    /// Deletes an app with its keys, the API keys for it, its webhooks, events, batches and attempts. In slices: if it is
    /// interrupted the app is left disabled, and deleting it again goes on.
    ///
    /// # Errors
    /// [`crate::Error::AppNotFound`].
    fn delete_app(&self, id: &AppId) -> Result<()>;

    /// The catalogue of event types, in order of name.
    ///
    /// # Errors
    /// Storage errors only.
    fn event_types(&self) -> Result<Vec<EventType>>;

    /// Adds to the catalogue; with `replace`, removes every other name. Events already emitted and
    /// subscriptions stay.
    ///
    /// # Errors
    /// Storage errors only.
    fn set_event_types(&self, types: Vec<EventType>, replace: bool) -> Result<()>;

    /// Reads an app's keys, oldest first.
    ///
    /// # Errors
    /// [`crate::Error::AppNotFound`].
    fn keys(&self, app: &AppId) -> Result<Vec<StoredKey>>;

    /// Changes an app's keys.
    ///
    /// # Errors
    /// [`crate::Error::AppNotFound`], and what `edit` returns.
    fn edit_keys(&self, app: &AppId, edit: EditKeys) -> Result<Vec<StoredKey>>;

    /// Adds an API key.
    ///
    /// # Errors
    /// [`crate::Error::AppNotFound`] where the app that it is for is not there.
    fn create_api_key(&self, key: StoredApiKey) -> Result<()>;

    /// Reads an API key as it is now, whoever changed it last: by its id, the cost of one look-up.
    ///
    /// # Errors
    /// [`crate::Error::ApiKeyNotFound`].
    fn get_api_key(&self, id: &ApiKeyId) -> Result<StoredApiKey>;

    /// Lists API keys in order of id, revoked and expired ones too.
    ///
    /// # Errors
    /// Storage errors only.
    fn list_api_keys(&self, filter: ApiKeyFilter, page: PageRequest) -> Result<Page<ApiKey>>;

    /// Revokes an API key. One that is revoked keeps the time it has.
    ///
    /// # Errors
    /// [`crate::Error::ApiKeyNotFound`].
    fn revoke_api_key(&self, id: &ApiKeyId, now: Timestamp) -> Result<ApiKey>;

    /// Notes that an API key was used at a time, unless a later one is noted. A key that is gone is
    /// passed over.
    ///
    /// # Errors
    /// Storage errors only.
    fn note_api_key_use(&self, id: &ApiKeyId, at: Timestamp) -> Result<()>;

    /// Registers a webhook. If it is active at once, it is owed what is emitted from now on.
    ///
    /// # Errors
    /// [`crate::Error::AppNotFound`], [`crate::Error::SessionDisabled`],
    /// [`crate::Error::InvalidWebhookEvent`] for a type outside the catalogue.
    fn create_webhook(&self, webhook: StoredWebhook) -> Result<()>;

    /// Reads a webhook of an app.
    ///
    /// # Errors
    /// [`crate::Error::AppNotFound`], [`crate::Error::WebhookNotFound`].
    fn get_webhook(&self, app: &AppId, id: &WebhookId) -> Result<Arc<StoredWebhook>>;

    /// Lists an app's webhooks in order of registration.
    ///
    /// # Errors
    /// [`crate::Error::AppNotFound`].
    fn list_webhooks(
        &self,
        app: &AppId,
        filter: WebhookFilter,
        page: PageRequest,
    ) -> Result<Page<Webhook>>;

    /// Changes a webhook, and keeps its subscriptions and batches in step: from this position on it
    /// is owed what the changed webhook is subscribed to; what it was owed before stays owed; its
    /// waiting batches are parked when it becomes inactive, and resumed when active. An edit that
    /// changes nothing but the sealing of the secrets is allowed for a disabled app too.
    ///
    /// # Errors
    /// As [`Storage::create_webhook`], [`crate::Error::WebhookNotFound`], and what `edit` returns.
    fn edit_webhook(&self, app: &AppId, id: &WebhookId, edit: EditWebhook)
    -> Result<StoredWebhook>;

    /// Deletes a webhook with its batches and attempts. A result that is still out is refused.
    ///
    /// # Errors
    /// [`crate::Error::AppNotFound`], [`crate::Error::SessionDisabled`],
    /// [`crate::Error::WebhookNotFound`].
    fn delete_webhook(&self, app: &AppId, id: &WebhookId) -> Result<()>;

    /// Appends events to the log, all or none, and returns the id of each: its own, or that of the
    /// event stored earlier under the same idempotency key.
    ///
    /// # Errors
    /// [`crate::Error::AppNotFound`], [`crate::Error::SessionDisabled`],
    /// [`crate::Error::InvalidWebhookEvent`].
    fn emit(&self, app: &AppId, events: Vec<PreparedEvent>) -> Result<Vec<EventId>>;

    /// Stores results and claims batches, in one commit. Results come first. A result whose lease
    /// is no longer held is refused and listed, and does not disturb the others. `seed` is a random
    /// number: it decides the ids of new batches, and jitter.
    ///
    /// # Errors
    /// Storage errors only: then no result was stored and nothing was claimed.
    fn exchange(
        &self,
        now: Timestamp,
        seed: u64,
        results: Vec<Settlement>,
        claim: Option<ClaimRequest>,
    ) -> Result<Exchanged>;

    /// Reads the events at these positions, in order. Fewer come back if some are gone.
    ///
    /// # Errors
    /// Storage errors only.
    fn read_events(&self, positions: &Positions) -> Result<Vec<Event>>;

    /// Whether the storage refuses writes: it was opened for reading only.
    fn is_read_only(&self) -> bool {
        false
    }

    /// A number that changes whenever somebody else (the host's own connection, another process)
    /// may have written to the storage.
    ///
    /// # Errors
    /// Storage errors only.
    fn foreign_writes(&self) -> Result<i64>;

    /// Calls back when somebody else has written: for storages that are told, so that an engine need
    /// not wait until it looks at [`Storage::foreign_writes`] again. Replaces an earlier callback,
    /// which is cheap, and may be called from any thread, also in vain.
    fn on_foreign_write(&self, _wake: Wake) {}

    /// Sends an ended batch again, with a new budget.
    ///
    /// # Errors
    /// [`crate::Error::BatchNotFound`], [`crate::Error::BatchConflict`].
    fn resend(&self, app: &AppId, batch: &BatchId, now: Timestamp) -> Result<Batch>;

    /// Cancels a batch that has not ended.
    ///
    /// # Errors
    /// [`crate::Error::BatchNotFound`], [`crate::Error::BatchConflict`].
    fn cancel(&self, app: &AppId, batch: &BatchId, now: Timestamp) -> Result<Batch>;

    /// Owes a webhook once more the events emitted from `since` on, of the types and environment it
    /// is subscribed to now, as new batches. Returns how many log positions will be looked at.
    ///
    /// # Errors
    /// [`crate::Error::WebhookNotFound`].
    fn replay(&self, app: &AppId, webhook: &WebhookId, since: Timestamp) -> Result<u64>;

    /// Reads an event.
    ///
    /// # Errors
    /// [`crate::Error::EventNotFound`].
    fn get_event(&self, id: &EventId) -> Result<Event>;

    /// Lists an app's events, newest first.
    ///
    /// # Errors
    /// [`crate::Error::AppNotFound`].
    fn list_events(
        &self,
        app: &AppId,
        filter: EventFilter,
        page: PageRequest,
    ) -> Result<Page<Event>>;

    /// Reads a batch.
    ///
    /// # Errors
    /// [`crate::Error::BatchNotFound`].
    fn get_batch(&self, id: &BatchId) -> Result<Batch>;

    /// Lists an app's batches, newest first.
    ///
    /// # Errors
    /// [`crate::Error::AppNotFound`], [`crate::Error::WebhookNotFound`].
    fn list_batches(
        &self,
        app: &AppId,
        filter: BatchFilter,
        page: PageRequest,
    ) -> Result<Page<Batch>>;

    /// Lists an app's attempts, newest first.
    ///
    /// # Errors
    /// [`crate::Error::AppNotFound`], [`crate::Error::WebhookNotFound`].
    fn list_attempts(
        &self,
        app: &AppId,
        filter: AttemptFilter,
        page: PageRequest,
    ) -> Result<Page<Attempt>>;

    /// Where a webhook stands: its health, and what waits for it.
    ///
    /// # Errors
    /// [`crate::Error::WebhookNotFound`].
    fn backlog(&self, app: &AppId, webhook: &WebhookId) -> Result<BacklogRow>;

    /// Deletes at most about `slice` ended batches and events older than `before`, never something
    /// still owed, and expired keys. Returns whether there is more to delete.
    ///
    /// # Errors
    /// Storage errors only.
    fn prune(&self, before: Timestamp, now: Timestamp, slice: usize) -> Result<bool>;

    /// Checks the storage's integrity; returns what is wrong, in sentences.
    ///
    /// # Errors
    /// Storage errors only.
    fn check(&self) -> Result<Vec<String>>;

    /// Sizes, for operators.
    ///
    /// # Errors
    /// Storage errors only.
    fn stats(&self) -> Result<StorageStats>;

    /// Writes a compact copy of the whole storage to a new file, as of one moment, while it is in
    /// use.
    ///
    /// # Errors
    /// [`crate::Error::Unsupported`] for storages that cannot; [`crate::Error::InvalidRequest`] when
    /// the file exists.
    fn backup(&self, to: &Path) -> Result<()> {
        let message = format!("this storage has no copy to give to {}", to.display());
        Err(crate::Error::Unsupported(message))
    }

    /// Which of an app's batches hold an event.
    ///
    /// # Errors
    /// Storage errors only.
    fn batches_of(&self, event: &Event) -> Result<Vec<Batch>>;

    /// The webhooks that are owed an event and have it in no batch yet.
    ///
    /// # Errors
    /// Storage errors only.
    fn awaited_by(&self, event: &Event) -> Result<Vec<WebhookId>>;

    /// The private part of a key, as sealed.
    ///
    /// # Errors
    /// [`crate::Error::AppNotFound`], [`crate::Error::KeyNotFound`].
    fn sealed_key(&self, app: &AppId, kid: &KeyId) -> Result<Vec<u8>> {
        self.keys(app)?
            .into_iter()
            .find(|stored| stored.key.kid == *kid)
            .map(|stored| stored.sealed)
            .ok_or_else(|| crate::Error::KeyNotFound(kid.to_string()))
    }
}
