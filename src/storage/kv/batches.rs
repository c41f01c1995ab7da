//! Batches and attempts.

use std::ops::ControlFlow;

use crate::error::Result;
use crate::machine::InFlight;
use crate::model::{AppId, Attempt, Batch, BatchId, BatchStatus, Ordering, Position, Timestamp};
use crate::storage::tables::{BatchRow, Numbered, OfWebhook, OldBatch};

use super::codec::{Decoder, Encoder, bad_row};
use super::keys::{Key, KeyRange, Kind, last_number, second_last_number};
use super::rows::{self, AttemptHead, BatchHead};
use super::session::{IndexEntry, KvTables};
use super::state;

/// Waiting batches are counted only as far as any plan could use them.
const WAITING_COUNTED: u32 = 64;

pub(super) fn batch_key(no: i64) -> Key {
    Key::new(Kind::Batch).number(no)
}

impl BatchHead {
    pub(super) fn indexes(&self, no: i64) -> Vec<IndexEntry> {
        let number = Encoder::default().number(no).0;
        let of_webhook = Key::new(Kind::BatchOfWebhook).number(self.webhook_no);
        let mut entries = vec![
            (Key::new(Kind::BatchById).text(&self.id), number),
            (of_webhook.number(no), Vec::new()),
        ];
        // Only what may still be sent: their size does not grow with what was delivered.
        if is_open(self.status) {
            let open = open_key(self.webhook_no, self.status);
            let value = Encoder::default()
                .count(u64::from(self.attempts))
                .number(self.first);
            entries.push((open.due(self.due_at).number(no), value.0));
            let by_position = Key::new(Kind::OpenByPosition).number(self.first).number(no);
            entries.push((by_position, Encoder::default().number(self.last).0));
        }
        entries
    }
}

const fn is_open(status: BatchStatus) -> bool {
    matches!(
        status,
        BatchStatus::Waiting | BatchStatus::Leased | BatchStatus::Parked | BatchStatus::Exhausted
    )
}

fn open_key(webhook_no: i64, status: BatchStatus) -> Key {
    Key::new(Kind::Open).number(webhook_no).status(status)
}

pub(super) fn insert(tables: &KvTables<'_>, webhook_no: i64, batch: &Batch) -> Result<i64> {
    let no = tables.next_no("batch")?;
    let head = BatchHead::of(webhook_no, batch);
    tables.put(&batch_key(no), &rows::batch_value(&head, batch))?;
    tables.reindex(&[], &head.indexes(no))?;
    Ok(no)
}

fn value(tables: &KvTables<'_>, no: i64) -> Result<Vec<u8>> {
    tables
        .get(&batch_key(no))?
        .ok_or_else(|| bad_row("a batch", format!("number {no} is missing")))
}

pub(super) fn update(tables: &KvTables<'_>, row: &BatchRow) -> Result<()> {
    let before = BatchHead::parse(&value(tables, row.no)?)?;
    let after = BatchHead::of(row.webhook_no, &row.batch);
    tables.reindex(&before.indexes(row.no), &after.indexes(row.no))?;
    tables.put(&batch_key(row.no), &rows::batch_value(&after, &row.batch))
}

pub(super) fn get(tables: &KvTables<'_>, no: i64) -> Result<BatchRow> {
    let (webhook_no, batch) = rows::batch(&value(tables, no)?)?;
    Ok(BatchRow {
        no,
        webhook_no,
        batch,
    })
}

pub(super) fn find(tables: &KvTables<'_>, id: &BatchId) -> Result<Option<BatchRow>> {
    match tables.get(&Key::new(Kind::BatchById).text(&id.to_string()))? {
        Some(value) => {
            let no = Decoder::new("a batch's number", &value).number()?;
            get(tables, no).map(Some)
        }
        None => Ok(None),
    }
}

/// What the index of open batches says of one.
fn parse_open(value: &[u8]) -> Result<(u32, Position)> {
    let mut read = Decoder::new("an open batch", value);
    let (attempts, first) = (read.small()?, read.number()?);
    read.end()?;
    Ok((attempts, first))
}

pub(super) fn in_flight(tables: &KvTables<'_>, webhook_no: i64) -> Result<InFlight> {
    let mut load = InFlight::default();
    let leased = open_key(webhook_no, BatchStatus::Leased).all();
    tables.scan(&leased, false, |_, value| {
        match parse_open(value)?.0 {
            0 | 1 => load.fresh += 1,
            _ => load.retries += 1,
        }
        Ok(ControlFlow::Continue(()))
    })?;
    let waiting = open_key(webhook_no, BatchStatus::Waiting).all();
    tables.scan(&waiting, false, |_, _| {
        load.waiting += 1;
        Ok(if load.waiting < WAITING_COUNTED {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(())
        })
    })?;
    Ok(load)
}

