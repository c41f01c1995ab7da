//! A store in memory in which something goes amiss on demand.

use std::collections::VecDeque;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Mutex, PoisonError};

use hookbox::storage::kv::{KeyValue, MemoryStore, Transaction, Visit};
use hookbox::{Error, Result, StorageFault};

use super::checks::Plant;

/// A value that the store has no room for; what else a transaction writes it takes.
pub const REFUSED: &str = "\"refused\"";

/// What goes amiss with a transaction that writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mishap {
    /// It cannot begin.
    Busy,
    /// The store panics where it should begin.
    PanicsAtBegin,
    /// The store panics instead of committing.
    PanicsAtCommit,
    /// It is committed, and nobody knows.
    Unknown,
}

#[derive(Debug, Default)]
pub struct Store {
    inner: MemoryStore,
    /// One for each of the next transactions that write. No lock is held where another thread may go on.
    mishaps: Mutex<VecDeque<Mishap>>,
    plant: Option<Plant>,
    commits: AtomicUsize,
}

impl Store {
    pub fn new(plant: Option<Plant>) -> Self {
        Self {
            plant,
            ..Self::default()
        }
    }

    pub fn expect(&self, mishaps: impl IntoIterator<Item = Mishap>) {
        *self.mishaps.lock().unwrap() = mishaps.into_iter().collect();
    }

    fn next(&self) -> Option<Mishap> {
        let mut mishaps = self.mishaps.lock().unwrap_or_else(PoisonError::into_inner);
        mishaps.pop_front()
    }
}

/// As a panic, but without a message on standard error.
fn panics() -> ! {
    resume_unwind(Box::new("on demand"))
}

fn fault(fault: StorageFault) -> Error {
    Error::storage(fault, "on demand")
}

impl KeyValue for Store {
    fn begin(&self, write: bool) -> Result<Box<dyn Transaction + '_>> {
        if !write {
            return self.inner.begin(false);
        }
        let mishap = self.next();
        match mishap {
            Some(Mishap::Busy) => Err(fault(StorageFault::Busy)),
            Some(Mishap::PanicsAtBegin) => panics(),
            _ => Ok(Box::new(Writing {
                inner: self.inner.begin(true)?,
                store: self,
                mishap,
            })),
        }
    }
}

struct Writing<'a> {
    inner: Box<dyn Transaction + 'a>,
    store: &'a Store,
    mishap: Option<Mishap>,
}

impl Transaction for Writing<'_> {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        self.inner.get(key)
    }

    fn put(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        if value == REFUSED.as_bytes() {
            return Err(fault(StorageFault::Full));
        }
        self.inner.put(key, value)
    }

    fn delete(&mut self, key: &[u8]) -> Result<()> {
        if self.store.plant == Some(Plant::KeepsRefused) {
            return Ok(());
        }
        self.inner.delete(key)
    }

    fn scan(&self, from: &[u8], to: &[u8], reverse: bool, visit: &mut Visit<'_>) -> Result<()> {
        self.inner.scan(from, to, reverse, visit)
    }

    fn commit(self: Box<Self>) -> Result<()> {
        let commits = self.store.commits.fetch_add(1, SeqCst);
        if self.store.plant == Some(Plant::LosesCommits) && commits % 5 == 4 {
            self.inner.rollback();
            return Ok(());
        }
        if self.mishap == Some(Mishap::PanicsAtCommit) {
            self.inner.rollback();
            panics();
        }
        self.inner.commit()?;
        if self.mishap == Some(Mishap::Unknown) {
            return Err(fault(StorageFault::CommitUnknown));
        }
        Ok(())
    }

    fn rollback(self: Box<Self>) {
        self.inner.rollback();
    }
}
