//! I/O errors: the n-th operation on the disk fails, once or from then on, for every n until a run
//! meets no fault.
//!
//! Whatever fails: nothing hangs, the error is one that says what it means, a step that is repeated
//! succeeds once the disk is well, nothing that was acknowledged is lost, every key stands for one
//! event, and everything is delivered.

use std::time::Duration;

use hookbox::{Error, StorageFault};

use crate::fault::{Fault, Seen};
use crate::run::{Figures, Size, Watchdog, below, figure};
use crate::scenario::{Engine, SQLITE, STEPS, World};
use crate::support::events_in;
use crate::vfs;

pub fn sqlite(size: Size) -> Figures {
    vfs::install();
    part(SQLITE, size)
}

#[cfg(feature = "redb")]
pub fn redb(size: Size) -> Figures {
    part(crate::backend::REDB, size)
}

fn part(engine: Engine, size: Size) -> Figures {
    let mut chance = size.chance();
    let mut figures = Figures::new();
    let mut errors = 0;
    for (name, for_ever, full) in [
        ("failing once", false, false),
        ("failing for ever", true, false),
        ("full once", false, true),
        ("full for ever", true, true),
    ] {
        let mut at = 0;
        let mut points = 0;
        loop {
            // The quick size visits some of them, others each time.
            at += if size.full {
                1
            } else {
                1 + below(&mut chance, 60) as u64
            };
            let fault = Fault { at, for_ever, full };
            let seen = run(engine, fault);
            if seen.failed == 0 {
                break;
            }
            points += 1;
            errors += seen.errors;
        }
        figures.push(figure(name, points));
    }
    figures.push(figure("errors reported", errors));
    figures.push(figure("lost", 0));
    figures
}

/// One life of a box with one fault in it.
fn run(engine: Engine, fault: Fault) -> Seen {
    let _watchdog = Watchdog::new(format!("{fault:?}"), Duration::from_secs(120));
    let folder = tempfile::tempdir().unwrap();
    let mut world = World::new(engine, &folder.path().join("box"));
    let mut errors = 0;
    (engine.arm)(fault);
    for (name, step) in STEPS {
        let mut tries = 0;
        while let Err(error) = step(&mut world) {
            assert!(
                says_what_it_is(&error, fault)
                    || (!world.told.app && matches!(error, Error::AppNotFound(_))),
                "{fault:?}, {name}: {error:?}"
            );
            errors += 1;
            tries += 1;
            if fault.for_ever {
                break;
            }
            assert!(tries < 3, "{fault:?}, {name} does not recover: {error}");
        }
    }
    world.close();
    let failed = (engine.disarm)();
    let context = |what: &str| format!("{fault:?}: {what}");
    // The disk is well again: a new box on the file has everything.
    let kept = world.verify();
    assert_eq!(kept, Ok(()), "{}", context("afterwards"));
    for (name, step) in STEPS {
        step(&mut world).unwrap_or_else(|error| panic!("{}", context(&format!("{name}: {error}"))));
    }
    let kept = world.verify();
    assert_eq!(kept, Ok(()), "{}", context("at the end"));
    loop {
        let now = hookbox::clock::Clock::now(&*world.clock);
        let Some(due) = world.open().unwrap().poll(now).unwrap().next_due else {
            break;
        };
        world.clock.set(due);
    }
    let delivered: Vec<String> = world
        .net
        .deliveries()
        .iter()
        .flat_map(events_in)
        .map(|(id, _)| id)
        .collect();
    for (number, id) in world.told.emitted.iter().chain(&world.told.old) {
        assert!(
            delivered.contains(&id.to_string()),
            "{}",
            context(&format!("{number} undelivered"))
        );
    }
    Seen { failed, errors }
}

/// Whether an error tells the truth about a disk that fails or is full.
pub fn says_what_it_is(error: &Error, when: Fault) -> bool {
    let Error::Storage { fault, .. } = error else {
        return false;
    };
    match fault {
        StorageFault::Io | StorageFault::CommitUnknown => true,
        StorageFault::Full => when.full,
        _ => false,
    }
}
