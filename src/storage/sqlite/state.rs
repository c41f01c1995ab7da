//! Where a webhook stands: its cursor, its health, and when a sender should look at it.

use rusqlite::Connection;

use crate::error::Result;
use crate::model::{AppId, Health, Position, Timestamp};

use super::rows::{json, millis, parsed, time_or_null, to_json};

/// A row of `hookbox_webhook_state`.
#[derive(Debug, Clone)]
pub(super) struct WebhookState {
    pub(super) webhook_no: i64,
    pub(super) app_id: AppId,
    pub(super) cursor: Position,
    pub(super) has_backlog: bool,
    pub(super) ready: bool,
    pub(super) due_at: Option<Timestamp>,
    pub(super) failing: bool,
    pub(super) health: Health,
    pub(super) last_http_code: Option<(u16, Timestamp)>,
}

pub(super) fn load(db: &Connection, webhook_no: i64) -> Result<WebhookState> {
    db.prepare_cached("SELECT * FROM hookbox_webhook_state WHERE webhook_no = ?1")?
        .query_row((webhook_no,), |row| Ok(from_row(row)))?
}

fn from_row(row: &rusqlite::Row<'_>) -> Result<WebhookState> {
    let code: Option<u16> = row.get("last_http_code")?;
    Ok(WebhookState {
        webhook_no: row.get("webhook_no")?,
        app_id: parsed(row, "app_id")?,
        cursor: row.get("cursor")?,
        has_backlog: row.get("has_backlog")?,
        ready: row.get("ready")?,
        due_at: time_or_null(row, "due_at")?,
        failing: row.get("failing")?,
        health: json::<Health>(row, "health")?,
        last_http_code: code.zip(time_or_null(row, "last_http_code_at")?),
    })
}

pub(super) fn save(db: &Connection, state: &WebhookState) -> Result<()> {
    db.prepare_cached(
        "UPDATE hookbox_webhook_state SET cursor = ?2, has_backlog = ?3, ready = ?4, due_at = ?5,
             failing = ?6, health = ?7, last_http_code = ?8, last_http_code_at = ?9
         WHERE webhook_no = ?1",
    )?
    .execute((
        state.webhook_no,
        state.cursor,
        state.has_backlog,
        state.ready,
        millis(state.due_at),
        state.failing,
        to_json(&state.health)?,
        state.last_http_code.map(|(code, _)| code),
        millis(state.last_http_code.map(|(_, at)| at)),
    ))?;
    Ok(())
}

/// Keeps senders away from a webhook until a time.
pub(super) fn look_later(db: &Connection, webhook_no: i64, at: Timestamp) -> Result<()> {
    db.prepare_cached(
        "UPDATE hookbox_webhook_state SET ready = 0, due_at = ?2 WHERE webhook_no = ?1",
    )?
    .execute((webhook_no, at.as_millis()))?;
    Ok(())
}

/// Asks a sender to look at a webhook: something about it changed. Level-triggered: looking in vain
/// costs a little and clears the mark.
pub(super) fn look_again(db: &Connection, webhook_no: i64) -> Result<()> {
    db.prepare_cached(
        "UPDATE hookbox_webhook_state SET ready = 1, due_at = coalesce(due_at, 0)
         WHERE webhook_no = ?1",
    )?
    .execute((webhook_no,))?;
    Ok(())
}
