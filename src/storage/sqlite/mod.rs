//! The SQLite storage, the default: relational tables with readable names (docs/schema.md), in
//! WAL mode with `synchronous=FULL`. `0001_init.sql` is the schema; each other file here is one
//! concern over it.

mod apps;
mod batches;
mod cache;
mod carve;
mod claim;
mod commit;
mod error;
mod load;
mod log;
mod migrate;
mod open;
mod operate;
mod ready;
mod records;
mod route;
mod rows;
mod settle;
mod state;
mod upkeep;
mod webhooks;

use std::path::Path;
use std::sync::{Arc, Mutex};

use rusqlite::Connection;

use crate::clock::Prng;
use crate::error::{Error, Result};
use crate::model::{
    App, AppId, AppState, Attempt, Batch, BatchId, Event, EventId, EventType, Notice, Positions,
    Timestamp, Webhook, WebhookId,
};
use crate::storage::{
    AttemptFilter, BacklogRow, BatchFilter, ClaimRequest, EditKeys, EditWebhook, EventFilter,
    Exchanged, Page, PageRequest, PreparedEvent, Settlement, Storage, StorageStats, StoredKey,
    StoredWebhook, WebhookFilter,
};
use cache::Cache;
use commit::{CommitQueue, lock, nested};
use error::is_one_rows;
use open::Location;
use upkeep::PruneCursor;

/// Idle read connections that are kept open.
const READERS_KEPT: usize = 4;

/// A box in an SQLite file, which may hold the host's own tables as well.
pub struct SqliteStorage {
    location: Location,
    /// `None` when the box is open for reading only.
    writer: Option<CommitQueue>,
    readers: Mutex<Vec<Connection>>,
    cache: Arc<Cache>,
    pruned: Mutex<PruneCursor>,
}

impl std::fmt::Debug for SqliteStorage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SqliteStorage")
            .field("path", &self.location.path())
            .finish_non_exhaustive()
    }
}

impl SqliteStorage {
    /// Opens a file for reading and writing; creates it (mode 0600) and its schema where they are
    /// missing, and migrates an older schema. `payload_bytes_max` is kept in the file, for plain
    /// SQL too; `None` leaves it as it is.
    ///
    /// # Errors
    /// [`crate::StorageFault::NewerSchema`] for a file of a later hookbox,
    /// [`crate::StorageFault::UnsupportedEngine`] when SQLite is older than 3.51.3 or WAL cannot be
    /// had, and other storage errors.
    pub fn open(path: &Path, payload_bytes_max: Option<usize>) -> Result<Self> {
        let location = Location::new(path)?;
        location.create()?;
        let connect_to = location.clone();
        let queue = CommitQueue::new(Box::new(move || connect_to.writer()))?;
        queue.with_writer(migrate::migrate)?;
        if let Some(bytes) = payload_bytes_max {
            let limit = i64::try_from(bytes).unwrap_or(i64::MAX);
            queue.write(move |db| {
                db.execute(
                    "UPDATE hookbox_setting SET value = ?1
                     WHERE name = 'payload_bytes_max' AND value <> ?1",
                    (limit,),
                )?;
                Ok(())
            })?;
        }
        Ok(Self::new(location, Some(queue)))
    }

    /// Opens a file for reading only: it is neither created, nor migrated, nor otherwise changed.
    ///
    /// # Errors
    /// As [`SqliteStorage::open`]; also when there is no box in the file, or an older one.
    pub fn open_read_only(path: &Path) -> Result<Self> {
        let location = Location::new(path)?;
        migrate::check(&location.reader()?)?;
        Ok(Self::new(location, None))
    }

    /// Bytes of a payload at most, as the file says.
    ///
    /// # Errors
    /// Storage errors only.
    pub fn payload_bytes_max(&self) -> Result<usize> {
        self.read(|db| {
            let sql = "SELECT value FROM hookbox_setting WHERE name = 'payload_bytes_max'";
            Ok(db.query_row(sql, (), |row| row.get(0))?)
        })
    }

    fn new(location: Location, writer: Option<CommitQueue>) -> Self {
        Self {
            location,
            writer,
            readers: Mutex::default(),
            cache: Arc::default(),
            pruned: Mutex::default(),
        }
    }

    /// Appends events inside a transaction of the host's own, on the host's own connection to the
    /// same file (through this process's one copy of SQLite): they are emitted if and only if the
    /// host commits.
    ///
    /// # Errors
    /// As [`Storage::emit`]; nothing was written then, and the transaction can go on.
    pub fn emit_in(
        transaction: &rusqlite::Transaction<'_>,
        app: &AppId,
        events: &[PreparedEvent],
    ) -> Result<Vec<EventId>> {
        nested(transaction, || log::emit(transaction, app, events))
    }

