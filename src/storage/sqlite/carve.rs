//! Carving: taking the next events owed to a webhook out of the log, as one frozen batch.

use rusqlite::{CachedStatement, Connection, Rows};

use crate::error::Result;
use crate::machine::Carver;
use crate::model::{AppId, DeliveryMode, DeliveryPolicy, Events, Position, Positions, Webhook};

use super::rows::mode;
use super::webhooks::{self, ALL_TYPES};

/// Entries looked at for one batch; those of other environments are passed over.
const ENTRIES_MAX: usize = 10_000;

/// A span of one event type that the webhook is owed: after `from`, up to `until`.
struct Span {
    event_type: String,
    from: Position,
    until: Position,
    environment: Option<String>,
}

/// What was carved, and up to where everything owed is taken now.
pub(super) struct Carved {
    pub(super) batch: Option<(Positions, DeliveryMode)>,
    pub(super) cursor: Position,
    /// Whether there may be more after the cursor.
    pub(super) more: bool,
}

/// Carves what the webhook's subscriptions owe it after `cursor`.
pub(super) fn carve_owed(
    db: &Connection,
    webhook_no: i64,
    app: &AppId,
    cursor: Position,
    policy: &DeliveryPolicy,
) -> Result<Carved> {
    let head = webhooks::head(db)?;
    let spans = owed_spans(db, webhook_no, app, cursor, head)?;
    carve(db, app, &spans, cursor, head, policy)
}

/// Carves what a replay owes after `cursor`: every type and the environment of the webhook as it
/// is subscribed now.
pub(super) fn carve_replay(
    db: &Connection,
    webhook: &Webhook,
    cursor: Position,
    until: Position,
    policy: &DeliveryPolicy,
) -> Result<Carved> {
    let types = match &webhook.events {
        Events::All => app_types(db, &webhook.app_id)?,
        Events::Only(types) => types.iter().map(ToString::to_string).collect(),
    };
    let spans: Vec<Span> = types
        .into_iter()
        .map(|event_type| Span {
            event_type,
            from: cursor,
            until,
            environment: webhook
                .environment
                .as_ref()
                .map(|name| name.as_str().to_owned()),
        })
        .collect();
    carve(db, &webhook.app_id, &spans, cursor, until, policy)
}

/// How many events a webhook is owed that are in no batch, up to a limit, and when the first of
/// them was emitted.
pub(super) fn count_owed(
    db: &Connection,
    webhook_no: i64,
    app: &AppId,
    cursor: Position,
    limit: u64,
) -> Result<(u64, Option<i64>)> {
    let head = webhooks::head(db)?;
    let (mut count, mut oldest) = (0, None::<(Position, i64)>);
    for span in owed_spans(db, webhook_no, app, cursor, head)? {
        let bounds = (
            app.as_str(),
            &span.event_type,
            span.from,
            span.until,
            &span.environment,
        );
        let (number, first): (u64, Option<Position>) = db
            .prepare_cached(
                "SELECT count(*), min(position) FROM (SELECT position FROM hookbox_event
                     WHERE app_id = ?1 AND type = ?2 AND position > ?3 AND position <= ?4
                         AND (?5 IS NULL OR environment = ?5)
                     LIMIT ?6)",
            )?
            .query_row(
                (bounds.0, bounds.1, bounds.2, bounds.3, bounds.4, limit),
                |row| Ok((row.get(0)?, row.get(1)?)),
            )?;
        count += number;
        if let Some(position) = first
            && oldest.is_none_or(|(before, _)| position < before)
        {
            let at = db
                .prepare_cached("SELECT created_at FROM hookbox_event WHERE position = ?1")?
                .query_row((position,), |row| row.get(0))?;
            oldest = Some((position, at));
        }
    }
    Ok((count.min(limit), oldest.map(|(_, at)| at)))
}

