//! The commit queue: writes of many threads in one commit.

use std::sync::Arc;

use hookbox::model::{EventType, NewEvent};
use hookbox::{Error, StorageFault};

use super::checks::{Check, Plant};
use super::store::{Mishap, REFUSED};
use super::world::{APP, TYPE, World, sorted};

pub const CHECKS: &[Check] = &[
    Check {
        name: "acknowledged_writes_are_stored_once",
        waits_end: false,
        program: acknowledged,
        plant: Some(Plant::LosesCommits),
    },
    Check {
        name: "a_refused_write_undoes_itself_alone",
        waits_end: false,
        program: refused,
        plant: Some(Plant::KeepsRefused),
    },
    Check {
        name: "a_store_that_panics_holds_up_nobody",
        waits_end: false,
        program: panics,
        plant: None,
    },
    Check {
        name: "a_store_that_fails_keeps_what_it_acknowledged",
        waits_end: false,
        program: fails,
        plant: Some(Plant::LosesCommits),
    },
];

const WRITERS: u64 = 3;

/// Does this in several threads at once; returns what each brought.
fn at_once<T: Send + 'static>(world: &Arc<World>, work: fn(&World, u64) -> Vec<T>) -> Vec<T> {
    let threads: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let world = Arc::clone(world);
            shuttle::thread::spawn(move || work(&world, 10 * writer))
        })
        .collect();
    let brought = threads.into_iter().map(|thread| thread.join().unwrap());
    brought.flatten().collect()
}

fn event(payload: impl Into<String>) -> NewEvent {
    NewEvent::new(EventType::parse(TYPE).unwrap(), payload)
}

fn acknowledged(plant: Option<Plant>) {
    let world = World::new(plant, 1);
    let written = at_once(&world, |world, first| {
        let numbers = vec![first, first + 1];
        numbers.iter().for_each(|one| world.emit(*one).unwrap());
        numbers
    });
    assert_eq!(world.stored(), sorted(written));
}

/// Of two events of one call the first is written before the second is refused.
fn refused(plant: Option<Plant>) {
    let world = World::new(plant, 1);
    let written = at_once(&world, |world, first| {
        world.emit(first).unwrap();
        let events = vec![event((first + 5).to_string()), event(REFUSED)];
        let emitted = world.hooks.emit_many(APP, events);
        assert_eq!(emitted.unwrap_err().code(), "storage_full");
        world.emit(first + 1).unwrap();
        vec![first, first + 1]
    });
    assert_eq!(world.stored(), sorted(written));
}

fn panics(plant: Option<Plant>) {
    let world = World::new(plant, 1);
    world
        .store
        .expect([Mishap::PanicsAtBegin, Mishap::PanicsAtCommit]);
    let mut written = at_once(&world, |world, first| {
        let numbers = [first, first + 1].into_iter();
        let kept = numbers.filter(|one| match world.emit(*one) {
            Ok(()) => true,
            Err(error) => {
                assert_eq!(error.code(), "storage_commit_unknown");
                false
            }
        });
        kept.collect()
    });
    world.emit(100).unwrap();
    written.push(100);
    assert_eq!(world.stored(), sorted(written));
}

/// What a store refused, or may have stored, is emitted again with its key.
fn fails(plant: Option<Plant>) {
    let world = World::new(plant, 1);
    let mishaps = [Mishap::Busy, Mishap::Unknown, Mishap::Busy, Mishap::Unknown];
    world.store.expect(mishaps);
    let written = at_once(&world, |world, first| {
        let numbers = vec![first, first + 1];
        for number in &numbers {
            let again = || event(number.to_string()).key(number.to_string());
            while let Err(error) = world.hooks.emit_event(APP, again()) {
                let Error::Storage { fault, .. } = error else {
                    panic!("{error:?}");
                };
                assert!([StorageFault::Busy, StorageFault::CommitUnknown].contains(&fault));
            }
        }
        numbers
    });
    assert_eq!(world.stored(), sorted(written));
}
