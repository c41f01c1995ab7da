//! An attempt: one HTTP request for a batch, and what came of it.

use serde::{Deserialize, Serialize};

use crate::model::{BatchId, Timestamp, WebhookId};

/// Bytes of a response, or of an error's text, that an attempt keeps.
pub const EXCERPT_BYTES_MAX: usize = 1024;

/// One HTTP request for a batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Attempt {
    /// The batch.
    pub batch_id: BatchId,
    /// The webhook.
    pub webhook_id: WebhookId,
    /// Counted from 1 within the batch, over all budgets.
    pub number: u32,
    /// When the request began.
    pub started_at: Timestamp,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
    /// What came of it.
    #[serde(flatten)]
    pub result: AttemptResult,
    /// The start of the response body, or the error's text; at most [`EXCERPT_BYTES_MAX`] bytes,
    /// invalid UTF-8 replaced.
    pub excerpt: String,
}

/// What came of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AttemptResult {
    /// The endpoint answered with this status.
    #[serde(rename = "http_status")]
    Status(u16),
    /// No answer.
    #[serde(rename = "error")]
    Failure(FailureKind),
}

/// Why there was no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FailureKind {
    /// The name has no address, or the resolver failed.
    Dns,
    /// The address guard refused an address that the name resolved to.
    AddressDenied,
    /// No connection.
    Connect,
    /// The TLS handshake or the certificate failed.
    Tls,
    /// The deadline passed.
    Timeout,
    /// The connection broke.
    Reset,
    /// The answer is not HTTP, or larger than allowed.
    Protocol,
    /// The configured proxy failed. Never charged to the endpoint.
    Proxy,
    /// The request could not be signed. Never charged to the endpoint.
    Signing,
    /// Events of the batch are gone or spoiled. Never charged to the endpoint.
    Unreadable,
    /// The storage could not be read just then. Never charged to the endpoint.
    Storage,
    /// The box was being stopped; nothing was sent. Never charged to the endpoint.
    Stopped,
    /// The delivery panicked; contained. Never charged to the endpoint.
    Panic,
    /// The lease ended without a result: the sender died, or could not store it.
    Lost,
}

impl FailureKind {
    /// Every kind.
    pub const ALL: [Self; 14] = [
        Self::Dns,
        Self::AddressDenied,
        Self::Connect,
        Self::Tls,
        Self::Timeout,
        Self::Reset,
        Self::Protocol,
        Self::Proxy,
        Self::Signing,
        Self::Unreadable,
        Self::Storage,
        Self::Stopped,
        Self::Panic,
        Self::Lost,
    ];

    /// The name as stored and printed.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Dns => "dns",
            Self::AddressDenied => "address_denied",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Timeout => "timeout",
            Self::Reset => "reset",
            Self::Protocol => "protocol",
            Self::Proxy => "proxy",
            Self::Signing => "signing",
            Self::Unreadable => "unreadable",
            Self::Storage => "storage",
            Self::Stopped => "stopped",
            Self::Panic => "panic",
            Self::Lost => "lost",
        }
    }

    /// Whether the fault lies on our side: it neither spends the batch's budget nor counts
    /// against the webhook's health.
    #[must_use]
    pub const fn is_ours(self) -> bool {
        matches!(
            self,
            Self::Proxy
                | Self::Signing
                | Self::Unreadable
                | Self::Storage
                | Self::Stopped
                | Self::Panic
                | Self::Lost
        )
    }

    /// Whether certainly no byte of the request reached the endpoint.
    #[must_use]
    pub const fn is_before_sending(self) -> bool {
        matches!(
            self,
            Self::Dns
                | Self::AddressDenied
                | Self::Connect
                | Self::Tls
                | Self::Signing
                | Self::Unreadable
                | Self::Storage
                | Self::Stopped
        )
    }
}
