use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::machine::Verdict;
use crate::model::{AppId, BatchId, Positions, Profile, WebhookId, WebhookIdStyle};

fn batch(events: i64, mode: DeliveryMode) -> Batch {
    let now = Timestamp::from_millis(0);
    Batch::new(
        BatchId::new(now, 1),
        AppId::parse("app").unwrap(),
        WebhookId::new(WebhookIdStyle::WebUlid, now, 1),
        (1..=events).collect::<Positions>(),
        mode,
        now,
    )
}

fn outcome(verdict: Verdict) -> Outcome {
    Outcome {
        verdict,
        retry_after: None,
        deactivate: None,
    }
}

fn exact() -> DeliveryPolicy {
    DeliveryPolicy {
        jitter_percent: 0,
        ..Profile::prelude().delivery
    }
}

fn settle(batch: &Batch, verdict: Verdict) -> Input {
    Input::Settle {
        fence: batch.fence,
        outcome: outcome(verdict),
        active: true,
        others_succeed: false,
    }
}

const LEASE: Duration = Duration::from_secs(30);

/// Claims at the due time, and settles `took` later.
fn attempt(
    batch: &mut Batch,
    verdict: Verdict,
    took: Duration,
    policy: &DeliveryPolicy,
) -> Settled {
    let now = batch.due_at.unwrap();
    let lease_until = now.plus(LEASE);
    step(batch, Input::Claim { lease_until }, now, policy, 0).unwrap();
    let input = settle(batch, verdict);
    step(batch, input, now.plus(took), policy, 0).unwrap()
}

#[test]
fn a_dead_endpoint_gets_37_attempts_at_exactly_the_scheduled_times() {
    let policy = exact();
    let mut batch = batch(3, DeliveryMode::AtLeastOnce);
    let mut times = Vec::new();
    loop {
        times.push(batch.due_at.unwrap().as_millis());
        let dead = Verdict::Failed(FailureKind::Connect);
        if attempt(&mut batch, dead, Duration::ZERO, &policy) != Settled::Plain {
            break;
        }
    }
    let mut expected = vec![0i64];
    for k in 0..36u32 {
        let wait = (60_000 * 2i64.pow(k.min(20))).min(43_200_000);
        expected.push(expected.last().unwrap() + wait);
    }
    assert_eq!(times, expected);
    assert_eq!(times.len(), 37);
    assert_eq!(batch.status, BatchStatus::Exhausted);
    assert_eq!(batch.end_reason, Some(EndReason::WindowPassed));
    assert_eq!(batch.attempts, 37);
}

#[test]
fn the_wait_runs_from_the_end_of_the_failed_attempt() {
    let policy = exact();
    let mut batch = batch(1, DeliveryMode::AtLeastOnce);
    attempt(
        &mut batch,
        Verdict::Refused,
        Duration::from_secs(10),
        &policy,
    );
    assert_eq!(batch.due_at, Some(Timestamp::from_millis(70_000)));
}

#[test]
fn resend_brings_a_new_budget() {
    let policy = exact();
    let mut batch = batch(1, DeliveryMode::AtLeastOnce);
    while attempt(&mut batch, Verdict::Refused, Duration::ZERO, &policy) == Settled::Plain {}
    let late = batch.ended_at.unwrap().plus(LEASE);
    step(&mut batch, Input::Resend { active: true }, late, &policy, 0).unwrap();
    let mut more = 0;
    loop {
        more += 1;
        if attempt(&mut batch, Verdict::Refused, Duration::ZERO, &policy) != Settled::Plain {
            break;
        }
    }
    assert_eq!((more, batch.attempts), (37, 74));
}

#[test]
fn a_stale_result_is_refused() {
    let policy = exact();
    let mut batch = batch(1, DeliveryMode::AtLeastOnce);
    let now = Timestamp::from_millis(0);
    let claim = Input::Claim {
        lease_until: now.plus(LEASE),
    };
    step(&mut batch, claim, now, &policy, 0).unwrap();
    let stale = settle(&batch, Verdict::Delivered);
    let late = now.plus(LEASE);
    step(
        &mut batch,
        Input::LeaseExpired { active: true },
        late,
        &policy,
        0,
    )
    .unwrap();
    step(
        &mut batch,
        Input::Claim {
            lease_until: late.plus(LEASE),
        },
        late,
        &policy,
        0,
    )
    .unwrap();
    let before = batch.clone();
    assert_eq!(
        step(&mut batch, stale, late, &policy, 0),
        Err(Refused::LeaseLost)
    );
    assert_eq!(batch, before);
}

