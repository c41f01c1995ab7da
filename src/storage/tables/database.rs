//! The other half of an engine: transactions.

use std::fmt::Debug;
use std::path::Path;

use crate::error::{Error, Result};
use crate::model::{AppId, EventId};
use crate::storage::outbox::emit;
use crate::storage::{PreparedEvent, StorageStats, Wake};

use super::Tables;

/// An engine: it runs work in transactions.
pub trait Database: Debug + Send + Sync {
    /// Runs `work` in a transaction that is committed, durably, when this returns `Ok`. When `work`
    /// fails, nothing it wrote stays, and its error is returned. An engine that has to repeat a
    /// transaction (a deadlock, a serialisation failure) calls `work` again.
    ///
    /// # Errors
    /// Those of `work` and of the engine: [`Error::ReadOnly`] where it was opened for reading only,
    /// [`crate::StorageFault::CommitUnknown`] when it is unknown whether the commit took place.
    fn write<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: Fn(&dyn Tables) -> Result<T> + Send + 'static;

    /// Runs reads that see one moment.
    ///
    /// # Errors
    /// Those of `work` and of the engine.
    fn read<T>(&self, work: impl Fn(&dyn Tables) -> Result<T>) -> Result<T>;

    /// As [`crate::storage::Storage::emit`]; for engines that can do it in one round trip.
    ///
    /// # Errors
    /// As [`crate::storage::Storage::emit`].
    fn emit(&self, app: &AppId, events: Vec<PreparedEvent>) -> Result<Vec<EventId>> {
        let app = app.clone();
        self.write(move |tables| emit(tables, &app, &events))
    }

    /// As [`crate::storage::Storage::is_read_only`].
    fn is_read_only(&self) -> bool {
        false
    }

    /// As [`crate::storage::Storage::foreign_writes`].
    ///
    /// # Errors
    /// Those of the engine.
    fn foreign_writes(&self) -> Result<i64>;

    /// As [`crate::storage::Storage::on_foreign_write`].
    fn on_foreign_write(&self, _wake: Wake) {}

    /// What is wrong with the engine's own structures, in sentences.
    ///
    /// # Errors
    /// Those of the engine.
    fn check(&self) -> Result<Vec<String>>;

    /// As [`crate::storage::Storage::stats`].
    ///
    /// # Errors
    /// Those of the engine.
    fn stats(&self) -> Result<StorageStats>;

    /// As [`crate::storage::Storage::backup`].
    ///
    /// # Errors
    /// [`Error::Unsupported`] unless the engine can.
    fn backup(&self, to: &Path) -> Result<()> {
        let message = format!("this storage has no copy to give to {}", to.display());
        Err(Error::Unsupported(message))
    }
}
