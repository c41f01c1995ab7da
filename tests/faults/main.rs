//! Faults: kills, failing disks, power cuts, full disks, damaged files, clocks that jump, forks.
//!
//! `cargo test --test faults` runs a small size of each part in seconds; `tests/run faults` the
//! whole (`-- --full`). A word on the command line picks the parts whose names have it; `--seed N`
//! repeats a run. Each part prints its figures; one that finds a fault says what, and with which seed.
#![cfg_attr(not(target_os = "linux"), allow(unused))]

#[cfg(all(target_os = "linux", feature = "redb"))]
mod backend;
#[cfg(target_os = "linux")]
mod box_of;
#[cfg(target_os = "linux")]
mod clocks;
#[cfg(target_os = "linux")]
mod compound;
#[cfg(target_os = "linux")]
mod cycles;
#[cfg(target_os = "linux")]
mod damage;
#[cfg(target_os = "linux")]
mod fault;
#[cfg(target_os = "linux")]
mod files;
#[cfg(target_os = "linux")]
mod fork;
#[cfg(target_os = "linux")]
mod full;
#[cfg(target_os = "linux")]
mod io_errors;
#[cfg(target_os = "linux")]
mod kills;
#[cfg(target_os = "linux")]
mod limits;
#[cfg(target_os = "linux")]
mod names;
#[cfg(target_os = "linux")]
mod power;
#[cfg(target_os = "linux")]
mod run;
#[cfg(target_os = "linux")]
mod scenario;
#[cfg(target_os = "linux")]
#[path = "../it/support/mod.rs"]
#[allow(
    dead_code,
    unused_imports,
    reason = "shared with tests/it, which uses all of it"
)]
mod support;
#[cfg(target_os = "linux")]
mod system;
#[cfg(target_os = "linux")]
mod vfs;

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    run::main()
}

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("the faults are injected on Linux only");
}
