//! A store in a redb file.

use std::fmt::Display;
use std::io;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{PoisonError, RwLock};

use redb::{
    Builder, CommitError, Database, DatabaseError, ReadOnlyDatabase, ReadOnlyTable,
    ReadableDatabase, ReadableTable, StorageError, Table, TableDefinition, TableError,
    TransactionError, WriteTransaction,
};
use self_cell::self_cell;

use crate::clock::{Random, SystemRandom};
use crate::error::{Error, Result, StorageFault};
use crate::storage::file;

use super::keys::everything;
use super::store::{KeyValue, Transaction, Visit};

/// The one table: all keys of [`super::keys`].
const TABLE: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("hookbox");

/// Memory for pages that were read or not yet written.
const CACHE_BYTES: usize = 64 * 1024 * 1024;

/// A store in a [redb](https://docs.rs/redb) file. Each commit is synced before it returns.
///
/// The file can be open in one process at a time; the system's lock on it keeps others out. After
/// a crash, the next open reads the whole file once, to check it.
#[derive(Debug)]
pub struct RedbStore {
    path: PathBuf,
    read_only: bool,
    create: Create,
    /// `None` after it failed and could not be opened again.
    opened: RwLock<Option<Opened>>,
    /// Whether what is opened met an I/O error: it then refuses all that it does not remember, also once the
    /// disk is well, until it is opened anew.
    failed: AtomicBool,
}

/// How redb opens a file, or makes a database of an empty one.
type Create = fn(&Builder, &Path) -> std::result::Result<Database, DatabaseError>;

const BY_PATH: Create = |builder, path| builder.create(path);

enum Opened {
    Whole(Database),
    ReadOnly(ReadOnlyDatabase),
}

impl std::fmt::Debug for Opened {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Opened")
    }
}

impl RedbStore {
    /// Opens a file; creates it, readable and writable by its owner only, where it is missing.
    ///
    /// # Errors
    /// [`StorageFault::Busy`] while it is open elsewhere, [`StorageFault::Corrupt`] for a file that
    /// is damaged or no redb file, and other storage errors.
    pub fn open(path: &Path) -> Result<Self> {
        Self::open_by(path, BY_PATH)
    }

    /// The same with redb over the caller's own backend: for tests, over a disk that fails.
    ///
    /// # Errors
    /// As [`RedbStore::open`].
    #[cfg(feature = "testing")]
    pub fn over(path: &Path, create: Create) -> Result<Self> {
        Self::open_by(path, create)
    }

    /// Opens a file for reading only.
    ///
    /// # Errors
    /// As [`RedbStore::open`]; also when there is no file, or it was not closed properly.
    pub fn open_read_only(path: &Path) -> Result<Self> {
        Self::open_with(file::absolute(path)?, true, BY_PATH)
    }

    fn open_by(path: &Path, create: Create) -> Result<Self> {
        let path = file::absolute(path)?;
        if !path.exists() {
            Self::make(&path, create)?;
        }
        Self::open_with(path, false, create)
    }

    /// Makes a file, under another name until it is whole. What a kill or a failing disk leaves of a
    /// database in the making, redb would take for a file that is none of its own, for ever.
    fn make(path: &Path, create: Create) -> Result<()> {
        let mut unfinished = path.as_os_str().to_owned();
        unfinished.push(format!(".{:032x}.new", SystemRandom.bits()?));
        let unfinished = PathBuf::from(unfinished);
        file::create(&unfinished)?;
        let made = Self::open_with(unfinished.clone(), false, create).map(drop);
        let made = made.and_then(|()| give_name(&unfinished, path));
        let _ = std::fs::remove_file(&unfinished);
        made
    }

    fn open_with(path: PathBuf, read_only: bool, create: Create) -> Result<Self> {
        let mut store = Self {
            path,
            read_only,
            create,
            opened: RwLock::new(None),
            failed: AtomicBool::new(false),
        };
        store.opened = RwLock::new(Some(store.connect()?));
        Ok(store)
    }

    fn copy(&self, to: &Path) -> Result<()> {
        let copy = Self::open(to)?;
        let (all, mut into) = (self.begin(false)?, copy.begin(true)?);
        let (from, end) = everything();
        let mut put = Ok(());
        all.scan(&from, &end, false, &mut |key, value| {
            put = into.put(key, value);
            match put {
                Ok(()) => ControlFlow::Continue(()),
                Err(_) => ControlFlow::Break(()),
            }
        })?;
        put?;
        into.commit()
    }

    fn connect(&self) -> Result<Opened> {
        let mut builder = Builder::new();
        builder.set_cache_size(CACHE_BYTES);
        self.contained(|| {
            let opened = if self.read_only {
                builder.open_read_only(&self.path).map(Opened::ReadOnly)
            } else {
                (self.create)(&builder, &self.path).map(Opened::Whole)
            };
            opened.map_err(|error| self.open_error(error))
        })
    }

