//! What wakes the dispatcher: new events, results, the wish to stop.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::storage::Settlement;

/// The dispatcher's inbox. Level-triggered: what is put in while nobody waits is found later.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    mail: Mutex<Mail>,
    changed: Condvar,
}

/// What has come in since the dispatcher last looked.
#[derive(Debug, Default)]
pub(crate) struct Mail {
    /// Something may be due.
    pub(crate) woken: bool,
    /// What came of deliveries, and whether each counted as one for a failing webhook.
    pub(crate) results: Vec<(Settlement, bool)>,
    /// Claim nothing more, and end when all is stored.
    pub(crate) stopping: bool,
}

impl Inbox {
    /// Something may be due: look.
    pub(crate) fn wake(&self) {
        self.lock().woken = true;
        self.changed.notify_one();
    }

    pub(crate) fn put_result(&self, settlement: Settlement, failing: bool) {
        self.lock().results.push((settlement, failing));
        self.changed.notify_one();
    }

    pub(crate) fn stop(&self) {
        self.lock().stopping = true;
        self.changed.notify_one();
    }

    /// Makes the inbox ready for another start.
    pub(crate) fn clear(&self) {
        *self.lock() = Mail::default();
    }

    /// Takes what has come in; waits for it for at most `patience`.
    pub(crate) fn take(&self, patience: Duration, already_stopping: bool) -> Mail {
        let mut mail = self.lock();
        let is_empty = |mail: &mut Mail| {
            !mail.woken && mail.results.is_empty() && (already_stopping || !mail.stopping)
        };
        if !patience.is_zero() {
            mail = self
                .changed
                .wait_timeout_while(mail, patience, is_empty)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
        let stopping = mail.stopping;
        let taken = std::mem::take(&mut *mail);
        mail.stopping = stopping;
        taken
    }

    fn lock(&self) -> MutexGuard<'_, Mail> {
        self.mail.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
