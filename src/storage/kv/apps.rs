//! Apps, their keys, and the catalogue of event types.

use crate::clock::{Random, SystemRandom};
use crate::error::Result;
use crate::model::{App, AppId, AppState, EventType, Timestamp};
use crate::storage::StoredKey;

use super::api_keys;
use super::codec::{Decoder, bad_row};
use super::keys::{Key, Kind, last_number, text_at};
use super::rows::{self, AppHead};
use super::session::KvTables;
use super::{batches, log, state, webhooks};

fn app_key(id: &str) -> Key {
    Key::new(Kind::App).text(id)
}

/// A random number, for a row that changed.
pub(super) fn new_version() -> Result<i64> {
    Ok(SystemRandom.seed()?.cast_signed())
}

pub(super) fn insert(tables: &KvTables<'_>, app: &App) -> Result<bool> {
    let key = app_key(app.id.as_str());
    if tables.has(&key)? {
        return Ok(false);
    }
    tables.put(&key, &rows::app_value(app, new_version()?)?)?;
    Ok(true)
}

pub(super) fn get(tables: &KvTables<'_>, id: &AppId) -> Result<Option<App>> {
    let value = tables.get(&app_key(id.as_str()))?;
    value.map(|value| rows::app(id.clone(), &value)).transpose()
}

pub(super) fn head(tables: &KvTables<'_>, id: &AppId) -> Result<Option<AppHead>> {
    let value = tables.get(&app_key(id.as_str()))?;
    value
        .map(|value| rows::app_head(&mut Decoder::new("an app", &value)))
        .transpose()
}

pub(super) fn list(tables: &KvTables<'_>, after: &str, limit: usize) -> Result<Vec<App>> {
    let range = Key::new(Kind::App).texts_after(after);
    tables.collect(&range, false, limit, |key, value| {
        let (id, _) = text_at(key, 1)?;
        let id = AppId::parse(id).map_err(|error| bad_row("an app", error))?;
        rows::app(id, value).map(Some)
    })
}

pub(super) fn set_state(
    tables: &KvTables<'_>,
    id: &AppId,
    new: AppState,
    ready: bool,
) -> Result<()> {
    if let Some(mut app) = get(tables, id)? {
        app.state = new;
        let value = rows::app_value(&app, new_version()?)?;
        tables.put(&app_key(id.as_str()), &value)?;
    }
    for no in webhooks::of_app(tables, id)? {
        state::change(tables, no, |state| {
            state.ready = ready;
            state.due_at.get_or_insert_default();
        })?;
    }
    Ok(())
}

/// Deletes about `limit` rows; batches first, the app last.
pub(super) fn delete_slice(tables: &KvTables<'_>, id: &AppId, limit: usize) -> Result<bool> {
    tables.delete_all(&Key::new(Kind::SigningKey).text(id.as_str()).all())?;
    api_keys::delete_of_app(tables, id)?;
    let mut budget = limit;
    let of_app = webhooks::of_app(tables, id)?;
    for no in &of_app {
        let range = Key::new(Kind::BatchOfWebhook).number(*no).all();
        for key in tables.keys(&range, budget)? {
            batches::delete(tables, last_number(&key.0)?)?;
            // Its row may be gone or spoiled: the entry goes all the same.
            tables.delete(&key)?;
            budget -= 1;
        }
    }
    if budget == 0 {
        return Ok(true);
    }
    for no in of_app {
        webhooks::delete(tables, no)?;
    }
    let range = Key::new(Kind::EventOfType).text(id.as_str()).all();
    for key in tables.keys(&range, budget)? {
        log::delete(tables, last_number(&key.0)?)?;
        tables.delete(&key)?;
        budget -= 1;
    }
    if budget == 0 {
        return Ok(true);
    }
    tables.delete(&app_key(id.as_str()))?;
    Ok(false)
}

pub(super) fn event_types(tables: &KvTables<'_>) -> Result<Vec<EventType>> {
    let range = Key::new(Kind::EventType).all();
    tables.collect(&range, false, usize::MAX, |key, _| {
        let (name, _) = text_at(key, 1)?;
        let name = EventType::parse(name).map_err(|error| bad_row("an event type", error))?;
        Ok(Some(name))
    })
}

pub(super) fn has_event_type(tables: &KvTables<'_>, name: &EventType) -> Result<bool> {
    tables.has(&Key::new(Kind::EventType).text(name.as_str()))
}

pub(super) fn set_event_types(
    tables: &KvTables<'_>,
    types: &[EventType],
    replace: bool,
) -> Result<()> {
    if replace {
        tables.delete_all(&Key::new(Kind::EventType).all())?;
    }
    for name in types {
        tables.put(&Key::new(Kind::EventType).text(name.as_str()), &[])?;
    }
    Ok(())
}

pub(super) fn keys(tables: &KvTables<'_>, app: &AppId) -> Result<Vec<StoredKey>> {
    let range = Key::new(Kind::SigningKey).text(app.as_str()).all();
    let mut keys = tables.collect(&range, false, usize::MAX, |_, value| {
        rows::key(app.clone(), value).map(Some)
    })?;
    keys.sort_by(|a, b| {
        let order = |stored: &StoredKey| (stored.key.created_at, stored.key.signs_from);
        order(a)
            .cmp(&order(b))
            .then_with(|| a.key.kid.cmp(&b.key.kid))
    });
    Ok(keys)
}

pub(super) fn replace_keys(tables: &KvTables<'_>, app: &AppId, keys: &[StoredKey]) -> Result<()> {
    let of_app = Key::new(Kind::SigningKey).text(app.as_str());
    tables.delete_all(&of_app.clone().all())?;
    for stored in keys {
        let key = of_app.clone().text(stored.key.kid.as_str());
        tables.put(&key, &rows::key_value(stored)?)?;
    }
    Ok(())
}

pub(super) fn delete_expired_keys(tables: &KvTables<'_>, now: Timestamp) -> Result<()> {
    let range = Key::new(Kind::SigningKey).all();
    let expired = tables.collect(&range, false, usize::MAX, |key, value| {
        let until = rows::key_published_until(value)?;
        Ok(until
            .filter(|until| *until < now)
            .map(|_| Key(key.to_vec())))
    })?;
    for key in expired {
        tables.delete(&key)?;
    }
    Ok(())
}
