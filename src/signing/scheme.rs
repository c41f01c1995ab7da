//! From bytes to the values of the signature headers (contracts.md §1.4, §2.2, §3).

use std::fmt::{self, Debug, Write};

use base64::Engine;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{
    GeneralPurpose, GeneralPurposeConfig, STANDARD, URL_SAFE, URL_SAFE_NO_PAD,
};
use zeroize::Zeroizing;

use super::primitives::{Ed25519Pair, hmac_sha256, sha256};
use crate::clock::Random;
use crate::error::{Error, Result};
use crate::model::{Base64Alphabet, Secret};

/// What stands before the base64 in `X-Webhook-Signature` (seed 002).
pub const RSA_PSS_PREFIX: &str = "rsassa-pss-sha256=";
/// What stands before each signature in `fpjs-event-signature`.
pub(crate) const FINGERPRINT_VERSION: &str = "v1=";
/// What stands before an HMAC in `webhook-signature`.
pub(crate) const STANDARD_HMAC: &str = "v1,";
/// What stands before an Ed25519 signature in `webhook-signature`.
pub(crate) const STANDARD_ED25519: &str = "v1a,";

const HMAC_SECRET: &str = "whsec_";
const ED25519_PRIVATE: &str = "whsk_";
const ED25519_PUBLIC: &str = "whpk_";

/// How secrets are read: hosts import them with and without padding.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The value of `X-Webhook-Signature` for a signature over the body; always padded (contracts.md
/// §1.4).
#[must_use]
pub fn rsa_pss_header(signature: &[u8], alphabet: Base64Alphabet) -> String {
    let engine = match alphabet {
        Base64Alphabet::UrlSafe => &URL_SAFE,
        Base64Alphabet::Standard => &STANDARD,
    };
    format!("{RSA_PSS_PREFIX}{}", engine.encode(signature))
}

/// The value of `fpjs-event-signature`: one `v1=<hex>` for each secret, no spaces (contracts.md
/// §2.2). The key of the HMAC is the secret's UTF-8 text.
///
/// # Errors
/// [`Error::KeyUnavailable`] without secrets, or with an empty one.
pub fn fingerprint_header(secrets: &[Secret], body: &[u8]) -> Result<String> {
    if secrets.is_empty() || secrets.iter().any(|secret| secret.expose().is_empty()) {
        return Err(Error::KeyUnavailable(
            "the webhook has no signing secret, or an empty one".into(),
        ));
    }
    let mut header = String::with_capacity(68 * secrets.len());
    for secret in secrets {
        if !header.is_empty() {
            header.push(',');
        }
        header.push_str(&fingerprint_signature(secret, body));
    }
    Ok(header)
}

/// One entry of `fpjs-event-signature`.
pub(crate) fn fingerprint_signature(secret: &Secret, body: &[u8]) -> String {
    let mut text = String::from(FINGERPRINT_VERSION);
    for byte in hmac_sha256(secret.expose().as_bytes(), &[body]) {
        write!(text, "{byte:02x}").expect("writing to a string");
    }
    text
}

/// Makes a secret for `fpjs-event-signature`: 43 characters with 256 random bits.
///
/// # Errors
/// As [`Random::fill`].
pub fn generate_fingerprint_key(random: &dyn Random) -> Result<Secret> {
    let mut bytes = Zeroizing::new([0; 32]);
    random.fill(&mut *bytes)?;
    Ok(Secret::new(URL_SAFE_NO_PAD.encode(*bytes)))
}

/// `{id}.{timestamp}.{body}`: what a Standard Webhooks signature covers (contracts.md §3). The
/// timestamp is in Unix seconds. An id must not contain a point; hookbox's never do.
#[must_use]
pub fn signed_content(id: &str, timestamp_seconds: i64, body: &[u8]) -> Vec<u8> {
    [prelude(id, timestamp_seconds).as_bytes(), body].concat()
}

/// The SHA-256 digest of [`signed_content`], without copying the body: what the RSA signature in
/// `X-Webhook-Signature-V2` covers.
#[must_use]
pub fn signed_digest(id: &str, timestamp_seconds: i64, body: &[u8]) -> [u8; 32] {
    sha256(&[prelude(id, timestamp_seconds).as_bytes(), body])
}

