//! RSA public keys as JSON Web Keys (RFC 7517), built and parsed.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::RsaPublicKey;
use super::primitives::sha256;
use crate::error::{Error, Result};
use crate::model::{Jwk, JwkSet, KeyId};

/// The longest JWK set that is read, in bytes.
const SET_BYTES_MAX: usize = 1024 * 1024;
/// A modulus of 8192 bits in base64url.
const MODULUS_TEXT_MAX: usize = 1366;

impl RsaPublicKey {
    /// From a JWK. `alg` is ignored: the vendor's own set carries none that fits (contracts.md
    /// §1.4).
    ///
    /// # Errors
    /// [`Error::InvalidKey`] for another key type, members that are not base64url without padding
    /// or that start with a zero byte (RFC 7518 §6.3.1), and as [`RsaPublicKey::from_parts`].
    pub fn from_jwk(jwk: &Jwk) -> Result<Self> {
        if jwk.kty != "RSA" {
            return Err(Error::InvalidKey("the JWK's `kty` is not RSA".into()));
        }
        Self::from_parts(&number("n", &jwk.n)?, &number("e", &jwk.e)?)
    }

    /// As a JWK for publication: `use` is `sig`, `alg` is `PS256`.
    #[must_use]
    pub fn to_jwk(&self, kid: &KeyId) -> Jwk {
        let (modulus, exponent) = self.to_parts();
        Jwk {
            kty: "RSA".into(),
            kid: kid.as_str().into(),
            key_use: Some("sig".into()),
            alg: Some("PS256".into()),
            n: URL_SAFE_NO_PAD.encode(modulus),
            e: URL_SAFE_NO_PAD.encode(exponent),
        }
    }
}

fn number(name: &str, text: &str) -> Result<Vec<u8>> {
    let refused = || {
        Error::InvalidKey(format!(
            "the JWK's `{name}` is not a number in base64url without padding"
        ))
    };
    if text.len() > MODULUS_TEXT_MAX {
        return Err(refused());
    }
    let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| refused())?;
    match bytes.first() {
        None | Some(0) => Err(refused()),
        Some(_) => Ok(bytes),
    }
}

/// Reads a JWK set, for receivers. Keys that cannot verify our signatures (other types, other
/// uses, other sizes, no `kid`) are left out, as RFC 7517 §5 asks.
///
/// # Errors
/// [`Error::InvalidKey`] when the text is longer than 1 MiB or no JSON object with a list `keys`.
pub fn parse_jwks(text: &str) -> Result<JwkSet> {
    #[derive(Deserialize)]
    struct Set<'a> {
        #[serde(borrow)]
        keys: Vec<&'a RawValue>,
    }
    if text.len() > SET_BYTES_MAX {
        return Err(Error::InvalidKey("the JWK set is larger than 1 MiB".into()));
    }
    let set: Set = serde_json::from_str(text)
        .map_err(|_| Error::InvalidKey("not a JWK set: no JSON object with `keys`".into()))?;
    let usable = |jwk: &Jwk| {
        jwk.key_use
            .as_deref()
            .is_none_or(|purpose| purpose == "sig")
            && RsaPublicKey::from_jwk(jwk).is_ok()
    };
    let keys = set.keys.into_iter();
    Ok(JwkSet {
        keys: keys
            .filter_map(|key| serde_json::from_str(key.get()).ok())
            .filter(usable)
            .collect(),
    })
}

/// The SHA-256 thumbprint of a key (RFC 7638 §3) in base64url without padding: 43 characters. A
/// `kid` for hosts that want one that follows from the key.
#[must_use]
pub fn thumbprint(jwk: &Jwk) -> String {
    // The required members in lexical order, without space (RFC 7638 §3.2); `Value` writes the
    // strings so that no text in a member can break out of its quotes.
    let text = |value: &str| serde_json::Value::from(value).to_string();
    let canonical = format!(
        r#"{{"e":{},"kty":{},"n":{}}}"#,
        text(&jwk.e),
        text(&jwk.kty),
        text(&jwk.n)
    );
    URL_SAFE_NO_PAD.encode(sha256(&[canonical.as_bytes()]))
}
