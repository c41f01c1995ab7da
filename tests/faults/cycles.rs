//! Opening and closing, thousands of times, with the real transport and every tenth time with
//! threads and a delivery: descriptors, threads and memory stay where they were.

use std::time::Duration;

use crate::box_of::*;
use crate::run::{Figures, Size, Watchdog, figure};
use crate::support::*;

/// Memory that may come and go with the allocator.
const SLACK_KIB: usize = 16 * 1024;

pub fn part(size: Size) -> Figures {
    let _watchdog = Watchdog::new("open and close", Duration::from_secs(900));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("box.db");
    let receiver = Receiver::start();
    let cycles = size.pick(10_000, 300);
    let cycle = |number: usize| {
        let hooks = Kept::Sqlite
            .open(real_http(MovedClock::ahead(0)), &path)
            .unwrap();
        if number == 0 {
            hooks.create_app_with(new_app()).unwrap();
            webhook(&hooks, &receiver.url).unwrap();
        }
        if number.is_multiple_of(10) {
            hooks.start().unwrap();
            hooks.emit(APP, TYPE, "1").unwrap();
            assert!(hooks.wait_idle(Duration::from_secs(30)).is_some());
        }
    };
    for number in 0..cycles / 10 {
        cycle(number);
    }
    let before = Used::now();
    for number in cycles / 10..cycles {
        cycle(number);
    }
    let after = Used::now();
    let context = format!("{before:?}, then {after:?}");
    // The receiver's threads for connections that were just closed may still be ending.
    assert!(after.descriptors <= before.descriptors + 4, "{context}");
    assert!(after.threads <= before.threads + 4, "{context}");
    assert!(after.kib <= before.kib + SLACK_KIB, "{context}");
    vec![
        figure("cycles", cycles),
        figure(
            "descriptors",
            format!("{} -> {}", before.descriptors, after.descriptors),
        ),
        figure(
            "threads",
            format!("{} -> {}", before.threads, after.threads),
        ),
        figure("resident KiB", format!("{} -> {}", before.kib, after.kib)),
    ]
}

/// What this process uses.
#[derive(Debug)]
struct Used {
    descriptors: usize,
    threads: usize,
    kib: usize,
}

impl Used {
    fn now() -> Self {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            let word = line.unwrap().split_whitespace().next().unwrap();
            word.parse().unwrap()
        };
        Self {
            descriptors: std::fs::read_dir("/proc/self/fd").unwrap().count(),
            threads: field("Threads:"),
            kib: field("VmRSS:"),
        }
    }
}
