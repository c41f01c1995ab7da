//! Integration tests: one crate, so that they link once.
#![allow(missing_docs)]

mod delivery;
#[cfg(feature = "cli")]
mod shell;
mod support;
#[cfg(feature = "http")]
mod transport;
