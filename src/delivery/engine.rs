//! The threads: one dispatcher, which alone talks to the storage, and the senders.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use crate::error::Result;
use crate::model::Notice;
use crate::sync::thread::{Builder, JoinHandle};
use crate::sync::{Condvar, Mutex, MutexGuard};

use super::courier::Courier;
use super::dispatcher::Dispatcher;
use super::senders::{Senders, become_our_thread, no_thread};
use super::{EngineParts, Inbox};

/// Running threads. Stopped by [`Engine::stop`].
#[derive(Debug)]
pub(crate) struct Engine {
    inbox: Arc<Inbox>,
    senders: Arc<Senders>,
    courier: Arc<Courier>,
    dispatcher: JoinHandle<()>,
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
        let senders = Senders::start(parts)?;
        let finished = Arc::new(Finished::default());
        let (of_dispatcher, work, done) =
            (parts.clone(), Arc::clone(&senders), Arc::clone(&finished));
        let spawned = Builder::new()
            .name("hookbox-dispatch".to_owned())
            .spawn(move || {
                become_our_thread();
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
                senders,
                courier: Arc::clone(&parts.courier),
                dispatcher,
                finished,
            }),
            Err(error) => {
                senders.close();
                senders.join();
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
        // A panic was contained where it happened; there is nothing left to learn from it here.
        let _ = self.dispatcher.join();
        self.senders.close();
        self.senders.join();
        let unstored = lock(&self.finished.unstored).unwrap_or(0) + self.inbox.results_left();
        Stopped { broken, unstored }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
