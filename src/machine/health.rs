//! The rules of a webhook's health: when it is sick, how it recovers, when it is given up, and how
//! many requests it may have in flight.

use std::time::Duration;

use crate::model::{DeactivationReason, DeliveryPolicy, Health, RateLimit, Timestamp};

/// What a change of health asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HealthEffect {
    /// Tell the host: this much of the way to deactivation, which will be at the given time.
    Warn(u8, Timestamp),
    /// Deactivate the webhook.
    Deactivate(DeactivationReason),
    /// Tell the host: well again, after this many failures.
    Recovered(u32),
}

/// Two senders' times may differ by this much without either clock being wrong.
const CLOCK_SLACK: Duration = Duration::from_secs(60);
const CLOCK_SLACK_US: i64 = 60_000_000;

/// The shares of the way to deactivation at which the host is warned, in percent.
pub const WARN_PERCENTS: [u8; 3] = [50, 70, 90];

impl Health {
    /// Whether only one probe at a time may be sent.
    #[must_use]
    pub const fn is_sick(&self, policy: &DeliveryPolicy) -> bool {
        self.consecutive_failures >= policy.sick_after
    }

    /// When the webhook will be deactivated if nothing succeeds until then.
    #[must_use]
    pub fn deactivates_at(&self, policy: &DeliveryPolicy) -> Option<Timestamp> {
        Some(self.failing_since?.plus(policy.deactivate_after?))
    }

    /// Takes note of a successful attempt that ended at `now`.
    pub fn succeed(&mut self, policy: &DeliveryPolicy, now: Timestamp) -> Option<HealthEffect> {
        let failures = self.consecutive_failures;
        let was_sick = self.is_sick(policy);
        self.consecutive_failures = 0;
        self.failing_since = None;
        self.paused_until = None;
        self.warned_percent = 0;
        self.last_success_at = Some(now);
        // Slow start: one more request at a time for each success, doubling, until the ramp is
        // as wide as the cap. A recovering endpoint must not meet its whole backlog at once.
        let ramp = if was_sick { Some(1) } else { self.ramp };
        self.ramp = ramp
            .map(|width| width.saturating_mul(2))
            .filter(|width| *width < policy.widest() * 2);
        was_sick.then_some(HealthEffect::Recovered(failures))
    }

    /// Takes note of a failed attempt, charged to the endpoint, that ended at `now`.
    pub fn fail(
        &mut self,
        policy: &DeliveryPolicy,
        now: Timestamp,
        retry_after: Option<Duration>,
    ) -> Option<HealthEffect> {
        self.consecutive_failures = self.consecutive_failures.saturating_add(1);
        // A time that lies ahead was set by a clock that was ahead.
        let since = self.failing_since.unwrap_or(now).min(now);
        self.failing_since = Some(since);
        if let Some(hint) = retry_after {
            // The longer of two wishes counts.
            let wish = now.plus(hint.min(policy.retry_after_max));
            let earlier = self.pause(policy, now);
            self.paused_until = Some(earlier.map_or(wish, |until| until.max(wish)));
        }
        let limit = policy.deactivate_after?;
        let failing = now.since(since);
        if failing >= limit {
            return Some(HealthEffect::Deactivate(DeactivationReason::Failing));
        }
        let percent = failing.as_millis() * 100 / limit.as_millis().max(1);
        let passed = WARN_PERCENTS
            .into_iter()
            .rev()
            .find(|step| percent >= u128::from(*step))?;
        if passed <= self.warned_percent {
            return None;
        }
        self.warned_percent = passed;
        Some(HealthEffect::Warn(passed, since.plus(limit)))
    }

    /// Until when nothing is to be sent, as seen at `now`. A pause that lasts longer than any is a
    /// clock's that was ahead.
    #[must_use]
    pub fn pause(&self, policy: &DeliveryPolicy, now: Timestamp) -> Option<Timestamp> {
        let longest = now.plus(policy.retry_after_max + CLOCK_SLACK);
        self.paused_until
            .filter(|until| *until > now && *until <= longest)
    }

    /// A clean start after re-activation: the operator says that the endpoint is well. What waits
    /// goes out by slow start all the same.
    pub fn reset(&mut self) {
        *self = Self {
            ramp: Some(1),
            last_success_at: self.last_success_at,
            bucket_full_at_us: self.bucket_full_at_us,
            ..Self::default()
        };
    }

    /// How many requests the rate limit allows at `now`; all of them without a limit.
    #[must_use]
    pub fn tokens(&self, limit: Option<RateLimit>, now: Timestamp) -> u32 {
        let Some(limit) = limit else { return u32::MAX };
        let missing_us = self.bucket_full_at_us(now) - micros(now);
        let missing = missing_us.saturating_add(token_us(limit) - 1) / token_us(limit);
        limit
            .per_second
            .saturating_sub(u32::try_from(missing).unwrap_or(u32::MAX))
    }

    /// Spends tokens of the rate limit (generic cell rate algorithm).
    pub fn spend(&mut self, limit: Option<RateLimit>, now: Timestamp, count: u32) {
        if let Some(limit) = limit {
            let from = self.bucket_full_at_us(now);
            self.bucket_full_at_us = from.saturating_add(token_us(limit) * i64::from(count));
        }
    }

    /// When the bucket is full. That never takes longer than a second: what lies far beyond it was
    /// written by a clock that was ahead, and the bucket is full.
    fn bucket_full_at_us(&self, now: Timestamp) -> i64 {
        let now_us = micros(now);
        if self.bucket_full_at_us > now_us.saturating_add(1_000_000 + CLOCK_SLACK_US) {
            now_us
        } else {
            self.bucket_full_at_us.max(now_us)
        }
    }

