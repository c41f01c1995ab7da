//! An embedded webhook outbox.
#![forbid(unsafe_code)]
#![deny(missing_docs)]
#![warn(missing_debug_implementations, clippy::pedantic)]

pub mod clock;
mod error;
pub mod machine;
pub mod model;
pub mod signing;
pub mod storage;
pub mod transport;
pub mod verify;

pub use error::{Error, Result, StorageFault};
