//! How batches go: carving, retries, order, and what the receiver may say.
//!
//! Goal: each rule of the design's flow holds for the whole box. Method: a scripted transport and a
//! hand-set clock; what was sent, and what the box then says of its batches.

use std::time::Duration;

use hookbox::model::{
    BatchStatus, DeactivationReason, DeliveryMode, EndReason, EventType, FailureKind, NewEvent,
    Notice, Ordering, Overrides,
};
use hookbox::storage::{AttemptFilter, PageRequest};

use super::support::*;

const MINUTE: Duration = Duration::from_secs(60);

fn event(payload: impl Into<String>) -> NewEvent {
    NewEvent::new(EventType::parse(TYPE).unwrap(), payload)
}

fn emit_numbers(bench: &Bench, numbers: std::ops::Range<i64>) {
    let events = numbers.map(|n| event(n.to_string())).collect();
    bench.hooks.emit_many(APP, events).unwrap();
}

/// The numbers of each delivery so far.
fn sent(bench: &Bench) -> Vec<Vec<i64>> {
    bench.net.deliveries().iter().map(numbers_in).collect()
}

fn statuses(bench: &Bench) -> Vec<BatchStatus> {
    bench.batches().iter().map(|batch| batch.status).collect()
}

#[test]
fn one_fresh_batch_is_in_flight_and_the_next_is_fuller() {
    let bench = Bench::new();
    bench.webhook("a");
    emit_numbers(&bench, 0..1);
    let first = bench.hooks.claim(10).unwrap();
    assert_eq!(first.len(), 1);
    emit_numbers(&bench, 1..4);
    assert!(bench.hooks.claim(10).unwrap().is_empty());
    bench.hooks.settle(&first[0], status(200)).unwrap();
    let second = bench.hooks.claim(10).unwrap();
    assert_eq!(second.len(), 1);
    assert_eq!(numbers_in(&second[0].request), [1, 2, 3]);
}

#[test]
fn a_batch_has_at_most_100_events_and_256_kib_but_a_larger_event_goes_alone() {
    let bench = Bench::with(|options| options.payload_bytes_max(1024 * 1024));
    bench.webhook("a");
    emit_numbers(&bench, 0..250);
    bench.poll();
    assert_eq!(
        sent(&bench).iter().map(Vec::len).collect::<Vec<_>>(),
        [100, 100, 50]
    );
    assert_eq!(sent(&bench).concat(), (0..250).collect::<Vec<_>>());
    for kib in [100, 100, 100, 300, 1] {
        bench.emit(format!("\"{}\"", "x".repeat(kib * 1024)));
    }
    bench.poll();
    let counts: Vec<usize> = bench.net.deliveries()[3..]
        .iter()
        .map(|request| events_in(request).len())
        .collect();
    assert_eq!(counts, [2, 1, 1, 1]);
}

#[test]
fn a_failed_batch_holds_back_the_ones_after_it_only_first_in_first_out() {
    for (ordering, expected) in [
        (Ordering::None, vec![vec![0], vec![1], vec![0]]),
        (Ordering::Fifo, vec![vec![0], vec![0], vec![1]]),
    ] {
        let bench = Bench::new();
        bench.webhook_with(
            APP,
            "a",
            Overrides {
                ordering,
                ..Overrides::default()
            },
        );
        bench.net.script(|_| status(500));
        emit_numbers(&bench, 0..1);
        bench.poll();
        bench.net.script(|_| status(200));
        emit_numbers(&bench, 1..2);
        bench.poll();
        bench.run_for(2 * MINUTE);
        assert_eq!(sent(&bench), expected, "{ordering:?}");
    }
}

#[test]
fn retry_after_pauses_the_whole_webhook() {
    let bench = Bench::new();
    bench.webhook("a");
    bench.net.script(|_| status_with(503, "retry-after", "600"));
    emit_numbers(&bench, 0..1);
    bench.poll();
    bench.net.script(|_| status(200));
    emit_numbers(&bench, 1..2);
    let until = START.plus(Duration::from_secs(600));
    assert_eq!(bench.poll().next_due, Some(until));
    bench.clock.set(until.minus(Duration::from_millis(1)));
    assert_eq!(bench.poll().attempts, 0);
    bench.clock.set(until);
    assert_eq!(bench.poll().attempts, 2);
}

