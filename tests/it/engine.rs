//! The threaded engine: when the storage fails, when a delivery panics, when it stops, when idle.
//!
//! Goal: nothing is lost, sent twice without need, or left running. Method: a storage that fails
//! on demand, a transport that waits at a gate, and processes of their own where threads and
//! wake-ups of the whole process are counted.

use std::sync::atomic::Ordering::SeqCst;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use hookbox::model::{
    AttemptResult, BatchStatus, EventType, Events, FailureKind, NewWebhook, Notice,
};
use hookbox::storage::{AttemptFilter, BatchFilter, PageRequest};
use hookbox::{Hookbox, Options};

use super::support::*;

/// A started box over a storage that fails on demand.
struct Faulty {
    hooks: Hookbox,
    faults: Arc<Faults>,
    clock: Arc<HandClock>,
    net: Arc<FakeTransport>,
    notices: Arc<Mutex<Vec<Notice>>>,
    _folder: tempfile::TempDir,
}

impl Faulty {
    fn with(change: impl FnOnce(Options) -> Options) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (storage, faults) = Faults::open(&folder.path().join("box.db"));
        let (clock, net) = (HandClock::new(), FakeTransport::new());
        let notices = Arc::<Mutex<Vec<Notice>>>::default();
        let heard = notices.clone();
        let options = Options::new()
            .workers(4)
            .clock(clock.clone())
            .transport(net.clone())
            .on_notice(move |notice| heard.lock().unwrap().push(notice.clone()));
        let hooks = change(options).open_storage(storage).unwrap();
        hooks.create_app(APP).unwrap();
        Self {
            hooks,
            faults,
            clock,
            net,
            notices,
            _folder: folder,
        }
    }

    fn webhook(&self, path: &str) {
        let events = Events::only([EventType::parse(TYPE).unwrap()]);
        let url = format!("https://example.com/{path}");
        let webhook = self
            .hooks
            .create_webhook(APP, NewWebhook::new(url).events(events))
            .unwrap();
        self.hooks.activate(APP, &webhook.id).unwrap();
    }

    fn count(&self, status: BatchStatus) -> usize {
        let filter = BatchFilter {
            status: Some(status),
            webhook: None,
        };
        self.hooks
            .batches(APP, filter, PageRequest::default())
            .unwrap()
            .items
            .len()
    }

    fn heard(&self, what: &str) -> usize {
        let notices = self.notices.lock().unwrap();
        notices
            .iter()
            .filter(|notice| format!("{notice:?}").starts_with(what))
            .count()
    }
}

/// Holds requests until it is opened.
#[derive(Default)]
struct Gate {
    open: Mutex<bool>,
    changed: Condvar,
}

impl Gate {
    fn wait(&self) {
        let open = self.open.lock().unwrap();
        drop(self.changed.wait_while(open, |open| !*open).unwrap());
    }

    fn open(&self) {
        *self.open.lock().unwrap() = true;
        self.changed.notify_all();
    }
}

#[test]
fn a_claim_that_fails_is_tried_again() {
    let box_ = Faulty::with(|options| options);
    box_.webhook("a");
    box_.faults.fail_before.store(3, SeqCst);
    box_.hooks.start().unwrap();
    box_.hooks.emit(APP, TYPE, "1").unwrap();
    until("the delivery", || box_.count(BatchStatus::Delivered) == 1);
    box_.hooks.stop(Duration::from_secs(5)).unwrap();
    assert_eq!(
        (box_.heard("StorageStalled"), box_.heard("StorageResumed")),
        (1, 1)
    );
}

#[test]
fn results_that_cannot_be_stored_are_kept_and_nothing_new_is_sent_meanwhile() {
    let gate = Arc::new(Gate::default());
    let box_ = Faulty::with(|options| options);
    box_.webhook("a");
    let at_gate = gate.clone();
    box_.net.script(move |_| {
        at_gate.wait();
        status(200)
    });
    box_.hooks.start().unwrap();
    box_.hooks.emit(APP, TYPE, "1").unwrap();
    until("the request", || box_.net.deliveries().len() == 1);
    box_.faults.fail_before.store(usize::MAX, SeqCst);
    gate.open();
    until("the stall", || box_.heard("StorageStalled") == 1);
    box_.hooks.emit(APP, TYPE, "2").unwrap();
    let tried = box_.faults.exchanges.load(SeqCst);
    until("three more tries", || {
        box_.faults.exchanges.load(SeqCst) >= tried + 3
    });
    assert_eq!(box_.net.deliveries().len(), 1, "nothing new goes out");
    box_.faults.fail_before.store(0, SeqCst);
    until("both deliveries", || {
        box_.count(BatchStatus::Delivered) == 2
    });
    assert_eq!(box_.net.deliveries().len(), 2, "and nothing goes twice");
    box_.hooks.stop(Duration::from_secs(5)).unwrap();
    assert_eq!(box_.heard("StorageResumed"), 1);
}

