//! When a failed batch is tried again (contracts.md §1.5).

use std::time::Duration;

use super::step::OUR_FAULT_WAIT;
use crate::model::{DeliveryPolicy, EndReason, RetrySchedule, Timestamp};

/// What follows a failed attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// The next attempt is due at this time.
    At(Timestamp),
    /// There is none.
    Never(EndReason),
}

/// The plain wait after failure `k` (0 for the first), without jitter; `None` when a list of
/// waits has run out.
#[must_use]
pub fn wait_after(schedule: &RetrySchedule, k: u32) -> Option<Duration> {
    match schedule {
        RetrySchedule::Doubling { first, cap, .. } => {
            let doubled = 2u32
                .checked_pow(k)
                .and_then(|factor| first.checked_mul(factor));
            Some(doubled.map_or(*cap, |wait| wait.min(*cap)))
        }
        RetrySchedule::Waits(waits) => waits.get(usize::try_from(k).ok()?).copied(),
    }
}

/// When the next attempt is due after failure `k` that ended at `ended`, in a budget whose first
/// attempt began at `window_start`.
///
/// Jitter and `Retry-After` only ever lengthen the wait. They never push the attempt out of the
/// window: an attempt that the plain schedule allows takes place, at the window's end at the latest.
#[must_use]
pub fn next_attempt(
    policy: &DeliveryPolicy,
    k: u32,
    window_start: Timestamp,
    ended: Timestamp,
    retry_after: Option<Duration>,
    random: u64,
) -> Next {
    let Some(wait) = wait_after(&policy.retry, k) else {
        return Next::Never(EndReason::AttemptsSpent);
    };
    let hint = retry_after.unwrap_or_default().min(policy.retry_after_max);
    let lengthened = (wait + jitter(wait, policy.jitter_percent, random)).max(hint);
    let due = ended.plus(lengthened);
    match policy.retry {
        RetrySchedule::Doubling { window, .. } => {
            let last = window_start.plus(window);
            if ended.plus(wait) > last {
                Next::Never(EndReason::WindowPassed)
            } else {
                Next::At(due.min(last))
            }
        }
        RetrySchedule::Waits(_) => Next::At(due),
    }
}

/// The longest time any batch may have to wait under this policy. A due time further away than
/// this can only come from a clock that was wrong.
#[must_use]
pub fn longest_wait(policy: &DeliveryPolicy) -> Duration {
    let plain = match &policy.retry {
        RetrySchedule::Doubling { cap, .. } => *cap,
        RetrySchedule::Waits(waits) => waits.iter().copied().max().unwrap_or_default(),
    };
    (plain + jitter(plain, policy.jitter_percent, u64::MAX))
        .max(policy.retry_after_max)
        .max(OUR_FAULT_WAIT)
}

/// A share of `wait` between nothing and `percent`, in whole milliseconds, decided by `random`.
fn jitter(wait: Duration, percent: u8, random: u64) -> Duration {
    let most = wait.as_millis() * u128::from(percent) / 100;
    let share = (most * u128::from(random)) >> 64;
    Duration::from_millis(u64::try_from(share).unwrap_or(u64::MAX))
}

/// Reads a `Retry-After` value (RFC 9110 §10.2.3): whole seconds or an HTTP date. Anything else,
/// and a date in the past, is `None`.
#[must_use]
pub fn parse_retry_after(value: &str, now: Timestamp) -> Option<Duration> {
    let value = value.trim();
    if !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit()) {
        // A number too large for u64 is still "later than we ever wait".
        return Some(Duration::from_secs(
            value.parse().unwrap_or(u64::from(u32::MAX)),
        ));
    }
    let date = httpdate::parse_http_date(value).ok()?;
    let since_epoch = date.duration_since(std::time::UNIX_EPOCH).ok()?;
    let at = Timestamp::default().plus(since_epoch);
    (at > now).then(|| at.since(now))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Profile;

    const DAY: Duration = Duration::from_secs(86_400);

    fn prelude(jitter_percent: u8) -> DeliveryPolicy {
        DeliveryPolicy {
            jitter_percent,
            ..Profile::prelude().delivery
        }
    }

    #[test]
    fn doubling_makes_the_vendors_waits() {
        let policy = prelude(0);
        let minutes: Vec<u64> = (0..12)
            .map(|k| wait_after(&policy.retry, k).unwrap().as_secs() / 60)
            .collect();
        assert_eq!(minutes, [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 720, 720]);
        assert_eq!(
            wait_after(&policy.retry, u32::MAX),
            Some(Duration::from_secs(43_200))
        );
    }

    #[test]
    fn fourteen_days_hold_37_instant_attempts() {
        let policy = prelude(0);
        let start = Timestamp::from_millis(0);
        let mut times = vec![start];
        for k in 0.. {
            match next_attempt(&policy, k, start, *times.last().unwrap(), None, 9) {
                Next::At(due) => times.push(due),
                Next::Never(_) => break,
            }
        }
        assert_eq!(times.len(), 37);
        assert_eq!(times[10].as_millis(), 1023 * 60_000);
        assert_eq!(times[36].as_millis(), 1_184_580_000);
    }

    #[test]
    fn a_list_of_waits_ends() {
        let policy = Profile::fingerprint().delivery;
        let at = Timestamp::from_millis(5);
        let five_minutes = Duration::from_secs(300);
        assert_eq!(
            next_attempt(&policy, 0, at, at, None, 0),
            Next::At(at.plus(five_minutes))
        );
        assert_eq!(
            next_attempt(&policy, 1, at, at, None, 0),
            Next::Never(EndReason::AttemptsSpent)
        );
    }

    #[test]
    fn retry_after_is_read_as_seconds_or_date() {
        let now = Timestamp::from_millis(784_111_777_000);
        for (value, expected) in [
            ("120", Some(120)),
            (" 0 ", Some(0)),
            ("99999999999999999999", Some(u64::from(u32::MAX))),
            ("Sun, 06 Nov 1994 08:50:37 GMT", Some(60)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", None),
            ("-1", None),
            ("1.5", None),
            ("", None),
            ("soon", None),
        ] {
            let read = parse_retry_after(value, now).map(|span| span.as_secs());
            assert_eq!(read, expected, "{value:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn never_early_never_past_the_window(
            k in 0u32..80,
            elapsed in 0u64..20 * 86_400_000,
            hint in proptest::option::of(0u64..10_000_000),
            random: u64,
            percent in 0u8..=100,
        ) {
            let policy = prelude(percent);
            let start = Timestamp::from_millis(1_000);
            let ended = start.plus(Duration::from_millis(elapsed));
            let hint = hint.map(Duration::from_secs);
            let plain = ended.plus(wait_after(&policy.retry, k).unwrap());
            match next_attempt(&policy, k, start, ended, hint, random) {
                Next::At(due) => {
                    assert!(due >= plain && due <= start.plus(14 * DAY));
                    assert!(due <= ended.plus(longest_wait(&policy)));
                }
                Next::Never(reason) => {
                    assert_eq!(reason, EndReason::WindowPassed);
                    assert!(plain > start.plus(14 * DAY));
                }
            }
        }

        #[test]
        fn hostile_retry_after_never_panics(value in ".*", now: i64) {
            let _ = parse_retry_after(&value, Timestamp::from_millis(now));
        }
    }
}
