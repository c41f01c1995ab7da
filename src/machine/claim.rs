//! How many requests a webhook may be given at once.

use std::time::Duration;

use crate::model::{DeliveryPolicy, Health, Ordering, Overrides, Timestamp};

/// How much longer than the attempt's own deadline a lease lasts: room for waiting for a sender
/// and for storing the result. A sender does not begin an attempt that its lease might not outlive.
const LEASE_MARGIN: Duration = Duration::from_secs(20);

/// For how long a lease is given.
#[must_use]
pub fn lease_span(policy: &DeliveryPolicy) -> Duration {
    policy.timeout + LEASE_MARGIN
}

/// What a webhook has unsettled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct InFlight {
    /// Leased, first attempt.
    pub fresh: u32,
    /// Leased, a later attempt.
    pub retries: u32,
    /// Waiting, due or not.
    pub waiting: u32,
}

/// How many requests a webhook may be given at once, beyond those in flight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClaimPlan {
    /// Batches that wait, as far as they are due, the earliest first.
    pub retries: u32,
    /// Batches to be carved from the log.
    pub fresh: u32,
    /// More of them, as long as each is full.
    pub full: u32,
    /// Both together: what the rate limit allows. A batch that waits without being due uses none of
    /// it up.
    pub total: u32,
    /// Nothing at all before this time.
    pub not_before: Option<Timestamp>,
}

