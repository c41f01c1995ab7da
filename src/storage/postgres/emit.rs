//! Emitting: one statement, one round trip, in whatever transaction the connection is in.

use std::collections::{HashMap, HashSet};

use postgres::Row;
use postgres::types::{ToSql, Type};

use crate::error::{Error, Result, StorageFault};
use crate::model::{AppId, DeliveryMode, Environment, EventId, EventType};
use crate::storage::PreparedEvent;

use super::rows::{parsed, text};

/// A value with its type: what a statement that is not prepared needs to be told.
pub(super) type Typed<'a> = (&'a (dyn ToSql + Sync), Type);

/// How a statement is run: prepared on a connection of ours, as it is on a host's.
pub(super) type Run<'a> = &'a mut dyn FnMut(&str, &[Typed<'_>]) -> Result<Vec<Row>>;

/// Inserts all or nothing: nothing unless the app is enabled and every type is in the catalogue. Of
/// one key, the first event only; a transaction that is about to commit the same key is waited for.
const INSERT: &str = "WITH sent AS (
         SELECT * FROM unnest($2::TEXT[], $3::TEXT[], $4::BIGINT[], $5::TEXT[], $6::TEXT[],
             $7::BOOLEAN[], $8::TEXT[]) WITH ORDINALITY
             AS s (id, type, created_at, idempotency_key, environment, at_most_once, payload, n))
     INSERT INTO hookbox_event
         (id, app_id, type, created_at, idempotency_key, environment, at_most_once, payload)
     SELECT id, $1, type, created_at, idempotency_key, environment, at_most_once, payload FROM sent
     WHERE EXISTS (SELECT 1 FROM hookbox_app WHERE id = $1 AND enabled)
         AND NOT EXISTS (SELECT 1 FROM (SELECT DISTINCT type FROM sent) t WHERE NOT EXISTS (
             SELECT 1 FROM hookbox_event_type e WHERE e.name = t.type AND e.current))
     ORDER BY n
     ON CONFLICT (app_id, idempotency_key) WHERE idempotency_key IS NOT NULL DO NOTHING
     RETURNING id";

/// What of the app and the types stands against it.
const REFUSED: &str =
    "SELECT (SELECT enabled FROM hookbox_app WHERE id = $1) AS enabled,
            (SELECT min(t.type) FROM unnest($2::TEXT[]) AS t (type) WHERE NOT EXISTS (
                 SELECT 1 FROM hookbox_event_type e WHERE e.name = t.type AND e.current)) AS unknown";

const KNOWN: &str = "SELECT idempotency_key, id FROM hookbox_event
     WHERE app_id = $1 AND idempotency_key = ANY ($2)";

/// How often it is tried when what stood against it is gone by the time it is looked for.
const TRIES_MAX: u32 = 10;

/// Appends events; returns the id of each, or of the event first stored under its key.
pub(super) fn emit(run: Run<'_>, app: &AppId, events: &[PreparedEvent]) -> Result<Vec<EventId>> {
    let mut inserted = HashSet::new();
    for _ in 0..TRIES_MAX {
        let left: Vec<&PreparedEvent> = events
            .iter()
            .filter(|one| !inserted.contains(&one.id))
            .collect();
        let now = insert(run, app, &left)?;
        if now.is_empty() {
            require(run, app, &left)?;
        }
        inserted.extend(now);
        if let Some(ids) = with_known(run, app, events, &inserted)? {
            return Ok(ids);
        }
        // Retention has deleted the event of a key meanwhile: this one is new after all.
    }
    let message = "events of the same keys came and went meanwhile: emit again";
    Err(Error::storage(StorageFault::Busy, message))
}

fn insert(run: Run<'_>, app: &AppId, events: &[&PreparedEvent]) -> Result<HashSet<EventId>> {
    if events.is_empty() {
        return Ok(HashSet::new());
    }
    let ids: Vec<String> = events.iter().map(|one| one.id.to_string()).collect();
    let column = |value: fn(&PreparedEvent) -> Option<&str>| -> Vec<Option<&str>> {
        events.iter().map(|one| value(one)).collect()
    };
    let types = column(|one| Some(one.event.event_type.as_str()));
    let keys = column(|one| one.event.idempotency_key.as_deref());
    let environments = column(|one| one.event.environment.as_ref().map(Environment::as_str));
    let payloads = column(|one| Some(one.event.payload.as_str()));
    let times: Vec<i64> = events
        .iter()
        .map(|one| one.created_at.as_millis())
        .collect();
    let modes: Vec<bool> = events
        .iter()
        .map(|one| one.event.mode == DeliveryMode::AtMostOnce)
        .collect();
    let found = run(
        INSERT,
        &[
            (&app.as_str(), Type::TEXT),
            (&ids, Type::TEXT_ARRAY),
            (&types, Type::TEXT_ARRAY),
            (&times, Type::INT8_ARRAY),
            (&keys, Type::TEXT_ARRAY),
            (&environments, Type::TEXT_ARRAY),
            (&modes, Type::BOOL_ARRAY),
            (&payloads, Type::TEXT_ARRAY),
        ],
    )?;
    found.iter().map(|row| parsed(row, "id")).collect()
}

/// Fails when the app or a type is why nothing was inserted.
fn require(run: Run<'_>, app: &AppId, events: &[&PreparedEvent]) -> Result<()> {
    let types: Vec<&str> = events
        .iter()
        .map(|one| one.event.event_type.as_str())
        .collect();
    let values: [Typed<'_>; 2] = [(&app.as_str(), Type::TEXT), (&types, Type::TEXT_ARRAY)];
    for row in run(REFUSED, &values)? {
        match row.try_get("enabled")? {
            None => return Err(Error::AppNotFound(app.to_string())),
            Some(false) => return Err(Error::SessionDisabled(app.clone())),
            Some(true) => {}
        }
        if let Some(name) = row.try_get("unknown")? {
            return Err(EventType::unknown(name));
        }
    }
    Ok(())
}

/// The ids, those of known keys looked up; `None` when a key is not known after all.
fn with_known(
    run: Run<'_>,
    app: &AppId,
    events: &[PreparedEvent],
    inserted: &HashSet<EventId>,
) -> Result<Option<Vec<EventId>>> {
    let keys: Vec<&str> = events
        .iter()
        .filter(|one| !inserted.contains(&one.id))
        .filter_map(|one| one.event.idempotency_key.as_deref())
        .collect();
    let mut known: HashMap<String, EventId> = HashMap::new();
    let app = app.as_str();
    let values: [Typed<'_>; 2] = [(&app, Type::TEXT), (&keys, Type::TEXT_ARRAY)];
    let found = if keys.is_empty() {
        Vec::new()
    } else {
        run(KNOWN, &values)?
    };
    for row in found {
        known.insert(
            text(&row, "idempotency_key")?.to_owned(),
            parsed(&row, "id")?,
        );
    }
    let id_of = |one: &PreparedEvent| {
        if inserted.contains(&one.id) {
            return Some(one.id);
        }
        known.get(one.event.idempotency_key.as_deref()?).copied()
    };
    Ok(events.iter().map(id_of).collect())
}
