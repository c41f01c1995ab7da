//! Apps, their keys, and the catalogue of event types.

use rusqlite::{Connection, OptionalExtension};

use crate::error::Result;
use crate::model::{App, AppId, AppState, EventType, Timestamp};
use crate::storage::StoredKey;

use super::api_keys;
use super::rows::{self, millis, to_json};

pub(super) fn insert(db: &Connection, app: &App) -> Result<bool> {
    let created = db.execute(
        "INSERT INTO hookbox_app (id, enabled, profile, created_at) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT DO NOTHING",
        (
            app.id.as_str(),
            app.state == AppState::Enabled,
            to_json(&app.profile)?,
            app.created_at.as_millis(),
        ),
    )?;
    registry_changed(db)?;
    Ok(created > 0)
}

pub(super) fn registry_version(db: &Connection) -> Result<i64> {
    Ok(db
        .prepare_cached("SELECT value FROM hookbox_setting WHERE name = 'registry_version'")?
        .query_row((), |row| row.get(0))?)
}

pub(super) fn registry_changed(db: &Connection) -> Result<()> {
    db.prepare_cached(
        "UPDATE hookbox_setting SET value = random() WHERE name = 'registry_version'",
    )?
    .execute(())?;
    Ok(())
}

pub(super) fn get(db: &Connection, id: &AppId) -> Result<Option<App>> {
    db.prepare_cached("SELECT id, enabled, profile, created_at FROM hookbox_app WHERE id = ?1")?
        .query_row((id.as_str(),), |row| Ok(rows::app(row)))
        .optional()?
        .transpose()
}

pub(super) fn version(db: &Connection, id: &AppId) -> Result<Option<i64>> {
    Ok(db
        .prepare_cached("SELECT version FROM hookbox_app WHERE id = ?1")?
        .query_row((id.as_str(),), |row| row.get(0))
        .optional()?)
}

pub(super) fn state(db: &Connection, id: &AppId) -> Result<Option<AppState>> {
    let enabled: Option<bool> = db
        .prepare_cached("SELECT enabled FROM hookbox_app WHERE id = ?1")?
        .query_row((id.as_str(),), |row| row.get(0))
        .optional()?;
    Ok(enabled.map(|enabled| {
        if enabled {
            AppState::Enabled
        } else {
            AppState::Disabled
        }
    }))
}

pub(super) fn list(db: &Connection, after: &str, limit: usize) -> Result<Vec<App>> {
    let mut statement = db.prepare_cached(
        "SELECT id, enabled, profile, created_at FROM hookbox_app WHERE id > ?1
         ORDER BY id LIMIT ?2",
    )?;
    let mut found = statement.query((after, limit))?;
    let mut apps = Vec::new();
    while let Some(row) = found.next()? {
        apps.push(rows::app(row)?);
    }
    Ok(apps)
}

pub(super) fn set_state(db: &Connection, id: &AppId, new: AppState, ready: bool) -> Result<()> {
    registry_changed(db)?;
    db.execute(
        "UPDATE hookbox_app SET enabled = ?2, version = random() WHERE id = ?1",
        (id.as_str(), new == AppState::Enabled),
    )?;
    db.execute(
        "UPDATE hookbox_webhook_state SET ready = ?2, due_at = coalesce(due_at, 0) WHERE app_id = ?1",
        (id.as_str(), ready),
    )?;
    Ok(())
}

pub(super) fn delete_slice(db: &Connection, id: &AppId, limit: usize) -> Result<bool> {
    registry_changed(db)?;
    let app = id.as_str();
    db.execute("DELETE FROM hookbox_key WHERE app_id = ?1", (app,))?;
    api_keys::delete_of_app(db, id)?;
    let mut budget = limit;
    budget -= db.execute(
        "DELETE FROM hookbox_batch WHERE no IN (
             SELECT b.no FROM hookbox_webhook w JOIN hookbox_batch b ON b.webhook_no = w.no
             WHERE w.app_id = ?1 LIMIT ?2)",
        (app, budget),
    )?;
    if budget > 0 {
        db.execute("DELETE FROM hookbox_webhook WHERE app_id = ?1", (app,))?;
        budget -= db.execute(
            "DELETE FROM hookbox_log WHERE position IN (
                 SELECT position FROM hookbox_log WHERE app_id = ?1 LIMIT ?2)",
            (app, budget),
        )?;
    }
    if budget > 0 {
        db.execute("DELETE FROM hookbox_app WHERE id = ?1", (app,))?;
    }
    Ok(budget == 0)
}

pub(super) fn event_types(db: &Connection) -> Result<Vec<EventType>> {
    let mut statement =
        db.prepare_cached("SELECT name FROM hookbox_event_type WHERE current = 1 ORDER BY name")?;
    let mut found = statement.query(())?;
    let mut types = Vec::new();
    while let Some(row) = found.next()? {
        types.push(rows::parsed(row, "name")?);
    }
    Ok(types)
}

pub(super) fn has_event_type(db: &Connection, name: &EventType) -> Result<bool> {
    Ok(db
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM hookbox_event_type WHERE name = ?1 AND current = 1)",
        )?
        .query_row((name.as_str(),), |row| row.get(0))?)
}

pub(super) fn set_event_types(db: &Connection, types: &[EventType], replace: bool) -> Result<()> {
    if replace {
        db.execute("UPDATE hookbox_event_type SET current = 0", ())?;
    }
    for name in types {
        db.prepare_cached(
            "INSERT INTO hookbox_event_type (name) VALUES (?1)
             ON CONFLICT (name) DO UPDATE SET current = 1",
        )?
        .execute((name.as_str(),))?;
    }
    Ok(())
}

pub(super) fn keys(db: &Connection, app: &AppId) -> Result<Vec<StoredKey>> {
    let mut statement = db.prepare_cached(
        "SELECT * FROM hookbox_key WHERE app_id = ?1 ORDER BY created_at, signs_from, kid",
    )?;
    let mut found = statement.query((app.as_str(),))?;
    let mut keys = Vec::new();
    while let Some(row) = found.next()? {
        keys.push(rows::key(row)?);
    }
    Ok(keys)
}

pub(super) fn replace_keys(db: &Connection, app: &AppId, keys: &[StoredKey]) -> Result<()> {
    db.execute("DELETE FROM hookbox_key WHERE app_id = ?1", (app.as_str(),))?;
    for StoredKey { key, sealed } in keys {
        db.execute(
            "INSERT INTO hookbox_key (app_id, kid, public_jwk, sealed, created_at, signs_from,
                 signs_until, published_until)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            (
                app.as_str(),
                key.kid.as_str(),
                to_json(&key.public)?,
                sealed,
                key.created_at.as_millis(),
                key.signs_from.as_millis(),
                millis(key.signs_until),
                millis(key.published_until),
            ),
        )?;
    }
    Ok(())
}

pub(super) fn delete_expired_keys(db: &Connection, now: Timestamp) -> Result<()> {
    db.execute(
        "DELETE FROM hookbox_key WHERE published_until < ?1",
        (now.as_millis(),),
    )?;
    Ok(())
}
