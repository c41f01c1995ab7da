//! The senders: threads that each send one request at a time, a crew of them for each class of webhooks.
//!
//! They are started as they are needed. A request that has been out for a while waits for a slow
//! endpoint and costs nothing but its thread: it no longer counts as a busy sender, and another thread
//! may take its place, so that endpoints that never answer do not use up the senders of the others.

use std::cell::Cell;
use std::collections::VecDeque;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use crate::error::{Error, Result};
use crate::model::{Class, OfClass, Timestamp};
use crate::storage::{Claimed, Settlement};
use crate::sync::thread::{Builder, JoinHandle};
use crate::sync::{Condvar, Mutex, MutexGuard, thread_local};

use super::EngineParts;
use super::courier::Courier;
use super::crew::Crew;

/// Stack of a sender thread: TLS handshakes are the deepest calls.
const SENDER_STACK: usize = 1024 * 1024;

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
    /// There is something for a crew to do.
    changed: OfClass<Condvar>,
}

#[derive(Debug, Default)]
struct State {
    crews: OfClass<Crew>,
    /// Threads send what is queued. Without, whoever drives the engine by hand does.
    threaded: bool,
    closed: bool,
    /// How many requests were begun.
    begun: u64,
}

/// A batch that a sender has taken.
#[derive(Debug)]
pub(super) struct Begun {
    pub(super) claimed: Claimed,
    /// Which of the requests that were begun it is.
    pub(super) number: u64,
}

impl State {
    /// Takes the next batch of a class: from now on it is being sent.
    fn begin(&mut self, class: Class, parts: &EngineParts) -> Option<Begun> {
        let number = self.begun + 1;
        let claimed = self.crews[class.index()].begin(number, parts.clock.now())?;
        self.begun = number;
        Some(Begun { claimed, number })
    }
}

impl Senders {
    /// Starts the first thread; the others come when they are needed.
    ///
    /// # Errors
    /// [`Error::Internal`] when the operating system gives no thread.
    pub(super) fn start(parts: &EngineParts) -> Result<Arc<Self>> {
        let senders = Arc::new(Self::default());
        let class = Class::Well;
        let first = senders.spawn(parts, class, 0);
        let first = first.map_err(|error| no_thread(&error))?;
        let mut state = lock(&senders.state);
        state.threaded = true;
        state.crews[class.index()].threads.push(first);
        drop(state);
        Ok(senders)
    }

    /// Hands batches to the senders.
    pub(super) fn push_all(&self, claimed: Vec<Claimed>) {
        let mut counts = OfClass::<usize>::default();
        let mut state = lock(&self.state);
        for one in claimed {
            let class = one.class.index();
            counts[class] += 1;
            state.crews[class].queue.push_back(one);
        }
        drop(state);
        for (changed, count) in self.changed.iter().zip(counts) {
            for _ in 0..count {
                changed.notify_one();
            }
        }
    }

    /// Batches that no sender has taken.
    pub(super) fn queued(&self) -> OfClass<usize> {
        lock(&self.state)
            .crews
            .each_ref()
            .map(|crew| crew.queue.len())
    }

    /// Starts threads for what is queued, as many as may be busy beside the slow ones.
    pub(super) fn staff(self: &Arc<Self>, parts: &EngineParts, slow: OfClass<usize>) {
        let mut state = lock(&self.state);
        if !state.threaded {
            return;
        }
        for class in Class::ALL {
            let crew = &mut state.crews[class.index()];
            let wanted = crew.queue.len().saturating_sub(crew.idle);
            if wanted == 0 {
                continue;
            }
            crew.threads.retain(|thread| !thread.is_finished());
            let most = parts.settings.senders(class) + slow[class.index()];
            for _ in 0..wanted.min(most.saturating_sub(crew.threads.len())) {
                // Without another thread there are fewer senders; those that run go on.
                let Ok(thread) = self.spawn(parts, class, crew.threads.len()) else {
                    return;
                };
                crew.threads.push(thread);
            }
        }
    }

    fn spawn(
        self: &Arc<Self>,
        parts: &EngineParts,
        class: Class,
        index: usize,
    ) -> std::io::Result<JoinHandle<()>> {
        let (senders, parts) = (Arc::clone(self), parts.clone());
        Builder::new()
            .name(format!("hookbox-{}-{index}", crew_name(class)))
            .stack_size(SENDER_STACK)
            .spawn(move || senders.send(&parts, class))
    }

