//! When requests go: the schedule, sick webhooks, slow start, rate limits, leases.
//!
//! Goal: never too early, never too many, and a dead webhook is given up in public. Method: virtual
//! time over a scripted transport that notes when each request came.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use hookbox::clock::Clock;
use hookbox::model::{
    BatchStatus, DeactivationReason, EventType, FailureKind, NewEvent, Notice, Overrides, Profile,
    RateLimit, Timestamp,
};
use hookbox::transport::{Response, TransportError};
use hookbox::{Hookbox, NewApp};

use super::support::*;

const HOUR: Duration = Duration::from_secs(3600);

/// Notes when each request comes, and answers it alike.
fn timed(
    bench: &Bench,
    answer: impl Fn() -> Result<Response, TransportError> + Send + Sync + 'static,
) -> Arc<Mutex<Vec<Timestamp>>> {
    let times = Arc::<Mutex<Vec<Timestamp>>>::default();
    let (clock, noted) = (bench.clock.clone(), times.clone());
    bench.net.script(move |_| {
        noted.lock().unwrap().push(clock.now());
        answer()
    });
    times
}

/// An app whose batches hold one event each.
fn single_events(bench: &Bench, app: &str) {
    let mut profile = Profile::prelude();
    profile.delivery.batch_events_max = 1;
    let new = NewApp {
        profile,
        ..NewApp::new(app.parse().unwrap())
    };
    bench.hooks.create_app_with(new).unwrap();
}

fn emit(hooks: &Hookbox, app: &str, count: usize) {
    let event = NewEvent::new(EventType::parse(TYPE).unwrap(), "1");
    hooks.emit_many(app, vec![event; count]).unwrap();
}

#[test]
fn a_retry_is_never_early_and_at_most_a_tenth_late() {
    let bench = Bench::new();
    bench.webhook("a");
    let times = timed(&bench, || failure(FailureKind::Timeout));
    bench.emit("1");
    bench.run_for(15 * 24 * HOUR);
    let times = times.lock().unwrap();
    assert!((33..=37).contains(&times.len()));
    let mut jittered = 0;
    for (k, pair) in times.windows(2).enumerate() {
        let plain = Duration::from_secs((60 << k.min(20)).min(43_200));
        let wait = pair[1].since(pair[0]);
        let last = pair[1].since(times[0]) == 14 * 24 * HOUR;
        assert!(
            wait >= plain && (wait <= plain * 11 / 10 || last),
            "{k}: {wait:?}"
        );
        jittered += usize::from(wait > plain);
    }
    assert!(jittered > 20);
    assert!(times.last().unwrap().since(times[0]) <= 14 * 24 * HOUR);
}

#[test]
fn a_sick_webhook_gets_one_probe_at_a_time_and_a_slow_start_after() {
    let bench = Bench::new();
    single_events(&bench, "single");
    bench.webhook_with(
        "single",
        "a",
        Overrides {
            concurrency: Some(8),
            ..Overrides::default()
        },
    );
    // An activation begins slowly, too.
    emit(&bench.hooks, "single", 5);
    bench.poll();
    emit(&bench.hooks, "single", 100);
    let first = bench.hooks.claim(100).unwrap();
    assert_eq!(first.len(), 8);
    for delivery in &first {
        bench.hooks.settle(delivery, status(500)).unwrap();
    }
    assert!(
        bench.hooks.claim(100).unwrap().is_empty(),
        "no retry is due, and nothing else goes"
    );
    bench.clock.advance(HOUR);
    let probe = bench.hooks.claim(100).unwrap();
    assert_eq!(probe.len(), 1);
    assert!(bench.hooks.claim(100).unwrap().is_empty());
    bench.hooks.settle(&probe[0], status(200)).unwrap();
    assert!(matches!(
        bench.notices()[..],
        [Notice::WebhookRecovered { failures: 8, .. }]
    ));
    // Two fresh and two retries, then four and four, then eight and what is left of the retries.
    let second = bench.hooks.claim(100).unwrap();
    assert_eq!(second.len(), 4);
    bench.hooks.settle(&second[0], status(200)).unwrap();
    assert_eq!(3 + bench.hooks.claim(100).unwrap().len(), 8);
    bench.hooks.settle(&second[1], status(200)).unwrap();
    assert!(bench.hooks.claim(100).unwrap().len() > 4);
}

