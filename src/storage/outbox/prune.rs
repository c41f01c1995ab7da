//! Retention: off the hot path, in small slices.

use crate::error::Result;
use crate::model::{Position, Positions, Timestamp};
use crate::storage::tables::Tables;

/// Rows looked at per slice, whatever was asked for.
const SLICE_MAX: usize = 100_000;

/// Where retention stands in the log and the batches; kept in memory, from the start after a restart.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct PruneCursor {
    batch_no: i64,
    position: Position,
}

/// Looks at one slice and deletes of it what is owed no more; returns where to go on, and whether there
/// is more.
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
    let (mut at, mut old) = (from, true);
    for batch in tables.batches_after(from, slice)? {
        at = batch.no;
        old = batch.created_at < before;
        if batch.ended_at.is_some_and(|ended| ended < before) {
            tables.delete_batch(batch.no)?;
        }
        if !old {
            break;
        }
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
    let (mut at, mut old, mut looked_at) = (from, true, Vec::new());
    for (position, created_at) in tables.events_after(from, routed, slice)? {
        at = position;
        old = created_at < before;
        if !old {
            break;
        }
        looked_at.push(position);
    }
    if let (Some(first), Some(last)) = (looked_at.first(), looked_at.last()) {
        let owed = tables.still_owed(*first, *last)?;
        let mut doomed = Positions::new();
        for position in looked_at.into_iter().filter(|one| !owed.contains(one)) {
            doomed.push(position);
        }
        for (first, last) in doomed.ranges() {
            tables.delete_events(*first, *last)?;
        }
    }
    Ok((at, old && at > from))
}
