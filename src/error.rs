//! The one error type, with stable codes.

use crate::model::{ApiKeyId, AppId, BatchId, BatchStatus, EventId, WebhookId};

/// The result of every fallible call of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// Everything that can go wrong, by what the caller can do about it.
///
/// [`Error::code`] is stable across releases and is the vendor's own code where the vendor has one
/// (contracts.md §1.1); [`Error`]'s `Display` says what happened and what to do. No variant ever
/// carries a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A value given by the caller breaks a documented rule or limit. Nothing was changed.
    #[error("The request is invalid: `{property}` {message}.")]
    InvalidRequest {
        /// Which value, by its public name (`verification_token`, `limit` …).
        property: String,
        /// What is wrong with it, to follow the property's name in a sentence.
        message: String,
    },
    /// The event type is not in the catalogue.
    #[error("The webhook event type is invalid: {message}.")]
    InvalidWebhookEvent {
        /// The name as given, shortened, and why it was refused.
        message: String,
    },
    /// The URL breaks the syntax rules or the address policy.
    #[error("The webhook URL is invalid: {reason}.")]
    WebhookInvalidUrl {
        /// Which rule the URL breaks.
        reason: String,
    },
    /// The endpoint did not prove its ownership; the webhook is unchanged.
    #[error("The webhook was not activated: {reason}.")]
    WebhookActivationFailed {
        /// What the endpoint did instead of the expected answer.
        reason: String,
    },
    /// The app is disabled: it takes no events and no changes until it is enabled again.
    #[error("Session management is disabled for this application (`{0}`): enable it first.")]
    SessionDisabled(AppId),
    /// No app has this id.
    #[error("The application was not found: `{0}`.")]
    AppNotFound(String),
    /// An app with this id exists already.
    #[error("The application `{0}` exists already.")]
    AppExists(AppId),
    /// The app has no webhook with this id.
    #[error("The webhook was not found: `{0}`.")]
    WebhookNotFound(WebhookId),
    /// No event has this id, or retention has removed it.
    #[error("The event was not found: `{0}` (retention may have removed it).")]
    EventNotFound(EventId),
    /// No batch has this id, or retention has removed it.
    #[error("The batch was not found: `{0}` (retention may have removed it).")]
    BatchNotFound(BatchId),
    /// The app has no signing key with this kid.
    #[error("The signing key was not found: `{0}`.")]
    KeyNotFound(String),
    /// No API key has this id.
    #[error("The API key was not found: `{0}`.")]
    ApiKeyNotFound(ApiKeyId),
    /// The payload is not one JSON text.
    #[error("The payload is not valid JSON: {0}.")]
    InvalidPayload(String),
    /// The payload is larger than the box allows.
    #[error("The payload has {bytes} bytes; this box takes at most {limit}.")]
    PayloadTooLarge {
        /// The payload's size in bytes.
        bytes: usize,
        /// The limit in bytes (`Options::payload_bytes_max`).
        limit: usize,
    },
    /// The batch is in a state that does not allow the call.
    #[error("The batch `{batch}` is {}: {message}.", .status.as_str())]
    BatchConflict {
        /// The batch.
        batch: BatchId,
        /// Its state.
        status: BatchStatus,
        /// What would be allowed.
        message: String,
    },
    /// The lease was taken over or ended: the result was not recorded, and must not be sent again.
    #[error("The lease on `{0}` is no longer held: its result was refused.")]
    LeaseLost(BatchId),
    /// A key, secret or PEM text cannot be used.
    #[error("The key is invalid: {0}.")]
    InvalidKey(String),
    /// No usable signing key: the private part is elsewhere, sealed with another key, or unset.
    #[error("The signing key cannot be used: {0}.")]
    KeyUnavailable(String),
    /// A sealed value does not open with the key-encryption key given.
    #[error("A stored secret cannot be opened: {0}.")]
    SealBroken(String),
    /// A signature or challenge was refused by [`crate::verify`].
    #[error("The request is not authentic: {0}.")]
    NotAuthentic(String),
    /// The storage failed; see [`StorageFault`] for what that means for the call.
    #[error("The storage failed ({}): {message}", .fault.as_str())]
    Storage {
        /// What kind of failure, and so what to do.
        fault: StorageFault,
        /// The engine's own words.
        message: String,
    },
    /// The box was opened before a `fork`, and this is the child: its threads and connections are the
    /// parent's. Nothing was touched.
    #[error(
        "The box was opened by the parent of this process: use it there; a child opens a box only after `exec`."
    )]
    Forked,
    /// The box is open for reading only.
    #[error("The box is open read-only: open it for writing to do this.")]
    ReadOnly,
    /// The call needs something that this box was not given.
    #[error("Not possible with this box: {0}.")]
    Unsupported(String),
    /// A bug in hookbox, or a panic in a host's callback. Please report it.
    #[error("Internal error: {0}. This is a bug: please report it.")]
    Internal(String),
}