/// Decides how many requests a webhook may be given at `now`.
///
/// - While the endpoint asked for silence (`Retry-After`), and beyond its rate limit: none.
/// - A sick webhook gets one probe at a time: its earliest due batch; a fresh one only when no
///   batch waits.
/// - First in, first out: one batch at a time, and a fresh one only when no batch waits.
/// - Else up to `concurrency` fresh batches (`concurrency_full`, as long as the others are full), and as
///   many retries beside them, all narrowed by the slow start.
#[must_use]
pub fn plan_claim(
    health: &Health,
    policy: &DeliveryPolicy,
    overrides: &Overrides,
    load: InFlight,
    now: Timestamp,
) -> ClaimPlan {
    let nothing = ClaimPlan {
        retries: 0,
        fresh: 0,
        full: 0,
        total: 0,
        not_before: None,
    };
    if let Some(until) = health.pause(policy, now) {
        return ClaimPlan {
            not_before: Some(until),
            ..nothing
        };
    }
    let tokens = health.tokens(overrides.rate_limit, now);
    if tokens == 0 {
        return ClaimPlan {
            not_before: health.next_token_at(overrides.rate_limit, now),
            ..nothing
        };
    }
    if health.is_sick(policy) || overrides.ordering == Ordering::Fifo {
        return match (load.fresh + load.retries, load.waiting) {
            (0, 0) => ClaimPlan {
                fresh: 1,
                total: 1,
                ..nothing
            },
            (0, _) => ClaimPlan {
                retries: 1,
                total: 1,
                ..nothing
            },
            _ => nothing,
        };
    }
    let ramp = health.ramp.unwrap_or(u32::MAX);
    let (width, widest) = (ramp.min(policy.concurrency), ramp.min(policy.widest()));
    let fresh = width.saturating_sub(load.fresh);
    // A batch that waits for its first attempt (given back, or cut from another) is let out as a retry
    // and counted as fresh: what is more than fresh ones can be takes the place of retries.
    let retries = load.retries + load.fresh.saturating_sub(widest);
    ClaimPlan {
        retries: width.saturating_sub(retries).min(load.waiting),
        fresh,
        full: widest.saturating_sub(load.fresh + fresh),
        total: tokens,
        not_before: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Profile, RateLimit};

    fn plan(
        health: &Health,
        overrides: &Overrides,
        fresh: u32,
        retries: u32,
        waiting: u32,
    ) -> (u32, u32) {
        let policy = Profile::prelude().delivery.with(overrides);
        let load = InFlight {
            fresh,
            retries,
            waiting,
        };
        let plan = plan_claim(
            health,
            &policy,
            overrides,
            load,
            Timestamp::from_millis(1000),
        );
        (plan.retries.min(plan.total), plan.fresh.min(plan.total))
    }

    #[test]
    fn a_healthy_webhook_gets_fresh_batches_and_retries_side_by_side() {
        let well = Health::default();
        let plain = Overrides::default();
        assert_eq!(plan(&well, &plain, 0, 0, 0), (0, 1));
        assert_eq!(plan(&well, &plain, 1, 0, 0), (0, 0));
        assert_eq!(plan(&well, &plain, 1, 0, 5), (1, 0));
        assert_eq!(plan(&well, &plain, 0, 1, 5), (0, 1));
        let wide = Overrides {
            concurrency: Some(8),
            ..plain
        };
        assert_eq!(plan(&well, &wide, 3, 0, 2), (2, 5));
        let ramp = Health {
            ramp: Some(2),
            ..well
        };
        assert_eq!(plan(&ramp, &wide, 0, 0, 9), (2, 2));
    }

    #[test]
    fn only_full_batches_go_beside_the_first() {
        let policy = Profile::prelude().delivery;
        let now = Timestamp::from_millis(1000);
        let full = |ramp, fresh, overrides: &Overrides| {
            let health = Health {
                ramp,
                ..Health::default()
            };
            let load = InFlight {
                fresh,
                ..InFlight::default()
            };
            let plan = plan_claim(&health, &policy.with(overrides), overrides, load, now);
            (plan.fresh, plan.full)
        };
        let plain = Overrides::default();
        assert_eq!(full(None, 0, &plain), (1, 3));
        assert_eq!(full(None, 1, &plain), (0, 3));
        assert_eq!(full(None, 4, &plain), (0, 0));
        assert_eq!(
            full(Some(2), 0, &plain),
            (1, 1),
            "a slow start holds for them too"
        );
        let one = Overrides {
            concurrency: Some(1),
            ..plain.clone()
        };
        assert_eq!(full(None, 0, &one), (1, 0), "who asks for one gets one");
        let fifo = Overrides {
            ordering: Ordering::Fifo,
            ..plain
        };
        assert_eq!(full(None, 0, &fifo), (1, 0));
    }

    #[test]
    fn batches_that_wait_for_their_first_attempt_do_not_break_the_caps() {
        let policy = DeliveryPolicy {
            concurrency_full: 1,
            ..Profile::prelude().delivery
        };
        let mut load = InFlight {
            waiting: 9,
            ..InFlight::default()
        };
        // Each that goes out counts as fresh.
        for expected in [1, 1, 0] {
            let (well, overrides) = (Health::default(), Overrides::default());
            let now = Timestamp::from_millis(1000);
            let retries = plan_claim(&well, &policy, &overrides, load, now).retries;
            assert_eq!(retries, expected);
            load.fresh += retries;
            load.waiting -= retries;
        }
    }

    #[test]
    fn a_sick_webhook_gets_one_probe() {
        let sick = Health {
            consecutive_failures: 3,
            ..Health::default()
        };
        let wide = Overrides {
            concurrency: Some(8),
            ..Overrides::default()
        };
        assert_eq!(plan(&sick, &wide, 0, 0, 9), (1, 0));
        assert_eq!(plan(&sick, &wide, 0, 1, 9), (0, 0));
        assert_eq!(plan(&sick, &wide, 0, 0, 0), (0, 1));
    }

    #[test]
    fn fifo_holds_fresh_batches_back() {
        let fifo = Overrides {
            ordering: Ordering::Fifo,
            ..Overrides::default()
        };
        let well = Health::default();
        assert_eq!(plan(&well, &fifo, 0, 0, 1), (1, 0));
        assert_eq!(plan(&well, &fifo, 0, 0, 0), (0, 1));
        assert_eq!(plan(&well, &fifo, 1, 0, 0), (0, 0));
    }

    #[test]
    fn silence_and_rate_limits_are_kept() {
        let plain = Overrides::default();
        let paused = Health {
            paused_until: Some(Timestamp::from_millis(1001)),
            ..Health::default()
        };
        assert_eq!(plan(&paused, &plain, 0, 0, 9), (0, 0));
        let limit = RateLimit { per_second: 2 };
        let limited = Overrides {
            rate_limit: Some(limit),
            concurrency: Some(8),
            ..plain
        };
        let mut health = Health::default();
        // What waits may not be due: it takes no token from what is fresh.
        assert_eq!(plan(&health, &limited, 0, 0, 1), (1, 2));
        health.spend(Some(limit), Timestamp::from_millis(1000), 2);
        assert_eq!(plan(&health, &limited, 0, 0, 1), (0, 0));
    }
}
