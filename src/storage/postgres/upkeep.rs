//! Retention, integrity, sizes. Off the hot path, in small slices.

use std::collections::BTreeSet;

use crate::error::Result;
use crate::model::{Position, Timestamp};
use crate::storage::StorageStats;
use crate::storage::tables::OldBatch;

use super::rows::number;
use super::session::{Db, limit};

pub(super) fn batches_after(db: &Db<'_>, no: i64, max: usize) -> Result<Vec<OldBatch>> {
    let found = db.query(
        "SELECT no, created_at, ended_at FROM hookbox_batch WHERE no > $1 ORDER BY no LIMIT $2",
        &[&no, &limit(max)],
    )?;
    let batches = found.iter().map(|row| {
        let ended_at: Option<i64> = row.try_get("ended_at")?;
        Ok(OldBatch {
            no: number(row, "no")?,
            created_at: Timestamp::from_millis(number(row, "created_at")?),
            ended_at: ended_at.map(Timestamp::from_millis),
        })
    });
    batches.collect()
}

pub(super) fn delete_batches(db: &Db<'_>, numbers: &[i64]) -> Result<()> {
    db.execute(
        "WITH attempts AS (DELETE FROM hookbox_attempt WHERE batch_no = ANY ($1))
         DELETE FROM hookbox_batch WHERE no = ANY ($1)",
        &[&numbers],
    )?;
    Ok(())
}

pub(super) fn delete_events(db: &Db<'_>, positions: &[Position]) -> Result<()> {
    db.execute(
        "WITH gone AS (DELETE FROM hookbox_log WHERE position = ANY ($1) RETURNING event_seq)
         DELETE FROM hookbox_event WHERE seq IN (SELECT event_seq FROM gone)",
        &[&positions],
    )?;
    Ok(())
}

/// Positions within a span of the log that something is still owed: by a webhook whose cursor has
/// not passed them (its mark may be on its way, see `marks.rs`), by a replay, or by a batch that is
/// kept (an exhausted one can be resent for as long as retention keeps it).
pub(super) fn still_owed(
    db: &Db<'_>,
    first: Position,
    last: Position,
) -> Result<BTreeSet<Position>> {
    let mut owed = BTreeSet::new();
    for sql in [
        "SELECT l.position FROM hookbox_webhook_state s
         JOIN hookbox_subscription u ON u.webhook_no = s.webhook_no
         JOIN hookbox_log l ON l.app_id = s.app_id AND (l.type = u.type OR u.type = '*')
         WHERE s.cursor < $2
             AND l.position BETWEEN greatest($1, s.cursor + 1, u.from_position + 1)
                 AND least($2, coalesce(u.until_position, $2))",
        "SELECT l.position FROM hookbox_replay r
         JOIN hookbox_webhook w ON w.no = r.webhook_no
         JOIN hookbox_log l ON l.app_id = w.app_id
         WHERE l.position BETWEEN greatest($1, r.cursor + 1) AND least($2, r.until_position)",
        "SELECT l.position FROM hookbox_batch b
         CROSS JOIN LATERAL json_array_elements(b.positions::JSON) r
         JOIN hookbox_log l ON l.position BETWEEN greatest($1, (r ->> 0)::BIGINT)
             AND least($2, (r ->> 1)::BIGINT)
         WHERE b.first_position <= $2 AND b.last_position >= $1
             AND b.status IN ('waiting', 'leased', 'parked', 'exhausted')",
    ] {
        for row in db.query(sql, &[&first, &last])? {
            owed.insert(number(&row, "position")?);
        }
    }
    Ok(owed)
}

/// What is wrong with the server, in sentences.
pub(super) fn check(db: &Db<'_>) -> Result<Vec<String>> {
    let mut wrong = Vec::new();
    for (setting, why) in [
        (
            "fsync",
            "what was acknowledged does not survive a power loss",
        ),
        ("full_page_writes", "a power loss may tear pages"),
    ] {
        let sql = "SELECT current_setting($1) AS value";
        let value: String = db.row(sql, &[&setting])?.try_get("value")?;
        if value == "off" {
            wrong.push(format!("PostgreSQL runs with {setting} = off: {why}"));
        }
    }
    Ok(wrong)
}

/// What contradicts itself in the tables, in sentences.
pub(super) fn contradictions(db: &Db<'_>) -> Result<Vec<String>> {
    let mut wrong = Vec::new();
    for (sql, sentence) in [
        (
            "SELECT count(*) AS count FROM hookbox_webhook w WHERE NOT EXISTS
                 (SELECT 1 FROM hookbox_webhook_state s WHERE s.webhook_no = w.no)",
            "webhooks have no state",
        ),
        (
            "SELECT count(*) AS count FROM hookbox_webhook w
             WHERE NOT (w.verified AND w.enabled) AND EXISTS
                 (SELECT 1 FROM hookbox_subscription s
                  WHERE s.webhook_no = w.no AND s.until_position IS NULL)",
            "inactive webhooks have open subscriptions",
        ),
        (
            "SELECT count(*) AS count FROM hookbox_batch b JOIN hookbox_webhook w ON w.no = b.webhook_no
             WHERE b.status = 'waiting' AND NOT (w.verified AND w.enabled)",
            "batches of inactive webhooks wait where they should be parked",
        ),
        (
            "SELECT count(*) AS count FROM hookbox_batch b WHERE NOT EXISTS
                 (SELECT 1 FROM hookbox_webhook w WHERE w.no = b.webhook_no)",
            "batches are of webhooks that are gone",
        ),
        (
            "SELECT count(*) AS count FROM hookbox_log l WHERE NOT EXISTS
                 (SELECT 1 FROM hookbox_event e WHERE e.seq = l.event_seq)",
            "log entries are of events that are gone",
        ),
        (
            "SELECT count(*) AS count FROM hookbox_event e, hookbox_log_head h
             WHERE e.seq <= h.seen_seq
                 AND NOT EXISTS (SELECT 1 FROM hookbox_log l WHERE l.event_seq = e.seq)
                 AND NOT EXISTS (SELECT 1 FROM hookbox_gap g
                                 WHERE e.seq BETWEEN g.first_seq AND g.last_seq)",
            "events have no position, and none is looked for",
        ),
    ] {
        let count: i64 = number(&db.row(sql, &[])?, "count")?;
        if count > 0 {
            wrong.push(format!("{count} {sentence}"));
        }
    }
    Ok(wrong)
}

pub(super) fn stats(db: &Db<'_>) -> Result<StorageStats> {
    let row = db.row(
        "SELECT (SELECT last_position FROM hookbox_log_head) AS last_position,
                coalesce(sum(pg_total_relation_size(c.oid)), 0)::BIGINT AS bytes
         FROM pg_class c
         WHERE c.relnamespace = (SELECT relnamespace FROM pg_class
                                 WHERE oid = 'hookbox_event'::regclass)
             AND c.relkind = 'r' AND c.relname LIKE 'hookbox\\_%'",
        &[],
    )?;
    Ok(StorageStats {
        last_position: number(&row, "last_position")?,
        bytes: number(&row, "bytes")?,
        wal_bytes: 0,
    })
}