/// The commit took place, but its answer was lost: results are refused the second time, and what
/// was claimed is sent when the lease has ended.
#[test]
fn an_unknown_commit_loses_nothing() {
    let box_ = Faulty::with(|options| options);
    box_.webhook("a");
    box_.faults.fail_after.store(1, SeqCst);
    box_.hooks.emit(APP, TYPE, "1").unwrap();
    box_.hooks.start().unwrap();
    until("the lost claim", || box_.count(BatchStatus::Leased) == 1);
    until("the resume", || box_.heard("StorageResumed") == 1);
    assert_eq!(box_.net.deliveries().len(), 0);
    box_.clock.advance(Duration::from_secs(60));
    until("the delivery", || box_.count(BatchStatus::Delivered) == 1);
    assert_eq!(box_.net.deliveries().len(), 1);
    box_.hooks.stop(Duration::from_secs(5)).unwrap();
}

#[test]
fn a_panic_in_the_transport_is_contained_recorded_and_told() {
    let box_ = Faulty::with(|options| options);
    box_.webhook("a");
    box_.net.script(|_| panic!("on demand"));
    box_.hooks.start().unwrap();
    box_.hooks.emit(APP, TYPE, "1").unwrap();
    until("the notice", || box_.heard("DeliveryFault") == 1);
    let attempts = box_
        .hooks
        .attempts(APP, AttemptFilter::default(), PageRequest::default());
    assert_eq!(
        attempts.unwrap().items[0].result,
        AttemptResult::Failure(FailureKind::Panic)
    );
    box_.net.script(|_| status(200));
    box_.clock.advance(Duration::from_secs(61));
    box_.hooks.wake();
    until("the delivery", || box_.count(BatchStatus::Delivered) == 1);
    box_.hooks.stop(Duration::from_secs(5)).unwrap();
}

/// While the share of the failing is taken, what else they are owed must not keep the box busy.
#[test]
fn a_full_share_of_the_failing_does_not_spin() {
    let gate = Arc::new(Gate::default());
    let box_ = Faulty::with(|options| options);
    for path in ["a", "b", "c"] {
        box_.webhook(path);
    }
    box_.net.script(|_| status(500));
    box_.hooks.emit(APP, TYPE, "1").unwrap();
    assert_eq!(box_.hooks.poll(START).unwrap().attempts, 3);
    box_.clock.advance(Duration::from_secs(120));
    let at_gate = gate.clone();
    box_.net.script(move |_| {
        at_gate.wait();
        status(200)
    });
    box_.hooks.start().unwrap();
    until("the request", || box_.net.deliveries().len() == 4);
    let before = box_.faults.exchanges.load(SeqCst);
    std::thread::park_timeout(Duration::from_millis(300));
    let spent = box_.faults.exchanges.load(SeqCst) - before;
    gate.open();
    assert!(spent <= 5, "{spent} exchanges while nothing could be done");
    until("all deliveries", || box_.count(BatchStatus::Delivered) == 3);
    box_.hooks.stop(Duration::from_secs(5)).unwrap();
}

