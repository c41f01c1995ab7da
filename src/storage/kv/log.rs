//! The event log: appending, routing's marks, and reading back.

use std::collections::HashMap;
use std::ops::ControlFlow;

use crate::error::Result;
use crate::model::{AppId, Event, EventId, EventType, Position, Positions, Timestamp};
use crate::storage::PreparedEvent;
use crate::storage::tables::Unrouted;

use super::codec::{Decoder, Encoder, bad_row};
use super::entries;
use super::keys::{Key, KeyRange, Kind, last_number};
use super::rows::EntryRow;
use super::session::{IndexEntry, KvTables};

fn entry_key(position: Position) -> Key {
    Key::new(Kind::Entry).number(position)
}

pub(super) fn payload_key(position: Position) -> Key {
    Key::new(Kind::Payload).number(position)
}

/// The entries after a position and up to another.
pub(super) fn entry_range(after: Position, until: Position) -> KeyRange {
    Key::new(Kind::Entry).numbers(after, until)
}

fn by_key(app: &str, key: &str) -> Key {
    Key::new(Kind::EventByKey).text(app).raw(key.as_bytes())
}

pub(super) fn indexes(position: Position, entry: &EntryRow<'_>) -> Vec<IndexEntry> {
    let at = Encoder::default().number(position).0;
    let mut found = vec![
        (Key::new(Kind::EventById).text(entry.id), at),
        entries::index(position, entry),
    ];
    if let Some(key) = entry.key {
        let id = Encoder::default().text(entry.id).0;
        found.push((by_key(entry.app, key), id));
    }
    found
}

pub(super) fn append(
    tables: &KvTables<'_>,
    app: &AppId,
    events: &[PreparedEvent],
) -> Result<Vec<EventId>> {
    let before = head(tables)?;
    let mut position = before;
    let mut ids = Vec::with_capacity(events.len());
    for prepared in events {
        if let Some(key) = &prepared.event.idempotency_key
            && let Some(value) = tables.get(&by_key(app.as_str(), key))?
        {
            ids.push(Decoder::new("an event's id", &value).parsed()?);
            continue;
        }
        position += 1;
        let id = prepared.id.to_string();
        let entry = EntryRow::new(app, &id, prepared);
        if tables.has(&Key::new(Kind::EventById).text(&id))? {
            return Err(bad_row("an event", "there is one with this id already"));
        }
        tables.put(&entry_key(position), &entry.value())?;
        tables.put(&payload_key(position), prepared.event.payload.as_bytes())?;
        tables.reindex(&[], &indexes(position, &entry))?;
        ids.push(prepared.id);
    }
    if position > before {
        tables.set("head", position)?;
    }
    Ok(ids)
}

/// The last position given: everything up to here is in the log, nothing after it.
pub(super) fn head(tables: &KvTables<'_>) -> Result<Position> {
    tables.setting("head")
}

pub(super) fn unrouted(tables: &KvTables<'_>, limit: usize) -> Result<Unrouted> {
    let (routed, head) = (tables.setting("routed")?, head(tables)?);
    if routed >= head {
        return Ok(Unrouted::default());
    }
    let limit = Position::try_from(limit).unwrap_or(Position::MAX);
    let until = head.min(routed.saturating_add(limit));
    let last = last_of_each_type(tables, routed, until)?;
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
    tables: &KvTables<'_>,
    after: Position,
    until: Position,
) -> Result<HashMap<(String, String), Position>> {
    let mut last: HashMap<(String, String), Position> = HashMap::new();
    let mut run: Option<((String, String), Position)> = None;
    tables.scan(&entry_range(after, until), false, |key, value| {
        // One that somebody spoiled is owed to nobody who could be found.
        if let Ok(entry) = EntryRow::parse(value) {
            let position = last_number(key)?;
            // Entries come in runs of one app and type: no allocation within a run.
            match &mut run {
                Some((of, at)) if of.0 == entry.app && of.1 == entry.event_type => *at = position,
                _ => {
                    let of = (entry.app.to_owned(), entry.event_type.to_owned());
                    if let Some((of, at)) = run.replace((of, position)) {
                        last.insert(of, at);
                    }
                }
            }
        }
        Ok(ControlFlow::Continue(()))
    })?;
    last.extend(run);
    Ok(last)
}

