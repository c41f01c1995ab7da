//! The machine: any sequence of inputs, at any times, on any health that a row may hold. Its
//! invariants hold after every step, and a refused input changes nothing.
#![no_main]

use std::time::Duration;

use arbitrary::{Arbitrary, Result, Unstructured};
use hookbox::machine::{
    InFlight, Input, Outcome, Settled, Verdict, longest_wait, plan_claim, step,
};
use hookbox::model::{
    Batch, BatchId, BatchStatus, DeliveryMode, EndReason, FailureKind, Health, Ordering, Overrides,
    Positions, Profile, RateLimit, Timestamp, WebhookId, WebhookIdStyle,
};
use libfuzzer_sys::fuzz_target;

fn time(u: &mut Unstructured<'_>) -> Result<Timestamp> {
    Ok(Timestamp::from_millis(match u.int_in_range(0..=9)? {
        0 => i64::arbitrary(u)?,
        _ => 1_742_034_600_000 + i64::from(i32::arbitrary(u)?),
    }))
}

fn maybe_time(u: &mut Unstructured<'_>) -> Result<Option<Timestamp>> {
    if bool::arbitrary(u)? {
        time(u).map(Some)
    } else {
        Ok(None)
    }
}

fn outcome(u: &mut Unstructured<'_>) -> Result<Outcome> {
    let verdict = match u.int_in_range(0..=4)? {
        0 => Verdict::Delivered,
        1 => Verdict::Refused,
        2 => Verdict::TooLarge,
        3 => Verdict::Aborted,
        _ => Verdict::Failed(*u.choose(&FailureKind::ALL)?),
    };
    Ok(Outcome {
        verdict,
        retry_after: Option::<u64>::arbitrary(u)?.map(Duration::from_secs),
        deactivate: None,
    })
}

fn input(u: &mut Unstructured<'_>, batch: &Batch, now: Timestamp) -> Result<Input> {
    // Mostly the token of the lease, so that something happens.
    let fence = match u.int_in_range(0..=7)? {
        0 => u64::arbitrary(u)?,
        _ => batch.fence,
    };
    let active = bool::arbitrary(u)?;
    Ok(match u.int_in_range(0..=7)? {
        0 => Input::Claim {
            lease_until: now.plus(Duration::from_secs(u64::from(u8::arbitrary(u)?))),
        },
        1 => Input::Settle {
            fence,
            outcome: outcome(u)?,
            active,
            others_succeed: bool::arbitrary(u)?,
        },
        2 => Input::Release { fence, active },
        3 => Input::LeaseExpired { active },
        4 => Input::Park,
        5 => Input::Unpark,
        6 => Input::Cancel,
        _ => Input::Resend { active },
    })
}

fn run(u: &mut Unstructured<'_>) -> Result<()> {
    let profiles = [
        Profile::prelude(),
        Profile::fingerprint(),
        Profile::standard_webhooks(),
    ];
    let profile = u.choose(&profiles)?;
    let overrides = Overrides {
        concurrency: Option::<u8>::arbitrary(u)?.map(|n| u32::from(n % 64) + 1),
        rate_limit: Option::<u16>::arbitrary(u)?.map(|n| RateLimit {
            per_second: u32::from(n % 10_000) + 1,
        }),
        ordering: *u.choose(&[Ordering::None, Ordering::Fifo])?,
        ..Overrides::default()
    };
    let policy = profile.delivery.with(&overrides);
    let mode = *u.choose(&[DeliveryMode::AtLeastOnce, DeliveryMode::AtMostOnce])?;
    let mut now = time(u)?;
    let mut batch = Batch::new(
        BatchId::new(now, 1),
        "app".parse().unwrap(),
        WebhookId::new(WebhookIdStyle::WebUlid, now, 1),
        (1..=i64::from(u.int_in_range(1..=5)?)).collect::<Positions>(),
        mode,
        now,
    );
    let mut health = Health {
        consecutive_failures: u32::arbitrary(u)?,
        failing_since: maybe_time(u)?,
        ramp: Option::<u32>::arbitrary(u)?,
        paused_until: maybe_time(u)?,
        last_success_at: maybe_time(u)?,
        warned_percent: u8::arbitrary(u)?,
        bucket_full_at_us: i64::arbitrary(u)?,
    };
    while !u.is_empty() {
        now = match u.int_in_range(0..=3)? {
            0 => time(u)?,
            1 => batch.due_at.unwrap_or(now),
            _ => now.plus(Duration::from_millis(u64::from(u32::arbitrary(u)?))),
        };
        let input = input(u, &batch, now)?;
        let before = batch.clone();
        let result = step(&mut batch, input, now, &policy, u64::arbitrary(u)?);
        check_step(&before, input, now, &batch, &result);
        if let (Ok(_), Input::Settle { outcome, .. }) = (&result, input) {
            judge_health(&mut health, outcome, &policy, now);
        }
        check_plan(u, &mut health, &policy, &overrides, now)?;
        if let (Ok(_), Some(due)) = (result, batch.due_at)
            && batch.status == BatchStatus::Waiting
            && matches!(input, Input::Settle { .. })
        {
            assert!(
                due <= now.plus(longest_wait(&policy)),
                "{due:?} is too late"
            );
        }
    }
    Ok(())
}

