//! What the box counts about itself.

use std::sync::TryLockError;

use crate::delivery::Engine;
use crate::metrics::Metrics;
use crate::sync::atomic::Ordering;

use super::Hookbox;

impl Hookbox {
    /// The box's numbers now. Cheap: memory, and the storage's sizes. It never fails; a storage that
    /// does not answer is `None` in it.
    #[must_use]
    pub fn metrics(&self) -> Metrics {
        let storage = self.storage.stats().ok();
        self.counters.snapshot(self.is_running(), storage)
    }

    /// Whether the threads of [`Hookbox::start`] run: not while they are being stopped, nor after they
    /// ended by a bug ([`crate::model::Notice::EngineFailed`]).
    #[must_use]
    pub fn is_running(&self) -> bool {
        match self.engine.try_lock() {
            Ok(engine) => is_running(engine.as_ref()),
            Err(TryLockError::Poisoned(engine)) => is_running(engine.into_inner().as_ref()),
            // Being started or stopped, or somebody else is asking.
            Err(TryLockError::WouldBlock) => self.started.load(Ordering::SeqCst),
        }
    }
}

fn is_running(engine: Option<&Engine>) -> bool {
    engine.is_some_and(|engine| !engine.has_ended())
}