    /// A sender's life: take a batch, deliver it, report.
    fn send(&self, parts: &EngineParts, class: Class) {
        become_our_thread();
        while let Some(begun) = self.pop(parts, class) {
            let claimed = &begun.claimed;
            let settlement = if claimed.outlasts_attempt(parts.clock.now()) {
                parts.courier.deliver(claimed)
            } else {
                Courier::release(claimed)
            };
            self.report(parts, begun.number, settlement, class);
        }
    }

    /// Hands in what came of a batch that was taken.
    pub(super) fn report(
        &self,
        parts: &EngineParts,
        number: u64,
        settlement: Settlement,
        class: Class,
    ) {
        lock(&self.state).crews[class.index()].end(number);
        parts.inbox.put_result(settlement, class);
    }

    /// The next batch; `None` when closed and empty, and for a thread that is one too many.
    fn pop(&self, parts: &EngineParts, class: Class) -> Option<Begun> {
        let mut state = lock(&self.state);
        let crew = &mut state.crews[class.index()];
        if crew.queue.is_empty() && crew.idle >= parts.settings.senders(class) {
            return None;
        }
        crew.idle += 1;
        let waits =
            |state: &mut State| state.crews[class.index()].queue.is_empty() && !state.closed;
        let mut state = self.changed[class.index()]
            .wait_while(state, waits)
            .unwrap_or_else(PoisonError::into_inner);
        state.crews[class.index()].idle -= 1;
        state.begin(class, parts)
    }

    /// Takes the next batch without waiting for one, if a thread could be had for it.
    #[cfg(feature = "testing")]
    pub(super) fn try_begin(&self, parts: &EngineParts, slow: OfClass<usize>) -> Option<Begun> {
        let mut state = lock(&self.state);
        Class::ALL.into_iter().find_map(|class| {
            let may_be_busy = parts.settings.senders(class) + slow[class.index()];
            let is_free = state.crews[class.index()].sending() < may_be_busy;
            is_free.then(|| state.begin(class, parts)).flatten()
        })
    }

    /// Takes back what no sender has begun, as far as `which` says.
    pub(super) fn take_back(&self, which: impl Fn(&Claimed) -> bool) -> VecDeque<Claimed> {
        let mut all = VecDeque::new();
        for crew in &mut lock(&self.state).crews {
            let queue = std::mem::take(&mut crew.queue);
            let (taken, kept): (VecDeque<_>, _) = queue.into_iter().partition(&which);
            crew.queue = kept;
            all.extend(taken);
        }
        all
    }

    /// The requests that are slow, as far as they may be. The fewer is known of a class, the smaller its
    /// part.
    pub(super) fn slow(&self, parts: &EngineParts) -> OfClass<usize> {
        let now = parts.clock.now();
        let state = lock(&self.state);
        let slow = |class: Class| state.crews[class.index()].slow(now);
        let most = parts.settings.slow_max;
        let failing = slow(Class::Failing).min(most / 4);
        let untried = slow(Class::Untried).min(most / 2);
        let well = slow(Class::Well).min(most - untried - failing);
        [well, untried, failing]
    }

    /// How long until another request is slow, unless it is answered before.
    pub(super) fn next_slow(&self, now: Timestamp) -> Option<Duration> {
        let state = lock(&self.state);
        let next = state.crews.iter().filter_map(|crew| crew.next_slow(now));
        next.min()
    }

    /// Ends the threads when the queue is empty.
    pub(super) fn close(&self) {
        lock(&self.state).closed = true;
        for changed in &self.changed {
            changed.notify_all();
        }
    }

    /// Waits for the threads to end, after [`Senders::close`].
    pub(super) fn join(&self) {
        let mut state = lock(&self.state);
        let crews = state.crews.iter_mut();
        let threads: Vec<_> = crews.flat_map(|crew| crew.threads.drain(..)).collect();
        drop(state);
        for thread in threads {
            // A panic was contained where it happened; there is nothing left to learn from it here.
            let _ = thread.join();
        }
    }
}

/// In the names of its threads, of which Linux shows 15 bytes.
const fn crew_name(class: Class) -> &'static str {
    match class {
        Class::Well => "send",
        Class::Untried => "try",
        Class::Failing => "retry",
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(super) fn no_thread(error: &std::io::Error) -> Error {
    Error::Internal(format!("no thread could be started: {error}"))
}