#[test]
fn a_stop_gives_back_what_was_not_begun_and_ends_every_thread() {
    alone(
        "engine::a_stop_gives_back_what_was_not_begun_and_ends_every_thread",
        || {
            let gate = Arc::new(Gate::default());
            let box_ = Faulty::with(|options| options.workers(1));
            for path in ["a", "b"] {
                box_.webhook(path);
            }
            let at_gate = gate.clone();
            box_.net.script(move |_| {
                at_gate.wait();
                status(200)
            });
            box_.hooks.emit(APP, TYPE, "1").unwrap();
            box_.hooks.start().unwrap();
            until("the request", || box_.net.deliveries().len() == 1);
            until("the queued batch", || box_.count(BatchStatus::Leased) == 2);
            // The dispatcher, the first sender, and one for webhooks that were not tried yet.
            assert_eq!(threads().len(), 3);
            std::thread::scope(|scope| {
                let stopping = scope.spawn(|| box_.hooks.stop(Duration::from_secs(20)));
                until("what was given back", || {
                    box_.count(BatchStatus::Waiting) == 1
                });
                gate.open();
                stopping.join().unwrap().unwrap();
            });
            assert_eq!(threads(), Vec::<String>::new());
            assert_eq!(box_.net.deliveries().len(), 1);
            assert_eq!(
                (
                    box_.count(BatchStatus::Delivered),
                    box_.count(BatchStatus::Waiting)
                ),
                (1, 1)
            );
            let page = PageRequest::default();
            let attempts = box_
                .hooks
                .attempts(APP, AttemptFilter::default(), page)
                .unwrap();
            assert_eq!(attempts.items.len(), 1);
            for _ in 0..50 {
                box_.hooks.start().unwrap();
                box_.hooks.start().unwrap();
                box_.hooks.stop(Duration::from_secs(5)).unwrap();
            }
            assert_eq!(threads(), Vec::<String>::new());
            box_.hooks.start().unwrap();
            until("what was given back", || {
                box_.count(BatchStatus::Delivered) == 2
            });
            box_.hooks.stop(Duration::from_secs(5)).unwrap();
            assert_eq!(threads(), Vec::<String>::new());
        },
    );
}

/// A clock that panics once, in the dispatcher.
#[derive(Debug)]
struct Brittle(std::sync::atomic::AtomicBool);

impl hookbox::clock::Clock for Brittle {
    fn now(&self) -> hookbox::model::Timestamp {
        let of_dispatcher = std::thread::current().name() == Some("hookbox-dispatch");
        let breaks = of_dispatcher && self.0.swap(false, std::sync::atomic::Ordering::SeqCst);
        assert!(!breaks, "on demand");
        hookbox::clock::SystemClock.now()
    }
}

/// After the dispatcher panicked the host can start the box again, and real requests go out again.
#[test]
fn a_box_whose_dispatcher_panicked_can_be_started_again() {
    let receiver = Receiver::start();
    let folder = tempfile::tempdir().unwrap();
    let hooks = hookbox::Options::new()
        .allow_http(true)
        .allow_network("127.0.0.0/8".parse().unwrap())
        .clock(Arc::new(Brittle(true.into())))
        .open(folder.path().join("box.db"))
        .unwrap();
    hooks.create_app(APP).unwrap();
    let events = hookbox::model::Events::only([TYPE.parse().unwrap()]);
    let new = hookbox::model::NewWebhook::new(&receiver.url).events(events);
    let webhook = hooks.create_webhook(APP, new).unwrap();
    hooks.activate(APP, &webhook.id).unwrap();
    hooks.emit(APP, TYPE, "1").unwrap();
    until("it is delivered after another start", || {
        hooks.start().unwrap();
        !receiver.deliveries().is_empty()
    });
    hooks.stop(Duration::from_secs(5)).unwrap();
}

/// A callback on a thread of ours that starts or stops the box would wait for itself: it is refused,
/// and nothing hangs.
#[test]
fn a_callback_can_neither_start_nor_stop() {
    let hooks = Arc::new(std::sync::OnceLock::<Arc<hookbox::Hookbox>>::new());
    let refused = Arc::new(std::sync::Mutex::new(Vec::new()));
    let (seen, from_callback) = (refused.clone(), hooks.clone());
    let folder = tempfile::tempdir().unwrap();
    let net = FakeTransport::new();
    net.script(|_| failure(hookbox::model::FailureKind::Proxy));
    let opened = hookbox::Options::new()
        .transport(net.clone())
        .on_notice(move |_| {
            let hooks = from_callback.get().unwrap();
            let codes = [hooks.start(), hooks.stop(Duration::ZERO)];
            seen.lock()
                .unwrap()
                .extend(codes.map(|result| result.unwrap_err().code()));
        })
        .open(folder.path().join("box.db"))
        .unwrap();
    let hooks = hooks.get_or_init(|| Arc::new(opened));
    hooks.create_app(APP).unwrap();
    let events = hookbox::model::Events::only([TYPE.parse().unwrap()]);
    let new = hookbox::model::NewWebhook::new("https://example.com/a").events(events);
    let webhook = hooks.create_webhook(APP, new).unwrap();
    hooks.activate(APP, &webhook.id).unwrap();
    hooks.start().unwrap();
    hooks.emit(APP, TYPE, "1").unwrap();
    until("the callback was called", || {
        !refused.lock().unwrap().is_empty()
    });
    hooks.stop(Duration::from_secs(5)).unwrap();
    assert!(
        refused
            .lock()
            .unwrap()
            .iter()
            .all(|code| *code == "unsupported")
    );
}

