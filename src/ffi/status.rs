//! What a call came to: numbers for programs. `Error::code` in `src/error.rs` is the same as text.

use crate::error::{Error, StorageFault};

/// What a call came to: HOOKBOX_OK, or one of the constants below. Numbers are never changed or reused.
pub type hookbox_status = i32;

/// Done.
pub const HOOKBOX_OK: i32 = 0;

/// The value of an argument breaks a documented rule or limit; the message names it.
pub const HOOKBOX_INVALID_REQUEST: i32 = 100;
/// The event type is not in the catalogue.
pub const HOOKBOX_INVALID_WEBHOOK_EVENT: i32 = 101;
/// The URL breaks the syntax rules or the address policy.
pub const HOOKBOX_WEBHOOK_INVALID_URL: i32 = 102;
/// The endpoint did not prove its ownership; the webhook is unchanged.
pub const HOOKBOX_WEBHOOK_ACTIVATION_FAILED: i32 = 103;
/// The app is disabled.
pub const HOOKBOX_SESSION_DISABLED: i32 = 104;
/// No app has this id.
pub const HOOKBOX_APP_NOT_FOUND: i32 = 105;
/// An app with this id exists already.
pub const HOOKBOX_APP_EXISTS: i32 = 106;
/// The app has no webhook with this id.
pub const HOOKBOX_WEBHOOK_NOT_FOUND: i32 = 107;
/// No event has this id, or retention has removed it.
pub const HOOKBOX_EVENT_NOT_FOUND: i32 = 108;
/// No batch has this id, or retention has removed it.
pub const HOOKBOX_BATCH_NOT_FOUND: i32 = 109;
/// The app has no signing key with this kid.
pub const HOOKBOX_KEY_NOT_FOUND: i32 = 110;
/// The payload is not one JSON text.
pub const HOOKBOX_INVALID_PAYLOAD: i32 = 111;
/// The payload is larger than the box allows.
pub const HOOKBOX_PAYLOAD_TOO_LARGE: i32 = 112;
/// The batch is in a state that does not allow the call.
pub const HOOKBOX_BATCH_CONFLICT: i32 = 113;
/// The lease ended or was taken over: the result was not recorded. Do not settle it again.
pub const HOOKBOX_LEASE_LOST: i32 = 114;
/// A key, secret or PEM text cannot be used.
pub const HOOKBOX_INVALID_KEY: i32 = 115;
/// The box is open for reading only.
pub const HOOKBOX_READ_ONLY: i32 = 116;
/// The call needs something that this box, or this build of the library, does not have.
pub const HOOKBOX_UNSUPPORTED: i32 = 117;
/// A bug of the calling program: a NULL pointer where none may be, a number that is none of an
/// enumeration's, a struct_size that no version had.
pub const HOOKBOX_INVALID_ARGUMENT: i32 = 118;
/// A text is not UTF-8.
pub const HOOKBOX_INVALID_UTF8: i32 = 119;
/// The box was closed by hookbox_box_close().
pub const HOOKBOX_CLOSED: i32 = 120;
/// This process is a child of fork(): the box is its parent's. Nothing was touched.
pub const HOOKBOX_FORKED: i32 = 121;
/// No API key has this id.
pub const HOOKBOX_API_KEY_NOT_FOUND: i32 = 122;

/// Another process held the database too long. Nothing was changed: try again.
pub const HOOKBOX_STORAGE_BUSY: i32 = 200;
/// No space left. Nothing was changed: free space, and try again.
pub const HOOKBOX_STORAGE_FULL: i32 = 201;
/// The medium or the file's permissions refuse writes.
pub const HOOKBOX_STORAGE_READ_ONLY: i32 = 202;
/// The file is damaged, or is no database.
pub const HOOKBOX_STORAGE_CORRUPT: i32 = 203;
/// The database was written by a newer hookbox: upgrade this program.
pub const HOOKBOX_STORAGE_NEWER_SCHEMA: i32 = 204;
/// The engine is too old, or lacks something that hookbox needs.
pub const HOOKBOX_STORAGE_UNSUPPORTED_ENGINE: i32 = 205;
/// Whether the commit survives is unknown: repeat the call with the same idempotency key.
pub const HOOKBOX_STORAGE_COMMIT_UNKNOWN: i32 = 206;
/// A stored value is not one that hookbox writes: somebody else changed the database.
pub const HOOKBOX_STORAGE_BAD_ROW: i32 = 207;
/// Reading or writing failed for another reason.
pub const HOOKBOX_STORAGE_IO: i32 = 208;

