//! Reading and writing batches and attempts.

use rusqlite::{Connection, OptionalExtension};

use crate::error::{Error, Result};
use crate::model::{
    AppId, Attempt, AttemptResult, Batch, BatchId, BatchStatus, DeliveryMode, EndReason,
};

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
pub(super) fn update(db: &Connection, no: i64, batch: &Batch) -> Result<()> {
    db.prepare_cached(
        "UPDATE hookbox_batch SET status = ?2, end_reason = ?3, attempts = ?4, failures = ?5,
             window_start = ?6, due_at = ?7, fence = ?8, ended_at = ?9
         WHERE no = ?1",
    )?
    .execute((
        no,
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

/// A batch with its row number and its webhook's; `None` when there is none.
pub(super) fn find(db: &Connection, id: &BatchId) -> Result<Option<(i64, i64, Batch)>> {
    db.prepare_cached(&format!(
        "SELECT {BATCH_COLUMNS}, b.webhook_no FROM hookbox_batch b
         JOIN hookbox_webhook w ON w.no = b.webhook_no WHERE b.id = ?1"
    ))?
    .query_row((id.to_string(),), |row| {
        Ok((row.get("no")?, row.get("webhook_no")?, rows::batch(row)))
    })
    .optional()?
    .map(|(no, webhook_no, batch)| Ok((no, webhook_no, batch?)))
    .transpose()
}

/// The same, of an app.
pub(super) fn get(db: &Connection, app: &AppId, id: &BatchId) -> Result<(i64, i64, Batch)> {
    find(db, id)?
        .filter(|(_, _, batch)| batch.app_id == *app)
        .ok_or(Error::BatchNotFound(*id))
}

/// A webhook's batches in one unsettled status, the earliest due first.
pub(super) fn unsettled(
    db: &Connection,
    webhook_no: i64,
    status: BatchStatus,
) -> Result<Vec<(i64, Batch)>> {
    select(
        db,
        "b.webhook_no = ?1 AND b.status = ?2
             AND b.status IN ('waiting', 'leased', 'parked', 'exhausted') ORDER BY b.due_at",
        (webhook_no, status.as_str()),
    )
}

/// Batches by a condition on `hookbox_batch b JOIN hookbox_webhook w`.
pub(super) fn select(
    db: &Connection,
    condition: &str,
    parameters: impl rusqlite::Params,
) -> Result<Vec<(i64, Batch)>> {
    let mut statement = db.prepare_cached(&format!(
        "SELECT {BATCH_COLUMNS} FROM hookbox_batch b
         JOIN hookbox_webhook w ON w.no = b.webhook_no WHERE {condition}"
    ))?;
    let mut found = statement.query(parameters)?;
    let mut batches = Vec::new();
    while let Some(row) = found.next()? {
        batches.push((row.get("no")?, rows::batch(row)?));
    }
    Ok(batches)
}

pub(super) fn insert_attempt(
    db: &Connection,
    batch_no: i64,
    webhook_no: i64,
    attempt: &Attempt,
) -> Result<()> {
    let (status, error) = match attempt.result {
        AttemptResult::Status(status) => (Some(status), None),
        AttemptResult::Failure(kind) => (None, Some(kind.as_str())),
    };
    db.prepare_cached(
        "INSERT INTO hookbox_attempt (batch_no, webhook_no, number, started_at, duration_ms,
             http_status, error, excerpt)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?
    .execute((
        batch_no,
        webhook_no,
        attempt.number,
        attempt.started_at.as_millis(),
        i64::try_from(attempt.duration_ms).unwrap_or(i64::MAX),
        status,
        error,
        &attempt.excerpt,
    ))?;
    Ok(())
}
