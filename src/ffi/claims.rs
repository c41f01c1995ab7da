//! Delivering with the host's own HTTP client: requests out, results in.

use crate::hookbox::Delivery;
use crate::model::FailureKind;
use crate::transport::{Method, Request, Response, TransportError};

use super::boundary::{Done, Output, bytes, not_one_of, reference, sized, slice, text};
use super::error::hookbox_error;
use super::handle::{call, hookbox_box};
use super::status::hookbox_status;
use super::text::{Keep, give, hookbox_pair, hookbox_str, take_back};

/// The endpoint answered: hookbox_outcome.http_status says how.
pub const HOOKBOX_ANSWERED: i32 = 0;
/// The name has no address, or the resolver failed.
pub const HOOKBOX_FAILED_DNS: i32 = 1;
/// An address that the name resolved to is not allowed.
pub const HOOKBOX_FAILED_ADDRESS_DENIED: i32 = 2;
/// No connection.
pub const HOOKBOX_FAILED_CONNECT: i32 = 3;
/// The TLS handshake or the certificate failed.
pub const HOOKBOX_FAILED_TLS: i32 = 4;
/// The deadline passed.
pub const HOOKBOX_FAILED_TIMEOUT: i32 = 5;
/// The connection broke.
pub const HOOKBOX_FAILED_RESET: i32 = 6;
/// The answer is not HTTP, or larger than allowed.
pub const HOOKBOX_FAILED_PROTOCOL: i32 = 7;
/// A proxy of the host's failed. Never charged to the endpoint.
pub const HOOKBOX_FAILED_PROXY: i32 = 8;
/// It was not sent after all (the host stops). Never charged to the endpoint.
pub const HOOKBOX_FAILED_STOPPED: i32 = 9;

/// One HTTP request, to be sent as it is: no redirect followed, no header added but those of HTTP itself.
/// Part of a claim, or valid during a callback. Later versions may append members: do not copy it whole.
#[repr(C)]
#[derive(Debug)]
pub struct hookbox_request {
    /// "POST" for deliveries, "GET" for the activation challenge.
    pub method: hookbox_str,
    /// The whole URL.
    pub url: hookbox_str,
    /// Its headers, in order. Values may be secret.
    pub headers: *const hookbox_pair,
    /// How many.
    pub header_count: usize,
    /// Its body: bytes.
    pub body: hookbox_str,
    /// One hard deadline over everything, in milliseconds.
    pub timeout_ms: u64,
}

/// A batch to deliver: its request, and until when the right to send it lasts. Owned by the caller, as
/// part of a list. Immutable.
#[repr(C)]
#[derive(Debug)]
pub struct hookbox_delivery {
    /// The batch.
    pub batch_id: hookbox_str,
    /// Settle it before this time (Unix milliseconds), or the batch goes to somebody else.
    pub lease_until_ms: i64,
    /// The request.
    pub request: hookbox_request,
    /// The library's own; not to be looked into.
    pub inner: *const hookbox_delivery_inner,
}

/// The library's own part of a hookbox_delivery.
#[derive(Debug)]
pub struct hookbox_delivery_inner(Delivery);

/// Deliveries that were claimed. Owned by the caller: free it with hookbox_delivery_list_free(), when
/// all are settled. What is not settled is sent again when its lease ends.
#[repr(C)]
#[derive(Debug)]
pub struct hookbox_delivery_list {
    /// The deliveries.
    pub items: *const *const hookbox_delivery,
    /// How many.
    pub count: usize,
}

/// What came of a request. Clear it with zeros, set struct_size (HOOKBOX_OUTCOME_INIT does both).
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct hookbox_outcome {
    /// sizeof(hookbox_outcome).
    pub struct_size: u32,
    /// HOOKBOX_ANSWERED, or why there was no answer: HOOKBOX_FAILED_….
    pub kind: i32,
    /// The response's status, 100 to 999, when it was answered.
    pub http_status: u16,
    /// The response's headers; hookbox reads Retry-After and Webhook-Delivery.
    pub headers: *const hookbox_pair,
    /// How many.
    pub header_count: usize,
    /// The start of the response's body (16 KiB are enough), or the failure in words, for the record.
    pub body: hookbox_str,
}

const OUTCOME_BYTES: usize = 48;
const _: () = assert!(size_of::<hookbox_outcome>() >= OUTCOME_BYTES);

/// Headers of a response that the library reads; the rest is not copied.
const HEADERS_READ: [&str; 2] = ["retry-after", "webhook-delivery"];

pub(super) fn request_view(request: &Request, keep: &mut Keep) -> hookbox_request {
    let headers = request.headers.iter().map(|(name, value)| hookbox_pair {
        name: keep.text(name),
        value: keep.text(value),
    });
    let headers = headers.collect();
    let (headers, header_count) = keep.list(headers);
    hookbox_request {
        method: keep.text(match request.method {
            Method::Get => "GET",
            Method::Post => "POST",
        }),
        url: keep.text(request.target()),
        headers,
        header_count,
        body: keep.text(&request.body),
        timeout_ms: u64::try_from(request.timeout.as_millis()).unwrap_or(u64::MAX),
    }
}

