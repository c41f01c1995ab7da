//! Sending one HTTP request: the trait, and the guard over the addresses it may reach.

mod guard;
mod query;

#[cfg(feature = "http")]
mod http;
#[cfg(feature = "http")]
mod resolver;

use std::fmt::Debug;
use std::time::Duration;

use bytes::Bytes;

use crate::model::{FailureKind, WebhookUrl};

pub use guard::{AddressPolicy, DeniedReason, PortRule};

#[cfg(feature = "http")]
pub use http::{HttpOptions, HttpTransport, TlsRoots};
#[cfg(feature = "http")]
pub use resolver::{Resolver, SystemResolver};

/// The request methods hookbox uses: `GET` for the activation challenge, `POST` for deliveries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// The activation challenge.
    Get,
    /// A delivery, or a test event.
    Post,
}

/// One HTTP request.
#[derive(Clone)]
pub struct Request {
    /// Its method.
    pub method: Method,
    /// Where it goes, as registered.
    pub url: WebhookUrl,
    /// Query pairs to append to the URL's own (the activation challenge's).
    pub query: Vec<(String, String)>,
    /// Its headers, in order. Values may be secret: keep them out of logs and errors.
    pub headers: Vec<(String, String)>,
    /// Its body; empty for `GET`.
    pub body: Bytes,
    /// One hard deadline over everything: resolving, connecting, TLS, sending, headers and body.
    pub timeout: Duration,
}

impl Request {
    /// The URL to request: as registered, with the query pairs appended, percent-encoded.
    #[must_use]
    pub fn target(&self) -> String {
        query::with_query(self.url.as_str(), &self.query)
    }
}

/// Shows no header value and no body: either may hold secrets.
impl Debug for Request {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("url", &self.url)
            .field("body_bytes", &self.body.len())
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

/// An HTTP response. Every byte of it is hostile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// The final status, 100 to 999.
    pub status: u16,
    /// The headers that hookbox reads (`retry-after`, `webhook-delivery`), names in lower case.
    pub headers: Vec<(String, String)>,
    /// The start of the body, as far as it came before the deadline and up to
    /// [`RESPONSE_BODY_BYTES_MAX`]; never decompressed.
    pub body: Vec<u8>,
}

impl Response {
    /// The first value of a header, by its lower-case name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }
}

/// Headers that HTTP itself or the connection decides: no host and no webhook may set them.
pub(crate) const HEADERS_REFUSED: [&str; 10] = [
    "connection",
    "content-length",
    "expect",
    "host",
    "keep-alive",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Bytes of a response body that are read; the rest is dropped with the connection.
pub const RESPONSE_BODY_BYTES_MAX: usize = 16 * 1024;

/// Why a request got no response.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {message}", .kind.as_str())]
pub struct TransportError {
    /// What kind of failure.
    pub kind: FailureKind,
    /// Details for people; never a header value or the request's query.
    pub message: String,
}

/// Sends HTTP requests. hookbox's own is `transport::HttpTransport`; a host may bring its own HTTP
/// client.
///
/// An implementation must keep the deadline of each request, follow no redirect, and — unless it
/// has its own way to the outside — connect only to addresses its [`AddressPolicy`] allows.
pub trait Transport: Debug + Send + Sync {
    /// Sends one request and waits for the response's status and headers, and for its body as far
    /// as the deadline and the cap allow. A body that stalls or breaks is not an error.
    ///
    /// # Errors
    /// [`TransportError`] when there is no status: by kind, who or what failed.
    fn send(&self, request: &Request) -> Result<Response, TransportError>;

    /// Breaks what is in flight, as far as it can, so that [`Transport::send`] returns soon. Called
    /// when a stop has waited long enough. hookbox's own transport is replaced after it; a host's must
    /// be able to send again, should the box be started again.
    fn shutdown(&self) {}
}
