//! A key-value store of the host's, under the library's own storage.

use std::ffi::c_void;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::ffi::boundary::{Done, bytes, exclusive, reference, sized};
use crate::ffi::error::{Failure, hookbox_error, hookbox_error_free};
use crate::ffi::foreign::{Foreign, hookbox_destroy};
use crate::ffi::handle::hookbox_box;
use crate::ffi::open::open;
use crate::ffi::options::hookbox_options;
use crate::ffi::status::{HOOKBOX_OK, error_of, hookbox_status};
use crate::ffi::text::hookbox_str;
use crate::storage::kv::{KeyValue, KvStorage, Transaction, Visit};

/// Bytes of a key at most.
pub const HOOKBOX_KV_KEY_BYTES_MAX: usize = 511;
// A number here, since cbindgen leaves out what it cannot compute.
const _: () = assert!(HOOKBOX_KV_KEY_BYTES_MAX == crate::storage::kv::KEY_BYTES_MAX);

/// Begins a transaction: with `write`, one that may write; one of these at a time, another waits for it or
/// is refused with HOOKBOX_STORAGE_BUSY. Those that read run beside it, in any number; each sees what was
/// committed when it began, and nothing later. (A store that cannot do that may make the writer wait for
/// the readers, and them for it.) A transaction stays on the thread that began it. After a commit of
/// unknown outcome, this gives transactions that see what was really stored, or fails.
pub type hookbox_kv_begin = Option<
    unsafe extern "C" fn(
        context: *mut c_void,
        write: bool,
        out_transaction: *mut *mut c_void,
        error: *mut *mut hookbox_error,
    ) -> hookbox_status,
>;

/// Reads a value, as written by this transaction or before it, and gives it to hookbox_value_set(). Where
/// the key is not there it calls nothing and returns HOOKBOX_OK.
pub type hookbox_kv_get = Option<
    unsafe extern "C" fn(
        transaction: *mut c_void,
        key: hookbox_str,
        value: *mut hookbox_value,
        error: *mut *mut hookbox_error,
    ) -> hookbox_status,
>;

/// Writes a value, in the place of the one that was there.
pub type hookbox_kv_put = Option<
    unsafe extern "C" fn(
        transaction: *mut c_void,
        key: hookbox_str,
        value: hookbox_str,
        error: *mut *mut hookbox_error,
    ) -> hookbox_status,
>;

/// Removes a key and its value. A key that is not there is no error.
pub type hookbox_kv_delete = Option<
    unsafe extern "C" fn(
        transaction: *mut c_void,
        key: hookbox_str,
        error: *mut *mut hookbox_error,
    ) -> hookbox_status,
>;

/// Calls hookbox_visit() with each key from `from` on and before `to`, and its value: in ascending order,
/// or with `reverse` in descending order, until it returns false. What this transaction wrote is among
/// them. A scan that is broken off costs no more than what was visited.
pub type hookbox_kv_scan = Option<
    unsafe extern "C" fn(
        transaction: *mut c_void,
        from: hookbox_str,
        to: hookbox_str,
        reverse: bool,
        visitor: *mut hookbox_visitor,
        error: *mut *mut hookbox_error,
    ) -> hookbox_status,
>;

/// Commits, and ends the transaction whatever it returns. After HOOKBOX_OK everything written survives a
/// power failure, and every transaction that begins later sees it. HOOKBOX_STORAGE_COMMIT_UNKNOWN: it may
/// or may not have been committed. Any other status: nothing was.
pub type hookbox_kv_commit = Option<
    unsafe extern "C" fn(
        transaction: *mut c_void,
        error: *mut *mut hookbox_error,
    ) -> hookbox_status,
>;

/// Undoes everything written, and ends the transaction.
pub type hookbox_kv_rollback = Option<unsafe extern "C" fn(transaction: *mut c_void)>;

/// An ordered, transactional key-value store, as seven functions; hookbox builds the whole storage on them.
/// It belongs to one box: nobody else writes to it while the box is open. Set struct_size
/// (HOOKBOX_KV_INIT does), and all functions but destroy.
///
/// Keys are byte strings of 1 to HOOKBOX_KV_KEY_BYTES_MAX bytes, ordered as memcmp() has it, a prefix
/// first; they may hold NULs. Values are byte strings of any length up to little more than the largest
/// payload. A function that fails returns HOOKBOX_STORAGE_FULL, _BUSY, _CORRUPT, _READ_ONLY or _IO, and may
/// set *error to one of hookbox_error_new(); after any error the transaction is rolled back. They are called
/// from any thread, must neither unwind nor longjmp, and not call hookbox but as said here.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct hookbox_kv {
    /// sizeof(hookbox_kv).
    pub struct_size: u32,
    /// Given to begin.
    pub context: *mut c_void,
    /// Begins a transaction.
    pub begin: hookbox_kv_begin,
    /// Reads a value.
    pub get: hookbox_kv_get,
    /// Writes a value.
    pub put: hookbox_kv_put,
    /// Removes a key. (The name avoids C++'s keyword.)
    pub del: hookbox_kv_delete,
    /// Visits keys in order.
    pub scan: hookbox_kv_scan,
    /// Commits a transaction.
    pub commit: hookbox_kv_commit,
    /// Rolls a transaction back.
    pub rollback: hookbox_kv_rollback,
    /// Ends the context, when the box is closed; may be NULL.
    pub destroy: hookbox_destroy,
}

