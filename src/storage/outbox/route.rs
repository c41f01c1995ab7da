//! Routing: new log entries mark the webhooks that are owed something.
//!
//! The mark is level-triggered and stored, so a crash loses nothing: routing goes on from the
//! stored position. Each entry is looked at once, however many webhooks there are; the cost of a
//! mark is paid once per webhook and span, not per event.

use crate::error::Result;
use crate::model::Timestamp;
use crate::storage::tables::Tables;

/// Log entries routed per transaction, so that a large backlog does not hold the writer for long.
const ENTRIES_MAX: usize = 20_000;

/// Routes the next entries; true when there are more.
pub(super) fn route(tables: &dyn Tables, now: Timestamp) -> Result<bool> {
    let unrouted = tables.unrouted(ENTRIES_MAX)?;
    for (app, event_type, last) in &unrouted.last {
        // A webhook that is marked already is looked at by itself as soon as it may have another
        // request.
        tables.mark_backlog(app, event_type, *last, now)?;
    }
    if let Some(until) = unrouted.until {
        tables.set_routed(until)?;
    }
    Ok(unrouted.more)
}
