//! The extension tier, `include/hookbox/sys.h`: what a host may bring itself. Its promise of stability is
//! the weaker one: within a minor version.

pub mod clock;
pub mod kv;
pub mod signer;
#[cfg(feature = "testing")]
pub mod testing;
pub mod transport;
