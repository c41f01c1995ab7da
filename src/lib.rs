#![doc = include_str!("../README.md")]
#![cfg_attr(not(feature = "capi"), forbid(unsafe_code))]
#![deny(unsafe_code)]
#![deny(missing_docs)]
#![warn(missing_debug_implementations, clippy::pedantic)]

pub mod api;
pub mod clock;
mod delivery;
mod error;
#[cfg(feature = "capi")]
pub mod ffi;
mod hookbox;
pub mod machine;
pub mod metrics;
pub mod model;
mod process;
mod registry;
pub mod signing;
pub mod storage;
mod sync;
#[cfg(feature = "testing")]
pub mod testing;
pub mod transport;
pub mod verify;

pub use delivery::Idle;
pub use error::{Error, Result, StorageFault};
// `self`, or the compiler looks at the crate of this name too, which tests depend on, and links it twice.
pub use self::hookbox::{
    BatchStory, Delivery, EventStory, Hookbox, NewApp, NewKey, Options, Polled,
};
