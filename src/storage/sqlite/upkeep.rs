//! Retention, integrity, sizes. Off the hot path, in small slices.

use std::collections::BTreeSet;
use std::path::Path;

use rusqlite::Connection;

use crate::error::{Error, Result, StorageFault};
use crate::model::{Position, Timestamp};
use crate::storage::StorageStats;

use super::webhooks;

/// Rows looked at per slice for each row that may be deleted: what is still owed is passed over.
const LOOKED_AT_PER_DELETED: i64 = 10;

/// Where retention stands in the log and the batches; kept in memory, from the start after a restart.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct PruneCursor {
    batch_no: i64,
    position: Position,
}

/// Deletes one slice; returns where to go on, and whether there is more.
pub(super) fn prune(
    db: &Connection,
    before: Timestamp,
    now: Timestamp,
    slice: usize,
    from: PruneCursor,
) -> Result<(PruneCursor, bool)> {
    db.execute(
        "DELETE FROM hookbox_key WHERE published_until < ?1",
        (now.as_millis(),),
    )?;
    if from.position == 0 {
        // Closed subscriptions that the cursor has passed owe nothing more.
        db.execute(
            "DELETE FROM hookbox_subscription WHERE until_position <=
                 (SELECT cursor FROM hookbox_webhook_state s
                  WHERE s.webhook_no = hookbox_subscription.webhook_no)",
            (),
        )?;
    }
    let slice = i64::try_from(slice.clamp(1, 100_000)).unwrap_or(1);
    let span = slice * LOOKED_AT_PER_DELETED;
    let (batch_no, more_batches) = prune_batches(db, before, slice, span, from.batch_no)?;
    let (position, more_events) = prune_events(db, before, slice, span, from.position)?;
    let more = more_batches || more_events;
    // A whole pass is over: the next one looks again at what was still owed.
    let cursor = if more {
        PruneCursor { batch_no, position }
    } else {
        PruneCursor::default()
    };
    Ok((cursor, more))
}

fn prune_batches(
    db: &Connection,
    before: Timestamp,
    slice: i64,
    span: i64,
    from: i64,
) -> Result<(i64, bool)> {
    let mut statement = db.prepare_cached(
        "SELECT no, created_at < ?2, ended_at IS NOT NULL AND ended_at < ?2 FROM hookbox_batch
         WHERE no > ?1 ORDER BY no LIMIT ?3",
    )?;
    let mut found = statement.query((from, before.as_millis(), span))?;
    let (mut at, mut old, mut doomed) = (from, true, Vec::new());
    while let Some(row) = found.next()? {
        at = row.get(0)?;
        old = row.get(1)?;
        if row.get(2)? {
            doomed.push(at);
        }
        if !old || i64::try_from(doomed.len()).unwrap_or(slice) >= slice {
            break;
        }
    }
    let more = old && at > from;
    for no in doomed {
        db.prepare_cached("DELETE FROM hookbox_batch WHERE no = ?1")?
            .execute((no,))?;
    }
    Ok((at, more))
}

fn prune_events(
    db: &Connection,
    before: Timestamp,
    slice: i64,
    span: i64,
    from: Position,
) -> Result<(Position, bool)> {
    let routed: Position = db.query_row(
        "SELECT value FROM hookbox_setting WHERE name = 'routed_position'",
        (),
        |row| row.get(0),
    )?;
    let mut statement = db.prepare_cached(
        "SELECT position, created_at < ?3 FROM hookbox_event
         WHERE position > ?1 AND position <= ?2 ORDER BY position LIMIT ?4",
    )?;
    let mut found = statement.query((from, routed, before.as_millis(), span))?;
    let (mut at, mut old, mut candidates) = (from, true, BTreeSet::new());
    while let Some(row) = found.next()? {
        at = row.get(0)?;
        old = row.get(1)?;
        if !old {
            break;
        }
        candidates.insert(at);
    }
    let more = old && at > from;
    if let (Some(first), Some(last)) = (candidates.first().copied(), candidates.last().copied()) {
        for position in still_owed(db, first, last)? {
            candidates.remove(&position);
        }
    }
    for (deleted, position) in (0..).zip(candidates) {
        if deleted == slice {
            // The rest of the span is looked at again.
            return Ok((position - 1, true));
        }
        db.prepare_cached("DELETE FROM hookbox_event WHERE position = ?1")?
            .execute((position,))?;
    }
    Ok((at, more))
}

/// Positions within a span of the log that something is still owed: by a webhook whose cursor has
/// not passed them, by a replay, or by a batch that is kept (an exhausted one can be resent for as
/// long as retention keeps it).
fn still_owed(db: &Connection, first: Position, last: Position) -> Result<BTreeSet<Position>> {
    let mut owed = BTreeSet::new();
    for sql in [
        "SELECT e.position FROM hookbox_webhook_state s
         JOIN hookbox_subscription u ON u.webhook_no = s.webhook_no
         JOIN hookbox_event e ON e.app_id = s.app_id AND (e.type = u.type OR u.type = '*')
         WHERE s.has_backlog = 1 AND s.cursor < ?2
             AND e.position BETWEEN max(?1, s.cursor + 1, u.from_position + 1)
                 AND min(?2, coalesce(u.until_position, ?2))",
        "SELECT e.position FROM hookbox_replay r
         JOIN hookbox_webhook w ON w.no = r.webhook_no
         JOIN hookbox_event e ON e.app_id = w.app_id
         WHERE e.position BETWEEN max(?1, r.cursor + 1) AND min(?2, r.until_position)",
        "SELECT e.position FROM hookbox_batch b CROSS JOIN json_each(b.positions) r
         CROSS JOIN hookbox_event e
             ON e.position BETWEEN json_extract(r.value, '$[0]') AND json_extract(r.value, '$[1]')
         WHERE b.first_position <= ?2 AND b.status IN ('waiting', 'leased', 'parked', 'exhausted')
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
    for (sql, sentence) in [
        (
            "SELECT count(*) FROM hookbox_event WHERE id IS NULL OR NOT json_valid(payload)",
            "events have no id or a payload that is not JSON",
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
        last_position: webhooks::head(db)?,
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
