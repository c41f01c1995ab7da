//! A clock of the host's.

use std::ffi::c_void;
use std::sync::Arc;

use crate::clock::Clock;
use crate::ffi::boundary::{exclusive, guard, sized};
use crate::ffi::error::{Failure, hookbox_error};
use crate::ffi::foreign::{Foreign, hookbox_destroy};
use crate::ffi::options::hookbox_options;
use crate::ffi::status::hookbox_status;
use crate::model::Timestamp;

/// Where the time comes from. For tests: two weeks of retries in a second. Set struct_size
/// (HOOKBOX_CLOCK_INIT does).
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct hookbox_clock {
    /// sizeof(hookbox_clock).
    pub struct_size: u32,
    /// Given to each function.
    pub context: *mut c_void,
    /// The time in Unix milliseconds. It may jump in either direction. Called from any thread, and
    /// often: it must not wait, and not call hookbox.
    pub now_ms: Option<unsafe extern "C" fn(context: *mut c_void) -> i64>,
    /// Ends the context; may be NULL.
    pub destroy: hookbox_destroy,
}

const CLOCK_BYTES: usize = 32;
const _: () = assert!(size_of::<hookbox_clock>() >= CLOCK_BYTES);

#[derive(Debug)]
struct HostClock {
    host: Foreign,
    now_ms: unsafe extern "C" fn(*mut c_void) -> i64,
}

impl Clock for HostClock {
    fn now(&self) -> Timestamp {
        // SAFETY: the host gave the function and its context for this.
        Timestamp::from_millis(unsafe { (self.now_ms)(self.host.data()) })
    }
}

/// Takes the time from here. The table is copied. Its destroy runs exactly once: also when this fails,
/// unless the table itself cannot be read (NULL, a wrong struct_size).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hookbox_options_set_clock(
    options: *mut hookbox_options,
    clock: *const hookbox_clock,
    error: *mut *mut hookbox_error,
) -> hookbox_status {
    // SAFETY: the caller keeps what the header says.
    unsafe {
        guard(error, || {
            let table = sized(clock, CLOCK_BYTES, "clock")?;
            let host = Foreign::new(table.context, table.destroy);
            let options = exclusive(options, "options")?;
            let now_ms = table.now_ms.ok_or_else(|| Failure::null("clock.now_ms"))?;
            let clock = Arc::new(HostClock { host, now_ms });
            options.change(|options| options.clock(clock));
            Ok(())
        })
    }
}
