//! The schema and its migrations. They are counted in a table of our own: `user_version` and
//! `application_id` are the host's, whose file this may be.

use rusqlite::Connection;

use crate::error::{Error, Result, StorageFault};

/// Each migration, in order; never changed once released.
const MIGRATIONS: [&str; 1] = [include_str!("0001_init.sql")];

/// Brings the schema up to date, in one transaction.
pub(super) fn migrate(connection: &Connection) -> Result<()> {
    if applied(connection)? == MIGRATIONS.len() {
        return Ok(());
    }
    connection.execute_batch("BEGIN IMMEDIATE")?;
    let result = migrate_in_transaction(connection);
    connection.execute_batch(if result.is_ok() { "COMMIT" } else { "ROLLBACK" })?;
    result
}

fn migrate_in_transaction(connection: &Connection) -> Result<()> {
    connection.execute_batch(
        "CREATE TABLE IF NOT EXISTS hookbox_migration (
             version    INTEGER PRIMARY KEY,
             library    TEXT NOT NULL,
             applied_at TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP
         ) STRICT;",
    )?;
    // Counted again: another process may have migrated while we waited.
    let done = applied(connection)?;
    for (index, sql) in MIGRATIONS.iter().enumerate().skip(done) {
        connection.execute_batch(sql)?;
        connection.execute(
            "INSERT INTO hookbox_migration (version, library) VALUES (?1, ?2)",
            (index + 1, env!("CARGO_PKG_VERSION")),
        )?;
    }
    Ok(())
}

/// Refuses a file that has no schema of ours, or not the current one.
pub(super) fn check(connection: &Connection) -> Result<()> {
    match applied(connection)? {
        0 => Err(Error::storage(
            StorageFault::Corrupt,
            "this file is no hookbox",
        )),
        done if done < MIGRATIONS.len() => Err(Error::storage(
            StorageFault::UnsupportedEngine,
            "this box has an older schema: open it once for writing to migrate it",
        )),
        _ => Ok(()),
    }
}

/// How many migrations the file has.
fn applied(connection: &Connection) -> Result<usize> {
    let exists: bool = connection.query_row(
        "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'hookbox_migration')",
        (),
        |row| row.get(0),
    )?;
    if !exists {
        return Ok(0);
    }
    let latest: usize = connection.query_row(
        "SELECT coalesce(max(version), 0) FROM hookbox_migration",
        (),
        |row| row.get(0),
    )?;
    if latest > MIGRATIONS.len() {
        return Err(Error::storage(
            StorageFault::NewerSchema,
            format!(
                "the schema has version {latest}, this hookbox knows {}: upgrade this program",
                MIGRATIONS.len()
            ),
        ));
    }
    Ok(latest)
}
