//! What a storage means, written once over [`Tables`]: who is owed what, which batch goes out next,
//! what follows from a result, what retention may delete. Each file is one concern.

mod api_keys;
mod apps;
mod cache;
mod carve;
mod claim;
mod exchange;
mod log;
mod operate;
mod prune;
mod records;
mod route;
mod schedule;
mod settle;
mod webhooks;

use std::path::Path;
use std::sync::{Arc, PoisonError};

use crate::error::{Error, Result};
use crate::model::{
    ApiKey, ApiKeyId, App, AppId, AppState, Attempt, Batch, BatchId, Event, EventId, EventType,
    Positions, Timestamp, Webhook, WebhookId,
};
use crate::storage::tables::{Database, Own, Tables};
use crate::storage::{
    ApiKeyFilter, AttemptFilter, BacklogRow, BatchFilter, ClaimRequest, EditKeys, EditWebhook,
    EventFilter, Exchanged, Page, PageRequest, PreparedEvent, Settlement, Storage, StorageStats,
    StoredApiKey, StoredKey, StoredWebhook, Wake, WebhookFilter,
};
use crate::sync::{Mutex, MutexGuard};
use cache::Cache;
use exchange::{Exchange, is_one_rows};
use prune::PruneCursor;

/// A storage over an engine's tables.
#[derive(Debug)]
pub struct TableStorage<D> {
    pub(super) database: Own<D>,
    cache: Arc<Cache>,
    pruned: Mutex<PruneCursor>,
}

/// Appends events to the log of an app: the one way in, for a storage and inside a host's own
/// transaction. Everything that can be refused is checked before the first insert, so that a host
/// may go on with its transaction after an error.
///
/// # Errors
/// As [`Storage::emit`].
pub fn emit(tables: &dyn Tables, app: &AppId, events: &[PreparedEvent]) -> Result<Vec<EventId>> {
    log::emit(tables, app, events)
}

/// Every state under our locks is whole between two statements, so a panic elsewhere in a holder
/// leaves nothing to fear.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<D: Database> TableStorage<D> {
    /// Puts the storage's meaning over an engine.
    pub fn over(database: D) -> Self {
        Self {
            database: Own::new(database),
            cache: Arc::default(),
            pruned: Mutex::default(),
        }
    }
}

impl<D: Database> Storage for TableStorage<D> {
    fn create_app(&self, app: App, keys: Vec<StoredKey>) -> Result<()> {
        self.database
            .write(move |tables| apps::create(tables, &app, &keys))
    }

    fn get_app(&self, id: &AppId) -> Result<Arc<App>> {
        self.database
            .read(|tables| self.cache.app(tables, tables.registry_version()?, id))
    }

    fn list_apps(&self, page: PageRequest) -> Result<Page<App>> {
        self.database.read(|tables| apps::list(tables, &page))
    }

    fn set_app_state(&self, id: &AppId, state: AppState) -> Result<App> {
        let id = id.clone();
        self.database
            .write(move |tables| apps::set_state(tables, &id, state))
    }

    fn delete_app(&self, id: &AppId) -> Result<()> {
        loop {
            let id = id.clone();
            if self
                .database
                .write(move |tables| apps::delete_slice(tables, &id))?
            {
                return Ok(());
            }
        }
    }

    fn event_types(&self) -> Result<Vec<EventType>> {
        self.database.read(|tables| tables.event_types())
    }

    fn set_event_types(&self, types: Vec<EventType>, replace: bool) -> Result<()> {
        self.database
            .write(move |tables| tables.set_event_types(&types, replace))
    }

    fn keys(&self, app: &AppId) -> Result<Vec<StoredKey>> {
        self.database.read(|tables| apps::keys(tables, app))
    }

    fn edit_keys(&self, app: &AppId, edit: EditKeys) -> Result<Vec<StoredKey>> {
        let app = app.clone();
        self.database
            .write(move |tables| apps::edit_keys(tables, &app, &edit))
    }

    fn create_api_key(&self, key: StoredApiKey) -> Result<()> {
        self.database
            .write(move |tables| api_keys::create(tables, &key))
    }

    fn get_api_key(&self, id: &ApiKeyId) -> Result<StoredApiKey> {
        self.database.read(|tables| api_keys::get(tables, id))
    }

    fn list_api_keys(&self, filter: ApiKeyFilter, page: PageRequest) -> Result<Page<ApiKey>> {
        self.database
            .read(|tables| api_keys::list(tables, &filter, &page))
    }

    fn revoke_api_key(&self, id: &ApiKeyId, now: Timestamp) -> Result<ApiKey> {
        let id = *id;
        self.database
            .write(move |tables| api_keys::revoke(tables, &id, now))
    }

    fn note_api_key_use(&self, id: &ApiKeyId, at: Timestamp) -> Result<()> {
        let id = *id;
        self.database
            .write(move |tables| tables.note_api_key_use(&id, at))
    }

    fn create_webhook(&self, webhook: StoredWebhook) -> Result<()> {
        self.database
            .write(move |tables| webhooks::create(tables, &webhook))
    }

    fn get_webhook(&self, app: &AppId, id: &WebhookId) -> Result<Arc<StoredWebhook>> {
        self.database
            .read(|tables| webhooks::get(tables, app, id).map(Arc::new))
    }

    fn list_webhooks(
        &self,
        app: &AppId,
        filter: WebhookFilter,
        page: PageRequest,
    ) -> Result<Page<Webhook>> {
        self.database
            .read(|tables| webhooks::list(tables, app, &filter, &page))
    }

