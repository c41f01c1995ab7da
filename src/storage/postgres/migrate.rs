//! The schema and its migrations.

use crate::error::{Error, Result, StorageFault};

use super::session::Session;

/// Each migration, in order; never changed once released.
const MIGRATIONS: [&str; 1] = [include_str!("0001_init.sql")];

/// Says that processes that open an empty database at once do so one after the other. `CREATE TABLE IF
/// NOT EXISTS` by itself fails when two do it at the same moment.
const LOCK: &str = "SELECT pg_advisory_xact_lock(7161108340183)";

/// Brings the schema up to date, in one transaction.
pub(super) fn migrate(session: &mut Session) -> Result<()> {
    if applied(session)? == MIGRATIONS.len() {
        return Ok(());
    }
    session.client.batch_execute(
        // What the schema's functions look for is in the schema that holds them, whatever the search
        // path of those who call them.
        &format!(
            "BEGIN; {LOCK};
             SELECT set_config('search_path', quote_ident(current_schema()), true);"
        ),
    )?;
    let result = migrate_in_transaction(session);
    if result.is_ok() {
        session.client.batch_execute("COMMIT")?;
    } else {
        // The first error says more than that of a connection that is lost.
        let _ = session.client.batch_execute("ROLLBACK");
    }
    result
}

fn migrate_in_transaction(session: &mut Session) -> Result<()> {
    session.client.batch_execute(
        "CREATE TABLE IF NOT EXISTS hookbox_migration (
             version    INTEGER PRIMARY KEY,
             library    TEXT NOT NULL,
             applied_at TIMESTAMPTZ NOT NULL DEFAULT now()
         )",
    )?;
    // Counted again: another process may have migrated while we waited.
    let done = applied(session)?;
    for (version, sql) in (1_i32..).zip(MIGRATIONS).skip(done) {
        session.client.batch_execute(sql)?;
        session.client.execute(
            "INSERT INTO hookbox_migration (version, library) VALUES ($1, $2)",
            &[&version, &env!("CARGO_PKG_VERSION")],
        )?;
    }
    Ok(())
}

/// Refuses a database that has no schema of ours, or not the current one.
pub(super) fn check(session: &mut Session) -> Result<()> {
    match applied(session)? {
        0 => Err(Error::storage(
            StorageFault::Corrupt,
            "no hookbox is in this database, as its search_path finds it",
        )),
        done if done < MIGRATIONS.len() => Err(Error::storage(
            StorageFault::UnsupportedEngine,
            "this box has an older schema: open it once for writing to migrate it",
        )),
        _ => Ok(()),
    }
}

/// How many migrations the database has.
fn applied(session: &mut Session) -> Result<usize> {
    let exists = "SELECT to_regclass('hookbox_migration') IS NOT NULL";
    if !session.client.query_one(exists, &[])?.try_get(0)? {
        return Ok(0);
    }
    let latest = "SELECT coalesce(max(version), 0) FROM hookbox_migration";
    let latest: i32 = session.client.query_one(latest, &[])?.try_get(0)?;
    let latest = usize::try_from(latest).unwrap_or(0);
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
