//! The key-value storage: the same meaning over any ordered, transactional key-value store.
//!
//! A store is seven operations: one of [`KeyValue`], six of [`Transaction`]. There are two stores:
//! [`MemoryStore`], and with the feature `redb` a file (`KvStorage::open_redb`). Everything else is
//! done here: rows, indexes, savepoints, the group commit. `keys.rs` documents the layout.
//!
//! # In memory
//!
//! **Events in memory are lost when the process ends**, delivered or not: for tests, and for events
//! that may be lost.
//!
//! ```
//! use std::sync::Arc;
//! use hookbox::storage::kv::KvStorage;
//!
//! # fn main() -> hookbox::Result<()> {
//! let storage = Arc::new(KvStorage::in_memory()?);
//! let hooks = hookbox::Options::new().open_storage(storage)?;
//! hooks.create_app("54e9ujn")?;
//! let id = hooks.emit("54e9ujn", "user.created", r#"{"user_id":"usr_1"}"#)?;
//! assert_eq!(hooks.event(&id)?.id, id);
//! # Ok(())
//! # }
//! ```

mod api_keys;
mod apps;
mod batches;
mod check;
mod codec;
mod entries;
mod keys;
mod log;
mod memory;
#[cfg(feature = "redb")]
mod redb;
mod retention;
mod rows;
mod session;
mod state;
mod store;
mod tables;
mod webhooks;

use std::path::Path;
use std::sync::Arc;

use crate::error::{Error, Result, StorageFault};
use crate::model::{EventType, PRELUDE_EVENT_TYPES};
use crate::storage::StorageStats;
use crate::storage::commit::{CommitQueue, Writer};
use crate::storage::tables::{Database, TableStorage, Tables};
use keys::{LAYOUT, everything};
use session::KvTables;

#[cfg(feature = "redb")]
pub use self::redb::RedbStore;
pub use memory::MemoryStore;
pub use store::{KEY_BYTES_MAX, KeyValue, Transaction, Visit};

/// A box in a key-value store.
pub type KvStorage = TableStorage<Kv>;

/// The engine under [`KvStorage`].
pub struct Kv {
    store: Arc<dyn KeyValue>,
    /// `None` when the box is open for reading only.
    queue: Option<CommitQueue<StoreWriter>>,
}

impl std::fmt::Debug for Kv {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Kv")
            .field("store", &self.store)
            .finish_non_exhaustive()
    }
}

impl TableStorage<Kv> {
    /// Opens a box in a store; makes one where the store is empty.
    ///
    /// # Errors
    /// [`StorageFault::NewerSchema`] for a store of a later hookbox, [`StorageFault::Corrupt`] for
    /// one that holds something else, and other storage errors.
    pub fn open(store: Arc<dyn KeyValue>) -> Result<Self> {
        if !has_box(&*store)? {
            init(&*store)?;
        }
        let connect_to = Arc::clone(&store);
        let queue = CommitQueue::new(Box::new(move || Ok(StoreWriter(Arc::clone(&connect_to)))))?;
        Ok(Self::over(Kv {
            store,
            queue: Some(queue),
        }))
    }

    /// Opens a box for reading only: nothing is created or changed.
    ///
    /// # Errors
    /// As [`KvStorage::open`]; also when the store is empty.
    pub fn open_read_only(store: Arc<dyn KeyValue>) -> Result<Self> {
        if has_box(&*store)? {
            Ok(Self::over(Kv { store, queue: None }))
        } else {
            Err(not_a_box())
        }
    }

    /// A new box in memory. **Its events are lost when the process ends**, delivered or not.
    ///
    /// # Errors
    /// [`Error::Internal`] when the system gives no entropy.
    pub fn in_memory() -> Result<Self> {
        Self::open(Arc::new(MemoryStore::new()))
    }

