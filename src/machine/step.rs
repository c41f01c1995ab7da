//! One batch, one input, one transition.

use std::time::Duration;

use crate::model::{
    Batch, BatchStatus, DeliveryMode, DeliveryPolicy, EndReason, FailureKind, Timestamp,
};

use super::outcome::{Outcome, Verdict};
use super::schedule::{Next, next_attempt};

/// After a fault on our side, the next attempt is due after this. It spends no budget.
pub(super) const OUR_FAULT_WAIT: Duration = Duration::from_secs(60);

/// A batch that only ever met faults on our side is given up after this, whatever its schedule.
const OUR_FAULT_WINDOW: Duration = Duration::from_secs(14 * 86_400);

/// Failures after which a batch is suspected to hold an event that the endpoint cannot take.
const POISON_AFTER_FAILURES: u32 = 3;

/// What can happen to a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input {
    /// A sender takes it, until the given time.
    Claim {
        /// When the lease ends.
        lease_until: Timestamp,
    },
    /// The sender reports what came of it.
    Settle {
        /// The token that the claim gave.
        fence: u64,
        /// The judgement on the attempt.
        outcome: Outcome,
        /// Whether the webhook is (still) active.
        active: bool,
        /// Whether the webhook accepted another batch since this one was first sent.
        others_succeed: bool,
    },
    /// The sender gives it back unsent.
    Release {
        /// The token that the claim gave.
        fence: u64,
        /// Whether the webhook is (still) active.
        active: bool,
    },
    /// The lease ended without a result.
    LeaseExpired {
        /// Whether the webhook is (still) active.
        active: bool,
    },
    /// Its webhook became inactive.
    Park,
    /// Its webhook became active again.
    Unpark,
    /// The host gives it up.
    Cancel,
    /// The host wants it sent again, with a new budget.
    Resend {
        /// Whether the webhook is active.
        active: bool,
    },
}

impl Input {
    /// The name as in the diagram.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Claim { .. } => "claim",
            Self::Settle { .. } => "settle",
            Self::Release { .. } => "release",
            Self::LeaseExpired { .. } => "lease_expired",
            Self::Park => "park",
            Self::Unpark => "unpark",
            Self::Cancel => "cancel",
            Self::Resend { .. } => "resend",
        }
    }
}

/// What a settled attempt did to its batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// Nothing that anyone else need act on.
    Plain,
    /// It ended undelivered.
    Exhausted(EndReason),
    /// It is to be replaced by its two halves, which start at once with a new budget inside the
    /// same retry window.
    Split,
}

/// The input does not fit the batch's state; the batch is unchanged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// Not allowed in this status.
    Status(BatchStatus),
    /// The result of a lease that is no longer held.
    LeaseLost,
    /// Not due yet.
    NotDue,
}

/// Applies one input at `now`. `random` decides jitter only.
///
/// # Errors
/// [`Refused`]; the batch is then unchanged.
pub fn step(
    batch: &mut Batch,
    input: Input,
    now: Timestamp,
    policy: &DeliveryPolicy,
    random: u64,
) -> Result<Settled, Refused> {
    use BatchStatus::{Cancelled, Leased, Parked, Waiting};
    match (batch.status, input) {
        (Waiting, Input::Claim { lease_until }) => {
            if batch.due_at.is_some_and(|due| due > now) {
                return Err(Refused::NotDue);
            }
            batch.status = Leased;
            batch.due_at = Some(lease_until);
            batch.attempts = batch.attempts.saturating_add(1);
            batch.fence = batch.fence.saturating_add(1);
            // A start that lies ahead was set by a clock that was ahead.
            let start = batch.window_start.unwrap_or(now);
            batch.window_start = Some(start.min(now));
            Ok(Settled::Plain)
        }
        (
            Leased,
            Input::Settle {
                fence,
                outcome,
                active,
                others_succeed,
            },
        ) => {
            if fence != batch.fence {
                return Err(Refused::LeaseLost);
            }
            Ok(settle(
                batch,
                outcome,
                active,
                others_succeed,
                now,
                policy,
                random,
            ))
        }
        // Cancelled while it was out: the attempt took place and is recorded, once.
        (Cancelled, Input::Settle { fence, .. })
            if fence == batch.fence && batch.end_reason == Some(EndReason::ByHost) =>
        {
            batch.fence = batch.fence.saturating_add(1);
            Ok(Settled::Plain)
        }
        (Leased, Input::Release { fence, active }) if fence == batch.fence => {
            // As if it had not been claimed; only the fence remembers.
            batch.attempts = batch.attempts.saturating_sub(1);
            if batch.attempts == 0 {
                batch.window_start = None;
            }
            Ok(wait(batch, now, active))
        }
        (_, Input::Settle { .. } | Input::Release { .. }) => Err(Refused::LeaseLost),
        (Leased, Input::LeaseExpired { active }) => {
            if batch.due_at.is_some_and(|until| until > now) {
                return Err(Refused::NotDue);
            }
            match batch.mode {
                DeliveryMode::AtLeastOnce => Ok(wait(batch, now, active)),
                DeliveryMode::AtMostOnce => Ok(exhaust(batch, EndReason::ResultUnknown, now)),
            }
        }
        (Waiting, Input::Park) => {
            batch.status = Parked;
            batch.due_at = None;
            Ok(Settled::Plain)
        }
        (Parked, Input::Unpark) => {
            new_budget(batch);
            Ok(wait(batch, now, true))
        }
        (Waiting | Leased | Parked, Input::Cancel) => {
            // Only what is out now may still report: the result of an earlier lease was stored, or
            // recorded as lost.
            if batch.status != Leased {
                batch.fence = batch.fence.saturating_add(1);
            }
            end(batch, Cancelled, Some(EndReason::ByHost), now);
            Ok(Settled::Plain)
        }
        (status, Input::Resend { active })
            if status.is_final() && batch.end_reason != Some(EndReason::Split) =>
        {
            new_budget(batch);
            batch.end_reason = None;
            batch.ended_at = None;
            Ok(wait(batch, now, active))
        }
        (status, _) => Err(Refused::Status(status)),
    }
}

