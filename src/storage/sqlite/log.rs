//! The event log: appending, routing's marks, and reading back.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension};

use crate::error::Result;
use crate::model::{
    AppId, DeliveryMode, Environment, Event, EventId, EventType, Position, Positions, Timestamp,
};
use crate::storage::PreparedEvent;
use crate::storage::tables::Unrouted;

use super::checksum::{EventRow, checksum};
use super::rows::{self, EVENT_COLUMNS};

/// Appends events inside whatever transaction `db` is in: one of ours, or the host's own.
pub(super) fn append(
    db: &Connection,
    app: &AppId,
    events: &[PreparedEvent],
) -> Result<Vec<EventId>> {
    let mut insert = db.prepare_cached(
        "INSERT INTO hookbox_log
             (id, app_id, type, created_at, idempotency_key, environment, at_most_once, payload,
              checksum)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
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
        let row = EventRow {
            id: &prepared.id.to_string(),
            app: app.as_str(),
            event_type: event.event_type.as_str(),
            created_at: prepared.created_at.as_millis(),
            idempotency_key: event.idempotency_key.as_deref(),
            environment: event.environment.as_ref().map(Environment::as_str),
            at_most_once: event.mode == DeliveryMode::AtMostOnce,
            payload: &event.payload,
        };
        insert.execute((
            row.id,
            row.app,
            row.event_type,
            row.created_at,
            row.idempotency_key,
            row.environment,
            row.at_most_once,
            row.payload,
            checksum(&row),
        ))?;
        ids.push(prepared.id);
    }
    Ok(ids)
}

fn by_key(db: &Connection, app: &AppId, key: &str) -> Result<Option<EventId>> {
    db.prepare_cached("SELECT id FROM hookbox_log WHERE app_id = ?1 AND idempotency_key = ?2")?
        .query_row((app.as_str(), key), |row| Ok(rows::parsed(row, "id")))
        .optional()?
        .transpose()
}

/// The last position given: everything up to here is in the log, nothing after it.
pub(super) fn head(db: &Connection) -> Result<Position> {
    let seq: Option<Position> = db
        .prepare_cached("SELECT seq FROM sqlite_sequence WHERE name = 'hookbox_log'")?
        .query_row((), |row| row.get(0))
        .optional()?;
    Ok(seq.unwrap_or(0))
}

pub(super) fn routed(db: &Connection) -> Result<Position> {
    Ok(db
        .prepare_cached("SELECT value FROM hookbox_setting WHERE name = 'routed_position'")?
        .query_row((), |row| row.get(0))?)
}

pub(super) fn set_routed(db: &Connection, until: Position) -> Result<()> {
    db.prepare_cached("UPDATE hookbox_setting SET value = ?1 WHERE name = 'routed_position'")?
        .execute((until,))?;
    Ok(())
}

pub(super) fn unrouted(db: &Connection, limit: usize) -> Result<Unrouted> {
    let (routed, head) = (routed(db)?, head(db)?);
    if routed >= head {
        return Ok(Unrouted::default());
    }
    let limit = Position::try_from(limit).unwrap_or(Position::MAX);
    let until = head.min(routed.saturating_add(limit));
    let last = last_of_each_type(db, routed, until)?;
    Ok(Unrouted {
        last: last
            .into_iter()
            .map(|((app, event_type), last)| (app, event_type, last))
            .collect(),
        until: Some(until),
        more: until < head,
    })
}

