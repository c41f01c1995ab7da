//! Integration tests: one crate, so that they link once.
#![allow(missing_docs)]

mod delivery;
mod emit;
mod owed;
#[cfg(feature = "cli")]
mod shell;
mod signing;
mod support;
#[cfg(feature = "http")]
mod transport;