const KV_BYTES: usize = 80;
const _: () = assert!(size_of::<hookbox_kv>() >= KV_BYTES);

/// Where a value that was read goes. Valid until get returns.
#[derive(Debug, Default)]
pub struct hookbox_value(Option<Vec<u8>>);

/// Who visits the keys of a scan. Valid until scan returns.
pub struct hookbox_visitor {
    /// Points to a `&mut Visit<'_>`, which outlives this.
    visit: *mut c_void,
    broken_off: bool,
    panic: Option<Box<dyn std::any::Any + Send>>,
}

impl std::fmt::Debug for hookbox_visitor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("hookbox_visitor").finish_non_exhaustive()
    }
}

/// Gives the value that was read, which is copied.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hookbox_value_set(value: *mut hookbox_value, read: hookbox_str) {
    // SAFETY: the host gives what get was called with, and bytes of its own.
    if let (Ok(value), Ok(read)) = unsafe { (exclusive(value, "value"), bytes(read, "read")) } {
        value.0 = Some(read.to_vec());
    }
}

/// Visits a key and its value, which are valid during the call only. Returns whether to go on.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hookbox_visit(
    visitor: *mut hookbox_visitor,
    key: hookbox_str,
    value: hookbox_str,
) -> bool {
    // SAFETY: the host gives what scan was called with, and bytes of its own.
    let given = unsafe {
        (
            exclusive(visitor, "visitor"),
            bytes(key, "key"),
            bytes(value, "value"),
        )
    };
    let (Ok(visitor), Ok(key), Ok(value)) = given else {
        return false;
    };
    if visitor.broken_off {
        return false;
    }
    // SAFETY: `scan` below put it there, and waits for the host.
    let visit = unsafe { &mut *visitor.visit.cast::<&mut Visit<'_>>() };
    let flow = catch_unwind(AssertUnwindSafe(|| visit(key, value)));
    visitor.broken_off = !matches!(flow, Ok(ControlFlow::Continue(())));
    visitor.panic = flow.err();
    !visitor.broken_off
}

/// Opens a box in a key-value store of the host's; makes one where the store is empty. The table is
/// copied. Its destroy runs exactly once: when the box is closed, and also when this fails, unless the
/// table itself cannot be read (NULL, a wrong struct_size).
///
/// Errors: as hookbox_open(); HOOKBOX_STORAGE_CORRUPT for a store that holds something else.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hookbox_open_kv(
    kv: *const hookbox_kv,
    options: *const hookbox_options,
    out_box: *mut *mut hookbox_box,
    error: *mut *mut hookbox_error,
) -> hookbox_status {
    // SAFETY: the caller keeps what the header says.
    unsafe {
        // Before anything else can fail: from here on, destroy runs.
        let store = store_of(kv);
        open(options, out_box, error, |options| {
            let storage = KvStorage::open(Arc::new(store?))?;
            Ok(options.open_storage(Arc::new(storage)))
        })
    }
}

/// The library's side of a table.
///
/// # Safety
/// As `sized` needs it.
pub(super) unsafe fn store_of(kv: *const hookbox_kv) -> Done<HostStore> {
    // SAFETY: by the contract.
    let table = unsafe { sized(kv, KV_BYTES, "kv") }?;
    let host = Foreign::new(table.context, table.destroy);
    Ok(HostStore {
        host,
        begin: table.begin.ok_or_else(|| Failure::null("kv.begin"))?,
        functions: Functions {
            get: table.get.ok_or_else(|| Failure::null("kv.get"))?,
            put: table.put.ok_or_else(|| Failure::null("kv.put"))?,
            del: table.del.ok_or_else(|| Failure::null("kv.del"))?,
            scan: table.scan.ok_or_else(|| Failure::null("kv.scan"))?,
            commit: table.commit.ok_or_else(|| Failure::null("kv.commit"))?,
            rollback: table.rollback.ok_or_else(|| Failure::null("kv.rollback"))?,
        },
    })
}

type ErrorOut = *mut *mut hookbox_error;

