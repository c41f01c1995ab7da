//! For receivers: is this request authentic, and what does it say? No storage, no clock, no
//! network: the request, the keys and the time come in; the events or the exact reason come out.
//!
//! ```
//! use hookbox::model::{JwkSet, Timestamp};
//! use hookbox::verify::{self, NotAuthentic, Options, Request};
//!
//! # let keys = JwkSet::default();
//! let headers = [
//!     ("X-Webhook-Signature-Key-Id", "8f1c"),
//!     ("X-Webhook-Signature", "rsassa-pss-sha256=AAAA"),
//! ];
//! let request = Request::new(headers, br#"{"app_id": "54e9ujn", "events": []}"#);
//! let now = Timestamp::from_millis(1_742_034_600_000);
//! match verify::verify_prelude(&request, &keys, &Options::default(), now) {
//!     Ok(events) => println!("{} events", events.len()),
//!     // Fetch the JWK set anew, at most once a minute, and try again.
//!     Err(NotAuthentic::UnknownKey(kid)) => println!("never heard of {kid}"),
//!     Err(reason) => println!("answer 401: {reason}"),
//! }
//! ```
//!
//! Give the body exactly as it came, before any JSON parser touched it. Events may come more than
//! once: remember their ids. Only the Standard Webhooks signature and
//! [`Options::replay_protection`] cover the time of sending.

mod base64_text;
mod challenge;
mod envelope;
mod reason;
mod request;

use std::time::Duration;

use subtle::ConstantTimeEq;

pub use challenge::{ChallengeAnswer, answer_challenge};
pub use envelope::{ReceivedEvent, read_events};
pub use reason::NotAuthentic;
pub use request::Request;

use crate::model::{Envelope, JwkSet, Secret, Timestamp};
use crate::signing::primitives::{ed25519_verify, hmac_sha256, sha256};
use crate::signing::{
    PssSalt, RSA_PSS_PREFIX, RsaPublicKey, STANDARD_ED25519, STANDARD_HMAC, StandardVerifier,
    VerifierKind, fingerprint_signature, signed_content, signed_digest,
};

/// What a receiver accepts. The defaults are the contracts'.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Salt lengths of RSA signatures; 32 bytes by default.
    pub salt: PssSalt,
    /// Whether a Prelude request must carry `X-Webhook-Signature-V2`, which covers its id and time,
    /// beside the signature of the body; off by default, since the vendor does not send it.
    pub replay_protection: bool,
    /// How far the sender's clock may be from `now`, either way; 5 minutes by default.
    pub tolerance: Duration,
    /// The largest body that is looked at, in bytes; 4 MiB by default.
    pub body_bytes_max: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            salt: PssSalt::Exactly32,
            replay_protection: false,
            tolerance: Duration::from_secs(5 * 60),
            body_bytes_max: 4 * 1024 * 1024,
        }
    }
}

/// Verifies a request of the Prelude profile and reads its batch (contracts.md §1.3, §1.4).
///
/// `keys` is the sender's JWK set ([`crate::signing::parse_jwks`]), fetched from an address that
/// was configured, never from one that a request names. Keys are chosen by kid.
///
/// # Errors
/// The first rule that the request breaks. After [`NotAuthentic::UnknownKey`] fetch the JWK set
/// anew, at a bounded rate.
pub fn verify_prelude(
    request: &Request<'_>,
    keys: &JwkSet,
    options: &Options,
    now: Timestamp,
) -> Result<Vec<ReceivedEvent>, NotAuthentic> {
    verify_rsa_pss(request, keys, options, now)?;
    read_events(request, Envelope::Batch)
}

/// Verifies a request of the Fingerprint profile and reads its event (contracts.md §2.2). Any of
/// the secrets may match any of the header's signatures: two of either while a key is rolled.
///
/// # Errors
/// The first rule that the request breaks.
pub fn verify_fingerprint(
    request: &Request<'_>,
    secrets: &[Secret],
    options: &Options,
) -> Result<Vec<ReceivedEvent>, NotAuthentic> {
    verify_fingerprint_hmac(request, secrets, options)?;
    read_events(request, Envelope::Payload)
}

