//! For tests only, and outside all promises of stability: the engine without its threads.

pub use crate::delivery::{SteppedEngine, SteppedRequest};
#[cfg(hookbox_shuttle)]
pub use crate::sync::shuttled::{let_waits_end, threads_running};