/// The functions of a transaction, none of them missing.
#[derive(Debug, Clone, Copy)]
struct Functions {
    get: unsafe extern "C" fn(*mut c_void, hookbox_str, *mut hookbox_value, ErrorOut) -> i32,
    put: unsafe extern "C" fn(*mut c_void, hookbox_str, hookbox_str, ErrorOut) -> i32,
    del: unsafe extern "C" fn(*mut c_void, hookbox_str, ErrorOut) -> i32,
    scan: unsafe extern "C" fn(
        *mut c_void,
        hookbox_str,
        hookbox_str,
        bool,
        *mut hookbox_visitor,
        ErrorOut,
    ) -> i32,
    commit: unsafe extern "C" fn(*mut c_void, ErrorOut) -> i32,
    rollback: unsafe extern "C" fn(*mut c_void),
}

/// A host's store.
#[derive(Debug)]
pub(super) struct HostStore {
    host: Foreign,
    begin: unsafe extern "C" fn(*mut c_void, bool, *mut *mut c_void, ErrorOut) -> i32,
    functions: Functions,
}

impl KeyValue for HostStore {
    fn begin(&self, write: bool) -> Result<Box<dyn Transaction + '_>> {
        let mut handle = std::ptr::null_mut();
        // SAFETY: the host gave the function and its context for this.
        asked(|error| unsafe { (self.begin)(self.host.data(), write, &raw mut handle, error) })?;
        Ok(Box::new(HostTransaction {
            handle,
            functions: &self.functions,
            ended: false,
        }))
    }
}

struct HostTransaction<'a> {
    handle: *mut c_void,
    functions: &'a Functions,
    ended: bool,
}

fn given(bytes: &[u8]) -> hookbox_str {
    hookbox_str {
        ptr: bytes.as_ptr().cast(),
        len: bytes.len(),
    }
}

impl Transaction for HostTransaction<'_> {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        let mut value = hookbox_value::default();
        let get = self.functions.get;
        // SAFETY: the transaction has not ended; the arguments outlive the call.
        asked(|error| unsafe { get(self.handle, given(key), &raw mut value, error) })?;
        Ok(value.0)
    }

    fn put(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        let put = self.functions.put;
        // SAFETY: as above.
        asked(|error| unsafe { put(self.handle, given(key), given(value), error) })
    }

    fn delete(&mut self, key: &[u8]) -> Result<()> {
        let del = self.functions.del;
        // SAFETY: as above.
        asked(|error| unsafe { del(self.handle, given(key), error) })
    }

    fn scan(&self, from: &[u8], to: &[u8], reverse: bool, visit: &mut Visit<'_>) -> Result<()> {
        let mut visit = visit;
        let mut visitor = hookbox_visitor {
            visit: (&raw mut visit).cast(),
            broken_off: false,
            panic: None,
        };
        let (from, to, scan) = (given(from), given(to), self.functions.scan);
        // SAFETY: as above.
        let done =
            asked(|error| unsafe { scan(self.handle, from, to, reverse, &raw mut visitor, error) });
        if let Some(panic) = visitor.panic {
            resume_unwind(panic);
        }
        done
    }

    fn commit(mut self: Box<Self>) -> Result<()> {
        self.ended = true;
        let commit = self.functions.commit;
        // SAFETY: as above; it is not used again.
        asked(|error| unsafe { commit(self.handle, error) })
    }

    fn rollback(self: Box<Self>) {}
}

impl Drop for HostTransaction<'_> {
    fn drop(&mut self) {
        if !self.ended {
            // SAFETY: it has not ended, and is not used again.
            unsafe { (self.functions.rollback)(self.handle) };
        }
    }
}

/// Asks a function of the host's, and takes its error.
fn asked(function: impl FnOnce(ErrorOut) -> hookbox_status) -> Result<()> {
    let mut error = std::ptr::null_mut();
    let status = function(&raw mut error);
    // SAFETY: the host's error is one of hookbox_error_new, or NULL.
    let failed = unsafe { host_error(status, error) };
    if status == HOOKBOX_OK {
        Ok(())
    } else {
        Err(failed)
    }
}

/// What a host's function failed with; frees its error object.
///
/// # Safety
/// `error` is NULL or came from `hookbox_error_new`, and nobody else uses it.
pub(super) unsafe fn host_error(status: hookbox_status, error: *mut hookbox_error) -> Error {
    // SAFETY: by the contract.
    unsafe {
        let message = reference(error.cast_const(), "error")
            .and_then(|error| crate::ffi::boundary::text(error.message, "message"))
            .map_or_else(
                |_| format!("a function of the host's returned {status}"),
                str::to_owned,
            );
        hookbox_error_free(error);
        error_of(status, message)
    }
}