fn prelude(id: &str, timestamp_seconds: i64) -> String {
    format!("{id}.{timestamp_seconds}.")
}

/// The value of `webhook-signature`: one entry for each secret, separated by spaces.
///
/// # Errors
/// [`Error::KeyUnavailable`] without secrets.
pub fn standard_header(
    secrets: &[StandardSecret],
    id: &str,
    timestamp_seconds: i64,
    body: &[u8],
) -> Result<String> {
    if secrets.is_empty() {
        return Err(Error::KeyUnavailable(
            "the webhook has no signing secret".into(),
        ));
    }
    let mut header = String::new();
    for secret in secrets {
        if !header.is_empty() {
            header.push(' ');
        }
        let (version, signature) = match &secret.0 {
            Kind::Hmac(key) => {
                let prelude = prelude(id, timestamp_seconds);
                let tag = hmac_sha256(key, &[prelude.as_bytes(), body]);
                (STANDARD_HMAC, tag.to_vec())
            }
            Kind::Ed25519 { pair, .. } => {
                let content = signed_content(id, timestamp_seconds, body);
                (STANDARD_ED25519, pair.sign(&content)?)
            }
        };
        header.push_str(version);
        STANDARD.encode_string(signature, &mut header);
    }
    Ok(header)
}

/// A secret to sign with under Standard Webhooks: `whsec_…` (HMAC, 24 to 64 bytes) or `whsk_…`
/// (Ed25519: the seed and the public key, 64 bytes). Overwritten when dropped, never shown.
pub struct StandardSecret(Kind);

enum Kind {
    Hmac(Zeroizing<Vec<u8>>),
    Ed25519 {
        seed: Zeroizing<[u8; 32]>,
        pair: Ed25519Pair,
    },
}

impl Debug for StandardSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Kind::Hmac(_) => "StandardSecret(whsec_…)",
            Kind::Ed25519 { .. } => "StandardSecret(whsk_…)",
        })
    }
}

impl StandardSecret {
    /// Reads `whsec_…` or `whsk_…`.
    ///
    /// # Errors
    /// [`Error::InvalidKey`] for another prefix, another length, text that is not base64, or an
    /// Ed25519 key whose halves do not belong together.
    pub fn parse(secret: &Secret) -> Result<Self> {
        let text = secret.expose();
        if let Some(encoded) = text.strip_prefix(HMAC_SECRET) {
            return hmac_key(encoded).map(|key| Self(Kind::Hmac(key)));
        }
        let Some(encoded) = text.strip_prefix(ED25519_PRIVATE) else {
            return Err(Error::InvalidKey(
                "a signing secret starts with `whsec_` or `whsk_`".into(),
            ));
        };
        let bytes = decode(encoded)?;
        let (seed, public) = match (bytes.first_chunk::<32>(), bytes.len()) {
            (Some(seed), 64) => (Zeroizing::new(*seed), &bytes[32..]),
            _ => {
                return Err(Error::InvalidKey(
                    "a `whsk_` secret holds 64 bytes: the seed and the public key".into(),
                ));
            }
        };
        let pair = Ed25519Pair::from_seed(&seed)?;
        if pair.public() != public {
            return Err(Error::InvalidKey(
                "the halves of the `whsk_` secret do not belong together".into(),
            ));
        }
        Ok(Self(Kind::Ed25519 { seed, pair }))
    }

    /// Makes a `whsec_` secret with 256 random bits.
    ///
    /// # Errors
    /// As [`Random::fill`].
    pub fn generate(random: &dyn Random) -> Result<Self> {
        let mut key = Zeroizing::new(vec![0; 32]);
        random.fill(&mut key)?;
        Ok(Self(Kind::Hmac(key)))
    }

