//! hookbox's half of the comparison with other libraries (benches/peers): one endpoint, so many events.

use std::time::{Duration, Instant};

use hookbox::model::{Profile, Verification};

use crate::boxes::{Bench, TYPE, options, payload, prelude, rate};
use crate::sink::Sink;

const EVENTS: usize = 5_000;

pub fn measure() {
    println!(
        "{:<50} {:>12} {:>12}",
        "events a second", "sent", "delivered"
    );
    let mut standard = Profile::standard_webhooks();
    standard.verification = Verification::None;
    run("hookbox, SQLite, one event a request, HMAC", standard);
    let mut ones = prelude();
    ones.delivery.batch_events_max = 1;
    run("hookbox, SQLite, one event a request, RSA-2048", ones);
    run("hookbox, SQLite, batches of 100, RSA-2048", prelude());
}

fn run(name: &str, profile: Profile) {
    let sink = Sink::start();
    let bench = Bench::open(options());
    bench.app("app", profile);
    bench.webhook("app", sink.timed_url());
    let began = Instant::now();
    for _ in 0..EVENTS {
        bench.hooks.emit("app", TYPE, payload()).unwrap();
    }
    let sent = began.elapsed();
    let began = Instant::now();
    bench.hooks.start().unwrap();
    bench.drain();
    let delivered = began.elapsed();
    assert_eq!(bench.delivered(), EVENTS);
    bench.hooks.stop(Duration::ZERO).unwrap();
    println!(
        "{name:<50} {:>12.0} {:>12.0}",
        rate(EVENTS, sent),
        rate(EVENTS, delivered)
    );
}
