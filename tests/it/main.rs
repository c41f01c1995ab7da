//! Integration tests: one crate, so that they link once.

#[cfg(feature = "http")]
mod transport;
