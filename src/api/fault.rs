//! What a request is answered with when it is not done: the same for every dialect, until it is
//! rendered in the shape of one.

use std::time::Duration;

use serde::Serialize;

use crate::error::Error;

/// A property of a request that breaks a rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Violation {
    /// Its name, as the request has it.
    pub property: String,
    /// What is wrong with it, to follow the name in a sentence.
    pub message: String,
}

impl Violation {
    pub fn new(property: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            property: property.into(),
            message: message.into(),
        }
    }
}

/// Why a request was not done. Nothing in it is secret, or an internal detail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    /// The status to answer with.
    pub status: u16,
    /// Stable, machine-readable.
    pub code: &'static str,
    /// For people.
    pub message: String,
    /// Every property that is wrong, as far as it was looked at.
    pub violations: Vec<Violation>,
    /// To send beside it.
    pub headers: Vec<(&'static str, String)>,
}

/// How long a caller waits before a storage that was busy is asked again.
const RETRY_AFTER: Duration = Duration::from_secs(1);

impl Fault {
    fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
            violations: Vec::new(),
            headers: Vec::new(),
        }
    }

    fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Whole seconds, rounded up: never too early.
    fn retry_after(self, span: Duration) -> Self {
        let seconds = span.as_secs() + u64::from(span.subsec_nanos() > 0);
        self.with("retry-after", seconds.max(1).to_string())
    }

    /// 404 for a path that is none of ours.
    pub fn no_such_path() -> Self {
        Self::new(404, "not_found", "There is nothing at this path.")
    }

    /// 405 for a path that other methods are for.
    pub fn method_not_allowed(allow: String) -> Self {
        let message = format!("This path takes {allow}.");
        Self::new(405, "method_not_allowed", message).with("allow", allow)
    }

    /// 413 for a body of more than this many bytes.
    pub fn body_too_large(limit: usize) -> Self {
        let message = format!("The request body is larger than {limit} bytes.");
        Self::new(413, "body_too_large", message)
    }

    /// 415 for a body that is not declared as JSON.
    pub fn unsupported_media_type() -> Self {
        let message = "The request body must be JSON: send `Content-Type: application/json`.";
        Self::new(415, "unsupported_media_type", message)
    }

    /// 401: no valid key.
    pub fn unauthorized() -> Self {
        let message = "A valid API key is needed: send `Authorization: Bearer <key>`.";
        Self::new(401, "unauthorized", message).with("www-authenticate", "Bearer")
    }

    /// 403: a valid key that is not for this.
    pub fn forbidden(message: &str) -> Self {
        Self::new(403, "forbidden", message)
    }

    /// 429: again after this time.
    pub fn rate_limited(retry_after: Duration) -> Self {
        let message = "The API key has exceeded its rate limit.";
        Self::new(429, "rate_limited", message).retry_after(retry_after)
    }

    /// 503: again in a moment.
    pub fn unavailable() -> Self {
        let message = "The storage is not available just now: try again.";
        Self::new(503, "unavailable", message).retry_after(RETRY_AFTER)
    }

    /// 500: ours.
    pub fn internal() -> Self {
        Self::new(500, "internal", "Something went wrong on our side.")
    }

    /// 404 for a record whose id cannot be anybody's, or that is another app's.
    pub fn not_found(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(404, code, message)
    }

    /// 400 with everything that is wrong.
    pub fn invalid(violations: Vec<Violation>) -> Self {
        let told = violations.iter().map(|violation| {
            let Violation { property, message } = violation;
            format!("`{property}` {message}")
        });
        let message = format!(
            "The request is invalid: {}.",
            told.collect::<Vec<_>>().join("; ")
        );
        Self {
            violations,
            ..Self::new(400, "invalid_request", message)
        }
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        match &error {
            Error::InvalidRequest { property, message } => {
                Self::invalid(vec![Violation::new(property, message)])
            }
            _ => match error.http_status() {
                503 => Self::unavailable(),
                status @ 400..500 => Self::new(status, error.code(), error.to_string()),
                _ => Self::internal(),
            },
        }
    }
}

/// What a refused value is told, without the sentence around it: for a violation.
pub(super) fn reason_of(error: &Error) -> String {
    match error {
        Error::InvalidRequest { message, .. } => message.clone(),
        Error::InvalidWebhookEvent { message } => format!("is invalid: {message}"),
        Error::WebhookInvalidUrl { reason } => format!("is invalid: {reason}"),
        _ => "is invalid".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::StorageFault;

    #[test]
    fn what_is_ours_is_not_told() {
        let inner = "disk /var/lib/secret is on fire";
        for error in [
            Error::storage(StorageFault::Corrupt, inner),
            Error::storage(StorageFault::Busy, inner),
            Error::Internal(inner.into()),
            Error::SealBroken(inner.into()),
            Error::KeyUnavailable(inner.into()),
        ] {
            let fault = Fault::from(error);
            assert!(fault.status >= 500 && !fault.message.contains("fire"));
        }
    }

    #[test]
    fn what_may_succeed_later_says_when() {
        for kind in [
            StorageFault::Busy,
            StorageFault::Full,
            StorageFault::CommitUnknown,
            StorageFault::Io,
        ] {
            let fault = Fault::from(Error::storage(kind, "x"));
            assert_eq!((fault.status, fault.code), (503, "unavailable"));
            assert_eq!(fault.headers, [("retry-after", "1".to_owned())]);
        }
        let limited = Fault::rate_limited(Duration::from_millis(2001));
        assert_eq!(limited.headers, [("retry-after", "3".to_owned())]);
    }
}
