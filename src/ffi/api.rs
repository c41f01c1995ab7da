//! The management API, for a host's own server.

use std::sync::Arc;

use crate::api::{Access, Api, Authorizer, Denied, Dialect, Grant, Request, Response, Scope};
use crate::model::AppId;

use super::boundary::{Done, Output, bytes, not_one_of, optional_text, sized, slice, text};
use super::error::hookbox_error;
use super::handle::{call_open, hookbox_box};
use super::signals::blocked;
use super::status::hookbox_status;
use super::text::{Keep, give, hookbox_pair, hookbox_str, take_back};

/// Prelude's API: /v2/session/apps/{app}/webhooks….
pub const HOOKBOX_API_PRELUDE: i32 = 1;
/// Fingerprint's API: /webhooks…, for the app of the key.
pub const HOOKBOX_API_FINGERPRINT: i32 = 2;

/// What the sender of a request may do, for a program that has found that out by itself. Set struct_size
/// (HOOKBOX_GRANT_INIT does).
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct hookbox_grant {
    /// sizeof(hookbox_grant).
    pub struct_size: u32,
    /// Looking only.
    pub read_only: bool,
    /// The one app it is for; empty: every app.
    pub app: hookbox_str,
}

/// A request as a server received it. Set struct_size (HOOKBOX_API_REQUEST_INIT does).
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct hookbox_api_request {
    /// sizeof(hookbox_api_request).
    pub struct_size: u32,
    /// The method.
    pub method: hookbox_str,
    /// Path and query, as in the request line; still percent-encoded.
    pub target: hookbox_str,
    /// The headers.
    pub headers: *const hookbox_pair,
    /// How many.
    pub header_count: usize,
    /// The body: bytes. More than 1 MiB is never taken.
    pub body: hookbox_str,
}

const GRANT_BYTES: usize = 24;
const REQUEST_BYTES: usize = 72;
const _: () = assert!(size_of::<hookbox_grant>() >= GRANT_BYTES);
const _: () = assert!(size_of::<hookbox_api_request>() >= REQUEST_BYTES);

/// What to answer. Owned by the caller: free it with hookbox_api_response_free(). Immutable. Later versions
/// may append members: do not copy it whole.
#[repr(C)]
#[derive(Debug)]
pub struct hookbox_api_response {
    /// The HTTP status.
    pub http_status: u16,
    /// The headers; Content-Length and Date are the server's to add.
    pub headers: *const hookbox_pair,
    /// How many.
    pub header_count: usize,
    /// The body: bytes.
    pub body: hookbox_str,
}

/// Lets everybody in with what the host says of this one request.
#[derive(Debug)]
struct Granted(Grant);

impl Authorizer for Granted {
    fn authorize(&self, _request: &Request) -> Result<Grant, Denied> {
        Ok(self.0.clone())
    }
}

unsafe fn grant_of(given: *const hookbox_grant) -> Done<Granted> {
    // SAFETY: the caller of the exported function keeps what the header says.
    unsafe {
        let given = sized(given, GRANT_BYTES, "grant")?;
        let app = optional_text(given.app, "grant.app")?;
        let app = app.map(AppId::parse).transpose()?;
        Ok(Granted(Grant {
            scope: app.map_or(Scope::All, Scope::App),
            access: if given.read_only {
                Access::ReadOnly
            } else {
                Access::Full
            },
        }))
    }
}

unsafe fn request_of(given: *const hookbox_api_request) -> Done<Request> {
    // SAFETY: the caller of the exported function keeps what the header says.
    unsafe {
        let given = sized(given, REQUEST_BYTES, "request")?;
        let mut headers = Vec::new();
        for pair in slice(given.headers, given.header_count, "request.headers")? {
            let value = bytes(pair.value, "request.headers.value")?;
            headers.push((
                text(pair.name, "request.headers.name")?.to_owned(),
                String::from_utf8_lossy(value).into_owned(),
            ));
        }
        Ok(Request {
            method: text(given.method, "request.method")?.to_owned(),
            target: text(given.target, "request.target")?.to_owned(),
            headers,
            body: bytes(given.body, "request.body")?.to_vec(),
        })
    }
}

fn give_response(response: &Response) -> *mut hookbox_api_response {
    let mut keep = Keep::default();
    let headers = response.headers.iter().map(|(name, value)| hookbox_pair {
        name: keep.text(name),
        value: keep.text(value),
    });
    let headers = headers.collect();
    let (headers, header_count) = keep.list(headers);
    let view = hookbox_api_response {
        http_status: response.status,
        headers,
        header_count,
        body: keep.text(&response.body),
    };
    give(view, keep)
}

/// Answers a request to the management API: a vendor's, HOOKBOX_API_PRELUDE or HOOKBOX_API_FINGERPRINT,
/// ours under /hookbox/v1, and the public key sets. Mount it in any server: give what came, send what is
/// given back, whatever its status.
///
/// With `grant` NULL the request must carry one of the box's API keys (hookbox_api_key_create()); else the
/// program has authorized it by itself. Activating waits for the endpoint; everything else for the storage
/// alone.
///
/// Errors: of the call itself only (HOOKBOX_INVALID_ARGUMENT, HOOKBOX_INVALID_UTF8, HOOKBOX_CLOSED …).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hookbox_api_handle(
    hooks: *mut hookbox_box,
    dialect: i32,
    grant: *const hookbox_grant,
    request: *const hookbox_api_request,
    out_response: *mut *mut hookbox_api_response,
    error: *mut *mut hookbox_error,
) -> hookbox_status {
    // SAFETY: the caller keeps what the header says.
    unsafe {
        call_open(hooks, error, |open| {
            let out = Output::new(out_response, "out_response")?;
            let dialect = match dialect {
                HOOKBOX_API_PRELUDE => Dialect::Prelude,
                HOOKBOX_API_FINGERPRINT => Dialect::Fingerprint,
                other => return Err(not_one_of("dialect", other)),
            };
            let authorizer: Arc<dyn Authorizer> = if grant.is_null() {
                Arc::clone(&open.keys) as _
            } else {
                Arc::new(grant_of(grant)?)
            };
            let api = Api::new(Arc::clone(&open.hooks), authorizer, dialect);
            let request = request_of(request)?;
            out.set(give_response(&blocked(|| api.handle(&request))));
            Ok(())
        })
    }
}

/// Frees an answer. NULL is ignored.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hookbox_api_response_free(response: *mut hookbox_api_response) {
    // SAFETY: it came from `give`, and is not used again.
    unsafe { take_back(response) }
}
