//! The dispatcher and the senders while they work.

use std::sync::Arc;
use std::time::Duration;

use hookbox::model::BatchStatus;
use shuttle::sync::atomic::{AtomicBool, Ordering::SeqCst};
use shuttle::thread;

use super::checks::{Check, Plant};
use super::world::{LONG, World};

pub const CHECKS: &[Check] = &[
    Check {
        name: "an_idle_engine_has_delivered_what_was_emitted",
        waits_end: false,
        program: idle_is_idle,
        plant: Some(Plant::SendsTwice),
    },
    Check {
        name: "two_webhooks_share_a_body",
        waits_end: false,
        program: shared_bodies,
        plant: None,
    },
    Check {
        name: "an_interrupt_ends_a_wait",
        waits_end: false,
        program: interrupted,
        plant: None,
    },
    Check {
        name: "a_slow_request_holds_no_sender",
        waits_end: false,
        program: slow,
        plant: None,
    },
];

/// A wake that is lost is noticed too: who waits then waits for ever.
fn idle_is_idle(plant: Option<Plant>) {
    let world = World::new(plant, 2);
    world.net.open();
    world.hooks.start().unwrap();
    let emitters = [10, 20].map(|first| {
        let world = Arc::clone(&world);
        thread::spawn(move || {
            for number in [first, first + 1] {
                world.emit(number).unwrap();
                world.idle();
                assert!(world.net.accepted().contains(&number), "idle too early");
            }
        })
    });
    for emitter in emitters {
        emitter.join().unwrap();
    }
    world.stop();
    assert_eq!(world.net.accepted(), [10, 11, 20, 21]);
    assert_eq!(world.count(BatchStatus::Delivered), 4);
}

fn shared_bodies(plant: Option<Plant>) {
    let world = World::new(plant, 2);
    world.add_webhook();
    world.net.open();
    world.emit(1).unwrap();
    world.hooks.start().unwrap();
    world.emit(2).unwrap();
    world.idle();
    world.stop();
    assert_eq!(world.net.accepted(), [1, 1, 2, 2]);
}

fn interrupted(plant: Option<Plant>) {
    let world = World::new(plant, 1);
    world.hooks.start().unwrap();
    world.emit(1).unwrap();
    let gave_up = Arc::new(AtomicBool::new(false));
    let (waiting, gives_up) = (Arc::clone(&world), Arc::clone(&gave_up));
    let waiter = thread::spawn(move || {
        assert_eq!(waiting.hooks.wait_idle(LONG), None);
        gives_up.store(true, SeqCst);
    });
    while !gave_up.load(SeqCst) {
        world.hooks.interrupt();
        thread::yield_now();
    }
    waiter.join().unwrap();
    world.net.open();
    world.stop();
    assert!(world.net.accepted().len() <= 1);
}

/// The only sender waits for an answer, and what comes after its request goes out all the same.
fn slow(plant: Option<Plant>) {
    let world = World::new(plant, 1);
    world.add_webhook();
    world.hooks.start().unwrap();
    world.emit(1).unwrap();
    world.net.until(|wire| wire.begun.len() == 1);
    world.clock.advance(Duration::from_secs(1));
    world.hooks.wake();
    world.net.until(|wire| wire.begun.len() == 2);
    world.net.open();
    world.idle();
    world.stop();
    assert_eq!(world.net.accepted(), [1, 1]);
}
