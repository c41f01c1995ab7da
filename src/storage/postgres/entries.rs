//! The log by app and type: what carving a batch reads, from the index.

use crate::error::Result;
use crate::model::{AppId, Environment, Position};
use crate::storage::tables::{Entry, Span};

use super::rows::{mode, number, text};
use super::session::{Db, limit};

/// Every type that an app has events of: one seek for each.
pub(super) fn types_of(db: &Db<'_>, app: &AppId) -> Result<Vec<String>> {
    let found = db.query(
        "WITH RECURSIVE next (type) AS (
             (SELECT type FROM hookbox_log WHERE app_id = $1 ORDER BY type LIMIT 1)
             UNION ALL
             SELECT (SELECT l.type FROM hookbox_log l
                     WHERE l.app_id = $1 AND l.type > next.type ORDER BY l.type LIMIT 1)
             FROM next WHERE next.type IS NOT NULL)
         SELECT type FROM next WHERE type IS NOT NULL",
        &[&app.as_str()],
    )?;
    let names = found.iter().map(|row| text(row, "type").map(str::to_owned));
    names.collect()
}

/// The spans in order of position: of each at most as many entries as are asked for.
pub(super) fn merge(db: &Db<'_>, app: &AppId, spans: &[Span], max: usize) -> Result<Vec<Entry>> {
    let types: Vec<&str> = spans.iter().map(|span| span.event_type.as_str()).collect();
    let from: Vec<Position> = spans.iter().map(|span| span.from).collect();
    let until: Vec<Position> = spans.iter().map(|span| span.until).collect();
    let environments: Vec<Option<&str>> = spans
        .iter()
        .map(|span| span.environment.as_ref().map(Environment::as_str))
        .collect();
    let found = db.query(
        "SELECT l.position, l.bytes, l.at_most_once,
                s.environment IS NULL OR coalesce(l.environment = s.environment, FALSE) AS matches
         FROM unnest($2::TEXT[], $3::BIGINT[], $4::BIGINT[], $5::TEXT[])
             AS s (type, from_position, until_position, environment)
         CROSS JOIN LATERAL (
             SELECT position, bytes, at_most_once, environment FROM hookbox_log
             WHERE app_id = $1 AND type = s.type AND position > s.from_position
                 AND position <= s.until_position
             ORDER BY position LIMIT $6) l
         ORDER BY l.position LIMIT $6",
        &[
            &app.as_str(),
            &types,
            &from,
            &until,
            &environments,
            &limit(max),
        ],
    )?;
    let entries = found.iter().map(|row| {
        Ok(Entry {
            position: number(row, "position")?,
            bytes: number(row, "bytes")?,
            mode: mode(row)?,
            matches: row.try_get("matches")?,
        })
    });
    entries.collect()
}

pub(super) fn count(
    db: &Db<'_>,
    app: &AppId,
    span: &Span,
    max: u64,
) -> Result<(u64, Option<Position>)> {
    let row = db.row(
        "SELECT count(*) AS count, min(position) AS first FROM (
             SELECT position FROM hookbox_log
             WHERE app_id = $1 AND type = $2 AND position > $3 AND position <= $4
                 AND ($5::TEXT IS NULL OR environment = $5)
             ORDER BY position LIMIT $6) owed",
        &[
            &app.as_str(),
            &span.event_type,
            &span.from,
            &span.until,
            &span.environment.as_ref().map(Environment::as_str),
            &i64::try_from(max).unwrap_or(i64::MAX),
        ],
    )?;
    Ok((number(&row, "count")?, row.try_get("first")?))
}
