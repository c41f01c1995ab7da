//! Batches. Each query of unsettled ones has the condition of the partial index `hookbox_batch_open`
//! literally: the planner uses it for nothing less.

use rusqlite::{Connection, OptionalExtension};

use crate::error::Result;
use crate::machine::InFlight;
use crate::model::{
    AppId, Batch, BatchId, BatchStatus, DeliveryMode, EndReason, Ordering, Position, Timestamp,
};
use crate::storage::tables::{BatchRow, OfWebhook};

use super::rows::{self, BATCH_COLUMNS, millis, to_json};

pub(super) fn insert(db: &Connection, webhook_no: i64, batch: &Batch) -> Result<i64> {
    db.prepare_cached(
        "INSERT INTO hookbox_batch (id, webhook_no, parent_id, positions, first_position,
             last_position, event_count, at_most_once, status, end_reason, created_at, attempts,
             failures, window_start, due_at, fence, ended_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)",
    )?
    .execute(rusqlite::params![
        batch.id.to_string(),
        webhook_no,
        batch.parent.map(|parent| parent.to_string()),
        to_json(&batch.positions)?,
        batch.positions.first().unwrap_or(0),
        batch.positions.last().unwrap_or(0),
        batch.positions.len(),
        batch.mode == DeliveryMode::AtMostOnce,
        batch.status.as_str(),
        batch.end_reason.map(EndReason::as_str),
        batch.created_at.as_millis(),
        batch.attempts,
        batch.failures,
        millis(batch.window_start),
        millis(batch.due_at),
        batch.fence,
        millis(batch.ended_at),
    ])?;
    Ok(db.last_insert_rowid())
}

/// Writes what [`crate::machine::step`] may change.
pub(super) fn update(db: &Connection, row: &BatchRow) -> Result<()> {
    let batch = &row.batch;
    db.prepare_cached(
        "UPDATE hookbox_batch SET status = ?2, end_reason = ?3, attempts = ?4, failures = ?5,
             window_start = ?6, due_at = ?7, fence = ?8, ended_at = ?9
         WHERE no = ?1",
    )?
    .execute((
        row.no,
        batch.status.as_str(),
        batch.end_reason.map(EndReason::as_str),
        batch.attempts,
        batch.failures,
        millis(batch.window_start),
        millis(batch.due_at),
        batch.fence,
        millis(batch.ended_at),
    ))?;
    Ok(())
}

pub(super) fn find(db: &Connection, id: &BatchId) -> Result<Option<BatchRow>> {
    let mut found = select(db, "b.id = ?1", (id.to_string(),))?;
    Ok(found.pop())
}

/// What is in flight. Waiting batches are counted only as far as any plan could use them.
pub(super) fn in_flight(db: &Connection, webhook_no: i64) -> Result<InFlight> {
    Ok(db
        .prepare_cached(
            "SELECT count(*), coalesce(sum(attempts > 1), 0),
                 (SELECT count(*) FROM (SELECT 1 FROM hookbox_batch
                      WHERE webhook_no = ?1 AND status = 'waiting'
                          AND status NOT IN ('delivered', 'cancelled') LIMIT 64))
             FROM hookbox_batch WHERE webhook_no = ?1 AND status = 'leased'
                 AND status NOT IN ('delivered', 'cancelled')",
        )?
        .query_row((webhook_no,), |row| {
            let (leased, retries): (u32, u32) = (row.get(0)?, row.get(1)?);
            Ok(InFlight {
                fresh: leased - retries,
                retries,
                waiting: row.get(2)?,
            })
        })?)
}

/// The index says which, the rows themselves what they are: with a damaged index SQLite would read from it
/// that a batch is still due, however often it was sent.
pub(super) fn unsettled(
    db: &Connection,
    webhook_no: i64,
    status: BatchStatus,
    order: Ordering,
    limit: usize,
) -> Result<Vec<BatchRow>> {
    let order = match order {
        Ordering::None => "b.due_at",
        Ordering::Fifo => "b.first_position, b.no",
    };
    select(
        db,
        &format!(
            "b.no IN (
                 SELECT b.no FROM hookbox_batch b WHERE b.webhook_no = ?1 AND b.status = ?2
                     AND b.status NOT IN ('delivered', 'cancelled')
                 ORDER BY {order} LIMIT ?3)
             ORDER BY {order}"
        ),
        (
            webhook_no,
            status.as_str(),
            i64::try_from(limit).unwrap_or(i64::MAX),
        ),
    )
}

