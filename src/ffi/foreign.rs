//! What a host hands over with a callback: its data, and how to let go of it.

use std::ffi::c_void;

/// Ends a host's data. Called exactly once: when what it was registered with is replaced or freed, and
/// also when the registering call itself fails. On whatever thread that happens.
pub type hookbox_destroy = Option<unsafe extern "C" fn(user_data: *mut c_void)>;

/// A host's data with its end, which comes exactly once: when this is dropped.
#[derive(Debug)]
pub(super) struct Foreign {
    data: *mut c_void,
    destroy: hookbox_destroy,
}

// SAFETY: the header demands of hosts that callbacks and their data may be used from any thread.
unsafe impl Send for Foreign {}
// SAFETY: as above; several at once.
unsafe impl Sync for Foreign {}

impl Foreign {
    pub(super) const fn new(data: *mut c_void, destroy: hookbox_destroy) -> Self {
        Self { data, destroy }
    }

    /// What the host's functions are called with.
    pub(super) const fn data(&self) -> *mut c_void {
        self.data
    }
}

impl Drop for Foreign {
    fn drop(&mut self) {
        if let Some(destroy) = self.destroy {
            // SAFETY: the host gave both, for exactly this, and this happens once.
            unsafe { destroy(self.data) };
        }
    }
}
