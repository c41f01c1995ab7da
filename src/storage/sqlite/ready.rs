//! Which webhooks are to be looked at: an index that holds only those that are ready, and timers
//! that move them there.

use rusqlite::{Connection, OptionalExtension};

use crate::error::Result;
use crate::model::Timestamp;

/// Timers that are moved to the ready queue per claim.
const TIMERS_MAX: usize = 1_000;

/// Marks the webhooks whose time has come; true when there are more. After the clock was set back
/// (and at the start, when it may have been) every timer is looked at: those that are further away
/// than any wait were set by a clock that was ahead.
pub(super) fn wake_timers(db: &Connection, now: Timestamp, all: bool) -> Result<bool> {
    if all {
        db.execute(
            "UPDATE hookbox_webhook_state SET ready = 1 WHERE ready = 0 AND due_at IS NOT NULL",
            (),
        )?;
        return Ok(false);
    }
    let woken = db
        .prepare_cached(
            "UPDATE hookbox_webhook_state SET ready = 1 WHERE webhook_no IN (
                 SELECT webhook_no FROM hookbox_webhook_state
                 WHERE ready = 0 AND due_at IS NOT NULL AND due_at <= ?1
                 ORDER BY due_at LIMIT ?2)",
        )?
        .execute((now.as_millis(), TIMERS_MAX))?;
    Ok(woken == TIMERS_MAX)
}

pub(super) fn next_timer(db: &Connection) -> Result<Option<Timestamp>> {
    let at: Option<i64> = db
        .prepare_cached(
            "SELECT due_at FROM hookbox_webhook_state WHERE ready = 0 AND due_at IS NOT NULL
             ORDER BY due_at LIMIT 1",
        )?
        .query_row((), |row| row.get(0))
        .optional()?;
    Ok(at.map(Timestamp::from_millis))
}

/// At most `limit` apps with ready webhooks, from the one after `start` on and around: one seek in
/// the index for each.
pub(super) fn ready_apps(
    db: &Connection,
    failing: bool,
    limit: usize,
    start: &str,
) -> Result<Vec<String>> {
    let mut statement = db.prepare_cached(
        "SELECT app_id FROM hookbox_webhook_state
         WHERE ready = 1 AND failing = ?1 AND app_id > ?2 ORDER BY app_id LIMIT 1",
    )?;
    let mut apps: Vec<String> = Vec::new();
    let mut after = start.to_owned();
    let mut wrapped = false;
    while apps.len() < limit {
        let next: Option<String> = statement
            .query_row((failing, &after), |row| row.get(0))
            .optional()?;
        match next {
            Some(app) if wrapped && app.as_str() > start => break,
            Some(app) => {
                after.clone_from(&app);
                apps.push(app);
            }
            None if wrapped || start.is_empty() => break,
            None => {
                wrapped = true;
                after.clear();
            }
        }
    }
    Ok(apps)
}

/// At most `room` ready webhooks: an equal share from each app, the longest ready first.
pub(super) fn ready_webhooks(
    db: &Connection,
    failing: bool,
    apps: &[String],
    room: usize,
) -> Result<Vec<i64>> {
    let share = room.div_ceil(apps.len().max(1));
    let mut statement = db.prepare_cached(
        "SELECT webhook_no FROM hookbox_webhook_state
         WHERE ready = 1 AND failing = ?1 AND app_id = ?2 ORDER BY due_at LIMIT ?3",
    )?;
    let mut ready = Vec::new();
    for app in apps {
        let mut found = statement.query((failing, app, share))?;
        while let Some(row) = found.next()? {
            ready.push(row.get(0)?);
        }
    }
    Ok(ready)
}