/// I14: a clock that was ahead must not silence a webhook for longer than a pause may last.
#[test]
fn a_pause_that_a_wrong_clock_wrote_is_not_kept() {
    let bench = Bench::new();
    bench.webhook("a");
    bench.clock.advance(Duration::from_secs(365 * 86_400));
    bench.net.script(|_| status_with(503, "retry-after", "600"));
    emit_numbers(&bench, 0..1);
    bench.poll();
    bench.net.script(|_| status(200));
    bench.clock.set(START);
    bench.run_for(13 * 60 * MINUTE);
    assert_eq!(statuses(&bench), [BatchStatus::Delivered]);
}

#[test]
fn gone_deactivates_and_parks_and_reactivation_resumes_what_was_owed() {
    let bench = Bench::new();
    let webhook = bench.webhook("a");
    bench.net.script(|_| status(410));
    emit_numbers(&bench, 0..1);
    bench.poll();
    assert!(!bench.hooks.webhook(APP, &webhook).unwrap().is_active());
    assert_eq!(statuses(&bench), [BatchStatus::Parked]);
    assert!(bench.notices().iter().any(|notice| matches!(
        notice,
        Notice::WebhookDeactivated {
            reason: DeactivationReason::Gone,
            ..
        }
    )));
    bench.net.script(|_| status(200));
    emit_numbers(&bench, 1..2);
    bench.run_for(60 * MINUTE);
    bench.hooks.activate(APP, &webhook).unwrap();
    emit_numbers(&bench, 2..3);
    bench.poll();
    assert_eq!(sent(&bench), [[0], [0], [2]]);
}

#[test]
fn what_was_owed_but_in_no_batch_survives_a_deactivation() {
    let bench = Bench::new();
    let webhook = bench.webhook("a");
    emit_numbers(&bench, 0..3);
    bench.hooks.deactivate(APP, &webhook).unwrap();
    emit_numbers(&bench, 3..6);
    assert_eq!(bench.poll().attempts, 0);
    assert_eq!(bench.hooks.backlog(APP, &webhook).unwrap().events_owed, 3);
    bench.hooks.activate(APP, &webhook).unwrap();
    bench.poll();
    assert_eq!(sent(&bench), [[0, 1, 2]]);
    bench.hooks.replay(APP, &webhook, START).unwrap();
    bench.poll();
    assert_eq!(sent(&bench)[1..], [[0, 1, 2, 3, 4, 5]]);
}

#[test]
fn the_receiver_may_stop_the_webhook_or_the_batch() {
    let bench = Bench::new();
    let webhook = bench.webhook("a");
    bench
        .net
        .script(|_| status_with(500, "webhook-delivery", "abort-message"));
    emit_numbers(&bench, 0..1);
    bench.poll();
    let batch = &bench.batches()[0];
    assert_eq!(
        (batch.status, batch.end_reason),
        (BatchStatus::Cancelled, Some(EndReason::ByReceiver))
    );
    bench
        .net
        .script(|_| status_with(200, "webhook-delivery", "disable"));
    emit_numbers(&bench, 1..2);
    bench.poll();
    assert_eq!(statuses(&bench)[1], BatchStatus::Delivered);
    assert!(!bench.hooks.webhook(APP, &webhook).unwrap().enabled);
}

#[test]
fn a_batch_refused_as_too_large_is_split_down_to_the_poison_event() {
    let bench = Bench::new();
    bench.webhook("a");
    bench.net.script(|request| {
        status(if numbers_in(request).contains(&5) {
            413
        } else {
            200
        })
    });
    emit_numbers(&bench, 0..8);
    bench.run_for(MINUTE / 2);
    let batches = bench.batches();
    let of = |status| {
        let with = batches.iter().filter(|batch| batch.status == status);
        with.flat_map(|batch| batch.positions.iter())
            .collect::<std::collections::BTreeSet<_>>()
    };
    assert_eq!(
        of(BatchStatus::Delivered).into_iter().collect::<Vec<_>>(),
        [1, 2, 3, 4, 5, 7, 8]
    );
    assert_eq!(
        of(BatchStatus::Waiting).into_iter().collect::<Vec<_>>(),
        [6]
    );
    for child in &batches[1..] {
        let parent = batches
            .iter()
            .find(|batch| Some(batch.id) == child.parent)
            .unwrap();
        assert_eq!(parent.end_reason, Some(EndReason::Split));
        assert!(
            child
                .positions
                .iter()
                .all(|position| parent.positions.contains(position))
        );
    }
    assert_eq!(
        bench.hooks.resend(APP, &batches[0].id).unwrap_err().code(),
        "batch_conflict"
    );
}