/// No usable signing key: the private part is elsewhere, sealed with another key, or unset.
pub const HOOKBOX_KEY_UNAVAILABLE: i32 = 400;
/// A stored secret does not open with the key-encryption key given.
pub const HOOKBOX_SEAL_BROKEN: i32 = 401;
/// A received request or challenge is not authentic: answer 401, and log the message.
pub const HOOKBOX_NOT_AUTHENTIC: i32 = 402;
/// As HOOKBOX_NOT_AUTHENTIC, since the JWK set has no key with the request's kid. It may have been
/// rotated in: fetch the set anew, at most once a minute, and verify again.
pub const HOOKBOX_UNKNOWN_KEY: i32 = 403;

/// A bug in hookbox. Please report it.
pub const HOOKBOX_INTERNAL: i32 = 900;
/// A bug in hookbox stopped this call, or an earlier one with the same box, which is of no use any
/// more: free it, and open it anew. Please report it.
pub const HOOKBOX_PANIC: i32 = 901;

/// The number of an error.
pub(super) const fn status_of(error: &Error) -> hookbox_status {
    match error {
        Error::InvalidRequest { .. } => HOOKBOX_INVALID_REQUEST,
        Error::InvalidWebhookEvent { .. } => HOOKBOX_INVALID_WEBHOOK_EVENT,
        Error::WebhookInvalidUrl { .. } => HOOKBOX_WEBHOOK_INVALID_URL,
        Error::WebhookActivationFailed { .. } => HOOKBOX_WEBHOOK_ACTIVATION_FAILED,
        Error::SessionDisabled(_) => HOOKBOX_SESSION_DISABLED,
        Error::AppNotFound(_) => HOOKBOX_APP_NOT_FOUND,
        Error::AppExists(_) => HOOKBOX_APP_EXISTS,
        Error::WebhookNotFound(_) => HOOKBOX_WEBHOOK_NOT_FOUND,
        Error::EventNotFound(_) => HOOKBOX_EVENT_NOT_FOUND,
        Error::BatchNotFound(_) => HOOKBOX_BATCH_NOT_FOUND,
        Error::KeyNotFound(_) => HOOKBOX_KEY_NOT_FOUND,
        Error::ApiKeyNotFound(_) => HOOKBOX_API_KEY_NOT_FOUND,
        Error::InvalidPayload(_) => HOOKBOX_INVALID_PAYLOAD,
        Error::PayloadTooLarge { .. } => HOOKBOX_PAYLOAD_TOO_LARGE,
        Error::BatchConflict { .. } => HOOKBOX_BATCH_CONFLICT,
        Error::LeaseLost(_) => HOOKBOX_LEASE_LOST,
        Error::InvalidKey(_) => HOOKBOX_INVALID_KEY,
        Error::KeyUnavailable(_) => HOOKBOX_KEY_UNAVAILABLE,
        Error::SealBroken(_) => HOOKBOX_SEAL_BROKEN,
        Error::NotAuthentic(_) => HOOKBOX_NOT_AUTHENTIC,
        Error::Storage { fault, .. } => fault_status(*fault),
        Error::Forked => HOOKBOX_FORKED,
        Error::ReadOnly => HOOKBOX_READ_ONLY,
        Error::Unsupported(_) => HOOKBOX_UNSUPPORTED,
        Error::Internal(_) => HOOKBOX_INTERNAL,
    }
}

const fn fault_status(fault: StorageFault) -> hookbox_status {
    match fault {
        StorageFault::Busy => HOOKBOX_STORAGE_BUSY,
        StorageFault::Full => HOOKBOX_STORAGE_FULL,
        StorageFault::ReadOnly => HOOKBOX_STORAGE_READ_ONLY,
        StorageFault::Corrupt => HOOKBOX_STORAGE_CORRUPT,
        StorageFault::NewerSchema => HOOKBOX_STORAGE_NEWER_SCHEMA,
        StorageFault::UnsupportedEngine => HOOKBOX_STORAGE_UNSUPPORTED_ENGINE,
        StorageFault::CommitUnknown => HOOKBOX_STORAGE_COMMIT_UNKNOWN,
        StorageFault::BadRow => HOOKBOX_STORAGE_BAD_ROW,
        StorageFault::Io => HOOKBOX_STORAGE_IO,
    }
}

/// The error that a host's callback means by a status; its message is the host's.
pub(super) fn error_of(status: hookbox_status, message: String) -> Error {
    let fault = match status {
        HOOKBOX_STORAGE_BUSY => StorageFault::Busy,
        HOOKBOX_STORAGE_FULL => StorageFault::Full,
        HOOKBOX_STORAGE_READ_ONLY => StorageFault::ReadOnly,
        HOOKBOX_STORAGE_CORRUPT => StorageFault::Corrupt,
        HOOKBOX_STORAGE_COMMIT_UNKNOWN => StorageFault::CommitUnknown,
        HOOKBOX_READ_ONLY => return Error::ReadOnly,
        HOOKBOX_UNSUPPORTED => return Error::Unsupported(message),
        HOOKBOX_KEY_UNAVAILABLE => return Error::KeyUnavailable(message),
        _ => StorageFault::Io,
    };
    Error::storage(fault, message)
}
