//! Looking back, and doing again.

use crate::error::Result;
use crate::model::{Attempt, Batch, BatchId, Event, EventId, Timestamp, WebhookId};
use crate::storage::{
    AttemptFilter, BacklogRow, BatchFilter, EventFilter, Page, PageRequest, StorageStats,
};

use super::{Hookbox, app_id};

/// Rows that one slice of [`Hookbox::prune`] looks at.
const PRUNE_SLICE: usize = 500;

impl Hookbox {
    /// Reads an event.
    ///
    /// # Errors
    /// [`crate::Error::EventNotFound`].
    pub fn event(&self, id: &EventId) -> Result<Event> {
        self.storage.get_event(id)
    }

    /// Lists an app's events, newest first.
    ///
    /// # Errors
    /// [`crate::Error::AppNotFound`].
    pub fn events(&self, app: &str, filter: EventFilter, page: PageRequest) -> Result<Page<Event>> {
        self.storage.list_events(&app_id(app)?, filter, page)
    }

    /// Reads a batch.
    ///
    /// # Errors
    /// [`crate::Error::BatchNotFound`].
    pub fn batch(&self, id: &BatchId) -> Result<Batch> {
        self.storage.get_batch(id)
    }

    /// Lists an app's batches, newest first.
    ///
    /// # Errors
    /// [`crate::Error::AppNotFound`], [`crate::Error::WebhookNotFound`].
    pub fn batches(
        &self,
        app: &str,
        filter: BatchFilter,
        page: PageRequest,
    ) -> Result<Page<Batch>> {
        self.storage.list_batches(&app_id(app)?, filter, page)
    }

    /// Lists an app's attempts, newest first.
    ///
    /// # Errors
    /// [`crate::Error::AppNotFound`], [`crate::Error::WebhookNotFound`].
    pub fn attempts(
        &self,
        app: &str,
        filter: AttemptFilter,
        page: PageRequest,
    ) -> Result<Page<Attempt>> {
        self.storage.list_attempts(&app_id(app)?, filter, page)
    }

    /// Where a webhook stands: its health, and what waits for it.
    ///
    /// # Errors
    /// [`crate::Error::AppNotFound`], [`crate::Error::WebhookNotFound`].
    pub fn backlog(&self, app: &str, webhook: &WebhookId) -> Result<BacklogRow> {
        self.storage.backlog(&app_id(app)?, webhook)
    }

    /// Sends an ended batch again: the same bytes under the same id, with a new budget of attempts.
    ///
    /// # Errors
    /// [`crate::Error::BatchNotFound`]; [`crate::Error::BatchConflict`] for one that has not ended,
    /// or that was split.
    pub fn resend(&self, app: &str, batch: &BatchId) -> Result<Batch> {
        let batch = self.storage.resend(&app_id(app)?, batch, self.now())?;
        self.wake();
        Ok(batch)
    }

    /// Gives up a batch that has not ended. One that is being sent may still arrive.
    ///
    /// # Errors
    /// [`crate::Error::BatchNotFound`], [`crate::Error::BatchConflict`].
    pub fn cancel(&self, app: &str, batch: &BatchId) -> Result<Batch> {
        self.storage.cancel(&app_id(app)?, batch, self.now())
    }

    /// Owes a webhook once more every event emitted from `since` on that it is subscribed to now,
    /// as new batches with the same event ids. Returns how many log positions will be looked at.
    ///
    /// # Errors
    /// [`crate::Error::AppNotFound`], [`crate::Error::WebhookNotFound`].
    pub fn replay(&self, app: &str, webhook: &WebhookId, since: Timestamp) -> Result<u64> {
        let positions = self.storage.replay(&app_id(app)?, webhook, since)?;
        self.wake();
        Ok(positions)
    }

    /// Deletes everything that ended before `before` and is owed to nobody, in small slices. The
    /// threads of [`Hookbox::start`] do so by themselves ([`super::Options::retention`]).
    ///
    /// # Errors
    /// Storage errors only.
    pub fn prune(&self, before: Timestamp) -> Result<()> {
        while self.storage.prune(before, self.now(), PRUNE_SLICE)? {}
        Ok(())
    }

    /// Checks the box's integrity; returns what is wrong, in sentences: nothing, as a rule.
    ///
    /// # Errors
    /// Storage errors only.
    pub fn check(&self) -> Result<Vec<String>> {
        self.storage.check()
    }

    /// Writes a compact copy of the box to a new file (mode 0600), as of one moment, while it is in
    /// use.
    ///
    /// # Errors
    /// [`crate::Error::InvalidRequest`] when the file exists; [`crate::Error::Unsupported`] for
    /// storages that cannot; storage errors.
    pub fn backup(&self, to: impl AsRef<std::path::Path>) -> Result<()> {
        self.storage.backup(to.as_ref())
    }

    /// The box's sizes.
    ///
    /// # Errors
    /// Storage errors only.
    pub fn stats(&self) -> Result<StorageStats> {
        self.storage.stats()
    }
}
