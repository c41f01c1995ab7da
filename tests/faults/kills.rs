//! Kills. A child emits from several threads and delivers to a real receiver in this process, which
//! kills it at a random moment and starts it again, hundreds of times. Half of the kills come early, while
//! the box still recovers from the kill before.
//!
//! Afterwards every event whose emit returned was delivered, the file is whole, and what came twice
//! came twice for a reason: the attempt before it was lost with its process.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use hookbox::clock::Prng;
use hookbox::model::{AttemptResult, EventId, EventType, FailureKind, NewEvent};

use crate::box_of::*;
use crate::run::{Figures, Size, Watchdog, below, figure};
use crate::support::*;

const THREADS: u64 = 4;
const CALLS_A_THREAD: u64 = 60;

/// Between two rounds the clock moves on, so that the leases of the killed have ended.
const ROUND_MILLIS: i64 = 60_000;

pub fn sqlite(size: Size) -> Figures {
    part(Kept::Sqlite, size.pick(600, 16), &mut size.chance())
}

#[cfg(feature = "redb")]
pub fn redb(size: Size) -> Figures {
    part(Kept::Redb, size.pick(200, 8), &mut size.chance())
}

/// Emits and delivers until it is killed.
pub fn child(arguments: &[String]) {
    let [kept, path, ahead] = arguments else {
        panic!("child kills STORAGE PATH MILLIS")
    };
    let clock = MovedClock::ahead(ahead.parse().unwrap());
    let hooks = Kept::named(kept)
        .open(real_http(clock), Path::new(path))
        .unwrap();
    println!("opened");
    hooks.start().unwrap();
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let hooks = &hooks;
            scope.spawn(move || {
                for call in 0..CALLS_A_THREAD {
                    let event = |number| {
                        NewEvent::new(EventType::parse(TYPE).unwrap(), payload(call * 10 + number))
                    };
                    let events = (0..=(call + thread) % 4).map(event).collect();
                    let ids = hooks.emit_many(APP, events).unwrap();
                    let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
                    println!("emitted {}", ids.join(" "));
                }
            });
        }
    });
    // Delivers on. The end of this input is the end of the parent.
    let _ = std::io::stdin().read(&mut [0]);
}

#[derive(Default)]
struct Kills {
    acknowledged: BTreeSet<EventId>,
    /// Processes that were killed before they had opened the box.
    unopened: usize,
    /// From starting the process to its first acknowledged event.
    recovery: Vec<Duration>,
}

impl Kills {
    fn round(&mut self, kept: Kept, path: &Path, ahead: i64, chance: &mut Prng) {
        let longest = [200_000, 20_000][below(chance, 2)];
        let patience = Duration::from_micros(chance.next_u64() % longest);
        let began = Instant::now();
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["child", "kills", kept.name()])
            .arg(path)
            .arg(ahead.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (send, lines) = mpsc::channel();
        let reader = std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                send.send((Instant::now(), line)).unwrap();
            }
        });
        let mut got = Vec::new();
        let mut killed = false;
        loop {
            let left = patience.saturating_sub(began.elapsed());
            match lines.recv_timeout(if killed {
                Duration::from_secs(60)
            } else {
                left
            }) {
                Ok(line) => got.push(line),
                Err(mpsc::RecvTimeoutError::Timeout) => {
                    assert!(!killed, "a killed child goes on");
                    child.kill().unwrap();
                    killed = true;
                }
                Err(mpsc::RecvTimeoutError::Disconnected) => break,
            }
        }
        reader.join().unwrap();
        let status = child.wait().unwrap();
        assert_eq!(status.code(), None, "the child ended by itself");
        self.unopened += usize::from(got.is_empty());
        if let Some((at, _)) = got.iter().find(|(_, line)| line.starts_with("emitted")) {
            self.recovery.push(*at - began);
        }
        for (_, line) in got {
            let ids = line.strip_prefix("emitted ").unwrap_or_default();
            // The last line may have been cut.
            let whole = ids.split(' ').filter_map(|id| EventId::parse(id).ok());
            self.acknowledged.extend(whole);
        }
    }
}

