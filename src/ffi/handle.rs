//! The handle of a box: calls that are under way, closing, and what a panic leaves.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::api::ApiKeys;
use crate::error::Error;
use crate::hookbox::Hookbox;
use crate::process::Process;

use super::boundary::{Done, guard, reference};
use super::error::{Failure, hookbox_error};
use super::status::hookbox_status;

/// A webhook outbox. Thread-safe: any thread may call anything with it, at any time. It belongs to the
/// process that opened it: in a child of fork() every call returns HOOKBOX_FORKED and touches nothing.
#[derive(Debug)]
pub struct hookbox_box {
    process: Process,
    gate: Mutex<Gate>,
    /// Somebody left.
    left: Condvar,
    poisoned: AtomicBool,
}

/// Who is inside.
#[derive(Debug)]
struct Gate {
    /// `None` when closed.
    open: Option<Arc<Open>>,
    calls: usize,
}

/// What a box has while it is open.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) hooks: Arc<Hookbox>,
    /// The management API's keys: they count requests, and so must be the same for all of them.
    pub(super) keys: Arc<ApiKeys>,
}

/// How often whoever closes asks those inside to come out.
const INTERRUPT_EVERY: Duration = Duration::from_millis(20);

thread_local! {
    /// How many calls this thread is inside of: more than none in a callback.
    static DEPTH: Cell<usize> = const { Cell::new(0) };
}

impl hookbox_box {
    pub(super) fn new(hooks: Hookbox) -> *mut Self {
        let hooks = Arc::new(hooks);
        let keys = Arc::new(ApiKeys::new(Arc::clone(&hooks)));
        Box::into_raw(Box::new(Self {
            process: Process::current(),
            gate: Mutex::new(Gate {
                open: Some(Arc::new(Open { hooks, keys })),
                calls: 0,
            }),
            left: Condvar::new(),
            poisoned: AtomicBool::new(false),
        }))
    }

    fn gate(&self) -> MutexGuard<'_, Gate> {
        self.gate.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs a call inside of the box.
    fn inside<T>(&self, work: impl FnOnce(&Open) -> Done<T>) -> Done<T> {
        // Before the lock: in a child, a thread that held it is gone.
        self.process.check()?;
        if self.poisoned.load(Ordering::Relaxed) {
            return Err(Failure::Panic);
        }
        let inside = Inside::enter(self)?;
        let open = inside.open.as_deref().ok_or(Failure::Closed)?;
        catch_unwind(AssertUnwindSafe(|| work(open))).unwrap_or_else(|_| {
            self.poisoned.store(true, Ordering::Relaxed);
            Err(Failure::Panic)
        })
    }

    /// Closes the box: refuses new calls, stops the threads, and waits for the calls under way.
    fn close(&self, drain: Duration) -> Done {
        self.process.check()?;
        if DEPTH.get() > 0 || crate::delivery::on_our_thread() {
            let message = "close and free the box outside of its callbacks";
            return Err(Error::Unsupported(message.into()).into());
        }
        let open = {
            let mut gate = self.gate();
            gate.calls += usize::from(gate.open.is_some()); // Whoever closes is inside, too.
            gate.open.take()
        };
        let Some(open) = open else {
            while self.calls_above(0) {} // Somebody else closes, or has closed.
            return Ok(());
        };
        // A panic must not leave the others waiting for this one to be done.
        let stop = catch_unwind(AssertUnwindSafe(|| open.hooks.stop(drain)));
        open.hooks.interrupt();
        // Again and again, for whoever had come in but did not wait yet.
        while self.calls_above(1) {
            open.hooks.interrupt();
        }
        // The last one there is: everything of the host's is let go before this returns.
        drop(open);
        self.gate().calls = 0;
        self.left.notify_all();
        Ok(stop.map_err(|_| Failure::Panic)??)
    }

    /// Whether there are more calls than these, after a while of waiting for them to end.
    fn calls_above(&self, left: usize) -> bool {
        let (gate, _) = self
            .left
            .wait_timeout_while(self.gate(), INTERRUPT_EVERY, |gate| gate.calls > left)
            .unwrap_or_else(PoisonError::into_inner);
        gate.calls > left
    }
}

/// A call that is under way.
struct Inside<'a> {
    of: &'a hookbox_box,
    /// `None` while it leaves.
    open: Option<Arc<Open>>,
}

