//! Writing: how a connection runs a transaction of the [commit queue](crate::storage::commit).

use rusqlite::Connection;

use crate::error::{Error, Result, StorageFault};
use crate::storage::commit::Writer;

use super::error::commit_error;

impl Writer for Connection {
    type Inside<'a> = Self;

    fn transaction(&self, all: &mut dyn FnMut(&Self) -> Result<bool>) -> Result<()> {
        execute(self, "BEGIN IMMEDIATE")?;
        match all(self).and_then(|keep| still_open(self).map(|()| keep)) {
            Ok(true) => {}
            Ok(false) => return execute(self, "ROLLBACK"),
            Err(error) => {
                rollback(self);
                return Err(error);
            }
        }
        let committed = self
            .prepare_cached("COMMIT")
            .and_then(|mut statement| statement.execute(()));
        match committed {
            Ok(_) => Ok(()),
            Err(error) => {
                rollback(self);
                Err(commit_error(error))
            }
        }
    }

    fn part(db: &Self, part: &mut dyn FnMut() -> bool) -> Result<()> {
        execute(db, "SAVEPOINT hookbox_write")?;
        let keep = part();
        still_open(db)?;
        if !keep {
            execute(db, "ROLLBACK TO hookbox_write")?;
        }
        execute(db, "RELEASE hookbox_write")
    }
}

/// Runs a part of a transaction that is undone by itself when it fails.
pub(super) fn nested<T>(db: &Connection, work: impl FnOnce() -> Result<T>) -> Result<T> {
    execute(db, "SAVEPOINT hookbox_part")?;
    let result = work();
    // Some errors (disk full, I/O) end the whole transaction by themselves.
    if !db.is_autocommit() {
        if result.is_err() {
            execute(db, "ROLLBACK TO hookbox_part")?;
        }
        execute(db, "RELEASE hookbox_part")?;
    }
    result
}

/// Some errors (disk full, I/O) end the whole transaction by themselves.
fn still_open(db: &Connection) -> Result<()> {
    if db.is_autocommit() {
        return Err(Error::storage(
            StorageFault::Io,
            "the transaction was rolled back",
        ));
    }
    Ok(())
}

fn execute(db: &Connection, sql: &str) -> Result<()> {
    db.prepare_cached(sql)?.execute(())?;
    Ok(())
}

fn rollback(db: &Connection) {
    if !db.is_autocommit() {
        // If even this fails the connection is dropped or the next BEGIN reports it.
        let _ = db.execute_batch("ROLLBACK");
    }
}

#[cfg(test)]
#[path = "commit_tests.rs"]
mod tests;