/// A second request goes out only when waiting would not make it larger.
#[test]
fn full_batches_go_side_by_side_and_a_part_of_one_waits() {
    let bench = Bench::new();
    bench.webhook("a");
    // The slow start after the activation is over.
    for _ in 0..3 {
        bench.emit("1");
        bench.poll();
    }
    emit(&bench.hooks, APP, 250);
    let sizes = |claimed: &[hookbox::Delivery]| -> Vec<usize> {
        let events = |one: &hookbox::Delivery| events_in(&one.request).len();
        claimed.iter().map(events).collect()
    };
    let first = bench.hooks.claim(100).unwrap();
    assert_eq!(sizes(&first), [100, 100]);
    assert!(bench.hooks.claim(100).unwrap().is_empty(), "fifty wait");
    emit(&bench.hooks, APP, 49);
    bench.hooks.settle(&first[0], status(200)).unwrap();
    assert!(bench.hooks.claim(100).unwrap().is_empty(), "99 wait");
    emit(&bench.hooks, APP, 1);
    bench.hooks.settle(&first[1], status(200)).unwrap();
    assert_eq!(sizes(&bench.hooks.claim(100).unwrap()), [100]);
}

#[test]
fn after_fourteen_days_of_failure_a_webhook_is_deactivated_with_three_warnings() {
    let bench = Bench::new();
    let webhook = bench.webhook("dead");
    bench.net.script(|_| failure(FailureKind::Connect));
    for _ in 0..16 {
        bench.emit("1");
        bench.run_for(24 * HOUR);
    }
    let heard: Vec<String> = bench
        .notices()
        .iter()
        .filter_map(|notice| match notice {
            Notice::WebhookFailing { percent, .. } => Some(percent.to_string()),
            Notice::WebhookDeactivated { reason, .. } => Some(format!("{reason:?}")),
            _ => None,
        })
        .collect();
    assert_eq!(
        heard,
        [
            "50",
            "70",
            "90",
            &format!("{:?}", DeactivationReason::Failing)
        ]
    );
    assert!(!bench.hooks.webhook(APP, &webhook).unwrap().is_active());
    assert!(
        bench
            .batches()
            .iter()
            .all(|batch| { matches!(batch.status, BatchStatus::Parked | BatchStatus::Exhausted) })
    );
    // By chance of the jitter, the last attempt of a batch may exhaust it; then what is kept is all
    // in the log.
    let kept = bench.hooks.backlog(APP, &webhook).unwrap();
    assert!(kept.batches.parked + kept.events_owed > 0);
}

#[test]
fn a_rate_limit_holds_in_every_second() {
    let bench = Bench::new();
    single_events(&bench, "single");
    let rate_limit = Some(RateLimit { per_second: 2 });
    let overrides = Overrides {
        rate_limit,
        concurrency: Some(8),
        ..Overrides::default()
    };
    bench.webhook_with("single", "a", overrides);
    let times = timed(&bench, || status(200));
    emit(&bench.hooks, "single", 20);
    bench.run_for(HOUR);
    let times = times.lock().unwrap();
    assert_eq!(times.len(), 20);
    for (index, start) in times.iter().enumerate() {
        let within = times[index..]
            .iter()
            .filter(|at| at.since(*start) < Duration::from_secs(1));
        assert!(
            within.count() <= 4,
            "a burst of one second's worth, and the rate"
        );
    }
    let took = times[19].since(times[0]);
    assert!(
        (Duration::from_secs(9)..Duration::from_secs(11)).contains(&took),
        "{took:?}"
    );
}

