//! What a host's operators may want to hear of.

use serde::Serialize;

use crate::model::{AppId, BatchId, DeactivationReason, EndReason, Timestamp, WebhookId};

/// An operational notice, given to the host's callback after it is stored. Nothing depends on it:
/// everything a notice says can be read from the box as well.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "notice", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Notice {
    /// A webhook has failed for this share of the time after which it is deactivated.
    WebhookFailing {
        /// The app.
        app_id: AppId,
        /// The webhook.
        webhook_id: WebhookId,
        /// 50, 70 or 90.
        percent: u8,
        /// When it will be deactivated unless an attempt succeeds.
        deactivates_at: Timestamp,
    },
    /// hookbox deactivated a webhook; its backlog is kept.
    WebhookDeactivated {
        /// The app.
        app_id: AppId,
        /// The webhook.
        webhook_id: WebhookId,
        /// Why.
        reason: DeactivationReason,
    },
    /// A webhook that was sick answered well again.
    WebhookRecovered {
        /// The app.
        app_id: AppId,
        /// The webhook.
        webhook_id: WebhookId,
        /// How many attempts had failed in a row.
        failures: u32,
    },
    /// A batch was given up; it can be resent.
    BatchExhausted {
        /// The app.
        app_id: AppId,
        /// The webhook.
        webhook_id: WebhookId,
        /// The batch.
        batch_id: BatchId,
        /// Why.
        reason: EndReason,
    },
    /// A batch was split to isolate an event that the endpoint refuses.
    BatchSplit {
        /// The app.
        app_id: AppId,
        /// The webhook.
        webhook_id: WebhookId,
        /// The batch that was split.
        batch_id: BatchId,
        /// The batches that replace it.
        into: Vec<BatchId>,
    },
    /// A signing key was made to sign from a later time on, replacing the ones before.
    KeyRotated {
        /// The app.
        app_id: AppId,
        /// The new key.
        kid: String,
        /// When it begins to sign.
        signs_from: Timestamp,
    },
    /// A delivery failed for a reason on our side (a panic, a key that cannot be used …).
    DeliveryFault {
        /// The batch.
        batch_id: BatchId,
        /// What happened.
        message: String,
    },
    /// A stored row is not one that hookbox writes. What it belongs to waits; the rest goes on.
    BadRow {
        /// Which column, and what is wrong with it.
        message: String,
    },
    /// The threads ended by a bug; deliveries wait until the host starts them again (not from this
    /// callback).
    EngineFailed {
        /// What happened.
        message: String,
    },
    /// The storage refuses writes: nothing new is sent until what was sent is stored.
    StorageStalled {
        /// The storage's error.
        message: String,
    },
    /// The storage takes writes again.
    StorageResumed,
}
