//! A store in memory.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::PoisonError;

use crate::error::{Error, Result};
use crate::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::store::{KeyValue, Transaction, Visit};

/// A store in memory: **all of it is lost when the process ends.** It keeps every key and value in
/// one ordered map. Its writer waits for its readers, and they for it.
#[derive(Debug, Default)]
pub struct MemoryStore(RwLock<Pairs>);

#[derive(Default)]
struct Pairs {
    map: BTreeMap<Box<[u8]>, Box<[u8]>>,
    /// Bytes of keys and values.
    bytes: usize,
}

/// Without what is in it: that may be anything, and a great deal.
impl std::fmt::Debug for Pairs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pairs")
            .field("bytes", &self.bytes)
            .finish_non_exhaustive()
    }
}

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A writer that panicked has undone what it wrote before it let go of the lock.
    fn read(&self) -> RwLockReadGuard<'_, Pairs> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl KeyValue for MemoryStore {
    fn begin(&self, write: bool) -> Result<Box<dyn Transaction + '_>> {
        if !write {
            return Ok(Box::new(Reader(self.read())));
        }
        Ok(Box::new(Writer {
            pairs: self.0.write().unwrap_or_else(PoisonError::into_inner),
            undo: Vec::new(),
        }))
    }

    fn bytes(&self) -> Result<u64> {
        Ok(self.read().bytes as u64)
    }
}

impl Pairs {
    fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.map.get(key).map(|value| value.to_vec())
    }

    fn scan(&self, from: &[u8], to: &[u8], reverse: bool, visit: &mut Visit<'_>) {
        let bounds = (Bound::Included(from), Bound::Excluded(to));
        let mut found = self.map.range::<[u8], _>(bounds);
        while let Some((key, value)) = if reverse {
            found.next_back()
        } else {
            found.next()
        } {
            if visit(key, value).is_break() {
                return;
            }
        }
    }

    /// Sets a key's value, or removes it; returns what was there.
    fn set(&mut self, key: Box<[u8]>, value: Option<Box<[u8]>>) -> Option<Box<[u8]>> {
        let length = key.len();
        let added = value.as_ref().map_or(0, |value| length + value.len());
        let before = match value {
            Some(value) => self.map.insert(key, value),
            None => self.map.remove(&key),
        };
        let removed = before.as_ref().map_or(0, |before| length + before.len());
        self.bytes = self.bytes + added - removed;
        before
    }
}

struct Reader<'a>(RwLockReadGuard<'a, Pairs>);

impl Transaction for Reader<'_> {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        Ok(self.0.get(key))
    }

    fn put(&mut self, _key: &[u8], _value: &[u8]) -> Result<()> {
        Err(Error::ReadOnly)
    }

    fn delete(&mut self, _key: &[u8]) -> Result<()> {
        Err(Error::ReadOnly)
    }

    fn scan(&self, from: &[u8], to: &[u8], reverse: bool, visit: &mut Visit<'_>) -> Result<()> {
        self.0.scan(from, to, reverse, visit);
        Ok(())
    }

    fn commit(self: Box<Self>) -> Result<()> {
        Ok(())
    }

    fn rollback(self: Box<Self>) {}
}

struct Writer<'a> {
    pairs: RwLockWriteGuard<'a, Pairs>,
    undo: Vec<Undo>,
}

/// A key that was written, and what was there before.
type Undo = (Box<[u8]>, Option<Box<[u8]>>);

impl Writer<'_> {
    fn set(&mut self, key: &[u8], value: Option<&[u8]>) {
        let before = self.pairs.set(key.into(), value.map(Into::into));
        self.undo.push((key.into(), before));
    }
}

impl Transaction for Writer<'_> {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        Ok(self.pairs.get(key))
    }

    fn put(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        self.set(key, Some(value));
        Ok(())
    }

    fn delete(&mut self, key: &[u8]) -> Result<()> {
        self.set(key, None);
        Ok(())
    }

    fn scan(&self, from: &[u8], to: &[u8], reverse: bool, visit: &mut Visit<'_>) -> Result<()> {
        self.pairs.scan(from, to, reverse, visit);
        Ok(())
    }

    fn commit(mut self: Box<Self>) -> Result<()> {
        self.undo.clear();
        Ok(())
    }

    fn rollback(self: Box<Self>) {}
}

impl Drop for Writer<'_> {
    fn drop(&mut self) {
        for (key, before) in self.undo.drain(..).rev() {
            self.pairs.set(key, before);
        }
    }
}
