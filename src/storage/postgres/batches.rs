//! Batches. Each query of unsettled ones names the statuses of the partial index
//! `hookbox_batch_open` literally: the planner uses it for nothing less.

use std::collections::HashMap;

use crate::error::Result;
use crate::machine::InFlight;
use crate::model::{
    AppId, Batch, BatchId, BatchStatus, DeliveryMode, EndReason, Ordering, Position, Timestamp,
};
use crate::storage::tables::{BatchRow, OfWebhook};

use super::memory::{Leased, NewBatch, WAITING_MAX, Waiting};
use super::rows::{self, BATCH_COLUMNS, millis, number, to_json};
use super::session::{Db, Values, limit};

/// The next numbers of batches.
pub(super) fn take_numbers(db: &Db<'_>, count: i32) -> Result<Vec<i64>> {
    let found = db.query(
        "SELECT nextval(pg_get_serial_sequence('hookbox_batch', 'no')) AS no
         FROM generate_series(1, $1)",
        &[&count],
    )?;
    found.iter().map(|row| number(row, "no")).collect()
}

fn column<T, V>(rows: &[T], value: impl Fn(&T) -> V) -> Vec<V> {
    rows.iter().map(value).collect()
}

pub(super) fn insert(db: &Db<'_>, new: &[NewBatch]) -> Result<()> {
    let positions: Result<Vec<String>> = new
        .iter()
        .map(|one| to_json(&one.batch.positions))
        .collect();
    db.execute(
        "INSERT INTO hookbox_batch (no, id, webhook_no, parent_id, positions, first_position,
             last_position, event_count, at_most_once, status, end_reason, created_at, attempts,
             failures, window_start, due_at, fence, ended_at)
         OVERRIDING SYSTEM VALUE
         SELECT * FROM unnest($1::BIGINT[], $2::TEXT[], $3::BIGINT[], $4::TEXT[], $5::TEXT[],
             $6::BIGINT[], $7::BIGINT[], $8::BIGINT[], $9::BOOLEAN[], $10::TEXT[], $11::TEXT[],
             $12::BIGINT[], $13::BIGINT[], $14::BIGINT[], $15::BIGINT[], $16::BIGINT[],
             $17::BIGINT[], $18::BIGINT[])",
        &[
            &column(new, |one| one.no),
            &column(new, |one| one.batch.id.to_string()),
            &column(new, |one| one.webhook_no),
            &column(new, |one| one.batch.parent.map(|parent| parent.to_string())),
            &positions?,
            &column(new, |one| one.batch.positions.first().unwrap_or(0)),
            &column(new, |one| one.batch.positions.last().unwrap_or(0)),
            &column(new, |one| limit(one.batch.positions.len())),
            &column(new, |one| one.batch.mode == DeliveryMode::AtMostOnce),
            &column(new, |one| one.batch.status.as_str()),
            &column(new, |one| one.batch.end_reason.map(EndReason::as_str)),
            &column(new, |one| one.batch.created_at.as_millis()),
            &column(new, |one| i64::from(one.batch.attempts)),
            &column(new, |one| i64::from(one.batch.failures)),
            &column(new, |one| millis(one.batch.window_start)),
            &column(new, |one| millis(one.batch.due_at)),
            &column(new, |one| fence(&one.batch)),
            &column(new, |one| millis(one.batch.ended_at)),
        ],
    )?;
    Ok(())
}

