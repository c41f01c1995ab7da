//! What an operator does by hand: resend, cancel, replay.

use crate::error::{Error, Result};
use crate::machine::{Input, Refused, step};
use crate::model::{AppId, Batch, BatchId, Position, Profile, Timestamp, WebhookId};
use crate::storage::tables::{BatchRow, Tables};

use super::{schedule, webhooks};

pub(super) fn resend(
    tables: &dyn Tables,
    app: &AppId,
    id: &BatchId,
    now: Timestamp,
) -> Result<Batch> {
    let row = batch_of_app(tables, app, id)?;
    if tables.count_positions(&row.batch.positions)? < row.batch.positions.len() {
        return Err(Error::BatchConflict {
            batch: *id,
            status: row.batch.status,
            message: "retention has deleted events of it, so it cannot be resent".into(),
        });
    }
    let active = tables.webhook(row.webhook_no)?.webhook.is_active();
    apply(
        tables,
        row,
        Input::Resend { active },
        now,
        "only an ended batch, not one that was split, can be resent",
    )
}

pub(super) fn cancel(
    tables: &dyn Tables,
    app: &AppId,
    id: &BatchId,
    now: Timestamp,
) -> Result<Batch> {
    let row = batch_of_app(tables, app, id)?;
    apply(
        tables,
        row,
        Input::Cancel,
        now,
        "only a batch that has not ended can be cancelled",
    )
}

/// A batch of an app, its webhook locked.
fn batch_of_app(tables: &dyn Tables, app: &AppId, id: &BatchId) -> Result<BatchRow> {
    tables.lock_webhooks_of(&[*id])?;
    find(tables, app, id)
}

/// A batch of an app.
pub(super) fn find(tables: &dyn Tables, app: &AppId, id: &BatchId) -> Result<BatchRow> {
    tables
        .batch(id)?
        .filter(|row| row.batch.app_id == *app)
        .ok_or(Error::BatchNotFound(*id))
}

fn apply(
    tables: &dyn Tables,
    mut row: BatchRow,
    input: Input,
    now: Timestamp,
    rule: &str,
) -> Result<Batch> {
    // Neither input looks at the policy.
    let policy = Profile::default().delivery;
    step(&mut row.batch, input, now, &policy, 0).map_err(|refused| Error::BatchConflict {
        batch: row.batch.id,
        status: match refused {
            Refused::Status(status) => status,
            Refused::LeaseLost | Refused::NotDue => row.batch.status,
        },
        message: rule.to_owned(),
    })?;
    tables.update_batch(&row)?;
    schedule::look_again(tables, row.webhook_no)?;
    Ok(row.batch)
}

pub(super) fn replay(
    tables: &dyn Tables,
    app: &AppId,
    webhook: &WebhookId,
    since: Timestamp,
) -> Result<u64> {
    let no = webhooks::number(tables, app, webhook)?;
    tables.lock_log()?;
    tables.lock_webhook(no)?;
    let head = tables.head()?;
    let from = first_since(tables, since, head)?;
    if from >= head {
        return Ok(0);
    }
    tables.insert_replay(no, from, head)?;
    schedule::look_again(tables, no)?;
    Ok(u64::try_from(head - from).unwrap_or(0))
}

/// The position before the first event emitted at `since` or later. Found by halving: events are
/// in order of time, but for clocks that were set back, where a few more may be sent than asked.
fn first_since(tables: &dyn Tables, since: Timestamp, head: Position) -> Result<Position> {
    let (mut low, mut high) = (0, head);
    while low < high {
        let middle = low + (high - low) / 2;
        match tables.first_event_after(middle)? {
            Some((position, created_at)) if created_at < since => low = position,
            _ => high = middle,
        }
    }
    Ok(low)
}
