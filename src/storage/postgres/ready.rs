//! Which webhooks are to be looked at: an index that holds only those that are ready, and timers
//! that move them there. What others hold is passed over: they look at it.

use std::cell::RefCell;

use crate::error::Result;
use crate::model::{Class, Timestamp};

use super::marks::Marks;
use super::rows::{number, text};
use super::session::{Db, limit};
use super::state;

/// Apps whose ready webhooks others hold, all of them: not asked for again in this transaction.
pub(super) type HeldApps = RefCell<Vec<String>>;

pub(super) fn wake_timers(db: &Db<'_>, now: Option<Timestamp>, max: usize) -> Result<usize> {
    let woken = db.execute(
        "UPDATE hookbox_webhook_state SET ready = TRUE WHERE webhook_no IN (
             SELECT webhook_no FROM hookbox_webhook_state
             WHERE NOT ready AND due_at IS NOT NULL AND due_at <= $1
             ORDER BY due_at LIMIT $2 FOR UPDATE SKIP LOCKED)",
        &[&now.map_or(i64::MAX, Timestamp::as_millis), &limit(max)],
    )?;
    Ok(usize::try_from(woken).unwrap_or(usize::MAX))
}

pub(super) fn next_timer(db: &Db<'_>) -> Result<Option<Timestamp>> {
    let next = db.row_or_none(
        "SELECT due_at FROM hookbox_webhook_state WHERE NOT ready AND due_at IS NOT NULL
         ORDER BY due_at LIMIT 1",
        &[],
    )?;
    let at = next.map(|row| number(&row, "due_at")).transpose()?;
    Ok(at.map(Timestamp::from_millis))
}

/// At most `max` apps with ready webhooks, from the one after `start` on and around: one seek in
/// the index for each.
pub(super) fn apps(
    db: &Db<'_>,
    held: &HeldApps,
    class: Class,
    max: usize,
    start: &str,
) -> Result<Vec<String>> {
    let sql = "WITH RECURSIVE next (app_id, n) AS (
             (SELECT app_id, 1 FROM hookbox_webhook_state
              WHERE ready AND class = $1 AND app_id > $2 AND app_id <> ALL ($4)
              ORDER BY app_id LIMIT 1)
             UNION ALL
             SELECT (SELECT s.app_id FROM hookbox_webhook_state s
                     WHERE s.ready AND s.class = $1 AND s.app_id > next.app_id
                         AND s.app_id <> ALL ($4)
                     ORDER BY s.app_id LIMIT 1), n + 1
             FROM next WHERE next.app_id IS NOT NULL AND n < $3)
         SELECT app_id FROM next WHERE app_id IS NOT NULL";
    let held = held.borrow();
    let mut apps = Vec::new();
    for after in [start, ""] {
        let room = i32::try_from(max - apps.len()).unwrap_or(i32::MAX);
        for row in db.query(sql, &[&state::class_number(class), &after, &room, &*held])? {
            let app = text(&row, "app_id")?;
            if after.is_empty() && !start.is_empty() && app > start {
                break;
            }
            apps.push(app.to_owned());
        }
        if apps.len() == max || start.is_empty() {
            break;
        }
    }
    Ok(apps)
}

/// Ready webhooks of an app, the longest ready first, locked.
pub(super) fn webhooks(
    db: &Db<'_>,
    marks: &Marks,
    held: &HeldApps,
    class: Class,
    app: &str,
    max: usize,
) -> Result<Vec<i64>> {
    let found = db.query(
        "SELECT webhook_no, (SELECT last_position FROM hookbox_log_head) AS last_position
         FROM hookbox_webhook_state
         WHERE ready AND class = $1 AND app_id = $2 ORDER BY due_at LIMIT $3
         FOR UPDATE SKIP LOCKED",
        &[&state::class_number(class), &app, &limit(max)],
    )?;
    if found.is_empty() {
        held.borrow_mut().push(app.to_owned());
    }
    state::locked(marks, &found)
}
