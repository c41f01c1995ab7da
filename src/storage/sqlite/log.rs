//! The event log: appending, and reading back.

use rusqlite::{Connection, OptionalExtension};

use crate::error::Result;
use crate::model::{AppId, DeliveryMode, Environment, Event, EventId, EventType, Positions};
use crate::storage::PreparedEvent;

use super::{apps, rows};

/// Appends events inside whatever transaction `db` is in: one of ours, or the host's own.
///
/// Everything that can be refused is checked before the first insert, so that a host may go on
/// with its transaction after an error.
pub(super) fn emit(db: &Connection, app: &AppId, events: &[PreparedEvent]) -> Result<Vec<EventId>> {
    apps::require_enabled(db, app)?;
    let mut checked: Option<&EventType> = None;
    for prepared in events {
        let event_type = &prepared.event.event_type;
        if checked != Some(event_type) {
            apps::require_event_type(db, event_type)?;
            checked = Some(event_type);
        }
    }
    let mut insert = db.prepare_cached(
        "INSERT INTO hookbox_event
             (id, app_id, type, created_at, idempotency_key, environment, at_most_once, payload)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?;
    let mut ids = Vec::with_capacity(events.len());
    for prepared in events {
        let event = &prepared.event;
        if let Some(key) = &event.idempotency_key
            && let Some(first) = by_key(db, app, key)?
        {
            ids.push(first);
            continue;
        }
        insert.execute((
            prepared.id.to_string(),
            app.as_str(),
            event.event_type.as_str(),
            prepared.created_at.as_millis(),
            &event.idempotency_key,
            event.environment.as_ref().map(Environment::as_str),
            event.mode == DeliveryMode::AtMostOnce,
            &event.payload,
        ))?;
        ids.push(prepared.id);
    }
    Ok(ids)
}

fn by_key(db: &Connection, app: &AppId, key: &str) -> Result<Option<EventId>> {
    db.prepare_cached("SELECT id FROM hookbox_event WHERE app_id = ?1 AND idempotency_key = ?2")?
        .query_row((app.as_str(), key), |row| Ok(rows::parsed(row, "id")))
        .optional()?
        .transpose()
}

/// How many of these positions the log still has.
pub(super) fn count(db: &Connection, positions: &Positions) -> Result<usize> {
    let mut statement =
        db.prepare_cached("SELECT count(*) FROM hookbox_event WHERE position BETWEEN ?1 AND ?2")?;
    let mut total = 0;
    for range in positions.ranges() {
        total += statement.query_row(*range, |row| row.get::<_, usize>(0))?;
    }
    Ok(total)
}

pub(super) fn read(db: &Connection, positions: &Positions) -> Result<Vec<Event>> {
    let mut statement = db.prepare_cached(
        "SELECT * FROM hookbox_event WHERE position BETWEEN ?1 AND ?2 ORDER BY position",
    )?;
    let mut events = Vec::with_capacity(positions.len());
    for range in positions.ranges() {
        let mut found = statement.query(*range)?;
        while let Some(row) = found.next()? {
            events.push(rows::event(row)?);
        }
    }
    Ok(events)
}
