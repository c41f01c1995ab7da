//! One delivery: from a claimed batch to a signed request, and from its answer to a settlement.

use std::sync::Arc;

use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::machine::{ControlHeaders, judge};
use crate::model::{
    Attempt, AttemptResult, EXCERPT_BYTES_MAX, Envelope, FailureKind, SignatureScheme, Timestamp,
    WebhookSecrets,
};
use crate::signing::{
    KeyStore, Sealer, StandardSecret, fingerprint_header, rsa_pss_header, signed_digest,
    standard_header,
};
use crate::storage::{Claimed, Settlement, Storage};
use crate::transport::{Method, Request, Response, Transport, TransportError};

use super::body::body;

/// Prepares and sends requests, and judges what came of them.
#[derive(Debug)]
pub(crate) struct Courier {
    pub(crate) storage: Arc<dyn Storage>,
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) keys: Arc<KeyStore>,
    pub(crate) sealer: Arc<Sealer>,
    pub(crate) clock: Arc<dyn Clock>,
}

/// What a webhook's sealed secrets are bound to: they open in no other row.
pub(crate) fn secrets_context(app: &crate::model::AppId, id: &crate::model::WebhookId) -> String {
    format!("hookbox webhook {app} {id}")
}

impl Courier {
    /// Sends one batch and waits for the answer. Never fails: whatever goes wrong is the settlement.
    pub(crate) fn deliver(&self, claimed: &Claimed) -> Settlement {
        let started = self.clock.now();
        let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let request = self.prepare(claimed, started)?;
            self.transport.send(&request)
        }));
        let result = caught.unwrap_or_else(|_| {
            Err(failure(FailureKind::Panic, "the delivery panicked; please report it"))
        });
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
        let events = self
            .storage
            .read_events(&claimed.batch.positions)
            .map_err(|error| failure(FailureKind::Unreadable, error))?;
        if events.len() != claimed.batch.positions.len() {
            return Err(failure(FailureKind::Unreadable, "events of this batch are gone"));
        }
        let body = body(profile.envelope, &claimed.app.id, &events);
        // One event a request: the event is what receivers deduplicate. Else it is the batch.
        let id = match (profile.envelope, events.first()) {
            (Envelope::Batch, _) | (_, None) => claimed.batch.id.to_string(),
            (_, Some(event)) => event.id.to_string(),
        };
        let mut headers = self
            .signed_headers(claimed, &id, &body, now)
            .map_err(|error| failure(FailureKind::Signing, error))?;
        headers.push(("webhook-attempt".into(), claimed.batch.attempts.to_string()));
        Ok(Request {
            method: Method::Post,
            url: claimed.webhook.webhook.url.clone(),
            query: Vec::new(),
            headers,
            body,
            timeout: claimed.policy.timeout,
        })
    }

    fn signed_headers(
        &self,
        claimed: &Claimed,
        id: &str,
        body: &[u8],
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
        headers.extend(sign(&self.keys, &claimed.app.id, scheme, &secrets, id, body, now)?);
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
        Settlement {
            batch_id: claimed.batch.id,
            fence: claimed.batch.fence,
            attempt: Some((attempt, outcome)),
        }
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

/// Opens a webhook's secrets.
pub(crate) fn open_secrets(
    sealer: &Sealer,
    stored: &crate::storage::StoredWebhook,
) -> Result<WebhookSecrets> {
    let context = secrets_context(&stored.webhook.app_id, &stored.webhook.id);
    let plain = sealer.open(&context, &stored.sealed)?;
    // serde's message could quote the secret it stumbled over.
    serde_json::from_slice(&plain)
        .map_err(|_| Error::SealBroken("the webhook's secrets are not what hookbox wrote".into()))
}

/// The headers that a webhook's secrets ask for, and the content type.
pub(crate) fn headers_of(secrets: &WebhookSecrets) -> Vec<(String, String)> {
    let mut headers = vec![("content-type".to_owned(), "application/json".to_owned())];
    if let Some(basic) = &secrets.basic_auth {
        use base64::Engine as _;
        let pair = format!("{}:{}", basic.username, basic.password.expose());
        let encoded = base64::engine::general_purpose::STANDARD.encode(pair);
        headers.push(("authorization".to_owned(), format!("Basic {encoded}")));
    }
    for header in &secrets.headers {
        headers.push((header.name.clone(), header.value.expose().to_owned()));
    }
    headers
}

/// The id, time and signature headers of a request.
pub(crate) fn sign(
    keys: &KeyStore,
    app: &crate::model::AppId,
    scheme: SignatureScheme,
    secrets: &WebhookSecrets,
    id: &str,
    body: &[u8],
    now: Timestamp,
) -> Result<Vec<(String, String)>> {
    let seconds = now.as_seconds();
    let mut headers = vec![
        ("webhook-id".to_owned(), id.to_owned()),
        ("webhook-timestamp".to_owned(), seconds.to_string()),
    ];
    match scheme {
        SignatureScheme::RsaPss {
            alphabet,
            replay_protection,
        } => {
            use sha2::Digest as _;
            let (kid, signer) = keys.signer(app, now)?;
            let digest: [u8; 32] = sha2::Sha256::digest(body).into();
            let signature = rsa_pss_header(&signer.sign_digest(&digest)?, alphabet);
            headers.push(("X-Webhook-Signature-Key-Id".to_owned(), kid.to_string()));
            headers.push(("X-Webhook-Signature".to_owned(), signature));
            if replay_protection {
                let second = signer.sign_digest(&signed_digest(id, seconds, body))?;
                let value = rsa_pss_header(&second, alphabet);
                headers.push(("X-Webhook-Signature-V2".to_owned(), value));
            }
        }
        SignatureScheme::FingerprintHmac => {
            let value = fingerprint_header(&secrets.signing, body)?;
            headers.push(("fpjs-event-signature".to_owned(), value));
        }
        SignatureScheme::StandardWebhooks => {
            let parsed = secrets
                .signing
                .iter()
                .map(StandardSecret::parse)
                .collect::<Result<Vec<_>>>()?;
            let value = standard_header(&parsed, id, seconds, body)?;
            headers.push(("webhook-signature".to_owned(), value));
        }
    }
    Ok(headers)
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
