//! A fleet: three processes deliver from one database at once, while one after the other is killed
//! and the server restarts in between.
//!
//! Goal: every event arrives, none is lost, and none more often than leases were given for it.
//! Method: real processes, a real sink, a cluster of its own. Nothing waits for a time: the next kill
//! comes when so many requests have arrived. Prints its figures.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use hookbox::model::{BatchStatus, EventType, Events, NewEvent, NewWebhook, Profile};
use hookbox::storage::{BatchFilter, PageRequest};
use hookbox::{Hookbox, NewApp, Options};

use super::server::Cluster;
use crate::support::*;

/// Says that a process is one of the fleet, and where the box is.
const URL: &str = "HOOKBOX_TEST_FLEET";

const PROCESSES: usize = 3;
const WEBHOOKS: usize = 5;
const ROUNDS: usize = 12;
const EVENTS_A_ROUND: usize = 200;
/// Rounds in which the server restarts, and crashes.
const RESTARTS: [usize; 2] = [3, 9];
const CRASH: usize = 6;

fn open(url: &str) -> hookbox::Result<Hookbox> {
    let network = "127.0.0.0/8".parse().unwrap();
    Options::new()
        .allow_http(true)
        .allow_network(network)
        .open(url)
}

/// Calls until it succeeds, for as long as a server may take to restart.
fn insist<T>(mut call: impl FnMut() -> hookbox::Result<T>) -> T {
    for _ in 0..300 {
        match call() {
            Ok(value) => return value,
            Err(error) if error.is_retryable() => {
                std::thread::park_timeout(Duration::from_millis(100));
            }
            Err(error) => panic!("{error}"),
        }
    }
    panic!("the server did not come back")
}

/// Looks for a minute at most: all that a webhook may have in flight can be leased to the dead, and
/// comes again when the leases have ended, after 21 seconds. What is missing then is told by the
/// assertions.
fn wait_until(condition: impl Fn() -> bool) {
    for _ in 0..600 {
        if condition() {
            return;
        }
        std::thread::park_timeout(Duration::from_millis(100));
    }
}

/// Delivers until it is killed, or its parent is gone.
fn deliver(url: &str) {
    let hooks = insist(|| open(url));
    hooks.start().unwrap();
    let _ = std::io::stdin().read(&mut [0]);
}

fn spawn(url: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args([
            "postgres::fleet::nothing_is_lost_while_processes_are_killed_and_the_server_restarts",
            "--exact",
            "--nocapture",
        ])
        .env(URL, url)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

fn set_up(hooks: &Hookbox, sink: &Receiver) {
    let mut profile = Profile::prelude();
    profile.delivery.batch_events_max = 10;
    profile.delivery.timeout = Duration::from_secs(1);
    let new = NewApp {
        profile,
        ..NewApp::new(APP.parse().unwrap())
    };
    hooks.create_app_with(new).unwrap();
    for n in 0..WEBHOOKS {
        let events = Events::only([EventType::parse(TYPE).unwrap()]);
        let new = NewWebhook::new(format!("{}/{n}", sink.url)).events(events);
        let webhook = hooks.create_webhook(APP, new).unwrap();
        hooks.activate(APP, &webhook.id).unwrap();
    }
}

/// What the sink got: how often each webhook got each event, and how often each batch came.
#[derive(Default)]
struct Got {
    events: BTreeMap<(String, String), usize>,
    batches: BTreeMap<String, usize>,
}

impl Got {
    fn of(sink: &Receiver) -> Self {
        let mut got = Self::default();
        for request in sink.deliveries() {
            let body: serde_json::Value = serde_json::from_slice(&request.body).unwrap();
            let batch = request.header("webhook-id").unwrap().to_owned();
            *got.batches.entry(batch).or_default() += 1;
            for event in body["events"].as_array().unwrap() {
                let id = event["id"].as_str().unwrap().to_owned();
                *got.events.entry((request.target.clone(), id)).or_default() += 1;
            }
        }
        got
    }
}

#[test]
fn nothing_is_lost_while_processes_are_killed_and_the_server_restarts() {
    if let Ok(url) = std::env::var(URL) {
        return deliver(&url);
    }
    let cluster = Cluster::start();
    let (url, sink) = (cluster.url(), Receiver::start());
    let hooks = open(&url).unwrap();
    set_up(&hooks, &sink);
    let mut fleet: Vec<Child> = (0..PROCESSES).map(|_| spawn(&url)).collect();
    let (mut ids, mut kills) = (BTreeSet::new(), 0);
    for round in 0..ROUNDS {
        let before = sink.deliveries().len();
        for n in 0..EVENTS_A_ROUND {
            let payload = (round * EVENTS_A_ROUND + n).to_string();
            let event = NewEvent::new(EventType::parse(TYPE).unwrap(), &*payload).key(&*payload);
            let id = insist(|| hooks.emit_event(APP, event.clone()));
            ids.insert(id.to_string());
        }
        // One of this round's, so that the kill comes in the middle of the others.
        wait_until(|| sink.deliveries().len() > before);
        let victim = &mut fleet[round % PROCESSES];
        victim.kill().unwrap();
        victim.wait().unwrap();
        kills += 1;
        if RESTARTS.contains(&round) {
            cluster.restart();
        } else if round == CRASH {
            cluster.crash();
        }
        fleet[round % PROCESSES] = spawn(&url);
    }
    let expected = ids.len() * WEBHOOKS;
    wait_until(|| Got::of(&sink).events.len() == expected);
    // And until the last results are stored.
    let all = || {
        let mut batches = Vec::new();
        let mut page = PageRequest::first(1000).unwrap();
        loop {
            let found = insist(|| hooks.batches(APP, BatchFilter::default(), page.clone()));
            batches.extend(found.items);
            match found.next_cursor {
                cursor @ Some(_) => page = page.after(cursor),
                None => return batches,
            }
        }
    };
    wait_until(|| {
        all()
            .iter()
            .all(|batch| batch.status == BatchStatus::Delivered)
    });
    let batches = all();
    for mut child in fleet {
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let got = Got::of(&sink);
    let total: usize = got.events.values().sum();
    println!(
        "fleet: {} events to {WEBHOOKS} webhooks by {PROCESSES} processes, {} requests, {kills} kills, \
         {} restarts, 1 crash, {} duplicates, {} lost",
        ids.len(),
        got.batches.values().sum::<usize>(),
        RESTARTS.len(),
        total - got.events.len(),
        expected - got.events.len(),
    );
    assert_eq!(got.events.len(), expected);
    for batch in &batches {
        assert_eq!(batch.status, BatchStatus::Delivered, "{}", batch.id);
        let requests = got.batches[&batch.id.to_string()];
        assert!(
            requests <= batch.attempts as usize,
            "one request for each lease"
        );
    }
    assert_eq!(hooks.check().unwrap(), Vec::<String>::new());
}
