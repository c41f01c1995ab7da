//! What an operator does by hand: resend, cancel, replay.

use rusqlite::{Connection, OptionalExtension};

use crate::error::{Error, Result};
use crate::machine::{Input, Refused, step};
use crate::model::{AppId, Batch, BatchId, Position, Profile, Timestamp, WebhookId};

use super::{batches, log, state, webhooks};

pub(super) fn resend(db: &Connection, app: &AppId, id: &BatchId, now: Timestamp) -> Result<Batch> {
    let (_, webhook_no, batch) = batches::get(db, app, id)?;
    if log::count(db, &batch.positions)? < batch.positions.len() {
        return Err(Error::BatchConflict {
            batch: *id,
            status: batch.status,
            message: "retention has deleted events of it, so it cannot be resent".into(),
        });
    }
    let active = webhooks::by_number(db, webhook_no)?.webhook.is_active();
    apply(
        db,
        app,
        id,
        Input::Resend { active },
        now,
        "only an ended batch, not one that was split, can be resent",
    )
}

pub(super) fn cancel(db: &Connection, app: &AppId, id: &BatchId, now: Timestamp) -> Result<Batch> {
    apply(
        db,
        app,
        id,
        Input::Cancel,
        now,
        "only a batch that has not ended can be cancelled",
    )
}

fn apply(
    db: &Connection,
    app: &AppId,
    id: &BatchId,
    input: Input,
    now: Timestamp,
    rule: &str,
) -> Result<Batch> {
    let (batch_no, webhook_no, mut batch) = batches::get(db, app, id)?;
    // Neither input looks at the policy.
    let policy = Profile::default().delivery;
    step(&mut batch, input, now, &policy, 0).map_err(|refused| Error::BatchConflict {
        batch: *id,
        status: match refused {
            Refused::Status(status) => status,
            Refused::LeaseLost | Refused::NotDue => batch.status,
        },
        message: rule.to_owned(),
    })?;
    batches::update(db, batch_no, &batch)?;
    state::look_again(db, webhook_no)?;
    Ok(batch)
}

pub(super) fn replay(
    db: &Connection,
    app: &AppId,
    webhook: &WebhookId,
    since: Timestamp,
) -> Result<u64> {
    let no = webhooks::number(db, app, webhook)?;
    let head = webhooks::head(db)?;
    let from = first_since(db, since, head)?;
    if from >= head {
        return Ok(0);
    }
    db.execute(
        "INSERT INTO hookbox_replay (webhook_no, cursor, until_position) VALUES (?1, ?2, ?3)",
        (no, from, head),
    )?;
    state::look_again(db, no)?;
    Ok(u64::try_from(head - from).unwrap_or(0))
}

/// The position before the first event emitted at `since` or later. Found by halving: events are
/// in order of time, but for clocks that were set back, where a few more may be sent than asked.
fn first_since(db: &Connection, since: Timestamp, head: Position) -> Result<Position> {
    let mut at_or_after = db.prepare_cached(
        "SELECT position, created_at FROM hookbox_event WHERE position > ?1
         ORDER BY position LIMIT 1",
    )?;
    let (mut low, mut high) = (0, head);
    while low < high {
        let middle = low + (high - low) / 2;
        let next: Option<(Position, i64)> = at_or_after
            .query_row((middle,), |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        match next {
            Some((position, created_at)) if created_at < since.as_millis() => low = position,
            _ => high = middle,
        }
    }
    Ok(low)
}
