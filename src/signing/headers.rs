//! The headers of a request: what identifies and signs it, and what the webhook's secrets add.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::error::{Error, Result};
use crate::model::{AppId, SignatureScheme, Timestamp, WebhookId, WebhookSecrets};
use crate::storage::StoredWebhook;

use super::{
    Content, KeyStore, Sealer, StandardSecret, fingerprint_header, rsa_pss_header, signed_digest,
    standard_header,
};

/// What a webhook's sealed secrets are bound to: they open in no other row.
pub(crate) fn secrets_context(app: &AppId, id: &WebhookId) -> String {
    format!("hookbox webhook {app} {id}")
}

/// Opens a webhook's secrets.
pub(crate) fn open_secrets(sealer: &Sealer, stored: &StoredWebhook) -> Result<WebhookSecrets> {
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
        let pair = format!("{}:{}", basic.username, basic.password.expose());
        let encoded = STANDARD.encode(pair);
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
    app: &AppId,
    scheme: SignatureScheme,
    secrets: &WebhookSecrets,
    id: &str,
    content: &Content,
    now: Timestamp,
) -> Result<Vec<(String, String)>> {
    let body = content.bytes();
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
            let (kid, signer) = keys.signer(app, now)?;
            let signature = rsa_pss_header(&content.signature(&kid, signer.as_ref())?, alphabet);
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
