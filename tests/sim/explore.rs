//! The delivery machine, exhaustively.
//!
//! Goal: its invariants hold in every state, not in those that a random run happens to meet. Method:
//! from a batch that was just made, every input of a small alphabet at every time of a few, to a
//! depth; a state that was reached before (times counted from now) is not explored again.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use hookbox::machine::{Input, Outcome, Refused, Verdict, longest_wait, step, wait_after};
use hookbox::model::{
    Batch, BatchId, BatchStatus, DeliveryMode, DeliveryPolicy, EndReason, FailureKind, Profile,
    RetrySchedule, Timestamp, WebhookId, WebhookIdStyle,
};

use super::time::{DAY, HOUR, MINUTE, START};

/// Inputs one after the other.
const DEPTH: usize = 7;

const LEASE: Duration = Duration::from_secs(30);

/// What differs between two states; times in milliseconds from now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct State {
    status: u8,
    reason: Option<u8>,
    attempts: u32,
    failures: u32,
    fence: u64,
    window_start: Option<i64>,
    due_at: Option<i64>,
    ended_at: Option<i64>,
}

fn state(batch: &Batch, now: Timestamp) -> State {
    let from_now = |at: Option<Timestamp>| at.map(|at| at.as_millis() - now.as_millis());
    State {
        status: batch.status as u8,
        reason: batch.end_reason.map(|reason| reason as u8),
        attempts: batch.attempts,
        failures: batch.failures,
        fence: batch.fence,
        window_start: from_now(batch.window_start),
        due_at: from_now(batch.due_at),
        // When it ended decides nothing.
        ended_at: batch.ended_at.map(|_| 0),
    }
}

/// How much time may pass before an input: none, until it is due, a wait, the window; and back.
fn moments(batch: &Batch, now: Timestamp) -> Vec<Timestamp> {
    let later = |millis: i64| Timestamp::from_millis(now.as_millis() + millis);
    let mut all = vec![now, later(MINUTE), later(14 * DAY), later(-HOUR)];
    all.extend(batch.due_at);
    all.sort();
    all.dedup();
    all
}

fn inputs(batch: &Batch, now: Timestamp) -> Vec<Input> {
    let mut all = vec![
        Input::Claim {
            lease_until: now.plus(LEASE),
        },
        Input::Park,
        Input::Unpark,
        Input::Cancel,
    ];
    let several = batch.positions.len() > 1;
    for active in [true, false] {
        all.push(Input::LeaseExpired { active });
        all.push(Input::Resend { active });
        for fence in [batch.fence, batch.fence.wrapping_sub(1)] {
            all.push(Input::Release { fence, active });
            for verdict in [
                Verdict::Delivered,
                Verdict::Refused,
                Verdict::TooLarge,
                Verdict::Aborted,
                Verdict::Failed(FailureKind::Timeout),
                Verdict::Failed(FailureKind::Connect),
                Verdict::Failed(FailureKind::Unreadable),
                Verdict::Failed(FailureKind::Panic),
            ] {
                for retry_after in [None, Some(Duration::from_secs(1_000_000))] {
                    for others_succeed in [false, true] {
                        let tells = verdict == Verdict::Refused;
                        if (tells || retry_after.is_none()) && (several && tells || !others_succeed)
                        {
                            all.push(Input::Settle {
                                fence,
                                outcome: Outcome {
                                    verdict,
                                    retry_after,
                                    deactivate: None,
                                },
                                active,
                                others_succeed,
                            });
                        }
                    }
                }
            }
        }
    }
    all
}

/// What must hold of every state.
fn is_well_formed(batch: &Batch) -> Result<(), &'static str> {
    let is_open = matches!(batch.status, BatchStatus::Waiting | BatchStatus::Leased);
    let has_reason = matches!(
        batch.status,
        BatchStatus::Exhausted | BatchStatus::Cancelled
    );
    let rules = [
        (
            batch.due_at.is_some() == is_open,
            "due is what waits or is leased",
        ),
        (
            batch.ended_at.is_some() == batch.status.is_final(),
            "ended is what is final",
        ),
        (
            batch.end_reason.is_some() == has_reason,
            "a reason is for what was not delivered",
        ),
        (
            batch.status != BatchStatus::Leased
                || (batch.window_start.is_some() && batch.attempts > 0 && batch.fence > 0),
            "a lease begins an attempt, and with the first the window",
        ),
        (
            u64::from(batch.attempts) <= batch.fence,
            "each attempt had its fence",
        ),
        (
            batch.failures <= batch.attempts,
            "each failure was an attempt",
        ),
    ];
    rules
        .into_iter()
        .try_for_each(|(holds, rule)| if holds { Ok(()) } else { Err(rule) })
}