fn settle(
    batch: &mut Batch,
    outcome: Outcome,
    active: bool,
    others_succeed: bool,
    now: Timestamp,
    policy: &DeliveryPolicy,
    random: u64,
) -> Settled {
    let verdict = outcome.verdict;
    match verdict {
        Verdict::Delivered => {
            end(batch, BatchStatus::Delivered, None, now);
            return Settled::Plain;
        }
        Verdict::Aborted => {
            end(
                batch,
                BatchStatus::Cancelled,
                Some(EndReason::ByReceiver),
                now,
            );
            return Settled::Plain;
        }
        // One event that cannot be read must not hold up the others for good.
        Verdict::Failed(FailureKind::Unreadable) if batch.positions.len() > 1 => {
            end(batch, BatchStatus::Cancelled, Some(EndReason::Split), now);
            return Settled::Split;
        }
        Verdict::Failed(kind) if kind.is_ours() && !may_have_arrived(batch, verdict) => {
            let start = batch.window_start.unwrap_or(now);
            if now.since(start) > OUR_FAULT_WINDOW {
                return exhaust(batch, EndReason::WindowPassed, now);
            }
            return wait(batch, now.plus(OUR_FAULT_WAIT), active);
        }
        Verdict::Refused | Verdict::TooLarge | Verdict::Failed(_) => {}
    }
    let answered = matches!(verdict, Verdict::Refused | Verdict::TooLarge);
    if may_have_arrived(batch, verdict) {
        let reason = if answered {
            EndReason::AttemptsSpent
        } else {
            EndReason::ResultUnknown
        };
        return exhaust(batch, reason, now);
    }
    let k = batch.failures;
    batch.failures = batch.failures.saturating_add(1);
    let suspect = verdict == Verdict::TooLarge
        || (answered && others_succeed && batch.failures >= POISON_AFTER_FAILURES);
    if policy.split && suspect && batch.positions.len() > 1 {
        end(batch, BatchStatus::Cancelled, Some(EndReason::Split), now);
        return Settled::Split;
    }
    let start = batch.window_start.unwrap_or(now);
    match next_attempt(policy, k, start, now, outcome.retry_after, random) {
        Next::At(due) => wait(batch, due, active),
        Next::Never(reason) => exhaust(batch, reason, now),
    }
}

/// Whether a batch that goes at most once must not be sent again.
fn may_have_arrived(batch: &Batch, verdict: Verdict) -> bool {
    let before_sending = match verdict {
        Verdict::Failed(kind) => kind.is_before_sending() || kind == FailureKind::Proxy,
        _ => false,
    };
    batch.mode == DeliveryMode::AtMostOnce && !before_sending
}

fn wait(batch: &mut Batch, due: Timestamp, active: bool) -> Settled {
    batch.status = if active {
        BatchStatus::Waiting
    } else {
        BatchStatus::Parked
    };
    batch.due_at = active.then_some(due);
    Settled::Plain
}

fn exhaust(batch: &mut Batch, reason: EndReason, now: Timestamp) -> Settled {
    end(batch, BatchStatus::Exhausted, Some(reason), now);
    Settled::Exhausted(reason)
}

fn end(batch: &mut Batch, status: BatchStatus, reason: Option<EndReason>, now: Timestamp) {
    batch.status = status;
    batch.end_reason = reason;
    batch.due_at = None;
    batch.ended_at = Some(now);
}

fn new_budget(batch: &mut Batch) {
    batch.failures = 0;
    batch.window_start = None;
}

#[cfg(test)]
#[path = "step_tests.rs"]
mod tests;