/// Verifies a request of the Standard Webhooks profile and reads its event (contracts.md §3).
///
/// # Errors
/// The first rule that the request breaks.
pub fn verify_standard(
    request: &Request<'_>,
    secrets: &[StandardVerifier],
    options: &Options,
    now: Timestamp,
) -> Result<Vec<ReceivedEvent>, NotAuthentic> {
    verify_standard_webhooks(request, secrets, options, now)?;
    read_events(request, Envelope::Standard)
}

/// Only the signature part of [`verify_prelude`], for profiles with another envelope.
///
/// # Errors
/// The first rule that the request breaks.
pub fn verify_rsa_pss(
    request: &Request<'_>,
    keys: &JwkSet,
    options: &Options,
    now: Timestamp,
) -> Result<(), NotAuthentic> {
    let body = bounded_body(request, options)?;
    let kid = request.key_id()?;
    let signature = rsa_signature(request.signature()?)?;
    let digest = sha256(&[body]);
    let key = find_key(keys, kid, &digest, &signature, options.salt)?;
    if options.replay_protection {
        let signature = rsa_signature(request.signature_v2()?)?;
        check_length(&key, &signature)?;
        let id = message_id(request)?;
        let seconds = fresh_timestamp(request, options, now)?;
        if !key.verifies(&signed_digest(id, seconds, body), &signature, options.salt) {
            return Err(NotAuthentic::SignatureMismatch);
        }
    }
    Ok(())
}

/// The key with this kid that made the signature; where none did, why.
fn find_key(
    keys: &JwkSet,
    kid: &str,
    digest: &[u8; 32],
    signature: &[u8],
    salt: PssSalt,
) -> Result<RsaPublicKey, NotAuthentic> {
    let mut reason = NotAuthentic::UnknownKey(kid.to_owned());
    // A set should not have two keys with one kid (RFC 7517 §4.5), but nothing forbids it.
    for jwk in keys.keys.iter().filter(|jwk| jwk.kid == kid) {
        reason = match RsaPublicKey::from_jwk(jwk) {
            Err(error) => NotAuthentic::UnusableKey(error.to_string()),
            Ok(key) => match check_length(&key, signature) {
                Err(reason) => reason,
                Ok(()) if key.verifies(digest, signature, salt) => return Ok(key),
                Ok(()) => NotAuthentic::SignatureMismatch,
            },
        };
    }
    Err(reason)
}

fn rsa_signature(header: &str) -> Result<Vec<u8>, NotAuthentic> {
    let encoded = header
        .strip_prefix(RSA_PSS_PREFIX)
        .ok_or(NotAuthentic::WrongPrefix)?;
    base64_text::decode(encoded)
}

fn check_length(key: &RsaPublicKey, signature: &[u8]) -> Result<(), NotAuthentic> {
    let (bytes, expected) = (signature.len(), key.signature_bytes());
    if bytes == expected {
        Ok(())
    } else {
        Err(NotAuthentic::WrongLength { bytes, expected })
    }
}

/// Only the signature part of [`verify_fingerprint`], for profiles with another envelope.
///
/// # Errors
/// The first rule that the request breaks.
pub fn verify_fingerprint_hmac(
    request: &Request<'_>,
    secrets: &[Secret],
    options: &Options,
) -> Result<(), NotAuthentic> {
    let body = bounded_body(request, options)?;
    let header = request.fingerprint_signature()?;
    // An empty secret would let anybody sign.
    let secrets: Vec<&Secret> = secrets.iter().filter(|s| !s.expose().is_empty()).collect();
    if secrets.is_empty() {
        return Err(NotAuthentic::NoSecrets);
    }
    let mut reason = NotAuthentic::WrongPrefix;
    let expected: Vec<String> = secrets
        .iter()
        .map(|secret| fingerprint_signature(secret, body))
        .collect();
    for entry in header.split(',').filter(|entry| entry.starts_with("v1=")) {
        for expected in &expected {
            if bool::from(entry.as_bytes().ct_eq(expected.as_bytes())) {
                return Ok(());
            }
        }
        reason = NotAuthentic::SignatureMismatch;
    }
    Err(reason)
}

