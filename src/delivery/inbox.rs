//! What wakes the dispatcher: new events, results, the wish to stop.

use std::sync::PoisonError;
use std::time::Duration;

use crate::model::{Class, Timestamp};
use crate::storage::Settlement;
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sync::{Condvar, Mutex, MutexGuard};

/// The dispatcher's inbox. Level-triggered: what is put in while nobody waits is found later.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    mail: Mutex<Mail>,
    changed: Condvar,
    idle: Condvar,
    /// How often somebody asked those that wait to give up.
    interrupts: AtomicU64,
}

/// What the engine has to say when it has nothing to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Idle {
    /// Requests made since the start.
    pub attempts: u64,
    /// When something is due next; `None` when nothing waits for a time.
    pub next_due: Option<Timestamp>,
}

/// What has come in since the dispatcher last looked.
#[derive(Debug, Default)]
pub(crate) struct Mail {
    /// Something may be due.
    pub(crate) woken: bool,
    /// What came of deliveries, and the class each was claimed for.
    pub(crate) results: Vec<(Settlement, Class)>,
    /// Claim nothing more, and end when all is stored.
    pub(crate) stopping: bool,
    /// Set while the dispatcher waits with nothing in flight and nothing due.
    idle: Option<Idle>,
}

impl Inbox {
    /// Something may be due: look.
    pub(crate) fn wake(&self) {
        self.lock().woken = true;
        self.changed.notify_one();
    }

    pub(crate) fn put_result(&self, settlement: Settlement, class: Class) {
        self.lock().results.push((settlement, class));
        self.changed.notify_one();
    }

    pub(crate) fn stop(&self) {
        self.lock().stopping = true;
        self.changed.notify_one();
    }

    /// Results that nobody took.
    pub(crate) fn results_left(&self) -> usize {
        self.lock().results.len()
    }

    /// Something is being claimed: the engine is not idle any more.
    pub(crate) fn begin(&self) {
        self.lock().idle = None;
    }

    /// Makes the inbox ready for another start.
    pub(crate) fn clear(&self) {
        *self.lock() = Mail::default();
    }

    /// Waits for at most `patience` until the engine has nothing to do.
    pub(crate) fn wait_idle(&self, patience: Duration) -> Option<Idle> {
        let busy = |mail: &mut Mail| mail.idle.is_none() || mail.woken || !mail.results.is_empty();
        let before = self.interrupts();
        let goes_on = |mail: &mut Mail| busy(mail) && self.interrupts() == before;
        let (mut mail, _) = self
            .idle
            .wait_timeout_while(self.lock(), patience, goes_on)
            .unwrap_or_else(PoisonError::into_inner);
        if busy(&mut mail) { None } else { mail.idle }
    }

    /// How often [`Inbox::interrupt`] was called.
    pub(crate) fn interrupts(&self) -> u64 {
        self.interrupts.load(Ordering::SeqCst)
    }

    /// Makes whoever waits for the engine to be idle give up.
    pub(crate) fn interrupt(&self) {
        let _mail = self.lock(); // Nobody is between looking and waiting.
        self.interrupts.fetch_add(1, Ordering::SeqCst);
        self.idle.notify_all();
    }

    /// Takes what has come in; waits for it for at most `patience`, and says meanwhile whether the
    /// engine is idle.
    pub(crate) fn take(
        &self,
        patience: Duration,
        already_stopping: bool,
        idle: Option<Idle>,
    ) -> Mail {
        let mut mail = self.lock();
        mail.idle = idle;
        if idle.is_some() {
            self.idle.notify_all();
        }
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
        // Still idle, if nothing came: a waiter need not catch the moment.
        let still_idle = mail.idle.filter(|_| is_empty(&mut mail));
        let taken = std::mem::take(&mut *mail);
        mail.stopping = stopping;
        mail.idle = still_idle;
        taken
    }

    fn lock(&self) -> MutexGuard<'_, Mail> {
        self.mail.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
