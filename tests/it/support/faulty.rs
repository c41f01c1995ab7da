//! A storage that fails on demand.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use hookbox::model::*;
use hookbox::storage::sqlite::SqliteStorage;
use hookbox::storage::*;
use hookbox::{Error, Result, StorageFault};

/// Passes every call on. So many of the next exchanges fail, before or after they were applied.
#[derive(Debug)]
pub struct FaultyStorage {
    inner: SqliteStorage,
    pub fail_before: AtomicUsize,
    pub fail_after: AtomicUsize,
    /// Exchanges asked for.
    pub exchanges: AtomicUsize,
}

impl FaultyStorage {
    pub fn open(path: &Path) -> Arc<Self> {
        Arc::new(Self {
            inner: SqliteStorage::open(path, None).unwrap(),
            fail_before: 0.into(),
            fail_after: 0.into(),
            exchanges: 0.into(),
        })
    }

    /// Takes one from a counter; whether there was one.
    fn take(counter: &AtomicUsize) -> bool {
        counter
            .fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1))
            .is_ok()
    }
}

fn fault(fault: StorageFault) -> Error {
    Error::Storage {
        fault,
        message: "on demand".into(),
    }
}

macro_rules! pass_on {
    ($(fn $name:ident($($arg:ident: $type:ty),*) -> $result:ty;)*) => {
        $(fn $name(&self, $($arg: $type),*) -> $result { self.inner.$name($($arg),*) })*
    };
}

impl Storage for FaultyStorage {
    fn exchange(
        &self,
        now: Timestamp,
        seed: u64,
        results: Vec<Settlement>,
        claim: Option<ClaimRequest>,
    ) -> Result<Exchanged> {
        self.exchanges.fetch_add(1, SeqCst);
        if Self::take(&self.fail_before) {
            return Err(fault(StorageFault::Full));
        }
        let exchanged = self.inner.exchange(now, seed, results, claim)?;
        if Self::take(&self.fail_after) {
            return Err(fault(StorageFault::CommitUnknown));
        }
        Ok(exchanged)
    }

    pass_on! {
        fn create_app(app: App, keys: Vec<StoredKey>) -> Result<()>;
        fn get_app(id: &AppId) -> Result<Arc<App>>;
        fn list_apps(page: PageRequest) -> Result<Page<App>>;
        fn set_app_state(id: &AppId, state: AppState) -> Result<App>;
        fn delete_app(id: &AppId) -> Result<()>;
        fn event_types() -> Result<Vec<EventType>>;
        fn set_event_types(types: Vec<EventType>, replace: bool) -> Result<()>;
        fn keys(app: &AppId) -> Result<Vec<StoredKey>>;
        fn edit_keys(app: &AppId, edit: EditKeys) -> Result<Vec<StoredKey>>;
        fn create_webhook(webhook: StoredWebhook) -> Result<()>;
        fn get_webhook(app: &AppId, id: &WebhookId) -> Result<Arc<StoredWebhook>>;
        fn list_webhooks(app: &AppId, filter: WebhookFilter, page: PageRequest) -> Result<Page<Webhook>>;
        fn edit_webhook(app: &AppId, id: &WebhookId, edit: EditWebhook) -> Result<StoredWebhook>;
        fn delete_webhook(app: &AppId, id: &WebhookId) -> Result<()>;
        fn emit(app: &AppId, events: Vec<PreparedEvent>) -> Result<Vec<EventId>>;
        fn read_events(positions: &Positions) -> Result<Vec<Event>>;
        fn foreign_writes() -> Result<i64>;
        fn resend(app: &AppId, batch: &BatchId, now: Timestamp) -> Result<Batch>;
        fn cancel(app: &AppId, batch: &BatchId, now: Timestamp) -> Result<Batch>;
        fn replay(app: &AppId, webhook: &WebhookId, since: Timestamp) -> Result<u64>;
        fn get_event(id: &EventId) -> Result<Event>;
        fn list_events(app: &AppId, filter: EventFilter, page: PageRequest) -> Result<Page<Event>>;
        fn get_batch(id: &BatchId) -> Result<Batch>;
        fn list_batches(app: &AppId, filter: BatchFilter, page: PageRequest) -> Result<Page<Batch>>;
        fn list_attempts(app: &AppId, filter: AttemptFilter, page: PageRequest) -> Result<Page<Attempt>>;
        fn backlog(app: &AppId, webhook: &WebhookId) -> Result<BacklogRow>;
        fn prune(before: Timestamp, now: Timestamp, slice: usize) -> Result<bool>;
        fn check() -> Result<Vec<String>>;
        fn stats() -> Result<StorageStats>;
        fn awaited_by(event: &Event) -> Result<Vec<WebhookId>>;
        fn batches_of(event: &Event) -> Result<Vec<Batch>>;
    }
}
