//! Why a request was refused.

use crate::error::Error;

/// Why a request or a challenge is not taken as authentic. Nothing in it is secret, but it should
/// go to the receiver's log rather than into the answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotAuthentic {
    /// A header that the scheme needs is missing.
    #[error("the header `{0}` is missing")]
    MissingHeader(&'static str),
    /// A header came more than once: which one is meant cannot be known.
    #[error("the header `{0}` came more than once")]
    RepeatedHeader(&'static str),
    /// A header is not text, too long, or not of the form it must have.
    #[error("the header `{0}` is malformed")]
    BadHeader(&'static str),
    /// The body is larger than the receiver accepts.
    #[error("the body has {bytes} bytes, at most {limit} are accepted")]
    BodyTooLarge {
        /// The body's size.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// The JWK set has no key with this kid. It may have been rotated in: fetch the set anew.
    #[error("the JWK set has no key `{0}`")]
    UnknownKey(String),
    /// The key with this kid cannot verify our signatures.
    #[error("the key cannot be used: {0}")]
    UnusableKey(String),
    /// The receiver gave no secret, or only empty ones.
    #[error("no secret was given to verify with")]
    NoSecrets,
    /// No signature in the header is of a known scheme.
    #[error("the signature header has an unknown prefix")]
    WrongPrefix,
    /// The signature has characters of both base64 alphabets.
    #[error("the signature mixes the standard and the URL-safe base64 alphabets")]
    MixedAlphabets,
    /// The signature is not base64.
    #[error("the signature is not base64")]
    BadBase64,
    /// An RSA signature has as many bytes as its key's modulus.
    #[error("the signature has {bytes} bytes, the key makes {expected}")]
    WrongLength {
        /// The signature's length.
        bytes: usize,
        /// The modulus' length.
        expected: usize,
    },
    /// The signature was not made over this request, or not with this key.
    #[error("the signature does not match")]
    SignatureMismatch,
    /// The request was sent longer ago than the tolerance.
    #[error("the request was sent {seconds} s ago")]
    TooOld {
        /// How long ago.
        seconds: u64,
    },
    /// The request claims to be sent later than the tolerance allows.
    #[error("the request claims to be sent {seconds} s from now")]
    InTheFuture {
        /// How far ahead.
        seconds: u64,
    },
    /// The signature matches, but the body is not what the profile sends.
    #[error("the body is not an envelope of this profile: {0}")]
    NotAnEnvelope(String),
    /// A parameter of the challenge is missing or malformed.
    #[error("the challenge's parameter `{0}` is missing or malformed")]
    BadParameter(&'static str),
    /// The challenge carries another verification token, or none was expected.
    #[error("the challenge carries another verification token")]
    WrongToken,
}

impl From<NotAuthentic> for Error {
    fn from(reason: NotAuthentic) -> Self {
        Self::NotAuthentic(reason.to_string())
    }
}
