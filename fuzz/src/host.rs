//! What a program brings itself, for the fuzzer of the C functions: a clock, a transport, a signer, a
//! key-value store that stores nothing, a listener; and how often each was let go of.

use std::ffi::c_void;
use std::ptr::{null, null_mut};
use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering::SeqCst};

use hookbox::ffi::claims::{hookbox_outcome, hookbox_request};
use hookbox::ffi::error::{hookbox_error, hookbox_error_new};
use hookbox::ffi::notice::hookbox_notice;
use hookbox::ffi::sys::clock::hookbox_clock;
use hookbox::ffi::sys::kv::{
    hookbox_kv, hookbox_value, hookbox_value_set, hookbox_visit, hookbox_visitor,
};
use hookbox::ffi::sys::signer::hookbox_signer;
use hookbox::ffi::sys::transport::{hookbox_reply, hookbox_reply_set, hookbox_transport};
use hookbox::ffi::text::hookbox_str;

use crate::soup::read;

/// How many tables were let go of.
pub static ENDED: AtomicUsize = AtomicUsize::new(0);
/// What the transport answers: a status, 0 for a time-out, below 0 for saying nothing.
pub static ANSWER: AtomicI32 = AtomicI32::new(200);
/// What the functions of the key-value store and the signer return.
pub static STATUS: AtomicI32 = AtomicI32::new(0);

pub unsafe extern "C" fn end(_: *mut c_void) {
    ENDED.fetch_add(1, SeqCst);
}

pub unsafe extern "C" fn heard(_: *mut c_void, notice: *const hookbox_notice) {
    // SAFETY: the library gives it for the call.
    let notice = unsafe { &*notice };
    assert!(!read(notice.kind).is_empty() && read(notice.json).starts_with(b"{"));
    read(notice.app_id);
    read(notice.webhook_id);
    read(notice.batch_id);
}

unsafe extern "C" fn now_ms(_: *mut c_void) -> i64 {
    crate::START.as_millis()
}

pub fn clock() -> hookbox_clock {
    hookbox_clock {
        struct_size: 0,
        context: null_mut(),
        now_ms: Some(now_ms),
        destroy: Some(end),
    }
}

unsafe extern "C" fn send(
    _: *mut c_void,
    request: *const hookbox_request,
    reply: *mut hookbox_reply,
) {
    // SAFETY: the library gives both for the call.
    unsafe {
        let request = &*request;
        assert!(!read(request.method).is_empty() && request.timeout_ms > 0);
        read(request.url);
        read(request.body);
        let status = ANSWER.load(SeqCst);
        let query = read(request.url)
            .split(|byte| *byte == b'?')
            .nth(1)
            .map(<[u8]>::to_vec);
        let mut body = Vec::new();
        if let Some(number) = query.as_ref().and_then(|query| {
            let after = query
                .split(|byte| *byte == b'&')
                .find_map(|pair| pair.strip_prefix(b"challenge="));
            after.map(<[u8]>::to_vec)
        }) {
            body = [b"{\"challenge\":".as_slice(), &number, b"}"].concat();
        }
        let outcome = hookbox_outcome {
            struct_size: size_of::<hookbox_outcome>() as u32,
            kind: if status == 0 { 5 } else { 0 },
            http_status: status.clamp(0, 999) as u16,
            headers: null(),
            header_count: 0,
            body: hookbox_str {
                ptr: body.as_ptr().cast(),
                len: body.len(),
            },
        };
        if status >= 0 {
            hookbox_reply_set(reply, &raw const outcome, null_mut());
        }
    }
}

pub fn transport() -> hookbox_transport {
    hookbox_transport {
        struct_size: 0,
        context: null_mut(),
        send: Some(send),
        shutdown: None,
        destroy: Some(end),
    }
}

unsafe extern "C" fn sign(
    _: *mut c_void,
    sha256: *const u8,
    signature: *mut u8,
    bytes_max: usize,
    out_bytes: *mut usize,
    error: *mut *mut hookbox_error,
) -> i32 {
    assert!(!sha256.is_null());
    let status = STATUS.load(SeqCst);
    // SAFETY: the library gives room for as many bytes as it says.
    unsafe {
        signature.write_bytes(7, bytes_max);
        // Also more than there is room for: the library must not believe it.
        *out_bytes = bytes_max.wrapping_add((status % 3) as usize);
        why(status, error);
    }
    status
}

pub fn signer() -> hookbox_signer {
    // Not counted: what a closed box does with it is not promised.
    hookbox_signer {
        struct_size: 0,
        context: null_mut(),
        sign: Some(sign),
        destroy: None,
    }
}

/// Says why, sometimes, and sometimes although all is well.
unsafe fn why(status: i32, error: *mut *mut hookbox_error) {
    if status % 2 == 0 {
        let text = hookbox_str {
            ptr: c"the host's".as_ptr(),
            len: 10,
        };
        // SAFETY: the library gives a place.
        unsafe { *error = hookbox_error_new(status, text) };
    }
}

unsafe extern "C" fn begin(
    _: *mut c_void,
    _: bool,
    _: *mut *mut c_void,
    error: *mut *mut hookbox_error,
) -> i32 {
    let status = STATUS.load(SeqCst);
    // SAFETY: the library gives a place.
    unsafe { why(status, error) };
    if status < 0 { status } else { 0 }
}

unsafe extern "C" fn get(
    _: *mut c_void,
    key: hookbox_str,
    value: *mut hookbox_value,
    error: *mut *mut hookbox_error,
) -> i32 {
    let status = STATUS.load(SeqCst);
    // SAFETY: the library gives both.
    unsafe {
        if status % 5 == 4 {
            hookbox_value_set(value, key); // Not what was stored: nothing was.
        }
        why(status, error);
    }
    status
}

unsafe extern "C" fn put(
    _: *mut c_void,
    _: hookbox_str,
    _: hookbox_str,
    _: *mut *mut hookbox_error,
) -> i32 {
    STATUS.load(SeqCst)
}

unsafe extern "C" fn del(_: *mut c_void, _: hookbox_str, _: *mut *mut hookbox_error) -> i32 {
    STATUS.load(SeqCst)
}

unsafe extern "C" fn scan(
    _: *mut c_void,
    from: hookbox_str,
    to: hookbox_str,
    _: bool,
    visitor: *mut hookbox_visitor,
    _: *mut *mut hookbox_error,
) -> i32 {
    let status = STATUS.load(SeqCst);
    if status % 7 == 6 {
        // SAFETY: the library gives all of it.
        unsafe {
            for _ in 0..100 {
                if !hookbox_visit(visitor, from, to) {
                    break;
                }
            }
            hookbox_visit(visitor, to, from); // Although it may have said no.
        }
    }
    0
}

unsafe extern "C" fn commit(_: *mut c_void, error: *mut *mut hookbox_error) -> i32 {
    let status = STATUS.load(SeqCst);
    // SAFETY: the library gives a place.
    unsafe { why(status, error) };
    status
}

unsafe extern "C" fn rollback(_: *mut c_void) {}

/// A store that takes everything and has nothing, or fails.
pub fn kv() -> hookbox_kv {
    hookbox_kv {
        struct_size: 0,
        context: null_mut(),
        begin: Some(begin),
        get: Some(get),
        put: Some(put),
        del: Some(del),
        scan: Some(scan),
        commit: Some(commit),
        rollback: Some(rollback),
        destroy: Some(end),
    }
}
