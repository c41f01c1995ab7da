//! What a box counts about itself.
//!
//! Goal: each number says what happened, and the text is what Prometheus reads. Method: a box on a
//! hand-set clock does known things; its numbers, and its text through a strict reader, are compared.

use std::sync::atomic::Ordering::SeqCst;
use std::sync::{Arc, Barrier};
use std::time::Duration;

use hookbox::metrics::Exposition;
use hookbox::model::{EventType, FailureKind, NewEvent, Notice, Overrides};
use hookbox::storage::kv::KvStorage;
use hookbox::{Error, Options, StorageFault};

use super::support::*;

fn text_of(hooks: &hookbox::Hookbox) -> Exposed {
    let mut text = Exposition::new();
    hooks.metrics().expose(&mut text);
    Exposed::read(&text.into_text())
}

#[test]
fn the_numbers_say_what_happened() {
    let bench = Bench::new();
    bench.webhook("a");
    // Two events wait three seconds, then go as one batch: refused, not answered, accepted.
    bench.emit("1");
    let event = NewEvent::new(EventType::parse(TYPE).unwrap(), "2").key("k");
    bench.hooks.emit_event(APP, event.clone()).unwrap();
    bench.hooks.emit_event(APP, event).unwrap();
    bench.hooks.emit("nobody", TYPE, "3").unwrap_err();
    bench.clock.advance(Duration::from_secs(3));
    bench.net.script(|_| status(500));
    bench.poll();
    bench.net.script(|_| failure(FailureKind::Timeout));
    bench.run_for(Duration::from_secs(200));
    bench.net.script(|_| status(200));
    bench.run_for(Duration::from_secs(3600));

    let metrics = bench.hooks.metrics();
    assert_eq!(metrics.events_emitted, 2, "the same key emits once");
    assert_eq!(
        (metrics.batches_delivered, metrics.events_delivered),
        (1, 2)
    );
    assert_eq!(
        metrics.delivery_lag.count, 1,
        "once a batch, not once an attempt"
    );
    assert_eq!(metrics.delivery_lag.sum, Duration::from_secs(3));
    let failed: u64 = metrics.attempts_failed.iter().map(|(_, count)| count).sum();
    assert!(failed >= 2);
    assert_eq!(metrics.attempt_duration.count, failed + 1);
    assert_eq!((metrics.requests_in_flight, metrics.emits_failed), (0, 1));
    assert_eq!(metrics.emit_commit.count, 3);
    assert!(metrics.exchange_commit.count > failed);
    assert!(!metrics.engine_running && !metrics.storage_stalled);

    let text = text_of(&bench.hooks);
    let sample = |name: &str, labels: &[(&str, &str)]| text.get(name, labels);
    assert_eq!(sample("hookbox_events_emitted_total", &[]), 2.0);
    let failures = |kind| sample("hookbox_attempts_failed_total", &[("kind", kind)]);
    assert_eq!(failures("http_5xx"), 1.0);
    assert_eq!(failures("timeout"), failed as f64 - 1.0);
    assert_eq!(failures("dns"), 0.0);
    assert_eq!(
        sample("hookbox_delivery_lag_seconds_bucket", &[("le", "5")]),
        1.0
    );
    assert_eq!(
        sample("hookbox_delivery_lag_seconds_bucket", &[("le", "1")]),
        0.0
    );
    assert_eq!(
        sample("hookbox_commits_failed_total", &[("write", "emit")]),
        1.0
    );
    assert_eq!(sample("hookbox_storage_up", &[]), 1.0);
    assert!(sample("hookbox_log_position", &[]) >= 2.0);
}

/// A request that is out is counted while it is; so is the engine while it runs.
#[test]
fn what_is_in_flight_is_seen_while_it_is() {
    let bench = Bench::new();
    bench.webhook("a");
    let (gate, of_script) = {
        let gate = Arc::new(Barrier::new(2));
        (gate.clone(), gate)
    };
    bench.net.script(move |_| {
        of_script.wait();
        of_script.wait();
        status(200)
    });
    assert!(!bench.hooks.is_running());
    bench.hooks.start().unwrap();
    assert!(bench.hooks.is_running());
    bench.emit("1");
    gate.wait();
    let out = bench.hooks.metrics();
    assert_eq!((out.requests_in_flight, out.batches_claimed), (1, 1));
    assert!(out.engine_running);
    gate.wait();
    bench.hooks.stop(Duration::from_secs(5)).unwrap();
    let over = bench.hooks.metrics();
    assert_eq!((over.requests_in_flight, over.batches_claimed), (0, 0));
    assert!(!over.engine_running);
}

