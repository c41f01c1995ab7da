//! `std`'s names over the crate `shuttle`, where every call is a point at which another thread may go on.
//!
//! Two things `shuttle` lacks: a wait for a time that can end by it, and a thread that can be asked whether it
//! has ended.

use std::cell::Cell;
use std::ops::{Deref, DerefMut};
use std::sync::{LockResult, PoisonError, TryLockError, TryLockResult};
use std::time::Duration;

use shuttle::rand::{Rng, thread_rng};

pub(crate) use shuttle::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard, atomic};
pub(crate) use shuttle::thread_local;

// All threads of a program under `shuttle` are one thread of the system: what is here is the program's.
std::thread_local! {
    static WAITS_END: Cell<bool> = const { Cell::new(false) };
    static RUNNING: Cell<usize> = const { Cell::new(0) };
}

/// Whether a wait for a time may end by it, at any moment. Else it ends only when somebody wakes who
/// waits: one who was forgotten waits for ever, which `shuttle` notices.
pub fn let_waits_end(may: bool) {
    WAITS_END.set(may);
}

/// Threads of hookbox's own that run.
#[must_use]
pub fn threads_running() -> usize {
    RUNNING.get()
}

#[derive(Debug, Default)]
pub(crate) struct Mutex<T>(shuttle::sync::Mutex<T>);

/// Knows its mutex, so that a wait can let go of it and take it again.
pub(crate) struct MutexGuard<'a, T> {
    held: shuttle::sync::MutexGuard<'a, T>,
    of: &'a Mutex<T>,
}

impl<T> Mutex<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(shuttle::sync::Mutex::new(value))
    }

    pub(crate) fn lock(&self) -> LockResult<MutexGuard<'_, T>> {
        self.guard(self.0.lock())
    }

    pub(crate) fn try_lock(&self) -> TryLockResult<MutexGuard<'_, T>> {
        match self.0.try_lock() {
            Ok(held) => Ok(MutexGuard { held, of: self }),
            Err(TryLockError::Poisoned(held)) => Ok(self.guard(Err(held))?),
            Err(TryLockError::WouldBlock) => Err(TryLockError::WouldBlock),
        }
    }

    pub(crate) fn get_mut(&mut self) -> LockResult<&mut T> {
        self.0.get_mut()
    }

    fn guard<'a>(
        &'a self,
        held: LockResult<shuttle::sync::MutexGuard<'a, T>>,
    ) -> LockResult<MutexGuard<'a, T>> {
        let guard = |held| MutexGuard { held, of: self };
        held.map(guard)
            .map_err(|poisoned| PoisonError::new(guard(poisoned.into_inner())))
    }
}

impl<T> Deref for MutexGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.held
    }
}

impl<T> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.held
    }
}

#[derive(Debug, Default)]
pub(crate) struct Condvar(shuttle::sync::Condvar);

/// Whether a wait ended by its time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WaitTimeoutResult(bool);

impl WaitTimeoutResult {
    pub(crate) const fn timed_out(self) -> bool {
        self.0
    }
}

impl Condvar {
    pub(crate) const fn new() -> Self {
        Self(shuttle::sync::Condvar::new())
    }

    pub(crate) fn notify_one(&self) {
        self.0.notify_one();
    }

    pub(crate) fn notify_all(&self) {
        self.0.notify_all();
    }

    pub(crate) fn wait<'a, T>(&self, guard: MutexGuard<'a, T>) -> LockResult<MutexGuard<'a, T>> {
        guard.of.guard(self.0.wait(guard.held))
    }

    pub(crate) fn wait_while<'a, T>(
        &self,
        mut guard: MutexGuard<'a, T>,
        mut waits: impl FnMut(&mut T) -> bool,
    ) -> LockResult<MutexGuard<'a, T>> {
        while waits(&mut guard) {
            guard = self.wait(guard)?;
        }
        Ok(guard)
    }

    /// Time is not modelled: where waits may end, this one looks, lets others go on and looks again, until
    /// by chance its time is over.
    #[allow(clippy::unnecessary_wraps)] // as std's
    pub(crate) fn wait_timeout_while<'a, T>(
        &self,
        mut guard: MutexGuard<'a, T>,
        patience: Duration,
        mut waits: impl FnMut(&mut T) -> bool,
    ) -> LockResult<(MutexGuard<'a, T>, WaitTimeoutResult)> {
        while waits(&mut guard) {
            if patience.is_zero() || (WAITS_END.get() && thread_rng().gen_bool(0.25)) {
                return Ok((guard, WaitTimeoutResult(true)));
            }
            let again = if WAITS_END.get() {
                let mutex = guard.of;
                drop(guard);
                shuttle::thread::yield_now();
                mutex.lock()
            } else {
                self.wait(guard)
            };
            guard = again.unwrap_or_else(PoisonError::into_inner);
        }
        Ok((guard, WaitTimeoutResult(false)))
    }
}

pub(crate) mod thread {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

    use super::RUNNING;

    #[derive(Debug)]
    pub(crate) struct Builder(shuttle::thread::Builder);

    #[derive(Debug)]
    pub(crate) struct JoinHandle<T> {
        thread: shuttle::thread::JoinHandle<T>,
        has_ended: Arc<AtomicBool>,
    }

    impl Builder {
        pub(crate) fn new() -> Self {
            Self(shuttle::thread::Builder::new())
        }

        pub(crate) fn name(self, name: String) -> Self {
            Self(self.0.name(name))
        }

        pub(crate) fn stack_size(self, bytes: usize) -> Self {
            Self(self.0.stack_size(bytes))
        }

        pub(crate) fn spawn<T: Send + 'static>(
            self,
            work: impl FnOnce() -> T + Send + 'static,
        ) -> std::io::Result<JoinHandle<T>> {
            let has_ended = Arc::new(AtomicBool::new(false));
            let running = Running::new(Arc::clone(&has_ended));
            let thread = self.0.spawn(move || {
                let _running = running;
                work()
            })?;
            Ok(JoinHandle { thread, has_ended })
        }
    }

    impl<T> JoinHandle<T> {
        pub(crate) fn join(self) -> std::thread::Result<T> {
            self.thread.join()
        }

        pub(crate) fn is_finished(&self) -> bool {
            self.has_ended.load(SeqCst)
        }
    }

    /// Counts a thread for as long as it runs, however it ends.
    struct Running(Arc<AtomicBool>);

    impl Running {
        fn new(has_ended: Arc<AtomicBool>) -> Self {
            RUNNING.set(RUNNING.get() + 1);
            Self(has_ended)
        }
    }

    impl Drop for Running {
        fn drop(&mut self) {
            RUNNING.set(RUNNING.get() - 1);
            self.0.store(true, SeqCst);
        }
    }
}
