//! Routing: new log entries mark the webhooks that are owed something.
//!
//! The mark is level-triggered and stored, so a crash loses nothing: routing goes on from the
//! stored position. Each entry is looked at once, however many webhooks there are; the cost of a
//! mark is paid once per webhook and span, not per event.

use std::collections::HashMap;

use rusqlite::Connection;

use crate::error::Result;
use crate::model::{Position, Timestamp};

use super::webhooks;

/// Log entries routed per transaction, so that a large backlog does not hold the writer for long.
const ENTRIES_MAX: i64 = 20_000;

/// Routes the next entries; true when there are more.
pub(super) fn route(db: &Connection, now: Timestamp) -> Result<bool> {
    let routed: Position = db
        .prepare_cached("SELECT value FROM hookbox_setting WHERE name = 'routed_position'")?
        .query_row((), |row| row.get(0))?;
    let head = webhooks::head(db)?;
    if routed >= head {
        return Ok(false);
    }
    let until = head.min(routed.saturating_add(ENTRIES_MAX));
    for ((app, event_type), last) in last_of_each_type(db, routed, until)? {
        mark(db, &app, &event_type, last, now)?;
    }
    db.prepare_cached("UPDATE hookbox_setting SET value = ?1 WHERE name = 'routed_position'")?
        .execute((until,))?;
    Ok(until < head)
}

/// The last position of each app and type within a span of the log.
fn last_of_each_type(
    db: &Connection,
    after: Position,
    until: Position,
) -> Result<HashMap<(String, String), Position>> {
    let mut statement = db.prepare_cached(
        "SELECT position, app_id, type FROM hookbox_event
         WHERE position > ?1 AND position <= ?2 ORDER BY position",
    )?;
    let mut found = statement.query((after, until))?;
    let mut last: HashMap<(String, String), Position> = HashMap::new();
    let mut run: Option<((String, String), Position)> = None;
    while let Some(row) = found.next()? {
        let position: Position = row.get(0)?;
        let (app, event_type) = (row.get_ref(1)?.as_str(), row.get_ref(2)?.as_str());
        let (Ok(app), Ok(event_type)) = (app, event_type) else {
            continue;
        };
        // Entries come in runs of one app and type: no allocation within a run.
        match &mut run {
            Some((of, at)) if of.0 == app && of.1 == event_type => *at = position,
            _ => {
                let next = ((app.to_owned(), event_type.to_owned()), position);
                if let Some((of, at)) = run.replace(next) {
                    last.insert(of, at);
                }
            }
        }
    }
    last.extend(run);
    Ok(last)
}

/// Marks every webhook whose subscription may cover a position up to `last` that it has not taken.
/// One that is marked already is looked at by itself as soon as it may have another request.
fn mark(
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