/// What came of a request, as the library takes it.
///
/// # Safety
/// Each member as its type demands.
pub(super) unsafe fn outcome(given: &hookbox_outcome) -> Done<Result<Response, TransportError>> {
    // SAFETY: by the contract.
    let body = unsafe { bytes(given.body, "outcome.body") }?;
    if given.kind != HOOKBOX_ANSWERED {
        return Ok(Err(TransportError {
            kind: failure_kind(given.kind)?,
            message: String::from_utf8_lossy(body).into_owned(),
        }));
    }
    if !(100..=999).contains(&given.http_status) {
        let message = "must be 100 to 999";
        return Err(crate::error::Error::invalid("outcome.http_status", message).into());
    }
    // SAFETY: by the contract.
    let pairs = unsafe { slice(given.headers, given.header_count, "outcome.headers") }?;
    let mut headers = Vec::new();
    for pair in pairs {
        // SAFETY: by the contract. A value that is no text means nothing to us.
        let (name, value) = unsafe { (text(pair.name, "name"), text(pair.value, "value")) };
        if let (Ok(name), Ok(value)) = (name, value) {
            let read = HEADERS_READ
                .iter()
                .find(|read| read.eq_ignore_ascii_case(name));
            headers.extend(read.map(|read| ((*read).to_owned(), value.to_owned())));
        }
    }
    let body = &body[..body.len().min(crate::transport::RESPONSE_BODY_BYTES_MAX)];
    Ok(Ok(Response {
        status: given.http_status,
        headers,
        body: body.to_vec(),
    }))
}

fn failure_kind(kind: i32) -> Done<FailureKind> {
    Ok(match kind {
        HOOKBOX_FAILED_DNS => FailureKind::Dns,
        HOOKBOX_FAILED_ADDRESS_DENIED => FailureKind::AddressDenied,
        HOOKBOX_FAILED_CONNECT => FailureKind::Connect,
        HOOKBOX_FAILED_TLS => FailureKind::Tls,
        HOOKBOX_FAILED_TIMEOUT => FailureKind::Timeout,
        HOOKBOX_FAILED_RESET => FailureKind::Reset,
        HOOKBOX_FAILED_PROTOCOL => FailureKind::Protocol,
        HOOKBOX_FAILED_PROXY => FailureKind::Proxy,
        HOOKBOX_FAILED_STOPPED => FailureKind::Stopped,
        other => return Err(not_one_of("outcome.kind", other)),
    })
}

/// Reads a structure of the caller's and what came of a request in it.
///
/// # Safety
/// As `sized` needs it, and each member as its type demands.
pub(super) unsafe fn outcome_of(
    given: *const hookbox_outcome,
) -> Done<Result<Response, TransportError>> {
    // SAFETY: by the contract.
    unsafe { outcome(&sized(given, OUTCOME_BYTES, "outcome")?) }
}

/// Claims up to `max` batches (1 to 1000) for the program to send with its own HTTP client. Settle each
/// before its lease ends. The list may be empty: nothing is due.
///
/// Errors: HOOKBOX_INVALID_REQUEST; HOOKBOX_STORAGE_….
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hookbox_claim(
    hooks: *mut hookbox_box,
    max: usize,
    out_list: *mut *mut hookbox_delivery_list,
    error: *mut *mut hookbox_error,
) -> hookbox_status {
    // SAFETY: the caller keeps what the header says.
    unsafe {
        call(hooks, error, |hooks| {
            let out = Output::new(out_list, "out_list")?;
            let mut keep = Keep::default();
            let claimed = hooks.claim(max)?;
            let inner: Vec<_> = claimed.into_iter().map(hookbox_delivery_inner).collect();
            let mut views: Vec<hookbox_delivery> = inner
                .iter()
                .map(|hookbox_delivery_inner(one)| hookbox_delivery {
                    batch_id: keep.text(one.batch_id().to_string()),
                    lease_until_ms: one.lease_until().as_millis(),
                    request: request_view(&one.request, &mut keep),
                    inner: std::ptr::null(),
                })
                .collect();
            let (first, _) = keep.list(inner);
            for (index, view) in views.iter_mut().enumerate() {
                view.inner = first.wrapping_add(index);
            }
            let (items, count) = keep.records(views);
            out.set(give(hookbox_delivery_list { items, count }, keep));
            Ok(())
        })
    }
}

/// Records what came of a claimed delivery.
///
/// Errors: HOOKBOX_LEASE_LOST when it came too late: do not settle it again. HOOKBOX_STORAGE_…: settle
/// it again.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hookbox_settle(
    hooks: *mut hookbox_box,
    delivery: *const hookbox_delivery,
    outcome: *const hookbox_outcome,
    error: *mut *mut hookbox_error,
) -> hookbox_status {
    // SAFETY: the caller keeps what the header says.
    unsafe {
        call(hooks, error, |hooks| {
            let delivery = reference(delivery, "delivery")?;
            let inner = reference(delivery.inner, "delivery.inner")?;
            Ok(hooks.settle(&inner.0, outcome_of(outcome)?)?)
        })
    }
}

/// Frees a list and the deliveries in it. NULL is ignored.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hookbox_delivery_list_free(list: *mut hookbox_delivery_list) {
    // SAFETY: it came from `give`, and is not used again.
    unsafe { take_back(list) }
}
