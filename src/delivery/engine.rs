//! The threads: one dispatcher, which alone talks to the storage, and a bounded pool of senders.

use std::cell::Cell;
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::error::{Error, Result};
use crate::model::Notice;
use crate::storage::Claimed;

use super::courier::Courier;
use super::dispatcher::Dispatcher;
use super::{EngineParts, Inbox};

/// Stack of a sender thread: TLS handshakes are the deepest calls.
const SENDER_STACK: usize = 1024 * 1024;

thread_local! {
    static OURS: Cell<bool> = const { Cell::new(false) };
}

/// Whether the calling thread is one of hookbox's own: it must not start or stop itself.
pub(crate) fn on_our_thread() -> bool {
    OURS.get()
}

/// Claimed batches on their way to the senders.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    state: Mutex<OutboxState>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct OutboxState {
    queue: VecDeque<Claimed>,
    closed: bool,
}

impl Outbox {
    pub(super) fn push_all(&self, claimed: Vec<Claimed>) {
        let count = claimed.len();
        lock(&self.state).queue.extend(claimed);
        for _ in 0..count {
            self.changed.notify_one();
        }
    }

    /// The next batch; `None` when closed and empty.
    fn pop(&self) -> Option<Claimed> {
        let mut state = self
            .changed
            .wait_while(lock(&self.state), |state| {
                state.queue.is_empty() && !state.closed
            })
            .unwrap_or_else(PoisonError::into_inner);
        state.queue.pop_front()
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

    fn close(&self) {
        lock(&self.state).closed = true;
        self.changed.notify_all();
    }
}

/// Running threads. Stopped by [`Engine::stop`].
#[derive(Debug)]
pub(crate) struct Engine {
    inbox: Arc<Inbox>,
    outbox: Arc<Outbox>,
    courier: Arc<Courier>,
    dispatcher: JoinHandle<()>,
    senders: Vec<JoinHandle<()>>,
    finished: Arc<Finished>,
}

/// Says when the dispatcher has ended, and how many results it could not store.
#[derive(Debug, Default)]
struct Finished {
    unstored: Mutex<Option<usize>>,
    changed: Condvar,
}

/// What became of a stop.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stopped {
    /// Whether the transport had to be shut down.
    pub(crate) broken: bool,
    /// Results that the storage did not take.
    pub(crate) unstored: usize,
}

impl Engine {
    /// Starts the threads.
    ///
    /// # Errors
    /// [`Error::Internal`] when the operating system gives no thread; none runs then.
    pub(crate) fn start(parts: &EngineParts) -> Result<Self> {
        parts.inbox.clear();
        let outbox = Arc::new(Outbox::default());
        let finished = Arc::new(Finished::default());
        let mut senders = Vec::with_capacity(parts.settings.workers);
        for index in 0..parts.settings.workers {
            let (parts, work) = (parts.clone(), Arc::clone(&outbox));
            let spawned = std::thread::Builder::new()
                .name(format!("hookbox-send-{index}"))
                .stack_size(SENDER_STACK)
                .spawn(move || send(&parts, &work));
            match spawned {
                Ok(thread) => senders.push(thread),
                Err(error) => {
                    outbox.close();
                    join_all(senders);
                    return Err(no_thread(&error));
                }
            }
        }
        let (of_dispatcher, work, done) =
            (parts.clone(), Arc::clone(&outbox), Arc::clone(&finished));
        let spawned = std::thread::Builder::new()
            .name("hookbox-dispatch".to_owned())
            .spawn(move || {
                OURS.set(true);
                let (notify, queue) = (of_dispatcher.clone(), Arc::clone(&work));
                // Whatever happens in it, a stop must not wait for it in vain.
                let run =
                    std::panic::AssertUnwindSafe(|| Dispatcher::new(of_dispatcher, work).run());
                let unstored = std::panic::catch_unwind(run).unwrap_or_else(|_| {
                    let message = "the dispatcher panicked; please report it".to_owned();
                    // What no sender has begun is not sent: nobody would store its result.
                    queue.take_back(|_| true);
                    queue.close();
                    notify.inbox.begin();
                    notify.notify(&Notice::EngineFailed { message });
                    0
                });
                *lock(&done.unstored) = Some(unstored);
                done.changed.notify_all();
            });
        match spawned {
            Ok(dispatcher) => Ok(Self {
                inbox: Arc::clone(&parts.inbox),
                outbox,
                courier: Arc::clone(&parts.courier),
                dispatcher,
                senders,
                finished,
            }),
            Err(error) => {
                outbox.close();
                join_all(senders);
                Err(no_thread(&error))
            }
        }
    }

    /// Whether the dispatcher has ended by itself: it panicked.
    pub(crate) fn has_ended(&self) -> bool {
        lock(&self.finished.unstored).is_some()
    }

    /// Claims nothing more, gives back what was not begun, waits up to `drain` for what is in
    /// flight and breaks it then, stores all results, and ends the threads.
    pub(crate) fn stop(self, drain: Duration) -> Stopped {
        let ended = self.has_ended();
        self.inbox.stop();
        let (unstored, waited) = self
            .finished
            .changed
            .wait_timeout_while(lock(&self.finished.unstored), drain, |unstored| {
                unstored.is_none()
            })
            .unwrap_or_else(PoisonError::into_inner);
        drop(unstored);
        // A dispatcher that panicked waits for nobody: neither do we for what is in flight.
        let broken = waited.timed_out() || ended;
        if broken {
            self.courier.transport.shutdown();
        }
        join_all(vec![self.dispatcher]);
        self.outbox.close();
        join_all(self.senders);
        let unstored = lock(&self.finished.unstored).unwrap_or(0) + self.inbox.results_left();
        Stopped { broken, unstored }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn join_all(threads: Vec<JoinHandle<()>>) {
    for thread in threads {
        // A panic was contained where it happened; there is nothing left to learn from it here.
        let _ = thread.join();
    }
}

fn no_thread(error: &std::io::Error) -> Error {
    Error::Internal(format!("no thread could be started: {error}"))
}

/// A sender's life: take a batch, deliver it, report.
fn send(parts: &EngineParts, work: &Outbox) {
    OURS.set(true);
    while let Some(claimed) = work.pop() {
        let failing = claimed.failing;
        let settlement = if claimed.outlasts_attempt(parts.clock.now()) {
            parts.courier.deliver(&claimed)
        } else {
            Courier::release(&claimed)
        };
        parts.inbox.put_result(settlement, failing);
    }
}
