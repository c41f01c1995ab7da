//! Reading the log back.

use crate::error::Result;
use crate::model::{AppId, Event, EventId, EventType, Position, Positions, Timestamp};

use super::rows::{self, number};
use super::session::{Db, limit};

/// An event and its position, 0 while it has none.
const SELECT: &str = "SELECT e.*, coalesce(l.position, 0) AS position FROM hookbox_event e
     LEFT JOIN hookbox_log l ON l.event_seq = e.seq";

/// The last position given: everything up to here can be read, nothing after it.
pub(super) fn head(db: &Db<'_>) -> Result<Position> {
    let sql = "SELECT last_position FROM hookbox_log_head WHERE no = 1";
    number(&db.row(sql, &[])?, "last_position")
}

pub(super) fn routed(db: &Db<'_>) -> Result<Position> {
    let sql = "SELECT routed_position FROM hookbox_log_head WHERE no = 1";
    number(&db.row(sql, &[])?, "routed_position")
}

pub(super) fn set_routed(db: &Db<'_>, until: Position) -> Result<()> {
    let sql = "UPDATE hookbox_log_head SET routed_position = $1 WHERE no = 1";
    db.execute(sql, &[&until])?;
    Ok(())
}

/// The ranges of a list of positions, for `unnest`.
fn bounds(positions: &Positions) -> (Vec<Position>, Vec<Position>) {
    positions.ranges().iter().copied().unzip()
}

/// How many of these positions the log still has.
pub(super) fn count(db: &Db<'_>, positions: &Positions) -> Result<usize> {
    let (first, last) = bounds(positions);
    let row = db.row(
        "SELECT count(*) AS count FROM unnest($1::BIGINT[], $2::BIGINT[]) AS r (first, last)
         JOIN hookbox_log l ON l.position BETWEEN r.first AND r.last",
        &[&first, &last],
    )?;
    number(&row, "count")
}

pub(super) fn read(db: &Db<'_>, positions: &Positions) -> Result<Vec<Event>> {
    let (first, last) = bounds(positions);
    let found = db.query(
        "SELECT e.*, l.position FROM unnest($1::BIGINT[], $2::BIGINT[]) AS r (first, last)
         JOIN hookbox_log l ON l.position BETWEEN r.first AND r.last
         JOIN hookbox_event e ON e.seq = l.event_seq ORDER BY l.position",
        &[&first, &last],
    )?;
    found.iter().map(rows::event).collect()
}

/// Position and time of the events after a position and up to another.
pub(super) fn after(
    db: &Db<'_>,
    position: Position,
    until: Position,
    max: usize,
) -> Result<Vec<(Position, Timestamp)>> {
    let found = db.query(
        "SELECT position, created_at FROM hookbox_log
         WHERE position > $1 AND position <= $2 ORDER BY position LIMIT $3",
        &[&position, &until, &limit(max)],
    )?;
    let timed = found.iter().map(|row| {
        let at = number(row, "created_at")?;
        Ok((number(row, "position")?, Timestamp::from_millis(at)))
    });
    timed.collect()
}

pub(super) fn event(db: &Db<'_>, id: &EventId) -> Result<Option<Event>> {
    let found = db.row_or_none(&format!("{SELECT} WHERE e.id = $1"), &[&id.to_string()])?;
    found.map(|row| rows::event(&row)).transpose()
}

pub(super) fn list(
    db: &Db<'_>,
    app: &AppId,
    event_type: Option<&EventType>,
    before: Position,
    max: usize,
) -> Result<Vec<Event>> {
    let found = db.query(
        "SELECT e.*, l.position FROM hookbox_log l JOIN hookbox_event e ON e.seq = l.event_seq
         WHERE l.app_id = $1 AND l.position < $2 AND ($3::TEXT IS NULL OR l.type = $3)
         ORDER BY l.position DESC LIMIT $4",
        &[
            &app.as_str(),
            &before,
            &event_type.map(EventType::as_str),
            &limit(max),
        ],
    )?;
    found.iter().map(rows::event).collect()
}