    /// redb panics on some damaged files; such a file must not take the host's thread with it.
    fn contained<T>(&self, work: impl FnOnce() -> Result<T>) -> Result<T> {
        catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
            Err(self.fault(
                StorageFault::Corrupt,
                "redb panicked on it: restore a backup",
            ))
        })
    }

    fn fault(&self, fault: StorageFault, why: impl Display) -> Error {
        Error::storage(fault, format!("{}: {why}", self.path.display()))
    }

    fn open_error(&self, error: DatabaseError) -> Error {
        match error {
            DatabaseError::DatabaseAlreadyOpen => self.fault(
                StorageFault::Busy,
                "is open elsewhere, and a redb file can be open only once: close it there",
            ),
            DatabaseError::RepairAborted => self.fault(
                StorageFault::Busy,
                "was not closed properly: open it once for writing to repair it",
            ),
            DatabaseError::UpgradeRequired(version) => self.fault(
                StorageFault::UnsupportedEngine,
                format!("has redb's old file format {version}"),
            ),
            DatabaseError::Storage(error) => self.error(error),
            other => self.fault(StorageFault::Io, other),
        }
    }

    /// What an error from redb means to a caller.
    fn error(&self, error: StorageError) -> Error {
        if is_of_the_disk(&error) {
            self.failed.store(true, SeqCst);
        }
        match error {
            StorageError::Io(error) => match error.kind() {
                // So it says when the file is no redb file, or cut short.
                io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => {
                    self.fault(StorageFault::Corrupt, error)
                }
                _ => file::failed(&self.path, &error),
            },
            StorageError::Corrupted(why) => self.fault(StorageFault::Corrupt, why),
            other => self.fault(StorageFault::Io, other),
        }
    }

    fn begin_with(
        &self,
        opened: &Opened,
        write: bool,
    ) -> std::result::Result<Box<dyn Transaction + '_>, Failure> {
        let begun = |error: TransactionError| match error {
            TransactionError::Storage(error) => Failure::of(self, error),
            other => Failure::Other(Error::Internal(other.to_string())),
        };
        let table = |error: TableError| match error {
            TableError::Storage(error) => Failure::of(self, error),
            // The file has a table of another kind under our name.
            other => Failure::Other(self.fault(StorageFault::Corrupt, other)),
        };
        let transaction = match (opened, write) {
            (Opened::ReadOnly(_), true) => return Err(Failure::Other(Error::ReadOnly)),
            (Opened::Whole(database), true) => {
                let transaction = database.begin_write().map_err(begun)?;
                let writing =
                    Writing::try_new(transaction, |transaction| transaction.open_table(TABLE));
                let writing = writing.map_err(table)?;
                return Ok(Box::new(Writer {
                    store: self,
                    writing,
                }));
            }
            (Opened::Whole(database), false) => database.begin_read(),
            (Opened::ReadOnly(database), false) => database.begin_read(),
        };
        let table = match transaction.map_err(begun)?.open_table(TABLE) {
            Ok(table) => Some(table),
            // Nothing was written yet.
            Err(TableError::TableDoesNotExist(_)) => None,
            Err(error) => return Err(table(error)),
        };
        Ok(Box::new(Reader { store: self, table }))
    }

    /// Begins a transaction; where an error left the database unusable, after opening it anew.
    fn begin_again(&self, write: bool) -> Result<Box<dyn Transaction + '_>> {
        {
            let opened = self.opened.read().unwrap_or_else(PoisonError::into_inner);
            if let Some(opened) = &*opened
                && !self.failed.load(SeqCst)
            {
                match self.begin_with(opened, write) {
                    Ok(transaction) => return Ok(transaction),
                    Err(Failure::Other(error)) => return Err(error),
                    Err(Failure::Closed) => {}
                }
            }
        }
        let mut opened = self.opened.write().unwrap_or_else(PoisonError::into_inner);
        // Another thread may have been here before.
        if let Some(opened) = &*opened
            && !self.failed.load(SeqCst)
            && let Ok(transaction) = self.begin_with(opened, write)
        {
            return Ok(transaction);
        }
        // First let go of the file: it can be open only once.
        *opened = None;
        self.failed.store(false, SeqCst);
        let anew = opened.insert(self.connect()?);
        self.begin_with(anew, write)
            .map_err(|failure| match failure {
                Failure::Other(error) => error,
                Failure::Closed => self.error(StorageError::PreviousIo),
            })
    }
}

/// Gives a file that is whole its name, unless another has it by now.
fn give_name(whole: &Path, name: &Path) -> Result<()> {
    match std::fs::hard_link(whole, name) {
        Ok(()) => file::keep_name(name),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        // Some file systems have no second names: there the database is made where it stays.
        Err(_) => file::create(name).map(drop),
    }
}

/// Whether a database that says so met an I/O error. One that was closed says something else.
const fn is_of_the_disk(error: &StorageError) -> bool {
    matches!(error, StorageError::Io(_) | StorageError::PreviousIo)
}

/// Why a transaction did not begin.
enum Failure {
    /// An error before this one left the database unusable: it must be opened anew.
    Closed,
    Other(Error),
}

impl Failure {
    fn of(store: &RedbStore, error: StorageError) -> Self {
        match error {
            StorageError::PreviousIo | StorageError::DatabaseClosed => Self::Closed,
            other => Self::Other(store.error(other)),
        }
    }
}

