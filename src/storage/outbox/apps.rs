//! Apps, their keys, and the catalogue of event types.

use crate::error::{Error, Result};
use crate::model::{App, AppId, AppState, EventType};
use crate::storage::tables::Tables;
use crate::storage::{EditKeys, Page, PageRequest, StoredKey};

pub(super) fn create(tables: &dyn Tables, app: &App, keys: &[StoredKey]) -> Result<()> {
    if !tables.insert_app(app)? {
        return Err(Error::AppExists(app.id.clone()));
    }
    tables.replace_keys(&app.id, keys)
}

/// The app's state, or the error that refuses a change while it is disabled.
pub(super) fn require_enabled(tables: &dyn Tables, id: &AppId) -> Result<()> {
    match state(tables, id)? {
        AppState::Enabled => Ok(()),
        AppState::Disabled => Err(Error::SessionDisabled(id.clone())),
    }
}

pub(super) fn state(tables: &dyn Tables, id: &AppId) -> Result<AppState> {
    tables
        .app_state(id)?
        .ok_or_else(|| Error::AppNotFound(id.to_string()))
}

pub(super) fn list(tables: &dyn Tables, page: &PageRequest) -> Result<Page<App>> {
    let after = match page.cursor() {
        Some(text) => AppId::parse(text)
            .map_err(|_| Error::invalid("cursor", "is not one of ours"))?
            .to_string(),
        None => String::new(),
    };
    let apps = tables.apps(&after, page.limit() + 1)?;
    let rows = apps.into_iter().map(|app| (app.id.to_string(), app));
    Ok(Page::from_rows(rows.collect(), page.limit()))
}

pub(super) fn set_state(tables: &dyn Tables, id: &AppId, new: AppState) -> Result<App> {
    state(tables, id)?;
    // Senders look at every webhook of an app that comes back, and at none of one that goes.
    tables.set_app_state(id, new, new == AppState::Enabled)?;
    tables
        .app(id)?
        .ok_or_else(|| Error::AppNotFound(id.to_string()))
}

/// Rows of an app deleted per transaction.
const DELETE_SLICE: usize = 10_000;

/// Deletes one slice of an app; true when nothing is left.
pub(super) fn delete_slice(tables: &dyn Tables, id: &AppId) -> Result<bool> {
    set_state(tables, id, AppState::Disabled)?;
    Ok(!tables.delete_of_app(id, DELETE_SLICE)?)
}

pub(super) fn require_event_type(tables: &dyn Tables, name: &EventType) -> Result<()> {
    if tables.has_event_type(name)? {
        Ok(())
    } else {
        Err(EventType::unknown(name.as_str()))
    }
}

pub(super) fn keys(tables: &dyn Tables, app: &AppId) -> Result<Vec<StoredKey>> {
    state(tables, app)?;
    tables.keys(app)
}

pub(super) fn edit_keys(
    tables: &dyn Tables,
    app: &AppId,
    edit: &EditKeys,
) -> Result<Vec<StoredKey>> {
    tables.lock_app(app)?;
    let mut all = keys(tables, app)?;
    edit(&mut all)?;
    tables.replace_keys(app, &all)?;
    tables.keys(app)
}
