//! Time from emit to the wire: alone, and beside endpoints that never answer.

use std::time::{Duration, Instant};

use hookbox::NewKey;

use crate::Scale;
use crate::boxes::{Bench, TYPE, options, payload, prelude};
use crate::deliver::millis;
use crate::raw::Signer;
use crate::report::{Report, Row, Unit};
use crate::sink::{Arrived, Sink};

/// One event at a time into a box that has nothing else to do.
pub fn latency(scale: Scale, report: &mut Report) {
    let sink = Sink::start();
    let bench = Bench::open(options());
    bench.app("app", prelude());
    bench.webhook("app", sink.timed_url());
    bench.hooks.start().unwrap();
    let events = scale.pick(1_000, 100);
    for _ in 0..events {
        bench.hooks.emit("app", TYPE, payload()).unwrap();
        bench.drain();
        std::thread::sleep(Duration::from_millis(3));
    }
    let arrived = sink.arrived();
    assert_eq!(arrived.timed, events);
    report.add(Row::new(
        "emit to wire, idle box, p50",
        millis(arrived.p50),
        Unit::Millis,
    ));
    report.add(
        Row::new(
            "emit to wire, idle box, p99",
            millis(arrived.p99),
            Unit::Millis,
        )
        .at_most(5.0),
    );
}

/// Ten webhooks an app; in the second run one of them is a black hole.
pub fn measure(scale: Scale, report: &mut Report) {
    let apps = scale.pick(1_000, 50);
    let well = run(scale, apps, false);
    let beside = run(scale, apps, true);
    report.add(
        Row::new(
            format!("healthy p99, {} webhooks, a tenth black holes", apps * 10),
            millis(beside.p99),
            Unit::Millis,
        )
        .ceiling("the same without black holes", millis(well.p99))
        .at_most(2.0),
    );
}

fn run(scale: Scale, apps: usize, with_holes: bool) -> Arrived {
    let sink = Sink::start();
    let bench = Bench::open(options());
    // One for all: a thousand take minutes to make, and cost the same to sign with.
    let key = NewKey::Import {
        pem: Signer::new().pem(),
        kid: None,
    };
    for number in 0..apps {
        let app = format!("app-{number}");
        bench.app_with(&app, prelude(), key.clone());
        for webhook in 0..10 {
            let hole = webhook == 0 && with_holes;
            let url = if hole {
                sink.hole_url()
            } else {
                sink.timed_url()
            };
            bench.webhook(&app, url);
        }
    }
    bench.hooks.start().unwrap();
    // From the first contact on, each app gets an event every so often.
    let pace = Duration::from_millis(20);
    let events = scale.pick(2 * apps, apps);
    let began = Instant::now();
    for number in 0..events {
        let app = format!("app-{}", number % apps);
        bench.hooks.emit(&app, TYPE, payload()).unwrap();
        let next = pace * u32::try_from(number + 1).unwrap();
        std::thread::sleep(next.saturating_sub(began.elapsed()));
    }
    // What the healthy are owed arrives; the holes go on for two weeks.
    let healthy = events * if with_holes { 9 } else { 10 };
    let delivered = || bench.count("SELECT count(*) FROM hookbox_batch WHERE status = 'delivered'");
    while delivered() < healthy {
        assert!(
            began.elapsed() < Duration::from_secs(600),
            "{} of {healthy}",
            delivered()
        );
        std::thread::sleep(Duration::from_millis(100));
    }
    bench.hooks.stop(Duration::ZERO).unwrap();
    sink.arrived()
}