    fn write<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T> + Send + 'static,
    {
        self.writer.as_ref().ok_or(Error::ReadOnly)?.write(work)
    }

    /// Runs reads in one transaction, so that they see one moment.
    fn read<T>(&self, work: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        let idle = lock(&self.readers).pop();
        let mut connection = match idle {
            Some(connection) => connection,
            None => self.location.reader()?,
        };
        let result = connection
            .transaction()
            .map_err(Error::from)
            .and_then(|db| work(&db));
        let mut readers = lock(&self.readers);
        if readers.len() < READERS_KEPT {
            readers.push(connection);
        }
        result
    }
}

impl Storage for SqliteStorage {
    fn create_app(&self, app: App, keys: Vec<StoredKey>) -> Result<()> {
        self.write(move |db| apps::create(db, &app, &keys))
    }

    fn get_app(&self, id: &AppId) -> Result<Arc<App>> {
        self.read(|db| self.cache.app(db, id))
    }

    fn list_apps(&self, page: PageRequest) -> Result<Page<App>> {
        self.read(|db| apps::list(db, &page))
    }

    fn set_app_state(&self, id: &AppId, state: AppState) -> Result<App> {
        let id = id.clone();
        self.write(move |db| apps::set_state(db, &id, state))
    }

    fn delete_app(&self, id: &AppId) -> Result<()> {
        loop {
            let id = id.clone();
            if self.write(move |db| apps::delete_slice(db, &id))? {
                return Ok(());
            }
        }
    }

    fn event_types(&self) -> Result<Vec<EventType>> {
        self.read(apps::event_types)
    }

    fn set_event_types(&self, types: Vec<EventType>, replace: bool) -> Result<()> {
        self.write(move |db| apps::set_event_types(db, &types, replace))
    }

    fn keys(&self, app: &AppId) -> Result<Vec<StoredKey>> {
        self.read(|db| apps::keys(db, app))
    }

    fn edit_keys(&self, app: &AppId, edit: EditKeys) -> Result<Vec<StoredKey>> {
        let app = app.clone();
        self.write(move |db| apps::edit_keys(db, &app, edit))
    }

    fn create_webhook(&self, webhook: StoredWebhook) -> Result<()> {
        self.write(move |db| webhooks::create(db, &webhook))
    }

    fn get_webhook(&self, app: &AppId, id: &WebhookId) -> Result<Arc<StoredWebhook>> {
        self.read(|db| webhooks::get(db, app, id).map(Arc::new))
    }

    fn list_webhooks(
        &self,
        app: &AppId,
        filter: WebhookFilter,
        page: PageRequest,
    ) -> Result<Page<Webhook>> {
        self.read(|db| webhooks::list(db, app, &filter, &page))
    }

    fn edit_webhook(
        &self,
        app: &AppId,
        id: &WebhookId,
        edit: EditWebhook,
    ) -> Result<StoredWebhook> {
        let (app, id) = (app.clone(), id.clone());
        self.write(move |db| webhooks::edit(db, &app, &id, edit))
    }

    fn delete_webhook(&self, app: &AppId, id: &WebhookId) -> Result<()> {
        let (app, id) = (app.clone(), id.clone());
        self.write(move |db| webhooks::delete(db, &app, &id))
    }

    fn emit(&self, app: &AppId, events: Vec<PreparedEvent>) -> Result<Vec<EventId>> {
        let app = app.clone();
        self.write(move |db| log::emit(db, &app, &events))
    }

    fn exchange(
        &self,
        now: Timestamp,
        seed: u64,
        results: Vec<Settlement>,
        claim: Option<ClaimRequest>,
    ) -> Result<Exchanged> {
        let cache = Arc::clone(&self.cache);
        let exchanged = self.write(move |db| exchange(db, &cache, now, seed, &results, claim));
        if exchanged.is_err() {
            self.cache.forget_clock();
        }
        exchanged
    }

    fn read_events(&self, positions: &Positions) -> Result<Vec<Event>> {
        self.read(|db| log::read(db, positions))
    }

    fn is_read_only(&self) -> bool {
        self.writer.is_none()
    }

    fn foreign_writes(&self) -> Result<i64> {
        let version = |db: &Connection| {
            Ok(db
                .prepare_cached("PRAGMA data_version")?
                .query_row((), |row| row.get(0))?)
        };
        match &self.writer {
            // Changes by anybody but the writer itself.
            Some(queue) => queue.with_writer(version),
            None => self.read(version),
        }
    }

