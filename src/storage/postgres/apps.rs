//! Apps, their keys, and the catalogue of event types.

use crate::error::Result;
use crate::model::{App, AppId, AppState, EventType, Timestamp};
use crate::storage::StoredKey;

use super::api_keys;
use super::rows::{self, millis, number, parsed, to_json};
use super::session::{Db, limit};

pub(super) fn insert(db: &Db<'_>, app: &App) -> Result<bool> {
    let created = db.execute(
        "INSERT INTO hookbox_app (id, enabled, profile, created_at) VALUES ($1, $2, $3, $4)
         ON CONFLICT DO NOTHING",
        &[
            &app.id.as_str(),
            &(app.state == AppState::Enabled),
            &to_json(&app.profile)?,
            &app.created_at.as_millis(),
        ],
    )?;
    Ok(created > 0)
}

pub(super) fn get(db: &Db<'_>, id: &AppId) -> Result<Option<App>> {
    let sql = "SELECT * FROM hookbox_app WHERE id = $1";
    let found = db.row_or_none(sql, &[&id.as_str()])?;
    found.map(|row| rows::app(&row)).transpose()
}

pub(super) fn version(db: &Db<'_>, id: &AppId) -> Result<Option<i64>> {
    let sql = "SELECT version FROM hookbox_app WHERE id = $1";
    let found = db.row_or_none(sql, &[&id.as_str()])?;
    found.map(|row| number(&row, "version")).transpose()
}

pub(super) fn state(db: &Db<'_>, id: &AppId) -> Result<Option<AppState>> {
    let sql = "SELECT enabled FROM hookbox_app WHERE id = $1";
    let found = db.row_or_none(sql, &[&id.as_str()])?;
    let enabled: Option<bool> = found.map(|row| row.try_get(0)).transpose()?;
    Ok(enabled.map(|enabled| {
        if enabled {
            AppState::Enabled
        } else {
            AppState::Disabled
        }
    }))
}

/// Keeps others from changing the app, not from emitting.
pub(super) fn lock(db: &Db<'_>, id: &AppId) -> Result<()> {
    let sql = "SELECT 1 FROM hookbox_app WHERE id = $1 FOR NO KEY UPDATE";
    db.query(sql, &[&id.as_str()])?;
    Ok(())
}

pub(super) fn list(db: &Db<'_>, after: &str, max: usize) -> Result<Vec<App>> {
    let sql = "SELECT * FROM hookbox_app WHERE id > $1 ORDER BY id LIMIT $2";
    let found = db.query(sql, &[&after, &limit(max)])?;
    found.iter().map(rows::app).collect()
}

pub(super) fn set_state(db: &Db<'_>, id: &AppId, new: AppState, ready: bool) -> Result<()> {
    db.execute(
        "UPDATE hookbox_app SET enabled = $2, version = floor(random() * 9007199254740992)::BIGINT
         WHERE id = $1",
        &[&id.as_str(), &(new == AppState::Enabled)],
    )?;
    db.execute(
        "UPDATE hookbox_webhook_state SET ready = $2, due_at = coalesce(due_at, 0)
         WHERE app_id = $1",
        &[&id.as_str(), &ready],
    )?;
    Ok(())
}

