//! Results in, batches out: one transaction.

use std::cell::Cell;

use crate::clock::Prng;
use crate::error::{Error, Result, StorageFault};
use crate::model::{BatchId, Notice, Position, Timestamp};
use crate::storage::tables::Tables;
use crate::storage::{ClaimRequest, Exchanged, Settlement};

use super::{Cache, claim, route, settle};

/// What everything in one exchange shares.
pub(super) struct Exchange<'a> {
    pub(super) tables: &'a dyn Tables,
    pub(super) cache: &'a Cache,
    pub(super) now: Timestamp,
    /// Whether to look at every timer: after the clock was set back, and at the start, when it may have
    /// been, those that are further away than any wait were set by a clock that was ahead.
    pub(super) all_timers: bool,
    /// Whether each part must be undone by itself when a row of it is spoiled.
    careful: bool,
    registry: Cell<Option<i64>>,
    head: Cell<Option<Position>>,
}

impl<'a> Exchange<'a> {
    pub(super) fn new(
        tables: &'a dyn Tables,
        cache: &'a Cache,
        now: Timestamp,
        all_timers: bool,
        careful: bool,
    ) -> Result<Self> {
        Ok(Self {
            tables,
            cache,
            now,
            all_timers,
            careful,
            registry: Cell::new(tables.registry_version()?),
            head: Cell::new(None),
        })
    }

    /// As [`Tables::registry_version`], in this transaction.
    pub(super) const fn registry(&self) -> Option<i64> {
        self.registry.get()
    }

    /// Apps or webhooks were changed in this transaction.
    pub(super) fn registry_changed(&self) -> Result<()> {
        self.registry.set(self.tables.registry_version()?);
        Ok(())
    }

    /// As [`Tables::head`]. What is emitted meanwhile is for the next exchange.
    pub(super) fn head(&self) -> Result<Position> {
        if let Some(head) = self.head.get() {
            return Ok(head);
        }
        let head = self.tables.head()?;
        self.head.set(Some(head));
        Ok(head)
    }

    /// Runs a part. An error that comes from what somebody wrote into one row is the inner one: then
    /// the part was undone, and the others can go on.
    pub(super) fn part(&self, work: &mut dyn FnMut() -> Result<()>) -> Result<Result<()>> {
        if !self.careful {
            return work().map(Ok);
        }
        match self.tables.nested(work) {
            Err(error) if is_one_rows(&error) => Ok(Err(error)),
            other => other.map(Ok),
        }
    }
}

/// Stores results and claims batches.
///
/// # Errors
/// Also those of [`is_one_rows`], unless each part is undone by itself (`careful`): then the whole
/// is to be done again so. Spoiled rows are rare, and a savepoint for each part is dear.
pub(super) fn exchange(
    exchange: &Exchange<'_>,
    seed: u64,
    results: &[Settlement],
    claim: Option<ClaimRequest>,
) -> Result<Exchanged> {
    let mut exchanged = Exchanged::default();
    let mut random = Prng::new(seed);
    if !results.is_empty() {
        let batches: Vec<BatchId> = results.iter().map(|result| result.batch_id).collect();
        exchange.tables.lock_webhooks_of(&batches)?;
    }
    for settlement in results {
        let mut notices = Vec::new();
        let mut kept = false;
        let settled = exchange.part(&mut || {
            kept = settle::settle(exchange, settlement, &mut random, &mut notices)?;
            Ok(())
        })?;
        match settled {
            Ok(()) => {
                exchanged.notices.append(&mut notices);
                if !kept {
                    exchanged.lost.push(settlement.batch_id);
                }
            }
            // What somebody spoiled must not hold up the others.
            Err(error) => {
                exchanged.lost.push(settlement.batch_id);
                exchanged.notices.push(Notice::BadRow {
                    message: error.to_string(),
                });
            }
        }
    }
    if let Some(request) = claim {
        let unrouted = route::route(exchange.tables, exchange.now)?;
        let more = claim::claim(exchange, request, &mut random, &mut exchanged)?;
        exchanged.more = more || unrouted;
    }
    Ok(exchanged)
}

/// Whether an error comes from what one row says, not from the storage as a whole.
pub(super) const fn is_one_rows(error: &Error) -> bool {
    !matches!(
        error,
        Error::Storage {
            fault: StorageFault::Busy
                | StorageFault::Full
                | StorageFault::ReadOnly
                | StorageFault::Corrupt
                | StorageFault::CommitUnknown
                | StorageFault::Io,
            ..
        }
    )
}