impl<'a> Inside<'a> {
    fn enter(of: &'a hookbox_box) -> Done<Self> {
        let mut gate = of.gate();
        let open = Arc::clone(gate.open.as_ref().ok_or(Failure::Closed)?);
        gate.calls += 1;
        DEPTH.set(DEPTH.get() + 1);
        Ok(Self {
            of,
            open: Some(open),
        })
    }
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        DEPTH.set(DEPTH.get() - 1);
        // Before it counts as gone: whoever closes must have the last one.
        drop(self.open.take());
        if !self.of.process.is_current() {
            return; // A callback forked, and this is the child: the lock may be held for ever.
        }
        let mut gate = self.of.gate();
        gate.calls -= 1;
        // Only whoever closes waits, and telling nobody costs a call of the system's all the same.
        let is_closing = gate.open.is_none();
        drop(gate);
        if is_closing {
            self.of.left.notify_all();
        }
    }
}

/// Runs the inside of an exported function that is called with a box.
///
/// # Safety
/// `hooks` is NULL or a box that is not freed during the call; `error` is NULL or may be written to.
pub(super) unsafe fn call(
    hooks: *const hookbox_box,
    error: *mut *mut hookbox_error,
    work: impl FnOnce(&Hookbox) -> Done,
) -> hookbox_status {
    // SAFETY: by the contract.
    unsafe { call_open(hooks, error, |open| work(&open.hooks)) }
}

/// As [`call`], for what needs more than the library's box.
///
/// # Safety
/// As [`call`].
pub(super) unsafe fn call_open(
    hooks: *const hookbox_box,
    error: *mut *mut hookbox_error,
    work: impl FnOnce(&Open) -> Done,
) -> hookbox_status {
    // SAFETY: by the contract.
    unsafe { guard(error, || reference(hooks, "hooks")?.inside(work)) }
}

/// Closes a box: stops its threads as hookbox_box_stop() does with `drain_ms`, and waits for calls
/// that other threads have under way. From then on every call but hookbox_box_free() returns
/// HOOKBOX_CLOSED, no thread of hookbox runs, and no callback is called again. Closing twice is no
/// error.
///
/// Errors: HOOKBOX_UNSUPPORTED from inside a callback, and the box stays open; HOOKBOX_STORAGE_IO when
/// the storage took no more results (it is closed all the same, and what they belong to is sent
/// again); HOOKBOX_FORKED.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hookbox_box_close(
    hooks: *mut hookbox_box,
    drain_ms: u64,
    error: *mut *mut hookbox_error,
) -> hookbox_status {
    // SAFETY: the caller gives a box, and a place or NULL.
    unsafe {
        guard(error, || {
            reference(hooks.cast_const(), "hooks")?.close(Duration::from_millis(drain_ms))
        })
    }
}

/// Frees a box, closing it first without patience where it is open. NULL is ignored. No other thread
/// may be in a call with the box, nor call with it again. In a child of fork() the memory is left
/// alone.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hookbox_box_free(hooks: *mut hookbox_box) {
    // SAFETY: the caller gives a box or NULL.
    let closed = unsafe { hookbox_box_close(hooks, 0, std::ptr::null_mut()) };
    let keep = [
        super::status::HOOKBOX_FORKED,
        super::status::HOOKBOX_UNSUPPORTED,
        super::status::HOOKBOX_PANIC,
    ];
    if !hooks.is_null() && !keep.contains(&closed) {
        // SAFETY: `hookbox_box::new` made it, and by the header nobody uses it any more.
        drop(unsafe { Box::from_raw(hooks) });
    }
}

/// As [`call`], for what waits for hookbox's threads: a callback under way on this thread may be what one
/// of them waits for. (Theirs are refused by the box itself.)
///
/// # Safety
/// As [`call`].
pub(super) unsafe fn call_outside(
    hooks: *const hookbox_box,
    error: *mut *mut hookbox_error,
    work: impl FnOnce(&Hookbox) -> Done,
) -> hookbox_status {
    if DEPTH.get() > 0 {
        let message = "start and stop the box outside of its callbacks";
        // SAFETY: by the contract.
        return unsafe { guard(error, || Err(Error::Unsupported(message.into()).into())) };
    }
    // SAFETY: by the contract.
    unsafe { call(hooks, error, work) }
}