/// What must hold of every transition.
fn is_allowed(
    before: &Batch,
    after: &Batch,
    input: &Input,
    now: Timestamp,
    policy: &DeliveryPolicy,
) -> Result<(), &'static str> {
    use BatchStatus::{Cancelled, Leased, Waiting};
    let resent = matches!(input, Input::Resend { .. });
    let settles = matches!(input, Input::Settle { .. });
    let claimed = matches!(input, Input::Claim { .. });
    let released = matches!(input, Input::Release { .. });
    let recorded = settles && before.status == Cancelled && after.status == Cancelled;
    let was_split = before.end_reason == Some(EndReason::Split);
    let due = after.due_at.filter(|_| after.status == Waiting);
    let farthest = now.plus(longest_wait(policy));
    let mut rules = vec![
        (
            !before.status.is_final() || resent || recorded,
            "what is final stays so, unless resent",
        ),
        (!(resent && was_split), "what was split is not resent"),
        (after.fence >= before.fence, "fences never fall"),
        (
            !claimed || after.fence > before.fence,
            "a claim raises the fence",
        ),
        (
            !claimed || before.due_at.is_none_or(|at| at <= now),
            "nothing is claimed early",
        ),
        (
            after.attempts == before.attempts
                || (claimed && after.attempts == before.attempts + 1)
                || (released && after.attempts + 1 == before.attempts),
            "attempts are counted",
        ),
        (
            due.is_none_or(|due| due <= farthest || before.due_at == Some(due)),
            "no wait is too long",
        ),
        (
            after.positions == before.positions,
            "a batch keeps its events",
        ),
    ];
    if let Input::Settle { fence, outcome, .. } = input {
        rules.push((*fence == before.fence, "only the latest lease reports"));
        let before_sending =
            matches!(outcome.verdict, Verdict::Failed(kind) if kind.is_before_sending());
        if before.mode == DeliveryMode::AtMostOnce && before.status == Leased {
            let ended = after.status.is_final() || before_sending;
            rules.push((
                ended,
                "what may have arrived is not sent again, if it goes at most once",
            ));
        }
        if after.failures > before.failures
            && let Some(due) = due
        {
            let wait = wait_after(&policy.retry, before.failures).unwrap_or_default();
            let window = match policy.retry {
                RetrySchedule::Doubling { window, .. } => {
                    before.window_start.map(|at| at.plus(window))
                }
                RetrySchedule::Waits(_) => None,
            };
            rules.push((due >= now.plus(wait), "no retry is early"));
            rules.push((
                window.is_none_or(|end| due <= end),
                "no retry is past the window",
            ));
        }
    }
    rules
        .into_iter()
        .try_for_each(|(holds, rule)| if holds { Ok(()) } else { Err(rule) })
}

/// States and transitions, or what does not hold.
fn explore(first: &Batch, policy: &DeliveryPolicy) -> Result<(usize, u64), String> {
    let start = Timestamp::from_millis(START);
    let mut known = BTreeSet::from([state(first, start)]);
    let (mut front, mut transitions) = (vec![(first.clone(), start)], 0);
    for _ in 0..DEPTH {
        let mut next = Vec::new();
        for (batch, now) in front {
            for moment in moments(&batch, now) {
                for input in inputs(&batch, moment) {
                    let mut after = batch.clone();
                    let taken = step(&mut after, input, moment, policy, u64::MAX / 2);
                    transitions += 1;
                    let holds = match taken {
                        Ok(_) => is_well_formed(&after)
                            .and(is_allowed(&batch, &after, &input, moment, policy)),
                        Err(refused) if after == batch => is_refusal(&batch, &input, refused),
                        Err(_) => Err("what is refused changes nothing"),
                    };
                    holds.map_err(|rule| {
                        format!("{rule}: {input:?} at {moment} made {after:?} of {batch:?}")
                    })?;
                    if taken.is_ok() && known.insert(state(&after, moment)) {
                        next.push((after, moment));
                    }
                }
            }
        }
        front = next;
    }
    Ok((known.len(), transitions))
}

/// Whether a refusal gives the right reason.
fn is_refusal(batch: &Batch, input: &Input, refused: Refused) -> Result<(), &'static str> {
    let right = match (input, refused) {
        (Input::Settle { .. } | Input::Release { .. }, refused) => refused == Refused::LeaseLost,
        (_, Refused::Status(status)) => status == batch.status,
        (Input::Claim { .. } | Input::LeaseExpired { .. }, refused) => refused == Refused::NotDue,
        _ => false,
    };
    if right {
        Ok(())
    } else {
        Err("a refusal says why")
    }
}

/// Explores the machine under each policy; prints how much there is.
pub fn run_explored() -> bool {
    let started = Instant::now();
    let prelude = Profile::prelude().delivery;
    let waits = DeliveryPolicy {
        retry: RetrySchedule::Waits(vec![Duration::from_secs(300)]),
        jitter_percent: 0,
        ..prelude.clone()
    };
    let (mut states, mut transitions) = (0, 0);
    for (events, mode, policy) in [
        (1, DeliveryMode::AtLeastOnce, &prelude),
        (2, DeliveryMode::AtLeastOnce, &prelude),
        (1, DeliveryMode::AtMostOnce, &prelude),
        (1, DeliveryMode::AtLeastOnce, &waits),
    ] {
        let now = Timestamp::from_millis(START);
        let first = Batch::new(
            BatchId::new(now, 1),
            "app".parse().unwrap(),
            WebhookId::new(WebhookIdStyle::WebUlid, now, 1),
            (1..=events).collect(),
            mode,
            now,
        );
        match explore(&first, policy) {
            Ok((more, steps)) => (states, transitions) = (states + more, transitions + steps),
            Err(message) => {
                println!("the machine, explored: {message}");
                return false;
            }
        }
    }
    let seconds = started.elapsed().as_secs_f64();
    println!(
        "the machine, explored to depth {DEPTH}: {states} states, {transitions} transitions, in {seconds:.1} s"
    );
    true
}