    /// Opens a box in a redb file, which is created (mode 0600) where it is missing. One process
    /// at a time can have it open.
    ///
    /// # Errors
    /// [`StorageFault::Busy`] while another process has it open; else as [`KvStorage::open`].
    #[cfg(feature = "redb")]
    pub fn open_redb(path: &Path) -> Result<Self> {
        Self::open(Arc::new(RedbStore::open(path)?))
    }

    /// Opens a box in a redb file for reading only. Several processes can, but not beside one that
    /// has it open for writing.
    ///
    /// # Errors
    /// As [`KvStorage::open_redb`]; also when there is no box in the file, or it was not closed
    /// properly: opening it once for writing repairs it.
    #[cfg(feature = "redb")]
    pub fn open_redb_read_only(path: &Path) -> Result<Self> {
        Self::open_read_only(Arc::new(RedbStore::open_read_only(path)?))
    }
}

fn not_a_box() -> Error {
    Error::storage(StorageFault::Corrupt, "this store is no hookbox")
}

/// Whether a store holds a box of this layout; false when it is empty.
fn has_box(store: &dyn KeyValue) -> Result<bool> {
    let tables = KvTables::new(store.begin(false)?);
    match tables.setting("layout")? {
        LAYOUT => Ok(true),
        0 if tables.first(&everything())?.is_none() => Ok(false),
        later if later > LAYOUT => Err(Error::storage(
            StorageFault::NewerSchema,
            format!(
                "the layout has version {later}, this hookbox knows {LAYOUT}: upgrade this program"
            ),
        )),
        _ => Err(not_a_box()),
    }
}

fn init(store: &dyn KeyValue) -> Result<()> {
    let tables = KvTables::new(store.begin(true)?);
    tables.set("layout", LAYOUT)?;
    let types: Vec<EventType> = PRELUDE_EVENT_TYPES
        .into_iter()
        .map(EventType::parse)
        .collect::<Result<_>>()?;
    tables.set_event_types(&types, true)?;
    tables.into_inner().commit()
}

/// Writing: how a store runs a transaction of the commit queue. A store that lost its footing finds
/// it again by itself, in [`KeyValue::begin`].
struct StoreWriter(Arc<dyn KeyValue>);

impl Writer for StoreWriter {
    type Inside<'a> = KvTables<'a>;

    fn transaction(&self, all: &mut dyn FnMut(&KvTables<'_>) -> Result<bool>) -> Result<()> {
        let tables = KvTables::new(self.0.begin(true)?);
        let keep = all(&tables);
        let transaction = tables.into_inner();
        if let Ok(true) = keep {
            return transaction.commit();
        }
        transaction.rollback();
        keep.map(drop)
    }

    fn part(inside: &KvTables<'_>, part: &mut dyn FnMut() -> bool) -> Result<()> {
        inside.part(part)
    }
}

impl Database for Kv {
    fn write<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: Fn(&dyn Tables) -> Result<T> + Send + 'static,
    {
        let queue = self.queue.as_ref().ok_or(Error::ReadOnly)?;
        queue.write(move |tables: &KvTables<'_>| work(tables))
    }

    fn read<T>(&self, work: impl Fn(&dyn Tables) -> Result<T>) -> Result<T> {
        let tables = KvTables::new(self.store.begin(false)?);
        let result = work(&tables);
        tables.into_inner().rollback();
        result
    }

    fn is_read_only(&self) -> bool {
        self.queue.is_none()
    }

    /// The store is this box's alone.
    fn foreign_writes(&self) -> Result<i64> {
        Ok(0)
    }

    fn check(&self) -> Result<Vec<String>> {
        check::check(&KvTables::new(self.store.begin(false)?))
    }

    fn stats(&self) -> Result<StorageStats> {
        let last_position = self.read(|tables| tables.head())?;
        Ok(StorageStats {
            last_position,
            bytes: self.store.bytes()?,
            wal_bytes: 0,
        })
    }

    fn backup(&self, to: &Path) -> Result<()> {
        self.store.backup(to)
    }
}
