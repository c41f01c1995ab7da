//! Where a webhook stands: its cursor, its health, its replays, and when a sender should look at it.
//!
//! The head of a row says which index entries it has. What follows it is the health, which only
//! [`load`] and [`save`] read and write: a row with a spoiled health can still be put off.

use std::ops::ControlFlow;

use crate::error::Result;
use crate::model::{AppId, Class, Health, Position, Timestamp};
use crate::storage::tables::{Replay, Subscription, WebhookState};

use super::codec::{Decoder, Encoder, bad_row};
use super::keys::{Key, Kind, last_number, second_last_number, text_at};
use super::session::{IndexEntry, KvTables};
use super::webhooks;

/// The beginning of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct StateHead {
    pub(super) app: String,
    pub(super) cursor: Position,
    pub(super) has_backlog: bool,
    pub(super) ready: bool,
    pub(super) class: Class,
    pub(super) due_at: Option<Timestamp>,
}

impl StateHead {
    fn write(&self) -> Encoder {
        Encoder::default()
            .text(&self.app)
            .number(self.cursor)
            .flag(self.has_backlog)
            .flag(self.ready)
            .byte(class_byte(self.class))
            .option(self.due_at, Encoder::time)
    }

    pub(super) fn read(read: &mut Decoder<'_>) -> Result<Self> {
        Ok(Self {
            app: read.text()?.to_owned(),
            cursor: read.number()?,
            has_backlog: read.flag()?,
            ready: read.flag()?,
            class: class(read)?,
            due_at: read.option(Decoder::time)?,
        })
    }

    pub(super) fn indexes(&self, no: i64) -> Vec<IndexEntry> {
        let mut entries = Vec::new();
        if self.ready {
            let key = Key::new(Kind::Ready)
                .byte(class_byte(self.class))
                .text(&self.app)
                .due(self.due_at)
                .number(no);
            entries.push((key, Vec::new()));
        } else if self.due_at.is_some() {
            let key = Key::new(Kind::Timer).due(self.due_at).number(no);
            entries.push((key, Vec::new()));
        }
        if self.has_backlog {
            let key = Key::new(Kind::Backlog).number(self.cursor).number(no);
            entries.push((key, Vec::new()));
        }
        entries
    }
}

pub(super) fn state_key(no: i64) -> Key {
    Key::new(Kind::State).number(no)
}

pub(super) fn insert(tables: &KvTables<'_>, no: i64, app: &AppId, cursor: Position) -> Result<()> {
    let head = StateHead {
        app: app.to_string(),
        cursor,
        has_backlog: false,
        ready: false,
        class: Class::Untried,
        due_at: None,
    };
    let value = head.write();
    tables.put(&state_key(no), &tail(value, None, &Health::default())?)
}

const fn class_byte(class: Class) -> u8 {
    class as u8
}

fn class(read: &mut Decoder<'_>) -> Result<Class> {
    let number = read.byte()?;
    Class::from_index(number.into()).ok_or_else(|| read.bad("its class is none of ours"))
}

/// Adds what follows the head.
fn tail(
    value: Encoder,
    last_http_code: Option<(u16, Timestamp)>,
    health: &Health,
) -> Result<Vec<u8>> {
    let code = |to: Encoder, (code, at): (u16, Timestamp)| to.count(u64::from(code)).time(at);
    Ok(value.option(last_http_code, code).json(health)?.0)
}

fn value(tables: &KvTables<'_>, no: i64) -> Result<Vec<u8>> {
    tables
        .get(&state_key(no))?
        .ok_or_else(|| bad_row("a webhook's state", format!("number {no} is missing")))
}

pub(super) fn head(tables: &KvTables<'_>, no: i64) -> Result<StateHead> {
    let value = value(tables, no)?;
    StateHead::read(&mut Decoder::new("a webhook's state", &value))
}