/// Several threads start and stop one box at random while it delivers: at the end it is stopped,
/// starts again, and nothing is lost.
#[test]
fn starts_and_stops_may_race() {
    let bench = Bench::new();
    bench.webhook("a");
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..25 {
                    bench.hooks.start().unwrap();
                    bench.emit("1");
                    bench.hooks.stop(Duration::from_secs(5)).unwrap();
                }
            });
        }
    });
    bench.hooks.start().unwrap();
    until("all is delivered", || {
        let sent: usize = bench
            .net
            .deliveries()
            .iter()
            .map(|one| events_in(one).len())
            .sum();
        sent >= 100
    });
    bench.hooks.stop(Duration::from_secs(5)).unwrap();
}

#[test]
fn an_idle_box_writes_nothing_and_hardly_wakes() {
    alone(
        "engine::an_idle_box_writes_nothing_and_hardly_wakes",
        || {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("box.db");
            let hooks = Options::new()
                .transport(FakeTransport::new())
                .open(&path)
                .unwrap();
            hooks.create_app(APP).unwrap();
            let new = NewWebhook::new("https://example.com/a");
            let webhook = hooks.create_webhook(APP, new).unwrap();
            hooks.activate(APP, &webhook.id).unwrap();
            hooks.start().unwrap();
            let wal = folder.path().join("box.db-wal");
            let seen = || {
                [&path, &wal].map(|file| {
                    (
                        std::fs::read(file).unwrap(),
                        file.metadata().unwrap().modified().unwrap(),
                    )
                })
            };
            // The start itself writes and wakes.
            std::thread::park_timeout(Duration::from_millis(700));
            let (before, woken) = (seen(), wake_ups());
            std::thread::park_timeout(Duration::from_secs(1));
            let after = wake_ups() - woken;
            assert!(before == seen(), "the file changed");
            assert!(after <= 4, "{after} wake-ups in a second");
            // The dispatcher, and the one sender that is always there.
            assert_eq!(threads().len(), 2);
            hooks.stop(Duration::from_secs(5)).unwrap();
        },
    );
}

/// Runs a test in a process of its own: in this one other tests' threads run as well.
fn alone(name: &str, test: impl FnOnce()) {
    const ALONE: &str = "HOOKBOX_TEST_ALONE";
    if std::env::var_os(ALONE).is_some() {
        test();
        return;
    }
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args([name, "--exact", "--nocapture"])
        .env(ALONE, "1")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && text.contains("1 passed"),
        "{text}\n{told}"
    );
}

/// The folders in /proc of hookbox's threads.
fn tasks() -> Vec<std::path::PathBuf> {
    let all = std::fs::read_dir("/proc/self/task").unwrap();
    let is_ours = |path: &std::path::PathBuf| {
        std::fs::read_to_string(path.join("comm")).is_ok_and(|name| name.starts_with("hookbox"))
    };
    all.map(|entry| entry.unwrap().path())
        .filter(is_ours)
        .collect()
}

/// The names of hookbox's threads. One that was joined may be listed for a moment more.
fn threads() -> Vec<String> {
    let names = || {
        tasks()
            .iter()
            .filter_map(|path| std::fs::read_to_string(path.join("comm")).ok())
            .collect()
    };
    let mut last: Vec<String> = names();
    for _ in 0..100 {
        std::thread::park_timeout(Duration::from_millis(2));
        let next = names();
        if next == last {
            break;
        }
        last = next;
    }
    last
}

/// How often hookbox's threads went to sleep by themselves so far.
fn wake_ups() -> u64 {
    let of = |path: std::path::PathBuf| -> Option<u64> {
        let text = std::fs::read_to_string(path.join("status")).ok()?;
        let line = text
            .lines()
            .find(|line| line.starts_with("voluntary_ctxt_switches"))?;
        line.split_whitespace().last()?.parse().ok()
    };
    tasks().into_iter().filter_map(of).sum()
}
