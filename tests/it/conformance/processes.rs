//! Several processes on one file.
//!
//! Goal: what the suite asks of several handles holds between processes too. Method: two children of
//! this test claim and settle while the parent emits; each prints what it delivered. Each has claimed one
//! batch before either goes on, so that both take part however SQLite's lock is shared.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use hookbox::machine::{ControlHeaders, judge};
use hookbox::model::{Attempt, AttemptResult};
use hookbox::storage::sqlite::SqliteStorage;
use hookbox::storage::{ClaimRequest, Claimed, Settlement, Storage};

use crate::support::*;

/// Tells a child which file to work on.
const FILE: &str = "HOOKBOX_TEST_WORKED_ON";
const NAME: &str = "conformance::processes::two_processes_deliver_each_event_once";

const WEBHOOKS: usize = 4;
const EVENTS: u64 = 600;

#[test]
fn two_processes_deliver_each_event_once() {
    if let Some(path) = std::env::var_os(FILE) {
        work(Path::new(&path));
        return;
    }
    let bench = Bench::new();
    for number in 0..WEBHOOKS {
        bench.webhook(&number.to_string());
    }
    bench.emit("0");
    let mut children = [start(&bench.path()), start(&bench.path())];
    let mut outputs = children.each_mut().map(|child| {
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        wait_for_ready(&mut lines);
        lines
    });
    for child in &mut children {
        child.stdin.as_mut().unwrap().write_all(b"go\n").unwrap();
    }
    for number in 1..EVENTS {
        bench.emit(number.to_string());
    }
    for child in &mut children {
        // The end of its input: no more will be emitted.
        drop(child.stdin.take());
    }
    let mut times: BTreeMap<String, u32> = BTreeMap::new();
    for output in &mut outputs {
        let mut text = String::new();
        output.read_to_string(&mut text).unwrap();
        let delivered: Vec<&str> = text
            .lines()
            .filter(|line| line.starts_with("got "))
            .collect();
        assert!(!delivered.is_empty(), "one process did all the work");
        for line in delivered {
            *times.entry(line.to_owned()).or_default() += 1;
        }
    }
    for child in &mut children {
        assert!(child.wait().unwrap().success());
    }
    assert_eq!(
        times.len() as u64,
        WEBHOOKS as u64 * EVENTS,
        "each event, to each webhook"
    );
    assert!(times.values().all(|count| *count == 1), "once");
    assert_eq!(bench.hooks.check().unwrap(), Vec::<String>::new());
}

fn start(path: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args([NAME, "--exact", "--nocapture"])
        .env(FILE, path)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

fn wait_for_ready(lines: &mut BufReader<ChildStdout>) {
    let mut line = String::new();
    while line.trim() != "ready" {
        line.clear();
        assert!(
            lines.read_line(&mut line).unwrap() > 0,
            "a child died early"
        );
    }
}

/// Claims a batch, says so, and when it is told to go on delivers until its input has ended and nothing
/// is left. No time passes, so that no lease ends.
fn work(path: &Path) {
    let storage = SqliteStorage::open(path, None).unwrap();
    let mut turn = u64::from(std::process::id()) << 32;
    let mut exchange = |results, batches_max| {
        let request = ClaimRequest::any(batches_max);
        // No two processes make the same batch ids.
        turn += 1;
        let exchanged = storage.exchange(START, turn, results, Some(request));
        let exchanged = exchanged.unwrap();
        assert_eq!(exchanged.lost, [], "a lease that is held");
        exchanged
    };
    let mut claimed = exchange(Vec::new(), 1).claimed;
    assert_eq!(claimed.len(), 1, "of four batches for two processes");
    println!("\nready");
    let mut input = BufReader::new(std::io::stdin());
    input.read_line(&mut String::new()).unwrap();
    let has_ended = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let _ = input.read(&mut [0]);
            has_ended.store(true, SeqCst);
        });
        loop {
            let was_last = has_ended.load(SeqCst);
            let writes = storage.foreign_writes().unwrap();
            let exchanged = exchange(claimed.iter().map(accepted).collect(), 2);
            // Now that it is stored.
            claimed.iter().for_each(|one| print_events(&storage, one));
            claimed = exchanged.claimed;
            if was_last && claimed.is_empty() && !exchanged.more {
                return;
            }
            // Idle, it leaves SQLite's lock to the others until one of them has written.
            while claimed.is_empty()
                && !has_ended.load(SeqCst)
                && storage.foreign_writes().unwrap() == writes
            {
                std::thread::yield_now();
            }
        }
    });
}

fn accepted(claimed: &Claimed) -> Settlement {
    let result = AttemptResult::Status(200);
    let attempt = Attempt {
        batch_id: claimed.batch.id,
        webhook_id: claimed.batch.webhook_id.clone(),
        number: claimed.batch.attempts,
        started_at: START,
        duration_ms: 0,
        result,
        excerpt: String::new(),
    };
    let outcome = judge(&claimed.policy, result, ControlHeaders::default(), START);
    Settlement {
        batch_id: claimed.batch.id,
        fence: claimed.batch.fence,
        attempt: Some((attempt, outcome)),
    }
}

fn print_events(storage: &SqliteStorage, claimed: &Claimed) {
    let webhook = &claimed.batch.webhook_id;
    let mut lines = String::new();
    for event in storage.read_events(&claimed.batch.positions).unwrap() {
        lines.push_str(&format!("got {} of {webhook}\n", event.payload));
    }
    print!("{lines}");
}