/// Only the signature part of [`verify_standard`], for profiles with another envelope.
///
/// # Errors
/// The first rule that the request breaks.
pub fn verify_standard_webhooks(
    request: &Request<'_>,
    secrets: &[StandardVerifier],
    options: &Options,
    now: Timestamp,
) -> Result<(), NotAuthentic> {
    let body = bounded_body(request, options)?;
    let id = message_id(request)?;
    let seconds = fresh_timestamp(request, options, now)?;
    let header = request.standard_signature()?;
    if secrets.is_empty() {
        return Err(NotAuthentic::NoSecrets);
    }
    let content = signed_content(id, seconds, body);
    let mut reason = NotAuthentic::WrongPrefix;
    // Versions we do not know are skipped: a sender may add newer ones beside those we do.
    for entry in header.split(' ') {
        let matches = if let Some(encoded) = entry.strip_prefix(STANDARD_HMAC) {
            base64_text::decode(encoded).map(|tag| any_hmac(secrets, &content, &tag))
        } else if let Some(encoded) = entry.strip_prefix(STANDARD_ED25519) {
            base64_text::decode(encoded).map(|given| any_ed25519(secrets, &content, &given))
        } else {
            continue;
        };
        reason = match matches {
            Ok(true) => return Ok(()),
            Ok(false) => NotAuthentic::SignatureMismatch,
            Err(unreadable) => unreadable,
        };
    }
    Err(reason)
}

fn any_hmac(secrets: &[StandardVerifier], content: &[u8], tag: &[u8]) -> bool {
    secrets.iter().any(|secret| match &secret.0 {
        VerifierKind::Hmac(key) => hmac_sha256(key, &[content]).ct_eq(tag).into(),
        VerifierKind::Ed25519(_) => false,
    })
}

fn any_ed25519(secrets: &[StandardVerifier], content: &[u8], signature: &[u8]) -> bool {
    secrets.iter().any(|secret| match &secret.0 {
        VerifierKind::Ed25519(public) => ed25519_verify(public, content, signature),
        VerifierKind::Hmac(_) => false,
    })
}

fn bounded_body<'a>(request: &Request<'a>, options: &Options) -> Result<&'a [u8], NotAuthentic> {
    let (body, limit) = (request.body(), options.body_bytes_max);
    if body.len() > limit {
        let bytes = body.len();
        return Err(NotAuthentic::BodyTooLarge { bytes, limit });
    }
    Ok(body)
}

/// `webhook-id`. A point in it would let one signature stand for two messages.
fn message_id<'a>(request: &'a Request<'_>) -> Result<&'a str, NotAuthentic> {
    let id = request.message_id()?;
    if id.is_empty() || id.contains('.') {
        return Err(NotAuthentic::BadHeader("webhook-id"));
    }
    Ok(id)
}

/// `webhook-timestamp` in Unix seconds, if it is close enough to `now`.
fn fresh_timestamp(
    request: &Request<'_>,
    options: &Options,
    now: Timestamp,
) -> Result<i64, NotAuthentic> {
    let text = request.timestamp()?;
    let canonical = text.len() <= 18
        && text.bytes().all(|byte| byte.is_ascii_digit())
        && (text == "0" || !text.starts_with('0'));
    let sent: i64 = match text.parse() {
        Ok(sent) if canonical => sent,
        _ => return Err(NotAuthentic::BadHeader("webhook-timestamp")),
    };
    let tolerance = i64::try_from(options.tolerance.as_secs()).unwrap_or(i64::MAX);
    let age = now.as_seconds().saturating_sub(sent);
    if age > tolerance {
        return Err(NotAuthentic::TooOld {
            seconds: age.unsigned_abs(),
        });
    }
    if age < tolerance.saturating_neg() {
        return Err(NotAuthentic::InTheFuture {
            seconds: age.unsigned_abs(),
        });
    }
    Ok(sent)
}
