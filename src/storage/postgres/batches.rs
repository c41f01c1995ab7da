//! Batches. Each query of unsettled ones names the statuses of the partial index
//! `hookbox_batch_open` literally: the planner uses it for nothing less.

use crate::error::Result;
use crate::machine::InFlight;
use crate::model::{
    AppId, Batch, BatchId, BatchStatus, DeliveryMode, EndReason, Ordering, Position, Timestamp,
};
use crate::storage::tables::{BatchRow, OfWebhook};

use super::rows::{self, BATCH_COLUMNS, millis, number, to_json};
use super::session::{Db, Values, limit};

pub(super) fn insert(db: &Db<'_>, webhook_no: i64, batch: &Batch) -> Result<i64> {
    let row = db.row(
        "INSERT INTO hookbox_batch (id, webhook_no, parent_id, positions, first_position,
             last_position, event_count, at_most_once, status, end_reason, created_at, attempts,
             failures, window_start, due_at, fence, ended_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
         RETURNING no",
        &[
            &batch.id.to_string(),
            &webhook_no,
            &batch.parent.map(|parent| parent.to_string()),
            &to_json(&batch.positions)?,
            &batch.positions.first().unwrap_or(0),
            &batch.positions.last().unwrap_or(0),
            &limit(batch.positions.len()),
            &(batch.mode == DeliveryMode::AtMostOnce),
            &batch.status.as_str(),
            &batch.end_reason.map(EndReason::as_str),
            &batch.created_at.as_millis(),
            &i64::from(batch.attempts),
            &i64::from(batch.failures),
            &millis(batch.window_start),
            &millis(batch.due_at),
            &fence(batch),
            &millis(batch.ended_at),
        ],
    )?;
    number(&row, "no")
}

/// Writes what [`crate::machine::step`] may change.
pub(super) fn update(db: &Db<'_>, row: &BatchRow) -> Result<()> {
    let batch = &row.batch;
    db.execute(
        "UPDATE hookbox_batch SET status = $2, end_reason = $3, attempts = $4, failures = $5,
             window_start = $6, due_at = $7, fence = $8, ended_at = $9
         WHERE no = $1",
        &[
            &row.no,
            &batch.status.as_str(),
            &batch.end_reason.map(EndReason::as_str),
            &i64::from(batch.attempts),
            &i64::from(batch.failures),
            &millis(batch.window_start),
            &millis(batch.due_at),
            &fence(batch),
            &millis(batch.ended_at),
        ],
    )?;
    Ok(())
}

/// A fence counts claims: it does not reach the end of the numbers.
fn fence(batch: &Batch) -> i64 {
    i64::try_from(batch.fence).unwrap_or(i64::MAX)
}

pub(super) fn find(db: &Db<'_>, id: &BatchId) -> Result<Option<BatchRow>> {
    let mut found = select(db, "b.id = $1", &[&id.to_string()])?;
    Ok(found.pop())
}

/// What is in flight. Waiting batches are counted only as far as any plan could use them.
pub(super) fn in_flight(db: &Db<'_>, webhook_no: i64) -> Result<InFlight> {
    let row = db.row(
        "SELECT (SELECT count(*) FROM hookbox_batch WHERE webhook_no = $1 AND status = 'leased'
                     AND status IN ('waiting', 'leased', 'parked', 'exhausted')
                     AND attempts <= 1) AS fresh,
                (SELECT count(*) FROM hookbox_batch WHERE webhook_no = $1 AND status = 'leased'
                     AND status IN ('waiting', 'leased', 'parked', 'exhausted')
                     AND attempts > 1) AS retries,
                (SELECT count(*) FROM (SELECT 1 FROM hookbox_batch
                     WHERE webhook_no = $1 AND status = 'waiting'
                         AND status IN ('waiting', 'leased', 'parked', 'exhausted')
                     LIMIT 64) w) AS waiting",
        &[&webhook_no],
    )?;
    Ok(InFlight {
        fresh: number(&row, "fresh")?,
        retries: number(&row, "retries")?,
        waiting: number(&row, "waiting")?,
    })
}

