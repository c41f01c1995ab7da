//! The senders: threads that each send one request at a time.
//!
//! They are started as they are needed. A request that has been out for a while waits for a slow
//! endpoint and costs nothing but its thread: it no longer counts as a busy sender, and another thread
//! may take its place, so that endpoints that never answer do not use up the senders of the others.

use std::cell::Cell;
use std::collections::VecDeque;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use crate::error::{Error, Result};
use crate::model::Timestamp;
use crate::storage::{Claimed, Settlement};
use crate::sync::thread::{Builder, JoinHandle};
use crate::sync::{Condvar, Mutex, MutexGuard, thread_local};

use super::EngineParts;
use super::courier::Courier;

/// Stack of a sender thread: TLS handshakes are the deepest calls.
const SENDER_STACK: usize = 1024 * 1024;

/// A request that is out for longer than this is a slow one.
const SLOW_AFTER: Duration = Duration::from_millis(250);

thread_local! {
    static OURS: Cell<bool> = const { Cell::new(false) };
}

/// Whether the calling thread is one of hookbox's own: it must not start or stop itself.
pub(crate) fn on_our_thread() -> bool {
    OURS.with(Cell::get)
}

/// Makes the calling thread one of hookbox's own.
pub(super) fn become_our_thread() {
    OURS.with(|ours| ours.set(true));
}

/// Claimed batches, and the threads that send them.
#[derive(Debug, Default)]
pub(super) struct Senders {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    queue: VecDeque<Claimed>,
    /// Threads send what is queued. Without, whoever drives the engine by hand does.
    threaded: bool,
    closed: bool,
    threads: Vec<JoinHandle<()>>,
    /// Threads that wait for a batch.
    idle: usize,
    /// What is being sent, in order of its beginning.
    sending: VecDeque<Sending>,
    /// How many requests were begun.
    begun: u64,
}

#[derive(Debug, Clone, Copy)]
struct Sending {
    number: u64,
    since: Timestamp,
    failing: bool,
}

/// How many requests wait for slow endpoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Slow {
    pub(super) all: usize,
    /// Those for webhooks that lately failed.
    pub(super) failing: usize,
}

impl State {
    /// Takes the next batch: from now on it is being sent.
    fn begin(&mut self, parts: &EngineParts) -> Option<(Claimed, u64)> {
        let claimed = self.queue.pop_front()?;
        self.begun += 1;
        let sending = Sending {
            number: self.begun,
            since: parts.clock.now(),
            failing: claimed.failing,
        };
        self.sending.push_back(sending);
        Some((claimed, sending.number))
    }
}

impl Senders {
    /// Starts the first thread; the others come when they are needed.
    ///
    /// # Errors
    /// [`Error::Internal`] when the operating system gives no thread.
    pub(super) fn start(parts: &EngineParts) -> Result<Arc<Self>> {
        let senders = Arc::new(Self::default());
        lock(&senders.state).threaded = true;
        let first = senders.spawn(parts, 0).map_err(|error| no_thread(&error))?;
        lock(&senders.state).threads.push(first);
        Ok(senders)
    }

    /// Hands batches to the senders.
    pub(super) fn push_all(&self, claimed: Vec<Claimed>) {
        let count = claimed.len();
        lock(&self.state).queue.extend(claimed);
        for _ in 0..count {
            self.changed.notify_one();
        }
    }

    /// Batches that no sender has taken.
    pub(super) fn queued(&self) -> usize {
        lock(&self.state).queue.len()
    }

    /// Starts threads for what is queued, as many as may be busy beside the slow ones.
    pub(super) fn staff(self: &Arc<Self>, parts: &EngineParts, slow: Slow) {
        let mut state = lock(&self.state);
        let wanted = state.queue.len().saturating_sub(state.idle);
        if wanted == 0 || !state.threaded {
            return;
        }
        state.threads.retain(|thread| !thread.is_finished());
        let most = parts.settings.workers + slow.all;
        for _ in 0..wanted.min(most.saturating_sub(state.threads.len())) {
            // Without another thread there are fewer senders; those that run go on.
            let Ok(thread) = self.spawn(parts, state.threads.len()) else {
                return;
            };
            state.threads.push(thread);
        }
    }

