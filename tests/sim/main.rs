//! The simulator (issue 5, part 1).
//!
//! Goal: whatever happens, in whatever order, nothing that was emitted is lost, nothing is sent that
//! is not owed, and no promise about time, leases, keys or caps is broken. Method: the real facade,
//! registry, machine, engine loop and storages under a virtual clock, with endpoints by script and
//! faults of every class, all interleaved by one seed; a judge beside it checks each invariant after
//! each step and the whole history at the end; planted bugs show that it sees.
//!
//! ```text
//! cargo test --test sim -- [--seeds N] [--from SEED] [--seed SEED] [--forever] [--engine NAME] [--twin]
//! ```
//!
//! Engines are `memory`, `sqlite`, with its feature `redb`, and with its feature `postgres` in the server
//! that `HOOKBOX_TEST_POSTGRES` names. `--twin` is the exhaustive twin with every pair of faults.

mod apps;
mod boxes;
mod chance;
mod engines;
mod explore;
mod figures;
mod judge;
mod keys;
mod network;
mod plan;
mod planted;
mod registering;
mod runner;
mod script;
mod spoiled;
mod steps;
mod time;
mod trace;
mod twin;
mod watch;
mod world;

use std::process::ExitCode;

use explore::run_explored;
use runner::{Order, run_forever, run_kept, run_one, run_planted, run_seeds};
use twin::run_twin;

/// Seeds of a plain `cargo test`.
const SEEDS: u64 = 300;

/// One pair of faults in so many is lived through in a plain `cargo test`.
const TWIN_EVERY: usize = 4;

fn main() -> ExitCode {
    let order = match Order::parse(std::env::args().skip(1)) {
        Ok(Some(order)) => order,
        // A filter for the tests of another binary.
        Ok(None) => return ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("sim: {message}");
            return ExitCode::FAILURE;
        }
    };
    let passed = match order {
        Order::One(seed, engine) => run_one(seed, engine),
        Order::Forever(engine) => run_forever(engine),
        Order::Range {
            from,
            seeds,
            engine,
        } => run_seeds(from, seeds, engine),
        Order::Twin => run_twin(1),
        Order::Plain(engine) => {
            run_explored()
                && run_twin(TWIN_EVERY)
                && run_kept()
                && run_planted()
                && run_seeds(1, SEEDS, engine)
        }
    };
    if passed {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