/// I14: tokens spent by a clock that was ahead are not missing for as long as it was ahead.
#[test]
fn a_rate_limit_survives_a_clock_that_was_ahead() {
    let bench = Bench::new();
    let rate_limit = Some(RateLimit { per_second: 1 });
    bench.webhook_with(
        APP,
        "a",
        Overrides {
            rate_limit,
            ..Overrides::default()
        },
    );
    bench.clock.advance(1000 * HOUR);
    bench.emit("1");
    assert_eq!(bench.poll().attempts, 1);
    bench.clock.set(START);
    bench.emit("2");
    bench.run_for(HOUR);
    assert_eq!(bench.net.deliveries().len(), 2);
}

/// I9: no attempt is begun that its lease might not outlive, however slow the ones before it were.
#[test]
fn a_poll_over_slow_endpoints_keeps_its_leases() {
    let bench = Bench::new();
    for n in 0..8 {
        bench.webhook(&n.to_string());
    }
    let (clock, path) = (bench.clock.clone(), bench.path());
    let shortest = Arc::new(Mutex::new(Duration::MAX));
    let noted = shortest.clone();
    bench.net.script(move |request| {
        let id = &request
            .headers
            .iter()
            .find(|(name, _)| name == "webhook-id")
            .unwrap()
            .1;
        let db = rusqlite::Connection::open(&path).unwrap();
        let sql = "SELECT due_at FROM hookbox_batch WHERE id = ?1";
        let lease_end: i64 = db.query_row(sql, (id,), |row| row.get(0)).unwrap();
        let left = Timestamp::from_millis(lease_end).since(clock.now());
        let mut shortest = noted.lock().unwrap();
        *shortest = left.min(*shortest);
        clock.advance(Duration::from_secs(10));
        failure(FailureKind::Timeout)
    });
    bench.emit("1");
    let polled = bench.poll();
    assert!(polled.attempts >= 8);
    assert!(
        *shortest.lock().unwrap() > Duration::from_secs(10),
        "{shortest:?}"
    );
    let attempts = bench
        .hooks
        .attempts(APP, Default::default(), Default::default())
        .unwrap();
    assert_eq!(
        attempts.items.len(),
        polled.attempts,
        "each request is one recorded attempt"
    );
}

/// One token left, and a retry that is not due: the token is for what is fresh.
#[test]
fn a_retry_that_is_not_due_takes_no_token_from_fresh_batches() {
    let bench = Bench::new();
    let webhook = bench.webhook("a");
    let overrides = Overrides {
        rate_limit: Some(RateLimit { per_second: 1 }),
        ..Overrides::default()
    };
    let update = hookbox::model::WebhookUpdate {
        overrides: Some(overrides),
        ..Default::default()
    };
    bench.hooks.update_webhook(APP, &webhook, update).unwrap();
    bench.net.script(|_| status(500));
    bench.emit("1");
    assert_eq!(bench.poll().attempts, 1);
    bench.net.script(|_| status(200));
    for number in 2..6 {
        bench.clock.advance(Duration::from_secs(2));
        bench.emit(number.to_string());
        assert_eq!(bench.poll().attempts, 1, "event {number} goes at once");
    }
}

/// A fault on our side waits a minute, however short the webhook's own waits are.
#[test]
fn our_own_fault_is_not_retried_in_a_hot_loop() {
    let bench = Bench::new();
    let mut profile = Profile::prelude();
    profile.delivery.retry = hookbox::model::RetrySchedule::Waits(vec![Duration::from_secs(1); 3]);
    profile.delivery.retry_after_max = Duration::ZERO;
    let new = NewApp {
        profile,
        ..NewApp::new("short".parse().unwrap())
    };
    bench.hooks.create_app_with(new).unwrap();
    let events = hookbox::model::Events::only([EventType::parse(TYPE).unwrap()]);
    let new = hookbox::model::NewWebhook::new("https://example.com/short").events(events);
    let webhook = bench.hooks.create_webhook("short", new).unwrap();
    bench.hooks.activate("short", &webhook.id).unwrap();
    bench.net.script(|_| failure(FailureKind::Proxy));
    bench.hooks.emit("short", TYPE, "1").unwrap();
    let polled = bench.poll();
    assert_eq!(polled.attempts, 1);
    assert_eq!(polled.next_due, Some(START.plus(Duration::from_secs(60))));
}
