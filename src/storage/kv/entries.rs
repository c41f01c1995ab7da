//! The log by app and type: what carving a batch reads, without the payloads.

use std::collections::VecDeque;
use std::ops::ControlFlow;

use crate::error::Result;
use crate::model::{AppId, DeliveryMode, Environment, Position};
use crate::storage::tables::{Entry, Span};

use super::codec::{Decoder, Encoder};
use super::keys::{Key, KeyRange, Kind, last_number, text_at};
use super::rows::EntryRow;
use super::session::{IndexEntry, KvTables};

/// Entries read at once of each of many spans.
const CHUNK_MIN: usize = 8;

pub(super) fn index(position: Position, entry: &EntryRow<'_>) -> IndexEntry {
    let key = Key::new(Kind::EventOfType)
        .text(entry.app)
        .text(entry.event_type)
        .number(position);
    let value = Encoder::default()
        .count(entry.bytes)
        .flag(entry.at_most_once)
        .option(entry.environment, Encoder::text);
    (key, value.0)
}

pub(super) fn range(app: &str, event_type: &str, after: Position, until: Position) -> KeyRange {
    Key::new(Kind::EventOfType)
        .text(app)
        .text(event_type)
        .numbers(after, until)
}

/// Every type that an app has events of: one seek for each.
pub(super) fn types_of(tables: &KvTables<'_>, app: &str) -> Result<Vec<String>> {
    let of_app = Key::new(Kind::EventOfType).text(app);
    let mut types: Vec<String> = Vec::new();
    loop {
        let after = types.last().map_or("", String::as_str);
        match tables.first(&of_app.clone().texts_after(after))? {
            Some((key, _)) => types.push(text_at(&key, of_app.0.len())?.0.to_owned()),
            None => return Ok(types),
        }
    }
}

/// What is left of a span, and what was read of it already.
struct Stream<'s> {
    span: &'s Span,
    read: VecDeque<Entry>,
    /// Everything of the span up to here was read.
    until: Position,
    is_at_end: bool,
}

impl Stream<'_> {
    fn refill(&mut self, tables: &KvTables<'_>, app: &str, chunk: usize) -> Result<()> {
        if !self.read.is_empty() || self.is_at_end {
            return Ok(());
        }
        let span = self.span;
        let rest = range(app, &span.event_type, self.until, span.until);
        self.read = tables
            .collect(&rest, false, chunk, |key, value| {
                parse(key, value, span.environment.as_ref()).map(Some)
            })?
            .into();
        self.is_at_end = self.read.len() < chunk;
        self.until = self.read.back().map_or(span.until, |last| last.position);
        Ok(())
    }
}

/// Merges the spans in order of position: each is read little further than it is needed.
pub(super) fn merge(
    tables: &KvTables<'_>,
    app: &AppId,
    spans: &[Span],
    limit: usize,
) -> Result<Vec<Entry>> {
    let chunk = limit.div_ceil(spans.len().max(1)).max(CHUNK_MIN);
    let mut streams: Vec<Stream<'_>> = spans
        .iter()
        .map(|span| Stream {
            span,
            read: VecDeque::new(),
            until: span.from,
            is_at_end: false,
        })
        .collect();
    let mut entries = Vec::new();
    while entries.len() < limit {
        for stream in &mut streams {
            stream.refill(tables, app.as_str(), chunk)?;
        }
        let position = |stream: &Stream<'_>| stream.read.front().map(|entry| entry.position);
        let earliest = streams
            .iter_mut()
            .filter(|stream| !stream.read.is_empty())
            .min_by_key(|stream| position(stream));
        let Some(stream) = earliest else {
            break;
        };
        entries.extend(stream.read.pop_front());
    }
    Ok(entries)
}

fn parse(key: &[u8], value: &[u8], environment: Option<&Environment>) -> Result<Entry> {
    let mut read = Decoder::new("an entry of the log", value);
    let (bytes, at_most_once) = (read.count()?, read.flag()?);
    let of = read.option(Decoder::text)?;
    read.end()?;
    Ok(Entry {
        position: last_number(key)?,
        bytes,
        mode: DeliveryMode::of(at_most_once),
        matches: environment.is_none_or(|wanted| of == Some(wanted.as_str())),
    })
}

pub(super) fn count(
    tables: &KvTables<'_>,
    app: &AppId,
    span: &Span,
    limit: u64,
) -> Result<(u64, Option<Position>)> {
    let range = range(app.as_str(), &span.event_type, span.from, span.until);
    let (mut number, mut first) = (0, None);
    tables.scan(&range, false, |key, value| {
        if number == limit {
            return Ok(ControlFlow::Break(()));
        }
        let entry = parse(key, value, span.environment.as_ref())?;
        if entry.matches {
            number += 1;
            first.get_or_insert(entry.position);
        }
        Ok(ControlFlow::Continue(()))
    })?;
    Ok((number, first))
}
