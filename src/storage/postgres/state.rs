//! Where a webhook stands: its cursor, its health, its replays, and when a sender should look at it.

use std::collections::HashMap;

use postgres::Row;

use crate::error::Result;
use crate::model::{BatchId, Class, Position, Timestamp};
use crate::storage::tables::{Replay, WebhookState};

use super::batches;
use super::marks::Marks;
use super::memory::{Held, WAITING_MAX};
use super::rows::{self, millis, number, to_json};
use super::session::Db;

/// Locks a webhook; its number, if it is there.
pub(super) fn lock(db: &Db<'_>, marks: &Marks, webhook_no: i64) -> Result<Vec<i64>> {
    let found = db.query(
        "SELECT webhook_no, (SELECT last_position FROM hookbox_log_head) AS last_position
         FROM hookbox_webhook_state WHERE webhook_no = $1 FOR UPDATE",
        &[&webhook_no],
    )?;
    locked(marks, &found)
}

/// Locks the webhooks of these batches; their numbers.
pub(super) fn lock_of_batches(db: &Db<'_>, marks: &Marks, batches: &[BatchId]) -> Result<Vec<i64>> {
    let ids: Vec<String> = batches.iter().map(ToString::to_string).collect();
    let found = db.query(
        "SELECT webhook_no, (SELECT last_position FROM hookbox_log_head) AS last_position
         FROM hookbox_webhook_state WHERE webhook_no IN (
             SELECT webhook_no FROM hookbox_batch WHERE id = ANY ($1))
         ORDER BY webhook_no FOR UPDATE",
        &[&ids],
    )?;
    locked(marks, &found)
}

/// The numbers of webhooks that were just locked.
pub(super) fn locked(marks: &Marks, rows: &[Row]) -> Result<Vec<i64>> {
    if let Some(row) = rows.first() {
        marks.locked(number(row, "last_position")?);
    }
    rows.iter().map(|row| number(row, "webhook_no")).collect()
}

/// Reads all that is asked of webhooks while they are looked at, and the log's last position.
pub(super) fn read_ahead(
    db: &Db<'_>,
    webhooks: &[i64],
) -> Result<(Option<Position>, HashMap<i64, Held>)> {
    let found = db.query(
        "SELECT s.*, w.version AS webhook_version, a.version AS app_version, b.waiting,
                b.first_due,
                EXISTS (SELECT 1 FROM hookbox_replay r WHERE r.webhook_no = s.webhook_no) AS replays,
                (SELECT last_position FROM hookbox_log_head) AS last_position
         FROM hookbox_webhook_state s
         LEFT JOIN hookbox_webhook w ON w.no = s.webhook_no
         LEFT JOIN hookbox_app a ON a.id = s.app_id
         CROSS JOIN LATERAL (
             SELECT count(*) AS waiting, min(due_at) AS first_due FROM (
                 SELECT due_at FROM hookbox_batch
                 WHERE webhook_no = s.webhook_no AND status = 'waiting'
                     AND status IN ('waiting', 'leased', 'parked', 'exhausted')
                 ORDER BY due_at LIMIT $2) first) b
         WHERE s.webhook_no = ANY ($1)",
        &[&webhooks, &i64::from(WAITING_MAX)],
    )?;
    let mut last_position = None;
    let mut all = HashMap::new();
    for row in &found {
        last_position = Some(number(row, "last_position")?);
        let held = Held {
            state: rows::state(row),
            webhook_version: row.try_get("webhook_version")?,
            app_version: row.try_get("app_version")?,
            leased: Vec::new(),
            waiting: Some(batches::waiting_of(row)?),
            may_have_replays: row.try_get("replays")?,
            subscriptions: None,
        };
        all.insert(number(row, "webhook_no")?, held);
    }
    for (webhook_no, leased) in batches::leased(db, webhooks)? {
        if let Some(held) = all.get_mut(&webhook_no) {
            held.leased.push(leased);
        }
    }
    Ok((last_position, all))
}

pub(super) fn load(db: &Db<'_>, webhook_no: i64) -> Result<WebhookState> {
    let sql = "SELECT * FROM hookbox_webhook_state WHERE webhook_no = $1";
    rows::state(&db.row(sql, &[&webhook_no])?)
}

