//! Errors across the boundary: an object that the caller owns, never a thread's last error.

use crate::error::Error;
use crate::verify::NotAuthentic;

use super::status::{
    HOOKBOX_CLOSED, HOOKBOX_INVALID_ARGUMENT, HOOKBOX_INVALID_UTF8, HOOKBOX_PANIC,
    HOOKBOX_UNKNOWN_KEY, hookbox_status, status_of,
};
use super::text::{Keep, give, hookbox_str, take_back};

/// What went wrong. Owned by the caller of the function that gave it: free it with
/// hookbox_error_free(). Immutable: any thread may read it. It holds no secret.
#[repr(C)]
#[derive(Debug)]
pub struct hookbox_error {
    /// The status that the call returned.
    pub status: hookbox_status,
    /// The HTTP status that the management API answers with: 400 to 503.
    pub http_status: u16,
    /// Whether the same call may succeed later without any change by the caller.
    pub retryable: bool,
    /// The stable code, for programs: the vendor's own where the vendor has one
    /// ("webhook_invalid_url").
    pub code: hookbox_str,
    /// What happened and what to do, for people: one line.
    pub message: hookbox_str,
}

/// Frees an error. NULL is ignored.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hookbox_error_free(error: *mut hookbox_error) {
    // SAFETY: `error` came from `give` and is not used again, as the header demands.
    unsafe { take_back(error) }
}

/// Makes an error, for a callback of <hookbox/sys.h> that fails: `status` is what the callback
/// returns, `message` says why. hookbox frees it. NULL when `message` is not UTF-8.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hookbox_error_new(
    status: hookbox_status,
    message: hookbox_str,
) -> *mut hookbox_error {
    // SAFETY: the caller gives a valid text.
    let Ok(message) = (unsafe { super::boundary::text(message, "message") }) else {
        return std::ptr::null_mut();
    };
    let message = message.to_owned();
    Failure::Host { status, message }.give()
}

/// Why a call failed.
#[derive(Debug)]
pub(super) enum Failure {
    /// A bug of the caller's, in words.
    Argument(String),
    /// This argument is not UTF-8.
    Utf8(&'static str),
    /// The box was closed.
    Closed,
    /// A panic, in this call or an earlier one.
    Panic,
    /// The set of keys lacks the one with this kid.
    UnknownKey(String),
    /// A callback of the host's says so.
    Host {
        status: hookbox_status,
        message: String,
    },
    /// The library's own error.
    Core(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Core(error)
    }
}

impl From<NotAuthentic> for Failure {
    fn from(reason: NotAuthentic) -> Self {
        match reason {
            NotAuthentic::UnknownKey(_) => Self::UnknownKey(reason.to_string()),
            other => Self::Core(other.into()),
        }
    }
}

impl Failure {
    pub(super) fn null(argument: &str) -> Self {
        Self::Argument(format!("`{argument}` is NULL"))
    }

    pub(super) fn status(&self) -> hookbox_status {
        match self {
            Self::Argument(_) => HOOKBOX_INVALID_ARGUMENT,
            Self::Utf8(_) => HOOKBOX_INVALID_UTF8,
            Self::Closed => HOOKBOX_CLOSED,
            Self::Panic => HOOKBOX_PANIC,
            Self::UnknownKey(_) => HOOKBOX_UNKNOWN_KEY,
            Self::Host { status, .. } => *status,
            Self::Core(error) => status_of(error),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Argument(_) => "invalid_argument",
            Self::Utf8(_) => "invalid_utf8",
            Self::Closed => "closed",
            Self::Panic => "panic",
            Self::UnknownKey(_) => "unknown_key",
            Self::Host { .. } => "host",
            Self::Core(error) => error.code(),
        }
    }

    fn message(&self) -> String {
        match self {
            Self::Argument(what) => format!("Invalid argument: {what}."),
            Self::Utf8(what) => format!("Invalid argument: `{what}` is not UTF-8."),
            Self::Closed => "The box was closed: open it anew.".into(),
            Self::Panic => {
                "A bug in hookbox stopped a call with this box: free the box and open it \
                            anew. Please report it."
                    .into()
            }
            Self::UnknownKey(reason) => format!("The request is not authentic: {reason}."),
            Self::Host { message, .. } => message.clone(),
            Self::Core(error) => error.to_string(),
        }
    }

    fn http_status(&self) -> u16 {
        match self {
            Self::Core(error) => error.http_status(),
            Self::UnknownKey(_) => 400,
            _ => 500,
        }
    }

    /// As an object for the caller.
    pub(super) fn give(&self) -> *mut hookbox_error {
        let mut keep = Keep::default();
        let error = hookbox_error {
            status: self.status(),
            http_status: self.http_status(),
            retryable: matches!(self, Self::Core(error) if error.is_retryable()),
            code: keep.text(self.code()),
            message: keep.text(self.message()),
        };
        give(error, keep)
    }
}
