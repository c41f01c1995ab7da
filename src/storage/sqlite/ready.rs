//! Which webhooks are to be looked at: an index that holds only those that are ready, and timers
//! that move them there.

use rusqlite::{Connection, OptionalExtension};

use crate::error::Result;
use crate::model::{Class, Timestamp};

pub(super) fn wake_timers(db: &Connection, now: Option<Timestamp>, limit: usize) -> Result<usize> {
    let Some(now) = now else {
        return Ok(db.execute(
            "UPDATE hookbox_webhook_state SET ready = 1 WHERE ready = 0 AND due_at IS NOT NULL",
            (),
        )?);
    };
    // Mostly none is due, and the statement below costs a temporary table even then.
    if next_timer(db)?.is_none_or(|due| due > now) {
        return Ok(0);
    }
    Ok(db
        .prepare_cached(
            "UPDATE hookbox_webhook_state SET ready = 1 WHERE webhook_no IN (
                 SELECT webhook_no FROM hookbox_webhook_state
                 WHERE ready = 0 AND due_at IS NOT NULL AND due_at <= ?1
                 ORDER BY due_at LIMIT ?2)",
        )?
        .execute((now.as_millis(), limit))?)
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
pub(super) fn apps(
    db: &Connection,
    class: Class,
    limit: usize,
    start: &str,
) -> Result<Vec<String>> {
    let mut statement = db.prepare_cached(
        "SELECT app_id FROM hookbox_webhook_state
         WHERE ready = 1 AND class = ?1 AND app_id > ?2 ORDER BY app_id LIMIT 1",
    )?;
    let mut apps: Vec<String> = Vec::new();
    let mut after = start.to_owned();
    let mut wrapped = false;
    while apps.len() < limit {
        let next: Option<String> = statement
            .query_row((class.index(), &after), |row| row.get(0))
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

pub(super) fn webhooks(db: &Connection, class: Class, app: &str, limit: usize) -> Result<Vec<i64>> {
    let mut statement = db.prepare_cached(
        "SELECT webhook_no FROM hookbox_webhook_state
         WHERE ready = 1 AND class = ?1 AND app_id = ?2 ORDER BY due_at LIMIT ?3",
    )?;
    let found = statement.query_map((class.index(), app, limit), |row| row.get(0))?;
    Ok(found.collect::<rusqlite::Result<_>>()?)
}
