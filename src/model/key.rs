//! An app's signing keys and their public form.

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::model::{AppId, Timestamp};

/// A key's id: what `X-Webhook-Signature-Key-Id` carries. 1 to 128 printable ASCII characters
/// without space, quote or comma; a random UUID unless the host imports its own.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KeyId(String);

impl KeyId {
    /// Checks and takes a key id.
    ///
    /// # Errors
    /// [`Error::InvalidKey`] where the text breaks the rule above.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let well_formed = (1..=128).contains(&text.len())
            && text
                .bytes()
                .all(|b| b.is_ascii_graphic() && !b"\",".contains(&b));
        if well_formed {
            Ok(Self(text.to_owned()))
        } else {
            Err(Error::InvalidKey(
                "a kid has 1 to 128 printable ASCII characters without space, quote or comma"
                    .into(),
            ))
        }
    }

    /// A random (version 4) UUID from 128 random bits, as in seed 000.
    #[must_use]
    pub fn random(random: u128) -> Self {
        let bits = (random & !(0xf << 76) & !(0x3 << 62)) | (0x4 << 76) | (0x2 << 62);
        let hex = format!("{bits:032x}");
        Self(format!(
            "{}-{}-{}-{}-{}",
            &hex[..8],
            &hex[8..12],
            &hex[12..16],
            &hex[16..20],
            &hex[20..]
        ))
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for KeyId {
    type Error = Error;
    fn try_from(text: String) -> Result<Self, Error> {
        Self::parse(&text)
    }
}

impl From<KeyId> for String {
    fn from(kid: KeyId) -> Self {
        kid.0
    }
}

impl std::fmt::Display for KeyId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// RSA modulus sizes that hookbox generates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum KeySize {
    /// 2048 bits, as in the seed's example: 256-byte signatures.
    #[default]
    Rsa2048,
    /// 3072 bits.
    Rsa3072,
    /// 4096 bits.
    Rsa4096,
}

impl KeySize {
    /// The modulus length in bits.
    #[must_use]
    pub const fn bits(self) -> usize {
        match self {
            Self::Rsa2048 => 2048,
            Self::Rsa3072 => 3072,
            Self::Rsa4096 => 4096,
        }
    }

    /// From a number of bits.
    ///
    /// # Errors
    /// [`Error::InvalidKey`] for anything but 2048, 3072 or 4096.
    pub fn from_bits(bits: usize) -> Result<Self, Error> {
        match bits {
            2048 => Ok(Self::Rsa2048),
            3072 => Ok(Self::Rsa3072),
            4096 => Ok(Self::Rsa4096),
            _ => Err(Error::InvalidKey(
                "keys have 2048, 3072 or 4096 bits".into(),
            )),
        }
    }
}

/// A public RSA key as a JSON Web Key (RFC 7517; members as contracts.md §1.4 lists them).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Jwk {
    /// Always `RSA`.
    pub kty: String,
    /// The key's id.
    pub kid: String,
    /// Always `sig` in what we publish.
    #[serde(rename = "use", default, skip_serializing_if = "Option::is_none")]
    pub key_use: Option<String>,
    /// `PS256` in what we publish; ignored in what we read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alg: Option<String>,
    /// Modulus, base64url without padding.
    pub n: String,
    /// Exponent, base64url without padding.
    pub e: String,
}

/// A JSON Web Key Set.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct JwkSet {
    /// The published keys.
    pub keys: Vec<Jwk>,
}

/// A signing key of an app, without its private part. Times, not flags, say what it is for at a
/// given moment: see [`SigningKey::phase`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SigningKey {
    /// The app it signs for.
    pub app_id: AppId,
    /// Its id.
    pub kid: KeyId,
    /// Its public part.
    pub public: Jwk,
    /// Whether the private part is in the box (else the host registered a signer for it).
    pub has_private_part: bool,
    /// Since when it is published in the JWKS.
    pub created_at: Timestamp,
    /// From when on it signs.
    pub signs_from: Timestamp,
    /// From when on it no longer signs; set when a later key takes over.
    pub signs_until: Option<Timestamp>,
    /// From when on it is no longer published.
    pub published_until: Option<Timestamp>,
}

/// What a key is for at a given moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyPhase {
    /// Published, not yet signing: receivers' caches get to know it.
    Next,
    /// Published and signing.
    Active,
    /// Published, no longer signing: what it signed can still be verified.
    Retired,
    /// No longer published.
    Gone,
}

impl SigningKey {
    /// What the key is for at `now`.
    #[must_use]
    pub fn phase(&self, now: Timestamp) -> KeyPhase {
        if self.published_until.is_some_and(|until| now >= until) {
            KeyPhase::Gone
        } else if self.signs_until.is_some_and(|until| now >= until) {
            KeyPhase::Retired
        } else if now < self.signs_from {
            KeyPhase::Next
        } else {
            KeyPhase::Active
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kid_is_a_version_4_uuid() {
        assert_eq!(
            KeyId::random(0).as_str(),
            "00000000-0000-4000-8000-000000000000"
        );
        assert_eq!(
            KeyId::random(u128::MAX).as_str(),
            "ffffffff-ffff-4fff-bfff-ffffffffffff"
        );
        assert!(KeyId::parse("a b").is_err() && KeyId::parse("").is_err());
    }
}