#[test]
fn a_batch_that_fails_three_times_while_others_succeed_is_split() {
    let bench = Bench::new();
    bench.webhook("a");
    bench.net.script(|request| {
        status(if numbers_in(request).contains(&2) {
            500
        } else {
            200
        })
    });
    emit_numbers(&bench, 0..4);
    bench.run_for(MINUTE / 2);
    emit_numbers(&bench, 10..11);
    bench.run_for(5 * MINUTE);
    let batches = bench.batches();
    assert_eq!(
        (batches[0].end_reason, batches[0].attempts),
        (Some(EndReason::Split), 3)
    );
    assert!(
        bench
            .notices()
            .iter()
            .any(|n| matches!(n, Notice::BatchSplit { .. }))
    );
    let got = sent(&bench);
    assert!(
        got.contains(&vec![0, 1]) && got.contains(&vec![2, 3]),
        "{got:?}"
    );
    bench.run_for(60 * MINUTE);
    assert!(sent(&bench).contains(&vec![3]));
}

#[test]
fn at_most_once_is_not_sent_again_once_it_may_have_arrived() {
    let bench = Bench::new();
    bench.webhook("a");
    let mut once = event("0");
    once.mode = DeliveryMode::AtMostOnce;
    bench.net.script(|_| failure(FailureKind::Connect));
    bench.hooks.emit_event(APP, once).unwrap();
    bench.poll();
    assert_eq!(statuses(&bench), [BatchStatus::Waiting]);
    bench.net.script(|_| failure(FailureKind::Timeout));
    bench.run_for(2 * MINUTE);
    let batch = &bench.batches()[0];
    assert_eq!(
        (batch.status, batch.end_reason),
        (BatchStatus::Exhausted, Some(EndReason::ResultUnknown))
    );
    assert_eq!(sent(&bench).len(), 2);
}

/// The same when its sender died: it is told like any other batch that is given up.
#[test]
fn at_most_once_whose_sender_died_is_given_up_and_told() {
    let bench = Bench::new();
    bench.webhook("a");
    let mut once = event("0");
    once.mode = DeliveryMode::AtMostOnce;
    bench.hooks.emit_event(APP, once).unwrap();
    assert_eq!(bench.hooks.claim(1).unwrap().len(), 1);
    bench.run_for(2 * MINUTE);
    assert_eq!(statuses(&bench), [BatchStatus::Exhausted]);
    let told = bench.notices();
    assert!(
        matches!(
            told[..],
            [Notice::BatchExhausted {
                reason: EndReason::ResultUnknown,
                ..
            }]
        ),
        "{told:?}"
    );
}

/// I8: the holder of an old lease changes nothing.
#[test]
fn a_lost_lease_is_taken_over_and_the_late_result_is_refused() {
    let bench = Bench::new();
    bench.webhook("a");
    emit_numbers(&bench, 0..1);
    let late = bench.hooks.claim(1).unwrap().remove(0);
    let lease_end = late.lease_until();
    bench.clock.set(lease_end.minus(Duration::from_millis(1)));
    assert!(bench.hooks.claim(1).unwrap().is_empty());
    bench.clock.set(lease_end);
    let next = bench.hooks.claim(1).unwrap().remove(0);
    assert_eq!(next.batch_id(), late.batch_id());
    assert_eq!(next.request.body, late.request.body);
    assert_eq!(
        bench.hooks.settle(&late, status(200)).unwrap_err().code(),
        "lease_lost"
    );
    assert_eq!(statuses(&bench), [BatchStatus::Leased]);
    bench.hooks.settle(&next, status(200)).unwrap();
    assert_eq!(
        bench.hooks.settle(&next, status(500)).unwrap_err().code(),
        "lease_lost"
    );
    assert_eq!(statuses(&bench), [BatchStatus::Delivered]);
    let attempts = bench
        .hooks
        .attempts(APP, AttemptFilter::default(), PageRequest::default())
        .unwrap();
    let results: Vec<String> = attempts
        .items
        .iter()
        .rev()
        .map(|one| format!("{} {:?}", one.number, one.result))
        .collect();
    assert_eq!(results, ["1 Failure(Lost)", "2 Status(200)"]);
}
