//! The delivery machine: pure rules. No I/O, no clock, no threads, no randomness but what is
//! passed in. Every storage calls these inside its own transactions, so the threaded engine, a
//! host that polls, and the simulator all obey one machine.
//!
//! What a batch goes through ([`step`]; a test holds this diagram against the code):
//!
//! ```text
//! from       input          to
//! ---------  -------------  ---------
//! waiting    claim          leased
//! waiting    park           parked
//! waiting    cancel         cancelled
//! leased     settle         delivered
//! leased     settle         waiting
//! leased     settle         parked
//! leased     settle         exhausted
//! leased     settle         cancelled
//! leased     release        waiting
//! leased     release        parked
//! leased     lease_expired  waiting
//! leased     lease_expired  parked
//! leased     lease_expired  exhausted
//! leased     cancel         cancelled
//! parked     unpark         waiting
//! parked     cancel         cancelled
//! delivered  resend         waiting
//! delivered  resend         parked
//! exhausted  resend         waiting
//! exhausted  resend         parked
//! cancelled  resend         waiting
//! cancelled  resend         parked
//! cancelled  settle         cancelled
//! ```
//!
//! ```text
//!            claim                settle: success
//! ┌─────────┐ ───────► ┌────────┐ ───────────────► ┌───────────┐
//! │ waiting │          │ leased │                  │ delivered │
//! └─────────┘ ◄─────── └────────┘ ──┐              └───────────┘
//!   ▲  │   settle: failure          │ window passed ┌───────────┐
//!   │  │   lease expired            ├─────────────► │ exhausted │
//!   │  │ park         webhook       │               └───────────┘
//!   │  ▼              inactive      │ split, abort  ┌───────────┐
//! ┌────────┐ ◄──────────────────────┴─────────────► │ cancelled │
//! │ parked │                 cancel ──────────────► └───────────┘
//! └────────┘     resend leads from each final state back to waiting (or parked)
//! ```

mod carve;
mod claim;
mod health;
mod outcome;
mod schedule;
mod step;

pub use carve::Carver;
pub use claim::{ClaimPlan, InFlight, lease_span, plan_claim};
pub use health::{HealthEffect, WARN_PERCENTS};
pub use outcome::{ControlHeaders, Outcome, Verdict, judge};
pub use schedule::{Next, longest_wait, next_attempt, parse_retry_after, wait_after};
pub use step::{Input, Refused, Settled, step};
