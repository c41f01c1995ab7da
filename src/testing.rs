//! For tests only, and outside all promises of stability: the engine without its threads.

pub use crate::delivery::{SteppedEngine, SteppedRequest};
