//! Runs the checks, each on a thread of the system's own, and says what came of them.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::sync::Mutex;
use std::time::Instant;

use shuttle::scheduler::{PctScheduler, RandomScheduler, Scheduler};
use shuttle::{Config, FailurePersistence, MaxSteps, Runner};

use super::{commit, delivery, stop};

/// A program of a few threads, and what holds in whatever order they run.
pub struct Check {
    pub name: &'static str,
    /// Whether waits for a time may end by it; else who is not woken waits for ever, and is noticed.
    pub waits_end: bool,
    pub program: fn(Option<Plant>),
    /// A bug that the check must notice.
    pub plant: Option<Plant>,
}

/// Bugs of what surrounds the box.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plant {
    /// The store says that a commit is done, and now and then it is not.
    LosesCommits,
    /// The store stores what it reports as refused.
    KeepsRefused,
    /// The transport sends a request twice.
    SendsTwice,
    /// The transport does not hear that it is to break what is out.
    NeverBreaks,
}

/// Steps of one order; more is somebody who runs in circles.
const STEPS_MAX: usize = 200_000;

/// As deep as a sender's: the dispatcher's and the programs' own need no more.
const STACK_BYTES: usize = 1024 * 1024;

/// Of the orders, one in so many is one with few changes of thread, each at a place drawn by lot.
const PCT_SHARE: usize = 4;
const PCT_DEPTH: usize = 3;

/// Orders in which a planted bug must have shown.
const PLANTED_SCHEDULES: usize = 1_000;

thread_local! {
    /// What fails on this thread is meant to.
    static QUIET: Cell<bool> = const { Cell::new(false) };
}

struct Order {
    schedules: usize,
    seed: u64,
    only: String,
}

impl Order {
    /// Reads the arguments; `None` when they ask for other tests.
    fn parse(mut arguments: impl Iterator<Item = String>) -> Option<Self> {
        let mut order = Self {
            schedules: 1_000,
            seed: 1,
            only: String::new(),
        };
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().unwrap_or_default();
            match argument.as_str() {
                "--schedules" => order.schedules = value().parse().ok()?,
                "--seed" => order.seed = value().parse().ok()?,
                "--only" => order.only = value(),
                // What cargo or a person passes to every test binary.
                other if other.starts_with('-') => {}
                _ => return None,
            }
        }
        Some(order)
    }
}

/// A check as it is to be run.
struct Run {
    check: &'static Check,
    plant: Option<Plant>,
}

impl Run {
    const fn new(check: &'static Check, plant: Option<Plant>) -> Self {
        Self { check, plant }
    }
}

pub fn main() -> ExitCode {
    let Some(order) = Order::parse(std::env::args().skip(1)) else {
        eprintln!("shuttle: [--schedules N] [--seed SEED] [--only NAME]");
        return ExitCode::FAILURE;
    };
    let loud = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if !QUIET.get() {
            loud(info);
        }
    }));
    let checks = [commit::CHECKS, delivery::CHECKS, stop::CHECKS];
    let chosen = checks
        .into_iter()
        .flatten()
        .filter(|check| check.name.contains(&order.only));
    let runs: Vec<Run> = chosen
        .flat_map(|check| {
            let plant = check.plant.map(|plant| Run::new(check, Some(plant)));
            [Some(Run::new(check, None)), plant].into_iter().flatten()
        })
        .collect();
    let (waiting, failed) = (Mutex::new(runs.iter()), Mutex::new(0));
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                loop {
                    let next = waiting.lock().unwrap().next();
                    let Some(run) = next else { return };
                    // A thread of its own: what a failed run leaves behind stays there.
                    let passed = std::thread::scope(|own| {
                        own.spawn(|| perform(run, &order)).join().unwrap_or(false)
                    });
                    *failed.lock().unwrap() += usize::from(!passed);
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap();
    if runs.is_empty() || failed > 0 {
        eprintln!("shuttle: {failed} of {} runs failed", runs.len());
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

/// Whether a check passed or, with its planted bug, failed.
fn perform(run: &Run, order: &Order) -> bool {
    let Run { check, plant } = *run;
    let began = Instant::now();
    QUIET.set(plant.is_some());
    let schedules = if plant.is_some() {
        PLANTED_SCHEDULES
    } else {
        order.schedules
    };
    let few = schedules / PCT_SHARE;
    let random = RandomScheduler::new_from_seed(order.seed, schedules - few);
    let pct = PctScheduler::new_from_seed(order.seed, PCT_DEPTH, few);
    let held = catch_unwind(AssertUnwindSafe(|| {
        explore(check, plant, random);
        if few > 0 {
            explore(check, plant, pct);
        }
    }))
    .is_ok();
    let took = began.elapsed().as_secs_f64();
    let name = check.name;
    match (held, plant) {
        (true, None) => println!("{name}: {schedules} orders in {took:.1} s"),
        (false, Some(plant)) => println!("{name}: {plant:?} was noticed"),
        (false, None) => eprintln!("{name}: FAILED (--seed {} --only {name})", order.seed),
        (true, Some(plant)) => eprintln!("{name}: {plant:?} was NOT noticed"),
    }
    held == plant.is_none()
}

fn explore(check: &'static Check, plant: Option<Plant>, scheduler: impl Scheduler + 'static) {
    let mut config = Config::new();
    config.stack_size = STACK_BYTES;
    config.max_steps = MaxSteps::FailAfter(STEPS_MAX);
    config.silence_warnings = true;
    if plant.is_some() {
        config.failure_persistence = FailurePersistence::None;
    }
    hookbox::testing::let_waits_end(check.waits_end);
    let program = check.program;
    Runner::new(scheduler, config).run(move || program(plant));
}