/// The numbers of a webhook's open batches in order, each with its `due_at`. First in, first out
/// looks at all of them (but at no row): such a webhook has one at a time, unless its order was
/// changed meanwhile.
fn ordered(
    tables: &KvTables<'_>,
    webhook_no: i64,
    status: BatchStatus,
    order: Ordering,
    limit: usize,
) -> Result<Vec<(i64, Timestamp)>> {
    let range = open_key(webhook_no, status).all();
    let read = match order {
        Ordering::None => limit,
        Ordering::Fifo => usize::MAX,
    };
    let mut found = tables.collect(&range, false, read, |key, value| {
        let due = Timestamp::from_millis(second_last_number(key)?);
        Ok(Some((parse_open(value)?.1, last_number(key)?, due)))
    })?;
    if order == Ordering::Fifo {
        found.sort_unstable();
        found.truncate(limit);
    }
    Ok(found.into_iter().map(|(_, no, due)| (no, due)).collect())
}

pub(super) fn unsettled(
    tables: &KvTables<'_>,
    webhook_no: i64,
    status: BatchStatus,
    order: Ordering,
    limit: usize,
) -> Result<Vec<BatchRow>> {
    ordered(tables, webhook_no, status, order, limit)?
        .into_iter()
        .map(|(no, _)| get(tables, no))
        .collect()
}

pub(super) fn earliest(
    tables: &KvTables<'_>,
    webhook_no: i64,
    status: BatchStatus,
    order: Ordering,
) -> Result<Option<Timestamp>> {
    let first = ordered(tables, webhook_no, status, order, 1)?.pop();
    Ok(first
        .map(|(_, due)| due)
        .filter(|due| *due != Timestamp::from_millis(i64::MIN)))
}

pub(super) fn bring_near(
    tables: &KvTables<'_>,
    webhook_no: i64,
    far: Timestamp,
    now: Timestamp,
) -> Result<()> {
    let waiting = open_key(webhook_no, BatchStatus::Waiting);
    let range = waiting.numbers(far.as_millis(), i64::MAX);
    let beyond = tables.collect(&range, false, usize::MAX, |key, _| {
        last_number(key).map(Some)
    })?;
    for no in beyond {
        let mut row = get(tables, no)?;
        row.batch.due_at = Some(now);
        update(tables, &row)?;
    }
    Ok(())
}

