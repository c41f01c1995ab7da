//! The SQLite storage, the default: relational tables with readable names (docs/schema.md), in
//! WAL mode with `synchronous=FULL`. `0001_init.sql` is the schema; each other file here is one
//! concern over it.

mod api_keys;
mod apps;
mod attempts;
mod batches;
mod checksum;
mod entries;
mod error;
mod log;
mod migrate;
mod open;
mod ready;
mod rows;
mod state;
mod tables;
mod upkeep;
mod webhooks;
mod writer;

use std::path::Path;
use std::sync::Mutex;

use rusqlite::Connection;

use crate::error::{Error, Result};
use crate::model::{AppId, EventId};
use crate::storage::commit::{CommitQueue, lock};
use crate::storage::file;
use crate::storage::tables::{Database, TableStorage, Tables, emit};
use crate::storage::{PreparedEvent, StorageStats};
use open::Location;
use tables::SqliteTables;
use writer::nested;

/// Idle read connections that are kept open.
const READERS_KEPT: usize = 4;

/// A box in an SQLite file, which may hold the host's own tables as well.
pub type SqliteStorage = TableStorage<Sqlite>;

/// The engine under [`SqliteStorage`].
pub struct Sqlite {
    location: Location,
    /// `None` when the box is open for reading only.
    writer: Option<CommitQueue<Connection>>,
    readers: Mutex<Vec<Connection>>,
}

impl std::fmt::Debug for Sqlite {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sqlite")
            .field("path", &self.location.path())
            .finish_non_exhaustive()
    }
}

impl TableStorage<Sqlite> {
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
        file::create(location.path())?;
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
        Ok(Self::over(Sqlite::new(location, Some(queue))))
    }

    /// Opens a file for reading only: it is neither created, nor migrated, nor otherwise changed.
    ///
    /// # Errors
    /// As [`SqliteStorage::open`]; also when there is no box in the file, or an older one.
    pub fn open_read_only(path: &Path) -> Result<Self> {
        let location = Location::new(path)?;
        migrate::check(&location.reader()?)?;
        Ok(Self::over(Sqlite::new(location, None)))
    }

    /// Bytes of a payload at most, as the file says.
    ///
    /// # Errors
    /// Storage errors only.
    pub fn payload_bytes_max(&self) -> Result<usize> {
        self.database.get()?.with_reader(|db| {
            let sql = "SELECT value FROM hookbox_setting WHERE name = 'payload_bytes_max'";
            Ok(db.query_row(sql, (), |row| row.get(0))?)
        })
    }

    /// Appends events inside a transaction of the host's own, begun on the host's own connection to
    /// the same file (through this process's one copy of SQLite): they are emitted if and only if the
    /// host commits.
    ///
    /// # Errors
    /// As [`crate::storage::Storage::emit`]; nothing was written then, and the transaction can go on.
    pub fn emit_in(
        connection: &Connection,
        app: &AppId,
        events: &[PreparedEvent],
    ) -> Result<Vec<EventId>> {
        let tables = SqliteTables(connection);
        nested(connection, || emit(&tables, app, events))
    }
}

impl Sqlite {
    fn new(location: Location, writer: Option<CommitQueue<Connection>>) -> Self {
        Self {
            location,
            writer,
            readers: Mutex::default(),
        }
    }

    /// Runs reads in one transaction, so that they see one moment.
    fn with_reader<T>(&self, work: impl Fn(&Connection) -> Result<T>) -> Result<T> {
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

impl Database for Sqlite {
    fn write<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: Fn(&dyn Tables) -> Result<T> + Send + 'static,
    {
        let queue = self.writer.as_ref().ok_or(Error::ReadOnly)?;
        queue.write(move |db| work(&SqliteTables(db)))
    }

    fn read<T>(&self, work: impl Fn(&dyn Tables) -> Result<T>) -> Result<T> {
        self.with_reader(|db| work(&SqliteTables(db)))
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
            None => self.with_reader(version),
        }
    }

    fn check(&self) -> Result<Vec<String>> {
        self.with_reader(upkeep::check)
    }

    fn stats(&self) -> Result<StorageStats> {
        self.with_reader(|db| upkeep::stats(db, self.location.path()))
    }

    fn backup(&self, to: &Path) -> Result<()> {
        // Made here, so that it is as private as the box from its first byte on.
        if !file::create(to)? {
            return Err(Error::invalid("to", "must not exist yet"));
        }
        let reader = self.location.reader()?;
        reader.execute_batch("PRAGMA query_only = OFF;")?;
        upkeep::backup(&reader, to).inspect_err(|_| {
            // An empty file would only be in the way of the next try.
            let _ = std::fs::remove_file(to);
        })
    }
}
