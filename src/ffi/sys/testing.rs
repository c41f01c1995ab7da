//! The conformance suite, for whoever writes a key-value store in C.

use std::ffi::c_void;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::ffi::boundary::{Output, guard};
use crate::ffi::error::{Failure, hookbox_error};
use crate::ffi::foreign::{Foreign, hookbox_destroy};
use crate::ffi::status::{HOOKBOX_OK, hookbox_status};
use crate::ffi::text::{give_texts, hookbox_texts};
use crate::storage::Storage;
use crate::storage::conformance::{Place, checks};
use crate::storage::kv::KvStorage;

use super::kv::{hookbox_kv, host_error, store_of};

#[cfg(feature = "testing")]
/// Makes a fresh, empty place for a store; NULL when it cannot.
pub type hookbox_testing_make_place =
    Option<unsafe extern "C" fn(user_data: *mut c_void) -> *mut c_void>;

#[cfg(feature = "testing")]
/// Opens the store in a place: fills the table, struct_size and all. Called again, it gives another handle
/// on the same data.
pub type hookbox_testing_open_kv = Option<
    unsafe extern "C" fn(
        place: *mut c_void,
        out_kv: *mut hookbox_kv,
        error: *mut *mut hookbox_error,
    ) -> hookbox_status,
>;

/// Runs hookbox's conformance suite over a key-value store: every promise of a storage, each in a place of
/// its own. `forgets`: the data ends with its handle. `one_at_a_time`: only one handle can be open at a
/// time. `out_failures` gets a sentence for each promise that was broken, `out_checks`, which may be NULL, how
/// many were checked. Only in a library built with the feature `testing`.
#[cfg(feature = "testing")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hookbox_testing_kv_conformance(
    make_place: hookbox_testing_make_place,
    open: hookbox_testing_open_kv,
    destroy_place: hookbox_destroy,
    user_data: *mut c_void,
    forgets: bool,
    one_at_a_time: bool,
    out_checks: *mut usize,
    out_failures: *mut *mut hookbox_texts,
    error: *mut *mut hookbox_error,
) -> hookbox_status {
    // SAFETY: the caller keeps what the header says.
    unsafe {
        guard(error, || {
            let (count, out) = (
                Output::optional(out_checks, "out_checks")?,
                Output::new(out_failures, "out_failures")?,
            );
            let make_place = make_place.ok_or_else(|| Failure::null("make_place"))?;
            let open = open.ok_or_else(|| Failure::null("open"))?;
            let mut failures = Vec::new();
            for check in checks() {
                let data = make_place(user_data);
                let host = Arc::new(Foreign::new(data, destroy_place));
                let mut place = Place::new(move || open_place(open, &host));
                if forgets {
                    place = place.forgets();
                }
                if one_at_a_time {
                    place = place.one_at_a_time();
                }
                failures.extend(check.run(&place).err());
            }
            count.set(checks().len());
            out.set(give_texts(failures));
            Ok(())
        })
    }
}

fn open_place(
    open: unsafe extern "C" fn(*mut c_void, *mut hookbox_kv, *mut *mut hookbox_error) -> i32,
    place: &Foreign,
) -> Result<Arc<dyn Storage>> {
    let mut table = std::mem::MaybeUninit::<hookbox_kv>::zeroed();
    let mut error = std::ptr::null_mut();
    // SAFETY: the host gave the function and its place for this; a table may be all zeros; the host's
    // error is one of hookbox_error_new, or NULL.
    let store = unsafe {
        let status = open(place.data(), table.as_mut_ptr(), &raw mut error);
        let failed = host_error(status, error);
        if status != HOOKBOX_OK {
            return Err(failed);
        }
        store_of(table.as_ptr())
    };
    let store = store.map_err(|failure| Error::Internal(format!("{failure:?}")))?;
    Ok(Arc::new(KvStorage::open(Arc::new(store))?))
}
