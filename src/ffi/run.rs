//! Delivering: on hookbox's threads, or on the host's.

use std::time::Duration;

use crate::model::Timestamp;

use super::boundary::Output;
use super::error::hookbox_error;
use super::handle::{call, call_outside, hookbox_box};
use super::signals::blocked;
use super::status::hookbox_status;
use super::webhooks::millis;

/// Starts the threads that deliver. Starting twice changes nothing.
///
/// Errors: HOOKBOX_READ_ONLY; HOOKBOX_UNSUPPORTED from inside a callback;
/// HOOKBOX_INTERNAL when the operating system gives no thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hookbox_box_start(
    hooks: *mut hookbox_box,
    error: *mut *mut hookbox_error,
) -> hookbox_status {
    // SAFETY: the caller keeps what the header says.
    unsafe { call_outside(hooks, error, |hooks| Ok(blocked(|| hooks.start())?)) }
}

/// Stops the threads: claims nothing more, waits up to `drain_ms` for requests in flight, breaks them
/// then, and stores every result. When it returns, no thread of hookbox runs. May be started again.
///
/// Errors: HOOKBOX_STORAGE_IO when the storage took no more results: what they belong to is sent again
/// when its lease ends. HOOKBOX_UNSUPPORTED from inside a callback.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hookbox_box_stop(
    hooks: *mut hookbox_box,
    drain_ms: u64,
    error: *mut *mut hookbox_error,
) -> hookbox_status {
    // SAFETY: the caller keeps what the header says.
    unsafe {
        call_outside(hooks, error, |hooks| {
            Ok(hooks.stop(Duration::from_millis(drain_ms))?)
        })
    }
}

/// Tells the threads that something may be due: after a commit of the program's own that emitted. Never
/// needed after a call of this library.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hookbox_box_wake(
    hooks: *mut hookbox_box,
    error: *mut *mut hookbox_error,
) -> hookbox_status {
    // SAFETY: the caller keeps what the header says.
    unsafe {
        call(hooks, error, |hooks| {
            hooks.wake();
            Ok(())
        })
    }
}

/// Delivers on the calling thread what is due, one request after the other: for programs that want no
/// threads of ours. `now_ms` is the time in Unix milliseconds, 0 for the box's clock. `out_attempts` gets
/// how many requests were made, `out_next_due_ms` when to poll again at the latest (0: nothing waits for
/// a time); either may be NULL.
///
/// Errors: HOOKBOX_STORAGE_…: a request that was made is then not recorded, and is made again when its
/// lease ends.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hookbox_box_poll(
    hooks: *mut hookbox_box,
    now_ms: i64,
    out_attempts: *mut usize,
    out_next_due_ms: *mut i64,
    error: *mut *mut hookbox_error,
) -> hookbox_status {
    // SAFETY: the caller keeps what the header says.
    unsafe {
        call(hooks, error, |hooks| {
            let attempts = Output::optional(out_attempts, "out_attempts")?;
            let next_due = Output::optional(out_next_due_ms, "out_next_due_ms")?;
            let now = if now_ms == 0 {
                hooks.now()
            } else {
                Timestamp::from_millis(now_ms)
            };
            let polled = blocked(|| hooks.poll(now))?;
            attempts.set(polled.attempts);
            next_due.set(millis(polled.next_due));
            Ok(())
        })
    }
}

/// Makes calls of hookbox_box_poll() and hookbox_box_wait_idle() that other threads have under way return
/// soon: the former after the request at hand, the latter at once. For a language's way of cancelling.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hookbox_box_interrupt(
    hooks: *mut hookbox_box,
    error: *mut *mut hookbox_error,
) -> hookbox_status {
    // SAFETY: the caller keeps what the header says.
    unsafe {
        call(hooks, error, |hooks| {
            hooks.interrupt();
            Ok(())
        })
    }
}

/// Waits for at most `patience_ms` until the threads have nothing to do: nothing in flight, nothing due.
/// `out_idle` gets whether that is so: false when they still have, or are not running. For scripts and
/// tests: what another process emits in the last half second may not have been seen.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hookbox_box_wait_idle(
    hooks: *mut hookbox_box,
    patience_ms: u64,
    out_idle: *mut bool,
    error: *mut *mut hookbox_error,
) -> hookbox_status {
    // SAFETY: the caller keeps what the header says.
    unsafe {
        call(hooks, error, |hooks| {
            let out = Output::new(out_idle, "out_idle")?;
            out.set(
                hooks
                    .wait_idle(Duration::from_millis(patience_ms))
                    .is_some(),
            );
            Ok(())
        })
    }
}
