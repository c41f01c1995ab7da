//! What a webhook has unsettled. Each query names the statuses of the partial index
//! `hookbox_batch_open` literally: the planner uses it for nothing less.

use rusqlite::{Connection, OptionalExtension};

use crate::error::Result;
use crate::machine::InFlight;
use crate::model::{BatchStatus, Ordering, Timestamp};

/// What is in flight. Waiting batches are counted only as far as any plan could use them.
pub(super) fn in_flight(db: &Connection, webhook_no: i64) -> Result<InFlight> {
    let mut load = InFlight::default();
    let mut leased = db.prepare_cached(
        "SELECT attempts FROM hookbox_batch WHERE webhook_no = ?1 AND status = 'leased'
             AND status IN ('waiting', 'leased', 'parked', 'exhausted')",
    )?;
    let mut found = leased.query((webhook_no,))?;
    while let Some(row) = found.next()? {
        match row.get::<_, u32>(0)? {
            0 | 1 => load.fresh += 1,
            _ => load.retries += 1,
        }
    }
    load.waiting = db
        .prepare_cached(
            "SELECT count(*) FROM (SELECT 1 FROM hookbox_batch
                 WHERE webhook_no = ?1 AND status = 'waiting'
                     AND status IN ('waiting', 'leased', 'parked', 'exhausted') LIMIT 64)",
        )?
        .query_row((webhook_no,), |row| row.get(0))?;
    Ok(load)
}

/// When the first of a webhook's batches of one status is due.
pub(super) fn earliest(
    db: &Connection,
    webhook_no: i64,
    status: BatchStatus,
) -> Result<Option<Timestamp>> {
    let at: Option<Option<i64>> = db
        .prepare_cached(
            "SELECT due_at FROM hookbox_batch WHERE webhook_no = ?1 AND status = ?2
                 AND status IN ('waiting', 'leased', 'parked', 'exhausted')
             ORDER BY due_at LIMIT 1",
        )?
        .query_row((webhook_no, status.as_str()), |row| row.get(0))
        .optional()?;
    Ok(at.flatten().map(Timestamp::from_millis))
}

/// When the batch that would be retried next is due: the earliest due one, or, first in first out,
/// the first one.
pub(super) fn next_retry(
    db: &Connection,
    webhook_no: i64,
    ordering: Ordering,
) -> Result<Option<Timestamp>> {
    if ordering == Ordering::None {
        return earliest(db, webhook_no, BatchStatus::Waiting);
    }
    let at: Option<i64> = db
        .prepare_cached(
            "SELECT due_at FROM hookbox_batch WHERE webhook_no = ?1 AND status = 'waiting'
                 AND status IN ('waiting', 'leased', 'parked', 'exhausted')
             ORDER BY first_position, no LIMIT 1",
        )?
        .query_row((webhook_no,), |row| row.get(0))
        .optional()?;
    Ok(at.map(Timestamp::from_millis))
}

/// Whether a replay is under way.
pub(super) fn has_replay(db: &Connection, webhook_no: i64) -> Result<bool> {
    Ok(db
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM hookbox_replay WHERE webhook_no = ?1)")?
        .query_row((webhook_no,), |row| row.get(0))?)
}