impl KeyValue for RedbStore {
    fn begin(&self, write: bool) -> Result<Box<dyn Transaction + '_>> {
        self.contained(|| self.begin_again(write))
    }

    fn backup(&self, to: &Path) -> Result<()> {
        if !file::create(to)? {
            return Err(Error::invalid("to", "must not exist yet"));
        }
        self.copy(to).inspect_err(|_| {
            // Half a copy would only be in the way of the next try.
            let _ = std::fs::remove_file(to);
        })
    }

    fn bytes(&self) -> Result<u64> {
        let file = std::fs::metadata(&self.path);
        Ok(file
            .map_err(|error| file::failed(&self.path, &error))?
            .len())
    }
}

type Bytes = &'static [u8];

struct Reader<'a> {
    store: &'a RedbStore,
    table: Option<ReadOnlyTable<Bytes, Bytes>>,
}

impl Transaction for Reader<'_> {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        self.table
            .as_ref()
            .map_or(Ok(None), |table| get(self.store, table, key))
    }

    fn put(&mut self, _key: &[u8], _value: &[u8]) -> Result<()> {
        Err(Error::ReadOnly)
    }

    fn delete(&mut self, _key: &[u8]) -> Result<()> {
        Err(Error::ReadOnly)
    }

    fn scan(&self, from: &[u8], to: &[u8], reverse: bool, visit: &mut Visit<'_>) -> Result<()> {
        self.table.as_ref().map_or(Ok(()), |table| {
            scan(self.store, table, from, to, reverse, visit)
        })
    }

    fn commit(self: Box<Self>) -> Result<()> {
        Ok(())
    }

    fn rollback(self: Box<Self>) {}
}

type OpenTable<'a> = Table<'a, Bytes, Bytes>;

self_cell!(
    /// A transaction with its table, which is opened once: opening it costs as much as a read (0.6 us
    /// beside 0.8).
    struct Writing {
        owner: WriteTransaction,
        #[not_covariant]
        dependent: OpenTable,
    }
);

struct Writer<'a> {
    store: &'a RedbStore,
    writing: Writing,
}

impl Transaction for Writer<'_> {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        self.writing
            .with_dependent(|_, table| get(self.store, table, key))
    }

    fn put(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        let store = self.store;
        self.writing.with_dependent_mut(|_, table| {
            store.contained(|| {
                let before = table
                    .insert(key, value)
                    .map_err(|error| store.error(error))?;
                drop(before);
                Ok(())
            })
        })
    }

    fn delete(&mut self, key: &[u8]) -> Result<()> {
        let store = self.store;
        self.writing.with_dependent_mut(|_, table| {
            store.contained(|| {
                let before = table.remove(key).map_err(|error| store.error(error))?;
                drop(before);
                Ok(())
            })
        })
    }

    fn scan(&self, from: &[u8], to: &[u8], reverse: bool, visit: &mut Visit<'_>) -> Result<()> {
        self.writing
            .with_dependent(|_, table| scan(self.store, table, from, to, reverse, visit))
    }

    fn commit(self: Box<Self>) -> Result<()> {
        let Self { store, writing } = *self;
        // Whatever goes wrong from here on, the new state may have reached the file all the same.
        let commit = || match writing.into_owner().commit() {
            Ok(()) => Ok(()),
            // But for this: it failed before the commit began.
            Err(CommitError::Storage(error @ StorageError::PreviousIo)) => Err(store.error(error)),
            Err(error) => {
                if matches!(&error, CommitError::Storage(error) if is_of_the_disk(error)) {
                    store.failed.store(true, SeqCst);
                }
                Err(store.fault(StorageFault::CommitUnknown, error))
            }
        };
        catch_unwind(AssertUnwindSafe(commit)).unwrap_or_else(|_| {
            Err(store.fault(StorageFault::CommitUnknown, "redb panicked on it"))
        })
    }

    fn rollback(self: Box<Self>) {}
}

fn get(
    store: &RedbStore,
    table: &impl ReadableTable<Bytes, Bytes>,
    key: &[u8],
) -> Result<Option<Vec<u8>>> {
    store.contained(|| {
        let found = table.get(key).map_err(|error| store.error(error))?;
        Ok(found.map(|value| value.value().to_vec()))
    })
}

fn scan(
    store: &RedbStore,
    table: &impl ReadableTable<Bytes, Bytes>,
    from: &[u8],
    to: &[u8],
    reverse: bool,
    visit: &mut Visit<'_>,
) -> Result<()> {
    store.contained(|| {
        let mut found = table
            .range::<&[u8]>(from..to)
            .map_err(|error| store.error(error))?;
        while let Some(pair) = if reverse {
            found.next_back()
        } else {
            found.next()
        } {
            let (key, value) = pair.map_err(|error| store.error(error))?;
            if visit(key.value(), value.value()).is_break() {
                break;
            }
        }
        Ok(())
    })
}

#[cfg(test)]
#[path = "redb_tests.rs"]
mod tests;
