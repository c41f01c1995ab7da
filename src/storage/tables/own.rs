//! An engine that is used only by the process that opened it.

use std::path::Path;
use std::sync::Arc;

use crate::error::Result;
use crate::model::{AppId, EventId};
use crate::process::Process;
use crate::storage::{PreparedEvent, StorageStats, Wake};

use super::{Database, Tables};

/// Passes everything on, but in the process that opened it only: in a child of `fork` it fails with
/// [`crate::Error::Forked`] before the engine is touched.
#[derive(Debug)]
pub(crate) struct Own<D> {
    database: Arc<D>,
    process: Process,
}

impl<D> Own<D> {
    pub(crate) fn new(database: D) -> Self {
        Self {
            database: Arc::new(database),
            process: Process::current(),
        }
    }

    /// The engine.
    ///
    /// # Errors
    /// [`crate::Error::Forked`].
    pub(crate) fn get(&self) -> Result<&D> {
        self.process.check()?;
        Ok(&self.database)
    }
}

impl<D> Drop for Own<D> {
    fn drop(&mut self) {
        if !self.process.is_current() {
            // Closing the parent's connections from here would drop its locks: they are leaked.
            std::mem::forget(Arc::clone(&self.database));
        }
    }
}

impl<D: Database> Database for Own<D> {
    fn write<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: Fn(&dyn Tables) -> Result<T> + Send + 'static,
    {
        self.get()?.write(work)
    }

    fn read<T>(&self, work: impl Fn(&dyn Tables) -> Result<T>) -> Result<T> {
        self.get()?.read(work)
    }

    fn emit(&self, app: &AppId, events: Vec<PreparedEvent>) -> Result<Vec<EventId>> {
        self.get()?.emit(app, events)
    }

    fn is_read_only(&self) -> bool {
        self.database.is_read_only()
    }

    fn foreign_writes(&self) -> Result<i64> {
        self.get()?.foreign_writes()
    }

    fn on_foreign_write(&self, wake: Wake) {
        if self.process.is_current() {
            self.database.on_foreign_write(wake);
        }
    }

    fn check(&self) -> Result<Vec<String>> {
        self.get()?.check()
    }

    fn stats(&self) -> Result<StorageStats> {
        self.get()?.stats()
    }

    fn backup(&self, to: &Path) -> Result<()> {
        self.get()?.backup(to)
    }
}
