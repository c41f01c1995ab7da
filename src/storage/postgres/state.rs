//! Where a webhook stands: its cursor, its health, its replays, and when a sender should look at it.

use crate::error::Result;
use crate::model::{BatchId, Position, Timestamp};
use crate::storage::tables::{Replay, WebhookState};

use super::marks::Marks;
use super::rows::{self, millis, number, to_json};
use super::session::Db;

pub(super) fn lock(db: &Db<'_>, marks: &Marks, webhook_no: i64) -> Result<()> {
    note(
        marks,
        &db.query(
            "SELECT (SELECT last_position FROM hookbox_log_head) AS last_position
             FROM hookbox_webhook_state WHERE webhook_no = $1 FOR UPDATE",
            &[&webhook_no],
        )?,
    )
}

pub(super) fn lock_of_batches(db: &Db<'_>, marks: &Marks, batches: &[BatchId]) -> Result<()> {
    let ids: Vec<String> = batches.iter().map(ToString::to_string).collect();
    note(
        marks,
        &db.query(
            "SELECT (SELECT last_position FROM hookbox_log_head) AS last_position
             FROM hookbox_webhook_state WHERE webhook_no IN (
                 SELECT webhook_no FROM hookbox_batch WHERE id = ANY ($1))
             ORDER BY webhook_no FOR UPDATE",
            &[&ids],
        )?,
    )
}

/// Webhooks were locked, as rows that hold `last_position` say.
pub(super) fn note(marks: &Marks, rows: &[postgres::Row]) -> Result<()> {
    if let Some(row) = rows.first() {
        marks.locked(number(row, "last_position")?);
    }
    Ok(())
}

pub(super) fn load(db: &Db<'_>, webhook_no: i64) -> Result<WebhookState> {
    let sql = "SELECT * FROM hookbox_webhook_state WHERE webhook_no = $1";
    rows::state(&db.row(sql, &[&webhook_no])?)
}

pub(super) fn save(db: &Db<'_>, state: &WebhookState) -> Result<()> {
    db.execute(
        "UPDATE hookbox_webhook_state SET cursor = $2, has_backlog = $3, ready = $4, due_at = $5,
             failing = $6, health = $7, last_http_code = $8, last_http_code_at = $9
         WHERE webhook_no = $1",
        &[
            &state.webhook_no,
            &state.cursor,
            &state.has_backlog,
            &state.ready,
            &millis(state.due_at),
            &state.failing,
            &to_json(&state.health)?,
            &state.last_http_code.map(|(code, _)| i32::from(code)),
            &millis(state.last_http_code.map(|(_, at)| at)),
        ],
    )?;
    Ok(())
}

pub(super) fn look_later(db: &Db<'_>, webhook_no: i64, at: Timestamp) -> Result<()> {
    db.execute(
        "UPDATE hookbox_webhook_state SET ready = FALSE, due_at = $2 WHERE webhook_no = $1",
        &[&webhook_no, &at.as_millis()],
    )?;
    Ok(())
}

/// Marks those that nobody holds; who holds the others makes up for it (`marks.rs`).
pub(super) fn mark_backlog(
    db: &Db<'_>,
    app: &str,
    event_type: &str,
    last: Position,
    now: Timestamp,
) -> Result<()> {
    db.execute(
        "UPDATE hookbox_webhook_state SET has_backlog = TRUE, ready = TRUE, due_at = $4
         WHERE webhook_no IN (
             SELECT s.webhook_no FROM hookbox_webhook_state s
             WHERE s.cursor < $3 AND NOT s.has_backlog AND s.webhook_no IN (
                 SELECT webhook_no FROM hookbox_subscription
                 WHERE app_id = $1 AND type IN ($2, '*')
                     AND (until_position IS NULL OR until_position > from_position))
             FOR UPDATE OF s SKIP LOCKED)",
        &[&app, &event_type, &last, &now.as_millis()],
    )?;
    Ok(())
}

pub(super) fn replay(db: &Db<'_>, webhook_no: i64) -> Result<Option<Replay>> {
    let found = db.row_or_none(
        "SELECT no, cursor, until_position FROM hookbox_replay
         WHERE webhook_no = $1 ORDER BY no LIMIT 1",
        &[&webhook_no],
    )?;
    found
        .map(|row| {
            Ok(Replay {
                no: number(&row, "no")?,
                cursor: number(&row, "cursor")?,
                until: number(&row, "until_position")?,
            })
        })
        .transpose()
}

pub(super) fn insert_replay(
    db: &Db<'_>,
    webhook_no: i64,
    cursor: Position,
    until: Position,
) -> Result<()> {
    db.execute(
        "INSERT INTO hookbox_replay (webhook_no, cursor, until_position) VALUES ($1, $2, $3)",
        &[&webhook_no, &cursor, &until],
    )?;
    Ok(())
}

pub(super) fn save_replay(db: &Db<'_>, replay: Replay) -> Result<()> {
    if replay.cursor < replay.until {
        let sql = "UPDATE hookbox_replay SET cursor = $2 WHERE no = $1";
        db.execute(sql, &[&replay.no, &replay.cursor])?;
    } else {
        let sql = "DELETE FROM hookbox_replay WHERE no = $1";
        db.execute(sql, &[&replay.no])?;
    }
    Ok(())
}
