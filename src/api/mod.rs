//! The management API: an HTTP request in, a response out. No server is in it: any host's will do.
//!
//! [`Api::handle`] finds the route, asks the authorizer, and calls the box. All logic is the box's:
//! a handler parses, calls and renders. docs/api.md is the reader's page.

mod access;
mod bucket;
mod call;
mod dispatch;
mod fault;
mod fields;
mod fingerprint;
mod jwks;
mod keys;
mod own;
mod prelude;
mod query;
mod route;
mod target;
pub mod views;

pub use access::{Access, Authorizer, Denied, Grant, Scope};
pub use dispatch::{Api, Dialect};
pub use keys::ApiKeys;

/// A request as a server received it.
#[derive(Clone)]
pub struct Request {
    /// The method, as it came.
    pub method: String,
    /// Path and query, as in the request line; still percent-encoded.
    pub target: String,
    /// The headers, names in any case. Values may be secret.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

/// What to answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// The status.
    pub status: u16,
    /// The headers, names in lower case. `content-length` and `date` are the server's to add.
    pub headers: Vec<(String, String)>,
    /// The body; empty for `HEAD`, 204 and 304.
    pub body: Vec<u8>,
}

impl Request {
    /// The value of the first header of this name, in any case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self
            .headers
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }
}

/// Shows no header value and no body: either may hold secrets.
impl std::fmt::Debug for Request {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("target", &self.target)
            .field("body_bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}