    /// Makes a `whsk_` secret, for receivers that should only hold a public key.
    ///
    /// # Errors
    /// As [`Random::fill`].
    pub fn generate_ed25519(random: &dyn Random) -> Result<Self> {
        let mut seed = Zeroizing::new([0; 32]);
        random.fill(&mut *seed)?;
        let pair = Ed25519Pair::from_seed(&seed)?;
        Ok(Self(Kind::Ed25519 { seed, pair }))
    }

    /// The secret as text, to be stored or handed to the receiver.
    #[must_use]
    pub fn to_secret(&self) -> Secret {
        let (prefix, bytes) = match &self.0 {
            Kind::Hmac(key) => (HMAC_SECRET, Zeroizing::new(key.to_vec())),
            Kind::Ed25519 { seed, pair } => (
                ED25519_PRIVATE,
                Zeroizing::new([&seed[..], &pair.public()].concat()),
            ),
        };
        // Room for all of it, so that no half-written copy is left behind in memory.
        let mut text = String::with_capacity(prefix.len() + bytes.len().div_ceil(3) * 4);
        text.push_str(prefix);
        STANDARD.encode_string(&*bytes, &mut text);
        Secret::new(text)
    }

    /// What the receiver of an Ed25519 signature needs: `whpk_…`. `None` for HMAC, whose receiver
    /// needs the secret itself.
    #[must_use]
    pub fn public(&self) -> Option<String> {
        match &self.0 {
            Kind::Hmac(_) => None,
            Kind::Ed25519 { pair, .. } => Some(format!(
                "{ED25519_PUBLIC}{}",
                STANDARD.encode(pair.public())
            )),
        }
    }
}

/// What a receiver checks a Standard Webhooks signature with. Overwritten when dropped, never shown.
pub struct StandardVerifier(pub(crate) VerifierKind);

pub(crate) enum VerifierKind {
    Hmac(Zeroizing<Vec<u8>>),
    Ed25519([u8; 32]),
}

impl Debug for StandardVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            VerifierKind::Hmac(_) => "StandardVerifier(whsec_…)",
            VerifierKind::Ed25519(_) => "StandardVerifier(whpk_…)",
        })
    }
}

impl StandardVerifier {
    /// Reads `whsec_…` or `whpk_…`; of a `whsk_…` it keeps the public half.
    ///
    /// # Errors
    /// [`Error::InvalidKey`] for another prefix, another length, or text that is not base64.
    pub fn parse(secret: &Secret) -> Result<Self> {
        let text = secret.expose();
        if let Some(encoded) = text.strip_prefix(HMAC_SECRET) {
            return hmac_key(encoded).map(|key| Self(VerifierKind::Hmac(key)));
        }
        if let Some(encoded) = text.strip_prefix(ED25519_PUBLIC) {
            let public = decode(encoded)?[..]
                .try_into()
                .map_err(|_| Error::InvalidKey("a `whpk_` key holds 32 bytes".into()))?;
            return Ok(Self(VerifierKind::Ed25519(public)));
        }
        if text.starts_with(ED25519_PRIVATE) {
            return StandardSecret::parse(secret).map(|secret| Self::from(&secret));
        }
        Err(Error::InvalidKey(
            "a verification secret starts with `whsec_`, `whpk_` or `whsk_`".into(),
        ))
    }
}

impl From<&StandardSecret> for StandardVerifier {
    fn from(secret: &StandardSecret) -> Self {
        Self(match &secret.0 {
            Kind::Hmac(key) => VerifierKind::Hmac(key.clone()),
            Kind::Ed25519 { pair, .. } => VerifierKind::Ed25519(pair.public()),
        })
    }
}

fn hmac_key(encoded: &str) -> Result<Zeroizing<Vec<u8>>> {
    let key = decode(encoded)?;
    if (24..=64).contains(&key.len()) {
        Ok(key)
    } else {
        Err(Error::InvalidKey(
            "a `whsec_` secret holds 24 to 64 bytes".into(),
        ))
    }
}

fn decode(encoded: &str) -> Result<Zeroizing<Vec<u8>>> {
    LENIENT
        .decode(encoded)
        .map(Zeroizing::new)
        .map_err(|_| Error::InvalidKey("the secret is not base64 after its prefix".into()))
}
