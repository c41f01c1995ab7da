//! What an answer, or the lack of one, means for the batch and its webhook.

use std::time::Duration;

use crate::model::{
    AttemptResult, DeactivationReason, DeliveryPolicy, FailureKind, SuccessRule, Timestamp,
};

use super::schedule::parse_retry_after;

/// An overloaded endpoint that gives no `Retry-After` is left alone for this long (contracts.md §3).
const SLOW_DOWN: Duration = Duration::from_secs(5);

/// The judgement on one attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome {
    /// What it means for the batch.
    pub verdict: Verdict,
    /// For how long not to send anything: the endpoint's wish (429 and 503), or a little while when
    /// it is overloaded and names none (429, 502, 504).
    pub retry_after: Option<Duration>,
    /// The endpoint's wish not to hear from us at all.
    pub deactivate: Option<DeactivationReason>,
}

/// What an attempt means for its batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Accepted.
    Delivered,
    /// Answered, with a status that is not success.
    Refused,
    /// Answered 413: too large.
    TooLarge,
    /// Answered with `webhook-delivery: abort-message`: do not send it again.
    Aborted,
    /// Not answered.
    Failed(FailureKind),
}

/// The two response headers that matter, as received.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ControlHeaders<'a> {
    /// `Retry-After` (RFC 9110 §10.2.3).
    pub retry_after: Option<&'a str>,
    /// `webhook-delivery`, the receiver's control header.
    pub webhook_delivery: Option<&'a str>,
}

/// Judges an attempt that ended at `now`.
#[must_use]
pub fn judge(
    policy: &DeliveryPolicy,
    result: AttemptResult,
    headers: ControlHeaders<'_>,
    now: Timestamp,
) -> Outcome {
    let status = match result {
        AttemptResult::Status(status) => status,
        AttemptResult::Failure(kind) => {
            return Outcome {
                verdict: Verdict::Failed(kind),
                retry_after: None,
                deactivate: None,
            };
        }
    };
    let success = match policy.success {
        SuccessRule::Only200 => status == 200,
        SuccessRule::Any2xx => (200..300).contains(&status),
    };
    let control = headers
        .webhook_delivery
        .filter(|_| policy.receiver_control)
        .map(str::trim);
    let verdict = match status {
        _ if success => Verdict::Delivered,
        _ if control.is_some_and(|word| word.eq_ignore_ascii_case("abort-message")) => {
            Verdict::Aborted
        }
        413 => Verdict::TooLarge,
        _ => Verdict::Refused,
    };
    let deactivate = if control.is_some_and(|word| word.eq_ignore_ascii_case("disable")) {
        Some(DeactivationReason::ByReceiver)
    } else {
        (status == 410 && policy.deactivate_on_gone).then_some(DeactivationReason::Gone)
    };
    let hint = match status {
        429 | 503 => headers
            .retry_after
            .and_then(|value| parse_retry_after(value, now)),
        _ => None,
    };
    let retry_after = hint.or(matches!(status, 429 | 502 | 504).then_some(SLOW_DOWN));
    Outcome {
        verdict,
        retry_after,
        deactivate,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Profile;

    fn verdict(policy: &DeliveryPolicy, status: u16, control: Option<&str>) -> Outcome {
        let headers = ControlHeaders {
            retry_after: Some("7"),
            webhook_delivery: control,
        };
        judge(
            policy,
            AttemptResult::Status(status),
            headers,
            Timestamp::default(),
        )
    }

    #[test]
    fn success_is_the_profiles_rule() {
        let (prelude, standard) = (
            Profile::prelude().delivery,
            Profile::standard_webhooks().delivery,
        );
        for (status, only_200, any_2xx) in [
            (199, false, false),
            (200, true, true),
            (204, false, true),
            (299, false, true),
            (300, false, false),
            (302, false, false),
            (500, false, false),
        ] {
            let delivered = |policy| verdict(policy, status, None).verdict == Verdict::Delivered;
            assert_eq!(
                (delivered(&prelude), delivered(&standard)),
                (only_200, any_2xx),
                "{status}"
            );
        }
    }

    #[test]
    fn the_receiver_may_stop_a_batch_or_a_webhook() {
        let policy = Profile::prelude().delivery;
        assert_eq!(
            verdict(&policy, 500, Some(" Abort-Message")).verdict,
            Verdict::Aborted
        );
        assert_eq!(
            verdict(&policy, 200, Some("abort-message")).verdict,
            Verdict::Delivered
        );
        let disabled = verdict(&policy, 200, Some("disable"));
        assert_eq!(disabled.deactivate, Some(DeactivationReason::ByReceiver));
        assert_eq!(
            verdict(&policy, 410, None).deactivate,
            Some(DeactivationReason::Gone)
        );
        let deaf = DeliveryPolicy {
            receiver_control: false,
            deactivate_on_gone: false,
            ..policy
        };
        assert_eq!(
            verdict(&deaf, 500, Some("abort-message")).verdict,
            Verdict::Refused
        );
        assert_eq!(verdict(&deaf, 410, Some("disable")).deactivate, None);
    }

    #[test]
    fn retry_after_counts_on_429_and_503_only() {
        let policy = Profile::prelude().delivery;
        let hint = Some(Duration::from_secs(7));
        for (status, expected) in [
            (429, hint),
            (503, hint),
            (502, Some(SLOW_DOWN)),
            (504, Some(SLOW_DOWN)),
            (500, None),
            (200, None),
        ] {
            let outcome = verdict(&policy, status, None);
            assert_eq!(outcome.retry_after, expected, "{status}");
        }
    }
}
