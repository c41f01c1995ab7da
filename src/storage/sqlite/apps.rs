//! Apps, their keys, and the catalogue of event types.

use rusqlite::{Connection, OptionalExtension};

use crate::error::{Error, Result};
use crate::model::{App, AppId, AppState, EventType};
use crate::storage::{EditKeys, Page, PageRequest, StoredKey};

use super::rows::{self, millis, to_json};

pub(super) fn create(db: &Connection, app: &App, keys: &[StoredKey]) -> Result<()> {
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
    if created == 0 {
        return Err(Error::AppExists(app.id.clone()));
    }
    save_keys(db, &app.id, keys)
}

pub(super) fn get(db: &Connection, id: &AppId) -> Result<App> {
    db.prepare_cached("SELECT id, enabled, profile, created_at FROM hookbox_app WHERE id = ?1")?
        .query_row((id.as_str(),), |row| Ok(rows::app(row)))
        .optional()?
        .unwrap_or_else(|| Err(Error::AppNotFound(id.to_string())))
}

/// The app's state, or the error that refuses a change while it is disabled.
pub(super) fn require_enabled(db: &Connection, id: &AppId) -> Result<()> {
    match state(db, id)? {
        AppState::Enabled => Ok(()),
        AppState::Disabled => Err(Error::SessionDisabled(id.clone())),
    }
}

pub(super) fn state(db: &Connection, id: &AppId) -> Result<AppState> {
    let enabled: Option<bool> = db
        .prepare_cached("SELECT enabled FROM hookbox_app WHERE id = ?1")?
        .query_row((id.as_str(),), |row| row.get(0))
        .optional()?;
    match enabled {
        Some(true) => Ok(AppState::Enabled),
        Some(false) => Ok(AppState::Disabled),
        None => Err(Error::AppNotFound(id.to_string())),
    }
}

pub(super) fn list(db: &Connection, page: &PageRequest) -> Result<Page<App>> {
    let mut statement = db.prepare_cached(
        "SELECT id, enabled, profile, created_at FROM hookbox_app WHERE id > ?1
         ORDER BY id LIMIT ?2",
    )?;
    let mut found = statement.query((page.cursor().unwrap_or(""), page.limit() + 1))?;
    let mut items = Vec::new();
    while let Some(row) = found.next()? {
        let app = rows::app(row)?;
        items.push((app.id.to_string(), app));
    }
    Ok(Page::from_rows(items, page.limit()))
}

pub(super) fn set_state(db: &Connection, id: &AppId, new: AppState) -> Result<App> {
    let enabled = new == AppState::Enabled;
    db.execute(
        "UPDATE hookbox_app SET enabled = ?2, version = random() WHERE id = ?1",
        (id.as_str(), enabled),
    )?;
    // Senders look at every webhook of an app that comes back, and at none of one that goes.
    db.execute(
        "UPDATE hookbox_webhook_state SET ready = ?2, due_at = coalesce(due_at, 0) WHERE app_id = ?1",
        (id.as_str(), enabled),
    )?;
    get(db, id)
}

/// Rows of an app's events deleted per transaction.
const DELETE_SLICE: usize = 10_000;

/// Deletes one slice of an app; true when nothing is left.
pub(super) fn delete_slice(db: &Connection, id: &AppId) -> Result<bool> {
    set_state(db, id, AppState::Disabled)?;
    let app = id.as_str();
    db.execute("DELETE FROM hookbox_key WHERE app_id = ?1", (app,))?;
    let mut budget = DELETE_SLICE;
    budget -= db.execute(
        "DELETE FROM hookbox_batch WHERE no IN (
             SELECT b.no FROM hookbox_webhook w JOIN hookbox_batch b ON b.webhook_no = w.no
             WHERE w.app_id = ?1 LIMIT ?2)",
        (app, budget),
    )?;
    if budget > 0 {
        db.execute("DELETE FROM hookbox_webhook WHERE app_id = ?1", (app,))?;
        budget -= db.execute(
            "DELETE FROM hookbox_event WHERE position IN (
                 SELECT position FROM hookbox_event WHERE app_id = ?1 LIMIT ?2)",
            (app, budget),
        )?;
    }
    if budget > 0 {
        db.execute("DELETE FROM hookbox_app WHERE id = ?1", (app,))?;
    }
    Ok(budget > 0)
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

pub(super) fn require_event_type(db: &Connection, name: &EventType) -> Result<()> {
    let known: bool = db
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM hookbox_event_type WHERE name = ?1 AND current = 1)",
        )?
        .query_row((name.as_str(),), |row| row.get(0))?;
    if known {
        Ok(())
    } else {
        Err(EventType::unknown(name.as_str()))
    }
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
    state(db, app)?;
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

pub(super) fn edit_keys(db: &Connection, app: &AppId, edit: EditKeys) -> Result<Vec<StoredKey>> {
    let mut all = keys(db, app)?;
    edit(&mut all)?;
    db.execute("DELETE FROM hookbox_key WHERE app_id = ?1", (app.as_str(),))?;
    save_keys(db, app, &all)?;
    keys(db, app)
}

fn save_keys(db: &Connection, app: &AppId, keys: &[StoredKey]) -> Result<()> {
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