    /// When the rate limit allows the next request, if not now.
    #[must_use]
    pub fn next_token_at(&self, limit: Option<RateLimit>, now: Timestamp) -> Option<Timestamp> {
        let limit = limit?;
        if self.tokens(Some(limit), now) > 0 {
            return None;
        }
        let burst_us = token_us(limit) * i64::from(limit.per_second);
        let at_us = self
            .bucket_full_at_us
            .saturating_sub(burst_us - token_us(limit));
        Some(Timestamp::from_millis(at_us.div_euclid(1000) + 1))
    }
}

fn micros(at: Timestamp) -> i64 {
    at.as_millis().saturating_mul(1000)
}

fn token_us(limit: RateLimit) -> i64 {
    1_000_000 / i64::from(limit.per_second.clamp(1, 10_000))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Profile;

    const DAY: Duration = Duration::from_secs(86_400);

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    #[test]
    fn sick_after_three_failures_and_slow_to_start() {
        let policy = DeliveryPolicy {
            concurrency: 8,
            ..Profile::prelude().delivery
        };
        let mut health = Health::default();
        for _ in 0..2 {
            health.fail(&policy, at(0), None);
        }
        assert!(!health.is_sick(&policy));
        health.fail(&policy, at(0), None);
        assert!(health.is_sick(&policy));
        assert_eq!(
            health.succeed(&policy, at(1)),
            Some(HealthEffect::Recovered(3))
        );
        let mut ramps = vec![health.ramp];
        while health.ramp.is_some() {
            assert_eq!(health.succeed(&policy, at(1)), None);
            ramps.push(health.ramp);
        }
        assert_eq!(ramps, [Some(2), Some(4), Some(8), None]);
    }

    #[test]
    fn warned_at_50_70_90_and_given_up_at_the_end() {
        let policy = Profile::prelude().delivery;
        let mut health = Health::default();
        let mut seen = Vec::new();
        for day in 0..=14 {
            seen.extend(health.fail(&policy, at(0).plus(DAY * day), None));
        }
        let end = at(0).plus(14 * DAY);
        assert_eq!(
            seen,
            [
                HealthEffect::Warn(50, end),
                HealthEffect::Warn(70, end),
                HealthEffect::Warn(90, end),
                HealthEffect::Deactivate(DeactivationReason::Failing),
            ]
        );
        health.succeed(&policy, end);
        assert_eq!((health.failing_since, health.warned_percent), (None, 0));
    }

    #[test]
    fn a_pause_that_no_wish_can_be_as_long_as_is_none() {
        let policy = Profile::prelude().delivery;
        let mut health = Health::default();
        health.fail(&policy, at(86_400), Some(DAY));
        let until = at(86_400 + 43_200);
        assert_eq!(health.pause(&policy, at(86_400)), Some(until));
        assert_eq!(health.pause(&policy, at(0)), None);
        assert_eq!(health.pause(&policy, until), None);
    }

    #[test]
    fn a_clock_that_was_ahead_does_not_put_off_the_deactivation() {
        let policy = Profile::prelude().delivery;
        let mut health = Health::default();
        health.fail(&policy, at(0).plus(30 * DAY), None);
        health.fail(&policy, at(0), None);
        let end = at(0).plus(14 * DAY);
        assert_eq!(health.deactivates_at(&policy), Some(end));
        let deactivated = Some(HealthEffect::Deactivate(DeactivationReason::Failing));
        assert_eq!(health.fail(&policy, end, None), deactivated);
    }

    #[test]
    fn retry_after_pauses_within_its_cap() {
        let policy = Profile::prelude().delivery;
        let mut health = Health::default();
        health.fail(&policy, at(0), Some(Duration::from_secs(u64::MAX / 2)));
        assert_eq!(health.paused_until, Some(at(43_200)));
        health.fail(&policy, at(0), Some(Duration::from_secs(5)));
        assert_eq!(health.paused_until, Some(at(43_200)), "never shortened");
    }

    #[test]
    fn a_rate_limit_bears_any_clock_and_any_row() {
        let limit = Some(RateLimit { per_second: 10_000 });
        let ends = [i64::MIN, i64::MIN / 1000, 0, i64::MAX / 1000, i64::MAX];
        for (now, full_at) in ends
            .into_iter()
            .flat_map(|now| ends.map(|full| (now, full)))
        {
            let now = Timestamp::from_millis(now);
            let mut health = Health {
                bucket_full_at_us: full_at,
                ..Health::default()
            };
            health.spend(limit, now, u32::MAX);
            if let Some(next) = health.next_token_at(limit, now) {
                assert!(next >= now, "{next:?}");
            }
        }
    }

    proptest::proptest! {
        #[test]
        fn no_second_exceeds_the_rate_by_more_than_the_burst(
            per_second in 1u32..2000,
            gaps in proptest::collection::vec(0i64..400, 1..60),
        ) {
            let rate = RateLimit { per_second };
            let limit = Some(rate);
            let mut health = Health::default();
            let (mut now_ms, mut sent) = (0i64, 0u64);
            for gap in gaps {
                now_ms += gap;
                let now = Timestamp::from_millis(now_ms);
                let tokens = health.tokens(limit, now);
                assert!(tokens <= per_second);
                if tokens == 0 {
                    let next = health.next_token_at(limit, now).unwrap();
                    assert!(next > now && health.tokens(limit, next) > 0);
                }
                health.spend(limit, now, tokens);
                sent += u64::from(tokens);
            }
            // One burst, plus the tokens that trickled in since.
            let trickled = now_ms * 1000 / token_us(rate);
            let allowed = u64::from(per_second) + u64::try_from(trickled).unwrap() + 1;
            assert!(sent <= allowed, "{sent} > {allowed}");
        }
    }
}