/// What a storage failure means for the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StorageFault {
    /// Another process held the database too long. Nothing was changed; try again.
    Busy,
    /// No space left. Nothing was changed; free space and try again. (What SQLite cannot write because
    /// of a quota or a limit on file sizes it reports as `Io` or `CommitUnknown`.)
    Full,
    /// The medium or the file's permissions refuse writes.
    ReadOnly,
    /// The file is damaged, or is no database. Restore a backup.
    Corrupt,
    /// The database was written by a newer hookbox. Upgrade this program.
    NewerSchema,
    /// The engine is too old or lacks something hookbox needs.
    UnsupportedEngine,
    /// The commit failed in a way that leaves its outcome unknown: the write may or may not
    /// survive. Repeat it with the same idempotency key.
    CommitUnknown,
    /// A stored value is not one that hookbox writes: somebody else changed the database.
    BadRow,
    /// Reading or writing failed for another reason.
    Io,
}

impl StorageFault {
    /// The stable code, as [`Error::code`] gives it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Busy => "storage_busy",
            Self::Full => "storage_full",
            Self::ReadOnly => "storage_read_only",
            Self::Corrupt => "storage_corrupt",
            Self::NewerSchema => "storage_newer_schema",
            Self::UnsupportedEngine => "storage_unsupported_engine",
            Self::CommitUnknown => "storage_commit_unknown",
            Self::BadRow => "storage_bad_row",
            Self::Io => "storage_io",
        }
    }
}

impl Error {
    /// Shorthand for [`Error::InvalidRequest`].
    pub(crate) fn invalid(property: &str, message: impl Into<String>) -> Self {
        Self::InvalidRequest {
            property: property.to_owned(),
            message: message.into(),
        }
    }

    /// Shorthand for [`Error::Storage`], for implementations of [`crate::storage::Storage`].
    pub fn storage(fault: StorageFault, message: impl Into<String>) -> Self {
        Self::Storage {
            fault,
            message: message.into(),
        }
    }

    /// The stable, machine-readable code (snake case). Codes are never renamed or reused.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::InvalidRequest { .. } => "invalid_request",
            Self::InvalidWebhookEvent { .. } => "invalid_webhook_event",
            Self::WebhookInvalidUrl { .. } => "webhook_invalid_url",
            Self::WebhookActivationFailed { .. } => "webhook_activation_failed",
            Self::SessionDisabled(_) => "session_disabled",
            Self::AppNotFound(_) => "app_not_found",
            Self::AppExists(_) => "app_exists",
            Self::WebhookNotFound(_) => "webhook_not_found",
            Self::EventNotFound(_) => "event_not_found",
            Self::BatchNotFound(_) => "batch_not_found",
            Self::KeyNotFound(_) => "key_not_found",
            Self::ApiKeyNotFound(_) => "api_key_not_found",
            Self::InvalidPayload(_) => "invalid_payload",
            Self::PayloadTooLarge { .. } => "payload_too_large",
            Self::BatchConflict { .. } => "batch_conflict",
            Self::LeaseLost(_) => "lease_lost",
            Self::InvalidKey(_) => "invalid_key",
            Self::KeyUnavailable(_) => "key_unavailable",
            Self::SealBroken(_) => "seal_broken",
            Self::NotAuthentic(_) => "not_authentic",
            Self::Storage { fault, .. } => fault.as_str(),
            Self::Forked => "forked",
            Self::ReadOnly => "read_only",
            Self::Unsupported(_) => "unsupported",
            Self::Internal(_) => "internal",
        }
    }

    /// The HTTP status the management APIs answer with (contracts.md §1.1).
    #[must_use]
    pub const fn http_status(&self) -> u16 {
        match self {
            Self::InvalidRequest { .. }
            | Self::InvalidWebhookEvent { .. }
            | Self::WebhookInvalidUrl { .. }
            | Self::WebhookActivationFailed { .. }
            | Self::InvalidPayload(_)
            | Self::InvalidKey(_)
            | Self::NotAuthentic(_) => 400,
            Self::SessionDisabled(_) | Self::ReadOnly => 403,
            Self::AppNotFound(_)
            | Self::WebhookNotFound(_)
            | Self::EventNotFound(_)
            | Self::BatchNotFound(_)
            | Self::KeyNotFound(_)
            | Self::ApiKeyNotFound(_) => 404,
            Self::AppExists(_) | Self::BatchConflict { .. } | Self::LeaseLost(_) => 409,
            Self::PayloadTooLarge { .. } => 413,
            _ if self.is_retryable() => 503,
            _ => 500,
        }
    }

    /// Whether the same call may succeed later without any change by the caller.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        matches!(
            self,
            Self::Storage {
                fault: StorageFault::Busy
                    | StorageFault::Full
                    | StorageFault::CommitUnknown
                    | StorageFault::Io,
                ..
            }
        )
    }
}
