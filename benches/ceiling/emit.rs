//! Emitting beside raw inserts.

use std::time::Instant;

use crate::Scale;
use crate::boxes::{Bench, event, median, options, payload, prelude, rate};
use crate::raw::Log;
use crate::report::{Report, Row, Unit};

/// Each is measured so many times in turn with its ceiling; the median counts.
const ROUNDS: usize = 5;

pub fn measure(scale: Scale, report: &mut Report) {
    let bench = Bench::open(options());
    bench.app("app", prelude());
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let mut log = Log::create(&folder.path().join("raw.db"));

    let (singles, hundreds) = (scale.pick(5_000, 500), scale.pick(50_000, 5_000));
    let (mut raw_one, mut one, mut threads, mut raw_many, mut many) =
        (vec![], vec![], vec![], vec![], vec![]);
    for _ in 0..ROUNDS {
        raw_one.push(log.insert_rate(singles, 1));
        one.push(rate_of(singles, || {
            bench
                .hooks
                .emit("app", crate::boxes::TYPE, payload())
                .unwrap();
        }));
        threads.push(threaded(&bench, singles * 4));
        raw_many.push(log.insert_rate(hundreds, 100));
        many.push(
            100.0
                * rate_of(hundreds / 100, || {
                    let events = (0..100).map(|_| event()).collect();
                    bench.hooks.emit_many("app", events).unwrap();
                }),
        );
    }
    let (raw_one, one, threads) = (median(raw_one), median(one), median(threads));
    let (raw_many, many) = (median(raw_many), median(many));
    report.add(
        Row::new("emit, 1 thread, one at a time", one, Unit::PerSecond)
            .ceiling("raw inserts, 1 a commit", raw_one)
            .at_least(0.80),
    );
    report.add(
        Row::new("emit, 16 threads, one at a time", threads, Unit::PerSecond)
            .ceiling("emit, 1 thread", one)
            .at_least(6.0),
    );
    report.add(
        Row::new("emit in hundreds", many, Unit::PerSecond)
            .ceiling("raw inserts, 100 a commit", raw_many)
            .at_least(0.75),
    );
}

fn rate_of(count: usize, mut work: impl FnMut()) -> f64 {
    let began = Instant::now();
    for _ in 0..count {
        work();
    }
    rate(count, began.elapsed())
}

fn threaded(bench: &Bench, total: usize) -> f64 {
    let began = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| {
                for _ in 0..total / 16 {
                    bench
                        .hooks
                        .emit("app", crate::boxes::TYPE, payload())
                        .unwrap();
                }
            });
        }
    });
    rate(total / 16 * 16, began.elapsed())
}
