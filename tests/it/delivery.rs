//! The whole way, from emit to settled.

use std::time::Duration;

use hookbox::model::{BatchStatus, EventType, Events, FailureKind, NewWebhook};
use hookbox::storage::{AttemptFilter, BatchFilter, PageRequest};
use hookbox::transport::AddressPolicy;
use hookbox::{Options, verify};

use super::support::*;

fn local() -> Options {
    Options::new().addresses(AddressPolicy {
        allow_http: true,
        allow: vec!["127.0.0.0/8".parse().unwrap()],
        ..AddressPolicy::default()
    })
}

#[test]
fn over_real_sockets_a_batch_arrives_signed_and_is_recorded() {
    let receiver = Receiver::start();
    let folder = tempfile::tempdir().unwrap();
    let hooks = local().open(folder.path().join("box.db")).unwrap();
    hooks.create_app(APP).unwrap();
    let events = Events::only([EventType::parse(TYPE).unwrap()]);
    let new = NewWebhook::new(&receiver.url)
        .token("secret token&x=1")
        .events(events);
    let webhook = hooks.create_webhook(APP, new).unwrap();
    assert!(!webhook.is_active());
    assert!(hooks.activate(APP, &webhook.id).unwrap().is_active());
    hooks.start().unwrap();
    let id = hooks
        .emit(APP, TYPE, "{ \"user_id\" : \"usr_1\" }")
        .unwrap();
    let delivery = receiver.wait_for(1).remove(0);
    hooks.stop(Duration::from_secs(5)).unwrap();

    let headers = delivery
        .headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()));
    let request = verify::Request::new(headers, &delivery.body);
    let jwks = hooks.jwks(APP).unwrap();
    let options = verify::Options::default();
    let now = hookbox::clock::Clock::now(&hookbox::clock::SystemClock);
    let events = verify::verify_prelude(&request, &jwks, &options, now).unwrap();
    assert_eq!(events[0].id.as_deref(), Some(id.to_string().as_str()));
    let text = String::from_utf8(delivery.body.clone()).unwrap();
    assert!(
        text.contains("\"payload\":{ \"user_id\" : \"usr_1\" }"),
        "{text}"
    );
    assert_eq!(delivery.header("webhook-attempt"), Some("1"));

    let batches = hooks
        .batches(APP, BatchFilter::default(), PageRequest::default())
        .unwrap();
    assert_eq!(batches.items[0].status, BatchStatus::Delivered);
    assert_eq!(
        delivery.header("webhook-id"),
        Some(batches.items[0].id.to_string().as_str())
    );
    let attempts = hooks
        .attempts(APP, AttemptFilter::default(), PageRequest::default())
        .unwrap();
    assert_eq!(attempts.items.len(), 1);
    assert_eq!(
        hooks
            .webhook(APP, &webhook.id)
            .unwrap()
            .last_http_code
            .unwrap()
            .0,
        200
    );
    assert_eq!(hooks.check().unwrap(), Vec::<String>::new());
}

#[test]
fn a_dead_endpoint_gets_37_attempts_over_14_days_with_the_same_bytes() {
    let bench = Bench::with(|options| options);
    bench.net.script(|_| failure(FailureKind::Connect));
    let webhook = bench.webhook("dead");
    bench.emit("1");
    let mut polls = 0;
    while let Some(due) = bench.poll().next_due {
        bench.clock.set(due);
        polls += 1;
        assert!(polls < 100);
    }
    let sent = bench.net.deliveries();
    assert_eq!(sent[0].body, sent[sent.len() - 1].body);
    // With jitter the waits are longer, so a few attempts fewer fit into the 14 days.
    assert!((33..=37).contains(&sent.len()), "{}", sent.len());
    let batches = bench
        .hooks
        .batches(APP, BatchFilter::default(), PageRequest::default())
        .unwrap();
    assert_eq!(batches.items[0].status, BatchStatus::Exhausted);
    assert_eq!(batches.items[0].webhook_id, webhook);
}

/// Goal: a thread that waits for the box comes back when another asks it to. Method: it waits for an
/// hour, for a box that never becomes idle because its threads were never started.
#[test]
fn whoever_waits_can_be_interrupted() {
    let folder = tempfile::tempdir().unwrap();
    let hooks = local().open(folder.path().join("box.db")).unwrap();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| hooks.wait_idle(Duration::from_secs(3600)));
        while !waiting.is_finished() {
            hooks.interrupt();
            std::thread::yield_now();
        }
        assert_eq!(waiting.join().unwrap(), None);
    });
}

/// Goal: two who ask at once whether a box is running do not answer each other "no". Method: threads
/// that ask, many times, of one that is.
#[test]
fn a_running_box_says_so_to_many_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let hooks = local().open(folder.path().join("box.db")).unwrap();
    assert!(!hooks.is_running());
    hooks.start().unwrap();
    std::thread::scope(|scope| {
        let ask = || (0..20_000).all(|_| hooks.is_running());
        let asking: Vec<_> = (0..4).map(|_| scope.spawn(ask)).collect();
        assert!(asking.into_iter().all(|one| one.join().unwrap()));
    });
    hooks.stop(Duration::ZERO).unwrap();
    assert!(!hooks.is_running());
}

/// Nobody else tells it that what it waits for was set by a clock that was ahead.
#[cfg(feature = "testing")]
#[test]
fn an_idle_box_notices_that_its_clock_was_set_back() {
    let bench = Bench::new();
    bench.webhook("a");
    let mut engine = bench.hooks.stepped_engine();
    bench.clock.advance(Duration::from_secs(2 * 86_400));
    bench.emit("1");
    engine.turn();
    let sent = engine.begin().unwrap();
    engine.finish(&sent, status(500));
    // It stores the result, looks for what others wrote, and comes to rest.
    for _ in 0..5 {
        engine.turn();
        bench.clock.advance(Duration::from_secs(1));
    }
    assert!(engine.idle().is_some() && engine.begin().is_none());
    bench.clock.set(START);
    engine.turn();
    engine.turn();
    assert_eq!(engine.begin().unwrap().batch_id(), sent.batch_id());
}
