//! A storage that fails on demand.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use hookbox::storage::Storage;
use hookbox::storage::sqlite::SqliteStorage;
use hookbox::{Error, StorageFault};

use super::{Hooks, Wrapped};

/// So many of the next exchanges fail, before or after they were applied.
#[derive(Debug, Default)]
pub struct Faults {
    pub fail_before: AtomicUsize,
    pub fail_after: AtomicUsize,
    /// Exchanges asked for.
    pub exchanges: AtomicUsize,
}

impl Faults {
    /// A storage in a new file, with its faults.
    pub fn open(path: &Path) -> (Arc<dyn Storage>, Arc<Self>) {
        let faults = Arc::new(Self::default());
        let of_hook = faults.clone();
        let hooks = Hooks {
            exchange: Some(Box::new(move |inner, now, seed, results, claim| {
                of_hook.exchanges.fetch_add(1, SeqCst);
                if take(&of_hook.fail_before) {
                    return Err(fault(StorageFault::Full));
                }
                let exchanged = inner.exchange(now, seed, results, claim)?;
                if take(&of_hook.fail_after) {
                    return Err(fault(StorageFault::CommitUnknown));
                }
                Ok(exchanged)
            })),
            ..Hooks::default()
        };
        let inner = Arc::new(SqliteStorage::open(path, None).unwrap());
        (Arc::new(Wrapped::new(inner, hooks)), faults)
    }
}

/// Takes one from a counter; whether there was one.
fn take(counter: &AtomicUsize) -> bool {
    counter
        .fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1))
        .is_ok()
}

fn fault(fault: StorageFault) -> Error {
    Error::storage(fault, "on demand")
}
