//! The log by app and type: what carving a batch reads, mostly from the index.

use rusqlite::{CachedStatement, Connection, Rows};

use crate::error::Result;
use crate::model::{AppId, Environment, Position};
use crate::storage::tables::{Entry, Span};

use super::rows::mode;

/// Every type that an app has events of.
pub(super) fn types_of(db: &Connection, app: &AppId) -> Result<Vec<String>> {
    let mut statement = db.prepare_cached(
        "SELECT type FROM hookbox_log WHERE app_id = ?1 AND type > ?2 ORDER BY type LIMIT 1",
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

/// Merges the spans in order of position: each is read only as far as it is needed.
pub(super) fn merge(
    db: &Connection,
    app: &AppId,
    spans: &[Span],
    limit: usize,
) -> Result<Vec<Entry>> {
    let mut statements: Vec<CachedStatement<'_>> = spans
        .iter()
        .map(|_| {
            db.prepare_cached(
                "SELECT position, octet_length(payload), at_most_once,
                        ?5 IS NULL OR environment IS ?5
                 FROM hookbox_log
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
            span.environment.as_ref().map(Environment::as_str),
        ))?;
        let first = next_entry(&mut rows)?;
        streams.push((rows, first));
    }
    let mut entries = Vec::new();
    while entries.len() < limit {
        let earliest = streams
            .iter_mut()
            .filter(|(_, entry)| entry.is_some())
            .min_by_key(|(_, entry)| entry.map(|entry| entry.position));
        let Some((rows, slot)) = earliest else {
            break;
        };
        entries.extend(slot.take());
        *slot = next_entry(rows)?;
    }
    Ok(entries)
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

pub(super) fn count(
    db: &Connection,
    app: &AppId,
    span: &Span,
    limit: u64,
) -> Result<(u64, Option<Position>)> {
    Ok(db
        .prepare_cached(
            "SELECT count(*), min(position) FROM (SELECT position FROM hookbox_log
                 WHERE app_id = ?1 AND type = ?2 AND position > ?3 AND position <= ?4
                     AND (?5 IS NULL OR environment = ?5)
                 LIMIT ?6)",
        )?
        .query_row(
            (
                app.as_str(),
                &span.event_type,
                span.from,
                span.until,
                span.environment.as_ref().map(Environment::as_str),
                limit,
            ),
            |row| Ok((row.get(0)?, row.get(1)?)),
        )?)
}