    fn resend(&self, app: &AppId, batch: &BatchId, now: Timestamp) -> Result<Batch> {
        let (app, batch) = (app.clone(), *batch);
        self.write(move |db| operate::resend(db, &app, &batch, now))
    }

    fn cancel(&self, app: &AppId, batch: &BatchId, now: Timestamp) -> Result<Batch> {
        let (app, batch) = (app.clone(), *batch);
        self.write(move |db| operate::cancel(db, &app, &batch, now))
    }

    fn replay(&self, app: &AppId, webhook: &WebhookId, since: Timestamp) -> Result<u64> {
        let (app, webhook) = (app.clone(), webhook.clone());
        self.write(move |db| operate::replay(db, &app, &webhook, since))
    }

    fn get_event(&self, id: &EventId) -> Result<Event> {
        self.read(|db| records::event(db, id))
    }

    fn list_events(
        &self,
        app: &AppId,
        filter: EventFilter,
        page: PageRequest,
    ) -> Result<Page<Event>> {
        self.read(|db| records::events(db, app, &filter, &page))
    }

    fn get_batch(&self, id: &BatchId) -> Result<Batch> {
        self.read(|db| {
            batches::find(db, id)?
                .map(|(_, _, batch)| batch)
                .ok_or(Error::BatchNotFound(*id))
        })
    }

    fn list_batches(
        &self,
        app: &AppId,
        filter: BatchFilter,
        page: PageRequest,
    ) -> Result<Page<Batch>> {
        self.read(|db| records::list_batches(db, app, &filter, &page))
    }

    fn list_attempts(
        &self,
        app: &AppId,
        filter: AttemptFilter,
        page: PageRequest,
    ) -> Result<Page<Attempt>> {
        self.read(|db| records::list_attempts(db, app, &filter, &page))
    }

    fn backlog(&self, app: &AppId, webhook: &WebhookId) -> Result<BacklogRow> {
        self.read(|db| records::backlog(db, app, webhook))
    }

    fn prune(&self, before: Timestamp, now: Timestamp, slice: usize) -> Result<bool> {
        let mut cursor = lock(&self.pruned);
        let from = *cursor;
        let (next, more) = self.write(move |db| upkeep::prune(db, before, now, slice, from))?;
        *cursor = next;
        Ok(more)
    }

    fn check(&self) -> Result<Vec<String>> {
        self.read(upkeep::check)
    }

    fn stats(&self) -> Result<StorageStats> {
        self.read(|db| upkeep::stats(db, self.location.path()))
    }

    fn backup(&self, to: &Path) -> Result<()> {
        // Made here, so that it is as private as the box from its first byte on.
        if !Location::new(to)?.create()? {
            return Err(Error::invalid("to", "must not exist yet"));
        }
        let reader = self.location.reader()?;
        reader.execute_batch("PRAGMA query_only = OFF;")?;
        upkeep::backup(&reader, to).inspect_err(|_| {
            // An empty file would only be in the way of the next try.
            let _ = std::fs::remove_file(to);
        })
    }

    fn awaited_by(&self, event: &Event) -> Result<Vec<WebhookId>> {
        self.read(|db| records::awaited_by(db, event))
    }

    fn batches_of(&self, event: &Event) -> Result<Vec<Batch>> {
        self.read(|db| records::batches_of(db, event))
    }
}

fn exchange(
    db: &Connection,
    cache: &Cache,
    now: Timestamp,
    seed: u64,
    results: &[Settlement],
    claim: Option<ClaimRequest>,
) -> Result<Exchanged> {
    let mut exchanged = Exchanged::default();
    let mut random = Prng::new(seed);
    for settlement in results {
        let mut notices = Vec::new();
        let settled = nested(db, || {
            settle::settle(db, cache, now, settlement, &mut random, &mut notices)
        });
        match settled {
            Ok(kept) => {
                exchanged.notices.append(&mut notices);
                if !kept {
                    exchanged.lost.push(settlement.batch_id);
                }
            }
            // What somebody spoiled must not hold up the others.
            Err(error) if is_one_rows(&error) => {
                exchanged.lost.push(settlement.batch_id);
                exchanged.notices.push(Notice::BadRow {
                    message: error.to_string(),
                });
            }
            Err(error) => return Err(error),
        }
    }
    if let Some(request) = claim {
        let unrouted = route::route(db, now)?;
        let more = claim::claim(db, cache, now, request, &mut random, &mut exchanged)?;
        exchanged.more = more || unrouted;
    }
    Ok(exchanged)
}