pub(super) fn delete_slice(db: &Db<'_>, id: &AppId, max: usize) -> Result<bool> {
    let app = id.as_str();
    db.execute("DELETE FROM hookbox_key WHERE app_id = $1", &[&app])?;
    api_keys::delete_of_app(db, id)?;
    let mut budget = u64::try_from(max).unwrap_or(u64::MAX);
    for (sql, counts) in [
        (
            "WITH gone AS (
                 DELETE FROM hookbox_batch WHERE no IN (
                     SELECT b.no FROM hookbox_webhook w JOIN hookbox_batch b ON b.webhook_no = w.no
                     WHERE w.app_id = $1 LIMIT $2)
                 RETURNING no),
             attempts AS (
                 DELETE FROM hookbox_attempt WHERE batch_no IN (SELECT no FROM gone))
             SELECT count(*) AS count FROM gone",
            true,
        ),
        (
            "WITH gone AS (DELETE FROM hookbox_webhook WHERE app_id = $1 AND $2::BIGINT > 0 RETURNING no)
             SELECT count(*) AS count FROM gone",
            false,
        ),
        (
            "WITH gone AS (
                 DELETE FROM hookbox_log WHERE position IN (
                     SELECT position FROM hookbox_log WHERE app_id = $1 LIMIT $2)
                 RETURNING event_seq),
             events AS (
                 DELETE FROM hookbox_event WHERE seq IN (SELECT event_seq FROM gone))
             SELECT count(*) AS count FROM gone",
            true,
        ),
        (
            // Emitted, and not routed yet.
            "WITH gone AS (
                 DELETE FROM hookbox_event e WHERE e.app_id = $1 AND e.seq > (
                     SELECT seen_seq FROM hookbox_log_head) AND $2::BIGINT > 0
                 RETURNING e.seq)
             SELECT count(*) AS count FROM gone",
            false,
        ),
        (
            "WITH gone AS (DELETE FROM hookbox_app WHERE id = $1 AND $2::BIGINT > 0 RETURNING id)
             SELECT count(*) AS count FROM gone",
            false,
        ),
    ] {
        if budget == 0 {
            break;
        }
        let room = i64::try_from(budget).unwrap_or(i64::MAX);
        let deleted: u64 = number(&db.row(sql, &[&app, &room])?, "count")?;
        if counts {
            budget = budget.saturating_sub(deleted);
        }
    }
    Ok(budget == 0)
}

pub(super) fn event_types(db: &Db<'_>) -> Result<Vec<EventType>> {
    let sql = "SELECT name FROM hookbox_event_type WHERE current ORDER BY name";
    let found = db.query(sql, &[])?;
    found.iter().map(|row| parsed(row, "name")).collect()
}

pub(super) fn has_event_type(db: &Db<'_>, name: &EventType) -> Result<bool> {
    let sql = "SELECT 1 FROM hookbox_event_type WHERE name = $1 AND current";
    Ok(db.row_or_none(sql, &[&name.as_str()])?.is_some())
}

pub(super) fn set_event_types(db: &Db<'_>, types: &[EventType], replace: bool) -> Result<()> {
    if replace {
        db.execute("UPDATE hookbox_event_type SET current = FALSE", &[])?;
    }
    for name in types {
        db.execute(
            "INSERT INTO hookbox_event_type (name) VALUES ($1)
             ON CONFLICT (name) DO UPDATE SET current = TRUE",
            &[&name.as_str()],
        )?;
    }
    Ok(())
}

pub(super) fn keys(db: &Db<'_>, app: &AppId) -> Result<Vec<StoredKey>> {
    let sql = "SELECT * FROM hookbox_key WHERE app_id = $1 ORDER BY created_at, signs_from, kid";
    let found = db.query(sql, &[&app.as_str()])?;
    found.iter().map(rows::key).collect()
}

pub(super) fn replace_keys(db: &Db<'_>, app: &AppId, keys: &[StoredKey]) -> Result<()> {
    let sql = "DELETE FROM hookbox_key WHERE app_id = $1";
    db.execute(sql, &[&app.as_str()])?;
    for StoredKey { key, sealed } in keys {
        db.execute(
            "INSERT INTO hookbox_key (app_id, kid, public_jwk, sealed, created_at, signs_from,
                 signs_until, published_until)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
            &[
                &app.as_str(),
                &key.kid.as_str(),
                &to_json(&key.public)?,
                sealed,
                &key.created_at.as_millis(),
                &key.signs_from.as_millis(),
                &millis(key.signs_until),
                &millis(key.published_until),
            ],
        )?;
    }
    Ok(())
}

pub(super) fn delete_expired_keys(db: &Db<'_>, now: Timestamp) -> Result<()> {
    let sql = "DELETE FROM hookbox_key WHERE published_until < $1";
    db.execute(sql, &[&now.as_millis()])?;
    Ok(())
}