pub(super) fn count_unsettled(
    tables: &KvTables<'_>,
    webhook_no: i64,
    status: BatchStatus,
) -> Result<u64> {
    let mut count = 0;
    tables.scan(&open_key(webhook_no, status).all(), false, |_, _| {
        count += 1;
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(count)
}

pub(super) fn list(
    tables: &KvTables<'_>,
    of: OfWebhook<'_>,
    status: Option<BatchStatus>,
    before: i64,
    limit: usize,
) -> Result<Vec<BatchRow>> {
    let matches = |head: &BatchHead| {
        head.app == of.app.as_str() && status.is_none_or(|status| head.status == status)
    };
    let Some(webhook_no) = of.webhook_no else {
        let all = Key::new(Kind::Batch).numbers(i64::MIN, before.saturating_sub(1));
        return tables.collect(&all, true, limit, |key, value| {
            if !matches(&BatchHead::parse(value)?) {
                return Ok(None);
            }
            let (webhook_no, batch) = rows::batch(value)?;
            let no = last_number(key)?;
            Ok(Some(BatchRow {
                no,
                webhook_no,
                batch,
            }))
        });
    };
    let of_webhook = Key::new(Kind::BatchOfWebhook).number(webhook_no);
    let mut found = Vec::new();
    newest_first(tables, &of_webhook, before, limit, |no| {
        let value = value(tables, no)?;
        if matches(&BatchHead::parse(&value)?) {
            let (webhook_no, batch) = rows::batch(&value)?;
            found.push(BatchRow {
                no,
                webhook_no,
                batch,
            });
        }
        Ok(found.len() < limit)
    })?;
    Ok(found)
}

/// Visits the numbers of an index below one, the greatest first, some at a time, until the visitor
/// has enough.
fn newest_first(
    tables: &KvTables<'_>,
    index: &Key,
    before: i64,
    chunk: usize,
    mut visit: impl FnMut(i64) -> Result<bool>,
) -> Result<()> {
    let mut before = before;
    loop {
        let range = index.clone().numbers(i64::MIN, before.saturating_sub(1));
        let numbers = tables.collect(&range, true, chunk, |key, _| last_number(key).map(Some))?;
        for no in &numbers {
            if !visit(*no)? {
                return Ok(());
            }
            before = *no;
        }
        if numbers.len() < chunk {
            return Ok(());
        }
    }
}

/// The batches of an app that hold a position. For operators: it looks at every batch.
pub(super) fn holding(
    tables: &KvTables<'_>,
    app: &AppId,
    position: Position,
) -> Result<Vec<Batch>> {
    let range = Key::new(Kind::Batch).all();
    tables.collect(&range, false, usize::MAX, |_, value| {
        let head = BatchHead::parse(value)?;
        if head.app != app.as_str() || !(head.first..=head.last).contains(&position) {
            return Ok(None);
        }
        let (_, batch) = rows::batch(value)?;
        Ok(batch.positions.contains(position).then_some(batch))
    })
}

/// Batches of all webhooks after a number. One that somebody spoiled is passed over.
pub(super) fn after(tables: &KvTables<'_>, no: i64, limit: usize) -> Result<Vec<OldBatch>> {
    let range = Key::new(Kind::Batch).numbers(no, i64::MAX);
    tables.collect(&range, false, limit, |key, value| {
        let no = last_number(key)?;
        Ok(BatchHead::parse(value).ok().map(|head| OldBatch {
            no,
            created_at: head.created_at,
            ended_at: head.ended_at,
        }))
    })
}

/// Deletes a batch with its attempts and index entries, as far as its row says which they are.
pub(super) fn delete(tables: &KvTables<'_>, no: i64) -> Result<()> {
    let of_batch = Key::new(Kind::AttemptOfBatch).number(no).all();
    for key in tables.keys(&of_batch, usize::MAX)? {
        let attempt = attempt_key(last_number(&key.0)?);
        if let Some(value) = tables.get(&attempt)?
            && let Ok(head) = AttemptHead::parse(&value)
        {
            tables.reindex(&head.indexes(last_number(&key.0)?), &[])?;
        }
        tables.delete(&attempt)?;
        tables.delete(&key)?;
    }
    if let Some(value) = tables.get(&batch_key(no))?
        && let Ok(head) = BatchHead::parse(&value)
    {
        tables.reindex(&head.indexes(no), &[])?;
    }
    tables.delete(&batch_key(no))
}

fn attempt_key(no: i64) -> Key {
    Key::new(Kind::Attempt).number(no)
}

impl AttemptHead {
    pub(super) fn indexes(&self, no: i64) -> Vec<IndexEntry> {
        let of_batch = Key::new(Kind::AttemptOfBatch).number(self.batch_no);
        let of_webhook = Key::new(Kind::AttemptOfWebhook).number(self.webhook_no);
        vec![
            (of_batch.number(no), Vec::new()),
            (of_webhook.number(no), Vec::new()),
        ]
    }
}

pub(super) fn insert_attempt(
    tables: &KvTables<'_>,
    batch_no: i64,
    webhook_no: i64,
    attempt: &Attempt,
) -> Result<()> {
    let no = tables.next_no("attempt")?;
    let head = AttemptHead {
        batch_no,
        webhook_no,
        app: state::head(tables, webhook_no)?.app,
    };
    tables.put(&attempt_key(no), &rows::attempt_value(&head, attempt))?;
    tables.reindex(&[], &head.indexes(no))
}

pub(super) fn attempts(
    tables: &KvTables<'_>,
    of: OfWebhook<'_>,
    batch_no: Option<i64>,
    before: i64,
    limit: usize,
) -> Result<Vec<Numbered<Attempt>>> {
    let matches = |head: &AttemptHead| {
        head.app == of.app.as_str() && of.webhook_no.is_none_or(|no| head.webhook_no == no)
    };
    let read = |no, value: &[u8]| {
        if !matches(&AttemptHead::parse(value)?) {
            return Ok(None);
        }
        let row = rows::attempt(value)?;
        Ok(Some(Numbered { no, row }))
    };
    // The narrowest index that the filter allows.
    let index = match (batch_no, of.webhook_no) {
        (Some(no), _) => Key::new(Kind::AttemptOfBatch).number(no),
        (None, Some(no)) => Key::new(Kind::AttemptOfWebhook).number(no),
        (None, None) => {
            let all: KeyRange = Key::new(Kind::Attempt).numbers(i64::MIN, before.saturating_sub(1));
            return tables.collect(&all, true, limit, |key, value| {
                read(last_number(key)?, value)
            });
        }
    };
    let mut found = Vec::new();
    newest_first(tables, &index, before, limit, |no| {
        let value = tables
            .get(&attempt_key(no))?
            .ok_or_else(|| bad_row("an attempt", format!("number {no} is missing")))?;
        found.extend(read(no, &value)?);
        Ok(found.len() < limit)
    })?;
    Ok(found)
}