/// What is handed to senders is counted before: while the dispatcher is held up right after it, they send.
#[test]
fn what_is_sent_is_counted_as_claimed_before() {
    let told = Arc::new(Barrier::new(2));
    let of_notice = told.clone();
    let bench = Bench::with(|options| {
        options.on_notice(move |notice| {
            if matches!(notice, Notice::WebhookDeactivated { .. }) {
                of_notice.wait();
                of_notice.wait();
            }
        })
    });
    for app in ["two", "gone"] {
        let mut new = hookbox::NewApp::new(app.parse().unwrap());
        new.profile = hookbox::model::Profile::standard_webhooks();
        bench.hooks.create_app_with(new).unwrap();
        bench.webhook_with(app, app, Overrides::default());
    }
    // Two batches wait for their second attempt.
    bench.net.script(|_| status(500));
    for number in ["1", "2"] {
        bench.hooks.emit("two", TYPE, number).unwrap();
    }
    bench.poll();
    bench.hooks.emit("gone", TYPE, "3").unwrap();
    // They are due when it is told that the other webhook is gone: one exchange brings both.
    let answers = Arc::new(Barrier::new(3));
    let (of_script, clock) = (answers.clone(), bench.clock.clone());
    bench.net.script(move |request| {
        if request.url.as_str().ends_with("/gone") {
            clock.advance(Duration::from_secs(3600));
            return status(410);
        }
        of_script.wait();
        status(200)
    });
    bench.hooks.start().unwrap();
    told.wait();
    until("two requests more", || bench.net.deliveries().len() == 5);
    let seen = bench.hooks.metrics();
    answers.wait();
    told.wait();
    bench.hooks.stop(Duration::from_secs(5)).unwrap();
    assert_eq!((seen.requests_in_flight, seen.batches_claimed), (2, 2));
}

/// A batch whose result the storage refuses just now is leased all the same, and is counted until it is settled.
#[test]
fn a_batch_is_claimed_until_its_result_is_stored() {
    let folder = tempfile::tempdir().unwrap();
    let (storage, faults) = Faults::open(&folder.path().join("box.db"));
    let options = Options::new().clock(HandClock::new());
    let hooks = options
        .transport(FakeTransport::new())
        .open_storage(storage)
        .unwrap();
    let mut app = hookbox::NewApp::new(APP.parse().unwrap());
    app.profile = hookbox::model::Profile::standard_webhooks();
    hooks.create_app_with(app).unwrap();
    let new = hookbox::model::NewWebhook::new("https://example.com/a");
    hooks.create_webhook(APP, new).unwrap();
    hooks.emit(APP, TYPE, "1").unwrap();
    let mut engine = hooks.stepped_engine();
    let counted = || {
        let metrics = hooks.metrics();
        (metrics.batches_claimed, metrics.results_unstored)
    };
    engine.turn();
    let sent = engine.begin().unwrap();
    assert_eq!(counted(), (1, 0));
    engine.finish(&sent, status(200));
    faults.fail_before.store(1, SeqCst);
    engine.turn();
    assert_eq!(counted(), (1, 1));
    engine.turn();
    assert_eq!(counted(), (0, 0));
}

/// A storage that does not answer takes only its own metrics away.
#[test]
fn a_storage_that_fails_is_down_and_the_rest_is_told() {
    let hooks = Hooks {
        stats: Some(Box::new(|_| Err(Error::storage(StorageFault::Io, "gone")))),
        ..Hooks::default()
    };
    let inner = Arc::new(KvStorage::in_memory().unwrap());
    let options = Options::new().transport(FakeTransport::new());
    let hooks = options
        .open_storage(Arc::new(Wrapped::new(inner, hooks)))
        .unwrap();
    let text = text_of(&hooks);
    assert_eq!(text.get("hookbox_storage_up", &[]), 0.0);
    assert!(!text.has("hookbox_storage_bytes"));
    assert_eq!(text.get("hookbox_events_emitted_total", &[]), 0.0);
}

/// For `tests/peers/metrics.py`, which reads the text by Prometheus' own library.
#[test]
fn write_metrics_for_peers() {
    let bench = Bench::new();
    bench.webhook("a");
    bench.emit("1");
    bench.poll();
    let mut text = Exposition::new();
    bench.hooks.metrics().expose(&mut text);
    let text = text.into_text();
    Exposed::read(&text);
    if let Some(folder) = std::env::var_os("HOOKBOX_PEERS_DIR") {
        std::fs::write(std::path::Path::new(&folder).join("metrics.txt"), text).unwrap();
    }
}
