//! Retention and integrity. Off the hot path.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use crate::error::Result;
use crate::model::{BatchStatus, Position};
use crate::storage::tables::Subscription;

use super::codec::Decoder;
use super::keys::{Key, Kind, everything, last_number, second_last_number, text_at};
use super::rows::{self, AttemptHead, BatchHead, EntryRow};
use super::session::{IndexEntry, KvTables};
use super::state::{self, StateHead};
use super::{batches, entries, log, webhooks};

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

/// What each row says of the index, held against what the index holds; in sentences.
pub(super) fn check(tables: &KvTables<'_>) -> Result<Vec<String>> {
    // By kind: entries that must be there and are, those that are not, those in the index.
    let mut kinds: BTreeMap<u8, (u64, u64, u64)> = BTreeMap::new();
    let mut spoiled: BTreeMap<u8, u64> = BTreeMap::new();
    let mut at = everything();
    loop {
        let chunk = tables.collect(&at, false, 1_000, |key, value| {
            Ok(Some((key.to_vec(), value.to_vec())))
        })?;
        let Some((last, _)) = chunk.last() else {
            break;
        };
        // The least key after it.
        at.0 = last.iter().copied().chain([0]).collect();
        for (key, value) in &chunk {
            let kind = key.first().copied().unwrap_or_default();
            kinds.entry(kind).or_default().2 += 1;
            let Ok(expected) = index_entries(tables, key, value) else {
                *spoiled.entry(kind).or_default() += 1;
                continue;
            };
            for (key, value) in expected {
                let found = tables.get(&key)?.is_some_and(|found| found == value);
                let counts = kinds.entry(key.0[0]).or_default();
                if found { counts.0 += 1 } else { counts.1 += 1 }
            }
        }
    }
    let mut wrong = Vec::new();
    for (kind, count) in spoiled {
        wrong.push(format!(
            "{count} keys of kind {kind} hold what hookbox does not write"
        ));
    }
    for (kind, (right, missing, held)) in kinds {
        if missing > 0 {
            wrong.push(format!(
                "{missing} entries of the index of kind {kind} are missing or wrong"
            ));
        }
        let is_index = Kind::INDEXES.iter().any(|index| *index as u8 == kind);
        if is_index && held > right {
            let stray = held - right;
            wrong.push(format!(
                "{stray} entries of the index of kind {kind} have no row that says so"
            ));
        }
    }
    Ok(wrong)
}

/// The index entries that a row must have; none for what is no row. Parses the whole row.
fn index_entries(tables: &KvTables<'_>, key: &[u8], value: &[u8]) -> Result<Vec<IndexEntry>> {
    let is = |kind: Kind| key.first() == Some(&(kind as u8));
    if is(Kind::Webhook) {
        let webhook = rows::webhook(value)?.webhook;
        let no = last_number(key)?;
        return Ok(webhooks::indexes(
            no,
            webhook.app_id.as_str(),
            webhook.id.as_str(),
        ));
    }
    if is(Kind::Subscription) {
        let no = last_number(key.get(..9).unwrap_or_default())?;
        let (event_type, _) = text_at(key, 9)?;
        let held = rows::subscription(event_type, last_number(key)?, value)?;
        let app = state::head(tables, no)?.app;
        return Ok(vec![webhooks::subscription_index(&app, no, &held)]);
    }
    if is(Kind::State) {
        let no = last_number(key)?;
        state::load(tables, no)?;
        let head = StateHead::read(&mut Decoder::new("a webhook's state", value))?;
        return Ok(head.indexes(no));
    }
    if is(Kind::Entry) {
        return Ok(log::indexes(last_number(key)?, &EntryRow::parse(value)?));
    }
    if is(Kind::Batch) {
        rows::batch(value)?;
        return Ok(BatchHead::parse(value)?.indexes(last_number(key)?));
    }
    if is(Kind::Attempt) {
        rows::attempt(value)?;
        return Ok(AttemptHead::parse(value)?.indexes(last_number(key)?));
    }
    Ok(Vec::new())
}

/// What contradicts itself in the tables, in sentences.
pub(super) fn contradictions(tables: &KvTables<'_>) -> Result<Vec<String>> {
    let mut payloads = 0;
    tables.scan(&Key::new(Kind::Payload).all(), false, |_, value| {
        if serde_json::from_slice::<serde::de::IgnoredAny>(value).is_err() {
            payloads += 1;
        }
        Ok(ControlFlow::Continue(()))
    })?;
    let range = Key::new(Kind::Webhook).all();
    let inactive = tables.collect(&range, false, usize::MAX, |key, value| {
        let webhook = rows::webhook(value).ok();
        Ok(Some((
            last_number(key)?,
            webhook.is_some_and(|w| !w.webhook.is_active()),
        )))
    })?;
    let (mut stateless, mut open, mut waiting) = (0, 0, 0);
    for (no, inactive) in inactive {
        stateless += u64::from(state::head(tables, no).is_err());
        if inactive {
            let held = webhooks::subscriptions(tables, no)?;
            open += u64::from(held.iter().any(|held| held.until.is_none()));
            waiting += batches::count_unsettled(tables, no, BatchStatus::Waiting)?;
        }
    }
    let found = [
        (payloads, "events have a payload that is not JSON"),
        (stateless, "webhooks have no state"),
        (open, "inactive webhooks have open subscriptions"),
        (
            waiting,
            "batches of inactive webhooks wait where they should be parked",
        ),
    ];
    Ok(found
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, sentence)| format!("{count} {sentence}"))
        .collect())
}