/// Writes what [`crate::machine::step`] may change.
pub(super) fn update(db: &Db<'_>, rows: &[BatchRow]) -> Result<()> {
    db.execute(
        "UPDATE hookbox_batch b SET status = v.status, end_reason = v.end_reason,
             attempts = v.attempts, failures = v.failures, window_start = v.window_start,
             due_at = v.due_at, fence = v.fence, ended_at = v.ended_at
         FROM unnest($1::BIGINT[], $2::TEXT[], $3::TEXT[], $4::BIGINT[], $5::BIGINT[],
             $6::BIGINT[], $7::BIGINT[], $8::BIGINT[], $9::BIGINT[])
             AS v (no, status, end_reason, attempts, failures, window_start, due_at, fence,
                   ended_at)
         WHERE b.no = v.no",
        &[
            &column(rows, |row| row.no),
            &column(rows, |row| row.batch.status.as_str()),
            &column(rows, |row| row.batch.end_reason.map(EndReason::as_str)),
            &column(rows, |row| i64::from(row.batch.attempts)),
            &column(rows, |row| i64::from(row.batch.failures)),
            &column(rows, |row| millis(row.batch.window_start)),
            &column(rows, |row| millis(row.batch.due_at)),
            &column(rows, |row| fence(&row.batch)),
            &column(rows, |row| millis(row.batch.ended_at)),
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

/// Those of these ids that there are, by id; what cannot be read is that batch's own error.
pub(super) fn read_ahead(
    db: &Db<'_>,
    ids: &[BatchId],
) -> Result<HashMap<BatchId, Result<BatchRow>>> {
    let texts: Vec<String> = ids.iter().map(ToString::to_string).collect();
    let sql = format!("{} WHERE b.id = ANY ($1)", select_from());
    let mut batches = HashMap::new();
    for row in db.query(&sql, &[&texts])? {
        batches.insert(rows::parsed(&row, "id")?, from_row(&row));
    }
    Ok(batches)
}

/// The leased batches of these webhooks, by webhook.
pub(super) fn leased(db: &Db<'_>, webhooks: &[i64]) -> Result<Vec<(i64, Leased)>> {
    let found = db.query(
        "SELECT b.webhook_no, b.no, b.attempts, b.due_at
         FROM unnest($1::BIGINT[]) AS w (no) CROSS JOIN LATERAL (
             SELECT * FROM hookbox_batch WHERE webhook_no = w.no AND status = 'leased'
                 AND status IN ('waiting', 'leased', 'parked', 'exhausted')) b",
        &[&webhooks],
    )?;
    let leased = found.iter().map(|row| {
        let one = Leased {
            batch_no: number(row, "no")?,
            attempts: number(row, "attempts")?,
            due_at: row.try_get("due_at")?,
        };
        Ok((number(row, "webhook_no")?, one))
    });
    leased.collect()
}

/// What is in flight. Waiting batches are counted only as far as any plan could use them.
pub(super) fn in_flight(db: &Db<'_>, webhook_no: i64) -> Result<InFlight> {
    let leased = leased(db, &[webhook_no])?;
    let retries = leased.iter().filter(|(_, one)| one.attempts > 1).count();
    let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    Ok(InFlight {
        fresh: count(leased.len() - retries),
        retries: count(retries),
        waiting: waiting(db, webhook_no)?.count,
    })
}

/// The waiting batches of a webhook.
pub(super) fn waiting(db: &Db<'_>, webhook_no: i64) -> Result<Waiting> {
    let row = db.row(
        "SELECT count(*) AS waiting, min(due_at) AS first_due FROM (
             SELECT due_at FROM hookbox_batch WHERE webhook_no = $1 AND status = 'waiting'
                 AND status IN ('waiting', 'leased', 'parked', 'exhausted')
             ORDER BY due_at LIMIT $2) w",
        &[&webhook_no, &i64::from(WAITING_MAX)],
    )?;
    waiting_of(&row)
}

/// Needs the columns `waiting` and `first_due`.
pub(super) fn waiting_of(row: &postgres::Row) -> Result<Waiting> {
    Ok(Waiting {
        count: number(row, "waiting")?,
        first_due: row.try_get("first_due")?,
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

/// How many were due after `far`.
pub(super) fn bring_near(
    db: &Db<'_>,
    webhook_no: i64,
    far: Timestamp,
    now: Timestamp,
) -> Result<u64> {
    db.execute(
        "UPDATE hookbox_batch SET due_at = $3 WHERE webhook_no = $1 AND status = 'waiting'
             AND status IN ('waiting', 'leased', 'parked', 'exhausted') AND due_at > $2",
        &[&webhook_no, &far.as_millis(), &now.as_millis()],
    )
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
    let found = db.query(&format!("{} WHERE {condition}", select_from()), values)?;
    found.iter().map(from_row).collect()
}

fn select_from() -> String {
    format!(
        "SELECT {BATCH_COLUMNS}, b.webhook_no FROM hookbox_batch b
         JOIN hookbox_webhook w ON w.no = b.webhook_no"
    )
}

fn from_row(row: &postgres::Row) -> Result<BatchRow> {
    Ok(BatchRow {
        no: number(row, "no")?,
        webhook_no: number(row, "webhook_no")?,
        batch: rows::batch(row)?,
    })
}