pub(super) fn earliest(
    db: &Connection,
    webhook_no: i64,
    status: BatchStatus,
    order: Ordering,
) -> Result<Option<Timestamp>> {
    let sql = match order {
        Ordering::None => {
            "SELECT due_at FROM hookbox_batch WHERE webhook_no = ?1 AND status = ?2
                 AND status NOT IN ('delivered', 'cancelled')
             ORDER BY due_at LIMIT 1"
        }
        Ordering::Fifo => {
            "SELECT due_at FROM hookbox_batch WHERE webhook_no = ?1 AND status = ?2
                 AND status NOT IN ('delivered', 'cancelled')
             ORDER BY first_position, no LIMIT 1"
        }
    };
    let at: Option<Option<i64>> = db
        .prepare_cached(sql)?
        .query_row((webhook_no, status.as_str()), |row| row.get(0))
        .optional()?;
    Ok(at.flatten().map(Timestamp::from_millis))
}

pub(super) fn bring_near(
    db: &Connection,
    webhook_no: i64,
    far: Timestamp,
    now: Timestamp,
) -> Result<()> {
    db.prepare_cached(
        "UPDATE hookbox_batch SET due_at = ?3 WHERE webhook_no = ?1 AND status = 'waiting'
             AND status NOT IN ('delivered', 'cancelled') AND due_at > ?2",
    )?
    .execute((webhook_no, far.as_millis(), now.as_millis()))?;
    Ok(())
}

pub(super) fn count_unsettled(
    db: &Connection,
    webhook_no: i64,
    status: BatchStatus,
) -> Result<u64> {
    Ok(db
        .prepare_cached(
            "SELECT count(*) FROM hookbox_batch WHERE webhook_no = ?1 AND status = ?2
                 AND status NOT IN ('delivered', 'cancelled')",
        )?
        .query_row((webhook_no, status.as_str()), |row| row.get(0))?)
}

pub(super) fn list(
    db: &Connection,
    of: OfWebhook<'_>,
    status: Option<BatchStatus>,
    before: i64,
    limit: usize,
) -> Result<Vec<BatchRow>> {
    let condition = if of.webhook_no.is_some() {
        "b.webhook_no = ?1"
    } else {
        "?1 IS NULL"
    };
    select(
        db,
        &format!(
            "{condition} AND w.app_id = ?2 AND b.no < ?3 AND (?4 IS NULL OR b.status = ?4)
             ORDER BY b.no DESC LIMIT ?5"
        ),
        (
            of.webhook_no,
            of.app.as_str(),
            before,
            status.map(BatchStatus::as_str),
            limit,
        ),
    )
}

pub(super) fn holding(db: &Connection, app: &AppId, position: Position) -> Result<Vec<Batch>> {
    let found = select(
        db,
        "w.app_id = ?1 AND ?2 BETWEEN b.first_position AND b.last_position AND EXISTS (
             SELECT 1 FROM json_each(b.positions) r
             WHERE ?2 BETWEEN json_extract(r.value, '$[0]') AND json_extract(r.value, '$[1]'))
         ORDER BY b.no",
        (app.as_str(), position),
    )?;
    Ok(found.into_iter().map(|row| row.batch).collect())
}

/// Batches by a condition on `hookbox_batch b JOIN hookbox_webhook w`.
fn select(
    db: &Connection,
    condition: &str,
    parameters: impl rusqlite::Params,
) -> Result<Vec<BatchRow>> {
    let mut statement = db.prepare_cached(&format!(
        "SELECT {BATCH_COLUMNS}, b.webhook_no FROM hookbox_batch b
         JOIN hookbox_webhook w ON w.no = b.webhook_no WHERE {condition}"
    ))?;
    let mut found = statement.query(parameters)?;
    let mut batches = Vec::new();
    while let Some(row) = found.next()? {
        batches.push(BatchRow {
            no: row.get("no")?,
            webhook_no: row.get("webhook_no")?,
            batch: rows::batch(row)?,
        });
    }
    Ok(batches)
}