pub(super) fn load(tables: &KvTables<'_>, no: i64) -> Result<WebhookState> {
    let value = value(tables, no)?;
    let mut read = Decoder::new("a webhook's state", &value);
    let head = StateHead::read(&mut read)?;
    let last_http_code = read.option(|read| Ok((read.small()?, read.time()?)))?;
    let health: Health = read.json()?;
    read.end()?;
    Ok(WebhookState {
        webhook_no: no,
        app_id: head.app.parse().map_err(|error| read.bad(error))?,
        cursor: head.cursor,
        has_backlog: head.has_backlog,
        ready: head.ready,
        due_at: head.due_at,
        class: head.class,
        health,
        last_http_code,
    })
}

pub(super) fn save(tables: &KvTables<'_>, state: &WebhookState) -> Result<()> {
    let no = state.webhook_no;
    let before = head(tables, no)?;
    let after = StateHead {
        app: before.app.clone(),
        cursor: state.cursor,
        has_backlog: state.has_backlog,
        ready: state.ready,
        class: state.class,
        due_at: state.due_at,
    };
    tables.reindex(&before.indexes(no), &after.indexes(no))?;
    let value = tail(after.write(), state.last_http_code, &state.health)?;
    tables.put(&state_key(no), &value)
}

/// Changes the head of a row, whatever follows it. A row that is gone or whose head is spoiled is
/// passed over: it must not hold up other webhooks.
pub(super) fn change(
    tables: &KvTables<'_>,
    no: i64,
    change: impl FnOnce(&mut StateHead),
) -> Result<()> {
    let value = tables.get(&state_key(no))?.unwrap_or_default();
    let mut read = Decoder::new("a webhook's state", &value);
    let Ok(before) = StateHead::read(&mut read) else {
        return Ok(());
    };
    let mut after = before.clone();
    change(&mut after);
    if after == before {
        return Ok(());
    }
    tables.reindex(&before.indexes(no), &after.indexes(no))?;
    let mut changed = after.write().0;
    changed.extend(read.rest());
    tables.put(&state_key(no), &changed)
}

/// Deletes a row and its index entries, as far as it says which they are.
pub(super) fn delete(tables: &KvTables<'_>, no: i64) -> Result<()> {
    match head(tables, no) {
        Ok(head) => tables.reindex(&head.indexes(no), &[])?,
        Err(_) => forget(tables, no)?,
    }
    tables.delete(&state_key(no))
}

pub(super) fn look_later(tables: &KvTables<'_>, no: i64, at: Timestamp) -> Result<()> {
    if head(tables, no).is_err() {
        // It cannot be scheduled any more; nor must it be found again and again.
        return forget(tables, no);
    }
    change(tables, no, |state| {
        state.ready = false;
        state.due_at = Some(at);
    })
}

/// Deletes the index entries of a webhook whose row does not say which they are.
fn forget(tables: &KvTables<'_>, no: i64) -> Result<()> {
    for kind in [Kind::Ready, Kind::Timer, Kind::Backlog] {
        let range = Key::new(kind).all();
        let lost = tables.collect(&range, false, usize::MAX, |key, _| {
            Ok((last_number(key)? == no).then(|| Key(key.to_vec())))
        })?;
        for key in lost {
            tables.delete(&key)?;
        }
    }
    Ok(())
}

pub(super) fn mark_backlog(
    tables: &KvTables<'_>,
    app: &str,
    event_type: &str,
    last: Position,
    now: Timestamp,
) -> Result<()> {
    let holds_any = |held: &Subscription| held.until.is_none_or(|until| until > held.from);
    for no in webhooks::subscribed(tables, app, event_type, holds_any)? {
        change(tables, no, |state| {
            if state.cursor < last && !state.has_backlog {
                state.has_backlog = true;
                state.ready = true;
                state.due_at = Some(now);
            }
        })?;
    }
    Ok(())
}

