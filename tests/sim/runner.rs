//! Runs seeds on all cores, and says what came of them.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::time::Instant;

use super::engines::Engine;
use super::figures::Figures;
use super::judge::Violation;
use super::plan::Plan;
use super::planted::Plant;
use super::steps::STEPS;
use super::watch::lock;
use super::world::{Outcome, World};

/// One seed in so many is run twice.
const TWICE_EVERY: u64 = 10;

/// Seeds after which a planted bug must have been caught.
const PLANTED_SEEDS: u64 = 400;

/// Seeds that once failed: a line is a seed, its engine, and what it showed.
const KEPT: &str = include_str!("seeds");

/// What to run.
#[derive(Debug)]
pub enum Order {
    One(u64, Option<Engine>),
    Forever(Option<Engine>),
    /// The exhaustive twin, with every pair of faults.
    Twin,
    /// A range of seeds and nothing else.
    Range {
        from: u64,
        seeds: u64,
        engine: Option<Engine>,
    },
    /// All that a plain `cargo test` runs.
    Plain(Option<Engine>),
}

impl Order {
    /// Reads the arguments; `None` when they ask for other tests.
    pub fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Option<Self>, String> {
        let (mut one, mut from, mut seeds) = (None, 1, None);
        let (mut engine, mut forever, mut twin) = (None, false, false);
        while let Some(argument) = arguments.next() {
            let mut number = || {
                let value = arguments.next().unwrap_or_default();
                let number = value.parse::<u64>();
                number.map_err(|_| format!("{argument} takes a number, not {value:?}"))
            };
            match argument.as_str() {
                "--seed" => one = Some(number()?),
                "--seeds" => seeds = Some(number()?),
                "--from" => from = number()?,
                "--forever" => forever = true,
                "--twin" => twin = true,
                "--engine" => {
                    let name = arguments.next().unwrap_or_default();
                    let found = Engine::by_name(&name);
                    engine = Some(found.ok_or(format!("there is no engine {name:?} here"))?);
                }
                // What cargo or a person passes to every test binary.
                other if other.starts_with('-') => {}
                filter if "simulator".contains(filter) => {}
                _ => return Ok(None),
            }
        }
        Ok(Some(match one {
            Some(seed) => Self::One(seed, engine),
            None if twin => Self::Twin,
            None if forever => Self::Forever(engine),
            None => match seeds {
                Some(seeds) => Self::Range {
                    from,
                    seeds,
                    engine,
                },
                None => Self::Plain(engine),
            },
        }))
    }
}

fn run(seed: u64, engine: Option<Engine>, plant: Option<Plant>, aloud: bool) -> Outcome {
    let engine = engine.unwrap_or(Engine::of_seed(seed));
    let plan = Plan::new(seed, engine, STEPS.len());
    if aloud {
        println!("{plan:#?}");
    }
    let caught = catch_unwind(AssertUnwindSafe(|| World::new(plan, plant, aloud).run()));
    caught.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or(panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        Outcome {
            figures: Figures::default(),
            violation: Some(Violation {
                id: "panic",
                what: text.unwrap_or_default(),
            }),
            trace: Vec::new(),
            hash: 0,
        }
    })
}

/// Runs a seed, some of them twice; the violation is also a trace that differs.
fn run_checked(seed: u64, engine: Option<Engine>) -> Outcome {
    let mut outcome = run(seed, engine, None, false);
    if outcome.violation.is_none() && seed.is_multiple_of(TWICE_EVERY) {
        outcome.figures.twice = 1;
        if run(seed, engine, None, false).hash != outcome.hash {
            outcome.violation = Some(Violation {
                id: "determinism",
                what: "a second run took another way".into(),
            });
        }
    }
    outcome
}

fn report(seed: u64, engine: Option<Engine>, outcome: &Outcome) {
    let Some(violation) = &outcome.violation else {
        return;
    };
    println!("\nthe last steps of seed {seed}:");
    for line in &outcome.trace {
        println!("  {line}");
    }
    let name = engine.unwrap_or(Engine::of_seed(seed)).name();
    println!("{} does not hold: {}", violation.id, violation.what);
    println!("replay: cargo test --test sim -- --seed {seed} --engine {name}");
}

/// Runs one seed and prints each step.
pub fn run_one(seed: u64, engine: Option<Engine>) -> bool {
    let outcome = run(seed, engine, None, true);
    report(seed, engine, &outcome);
    println!("\n{}", outcome.figures.table());
    outcome.violation.is_none()
}

