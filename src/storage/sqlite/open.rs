//! Opening a file: what SQLite must be, and how each connection is set up.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use crate::error::{Error, Result, StorageFault};

use crate::storage::file;
use crate::storage::sql_rows::bad_row;

/// SQLite below this can lose committed writes in WAL mode (the WAL-reset bug, reliability.md §1.4).
const SQLITE_VERSION_MIN: i32 = 3_051_003;

/// How long a statement waits for another process's lock.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// How often, and how long apart, an open is tried again while another process recovers the file.
const RECOVERY_TRIES: u32 = 50;
const RECOVERY_WAIT: Duration = Duration::from_millis(20);

/// Prepared statements kept per connection; more than hookbox has.
const STATEMENT_CACHE: usize = 128;

/// The WAL file is cut back to this after it was larger.
const WAL_BYTES_KEPT: i64 = 64 * 1024 * 1024;

/// Where a box is, and what for.
#[derive(Debug, Clone)]
pub(super) struct Location {
    /// Absolute, so that a later chdir of the host changes nothing.
    path: PathBuf,
}

impl Location {
    pub(super) fn new(path: &Path) -> Result<Self> {
        check_version()?;
        Ok(Self {
            path: file::absolute(path)?,
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// A connection that writes. The file must exist.
    pub(super) fn writer(&self) -> Result<Connection> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = self.open(flags)?;
        let journal: String =
            connection.query_row("PRAGMA journal_mode = WAL", (), |row| row.get(0))?;
        if journal != "wal" {
            return Err(Error::storage(
                StorageFault::UnsupportedEngine,
                format!(
                    "the journal mode is `{journal}` where `wal` is needed (a network file system?)"
                ),
            ));
        }
        connection.execute_batch(
            "PRAGMA synchronous = FULL; PRAGMA fullfsync = 1; PRAGMA checkpoint_fullfsync = 1;
             PRAGMA foreign_keys = ON; PRAGMA wal_autocheckpoint = 1000;",
        )?;
        let synchronous: i64 = connection.query_row("PRAGMA synchronous", (), |row| row.get(0))?;
        if synchronous != 2 {
            return Err(bad_row("PRAGMA synchronous", "FULL was refused"));
        }
        connection.query_row(
            &format!("PRAGMA journal_size_limit = {WAL_BYTES_KEPT}"),
            (),
            |_| Ok(()),
        )?;
        Ok(connection)
    }

    /// A connection that only reads: it neither migrates nor changes the journal mode.
    pub(super) fn reader(&self) -> Result<Connection> {
        let connection =
            self.open(OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
        connection.execute_batch("PRAGMA query_only = ON;")?;
        Ok(connection)
    }

    fn open(&self, flags: OpenFlags) -> Result<Connection> {
        let mut tries = RECOVERY_TRIES;
        loop {
            match self.try_open(flags) {
                // While another process recovers the log after a crash, SQLite does not wait.
                Err(Error::Storage {
                    fault: StorageFault::Busy,
                    ..
                }) if tries > 0 => {
                    tries -= 1;
                    std::thread::park_timeout(RECOVERY_WAIT);
                }
                other => return other,
            }
        }
    }

    fn try_open(&self, flags: OpenFlags) -> Result<Connection> {
        let connection = Connection::open_with_flags(&self.path, flags)?;
        let wants_to_write = flags.contains(OpenFlags::SQLITE_OPEN_READ_WRITE);
        if wants_to_write && connection.is_readonly("main")? {
            // SQLite opens it all the same, and fails later with errors that say less.
            let message = format!("{}: this program may not write to it", self.path.display());
            return Err(Error::storage(StorageFault::ReadOnly, message));
        }
        // Before the first pragma: even setting the journal mode may meet a lock.
        connection.busy_timeout(BUSY_TIMEOUT)?;
        // Plans depend on the statement only, not on what is bound: no statement is prepared twice.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        connection.set_prepared_statement_cache_capacity(STATEMENT_CACHE);
        connection.execute_batch(
            "PRAGMA temp_store = MEMORY; PRAGMA mmap_size = 0; PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON;",
        )?;
        // The first read of the file: what is wrong with it is found here.
        connection.query_row("SELECT count(*) FROM sqlite_schema", (), |_| Ok(()))?;
        Ok(connection)
    }
}

fn check_version() -> Result<()> {
    if rusqlite::version_number() >= SQLITE_VERSION_MIN {
        return Ok(());
    }
    Err(Error::storage(
        StorageFault::UnsupportedEngine,
        format!(
            "SQLite {} can lose committed writes; link 3.51.3 or later, or use the feature `bundled`",
            rusqlite::version()
        ),
    ))
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_linked_sqlite_is_new_enough() {
        super::check_version().unwrap();
    }
}
