//! One delivery: from a claimed batch to a signed request, and from its answer to a settlement.

use std::sync::Arc;

use crate::clock::Clock;
use crate::error::{Error, Result, StorageFault};
use crate::machine::{ControlHeaders, judge};
use crate::metrics::Counters;
use crate::model::{
    Attempt, AttemptResult, EXCERPT_BYTES_MAX, Envelope, FailureKind, SignatureScheme, Timestamp,
    WebhookSecrets,
};
use crate::signing::{Content, KeyStore, Sealer, headers_of, open_secrets, sign};
use crate::storage::{Claimed, Settlement, Storage};
use crate::transport::{Method, Request, Response, Transport, TransportError};

use super::body::body;
use super::contents::{Assembled, Contents};

/// Prepares and sends requests, and judges what came of them.
#[derive(Debug)]
pub(crate) struct Courier {
    pub(crate) storage: Arc<dyn Storage>,
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) keys: Arc<KeyStore>,
    pub(crate) sealer: Arc<Sealer>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) contents: Arc<Contents>,
    pub(crate) counters: Arc<Counters>,
}

impl Courier {
    /// Sends one batch and waits for the answer. Never fails: whatever goes wrong is the settlement.
    pub(crate) fn deliver(&self, claimed: &Claimed) -> Settlement {
        let started = self.clock.now();
        self.counters.sent();
        let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let request = self.prepare(claimed, started)?;
            self.transport.send(&request)
        }));
        let result = caught.unwrap_or_else(|_| {
            Err(failure(
                FailureKind::Panic,
                "the delivery panicked; please report it",
            ))
        });
        self.counters.returned();
        self.settlement(claimed, started, self.clock.now(), result)
    }

    /// The signed request for a claimed batch.
    ///
    /// # Errors
    /// A failure of ours, to be recorded as the attempt's result.
    pub(crate) fn prepare(
        &self,
        claimed: &Claimed,
        now: Timestamp,
    ) -> std::result::Result<Request, TransportError> {
        let profile = &claimed.app.profile;
        let assembled = self
            .contents
            .get(&claimed.app.id, &claimed.batch.positions, || {
                self.assemble(claimed)
            })
            .map_err(|error| failure(kind_of(&error), error))?;
        if claimed.batch.attempts == 1
            && let Some(emitted_at) = assembled.emitted_at
        {
            self.counters.began(now.since(emitted_at));
        }
        // One event a request: the event is what receivers deduplicate. Else it is the batch.
        let id = match (profile.envelope, assembled.first_event) {
            (Envelope::Batch, _) | (_, None) => claimed.batch.id.to_string(),
            (_, Some(event)) => event.to_string(),
        };
        let mut headers = self
            .signed_headers(claimed, &id, &assembled.content, now)
            .map_err(|error| failure(FailureKind::Signing, error))?;
        headers.push(("webhook-attempt".into(), claimed.batch.attempts.to_string()));
        Ok(Request {
            method: Method::Post,
            url: claimed.webhook.webhook.url.clone(),
            query: Vec::new(),
            headers,
            body: assembled.content.bytes().clone(),
            timeout: claimed.policy.timeout,
        })
    }

    /// Reads the batch's events and puts its body together.
    fn assemble(&self, claimed: &Claimed) -> Result<Assembled> {
        let events = self.storage.read_events(&claimed.batch.positions)?;
        if events.len() != claimed.batch.positions.len() {
            let message = "events of this batch are gone";
            return Err(Error::storage(StorageFault::BadRow, message));
        }
        // What a damaged index or batch names may be anybody's.
        if events.iter().any(|event| event.app_id != claimed.app.id) {
            let message = "an event of this batch is another app's";
            return Err(Error::storage(StorageFault::BadRow, message));
        }
        let body = body(claimed.app.profile.envelope, &claimed.app.id, &events);
        Ok(Assembled {
            content: Content::new(body),
            first_event: events.first().map(|event| event.id),
            emitted_at: events.first().map(|event| event.created_at),
        })
    }

    fn signed_headers(
        &self,
        claimed: &Claimed,
        id: &str,
        content: &Content,
        now: Timestamp,
    ) -> Result<Vec<(String, String)>> {
        let webhook = &claimed.webhook.webhook;
        let scheme = claimed.app.profile.signature;
        let needs_secrets = webhook.has_basic_auth
            || !webhook.header_names.is_empty()
            || !matches!(scheme, SignatureScheme::RsaPss { .. });
        let secrets = if needs_secrets {
            open_secrets(&self.sealer, &claimed.webhook)?
        } else {
            WebhookSecrets::default()
        };
        let mut headers = headers_of(&secrets);
        headers.extend(sign(
            &self.keys,
            &claimed.app.id,
            scheme,
            &secrets,
            id,
            content,
            now,
        )?);
        Ok(headers)
    }

    /// What an attempt came to, for the storage.
    pub(crate) fn settlement(
        &self,
        claimed: &Claimed,
        started: Timestamp,
        ended: Timestamp,
        result: std::result::Result<Response, TransportError>,
    ) -> Settlement {
        let (result, outcome, excerpt) = match result {
            Ok(response) => {
                let result = AttemptResult::Status(response.status);
                let headers = ControlHeaders {
                    retry_after: response.header("retry-after"),
                    webhook_delivery: response.header("webhook-delivery"),
                };
                let outcome = judge(&claimed.policy, result, headers, ended);
                (result, outcome, excerpt(&response.body))
            }
            Err(error) => {
                let result = AttemptResult::Failure(error.kind);
                let outcome = judge(&claimed.policy, result, ControlHeaders::default(), ended);
                (result, outcome, excerpt(error.message.as_bytes()))
            }
        };
        let attempt = Attempt {
            batch_id: claimed.batch.id,
            webhook_id: claimed.batch.webhook_id.clone(),
            number: claimed.batch.attempts,
            started_at: started,
            duration_ms: u64::try_from(ended.since(started).as_millis()).unwrap_or(u64::MAX),
            result,
            excerpt,
        };
        let settlement = Settlement {
            batch_id: claimed.batch.id,
            fence: claimed.batch.fence,
            attempt: Some((attempt, outcome)),
        };
        self.counters
            .attempted(&settlement, claimed.batch.positions.len());
        settlement
    }

    /// Gives a claimed batch back unsent.
    pub(crate) fn release(claimed: &Claimed) -> Settlement {
        Settlement {
            batch_id: claimed.batch.id,
            fence: claimed.batch.fence,
            attempt: None,
        }
    }
}

/// A row that cannot be read stays so; a storage that cannot be read just now may be later.
const fn kind_of(error: &Error) -> FailureKind {
    match error {
        Error::Storage {
            fault: StorageFault::BadRow,
            ..
        } => FailureKind::Unreadable,
        _ => FailureKind::Storage,
    }
}

fn failure(kind: FailureKind, message: impl std::fmt::Display) -> TransportError {
    TransportError {
        kind,
        message: message.to_string(),
    }
}

/// The start of what was received, as text: at most [`EXCERPT_BYTES_MAX`] bytes.
fn excerpt(bytes: &[u8]) -> String {
    let start = &bytes[..bytes.len().min(EXCERPT_BYTES_MAX)];
    let mut text = String::from_utf8_lossy(start).into_owned();
    // Each replacement character is longer than the byte it stands for.
    while text.len() > EXCERPT_BYTES_MAX {
        text.pop();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn excerpts_are_capped_and_valid() {
        assert_eq!(excerpt(b"ok"), "ok");
        assert!(excerpt(&[0xff; 5000]).len() <= EXCERPT_BYTES_MAX);
        assert!(excerpt("é".repeat(5000).as_bytes()).starts_with("éé"));
    }
}