/// The spans of a webhook's subscriptions that lie after its cursor; those for all types are
/// spelled out.
fn owed_spans(
    db: &Connection,
    webhook_no: i64,
    app: &AppId,
    cursor: Position,
    head: Position,
) -> Result<Vec<Span>> {
    let mut statement = db.prepare_cached(
        "SELECT type, max(from_position, ?2), coalesce(until_position, ?3), environment
         FROM hookbox_subscription
         WHERE webhook_no = ?1 AND coalesce(until_position, ?3) > max(from_position, ?2)",
    )?;
    let mut found = statement.query((webhook_no, cursor, head))?;
    let mut spans = Vec::new();
    while let Some(row) = found.next()? {
        let event_type: String = row.get(0)?;
        let types = if event_type == ALL_TYPES {
            app_types(db, app)?
        } else {
            vec![event_type]
        };
        for event_type in types {
            spans.push(Span {
                event_type,
                from: row.get(1)?,
                until: row.get(2)?,
                environment: row.get(3)?,
            });
        }
    }
    Ok(spans)
}

/// Every type that an app has events of: one seek in the index for each.
fn app_types(db: &Connection, app: &AppId) -> Result<Vec<String>> {
    let mut statement = db.prepare_cached(
        "SELECT type FROM hookbox_event WHERE app_id = ?1 AND type > ?2 ORDER BY type LIMIT 1",
    )?;
    let mut types: Vec<String> = Vec::new();
    loop {
        let after = types.last().map_or("", String::as_str);
        let mut found = statement.query((app.as_str(), after))?;
        match found.next()? {
            Some(row) => types.push(row.get(0)?),
            None => return Ok(types),
        }
    }
}

/// One entry as the index and the row give it.
struct Entry {
    position: Position,
    bytes: u64,
    mode: DeliveryMode,
    matches: bool,
}

/// Merges the spans in order of position into one batch.
fn carve(
    db: &Connection,
    app: &AppId,
    spans: &[Span],
    cursor: Position,
    head: Position,
    policy: &DeliveryPolicy,
) -> Result<Carved> {
    let mut statements: Vec<CachedStatement<'_>> = spans
        .iter()
        .map(|_| {
            db.prepare_cached(
                "SELECT position, octet_length(payload), at_most_once,
                        ?5 IS NULL OR environment IS ?5
                 FROM hookbox_event
                 WHERE app_id = ?1 AND type = ?2 AND position > ?3 AND position <= ?4
                 ORDER BY position",
            )
        })
        .collect::<rusqlite::Result<_>>()?;
    let mut streams: Vec<(Rows<'_>, Option<Entry>)> = Vec::with_capacity(spans.len());
    for (statement, span) in statements.iter_mut().zip(spans) {
        let mut rows = statement.query((
            app.as_str(),
            &span.event_type,
            span.from,
            span.until,
            &span.environment,
        ))?;
        let first = next_entry(&mut rows)?;
        streams.push((rows, first));
    }
    let mut carver = Carver::new(policy);
    let mut taken = cursor;
    let mut looked_at = 0;
    let more = loop {
        let earliest = streams
            .iter_mut()
            .filter(|(_, entry)| entry.is_some())
            .min_by_key(|(_, entry)| entry.as_ref().map(|entry| entry.position));
        let Some((rows, slot)) = earliest else {
            break false;
        };
        let Some(entry) = slot.take() else {
            break false;
        };
        looked_at += 1;
        // Spans do not overlap, unless somebody spoiled them: no position is taken twice.
        if entry.position <= taken {
            *slot = next_entry(rows)?;
            continue;
        }
        if looked_at > ENTRIES_MAX
            || (entry.matches && !carver.offer(entry.position, entry.bytes, entry.mode))
        {
            break true;
        }
        taken = entry.position;
        if carver.is_full() {
            break true;
        }
        *slot = next_entry(rows)?;
    };
    Ok(Carved {
        batch: carver.finish(),
        cursor: if more { taken } else { head },
        more,
    })
}

fn next_entry(rows: &mut Rows<'_>) -> Result<Option<Entry>> {
    let Some(row) = rows.next()? else {
        return Ok(None);
    };
    Ok(Some(Entry {
        position: row.get(0)?,
        bytes: row.get(1)?,
        mode: mode(row)?,
        matches: row.get(3)?,
    }))
}
