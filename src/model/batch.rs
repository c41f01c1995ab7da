//! A batch: the unit of delivery, retry and resend.

use serde::{Deserialize, Serialize};

use crate::model::{AppId, BatchId, DeliveryMode, Positions, Timestamp, WebhookId};

/// A frozen list of log positions for one webhook. Its body has the same bytes at every attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Batch {
    /// Stable over attempts and resends.
    pub id: BatchId,
    /// The app it belongs to.
    pub app_id: AppId,
    /// The webhook it is for.
    pub webhook_id: WebhookId,
    /// Which events, by their place in the log.
    pub positions: Positions,
    /// The batch this one was split from.
    pub parent: Option<BatchId>,
    /// At least once or at most once; the same for all of its events.
    pub mode: DeliveryMode,
    /// Where it stands.
    pub status: BatchStatus,
    /// Why it ended, where it ended otherwise than delivered.
    pub end_reason: Option<EndReason>,
    /// When it was frozen.
    pub created_at: Timestamp,
    /// Requests begun so far, over all budgets. The next attempt's number is one more.
    pub attempts: u32,
    /// Failed attempts in the current budget: which wait of the schedule comes next.
    pub failures: u32,
    /// When the first attempt of the current budget began: the retry window runs from here.
    pub window_start: Option<Timestamp>,
    /// When it is due (waiting), or when its lease ends (leased).
    pub due_at: Option<Timestamp>,
    /// The fencing token of the latest lease. A result that brings another is refused.
    pub fence: u64,
    /// When it reached delivered, exhausted or cancelled.
    pub ended_at: Option<Timestamp>,
}

impl Batch {
    /// A batch that was just frozen: it waits, and is due at once.
    #[must_use]
    pub const fn new(
        id: BatchId,
        app_id: AppId,
        webhook_id: WebhookId,
        positions: Positions,
        mode: DeliveryMode,
        now: Timestamp,
    ) -> Self {
        Self {
            id,
            app_id,
            webhook_id,
            positions,
            parent: None,
            mode,
            status: BatchStatus::Waiting,
            end_reason: None,
            created_at: now,
            attempts: 0,
            failures: 0,
            window_start: None,
            due_at: Some(now),
            fence: 0,
            ended_at: None,
        }
    }
}

/// Where a batch stands. The diagram is in [`crate::machine`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BatchStatus {
    /// For its next attempt to be due.
    Waiting,
    /// Being sent, by the holder of the lease.
    Leased,
    /// The endpoint accepted it.
    Delivered,
    /// It ran past its retry window; kept, listed, resendable with a new budget.
    Exhausted,
    /// Its webhook is inactive; it waits for re-activation.
    Parked,
    /// Ended by the host, by the receiver, or by being split.
    Cancelled,
}

impl BatchStatus {
    /// Every status.
    pub const ALL: [Self; 6] = [
        Self::Waiting,
        Self::Leased,
        Self::Delivered,
        Self::Exhausted,
        Self::Parked,
        Self::Cancelled,
    ];

    /// The name as stored and printed.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Leased => "leased",
            Self::Delivered => "delivered",
            Self::Exhausted => "exhausted",
            Self::Parked => "parked",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether nothing more happens to the batch by itself.
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Delivered | Self::Exhausted | Self::Cancelled)
    }
}

/// Why a batch ended otherwise than delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    /// Exhausted: the next attempt would have started past the retry window.
    WindowPassed,
    /// Exhausted: the schedule has no further attempt.
    AttemptsSpent,
    /// Exhausted: sent at most once, and whether it arrived is unknown.
    ResultUnknown,
    /// Cancelled by the host.
    ByHost,
    /// Cancelled by the receiver's `webhook-delivery: abort-message`.
    ByReceiver,
    /// Cancelled: replaced by smaller batches, which name it as their parent.
    Split,
}

impl EndReason {
    /// The name as stored and printed.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::WindowPassed => "window_passed",
            Self::AttemptsSpent => "attempts_spent",
            Self::ResultUnknown => "result_unknown",
            Self::ByHost => "by_host",
            Self::ByReceiver => "by_receiver",
            Self::Split => "split",
        }
    }
}
