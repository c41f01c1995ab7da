//! Retention: off the hot path, in small slices.

use std::collections::BTreeSet;

use crate::error::Result;
use crate::model::{Position, Timestamp};
use crate::storage::tables::Tables;

/// Rows looked at per slice for each row that may be deleted: what is still owed is passed over.
const LOOKED_AT_PER_DELETED: usize = 10;

/// Rows deleted per slice, whatever was asked for.
const SLICE_MAX: usize = 100_000;

/// Where retention stands in the log and the batches; kept in memory, from the start after a restart.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct PruneCursor {
    batch_no: i64,
    position: Position,
}

/// Deletes one slice; returns where to go on, and whether there is more.
pub(super) fn prune(
    tables: &dyn Tables,
    before: Timestamp,
    now: Timestamp,
    slice: usize,
    from: PruneCursor,
) -> Result<(PruneCursor, bool)> {
    tables.delete_expired_keys(now)?;
    if from.position == 0 {
        // They owe nothing more.
        tables.delete_passed_subscriptions()?;
    }
    let slice = slice.clamp(1, SLICE_MAX);
    let (batch_no, more_batches) = prune_batches(tables, before, slice, from.batch_no)?;
    let (position, more_events) = prune_events(tables, before, slice, from.position)?;
    let more = more_batches || more_events;
    // A whole pass is over: the next one looks again at what was still owed.
    let cursor = if more {
        PruneCursor { batch_no, position }
    } else {
        PruneCursor::default()
    };
    Ok((cursor, more))
}

fn prune_batches(
    tables: &dyn Tables,
    before: Timestamp,
    slice: usize,
    from: i64,
) -> Result<(i64, bool)> {
    let (mut at, mut old, mut doomed) = (from, true, Vec::new());
    for batch in tables.batches_after(from, slice * LOOKED_AT_PER_DELETED)? {
        at = batch.no;
        old = batch.created_at < before;
        if batch.ended_at.is_some_and(|ended| ended < before) {
            doomed.push(batch.no);
        }
        if !old || doomed.len() >= slice {
            break;
        }
    }
    for no in doomed {
        tables.delete_batch(no)?;
    }
    Ok((at, old && at > from))
}

fn prune_events(
    tables: &dyn Tables,
    before: Timestamp,
    slice: usize,
    from: Position,
) -> Result<(Position, bool)> {
    let routed = tables.routed()?;
    let (mut at, mut old, mut candidates) = (from, true, BTreeSet::new());
    for (position, created_at) in
        tables.events_after(from, routed, slice * LOOKED_AT_PER_DELETED)?
    {
        at = position;
        old = created_at < before;
        if !old {
            break;
        }
        candidates.insert(position);
    }
    let more = old && at > from;
    if let (Some(first), Some(last)) = (candidates.first().copied(), candidates.last().copied()) {
        for position in tables.still_owed(first, last)? {
            candidates.remove(&position);
        }
    }
    for (deleted, position) in candidates.into_iter().enumerate() {
        if deleted == slice {
            // The rest of the span is looked at again.
            return Ok((position - 1, true));
        }
        tables.delete_event(position)?;
    }
    Ok((at, more))
}
