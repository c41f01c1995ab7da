//! What retention may not delete. Off the hot path.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use crate::error::Result;
use crate::model::Position;
use crate::storage::tables::Subscription;

use super::codec::Decoder;
use super::keys::{Key, Kind, last_number, second_last_number};
use super::session::KvTables;
use super::{batches, entries, log, state, webhooks};

/// Positions within a span of the log that something is still owed: by a webhook whose cursor has
/// not passed them, by a replay, or by a batch that is kept (an exhausted one can be resent for as
/// long as retention keeps it).
pub(super) fn still_owed(
    tables: &KvTables<'_>,
    first: Position,
    last: Position,
) -> Result<BTreeSet<Position>> {
    let mut owed = BTreeSet::new();
    by_cursors(tables, first, last, &mut owed)?;
    by_replays(tables, first, last, &mut owed)?;
    by_batches(tables, first, last, &mut owed)?;
    Ok(owed)
}

fn by_cursors(
    tables: &KvTables<'_>,
    first: Position,
    last: Position,
    owed: &mut BTreeSet<Position>,
) -> Result<()> {
    let behind = Key::new(Kind::Backlog).numbers(i64::MIN, last.saturating_sub(1));
    for key in tables.keys(&behind, usize::MAX)? {
        let no = last_number(&key.0)?;
        let state = state::head(tables, no)?;
        for held in webhooks::subscriptions(tables, no)? {
            let after = (first - 1).max(state.cursor).max(held.from);
            let until = held.until.unwrap_or(last).min(last);
            let event_type =
                (held.event_type != Subscription::ALL_TYPES).then_some(held.event_type);
            of_types(tables, &state.app, event_type, after, until, owed)?;
        }
    }
    Ok(())
}

fn by_replays(
    tables: &KvTables<'_>,
    first: Position,
    last: Position,
    owed: &mut BTreeSet<Position>,
) -> Result<()> {
    let range = Key::new(Kind::Replay).all();
    let replays = tables.collect(&range, false, usize::MAX, |key, value| {
        let webhook_no = second_last_number(key)?;
        Ok(Some((webhook_no, state::parse_replay(key, value)?)))
    })?;
    for (webhook_no, replay) in replays {
        let app = state::head(tables, webhook_no)?.app;
        let after = (first - 1).max(replay.cursor);
        of_types(tables, &app, None, after, replay.until.min(last), owed)?;
    }
    Ok(())
}

/// Adds the positions of an app's events of one type, or of all types.
fn of_types(
    tables: &KvTables<'_>,
    app: &str,
    event_type: Option<String>,
    after: Position,
    until: Position,
    owed: &mut BTreeSet<Position>,
) -> Result<()> {
    let types = match event_type {
        Some(event_type) => vec![event_type],
        None => entries::types_of(tables, app)?,
    };
    for event_type in types {
        let range = entries::range(app, &event_type, after, until);
        tables.scan(&range, false, |key, _| {
            owed.insert(last_number(key)?);
            Ok(ControlFlow::Continue(()))
        })?;
    }
    Ok(())
}

fn by_batches(
    tables: &KvTables<'_>,
    first: Position,
    last: Position,
    owed: &mut BTreeSet<Position>,
) -> Result<()> {
    let range = Key::new(Kind::OpenByPosition).numbers(i64::MIN, last);
    let holding = tables.collect(&range, false, usize::MAX, |key, value| {
        let ends = Decoder::new("an open batch", value).number()?;
        Ok((ends >= first).then_some(last_number(key)?))
    })?;
    for no in holding {
        for (from, to) in batches::get(tables, no)?.batch.positions.ranges() {
            let range = log::entry_range((first - 1).max(from - 1), last.min(*to));
            tables.scan(&range, false, |key, _| {
                owed.insert(last_number(key)?);
                Ok(ControlFlow::Continue(()))
            })?;
        }
    }
    Ok(())
}
