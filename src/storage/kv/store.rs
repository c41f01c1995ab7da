//! What the key-value storage needs of a store: seven operations.

use std::fmt::Debug;
use std::ops::ControlFlow;
use std::path::Path;

use crate::error::{Error, Result};

/// Bytes of a key at most. The longest that hookbox writes has 321: an app and an idempotency key.
pub const KEY_BYTES_MAX: usize = 511;

/// What [`Transaction::scan`] calls with each key and its value. The slices are valid during the
/// call only. It never calls the transaction.
pub type Visit<'a> = dyn FnMut(&[u8], &[u8]) -> ControlFlow<()> + 'a;

/// An ordered, transactional key-value store. It belongs to one box: nobody else writes to it while
/// the box is open.
///
/// Keys are byte strings, 1 to [`KEY_BYTES_MAX`] bytes long, in the order of their bytes (as
/// `memcmp` has it; a prefix comes first). Values are byte strings, from none to little more than
/// the largest payload that the box takes (64 MiB at most).
pub trait KeyValue: Debug + Send + Sync {
    /// Begins a transaction: with `write`, one that may write. There is one of these at a time:
    /// another waits for it, or is refused with [`crate::StorageFault::Busy`]. Those that read run
    /// beside it, in any number; each sees what was committed when it began, and nothing later. (A
    /// store that cannot do that may make the writer wait for the readers, and them for it.)
    ///
    /// A transaction stays on the thread that began it. After a commit of unknown outcome, this
    /// gives transactions that see what was really stored, or fails.
    ///
    /// # Errors
    /// Those of the store.
    fn begin(&self, write: bool) -> Result<Box<dyn Transaction + '_>>;

    /// Bytes that the store takes up; 0 where that is not known.
    ///
    /// # Errors
    /// Those of the store.
    fn bytes(&self) -> Result<u64> {
        Ok(0)
    }

    /// As [`crate::storage::Storage::backup`].
    ///
    /// # Errors
    /// [`Error::Unsupported`] unless the store can.
    fn backup(&self, to: &Path) -> Result<()> {
        let message = format!("this store has no copy to give to {}", to.display());
        Err(Error::Unsupported(message))
    }
}

/// A transaction. It ends with [`Transaction::commit`] or [`Transaction::rollback`]; when it is
/// dropped without either (after a panic), it is rolled back.
///
/// After any error nothing more can be relied on: it is rolled back, or its commit fails. Errors
/// say what the caller can do (see [`crate::StorageFault`]): `Full` for no space, `Corrupt` for a
/// damaged store, `Io` for the rest.
pub trait Transaction {
    /// Reads a value, as written by this transaction or before it; `None` when the key is not there.
    ///
    /// # Errors
    /// Those of the store.
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>>;

    /// Writes a value, in the place of the one that was there.
    ///
    /// # Errors
    /// Those of the store; [`Error::ReadOnly`] in a transaction that may not write.
    fn put(&mut self, key: &[u8], value: &[u8]) -> Result<()>;

    /// Removes a key and its value. A key that is not there is no error.
    ///
    /// # Errors
    /// As [`Transaction::put`].
    fn delete(&mut self, key: &[u8]) -> Result<()>;

    /// Calls `visit` with the keys from `from` on and before `to`, in ascending order, or with
    /// `reverse` in descending order, until it breaks off. What this transaction wrote is among
    /// them. A scan that is broken off costs no more than what was visited.
    ///
    /// # Errors
    /// Those of the store.
    fn scan(&self, from: &[u8], to: &[u8], reverse: bool, visit: &mut Visit<'_>) -> Result<()>;

    /// Commits: when this returns `Ok`, everything written survives a power failure (as far as the
    /// store keeps anything beyond the process), and every transaction that begins later sees it.
    ///
    /// # Errors
    /// [`crate::StorageFault::CommitUnknown`] when it may or may not have been committed; any
    /// other error says that nothing was.
    fn commit(self: Box<Self>) -> Result<()>;

    /// Undoes everything written.
    fn rollback(self: Box<Self>);
}
