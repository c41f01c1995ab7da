//! Retention, integrity, sizes. Off the hot path, in small slices.

use std::collections::BTreeSet;
use std::path::Path;

use rusqlite::Connection;

use crate::error::{Error, Result, StorageFault};
use crate::model::{Position, Timestamp};
use crate::storage::StorageStats;
use crate::storage::tables::OldBatch;

use super::log;

pub(super) fn batches_after(db: &Connection, no: i64, limit: usize) -> Result<Vec<OldBatch>> {
    let mut statement = db.prepare_cached(
        "SELECT no, created_at, ended_at FROM hookbox_batch WHERE no > ?1 ORDER BY no LIMIT ?2",
    )?;
    let found = statement.query_map((no, limit), |row| {
        Ok(OldBatch {
            no: row.get(0)?,
            created_at: Timestamp::from_millis(row.get(1)?),
            ended_at: row.get::<_, Option<i64>>(2)?.map(Timestamp::from_millis),
        })
    })?;
    Ok(found.collect::<rusqlite::Result<_>>()?)
}

pub(super) fn delete_batch(db: &Connection, no: i64) -> Result<()> {
    db.prepare_cached("DELETE FROM hookbox_batch WHERE no = ?1")?
        .execute((no,))?;
    Ok(())
}

pub(super) fn delete_events(db: &Connection, first: Position, last: Position) -> Result<()> {
    db.prepare_cached("DELETE FROM hookbox_log WHERE position BETWEEN ?1 AND ?2")?
        .execute((first, last))?;
    Ok(())
}

/// Positions within a span of the log that something is still owed: by a webhook whose cursor has
/// not passed them, by a replay, or by a batch that is kept (an exhausted one can be resent for as
/// long as retention keeps it).
pub(super) fn still_owed(
    db: &Connection,
    first: Position,
    last: Position,
) -> Result<BTreeSet<Position>> {
    let mut owed = BTreeSet::new();
    for sql in [
        "SELECT e.position FROM hookbox_webhook_state s
         JOIN hookbox_subscription u ON u.webhook_no = s.webhook_no
         JOIN hookbox_log e ON e.app_id = s.app_id AND (e.type = u.type OR u.type = '*')
         WHERE s.has_backlog = 1 AND s.cursor < ?2
             AND e.position BETWEEN max(?1, s.cursor + 1, u.from_position + 1)
                 AND min(?2, coalesce(u.until_position, ?2))",
        "SELECT e.position FROM hookbox_replay r
         JOIN hookbox_webhook w ON w.no = r.webhook_no
         JOIN hookbox_log e ON e.app_id = w.app_id
         WHERE e.position BETWEEN max(?1, r.cursor + 1) AND min(?2, r.until_position)",
        "SELECT e.position FROM hookbox_batch b CROSS JOIN json_each(b.positions) r
         CROSS JOIN hookbox_log e
             ON e.position BETWEEN json_extract(r.value, '$[0]') AND json_extract(r.value, '$[1]')
         WHERE b.first_position <= ?2 AND b.last_position >= ?1
             AND b.status NOT IN ('delivered', 'cancelled')
             AND e.position BETWEEN ?1 AND ?2",
    ] {
        let mut statement = db.prepare_cached(sql)?;
        let mut found = statement.query((first, last))?;
        while let Some(row) = found.next()? {
            owed.insert(row.get(0)?);
        }
    }
    Ok(owed)
}

/// What is wrong with the database, in sentences.
pub(super) fn check(db: &Connection) -> Result<Vec<String>> {
    let mut wrong = Vec::new();
    let mut integrity = db.prepare("PRAGMA integrity_check")?;
    let mut found = integrity.query(())?;
    while let Some(row) = found.next()? {
        let line: String = row.get(0)?;
        if line != "ok" {
            wrong.push(format!("SQLite: {line}"));
        }
    }
    let mut keys = db.prepare(
        "SELECT \"table\", parent FROM pragma_foreign_key_check
         WHERE \"table\" LIKE 'hookbox_%'",
    )?;
    let mut found = keys.query(())?;
    while let Some(row) = found.next()? {
        let (table, parent): (String, String) = (row.get(0)?, row.get(1)?);
        wrong.push(format!(
            "a row of {table} names a row of {parent} that is gone"
        ));
    }
    Ok(wrong)
}

/// What contradicts itself in the tables, in sentences.
pub(super) fn contradictions(db: &Connection) -> Result<Vec<String>> {
    let mut wrong = Vec::new();
    for (sql, sentence) in [
        (
            "SELECT count(*) FROM hookbox_log WHERE NOT json_valid(payload)",
            "events have a payload that is not JSON",
        ),
        (
            "SELECT count(*) FROM hookbox_webhook w WHERE NOT EXISTS
                 (SELECT 1 FROM hookbox_webhook_state s WHERE s.webhook_no = w.no)",
            "webhooks have no state",
        ),
        (
            "SELECT count(*) FROM hookbox_webhook w WHERE NOT (w.verified AND w.enabled) AND EXISTS
                 (SELECT 1 FROM hookbox_subscription s
                  WHERE s.webhook_no = w.no AND s.until_position IS NULL)",
            "inactive webhooks have open subscriptions",
        ),
        (
            "SELECT count(*) FROM hookbox_batch b JOIN hookbox_webhook w ON w.no = b.webhook_no
             WHERE b.status = 'waiting' AND NOT (w.verified AND w.enabled)",
            "batches of inactive webhooks wait where they should be parked",
        ),
    ] {
        let count: i64 = db.query_row(sql, (), |row| row.get(0))?;
        if count > 0 {
            wrong.push(format!("{count} {sentence}"));
        }
    }
    let damaged = log::damaged(db)?;
    if damaged > 0 {
        wrong.push(format!(
            "{damaged} events do not parse, or are not as they were emitted"
        ));
    }
    Ok(wrong)
}

pub(super) fn stats(db: &Connection, path: &Path) -> Result<StorageStats> {
    let size = |suffix: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        std::fs::metadata(name).map_or(0, |file| file.len())
    };
    let (pages, page_size): (u64, u64) = (
        db.query_row("PRAGMA page_count", (), |row| row.get(0))?,
        db.query_row("PRAGMA page_size", (), |row| row.get(0))?,
    );
    Ok(StorageStats {
        last_position: log::head(db)?,
        bytes: pages * page_size,
        wal_bytes: size("-wal"),
    })
}

/// `VACUUM INTO`: a compact copy of the whole file, as of one moment.
pub(super) fn backup(db: &Connection, to: &Path) -> Result<()> {
    let to = to
        .to_str()
        .ok_or_else(|| Error::storage(StorageFault::Io, "the copy's path is not UTF-8"))?;
    db.execute("VACUUM INTO ?1", (to,))?;
    Ok(())
}