/// The last position of each app and type within a span of the log.
fn last_of_each_type(
    db: &Connection,
    after: Position,
    until: Position,
) -> Result<HashMap<(String, String), Position>> {
    let mut statement = db.prepare_cached(
        "SELECT position, app_id, type FROM hookbox_log
         WHERE position > ?1 AND position <= ?2 ORDER BY position",
    )?;
    let mut found = statement.query((after, until))?;
    let mut last: HashMap<(String, String), Position> = HashMap::new();
    let mut run: Option<((String, String), Position)> = None;
    while let Some(row) = found.next()? {
        let position: Position = row.get(0)?;
        let (app, event_type) = (row.get_ref(1)?.as_str(), row.get_ref(2)?.as_str());
        let (Ok(app), Ok(event_type)) = (app, event_type) else {
            continue;
        };
        // Entries come in runs of one app and type: no allocation within a run.
        match &mut run {
            Some((of, at)) if of.0 == app && of.1 == event_type => *at = position,
            _ => {
                let next = ((app.to_owned(), event_type.to_owned()), position);
                if let Some((of, at)) = run.replace(next) {
                    last.insert(of, at);
                }
            }
        }
    }
    last.extend(run);
    Ok(last)
}

/// How many of these positions the log still has.
pub(super) fn count(db: &Connection, positions: &Positions) -> Result<usize> {
    let mut statement =
        db.prepare_cached("SELECT count(*) FROM hookbox_log WHERE position BETWEEN ?1 AND ?2")?;
    let mut total = 0;
    for range in positions.ranges() {
        total += statement.query_row(*range, |row| row.get::<_, usize>(0))?;
    }
    Ok(total)
}

pub(super) fn read(db: &Connection, positions: &Positions) -> Result<Vec<Event>> {
    let mut statement = db.prepare_cached(&format!(
        "SELECT {EVENT_COLUMNS} FROM hookbox_log
         WHERE position BETWEEN ?1 AND ?2 ORDER BY position"
    ))?;
    let mut events = Vec::with_capacity(positions.len());
    for range in positions.ranges() {
        let mut found = statement.query(*range)?;
        while let Some(row) = found.next()? {
            events.push(rows::event(row)?);
        }
    }
    Ok(events)
}

/// How many events cannot be read as they were emitted. Reads the whole log.
pub(super) fn damaged(db: &Connection) -> Result<usize> {
    let mut statement = db.prepare_cached(&format!("SELECT {EVENT_COLUMNS} FROM hookbox_log"))?;
    let mut found = statement.query(())?;
    let mut damaged = 0;
    while let Some(row) = found.next()? {
        damaged += usize::from(rows::event(row).is_err());
    }
    Ok(damaged)
}

/// Position and time of the events after a position and up to another.
pub(super) fn after(
    db: &Connection,
    position: Position,
    until: Position,
    limit: usize,
) -> Result<Vec<(Position, Timestamp)>> {
    let mut statement = db.prepare_cached(
        "SELECT position, created_at FROM hookbox_log
         WHERE position > ?1 AND position <= ?2 ORDER BY position LIMIT ?3",
    )?;
    let found = statement.query_map((position, until, limit), |row| {
        Ok((row.get(0)?, Timestamp::from_millis(row.get(1)?)))
    })?;
    Ok(found.collect::<rusqlite::Result<_>>()?)
}

pub(super) fn event(db: &Connection, id: &EventId) -> Result<Option<Event>> {
    let sql = format!("SELECT {EVENT_COLUMNS} FROM hookbox_log WHERE id = ?1");
    db.prepare_cached(&sql)?
        .query_row((id.to_string(),), |row| Ok(rows::event(row)))
        .optional()?
        .transpose()
}

pub(super) fn list(
    db: &Connection,
    app: &AppId,
    event_type: Option<&EventType>,
    before: Position,
    limit: usize,
) -> Result<Vec<Event>> {
    let mut statement = db.prepare_cached(&format!(
        "SELECT {EVENT_COLUMNS} FROM hookbox_log WHERE app_id = ?1 AND position < ?2
             AND (?3 IS NULL OR type = ?3)
         ORDER BY position DESC LIMIT ?4"
    ))?;
    let event_type = event_type.map(EventType::as_str);
    let mut found = statement.query((app.as_str(), before, event_type, limit))?;
    let mut events = Vec::new();
    while let Some(row) = found.next()? {
        events.push(rows::event(row)?);
    }
    Ok(events)
}
