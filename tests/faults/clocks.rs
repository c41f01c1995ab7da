//! Clocks that jump, by hours and days, forwards and backwards, while deliveries fail and are
//! retried and between two opens: everything is delivered all the same, within real seconds of the
//! jump, and nothing waits for a time that the jump made absurd.

use std::time::Duration;

use hookbox::Options;
use hookbox::clock::Clock;
use hookbox::machine::longest_wait;
use hookbox::model::{FailureKind, Profile};

use crate::box_of::*;
use crate::run::{Figures, Size, Watchdog, below, figure};
use crate::support::*;

const HOUR: i64 = 3_600_000;

pub fn part(size: Size) -> Figures {
    let mut chance = size.chance();
    let _watchdog = Watchdog::new("clocks", Duration::from_secs(300));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("box.db");
    let clock = MovedClock::ahead(0);
    let net = FakeTransport::new();
    let open = || {
        let options = Options::new().clock(clock.clone()).transport(net.clone());
        options.retention(None).open(&path).unwrap()
    };
    let mut hooks = open();
    hooks.create_app_with(new_app()).unwrap();
    webhook(&hooks, "https://example.com/a").unwrap();
    let mut emitted = Vec::new();
    let mut jumps = 0;
    let longest = longest_wait(&Profile::prelude().delivery);
    for round in 0..size.pick(400, 20) {
        hooks.start().unwrap();
        // The first try fails: a retry waits for a time before the clock jumps.
        net.script(|_| failure(FailureKind::Connect));
        emitted.push(hooks.emit(APP, TYPE, payload(round)).unwrap().to_string());
        assert!(hooks.wait_idle(Duration::from_secs(30)).is_some());
        net.script(|_| status(200));
        let hours = 1 + i64::try_from(below(&mut chance, 24 * 10)).unwrap();
        let back = below(&mut chance, 2) == 0;
        clock.shift(if back { -hours * HOUR } else { hours * HOUR });
        jumps += 1;
        if below(&mut chance, 3) == 0 {
            drop(hooks);
            hooks = open();
            hooks.start().unwrap();
        }
        hooks.wake();
        let idle = hooks.wait_idle(Duration::from_secs(30));
        let due = idle.expect("it comes to rest").next_due;
        let now = clock.now();
        let wait = due.map_or(Duration::ZERO, |due| due.since(now));
        assert!(wait <= longest, "due in {wait:?} after {hours} h");
        drain(&hooks, &clock);
    }
    hooks.stop(Duration::from_secs(5)).unwrap();
    assert_eq!(hooks.check().unwrap(), Vec::<String>::new());
    let delivered: Vec<String> = net
        .deliveries()
        .iter()
        .flat_map(events_in)
        .map(|(id, _)| id)
        .collect();
    for id in &emitted {
        assert!(delivered.contains(id), "{id} was not delivered");
    }
    vec![
        figure("jumps", jumps),
        figure("events", emitted.len()),
        figure("lost", 0),
    ]
}
