//! A transaction as the tables see it: keys and values, parts that can be undone, and index entries
//! that follow their rows.

use std::cell::{Cell, RefCell};
use std::ops::ControlFlow;

use crate::error::{Error, Result};

use super::codec::{Decoder, Encoder};
use super::keys::{Key, KeyRange, Kind};
use super::store::Transaction;

/// The tables over one transaction of a store.
pub(super) struct KvTables<'a> {
    transaction: RefCell<Box<dyn Transaction + 'a>>,
    /// The writes since the outermost part began.
    undo: RefCell<Vec<Undo>>,
    /// How many parts there are around the current one.
    depth: Cell<u32>,
}

/// A key that was written, and what was there before.
type Undo = (Vec<u8>, Option<Vec<u8>>);

/// An index entry: its key and its value.
pub(super) type IndexEntry = (Key, Vec<u8>);

impl<'a> KvTables<'a> {
    pub(super) fn new(transaction: Box<dyn Transaction + 'a>) -> Self {
        Self {
            transaction: RefCell::new(transaction),
            undo: RefCell::default(),
            depth: Cell::new(0),
        }
    }

    pub(super) fn into_inner(self) -> Box<dyn Transaction + 'a> {
        self.transaction.into_inner()
    }

    pub(super) fn get(&self, key: &Key) -> Result<Option<Vec<u8>>> {
        self.transaction.borrow().get(&key.0)
    }

    pub(super) fn has(&self, key: &Key) -> Result<bool> {
        Ok(self.get(key)?.is_some())
    }

    pub(super) fn put(&self, key: &Key, value: &[u8]) -> Result<()> {
        self.remember(key)?;
        self.transaction.borrow_mut().put(&key.0, value)
    }

    pub(super) fn delete(&self, key: &Key) -> Result<()> {
        self.remember(key)?;
        self.transaction.borrow_mut().delete(&key.0)
    }

    fn remember(&self, key: &Key) -> Result<()> {
        if self.depth.get() > 0 {
            let before = self.get(key)?;
            self.undo.borrow_mut().push((key.0.clone(), before));
        }
        Ok(())
    }

    /// Visits keys in order until the visitor breaks off or fails.
    pub(super) fn scan(
        &self,
        (from, to): &KeyRange,
        reverse: bool,
        mut visit: impl FnMut(&[u8], &[u8]) -> Result<ControlFlow<()>>,
    ) -> Result<()> {
        if from >= to {
            return Ok(());
        }
        let mut failed = None;
        let transaction = self.transaction.borrow();
        transaction.scan(from, to, reverse, &mut |key, value| {
            visit(key, value).unwrap_or_else(|error| {
                failed = Some(error);
                ControlFlow::Break(())
            })
        })?;
        failed.map_or(Ok(()), Err)
    }

    /// What `read` makes of the first keys, at most `limit` of those of which it makes something.
    pub(super) fn collect<T>(
        &self,
        range: &KeyRange,
        reverse: bool,
        limit: usize,
        mut read: impl FnMut(&[u8], &[u8]) -> Result<Option<T>>,
    ) -> Result<Vec<T>> {
        let mut found = Vec::new();
        if limit > 0 {
            self.scan(range, reverse, |key, value| {
                found.extend(read(key, value)?);
                Ok(if found.len() < limit {
                    ControlFlow::Continue(())
                } else {
                    ControlFlow::Break(())
                })
            })?;
        }
        Ok(found)
    }

    /// The first key of a range, and its value.
    pub(super) fn first(&self, range: &KeyRange) -> Result<Option<(Vec<u8>, Vec<u8>)>> {
        let pair = |key: &[u8], value: &[u8]| Ok(Some((key.to_vec(), value.to_vec())));
        Ok(self.collect(range, false, 1, pair)?.pop())
    }

    /// All keys of a range.
    pub(super) fn keys(&self, range: &KeyRange, limit: usize) -> Result<Vec<Key>> {
        self.collect(range, false, limit, |key, _| Ok(Some(Key(key.to_vec()))))
    }

    /// Deletes every key of a range.
    pub(super) fn delete_all(&self, range: &KeyRange) -> Result<()> {
        for key in self.keys(range, usize::MAX)? {
            self.delete(&key)?;
        }
        Ok(())
    }

    /// Replaces a row's index entries; what stays the same is not written.
    pub(super) fn reindex(&self, old: &[IndexEntry], new: &[IndexEntry]) -> Result<()> {
        for (key, _) in old {
            if !new.iter().any(|(kept, _)| kept == key) {
                self.delete(key)?;
            }
        }
        for entry in new {
            if !old.contains(entry) {
                self.put(&entry.0, &entry.1)?;
            }
        }
        Ok(())
    }

    /// Runs a part so that what it wrote is undone when it says no.
    pub(super) fn part(&self, part: &mut dyn FnMut() -> bool) -> Result<()> {
        let depth = self.depth.replace(self.depth.get() + 1);
        let mark = self.undo.borrow().len();
        let keep = part();
        // Set, not counted down: a part inside this one may have panicked.
        self.depth.set(depth);
        if !keep {
            let undone = self.undo.borrow_mut().split_off(mark);
            let mut transaction = self.transaction.borrow_mut();
            for (key, before) in undone.iter().rev() {
                match before {
                    Some(value) => transaction.put(key, value)?,
                    None => transaction.delete(key)?,
                }
            }
        }
        if depth == 0 {
            self.undo.borrow_mut().clear();
        }
        Ok(())
    }

    /// Reads a number of the store's own; 0 where it was never set.
    pub(super) fn setting(&self, name: &str) -> Result<i64> {
        let Some(value) = self.get(&setting_key(name))? else {
            return Ok(0);
        };
        parse_setting(&value)
    }

    pub(super) fn set(&self, name: &str, number: i64) -> Result<()> {
        self.put(&setting_key(name), &Encoder::default().number(number).0)
    }

    /// The next number of a kind of rows.
    pub(super) fn next_no(&self, name: &str) -> Result<i64> {
        let next = self
            .setting(name)?
            .checked_add(1)
            .ok_or_else(|| Error::Internal("the row numbers are used up".into()))?;
        self.set(name, next)?;
        Ok(next)
    }
}

pub(super) fn parse_setting(value: &[u8]) -> Result<i64> {
    let mut read = Decoder::new("a setting", value);
    let number = read.number()?;
    read.end()?;
    if number < 0 {
        return Err(read.bad("must not be negative"));
    }
    Ok(number)
}

fn setting_key(name: &str) -> Key {
    Key::new(Kind::Meta).raw(name.as_bytes())
}