pub(super) fn wake_timers(
    tables: &KvTables<'_>,
    now: Option<Timestamp>,
    limit: usize,
) -> Result<usize> {
    let until = now.map_or(i64::MAX, Timestamp::as_millis);
    let range = Key::new(Kind::Timer).numbers(i64::MIN, until);
    let due = tables.keys(&range, limit)?;
    for key in &due {
        let no = last_number(&key.0)?;
        // An entry whose row is gone or spoiled is dropped here: it would be found for ever.
        tables.delete(key)?;
        change(tables, no, |state| state.ready = true)?;
    }
    Ok(due.len())
}

pub(super) fn next_timer(tables: &KvTables<'_>) -> Result<Option<Timestamp>> {
    let first = tables.first(&Key::new(Kind::Timer).all())?;
    first
        .map(|(key, _)| second_last_number(&key).map(Timestamp::from_millis))
        .transpose()
}

/// At most `limit` apps with ready webhooks, from the one after `start` on and around: one seek in
/// the index for each.
pub(super) fn ready_apps(
    tables: &KvTables<'_>,
    class: Class,
    limit: usize,
    start: &str,
) -> Result<Vec<String>> {
    let of_class = Key::new(Kind::Ready).byte(class_byte(class));
    let mut apps: Vec<String> = Vec::new();
    let mut after = start.to_owned();
    let mut wrapped = false;
    while apps.len() < limit {
        let next = match tables.first(&of_class.clone().texts_after(&after))? {
            Some((key, _)) => Some(text_at(&key, 2)?.0.to_owned()),
            None => None,
        };
        match next {
            Some(app) if wrapped && app.as_str() > start => break,
            Some(app) => {
                after.clone_from(&app);
                apps.push(app);
            }
            None if wrapped || start.is_empty() => break,
            None => {
                wrapped = true;
                after.clear();
            }
        }
    }
    Ok(apps)
}

pub(super) fn ready_webhooks(
    tables: &KvTables<'_>,
    class: Class,
    app: &str,
    limit: usize,
) -> Result<Vec<i64>> {
    let range = Key::new(Kind::Ready)
        .byte(class_byte(class))
        .text(app)
        .all();
    tables.collect(&range, false, limit, |key, _| last_number(key).map(Some))
}

pub(super) fn replay(tables: &KvTables<'_>, webhook_no: i64) -> Result<Option<Replay>> {
    let range = Key::new(Kind::Replay).number(webhook_no).all();
    let mut found = None;
    tables.scan(&range, false, |key, value| {
        found = Some(parse_replay(key, value)?);
        Ok(ControlFlow::Break(()))
    })?;
    Ok(found)
}

pub(super) fn parse_replay(key: &[u8], value: &[u8]) -> Result<Replay> {
    let mut read = Decoder::new("a replay", value);
    let replay = Replay {
        no: last_number(key)?,
        cursor: read.number()?,
        until: read.number()?,
    };
    read.end()?;
    if replay.cursor < 0 || replay.until < replay.cursor {
        return Err(read.bad("must not end before it begins"));
    }
    Ok(replay)
}

fn replay_key(webhook_no: i64, no: i64) -> Key {
    Key::new(Kind::Replay).number(webhook_no).number(no)
}

fn put_replay(tables: &KvTables<'_>, webhook_no: i64, replay: Replay) -> Result<()> {
    let value = Encoder::default()
        .number(replay.cursor)
        .number(replay.until);
    tables.put(&replay_key(webhook_no, replay.no), &value.0)
}

pub(super) fn insert_replay(
    tables: &KvTables<'_>,
    webhook_no: i64,
    cursor: Position,
    until: Position,
) -> Result<()> {
    let no = tables.next_no("replay")?;
    put_replay(tables, webhook_no, Replay { no, cursor, until })
}

pub(super) fn save_replay(tables: &KvTables<'_>, webhook_no: i64, replay: Replay) -> Result<()> {
    if replay.cursor < replay.until {
        put_replay(tables, webhook_no, replay)
    } else {
        tables.delete(&replay_key(webhook_no, replay.no))
    }
}