    fn spawn(
        self: &Arc<Self>,
        parts: &EngineParts,
        index: usize,
    ) -> std::io::Result<JoinHandle<()>> {
        let (senders, parts) = (Arc::clone(self), parts.clone());
        Builder::new()
            .name(format!("hookbox-send-{index}"))
            .stack_size(SENDER_STACK)
            .spawn(move || senders.send(&parts))
    }

    /// A sender's life: take a batch, deliver it, report.
    fn send(&self, parts: &EngineParts) {
        become_our_thread();
        while let Some((claimed, number)) = self.pop(parts) {
            let failing = claimed.failing;
            let settlement = if claimed.outlasts_attempt(parts.clock.now()) {
                parts.courier.deliver(&claimed)
            } else {
                Courier::release(&claimed)
            };
            self.report(parts, number, settlement, failing);
        }
    }

    /// Hands in what came of a batch that was taken.
    pub(super) fn report(
        &self,
        parts: &EngineParts,
        number: u64,
        settlement: Settlement,
        failing: bool,
    ) {
        lock(&self.state).sending.retain(|one| one.number != number);
        parts.inbox.put_result(settlement, failing);
    }

    /// The next batch; `None` when closed and empty, and for a thread that is one too many.
    fn pop(&self, parts: &EngineParts) -> Option<(Claimed, u64)> {
        let mut state = lock(&self.state);
        if state.queue.is_empty() && state.idle >= parts.settings.workers {
            return None;
        }
        state.idle += 1;
        let mut state = self
            .changed
            .wait_while(state, |state| state.queue.is_empty() && !state.closed)
            .unwrap_or_else(PoisonError::into_inner);
        state.idle -= 1;
        state.begin(parts)
    }

    /// Takes the next batch without waiting for one, if a thread could be had for it.
    #[cfg(feature = "testing")]
    pub(super) fn try_begin(&self, parts: &EngineParts, slow: Slow) -> Option<(Claimed, u64)> {
        let mut state = lock(&self.state);
        let may_be_busy = parts.settings.workers + slow.all;
        if state.sending.len() < may_be_busy {
            state.begin(parts)
        } else {
            None
        }
    }

    /// Takes back what no sender has begun, as far as `which` says.
    pub(super) fn take_back(&self, which: impl Fn(&Claimed) -> bool) -> VecDeque<Claimed> {
        let mut state = lock(&self.state);
        let (taken, kept) = std::mem::take(&mut state.queue)
            .into_iter()
            .partition(which);
        state.queue = kept;
        taken
    }

    /// The requests that are slow, as far as they may be: of those for failing webhooks only half as
    /// many.
    pub(super) fn slow(&self, parts: &EngineParts) -> Slow {
        let now = parts.clock.now();
        let state = lock(&self.state);
        let slow = state
            .sending
            .iter()
            .filter(|one| now.since(one.since) >= SLOW_AFTER);
        let (mut well, mut failing) = (0, 0);
        for one in slow {
            if one.failing {
                failing += 1;
            } else {
                well += 1;
            }
        }
        let most = parts.settings.slow_max;
        let failing = failing.min(most / 2);
        Slow {
            all: (well + failing).min(most),
            failing,
        }
    }

    /// How long until another request is slow, unless it is answered before.
    pub(super) fn next_slow(&self, now: Timestamp) -> Option<Duration> {
        let state = lock(&self.state);
        let out = state.sending.iter().map(|one| now.since(one.since));
        out.filter_map(|out| SLOW_AFTER.checked_sub(out))
            .filter(|left| !left.is_zero())
            .min()
    }

    /// Ends the threads when the queue is empty.
    pub(super) fn close(&self) {
        lock(&self.state).closed = true;
        self.changed.notify_all();
    }

    /// Waits for the threads to end, after [`Senders::close`].
    pub(super) fn join(&self) {
        let threads = std::mem::take(&mut lock(&self.state).threads);
        for thread in threads {
            // A panic was contained where it happened; there is nothing left to learn from it here.
            let _ = thread.join();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(super) fn no_thread(error: &std::io::Error) -> Error {
    Error::Internal(format!("no thread could be started: {error}"))
}