fn check_step(
    before: &Batch,
    input: Input,
    now: Timestamp,
    after: &Batch,
    result: &std::result::Result<Settled, hookbox::machine::Refused>,
) {
    if result.is_err() {
        assert_eq!(before, after, "a refusal changes nothing");
        return;
    }
    assert!(after.fence >= before.fence);
    assert_eq!(after.ended_at.is_some(), after.status.is_final());
    match after.status {
        BatchStatus::Waiting | BatchStatus::Leased => assert!(after.due_at.is_some()),
        _ => assert!(after.due_at.is_none()),
    }
    match after.status {
        BatchStatus::Exhausted | BatchStatus::Cancelled => assert!(after.end_reason.is_some()),
        _ => assert!(after.end_reason.is_none()),
    }
    match input {
        Input::Claim { .. } => {
            assert!(before.due_at.is_some_and(|due| due <= now));
            assert_eq!(after.fence, before.fence.saturating_add(1));
            assert_eq!(after.attempts, before.attempts.saturating_add(1));
        }
        Input::Settle { fence, outcome, .. } => {
            assert_eq!(fence, before.fence, "a stale result was taken");
            let is_new = before.status == BatchStatus::Leased;
            let delivered = outcome.verdict == Verdict::Delivered && is_new;
            assert_eq!(after.status == BatchStatus::Delivered, delivered);
            check_once(after, outcome.verdict);
        }
        Input::LeaseExpired { .. } if after.mode == DeliveryMode::AtMostOnce => {
            assert_eq!(after.end_reason, Some(EndReason::ResultUnknown));
        }
        _ => assert_ne!(after.status, BatchStatus::Delivered),
    }
}

/// What may have arrived is not sent again, where at most once is asked for.
fn check_once(after: &Batch, verdict: Verdict) {
    let unsent = matches!(verdict, Verdict::Failed(kind)
        if kind.is_before_sending() || kind == FailureKind::Proxy);
    if after.mode == DeliveryMode::AtMostOnce && !unsent {
        assert!(after.status.is_final());
    }
}

fn judge_health(
    health: &mut Health,
    outcome: Outcome,
    policy: &hookbox::model::DeliveryPolicy,
    now: Timestamp,
) {
    match outcome.verdict {
        Verdict::Delivered => {
            health.succeed(policy, now);
            assert!(!health.is_sick(policy) && health.paused_until.is_none());
        }
        _ => {
            health.fail(policy, now, outcome.retry_after);
            assert!(health.consecutive_failures > 0 && health.failing_since.is_some());
        }
    }
}

fn check_plan(
    u: &mut Unstructured<'_>,
    health: &mut Health,
    policy: &hookbox::model::DeliveryPolicy,
    overrides: &Overrides,
    now: Timestamp,
) -> Result<()> {
    let load = InFlight {
        fresh: u32::from(u8::arbitrary(u)?),
        retries: u32::from(u8::arbitrary(u)?),
        waiting: u32::from(u8::arbitrary(u)?),
    };
    let plan = plan_claim(health, policy, overrides, load, now);
    assert!(plan.fresh <= policy.concurrency && plan.retries <= policy.concurrency);
    assert!(plan.retries <= load.waiting);
    assert!(plan.fresh + plan.full <= policy.widest().saturating_sub(load.fresh));
    if health.is_sick(policy) || overrides.ordering == Ordering::Fifo {
        assert!(plan.fresh + plan.retries + plan.full + load.fresh.min(1) <= 1);
    }
    if let Some(limit) = overrides.rate_limit {
        assert!(plan.total <= limit.per_second);
        if plan.not_before.is_none() && plan.total > 0 {
            health.spend(Some(limit), now, plan.total.min(plan.fresh + plan.retries));
        }
    }
    if let Some(until) = plan.not_before {
        assert_eq!(plan.fresh + plan.retries + plan.full, 0);
        assert!(until > now || now.as_millis() > i64::MAX / 1000);
    }
    Ok(())
}

fuzz_target!(|bytes: &[u8]| {
    // An error says that the bytes are used up.
    let _ = run(&mut Unstructured::new(bytes));
});
