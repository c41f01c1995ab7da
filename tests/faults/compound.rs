//! Compound faults: the disk fails while a box recovers from a power cut.
//!
//! The files are as a power cut left them (`power.rs`). The box is opened, emits, and is opened again,
//! with the n-th operation on the disk failing, once or from then on, for every n until nothing fails.
//! Whatever was in the middle then: once the disk is well the box opens, is whole, works, and has all
//! that was acknowledged, before the cut and since.

use std::time::Duration;

use hookbox::Error;

use crate::fault::{Fault, Seen};
use crate::io_errors::says_what_it_is;
use crate::power::{self, Cut};
use crate::run::{Figures, Size, Watchdog, below, figure};
use crate::scenario::RECOVERY;
use crate::vfs;

pub fn part(size: Size) -> Figures {
    vfs::install();
    let mut chance = size.chance();
    let cuts = power::cuts(size.pick(40, 4), &mut chance);
    let mut figures = vec![figure("power cuts", cuts.len())];
    let mut errors = 0;
    for (name, for_ever) in [("failing once", false), ("failing for ever", true)] {
        let mut points = 0;
        for cut in &cuts {
            let mut at = 0;
            loop {
                // The quick size visits some of them, others each time.
                at += if size.full {
                    1
                } else {
                    1 + below(&mut chance, 3) as u64
                };
                let full = false;
                let seen = run(cut, Fault { at, for_ever, full });
                if seen.failed == 0 {
                    break;
                }
                points += 1;
                errors += seen.errors;
            }
        }
        figures.push(figure(name, points));
    }
    assert!(errors > 0, "no recovery met a fault");
    figures.push(figure("errors reported", errors));
    figures.push(figure("lost", 0));
    figures
}

/// One recovery with one fault in it.
fn run(cut: &Cut, fault: Fault) -> Seen {
    let _watchdog = Watchdog::new(format!("{fault:?} in a recovery"), Duration::from_secs(60));
    let folder = tempfile::tempdir().unwrap();
    let mut world = power::found(&cut.files, &cut.told, folder.path());
    let mut errors = 0;
    vfs::arm(fault);
    for (name, step) in RECOVERY {
        if let Err(error) = step(&mut world) {
            assert!(
                says_what_it_is(&error, fault)
                    || (!world.told.app && matches!(error, Error::AppNotFound(_))),
                "{fault:?}, {name}: {error:?}"
            );
            errors += 1;
        }
    }
    world.close();
    let failed = vfs::disarm();
    assert_eq!(world.verify(), Ok(()), "{fault:?}: afterwards");
    if world.told.app {
        for (name, step) in RECOVERY {
            step(&mut world).unwrap_or_else(|error| panic!("{fault:?}: {name}: {error}"));
        }
        assert_eq!(world.verify(), Ok(()), "{fault:?}: at the end");
    }
    Seen { failed, errors }
}
