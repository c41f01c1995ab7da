//! `cargo bench --bench storage --all-features -- [--quick] [ENGINE…]`
//!
//! What each storage costs by itself: no HTTP, no signing. Emitting, claiming and settling, and
//! whether a claim grows dearer with what waits. Prints tables with ratios; docs/benchmarks.md says
//! how to read them. PostgreSQL is measured where `HOOKBOX_TEST_POSTGRES` names a server.

mod drive;
mod engines;

use std::time::{Duration, Instant};

use drive::{Claims, Filled};
use engines::{Engine, Place};

/// How much is done.
struct Scale {
    emits: usize,
    drained: usize,
    /// The backlogs that are compared, the first with the others.
    backlogs: &'static [u64],
    waiting: &'static [usize],
    webhooks: usize,
    rounds: usize,
}

const FULL: Scale = Scale {
    emits: 4_000,
    drained: 200_000,
    backlogs: &[10_000, 1_000_000, 10_000_000],
    waiting: &[10_000, 1_000_000],
    webhooks: 10_000,
    rounds: 300,
};

const QUICK: Scale = Scale {
    emits: 300,
    drained: 5_000,
    backlogs: &[1_000, 50_000],
    waiting: &[1_000, 10_000],
    webhooks: 1_000,
    rounds: 30,
};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let quick = arguments.iter().any(|one| one == "--quick");
    let wanted: Vec<&String> = arguments
        .iter()
        .filter(|one| !one.starts_with("--"))
        .collect();
    let scale = if quick { QUICK } else { FULL };
    let engines: Vec<Engine> = Engine::all()
        .into_iter()
        .filter(|engine| wanted.is_empty() || wanted.iter().any(|name| *name == engine.name()))
        .collect();
    assert!(!engines.is_empty(), "no such engine: {wanted:?}");
    rates(&engines, &scale);
    let mut missed = Vec::new();
    for engine in &engines {
        claims(*engine, &scale, &mut missed);
    }
    for sentence in &missed {
        println!("MISSED: {sentence}");
    }
    // A smoke run is too short to judge times by; it shows that everything runs.
    if !quick && !missed.is_empty() {
        std::process::exit(1);
    }
}

/// Events per second, and the ratio to the first column.
fn rates(engines: &[Engine], scale: &Scale) {
    println!("Events per second, 500-byte payloads (in brackets: times the first column)\n");
    println!(
        "{:<10} {:>16} {:>16} {:>16} {:>16} {:>16} {:>16}",
        "storage",
        "emit x1, 1 thr",
        "emit x1, 16 thr",
        "emit x100, 1 thr",
        "emit x100, 16",
        "drain, 100/batch",
        "drain, 1/batch"
    );
    for engine in engines {
        let mut cells = Vec::new();
        for (size, threads, factor) in [(1, 1, 1), (1, 16, 4), (100, 1, 20), (100, 16, 20)] {
            let place = Place::new(*engine);
            let it = Filled::new(place.open(), 1, 1, 100);
            cells.push(it.emit_rate(scale.emits * factor, size, threads));
        }
        for per_batch in [100, 1] {
            let place = Place::new(*engine);
            let it = Filled::new(place.open(), 16, 1, per_batch);
            let count = if per_batch == 1 {
                scale.drained / 20
            } else {
                scale.drained
            };
            it.fill(u64::try_from(count).unwrap());
            cells.push(it.drain_rate());
        }
        let first = cells[0];
        print!("{:<10}", engine.name());
        for rate in cells {
            print!(" {:>16}", format!("{rate:.0} ({:.1})", rate / first));
        }
        println!();
    }
}

/// The cost of a claim of 16 batches with the results of the 16 before it, beside backlogs.
fn claims(engine: Engine, scale: &Scale, missed: &mut Vec<String>) {
    println!(
        "\n{}: one exchange (16 results in, 16 batches out) beside a backlog of events of {} webhooks",
        engine.name(),
        scale.webhooks
    );
    println!(
        "{:>34} {:>10} {:>10} {:>8} {:>12} {:>12}",
        "waiting", "mean", "p99", "ratio", "our RSS", "to set up"
    );
    let mut first: Option<Claims> = None;
    for (kind, count) in scale
        .backlogs
        .iter()
        .map(|count| ("events", *count))
        .chain(scale.waiting.iter().map(|count| ("batches", *count as u64)))
    {
        let place = Place::new(engine);
        let began = Instant::now();
        // Batches of one event, so that every claim is the same work.
        let it = Filled::new(place.open(), scale.webhooks / 10, 10, 1);
        if kind == "events" {
            // Each is owed to the ten webhooks of its app.
            it.fill(count);
        } else {
            it.fill_waiting(usize::try_from(count).unwrap());
        }
        let set_up = began.elapsed();
        // A fresh handle, as after a start: nothing is warm that a backlog would push out.
        drop(it);
        let it = Filled::reopen(place.open());
        let cost = it.claim_cost(scale.rounds);
        let base = *first.get_or_insert(cost);
        let ratio = cost.mean.as_secs_f64() / base.mean.as_secs_f64();
        println!(
            "{:>34} {:>10} {:>10} {:>8.2} {:>12} {:>12}",
            format!("{count} {kind}"),
            micros(cost.mean),
            micros(cost.p99),
            ratio,
            format!("{} MB", engines::resident_mb()),
            format!("{:.0} s", set_up.as_secs_f64())
        );
        if ratio > 2.0 {
            missed.push(format!(
                "{}: a claim beside {count} {kind} costs {ratio:.2} times the one beside {}",
                engine.name(),
                scale.backlogs[0]
            ));
        }
    }
}

fn micros(span: Duration) -> String {
    format!("{} us", span.as_micros())
}
