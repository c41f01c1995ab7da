//! How well a webhook has answered lately.

use serde::{Deserialize, Serialize};

use crate::model::Timestamp;

/// How well a webhook has answered lately. [`crate::machine`] holds the rules.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Health {
    /// Failed attempts since the last success or re-activation.
    pub consecutive_failures: u32,
    /// End of the first of them.
    pub failing_since: Option<Timestamp>,
    /// Slow start: at most this many requests at a time; `None` when recovered.
    pub ramp: Option<u32>,
    /// Nothing is sent before (the endpoint's `Retry-After`).
    pub paused_until: Option<Timestamp>,
    /// End of the last successful attempt.
    pub last_success_at: Option<Timestamp>,
    /// How far towards deactivation the host has been warned: 0, 50, 70 or 90 percent.
    pub warned_percent: u8,
    /// Rate limit: when the bucket is full again, in microseconds since 1970.
    pub bucket_full_at_us: i64,
}

/// Why hookbox deactivated a webhook by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeactivationReason {
    /// The endpoint answered 410 Gone.
    Gone,
    /// The endpoint answered `webhook-delivery: disable`.
    ByReceiver,
    /// Nothing but failures for `DeliveryPolicy::deactivate_after`.
    Failing,
}
