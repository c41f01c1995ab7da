//! Delivering: from emit to recorded, and what signing and sending alone would do.

use std::time::{Duration, Instant};

use crate::Scale;
use crate::boxes::{Bench, PAYLOAD, options, prelude, rate};
use crate::raw::{Signer, post_rate};
use crate::report::{Report, Row, Unit};
use crate::sink::Sink;

pub fn ceilings(scale: Scale, report: &mut Report) {
    let sink = Sink::start();
    let span = Duration::from_millis(scale.pick(3_000, 300) as u64);
    let signer = Signer::new();
    let body = vec![b'x'; PAYLOAD + 160];
    report.add(Row::new(
        "ceiling: RSA-2048 PSS signatures, one core",
        signer.rate(&body, span),
        Unit::PerSecond,
    ));
    for threads in [1, 8, 16] {
        let posts = post_rate(&sink.url(), &body, threads, None, span);
        let name = format!("ceiling: POSTs of one event, {threads} threads");
        report.add(Row::new(name, posts, Unit::PerSecond));
    }
}

pub fn measure(scale: Scale, report: &mut Report) {
    let sink = Sink::start();
    at_once(scale, report, &sink);
    drain(scale, report, &sink);
}

/// One webhook, emitting in hundreds while they are delivered.
fn at_once(scale: Scale, report: &mut Report, sink: &Sink) {
    let total = scale.pick(1_000_000, 50_000);
    let bench = Bench::open(options());
    bench.app("app", prelude());
    bench.webhook("app", sink.url());
    bench.hooks.start().unwrap();
    let began = Instant::now();
    for _ in 0..total / 100 {
        bench.emit_many("app", 100);
    }
    bench.drain();
    let rate = rate(total, began.elapsed());
    assert_eq!(bench.delivered(), total);
    report.add(
        Row::new(
            "emit in hundreds and deliver at once, 1 webhook",
            rate,
            Unit::PerSecond,
        )
        .reaches(60_000.0),
    );
}

/// One webhook, a backlog.
fn drain(scale: Scale, report: &mut Report, sink: &Sink) {
    let total = scale.pick(1_000_000, 50_000);
    let bench = Bench::open(options());
    bench.app("app", prelude());
    bench.webhook("app", sink.url());
    for _ in 0..total / 1_000 {
        bench.emit_many("app", 1_000);
    }
    let began = Instant::now();
    bench.hooks.start().unwrap();
    bench.drain();
    let rate = rate(total, began.elapsed());
    assert_eq!(bench.delivered(), total);
    report.add(Row::new("drain a backlog, 1 webhook", rate, Unit::PerSecond).reaches(160_000.0));
}

/// Batches of one, signed each, beside signing and sending alone in as many threads.
pub fn ones(scale: Scale, report: &mut Report) {
    const THREADS: usize = 8;
    let (sink, signer) = (Sink::start(), Signer::new());
    let span = Duration::from_millis(scale.pick(3_000, 300) as u64);
    let total = scale.pick(16_000, 1_600);
    let body = vec![b'x'; PAYLOAD + 160];
    let (mut ours, mut alone) = (Vec::new(), Vec::new());
    for _ in 0..3 {
        alone.push(post_rate(&sink.url(), &body, THREADS, Some(&signer), span));
        let bench = Bench::open(options().workers(THREADS));
        let mut profile = prelude();
        profile.delivery.batch_events_max = 1;
        bench.app("app", profile.clone());
        // As many webhooks as keep the senders busy, each with events of its own.
        for number in 0..2 * THREADS {
            let app = format!("app-{number}");
            bench.app(&app, profile.clone());
            bench.webhook(&app, sink.url());
            bench.emit_many(&app, total / THREADS / 2);
        }
        let began = Instant::now();
        bench.hooks.start().unwrap();
        bench.drain();
        ours.push(rate(total, began.elapsed()));
        assert_eq!(bench.delivered(), total);
    }
    report.add(
        Row::new(
            "drain, batches of one, RSA-2048, 8 threads",
            crate::boxes::median(ours),
            Unit::PerSecond,
        )
        .ceiling("sign + POST alone", crate::boxes::median(alone))
        .at_least(0.75),
    );
}