    fn edit_webhook(
        &self,
        app: &AppId,
        id: &WebhookId,
        edit: EditWebhook,
    ) -> Result<StoredWebhook> {
        let (app, id) = (app.clone(), id.clone());
        self.database
            .write(move |tables| webhooks::edit(tables, &app, &id, &edit))
    }

    fn delete_webhook(&self, app: &AppId, id: &WebhookId) -> Result<()> {
        let (app, id) = (app.clone(), id.clone());
        self.database
            .write(move |tables| webhooks::delete(tables, &app, &id))
    }

    fn emit(&self, app: &AppId, events: Vec<PreparedEvent>) -> Result<Vec<EventId>> {
        self.database.emit(app, events)
    }

    fn exchange(
        &self,
        now: Timestamp,
        seed: u64,
        results: Vec<Settlement>,
        claim: Option<ClaimRequest>,
    ) -> Result<Exchanged> {
        // Before any lock of ours, as in `prune`.
        self.database.get()?;
        let results: Arc<[Settlement]> = results.into();
        // Asked once, however often the transaction is run.
        self.cache.saw(now);
        let all_timers = claim.is_some() && self.cache.clock_was_set_back();
        let run = |careful| {
            let (cache, results) = (Arc::clone(&self.cache), Arc::clone(&results));
            self.database.write(move |tables| {
                let exchange = Exchange::new(tables, &cache, now, all_timers, careful)?;
                exchange::exchange(&exchange, seed, &results, claim)
            })
        };
        let exchanged = match run(false) {
            Err(error) if is_one_rows(&error) => run(true),
            other => other,
        };
        if exchanged.is_err() {
            self.cache.forget_clock();
        }
        exchanged
    }

    fn read_events(&self, positions: &Positions) -> Result<Vec<Event>> {
        self.database.read(|tables| tables.events_at(positions))
    }

    fn is_read_only(&self) -> bool {
        self.database.is_read_only()
    }

    fn foreign_writes(&self) -> Result<i64> {
        self.database.foreign_writes()
    }

    fn on_foreign_write(&self, wake: Wake) {
        self.database.on_foreign_write(wake);
    }

    fn resend(&self, app: &AppId, batch: &BatchId, now: Timestamp) -> Result<Batch> {
        let (app, batch) = (app.clone(), *batch);
        self.database
            .write(move |tables| operate::resend(tables, &app, &batch, now))
    }

    fn cancel(&self, app: &AppId, batch: &BatchId, now: Timestamp) -> Result<Batch> {
        let (app, batch) = (app.clone(), *batch);
        self.database
            .write(move |tables| operate::cancel(tables, &app, &batch, now))
    }

    fn replay(&self, app: &AppId, webhook: &WebhookId, since: Timestamp) -> Result<u64> {
        let (app, webhook) = (app.clone(), webhook.clone());
        self.database
            .write(move |tables| operate::replay(tables, &app, &webhook, since))
    }

    fn get_event(&self, id: &EventId) -> Result<Event> {
        self.database
            .read(|tables| tables.event(id)?.ok_or(Error::EventNotFound(*id)))
    }

    fn list_events(
        &self,
        app: &AppId,
        filter: EventFilter,
        page: PageRequest,
    ) -> Result<Page<Event>> {
        self.database
            .read(|tables| records::events(tables, app, &filter, &page))
    }

    fn get_batch(&self, id: &BatchId) -> Result<Batch> {
        self.database.read(|tables| {
            let found = tables.batch(id)?.ok_or(Error::BatchNotFound(*id))?;
            Ok(found.batch)
        })
    }

    fn list_batches(
        &self,
        app: &AppId,
        filter: BatchFilter,
        page: PageRequest,
    ) -> Result<Page<Batch>> {
        self.database
            .read(|tables| records::batches(tables, app, &filter, &page))
    }

    fn list_attempts(
        &self,
        app: &AppId,
        filter: AttemptFilter,
        page: PageRequest,
    ) -> Result<Page<Attempt>> {
        self.database
            .read(|tables| records::attempts(tables, app, &filter, &page))
    }

    fn backlog(&self, app: &AppId, webhook: &WebhookId) -> Result<BacklogRow> {
        self.database
            .read(|tables| records::backlog(tables, app, webhook))
    }

    fn prune(&self, before: Timestamp, now: Timestamp, slice: usize) -> Result<bool> {
        // In a child of fork, a lock of ours may be held by a thread that is not there.
        self.database.get()?;
        let mut cursor = lock(&self.pruned);
        let from = *cursor;
        let (next, more) = self
            .database
            .write(move |tables| prune::prune(tables, before, now, slice, from))?;
        *cursor = next;
        Ok(more)
    }

    fn check(&self) -> Result<Vec<String>> {
        let mut wrong = self.database.check()?;
        wrong.extend(self.database.read(|tables| tables.contradictions())?);
        Ok(wrong)
    }

    fn stats(&self) -> Result<StorageStats> {
        self.database.stats()
    }

    fn backup(&self, to: &Path) -> Result<()> {
        self.database.backup(to)
    }

    fn awaited_by(&self, event: &Event) -> Result<Vec<WebhookId>> {
        self.database
            .read(|tables| tables.awaited_by(event, records::AWAITED_MAX))
    }

    fn batches_of(&self, event: &Event) -> Result<Vec<Batch>> {
        self.database
            .read(|tables| tables.batches_holding(&event.app_id, event.position))
    }
}
