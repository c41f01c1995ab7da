//! Where a webhook stands: its cursor, its health, its replays, and when a sender should look at it.

use rusqlite::{Connection, OptionalExtension};

use crate::error::Result;
use crate::model::{Position, Timestamp};
use crate::storage::tables::{Replay, WebhookState};

use super::rows::{self, millis, to_json};

pub(super) fn load(db: &Connection, webhook_no: i64) -> Result<WebhookState> {
    db.prepare_cached("SELECT * FROM hookbox_webhook_state WHERE webhook_no = ?1")?
        .query_row((webhook_no,), |row| Ok(rows::state(row)))?
}

pub(super) fn save(db: &Connection, state: &WebhookState) -> Result<()> {
    db.prepare_cached(
        "UPDATE hookbox_webhook_state SET cursor = ?2, has_backlog = ?3, ready = ?4, due_at = ?5,
             class = ?6, health = ?7, last_http_code = ?8, last_http_code_at = ?9
         WHERE webhook_no = ?1",
    )?
    .execute((
        state.webhook_no,
        state.cursor,
        state.has_backlog,
        state.ready,
        millis(state.due_at),
        state.class.index(),
        to_json(&state.health)?,
        state.last_http_code.map(|(code, _)| code),
        millis(state.last_http_code.map(|(_, at)| at)),
    ))?;
    Ok(())
}

pub(super) fn look_later(db: &Connection, webhook_no: i64, at: Timestamp) -> Result<()> {
    db.prepare_cached(
        "UPDATE hookbox_webhook_state SET ready = 0, due_at = ?2 WHERE webhook_no = ?1",
    )?
    .execute((webhook_no, at.as_millis()))?;
    Ok(())
}

pub(super) fn mark_backlog(
    db: &Connection,
    app: &str,
    event_type: &str,
    last: Position,
    now: Timestamp,
) -> Result<()> {
    db.prepare_cached(
        "UPDATE hookbox_webhook_state SET has_backlog = 1, ready = 1, due_at = ?4
         WHERE cursor < ?3 AND has_backlog = 0 AND webhook_no IN (
             SELECT webhook_no FROM hookbox_subscription
             WHERE app_id = ?1 AND type IN (?2, '*')
                 AND (until_position IS NULL OR until_position > from_position))",
    )?
    .execute((app, event_type, last, now.as_millis()))?;
    Ok(())
}

pub(super) fn replay(db: &Connection, webhook_no: i64) -> Result<Option<Replay>> {
    Ok(db
        .prepare_cached(
            "SELECT no, cursor, until_position FROM hookbox_replay
             WHERE webhook_no = ?1 ORDER BY no LIMIT 1",
        )?
        .query_row((webhook_no,), |row| {
            Ok(Replay {
                no: row.get(0)?,
                cursor: row.get(1)?,
                until: row.get(2)?,
            })
        })
        .optional()?)
}

pub(super) fn insert_replay(
    db: &Connection,
    webhook_no: i64,
    cursor: Position,
    until: Position,
) -> Result<()> {
    db.execute(
        "INSERT INTO hookbox_replay (webhook_no, cursor, until_position) VALUES (?1, ?2, ?3)",
        (webhook_no, cursor, until),
    )?;
    Ok(())
}

pub(super) fn save_replay(db: &Connection, replay: Replay) -> Result<()> {
    if replay.cursor < replay.until {
        db.prepare_cached("UPDATE hookbox_replay SET cursor = ?2 WHERE no = ?1")?
            .execute((replay.no, replay.cursor))?;
    } else {
        db.prepare_cached("DELETE FROM hookbox_replay WHERE no = ?1")?
            .execute((replay.no,))?;
    }
    Ok(())
}
