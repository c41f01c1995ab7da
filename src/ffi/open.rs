//! Opening a box.

use crate::error::Result;
use crate::hookbox::{Hookbox, Options};

use super::boundary::{Output, guard, reference, text};
use super::error::hookbox_error;
use super::handle::hookbox_box;
use super::options::hookbox_options;
use super::signals::blocked;
use super::status::hookbox_status;
use super::text::hookbox_str;

/// The inside of the functions that open a box.
pub(super) unsafe fn open(
    options: *const hookbox_options,
    out_box: *mut *mut hookbox_box,
    error: *mut *mut hookbox_error,
    how: impl FnOnce(Options) -> super::boundary::Done<Result<Hookbox>>,
) -> hookbox_status {
    // SAFETY: the caller gives options or NULL, a place, and a place or NULL.
    unsafe {
        guard(error, || {
            let out = Output::new(out_box, "out_box")?;
            let options = if options.is_null() {
                Options::new()
            } else {
                reference(options, "options")?.build()
            };
            out.set(hookbox_box::new(blocked(|| how(options))??));
            Ok(())
        })
    }
}

/// Opens a box in an SQLite file, which is created where it is missing; or in the PostgreSQL database
/// of a URL ("postgres://user:password@host/database"), where the library was built with it.
///
/// `options` may be NULL: all as by default. The box is the caller's: close it with hookbox_box_close()
/// and free it with hookbox_box_free().
///
/// Errors: HOOKBOX_INVALID_REQUEST for an option out of range, or a URL that cannot be used;
/// HOOKBOX_UNSUPPORTED for a URL where the library was built without PostgreSQL; HOOKBOX_STORAGE_….
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hookbox_open(
    path: hookbox_str,
    options: *const hookbox_options,
    out_box: *mut *mut hookbox_box,
    error: *mut *mut hookbox_error,
) -> hookbox_status {
    // SAFETY: as `open` and `text` need it.
    unsafe {
        open(options, out_box, error, |options| {
            Ok(options.open(text(path, "path")?))
        })
    }
}

/// Opens a box for looking only: nothing is created, migrated, changed or sent, and calls that would
/// do so return HOOKBOX_READ_ONLY.
///
/// Errors: as hookbox_open(); also when there is no box.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hookbox_open_read_only(
    path: hookbox_str,
    options: *const hookbox_options,
    out_box: *mut *mut hookbox_box,
    error: *mut *mut hookbox_error,
) -> hookbox_status {
    // SAFETY: as `open` and `text` need it.
    unsafe {
        open(options, out_box, error, |options| {
            Ok(options.open_read_only(text(path, "path")?))
        })
    }
}

/// Opens a new box in memory. Its events are lost when it is closed or the process ends, delivered or
/// not: for tests, and for events that may be lost.
///
/// Errors: HOOKBOX_INVALID_REQUEST for an option out of range.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hookbox_open_in_memory(
    options: *const hookbox_options,
    out_box: *mut *mut hookbox_box,
    error: *mut *mut hookbox_error,
) -> hookbox_status {
    // SAFETY: as `open` needs it.
    unsafe {
        open(options, out_box, error, |options| {
            let storage = crate::storage::kv::KvStorage::in_memory()?;
            Ok(options.open_storage(std::sync::Arc::new(storage)))
        })
    }
}