/// As the column keeps it.
pub(super) const fn class_number(class: Class) -> i16 {
    class as i16
}

pub(super) fn save(db: &Db<'_>, states: &[WebhookState]) -> Result<()> {
    fn column<T>(states: &[WebhookState], value: impl Fn(&WebhookState) -> T) -> Vec<T> {
        states.iter().map(value).collect()
    }
    let health: Result<Vec<String>> = states.iter().map(|one| to_json(&one.health)).collect();
    db.execute(
        "UPDATE hookbox_webhook_state s SET cursor = v.cursor, has_backlog = v.has_backlog,
             ready = v.ready, due_at = v.due_at, class = v.class, health = v.health,
             last_http_code = v.last_http_code, last_http_code_at = v.last_http_code_at
         FROM unnest($1::BIGINT[], $2::BIGINT[], $3::BOOLEAN[], $4::BOOLEAN[], $5::BIGINT[],
             $6::SMALLINT[], $7::TEXT[], $8::INTEGER[], $9::BIGINT[])
             AS v (webhook_no, cursor, has_backlog, ready, due_at, class, health,
                   last_http_code, last_http_code_at)
         WHERE s.webhook_no = v.webhook_no",
        &[
            &column(states, |one| one.webhook_no),
            &column(states, |one| one.cursor),
            &column(states, |one| one.has_backlog),
            &column(states, |one| one.ready),
            &column(states, |one| millis(one.due_at)),
            &column(states, |one| class_number(one.class)),
            &health?,
            &column(states, |one| {
                one.last_http_code.map(|(code, _)| i32::from(code))
            }),
            &column(states, |one| millis(one.last_http_code.map(|(_, at)| at))),
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

/// Marks those that nobody holds, and notes the others to be marked later (`marks.rs`).
pub(super) fn mark_backlog(
    db: &Db<'_>,
    app: &str,
    event_type: &str,
    last: Position,
    now: Timestamp,
) -> Result<()> {
    db.execute(
        "WITH owed AS (
             SELECT s.webhook_no FROM hookbox_webhook_state s
             WHERE s.cursor < $3 AND NOT s.has_backlog AND s.webhook_no IN (
                 SELECT webhook_no FROM hookbox_subscription
                 WHERE app_id = $1 AND type IN ($2, '*')
                     AND (until_position IS NULL OR until_position > from_position))),
         free AS MATERIALIZED (
             SELECT webhook_no FROM hookbox_webhook_state
             WHERE webhook_no IN (SELECT webhook_no FROM owed) FOR UPDATE SKIP LOCKED),
         marked AS (
             UPDATE hookbox_webhook_state SET has_backlog = TRUE, ready = TRUE, due_at = $4
             WHERE webhook_no IN (SELECT webhook_no FROM free))
         INSERT INTO hookbox_mark (webhook_no)
         SELECT webhook_no FROM owed WHERE webhook_no NOT IN (SELECT webhook_no FROM free)",
        &[&app, &event_type, &last, &now.as_millis()],
    )?;
    Ok(())
}

/// Marks what was noted, as far as nobody holds it now.
pub(super) fn mark_noted(db: &Db<'_>) -> Result<()> {
    db.execute(
        "WITH free AS MATERIALIZED (
             SELECT webhook_no FROM hookbox_webhook_state
             WHERE webhook_no IN (SELECT webhook_no FROM hookbox_mark) FOR UPDATE SKIP LOCKED),
         marked AS (
             UPDATE hookbox_webhook_state SET has_backlog = TRUE, ready = TRUE,
                 due_at = coalesce(due_at, 0)
             WHERE webhook_no IN (SELECT webhook_no FROM free))
         DELETE FROM hookbox_mark WHERE webhook_no IN (SELECT webhook_no FROM free)",
        &[],
    )?;
    // Of webhooks that were deleted meanwhile.
    db.execute(
        "DELETE FROM hookbox_mark m WHERE NOT EXISTS (
             SELECT 1 FROM hookbox_webhook_state s WHERE s.webhook_no = m.webhook_no)",
        &[],
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