/// How many of these positions the log still has.
pub(super) fn count(tables: &KvTables<'_>, positions: &Positions) -> Result<usize> {
    let mut total = 0;
    for (first, last) in positions.ranges() {
        tables.scan(&entry_range(first - 1, *last), false, |_, _| {
            total += 1;
            Ok(ControlFlow::Continue(()))
        })?;
    }
    Ok(total)
}

pub(super) fn read(tables: &KvTables<'_>, positions: &Positions) -> Result<Vec<Event>> {
    let mut events = Vec::with_capacity(positions.len().min(1_000));
    for (first, last) in positions.ranges() {
        let range = entry_range(first - 1, *last);
        let found = tables.collect(&range, false, usize::MAX, |key, value| {
            Ok(Some((last_number(key)?, value.to_vec())))
        })?;
        for (position, value) in found {
            events.push(event(tables, position, &value)?);
        }
    }
    Ok(events)
}

fn event(tables: &KvTables<'_>, position: Position, entry: &[u8]) -> Result<Event> {
    let payload = tables
        .get(&payload_key(position))?
        .ok_or_else(|| bad_row("an event", format!("{position} has no payload")))?;
    EntryRow::parse(entry)?.event(position, payload)
}

/// Position and time of the events after a position and up to another.
pub(super) fn after(
    tables: &KvTables<'_>,
    position: Position,
    until: Position,
    limit: usize,
) -> Result<Vec<(Position, Timestamp)>> {
    let range = entry_range(position, until);
    tables.collect(&range, false, limit, |key, value| {
        let created_at = Decoder::new("an event", value).time()?;
        Ok(Some((last_number(key)?, created_at)))
    })
}

/// Reads an event whose position is known from an index, if it is still there.
fn at(tables: &KvTables<'_>, position: Position) -> Result<Option<Event>> {
    let entry = tables.get(&entry_key(position))?;
    entry
        .map(|value| event(tables, position, &value))
        .transpose()
}

pub(super) fn find(tables: &KvTables<'_>, id: &EventId) -> Result<Option<Event>> {
    let key = Key::new(Kind::EventById).text(&id.to_string());
    match tables.get(&key)? {
        Some(value) => at(
            tables,
            Decoder::new("an event's position", &value).number()?,
        ),
        None => Ok(None),
    }
}

/// The newest of each type, merged.
pub(super) fn list(
    tables: &KvTables<'_>,
    app: &AppId,
    event_type: Option<&EventType>,
    before: Position,
    limit: usize,
) -> Result<Vec<Event>> {
    let types = match event_type {
        Some(event_type) => vec![event_type.to_string()],
        None => entries::types_of(tables, app.as_str())?,
    };
    let mut positions: Vec<Position> = Vec::new();
    for event_type in types {
        let range = entries::range(
            app.as_str(),
            &event_type,
            i64::MIN,
            before.saturating_sub(1),
        );
        positions.extend(tables.collect(&range, true, limit, |key, _| last_number(key).map(Some))?);
    }
    positions.sort_unstable_by(|a, b| b.cmp(a));
    positions.truncate(limit);
    let mut events = Vec::with_capacity(positions.len());
    for position in positions {
        events.extend(at(tables, position)?);
    }
    Ok(events)
}

/// Deletes an event and its index entries, as far as its row says which they are.
pub(super) fn delete(tables: &KvTables<'_>, position: Position) -> Result<()> {
    if let Some(value) = tables.get(&entry_key(position))?
        && let Ok(entry) = EntryRow::parse(&value)
    {
        tables.reindex(&indexes(position, &entry), &[])?;
    }
    tables.delete(&payload_key(position))?;
    tables.delete(&entry_key(position))
}