fn threads() -> usize {
    std::thread::available_parallelism().map_or(2, usize::from)
}

/// Runs a range of seeds on all cores until one fails; adds up what they came to.
fn run_range(from: u64, until: u64, engine: Option<Engine>) -> (Figures, bool) {
    let (next, failed) = (AtomicU64::new(from), AtomicBool::new(false));
    let total = Mutex::new(Figures::default());
    std::thread::scope(|scope| {
        for _ in 0..threads() {
            scope.spawn(|| {
                while !failed.load(SeqCst) {
                    let seed = next.fetch_add(1, SeqCst);
                    if seed >= until {
                        return;
                    }
                    let outcome = run_checked(seed, engine);
                    let mut total = lock(&total);
                    total.add(&outcome.figures);
                    if outcome.violation.is_some() && !failed.swap(true, SeqCst) {
                        report(seed, engine, &outcome);
                    }
                }
            });
        }
    });
    let total = lock(&total).clone();
    (total, !failed.into_inner())
}

/// Runs seeds, and prints the table.
pub fn run_seeds(from: u64, seeds: u64, engine: Option<Engine>) -> bool {
    let started = Instant::now();
    let (figures, passed) = run_range(from, from + seeds, engine);
    if !passed {
        return false;
    }
    let seconds = started.elapsed().as_secs_f64();
    println!(
        "simulator: {seeds} seeds in {seconds:.1} s\n{}",
        figures.table()
    );
    let missed = figures.missed();
    let enough = seeds >= super::SEEDS && engine.is_none();
    if enough && !missed.is_empty() {
        println!("rare branches that no seed reached: {missed:?}");
        return false;
    }
    true
}

/// Runs until a seed fails.
pub fn run_forever(engine: Option<Engine>) -> bool {
    let entropy = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let mut from = entropy.map_or(1, |since| since.as_nanos() as u64) & 0xffff_ffff_ffff;
    let mut figures = Figures::default();
    loop {
        let (more, passed) = run_range(from, from + 1000, engine);
        figures.add(&more);
        if !passed {
            return false;
        }
        from += 1000;
        println!("{}", figures.table());
    }
}

/// Runs the seeds that once failed.
pub fn run_kept() -> bool {
    let lines = KEPT
        .lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty());
    for line in lines {
        let mut words = line.split_whitespace();
        let seed = words.next().and_then(|word| word.parse().ok());
        let engine = words.next().and_then(Engine::by_name);
        let (Some(seed), Some(_)) = (seed, engine) else {
            println!("tests/sim/seeds: {line:?} is no seed with its engine");
            return false;
        };
        let outcome = run(seed, engine, None, false);
        report(seed, engine, &outcome);
        if outcome.violation.is_some() {
            return false;
        }
    }
    true
}

/// The first seed that catches a planted bug, and what it says.
fn catch_planted(plant: Plant) -> Option<(u64, Violation)> {
    let shows = |seed: &u64| plant.may_show(&Plan::new(*seed, Engine::Memory, STEPS.len()));
    (1..=PLANTED_SEEDS).filter(shows).find_map(|seed| {
        let outcome = run(seed, Some(Engine::Memory), Some(plant), false);
        outcome.violation.map(|violation| (seed, violation))
    })
}

/// Every planted bug must be caught, and called by its name.
pub fn run_planted() -> bool {
    let started = Instant::now();
    let next = AtomicUsize::new(0);
    let caught = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..threads() {
            scope.spawn(|| {
                while let Some(plant) = Plant::ALL.get(next.fetch_add(1, SeqCst)) {
                    let found = catch_planted(*plant);
                    lock(&caught).push((*plant, found));
                }
            });
        }
    });
    let (mut slowest, mut all) = (0, true);
    for (plant, found) in lock(&caught).iter() {
        match found {
            Some((seed, violation)) if violation.id == plant.breaks() => {
                slowest = slowest.max(*seed);
            }
            other => {
                println!(
                    "{plant:?} breaks {}, and what was seen is {other:?}",
                    plant.breaks()
                );
                all = false;
            }
        }
    }
    if !all {
        return false;
    }
    let (count, seconds) = (Plant::ALL.len(), started.elapsed().as_secs_f64());
    println!(
        "planted bugs: {count} of {count} caught, each within {slowest} seeds, in {seconds:.1} s"
    );
    true
}