fn part(kept: Kept, rounds: i64, chance: &mut Prng) -> Figures {
    let _watchdog = Watchdog::new("kills", Duration::from_secs(900));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("box");
    let receiver = Receiver::start();
    {
        let hooks = kept.open(real_http(MovedClock::ahead(0)), &path).unwrap();
        hooks.create_app_with(new_app()).unwrap();
        for name in ["a", "b", "c"] {
            webhook(&hooks, &format!("{}/{name}", receiver.url)).unwrap();
        }
    }
    let mut kills = Kills::default();
    for round in 0..rounds {
        kills.round(kept, &path, round * ROUND_MILLIS, chance);
    }
    let clock = MovedClock::ahead(rounds * ROUND_MILLIS);
    let hooks = kept.open(real_http(clock.clone()), &path).unwrap();
    hooks.start().unwrap();
    drain(&hooks, &clock);
    hooks.stop(Duration::from_secs(10)).unwrap();
    assert_eq!(hooks.check().unwrap(), Vec::<String>::new());

    let seen = Seen::of(&receiver);
    let stored = events(&hooks).unwrap();
    for id in &kills.acknowledged {
        assert!(stored.contains_key(id), "{id} was acknowledged and is gone");
    }
    for (target, batches) in &seen.batches_of {
        for id in &kills.acknowledged {
            assert!(batches.contains_key(id), "{id} never came to {target}");
        }
        for (id, batches) in batches {
            assert!(stored.contains_key(id), "{id} came and was never emitted");
            assert_eq!(
                batches.len(),
                1,
                "{id} came in several batches: {batches:?}"
            );
        }
    }
    let mut recorded: BTreeMap<String, Vec<AttemptResult>> = BTreeMap::new();
    for attempt in attempts(&hooks).unwrap() {
        let results = recorded.entry(attempt.batch_id.to_string()).or_default();
        results.push(attempt.result);
    }
    let lost = AttemptResult::Failure(FailureKind::Lost);
    for (batch, times) in &seen.times {
        let results = recorded.get(batch).map_or(&[][..], Vec::as_slice);
        assert!(
            *times <= results.len(),
            "{batch} came {times} times: {results:?}"
        );
        assert!(
            *times == 1 || results.contains(&lost),
            "{batch} came {times} times: {results:?}"
        );
    }
    let requests: usize = seen.times.values().sum();
    let twice = requests - seen.times.len();
    kills.recovery.sort();
    let at = |percent: usize| {
        let index = (kills.recovery.len() * percent / 100).min(kills.recovery.len().max(1) - 1);
        let time = kills.recovery.get(index).map(Duration::as_secs_f64);
        time.map_or("none".to_owned(), |time| format!("{:.0} ms", time * 1e3))
    };
    vec![
        figure("kills", rounds),
        figure("before the box was open", kills.unopened),
        figure("events acknowledged", kills.acknowledged.len()),
        figure("lost", 0),
        figure("requests", requests),
        figure("repeated after a lost result", twice),
        figure(
            "attempts recorded as lost",
            recorded
                .values()
                .flatten()
                .filter(|one| **one == lost)
                .count(),
        ),
        figure("start to first acknowledged event p50", at(50)),
        figure("p99", at(99)),
    ]
}

/// What the receiver got.
#[derive(Default)]
struct Seen {
    /// For each webhook, the batches that each event came in.
    batches_of: BTreeMap<String, BTreeMap<EventId, BTreeSet<String>>>,
    /// How often each batch came.
    times: BTreeMap<String, usize>,
}

impl Seen {
    fn of(receiver: &Receiver) -> Self {
        let mut seen = Self::default();
        for request in receiver.deliveries() {
            let batch = request.header("webhook-id").unwrap().to_owned();
            let body: serde_json::Value = serde_json::from_slice(&request.body).unwrap();
            for event in body["events"].as_array().unwrap() {
                assert!(
                    is_whole(&event["payload"].to_string()),
                    "a wrong event: {event}"
                );
                let id = EventId::parse(event["id"].as_str().unwrap()).unwrap();
                let batches = seen.batches_of.entry(request.target.clone()).or_default();
                batches.entry(id).or_default().insert(batch.clone());
            }
            *seen.times.entry(batch).or_default() += 1;
        }
        seen
    }
}
