//! Integrity: what the store holds, held against itself.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use crate::error::Result;
use crate::model::{AppId, BatchStatus, EventType};

use super::codec::Decoder;
use super::keys::{Key, Kind, everything, last_number, text_at};
use super::rows::{self, AttemptHead, BatchHead, EntryRow};
use super::session::{IndexEntry, KvTables, parse_setting};
use super::state::{self, StateHead};
use super::{api_keys, batches, log, webhooks};

/// What the keys of a kind come to.
#[derive(Default)]
struct Tally {
    /// How many there are.
    held: u64,
    /// How many of them a row demands.
    demanded: u64,
    /// How many a row demands that are not there, or hold something else.
    missing: u64,
    /// How many cannot be read.
    spoiled: u64,
}

/// Every key is read, and what the rows demand of the other kinds is held against what is there; in
/// sentences.
pub(super) fn check(tables: &KvTables<'_>) -> Result<Vec<String>> {
    let mut kinds: BTreeMap<u8, Tally> = BTreeMap::new();
    let mut rest = everything();
    loop {
        let chunk = tables.collect(&rest, false, 1_000, |key, value| {
            Ok(Some((key.to_vec(), value.to_vec())))
        })?;
        let Some((last, _)) = chunk.last() else {
            break;
        };
        // The least key after it.
        rest.0 = last.iter().copied().chain([0]).collect();
        for (key, value) in &chunk {
            let kind = key.first().copied().unwrap_or_default();
            kinds.entry(kind).or_default().held += 1;
            let expected = match expected(tables, key, value) {
                Err(error) if error.is_retryable() => return Err(error),
                Err(_) => {
                    kinds.entry(kind).or_default().spoiled += 1;
                    continue;
                }
                Ok(expected) => expected,
            };
            for (key, value) in expected {
                let found = tables.get(&key)?;
                let tally = kinds.entry(key.0[0]).or_default();
                match found {
                    Some(found) if value.is_none_or(|value| value == found) => tally.demanded += 1,
                    _ => tally.missing += 1,
                }
            }
        }
    }
    let mut wrong = Vec::new();
    for (kind, tally) in kinds {
        let derived = Kind::DERIVED.iter().any(|one| *one as u8 == kind);
        let stray = if derived {
            tally.held.saturating_sub(tally.demanded)
        } else {
            0
        };
        for (count, sentence) in [
            (tally.spoiled, "hold what hookbox does not write"),
            (tally.missing, "are missing or hold the wrong value"),
            (stray, "belong to no row"),
        ] {
            if count > 0 {
                wrong.push(format!("{count} keys of kind {kind} {sentence}"));
            }
        }
    }
    Ok(wrong)
}

/// A key that must be there, and its value, where that follows from the row too.
type Expected = (Key, Option<Vec<u8>>);

/// The keys of other kinds that a row demands. Parses the whole row; what is no row of ours demands
/// nothing.
fn expected(tables: &KvTables<'_>, key: &[u8], value: &[u8]) -> Result<Vec<Expected>> {
    let is = |kind: Kind| key.first() == Some(&(kind as u8));
    let with = |entries: Vec<IndexEntry>| -> Vec<Expected> {
        let entry = |(key, value)| (key, Some(value));
        entries.into_iter().map(entry).collect()
    };
    if is(Kind::Meta) {
        parse_setting(value)?;
    } else if is(Kind::App) {
        rows::app(AppId::parse(text_at(key, 1)?.0)?, value)?;
    } else if is(Kind::EventType) {
        EventType::parse(text_at(key, 1)?.0)?;
        Decoder::new("an event type", value).end()?;
    } else if is(Kind::SigningKey) {
        rows::key(AppId::parse(text_at(key, 1)?.0)?, value)?;
    } else if is(Kind::ApiKey) {
        api_keys::parse(key, value)?;
    } else if is(Kind::Replay) {
        state::parse_replay(key, value)?;
    } else if is(Kind::Webhook) {
        let webhook = rows::webhook(value)?.webhook;
        let no = last_number(key)?;
        let entries = webhooks::indexes(no, webhook.app_id.as_str(), webhook.id.as_str());
        return Ok([with(entries), vec![(state::state_key(no), None)]].concat());
    } else if is(Kind::Subscription) {
        let no = last_number(key.get(..9).unwrap_or_default())?;
        let held = rows::subscription(text_at(key, 9)?.0, last_number(key)?, value)?;
        let app = state::head(tables, no)?.app;
        return Ok(with(vec![webhooks::subscription_index(&app, no, &held)]));
    } else if is(Kind::State) {
        let no = last_number(key)?;
        state::load(tables, no)?;
        let head = StateHead::read(&mut Decoder::new("a webhook's state", value))?;
        return Ok(with(head.indexes(no)));
    } else if is(Kind::Entry) {
        let position = last_number(key)?;
        let entries = log::indexes(position, &EntryRow::parse(value)?);
        return Ok([with(entries), vec![(log::payload_key(position), None)]].concat());
    } else if is(Kind::Batch) {
        rows::batch(value)?;
        return Ok(with(BatchHead::parse(value)?.indexes(last_number(key)?)));
    } else if is(Kind::Attempt) {
        rows::attempt(value)?;
        return Ok(with(AttemptHead::parse(value)?.indexes(last_number(key)?)));
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
    // What does not parse at all is found elsewhere.
    let webhooks = tables.collect(&range, false, usize::MAX, |key, value| {
        let read = (last_number(key), rows::webhook(value));
        Ok(match read {
            (Ok(no), Ok(stored)) => Some((no, stored.webhook.is_active())),
            _ => None,
        })
    })?;
    let (mut stateless, mut open, mut waiting) = (0, 0, 0);
    for (no, active) in webhooks {
        stateless += u64::from(state::head(tables, no).is_err());
        if !active {
            let held = webhooks::subscriptions(tables, no).unwrap_or_default();
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