pub(super) fn unsettled(
    db: &Db<'_>,
    webhook_no: i64,
    status: BatchStatus,
    order: Ordering,
    max: usize,
) -> Result<Vec<BatchRow>> {
    let order = match order {
        Ordering::None => "b.due_at",
        Ordering::Fifo => "b.first_position, b.no",
    };
    select(
        db,
        &format!(
            "b.webhook_no = $1 AND b.status = $2
                 AND b.status IN ('waiting', 'leased', 'parked', 'exhausted')
             ORDER BY {order} LIMIT $3"
        ),
        &[&webhook_no, &status.as_str(), &limit(max)],
    )
}

pub(super) fn earliest(
    db: &Db<'_>,
    webhook_no: i64,
    status: BatchStatus,
    order: Ordering,
) -> Result<Option<Timestamp>> {
    let sql = match order {
        Ordering::None => {
            "SELECT due_at FROM hookbox_batch WHERE webhook_no = $1 AND status = $2
                 AND status IN ('waiting', 'leased', 'parked', 'exhausted')
             ORDER BY due_at LIMIT 1"
        }
        Ordering::Fifo => {
            "SELECT due_at FROM hookbox_batch WHERE webhook_no = $1 AND status = $2
                 AND status IN ('waiting', 'leased', 'parked', 'exhausted')
             ORDER BY first_position, no LIMIT 1"
        }
    };
    let found = db.row_or_none(sql, &[&webhook_no, &status.as_str()])?;
    let at: Option<Option<i64>> = found.map(|row| row.try_get(0)).transpose()?;
    Ok(at.flatten().map(Timestamp::from_millis))
}

pub(super) fn count_unsettled(db: &Db<'_>, webhook_no: i64, status: BatchStatus) -> Result<u64> {
    let row = db.row(
        "SELECT count(*) AS count FROM hookbox_batch WHERE webhook_no = $1 AND status = $2
             AND status IN ('waiting', 'leased', 'parked', 'exhausted')",
        &[&webhook_no, &status.as_str()],
    )?;
    number(&row, "count")
}

pub(super) fn list(
    db: &Db<'_>,
    of: OfWebhook<'_>,
    status: Option<BatchStatus>,
    before: i64,
    max: usize,
) -> Result<Vec<BatchRow>> {
    let condition = if of.webhook_no.is_some() {
        "b.webhook_no = $1"
    } else {
        "$1::BIGINT IS NULL"
    };
    select(
        db,
        &format!(
            "{condition} AND w.app_id = $2 AND b.no < $3 AND ($4::TEXT IS NULL OR b.status = $4)
             ORDER BY b.no DESC LIMIT $5"
        ),
        &[
            &of.webhook_no,
            &of.app.as_str(),
            &before,
            &status.map(BatchStatus::as_str),
            &limit(max),
        ],
    )
}

pub(super) fn holding(db: &Db<'_>, app: &AppId, position: Position) -> Result<Vec<Batch>> {
    let found = select(
        db,
        "w.app_id = $1 AND $2 BETWEEN b.first_position AND b.last_position AND EXISTS (
             SELECT 1 FROM json_array_elements(b.positions::JSON) r
             WHERE $2 BETWEEN (r ->> 0)::BIGINT AND (r ->> 1)::BIGINT)
         ORDER BY b.no",
        &[&app.as_str(), &position],
    )?;
    Ok(found.into_iter().map(|row| row.batch).collect())
}

/// Batches by a condition on `hookbox_batch b JOIN hookbox_webhook w`.
fn select(db: &Db<'_>, condition: &str, values: Values<'_>) -> Result<Vec<BatchRow>> {
    let found = db.query(
        &format!(
            "SELECT {BATCH_COLUMNS}, b.webhook_no FROM hookbox_batch b
             JOIN hookbox_webhook w ON w.no = b.webhook_no WHERE {condition}"
        ),
        values,
    )?;
    let batches = found.iter().map(|row| {
        Ok(BatchRow {
            no: number(row, "no")?,
            webhook_no: number(row, "webhook_no")?,
            batch: rows::batch(row)?,
        })
    });
    batches.collect()
}