#[test]
fn at_most_once_is_not_sent_again_once_it_may_have_arrived() {
    let policy = exact();
    for (verdict, expected) in [
        (
            Verdict::Failed(FailureKind::Timeout),
            Some(EndReason::ResultUnknown),
        ),
        (
            Verdict::Failed(FailureKind::Reset),
            Some(EndReason::ResultUnknown),
        ),
        (
            Verdict::Failed(FailureKind::Panic),
            Some(EndReason::ResultUnknown),
        ),
        (Verdict::Refused, Some(EndReason::AttemptsSpent)),
        (Verdict::Failed(FailureKind::Dns), None),
        (Verdict::Failed(FailureKind::Connect), None),
        (Verdict::Failed(FailureKind::Signing), None),
    ] {
        let mut batch = batch(2, DeliveryMode::AtMostOnce);
        attempt(&mut batch, verdict, Duration::ZERO, &policy);
        assert_eq!(batch.end_reason, expected, "{verdict:?}");
    }
    let mut lost = batch(1, DeliveryMode::AtMostOnce);
    let now = Timestamp::from_millis(0);
    step(
        &mut lost,
        Input::Claim { lease_until: now },
        now,
        &policy,
        0,
    )
    .unwrap();
    step(
        &mut lost,
        Input::LeaseExpired { active: true },
        now,
        &policy,
        0,
    )
    .unwrap();
    assert_eq!(lost.end_reason, Some(EndReason::ResultUnknown));
}

#[test]
fn our_own_faults_spend_no_budget() {
    let policy = exact();
    let mut batch = batch(1, DeliveryMode::AtLeastOnce);
    for _ in 0..100 {
        attempt(
            &mut batch,
            Verdict::Failed(FailureKind::Proxy),
            Duration::ZERO,
            &policy,
        );
    }
    assert_eq!((batch.failures, batch.status), (0, BatchStatus::Waiting));
    while batch.status == BatchStatus::Waiting {
        attempt(
            &mut batch,
            Verdict::Failed(FailureKind::Proxy),
            Duration::ZERO,
            &policy,
        );
    }
    assert_eq!(batch.end_reason, Some(EndReason::WindowPassed));
}

#[test]
fn a_poison_batch_is_split_only_while_others_succeed_or_on_413() {
    let policy = exact();
    let mut fat = batch(2, DeliveryMode::AtLeastOnce);
    assert_eq!(
        attempt(&mut fat, Verdict::TooLarge, Duration::ZERO, &policy),
        Settled::Split
    );
    let mut single = batch(1, DeliveryMode::AtLeastOnce);
    assert_eq!(
        attempt(&mut single, Verdict::TooLarge, Duration::ZERO, &policy),
        Settled::Plain
    );
    for (others_succeed, expected) in [(false, Settled::Plain), (true, Settled::Split)] {
        let mut poison = batch(2, DeliveryMode::AtLeastOnce);
        attempt(&mut poison, Verdict::Refused, Duration::ZERO, &policy);
        attempt(&mut poison, Verdict::Refused, Duration::ZERO, &policy);
        let now = poison.due_at.unwrap();
        step(
            &mut poison,
            Input::Claim {
                lease_until: now.plus(LEASE),
            },
            now,
            &policy,
            0,
        )
        .unwrap();
        let input = Input::Settle {
            fence: poison.fence,
            outcome: outcome(Verdict::Refused),
            active: true,
            others_succeed,
        };
        assert_eq!(step(&mut poison, input, now, &policy, 0), Ok(expected));
    }
}

/// Every input worth telling apart, for a batch as it stands.
fn inputs(batch: &Batch) -> Vec<Input> {
    let mut inputs = vec![Input::Park, Input::Unpark, Input::Cancel];
    inputs.push(Input::Claim {
        lease_until: Timestamp::from_millis(i64::MAX / 2),
    });
    for active in [true, false] {
        inputs.push(Input::LeaseExpired { active });
        inputs.push(Input::Release {
            fence: batch.fence,
            active,
        });
        inputs.push(Input::Resend { active });
        for verdict in [
            Verdict::Delivered,
            Verdict::Refused,
            Verdict::TooLarge,
            Verdict::Aborted,
            Verdict::Failed(FailureKind::Timeout),
            Verdict::Failed(FailureKind::Panic),
        ] {
            for fence in [batch.fence, batch.fence.wrapping_sub(1)] {
                inputs.push(Input::Settle {
                    fence,
                    outcome: outcome(verdict),
                    active,
                    others_succeed: active,
                });
            }
        }
    }
    inputs
}

