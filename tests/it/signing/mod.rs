//! Signing and verification through the public API: keys, schemes, sealing, the key ring, and what
//! receivers check. `tests/peers/run` does the same against other people's libraries.

mod keyring;
mod keys;
mod peers;
mod scheme;
mod seal;
mod verify;

use std::sync::LazyLock;

use hookbox::clock::Random;
use hookbox::model::{KeyId, KeySize};
use hookbox::signing::RsaPrivateKey;

/// Generating a key takes longest of all: the whole binary shares one.
static KEY: LazyLock<RsaPrivateKey> =
    LazyLock::new(|| RsaPrivateKey::generate(KeySize::Rsa2048).unwrap());

fn kid() -> KeyId {
    KeyId::parse("8f1c2d7e-0000-4000-8000-000000000001").unwrap()
}

/// Bytes that repeat from run to run.
#[derive(Debug)]
struct Counted(std::sync::atomic::AtomicU8);

impl Counted {
    fn new() -> Self {
        Self(1.into())
    }
}

impl Random for Counted {
    fn fill(&self, buffer: &mut [u8]) -> hookbox::Result<()> {
        for byte in buffer {
            *byte = self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        }
        Ok(())
    }
}
