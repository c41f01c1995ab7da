//! Secrets at rest: sealed with a key-encryption key that the host keeps elsewhere.
//!
//! A sealed value starts with a format byte:
//!
//! | byte 0 | then |
//! |---|---|
//! | 0 | the plain value: no key-encryption key was given |
//! | 1 | 4 bytes naming the key, 12 bytes of nonce, AES-256-GCM ciphertext with its 16-byte tag |
//!
//! What stands before the ciphertext and the *context* (which value of which row this is) are
//! authenticated, so that nobody can move a sealed value to another row. A plain value protects
//! nothing: whoever can write the database can put one in a sealed one's place.

use std::fmt::{self, Debug};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::primitives::{NONCE_BYTES, TAG_BYTES, aead_open, aead_seal, hmac_sha256};
use crate::clock::Random;
use crate::error::{Error, Result};
use crate::model::Secret;

const PLAIN: u8 = 0;
const AES_256_GCM: u8 = 1;
const ID_BYTES: usize = 4;
const HEAD_BYTES: usize = 1 + ID_BYTES + NONCE_BYTES;

/// The key that seals secrets at rest: 32 random bytes. Overwritten when dropped, never shown.
/// One key may seal up to 2³² values (NIST SP 800-38D §8.3, random nonces).
#[derive(Clone)]
pub struct KeyEncryptionKey {
    key: Zeroizing<[u8; 32]>,
    id: [u8; ID_BYTES],
}

impl Debug for KeyEncryptionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyEncryptionKey(…)")
    }
}

impl KeyEncryptionKey {
    /// From 32 bytes, which are copied.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; 32]) -> Self {
        // A value of its own, from which nothing follows about the key.
        let tag = hmac_sha256(bytes, &[b"hookbox key-encryption key id"]);
        let mut id = [0; ID_BYTES];
        id.copy_from_slice(&tag[..ID_BYTES]);
        Self {
            key: Zeroizing::new(*bytes),
            id,
        }
    }

    /// From base64 text of 32 bytes, as `openssl rand -base64 32` prints it; space around it is
    /// ignored.
    ///
    /// # Errors
    /// [`Error::InvalidKey`] for anything else.
    pub fn from_base64(text: &Secret) -> Result<Self> {
        let bytes = STANDARD
            .decode(text.expose().trim())
            .map(Zeroizing::new)
            .ok()
            .and_then(|bytes| <[u8; 32]>::try_from(&bytes[..]).ok())
            .map(Zeroizing::new)
            .ok_or_else(|| {
                Error::InvalidKey("a key-encryption key is 32 bytes in standard base64".into())
            })?;
        Ok(Self::from_bytes(&bytes))
    }
}

/// Seals and opens secrets. Without a key it stores them plain, and says so in the format byte.
#[derive(Debug, Clone, Default)]
pub struct Sealer {
    current: Option<KeyEncryptionKey>,
    older: Vec<KeyEncryptionKey>,
}

impl Sealer {
    /// Seals with `current`; opens with it and with the `older` ones. To change the key, open the
    /// box with the new one as `current` and the previous one among `older`, then
    /// [`crate::Hookbox::reseal`].
    #[must_use]
    pub const fn new(current: Option<KeyEncryptionKey>, older: Vec<KeyEncryptionKey>) -> Self {
        Self { current, older }
    }

    /// Seals a value for one place, which `context` names: it opens in no other.
    ///
    /// # Errors
    /// As [`Random::fill`].
    pub fn seal(&self, random: &dyn Random, context: &str, plain: &[u8]) -> Result<Vec<u8>> {
        let Some(kek) = &self.current else {
            return Ok([&[PLAIN], plain].concat());
        };
        let mut nonce = [0; NONCE_BYTES];
        random.fill(&mut nonce)?;
        let head = [&[AES_256_GCM][..], &kek.id, &nonce].concat();
        // Room for the tag, so that the plain text is not copied and left behind by a growing
        // buffer.
        let mut text = Zeroizing::new(Vec::with_capacity(plain.len() + TAG_BYTES));
        text.extend_from_slice(plain);
        aead_seal(&kek.key, nonce, &associated(&head, context), &mut text)?;
        Ok([&head[..], &text].concat())
    }

    /// Opens a value, sealed or plain; the plain text is overwritten when dropped.
    ///
    /// # Errors
    /// [`Error::SealBroken`] when no key was given, when the value was sealed with a key that was
    /// not given, and when it was changed or belongs elsewhere.
    pub fn open(&self, context: &str, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
        let broken = |what: &str| Error::SealBroken(what.into());
        let Some((&format, rest)) = sealed.split_first() else {
            return Err(broken("it is empty"));
        };
        match format {
            PLAIN => return Ok(Zeroizing::new(rest.to_vec())),
            AES_256_GCM if sealed.len() >= HEAD_BYTES + TAG_BYTES => {}
            AES_256_GCM => return Err(broken("it is too short")),
            _ => {
                return Err(broken(
                    "its format is unknown: was it written by a newer hookbox?",
                ));
            }
        }
        let (head, ciphertext) = sealed.split_at(HEAD_BYTES);
        let (id, nonce) = head[1..].split_at(ID_BYTES);
        let nonce: [u8; NONCE_BYTES] = nonce.try_into().map_err(|_| broken("it is too short"))?;
        let mut named = self.keys().filter(|kek| kek.id == id).peekable();
        if named.peek().is_none() {
            return Err(broken(if self.current.is_none() && self.older.is_empty() {
                "it is sealed, and no key-encryption key was given"
            } else {
                "it was sealed with another key-encryption key"
            }));
        }
        for kek in named {
            let mut text = Zeroizing::new(ciphertext.to_vec());
            if aead_open(&kek.key, nonce, &associated(head, context), &mut text)? {
                return Ok(text);
            }
        }
        Err(broken("it was changed, or moved from another row"))
    }

    /// Whether a value is sealed as [`Sealer::seal`] would seal it now.
    #[must_use]
    pub fn is_current(&self, sealed: &[u8]) -> bool {
        match &self.current {
            Some(kek) => sealed.first() == Some(&AES_256_GCM) && sealed[1..].starts_with(&kek.id),
            None => sealed.first() == Some(&PLAIN),
        }
    }

    /// Seals a stored value anew where it is not [current](Sealer::is_current): after a
    /// key-encryption key was set, changed, or taken away. `None` when nothing is to be done.
    ///
    /// # Errors
    /// As [`Sealer::open`] and [`Sealer::seal`].
    pub fn reseal(
        &self,
        random: &dyn Random,
        context: &str,
        sealed: &[u8],
    ) -> Result<Option<Vec<u8>>> {
        if self.is_current(sealed) {
            return Ok(None);
        }
        let plain = self.open(context, sealed)?;
        self.seal(random, context, &plain).map(Some)
    }

    fn keys(&self) -> impl Iterator<Item = &KeyEncryptionKey> {
        self.current.iter().chain(&self.older)
    }
}

fn associated(head: &[u8], context: &str) -> Vec<u8> {
    [head, context.as_bytes()].concat()
}
