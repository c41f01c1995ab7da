//! A full disk, for real: a small file system in memory. While it is full, emitting says so and
//! nothing new is sent, so that results which cannot be stored do not become a storm of duplicates.
//! When there is room again, everything goes on by itself.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::box_of::*;
use crate::run::{Figures, Size, Watchdog, figure};
use crate::support::*;
use crate::system::SmallDisk;

const DISK_BYTES: usize = 8 * 1024 * 1024;

/// Left free at first.
const ROOM_BYTES: u64 = 256 * 1024;

const ROUNDS: usize = 5;

const WORKERS: usize = 4;

/// Claimed at once at most: one batch for each sender, and as many again in the queue.
const IN_FLIGHT: usize = 2 * WORKERS;

const WEBHOOKS: usize = 30;

pub fn part(size: Size) -> Figures {
    if !size.full {
        // Needs root: the limit on file sizes stands in for it (limits.rs).
        return vec![figure("left out", "the full size has it")];
    }
    let _watchdog = Watchdog::new("a full disk", Duration::from_secs(300));
    let folder = tempfile::tempdir().unwrap();
    let _disk = SmallDisk::mount(folder.path(), DISK_BYTES)
        .expect("a small file system must be mounted for this: run it as root");
    let path = folder.path().join("box.db");
    let filler = folder.path().join("filler");
    let receiver = Receiver::start();
    let options = real_http(MovedClock::ahead(0)).workers(WORKERS);
    let hooks = Kept::Sqlite.open(options, &path).unwrap();
    hooks.create_app_with(new_app()).unwrap();
    for number in 0..WEBHOOKS {
        webhook(&hooks, &format!("{}/{number}", receiver.url)).unwrap();
    }
    hooks.start().unwrap();
    let mut acknowledged = Vec::new();
    let (mut stalled, mut refused, mut sent_while_full, mut resumed) = (0, 0, 0, Duration::ZERO);
    for _ in 0..ROUNDS {
        let _ = std::fs::write(&filler, vec![b'x'; DISK_BYTES]);
        let filled = std::fs::metadata(&filler).unwrap().len();
        let file = std::fs::OpenOptions::new()
            .write(true)
            .open(&filler)
            .unwrap();
        file.set_len(filled - ROOM_BYTES).unwrap();
        drop(file);
        // What is left is used up by events and their deliveries at once.
        let mut last = 0;
        for number in 0..2000 {
            match hooks.emit(APP, TYPE, payload(number)) {
                Ok(id) => acknowledged.push(id),
                Err(error) => {
                    assert_eq!(error.code(), "storage_full", "{error}");
                    refused += 1;
                    last += 1;
                }
            }
            if last == 50 {
                break;
            }
        }
        assert!(last > 0, "the disk is not full");
        let before = receiver.deliveries().len();
        stalled += usize::from(hooks.wait_idle(Duration::from_secs(2)).is_none());
        let sent = receiver.deliveries().len() - before;
        assert!(sent <= IN_FLIGHT, "{sent} requests while full");
        sent_while_full = sent_while_full.max(sent);
        std::fs::remove_file(&filler).unwrap();
        let freed = Instant::now();
        assert!(
            hooks.wait_idle(Duration::from_secs(60)).is_some(),
            "it does not go on"
        );
        resumed = resumed.max(freed.elapsed());
    }
    assert!(
        stalled > 0,
        "the disk was never full in the middle of deliveries"
    );
    hooks.stop(Duration::from_secs(10)).unwrap();
    assert_eq!(hooks.check().unwrap(), Vec::<String>::new());
    let mut times: BTreeMap<(String, String), usize> = BTreeMap::new();
    for request in receiver.deliveries() {
        let body: serde_json::Value = serde_json::from_slice(&request.body).unwrap();
        for event in body["events"].as_array().unwrap() {
            let id = event["id"].as_str().unwrap().to_owned();
            *times.entry((request.target.clone(), id)).or_default() += 1;
        }
    }
    for id in &acknowledged {
        let to = times.keys().filter(|(_, came)| *came == id.to_string());
        assert_eq!(
            to.count(),
            WEBHOOKS,
            "{id} was acknowledged and did not come"
        );
    }
    let twice = times.values().filter(|times| **times > 1).count();
    assert_eq!(twice, 0, "results were kept in memory until there was room");
    vec![
        figure("times full", ROUNDS),
        figure("with deliveries stalled", stalled),
        figure("events acknowledged", acknowledged.len()),
        figure("refused while full", refused),
        figure("lost", 0),
        figure("deliveries", times.len()),
        figure("duplicates", twice),
        figure(
            "requests while full at most",
            format!("{sent_while_full} (of {IN_FLIGHT} in flight)"),
        ),
        figure(
            "back to rest after space was freed",
            format!("{:.1} s at most", resumed.as_secs_f64()),
        ),
    ]
}
