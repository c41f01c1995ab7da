//! Results in, batches out: one transaction.

use crate::clock::Prng;
use crate::error::{Error, Result, StorageFault};
use crate::model::{BatchId, Notice, Timestamp};
use crate::storage::tables::Tables;
use crate::storage::{ClaimRequest, Exchanged, Settlement};

use super::{Cache, claim, route, settle};

pub(super) fn exchange(
    tables: &dyn Tables,
    cache: &Cache,
    now: Timestamp,
    seed: u64,
    results: &[Settlement],
    claim: Option<ClaimRequest>,
    all_timers: bool,
) -> Result<Exchanged> {
    let mut exchanged = Exchanged::default();
    let mut random = Prng::new(seed);
    if !results.is_empty() {
        let batches: Vec<BatchId> = results.iter().map(|result| result.batch_id).collect();
        tables.lock_webhooks_of(&batches)?;
    }
    for settlement in results {
        let mut notices = Vec::new();
        let mut kept = false;
        let settled = tables.nested(&mut || {
            kept = settle::settle(tables, cache, now, settlement, &mut random, &mut notices)?;
            Ok(())
        });
        match settled {
            Ok(()) => {
                exchanged.notices.append(&mut notices);
                if !kept {
                    exchanged.lost.push(settlement.batch_id);
                }
            }
            // What somebody spoiled must not hold up the others.
            Err(error) if is_one_rows(&error) => {
                exchanged.lost.push(settlement.batch_id);
                exchanged.notices.push(Notice::BadRow {
                    message: error.to_string(),
                });
            }
            Err(error) => return Err(error),
        }
    }
    if let Some(request) = claim {
        let unrouted = route::route(tables, now)?;
        let more = claim::claim(
            tables,
            cache,
            now,
            request,
            all_timers,
            &mut random,
            &mut exchanged,
        )?;
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