#[test]
fn the_diagram_is_the_code() {
    let doc = include_str!("mod.rs");
    let drawn: BTreeSet<(String, String, String)> = doc
        .lines()
        .skip_while(|line| !line.contains("-------------"))
        .skip(1)
        .take_while(|line| !line.contains("```"))
        .map(|line| {
            let mut words = line
                .trim_start_matches("//!")
                .split_whitespace()
                .map(str::to_owned);
            (
                words.next().unwrap(),
                words.next().unwrap(),
                words.next().unwrap(),
            )
        })
        .collect();
    let mut real = BTreeSet::new();
    for status in BatchStatus::ALL {
        for mode in [DeliveryMode::AtLeastOnce, DeliveryMode::AtMostOnce] {
            for policy in [exact(), Profile::fingerprint().delivery] {
                for failures in [0, 1, 40] {
                    let mut from = batch(2, mode);
                    from.status = status;
                    from.failures = failures;
                    from.end_reason =
                        (status == BatchStatus::Cancelled).then_some(EndReason::ByHost);
                    from.fence = 5;
                    for input in inputs(&from) {
                        let mut to = from.clone();
                        let now = Timestamp::from_millis(1_000);
                        if step(&mut to, input, now, &policy, 0).is_ok() {
                            real.insert((
                                status.as_str().to_owned(),
                                input.name().to_owned(),
                                to.status.as_str().to_owned(),
                            ));
                        } else {
                            assert_eq!(to, from, "a refused input changes nothing");
                        }
                    }
                }
            }
        }
    }
    assert_eq!(drawn, real);
}

proptest! {
    /// Any sequence of inputs, at any times, keeps a batch well formed; and with jitter no attempt
    /// is early.
    #[test]
    fn any_history_is_well_formed(
        events in 1i64..5,
        at_most_once: bool,
        choices in proptest::collection::vec((any::<prop::sample::Index>(), -1_000i64..100_000_000, any::<u64>()), 0..80),
    ) {
        let policy = Profile::prelude().delivery;
        let mode = if at_most_once { DeliveryMode::AtMostOnce } else { DeliveryMode::AtLeastOnce };
        let mut batch = batch(events, mode);
        let mut now_ms = 0i64;
        for (index, gap, random) in choices {
            now_ms += gap;
            let now = Timestamp::from_millis(now_ms);
            let options = inputs(&batch);
            let input = *index.get(&options);
            let before = batch.clone();
            let result = step(&mut batch, input, now, &policy, random);
            prop_assert!(batch.fence >= before.fence);
            let given_back = u32::from(matches!(input, Input::Release { .. }));
            prop_assert!(batch.attempts + given_back >= before.attempts);
            prop_assert_eq!(batch.status.is_final(), batch.ended_at.is_some());
            let timed = matches!(batch.status, BatchStatus::Waiting | BatchStatus::Leased);
            prop_assert_eq!(timed, batch.due_at.is_some());
            prop_assert!(batch.status.is_final() || batch.end_reason.is_none());
            if let (Ok(_), Input::Claim { .. }) = (result, input) {
                prop_assert!(before.due_at.unwrap() <= now && batch.fence == before.fence + 1);
            }
            if let (Ok(_), Input::Settle { .. }, BatchStatus::Leased, BatchStatus::Waiting) =
                (result, input, before.status, batch.status)
            {
                prop_assert!(batch.due_at.unwrap() >= now.plus(Duration::from_secs(60)));
            }
        }
    }
}

/// Found by the simulator: the result of an earlier lease was recorded a second time.
#[test]
fn only_what_is_out_as_it_is_cancelled_may_still_report() {
    let now = Timestamp::from_millis(0);
    let claim = Input::Claim {
        lease_until: now.plus(LEASE),
    };
    let policy = exact();
    let mut out = batch(1, DeliveryMode::AtLeastOnce);
    step(&mut out, claim, now, &policy, 0).unwrap();
    let mut waits = out.clone();
    let report = settle(&out, Verdict::Delivered);
    step(&mut out, Input::Cancel, now, &policy, 0).unwrap();
    assert_eq!(step(&mut out, report, now, &policy, 0), Ok(Settled::Plain));
    assert_eq!(
        step(&mut out, report, now, &policy, 0),
        Err(Refused::LeaseLost)
    );
    let later = now.plus(LEASE);
    let expired = Input::LeaseExpired { active: true };
    step(&mut waits, expired, later, &policy, 0).unwrap();
    step(&mut waits, Input::Cancel, later, &policy, 0).unwrap();
    let refused = step(&mut waits, report, later, &policy, 0);
    assert_eq!(refused, Err(Refused::LeaseLost));
}

/// Found by the simulator: the window began when a clock that was ahead said, and lasted until 14 days
/// after that.
#[test]
fn a_clock_that_was_ahead_does_not_lengthen_the_window() {
    let (now, policy) = (Timestamp::from_millis(0), exact());
    let ahead = now.plus(Duration::from_secs(30 * 86_400));
    let mut batch = batch(1, DeliveryMode::AtLeastOnce);
    for claimed_at in [ahead, now] {
        batch.due_at = Some(claimed_at);
        attempt(&mut batch, Verdict::Refused, Duration::ZERO, &policy);
        assert_eq!(batch.window_start, Some(claimed_at));
    }
}
