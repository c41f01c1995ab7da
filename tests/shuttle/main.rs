//! The threads of a box, in one order after another.
//!
//! Goal: in whatever order the threads of the commit queue, the dispatcher and the senders run, no
//! acknowledged write is lost, nobody waits for ever, nothing is sent twice, and a stop ends every thread.
//! Method: a box over a store in memory, built with `--cfg hookbox_shuttle`: its locks, waits and threads are
//! those of the crate `shuttle`, which runs each small program below in a thousand random orders, one thread at
//! a time, and notices when nobody can go on. Planted bugs show that the checks see; for bugs in the sources
//! themselves there is `tests/shuttle/mutants`.
//!
//! ```text
//! tests/shuttle/run [--schedules N] [--seed SEED] [--only NAME]
//! ```

#[cfg(hookbox_shuttle)]
mod checks;
#[cfg(hookbox_shuttle)]
mod commit;
#[cfg(hookbox_shuttle)]
mod delivery;
#[cfg(hookbox_shuttle)]
mod net;
#[cfg(hookbox_shuttle)]
mod stop;
#[cfg(hookbox_shuttle)]
mod store;
#[cfg(hookbox_shuttle)]
mod world;

#[cfg(hookbox_shuttle)]
fn main() -> std::process::ExitCode {
    checks::main()
}

#[cfg(not(hookbox_shuttle))]
fn main() {
    println!("built without `--cfg hookbox_shuttle`: tests/shuttle/run builds and runs it");
}