/// One event to a thousand webhooks of one app: one body, one signature.
pub fn fan_out(scale: Scale, report: &mut Report) {
    let sink = Sink::start();
    let webhooks = scale.pick(1_000, 100);
    let span = Duration::from_millis(scale.pick(2_000, 300) as u64);
    let body = vec![b'x'; PAYLOAD + 160];
    let bench = Bench::open(options());
    bench.app("app", prelude());
    for _ in 0..webhooks {
        bench.webhook("app", sink.url());
    }
    bench.hooks.start().unwrap();
    let (mut ours, mut alone) = (Vec::new(), Vec::new());
    for _ in 0..5 {
        alone.push(post_rate(&sink.url(), &body, 16, None, span));
        let began = Instant::now();
        bench.emit_many("app", 1);
        bench.drain();
        ours.push(rate(webhooks, began.elapsed()));
    }
    assert_eq!(bench.delivered(), 5 * webhooks);
    report.add(
        Row::new(
            format!("fan-out, 1 event to {webhooks} webhooks"),
            crate::boxes::median(ours),
            Unit::PerSecond,
        )
        .ceiling("POSTs alone, 16 threads", crate::boxes::median(alone))
        .at_least(0.75),
    );
}

/// Half the peak rate for long, with retention on: nothing may grow.
pub fn sustained(scale: Scale, report: &mut Report) {
    const PER_SECOND: usize = 30_000;
    let sink = Sink::start();
    let bench = Bench::open(options().retention(Some(Duration::from_secs(60))));
    bench.app("app", prelude());
    bench.webhook("app", sink.timed_url());
    bench.hooks.start().unwrap();
    let seconds = std::env::var("HOOKBOX_SUSTAINED_SECONDS")
        .map_or(scale.pick(300, 10), |text| text.parse().unwrap());
    let began = Instant::now();
    let (mut emitted, mut samples) = (0, Vec::new());
    println!("seconds, emitted/s, p50, p99, file MB, log MB");
    for slice in 1..=10 {
        let (end, before) = (seconds * slice / 10, emitted);
        let from = began.elapsed();
        while began.elapsed() < Duration::from_secs(end as u64) {
            let due = (began.elapsed().as_secs_f64() * PER_SECOND as f64) as usize;
            if emitted + 100 <= due {
                bench.emit_many("app", 100);
                emitted += 100;
            } else {
                std::thread::sleep(Duration::from_millis(1));
            }
        }
        let pace = rate(emitted - before, began.elapsed().saturating_sub(from));
        let (arrived, (file, wal)) = (sink.arrived(), bench.sizes());
        println!(
            "{end:>7} {pace:>9.0} {:>8.2?} {:>8.2?} {:>6} {:>6}",
            arrived.p50,
            arrived.p99,
            file >> 20,
            wal >> 20
        );
        samples.push((pace, arrived.p99, file, wal));
    }
    let (middle, last) = (samples[4], samples[9]);
    report.add(
        Row::new("sustained, emitted and delivered", last.0, Unit::PerSecond)
            .ceiling("in the middle of the run", middle.0)
            .at_least(0.95),
    );
    report.add(
        Row::new(
            "sustained, file at the end",
            last.2 as f64 / 1e6,
            Unit::Megabytes,
        )
        .ceiling("in the middle of the run", middle.2 as f64 / 1e6)
        .at_most(1.1),
    );
    report.add(
        Row::new(
            "sustained, write-ahead log at the end",
            last.3 as f64 / 1e6,
            Unit::Megabytes,
        )
        .at_most(70.0),
    );
    report.add(
        Row::new(
            "sustained, p99 from emit to wire",
            millis(last.1),
            Unit::Millis,
        )
        .ceiling("in the middle of the run", millis(middle.1))
        .at_most(2.0),
    );
}

pub fn millis(span: Duration) -> f64 {
    span.as_secs_f64() * 1e3
}
