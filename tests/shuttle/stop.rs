//! Stopping, whatever the threads are about.

use std::sync::Arc;
use std::time::Duration;

use hookbox::model::BatchStatus;
use shuttle::thread;

use super::checks::{Check, Plant};
use super::store::Mishap;
use super::world::{LEASE, LONG, World};

pub const CHECKS: &[Check] = &[
    Check {
        name: "a_stop_at_any_moment_loses_nothing",
        waits_end: false,
        program: at_any_moment,
        plant: Some(Plant::SendsTwice),
    },
    Check {
        name: "a_stop_gives_back_what_waits_for_a_sender",
        waits_end: false,
        program: full_queue,
        plant: None,
    },
    Check {
        name: "a_stop_breaks_what_does_not_end",
        waits_end: false,
        program: breaks,
        plant: Some(Plant::NeverBreaks),
    },
    Check {
        name: "a_drain_may_end_at_any_moment",
        waits_end: true,
        program: drain,
        plant: Some(Plant::NeverBreaks),
    },
    Check {
        name: "a_stop_waits_for_a_busy_store",
        waits_end: true,
        program: |plant| busy(plant, 3),
        plant: None,
    },
    Check {
        name: "a_stop_counts_what_could_not_be_stored",
        waits_end: true,
        program: |plant| busy(plant, 1_000),
        plant: None,
    },
    Check {
        name: "a_dispatcher_that_panics_hangs_no_stop",
        waits_end: false,
        program: panics,
        plant: None,
    },
    Check {
        name: "starts_and_stops_may_cross",
        waits_end: false,
        program: crossing,
        plant: None,
    },
];

/// Delivers what is left, and compares: each of these numbers was accepted once.
fn finish(world: &World, all: &[u64]) {
    world.net.open();
    world.hooks.start().unwrap();
    world.idle();
    world.stop();
    assert_eq!(world.net.accepted(), all);
    assert_eq!(world.count(BatchStatus::Delivered), all.len());
}

/// An engine that starts, works, waits or has begun to wait is told to stop while somebody emits.
fn at_any_moment(plant: Option<Plant>) {
    let world = World::new(plant, 2);
    world.net.open();
    world.hooks.start().unwrap();
    let emitting = Arc::clone(&world);
    let emitter = thread::spawn(move || {
        for number in [1, 2, 3] {
            emitting.emit(number).unwrap();
        }
    });
    world.stop();
    emitter.join().unwrap();
    finish(&world, &[1, 2, 3]);
}

/// One request is out, and what else was claimed waits for its sender.
fn full_queue(plant: Option<Plant>) {
    let world = World::new(plant, 1);
    world.add_webhook();
    for number in [1, 2] {
        world.emit(number).unwrap();
    }
    world.hooks.start().unwrap();
    world.net.until(|wire| !wire.begun.is_empty());
    let opening = Arc::clone(&world);
    let opener = thread::spawn(move || opening.net.open());
    world.stop();
    opener.join().unwrap();
    let accepted = world.net.accepted().len();
    assert_eq!(world.count(BatchStatus::Delivered), accepted);
    finish(&world, &[1, 1, 2, 2]);
}

fn breaks(plant: Option<Plant>) {
    let world = World::new(plant, 2);
    world.hooks.start().unwrap();
    world.emit(1).unwrap();
    world.emit(2).unwrap();
    world.net.until(|wire| !wire.begun.is_empty());
    world.hooks.stop(Duration::ZERO).unwrap();
    world.assert_stopped();
    assert_eq!(world.count(BatchStatus::Leased), 0);
    assert!(world.net.accepted().is_empty());
    // Until the next attempt.
    world.clock.advance(LONG);
    finish(&world, &[1, 2]);
}

fn drain(plant: Option<Plant>) {
    let world = World::new(plant, 2);
    world.hooks.start().unwrap();
    world.emit(1).unwrap();
    world.emit(2).unwrap();
    world.net.until(|wire| !wire.begun.is_empty());
    // With the bug nothing else would end the requests.
    let opener = plant.is_none().then(|| {
        let opening = Arc::clone(&world);
        thread::spawn(move || opening.net.open())
    });
    world.hooks.stop(LONG).unwrap();
    world.assert_stopped();
    if let Some(opener) = opener {
        opener.join().unwrap();
    }
    assert_eq!(world.count(BatchStatus::Leased), 0);
    let accepted = world.net.accepted();
    assert!(accepted.iter().is_sorted_by(|one, next| one < next));
    assert_eq!(world.count(BatchStatus::Delivered), accepted.len());
}

/// From when the first request is out the store is busy for so many writes: results are put in, and not
/// stored, while the box is told to stop.
fn busy(plant: Option<Plant>, writes: usize) {
    let world = World::new(plant, 2);
    world.hooks.start().unwrap();
    world.emit(1).unwrap();
    world.emit(2).unwrap();
    world.net.until(|wire| !wire.begun.is_empty());
    world
        .store
        .expect(std::iter::repeat_n(Mishap::Busy, writes));
    let opening = Arc::clone(&world);
    let opener = thread::spawn(move || opening.net.open());
    let stopped = world.hooks.stop(LONG);
    opener.join().unwrap();
    world.assert_stopped();
    let unstored = stopped.map_or_else(|error| number_in(&error.to_string()), |()| 0);
    assert_eq!(world.count(BatchStatus::Leased), unstored);
}

fn number_in(message: &str) -> usize {
    let mut words = message.split(' ');
    words.find_map(|word| word.parse().ok()).unwrap()
}

/// What the dead dispatcher had leased is sent when the leases have ended.
fn panics(plant: Option<Plant>) {
    let world = World::new(plant, 2);
    world.net.open();
    world.hooks.start().unwrap();
    let breaking = Arc::clone(&world);
    let breaker = thread::spawn(move || {
        breaking.emit(1).unwrap();
        breaking.chance.break_next();
        breaking.emit(2).unwrap();
    });
    // It may have had results that nobody stores now.
    let _ = world.hooks.stop(LONG);
    world.assert_stopped();
    breaker.join().unwrap();
    world.chance.be_well();
    // It was broken with the dispatcher.
    world.net.open();
    world.clock.advance(LEASE);
    world.hooks.start().unwrap();
    world.idle();
    world.stop();
    let mut accepted = world.net.accepted();
    accepted.dedup();
    assert_eq!(accepted, [1, 2]);
}

fn crossing(plant: Option<Plant>) {
    let world = World::new(plant, 1);
    world.net.open();
    let threads = [1, 2].map(|number| {
        let world = Arc::clone(&world);
        thread::spawn(move || {
            world.hooks.start().unwrap();
            world.emit(number).unwrap();
            let _ = world.hooks.is_running();
            world.hooks.stop(LONG).unwrap();
        })
    });
    for thread in threads {
        thread.join().unwrap();
    }
    world.assert_stopped();
    finish(&world, &[1, 2]);
}
