//! An HTTP client of the host's.

use std::ffi::c_void;
use std::sync::Arc;

use crate::ffi::boundary::{exclusive, guard, sized};
use crate::ffi::claims::{hookbox_outcome, hookbox_request, outcome_of, request_view};
use crate::ffi::error::{Failure, hookbox_error};
use crate::ffi::foreign::{Foreign, hookbox_destroy};
use crate::ffi::options::hookbox_options;
use crate::ffi::status::hookbox_status;
use crate::ffi::text::Keep;
use crate::model::FailureKind;
use crate::transport::{Request, Response, Transport, TransportError};

/// Sends one request, and says with hookbox_reply_set() what came of it, before it returns. It keeps the
/// request's timeout, follows no redirect, and, unless it has its own way to the outside, connects only
/// to addresses that it knows to be harmless: hookbox's own address guard sees the URL only. Called from
/// several threads at once. It must neither unwind nor longjmp.
pub type hookbox_transport_send = Option<
    unsafe extern "C" fn(
        context: *mut c_void,
        request: *const hookbox_request,
        reply: *mut hookbox_reply,
    ),
>;

/// Sends HTTP requests: the activation challenge, test events and deliveries. Set struct_size
/// (HOOKBOX_TRANSPORT_INIT does).
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct hookbox_transport {
    /// sizeof(hookbox_transport).
    pub struct_size: u32,
    /// Given to each function.
    pub context: *mut c_void,
    /// Sends one request.
    pub send: hookbox_transport_send,
    /// Breaks what is in flight, so that send returns soon: a stop has waited long enough. It must be
    /// able to send again afterwards. May be NULL.
    pub shutdown: Option<unsafe extern "C" fn(context: *mut c_void)>,
    /// Ends the context; may be NULL.
    pub destroy: hookbox_destroy,
}

const TRANSPORT_BYTES: usize = 40;
const _: () = assert!(size_of::<hookbox_transport>() >= TRANSPORT_BYTES);

/// Where the outcome of a request goes. Valid until send returns, on its thread only.
#[derive(Debug, Default)]
pub struct hookbox_reply(Option<Result<Response, TransportError>>);

#[derive(Debug)]
struct HostTransport {
    host: Foreign,
    send: unsafe extern "C" fn(*mut c_void, *const hookbox_request, *mut hookbox_reply),
    shutdown: Option<unsafe extern "C" fn(*mut c_void)>,
}

impl Transport for HostTransport {
    fn send(&self, request: &Request) -> Result<Response, TransportError> {
        let mut keep = Keep::default();
        let view = request_view(request, &mut keep);
        let mut reply = hookbox_reply::default();
        // SAFETY: the host gave the function and its context for this; both arguments outlive the call.
        unsafe { (self.send)(self.host.data(), &raw const view, &raw mut reply) };
        reply.0.unwrap_or_else(|| {
            Err(TransportError {
                // Ours, as far as the endpoint is concerned.
                kind: FailureKind::Panic,
                message: "the host's transport gave no outcome".into(),
            })
        })
    }

    fn shutdown(&self) {
        if let Some(shutdown) = self.shutdown {
            // SAFETY: the host gave the function and its context for this.
            unsafe { shutdown(self.host.data()) };
        }
    }
}

/// Says what came of a request. The last call counts.
///
/// Errors: HOOKBOX_INVALID_ARGUMENT, HOOKBOX_INVALID_REQUEST: nothing was said.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hookbox_reply_set(
    reply: *mut hookbox_reply,
    outcome: *const hookbox_outcome,
    error: *mut *mut hookbox_error,
) -> hookbox_status {
    // SAFETY: the caller keeps what the header says.
    unsafe {
        guard(error, || {
            let reply = exclusive(reply, "reply")?;
            reply.0 = Some(outcome_of(outcome)?);
            Ok(())
        })
    }
}

/// Sends with the host's own HTTP client. The table is copied. Its destroy runs exactly once: also when
/// this fails, unless the table itself cannot be read (NULL, a wrong struct_size).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hookbox_options_set_transport(
    options: *mut hookbox_options,
    transport: *const hookbox_transport,
    error: *mut *mut hookbox_error,
) -> hookbox_status {
    // SAFETY: the caller keeps what the header says.
    unsafe {
        guard(error, || {
            let table = sized(transport, TRANSPORT_BYTES, "transport")?;
            let host = Foreign::new(table.context, table.destroy);
            let options = exclusive(options, "options")?;
            let send = table.send.ok_or_else(|| Failure::null("transport.send"))?;
            let transport = Arc::new(HostTransport {
                host,
                send,
                shutdown: table.shutdown,
            });
            options.change(|options| options.transport(transport));
            Ok(())
        })
    }
}
