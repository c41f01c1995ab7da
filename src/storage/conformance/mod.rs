//! The promises of [`Storage`], as checks that anybody can run over a storage of their own.
//!
//! Whoever writes a storage (the trait itself, or [`Tables`](super::tables::Tables) under
//! [`TableStorage`](super::tables::TableStorage)) says in one test how a fresh, empty one is had:
//!
//! ```no_run
//! use std::sync::Arc;
//!
//! use hookbox::storage::conformance::{self, Place};
//! use hookbox::storage::sqlite::SqliteStorage;
//!
//! // #[test]
//! fn my_storage_keeps_every_promise() {
//!     conformance::run(|| {
//!         let folder = tempfile::tempdir().unwrap();
//!         // The folder goes with the place, when its check is over.
//!         Place::new(move || {
//!             let storage = SqliteStorage::open(&folder.path().join("box.db"), None)?;
//!             Ok(Arc::new(storage))
//!         })
//!     });
//! }
//! # my_storage_keeps_every_promise();
//! ```
//!
//! [`run`] makes a new [`Place`] for each of the [`checks`], runs them all, and panics with the list of
//! those that failed: each with its name, its promise, and what was seen instead. While working on one
//! promise, run its [`Check`] alone. The checks use nothing but the public interface, take all
//! times from a clock of their own, and wait for nothing.
//!
//! Three things are beyond them: power loss (run the engine's own crash tests), several processes (the
//! checks open several handles in one), and speed.

mod api_keys;
mod atomic;
mod claim;
mod durable;
mod held;
mod hostile;
mod idempotent;
mod lease;
mod missing;
mod operate;
mod order;
mod owed;
mod paging;
mod random;
mod reading;
mod registry;
mod removal;
mod retention;
mod scene;
mod settle;
mod shared;
mod threads;
mod workout;

use std::fmt::{Debug, Formatter};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, LazyLock};

use super::Storage;
use crate::error::Result;
use held::Held;

/// A place that holds the data of one storage, empty at first.
pub struct Place {
    open: Box<dyn Fn() -> Result<Arc<dyn Storage>> + Send + Sync>,
    forgets: bool,
    one_at_a_time: bool,
}

impl Place {
    /// A place, given how the storage in it is opened. Called again, `open` gives another handle on the
    /// same data: what a process finds that comes after, or beside. What must live as long as the data
    /// (a temporary folder) is best moved into `open`.
    pub fn new(open: impl Fn() -> Result<Arc<dyn Storage>> + Send + Sync + 'static) -> Self {
        Self {
            open: Box::new(open),
            forgets: false,
            one_at_a_time: false,
        }
    }

    /// The data ends with its handle: what is asked of later openings is left out.
    #[must_use]
    pub fn forgets(mut self) -> Self {
        self.forgets = true;
        self.one_at_a_time = true;
        self
    }

    /// Only one handle can be open at a time: what is asked of several is left out. A handle is closed
    /// when the last `Arc` of it is dropped.
    #[must_use]
    pub fn one_at_a_time(mut self) -> Self {
        self.one_at_a_time = true;
        self
    }
}

impl Debug for Place {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Place")
            .field("forgets", &self.forgets)
            .field("one_at_a_time", &self.one_at_a_time)
            .finish_non_exhaustive()
    }
}

/// One promise, and how it is checked.
#[derive(Debug, Clone, Copy)]
pub struct Check {
    /// The promise's name.
    pub name: &'static str,
    /// The promise, in a sentence.
    pub promise: &'static str,
    /// Does something in an empty place, and compares what is seen with what was promised.
    keeps: fn(&Place) -> Held,
}

impl Check {
    /// Checks the promise in a place that is empty yet.
    ///
    /// # Errors
    /// What was promised, done and seen, in sentences, when the promise was broken.
    pub fn run(&self, place: &Place) -> std::result::Result<(), String> {
        let broken = match catch_unwind(AssertUnwindSafe(|| (self.keeps)(place))) {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(failure)) => failure.to_string(),
            Err(_) => "the storage panicked".to_owned(),
        };
        Err(format!("{}: {} But {broken}.", self.name, self.promise))
    }
}

/// Every check, family by family.
#[must_use]
pub fn checks() -> &'static [Check] {
    static ALL: LazyLock<Vec<Check>> = LazyLock::new(|| {
        [
            atomic::CHECKS,
            idempotent::CHECKS,
            order::CHECKS,
            owed::CHECKS,
            random::CHECKS,
            lease::CHECKS,
            settle::CHECKS,
            claim::CHECKS,
            threads::CHECKS,
            registry::CHECKS,
            api_keys::CHECKS,
            missing::CHECKS,
            paging::CHECKS,
            operate::CHECKS,
            retention::CHECKS,
            removal::CHECKS,
            reading::CHECKS,
            durable::CHECKS,
            shared::CHECKS,
            hostile::CHECKS,
        ]
        .concat()
    });
    &ALL
}

/// Runs every check, each in a place of its own.
///
/// # Panics
/// With everything that failed, when a promise was broken.
pub fn run(make: impl Fn() -> Place) {
    let failures: Vec<String> = checks()
        .iter()
        .filter_map(|check| check.run(&make()).err())
        .collect();
    assert!(
        failures.is_empty(),
        "{} of {} promises of a storage were broken:\n\n{}\n",
        failures.len(),
        checks().len(),
        failures.join("\n\n")
    );
}
