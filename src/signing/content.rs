//! A body, and what is made of its bytes alone: once for all who are sent the same.

use std::sync::{Mutex, OnceLock, PoisonError};

use bytes::Bytes;
use sha2::Digest as _;

use crate::error::Result;
use crate::model::KeyId;

use super::Signer;

/// A request's body with its digest and its signature, each made when it is first asked for.
#[derive(Debug)]
pub(crate) struct Content {
    bytes: Bytes,
    digest: OnceLock<[u8; 32]>,
    /// The latest signature over the digest, and the key that made it.
    signature: Mutex<Option<(KeyId, Vec<u8>)>>,
}

impl Content {
    pub(crate) fn new(bytes: impl Into<Bytes>) -> Self {
        Self {
            bytes: bytes.into(),
            digest: OnceLock::new(),
            signature: Mutex::default(),
        }
    }

    pub(crate) const fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The signature over the SHA-256 digest, by this key. Senders of the same content wait for one
    /// signature instead of making one each.
    pub(super) fn signature(&self, kid: &KeyId, signer: &dyn Signer) -> Result<Vec<u8>> {
        let mut latest = self
            .signature
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some((of, signature)) = &*latest
            && of == kid
        {
            return Ok(signature.clone());
        }
        let digest = self
            .digest
            .get_or_init(|| sha2::Sha256::digest(&self.bytes).into());
        let signature = signer.sign_digest(digest)?;
        *latest = Some((kid.clone(), signature.clone()));
        Ok(signature)
    }
}
