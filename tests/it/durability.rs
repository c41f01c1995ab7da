//! What survives.
//!
//! Goal: what was acknowledged is in the file, whatever dies (I1). Method: threads that write at
//! once, a child process killed at random moments, two boxes on one file.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;

use hookbox::model::{
    AttemptResult, BatchStatus, EventId, EventType, FailureKind, NewEvent, WebhookUpdate,
};
use hookbox::storage::{AttemptFilter, EventFilter, PageRequest};
use hookbox::{Hookbox, Options};

use super::support::*;

fn same_file(bench: &Bench) -> Hookbox {
    let options = Options::new()
        .clock(bench.clock.clone())
        .transport(bench.net.clone());
    options.open(bench.path()).unwrap()
}

#[test]
fn many_threads_write_at_once_and_one_failure_disturbs_nobody() {
    let bench = Bench::new();
    let mut ids: Vec<EventId> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..16)
            .map(|_| {
                scope.spawn(|| {
                    let emit = |_| {
                        let refused = bench.hooks.emit("none", TYPE, "1").unwrap_err();
                        assert_eq!(refused.code(), "app_not_found");
                        bench.hooks.emit(APP, TYPE, "1").unwrap()
                    };
                    (0..20).map(emit).collect::<Vec<_>>()
                })
            })
            .collect();
        threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap())
            .collect()
    });
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 16 * 20);
    assert!(ids.iter().all(|id| bench.hooks.event(id).is_ok()));
    assert_eq!(bench.hooks.stats().unwrap().last_position, 16 * 20);
}

#[test]
fn an_edit_that_panics_is_contained() {
    let bench = Bench::new();
    let id = bench.webhook("a");
    let before = bench.hooks.webhook(APP, &id).unwrap();
    let app = APP.parse().unwrap();
    let edit = Box::new(|_: &mut hookbox::storage::StoredWebhook| panic!("on demand"));
    let error = bench
        .hooks
        .storage()
        .edit_webhook(&app, &id, edit)
        .unwrap_err();
    assert_eq!(error.code(), "internal");
    assert_eq!(bench.hooks.webhook(APP, &id).unwrap(), before);
    let update = WebhookUpdate {
        description: Some("b".into()),
        ..WebhookUpdate::default()
    };
    assert_eq!(
        bench
            .hooks
            .update_webhook(APP, &id, update)
            .unwrap()
            .description,
        "b"
    );
}

#[test]
fn what_a_killed_process_acknowledged_is_there() {
    const FILE: &str = "HOOKBOX_TEST_KILLED";
    if let Some(path) = std::env::var_os(FILE) {
        let hooks = Options::new()
            .transport(FakeTransport::new())
            .open(path)
            .unwrap();
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    for _ in 0..100_000 {
                        let event = NewEvent::new(EventType::parse(TYPE).unwrap(), "1");
                        let ids = hooks.emit_many(APP, vec![event; 2]).unwrap();
                        println!("\nemitted {} {}", ids[0], ids[1]);
                    }
                });
            }
        });
        return;
    }
    let bench = Bench::new();
    let mut acknowledged = 0;
    for round in 0..20u64 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                "durability::what_a_killed_process_acknowledged_is_there",
                "--exact",
                "--nocapture",
            ])
            .env(FILE, bench.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap())
            .lines()
            .map_while(Result::ok);
        let mut ids = Vec::new();
        // Killed after some lines, and then at whatever it was doing.
        let killed_after = 1 + (round * 7919) % 60;
        for line in lines {
            let Some(pair) = line.strip_prefix("emitted ") else {
                continue;
            };
            // The last line may have been cut.
            ids.extend(pair.split(' ').filter_map(|id| EventId::parse(id).ok()));
            if ids.len() as u64 >= killed_after * 2 {
                child.kill().unwrap();
            }
        }
        child.wait().unwrap();
        assert!(ids.len() as u64 >= killed_after);
        for id in &ids {
            bench.hooks.event(id).unwrap();
        }
        acknowledged += ids.len();
        let db = rusqlite::Connection::open(bench.path()).unwrap();
        let count: i64 = db
            .query_row("SELECT count(*) FROM hookbox_event", (), |r| r.get(0))
            .unwrap();
        assert!(
            count % 2 == 0 && count >= i64::try_from(acknowledged).unwrap(),
            "all or none"
        );
    }
    assert_eq!(bench.hooks.check().unwrap(), Vec::<String>::new());
}

#[test]
fn two_boxes_on_one_file_share_the_work() {
    let bench = Bench::new();
    bench.webhook("a");
    let other = same_file(&bench);
    let before = bench.hooks.storage().foreign_writes().unwrap();
    bench.emit("1");
    assert_eq!(
        bench.hooks.storage().foreign_writes().unwrap(),
        before,
        "its own do not count"
    );
    other.emit(APP, TYPE, "2").unwrap();
    assert_ne!(bench.hooks.storage().foreign_writes().unwrap(), before);
    let claimed = bench.hooks.claim(10).unwrap();
    assert_eq!(numbers_in(&claimed[0].request), [1, 2]);
    assert!(
        other.claim(10).unwrap().is_empty(),
        "what is leased is leased for all"
    );
    drop(claimed);
    bench.clock.advance(Duration::from_secs(60));
    assert_eq!(other.poll(START).unwrap().attempts, 1);
    assert_eq!(bench.batches()[0].status, BatchStatus::Delivered);
    assert_eq!(bench.batches()[0].attempts, 2);
}

#[test]
fn a_started_box_notices_what_another_emits() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("box.db");
    let receiver = Receiver::start();
    let open = || {
        let options = Options::new().allow_http(true);
        options
            .allow_network("127.0.0.0/8".parse().unwrap())
            .open(&path)
            .unwrap()
    };
    let (sender, emitter) = (open(), open());
    sender.create_app(APP).unwrap();
    let events = hookbox::model::Events::only([EventType::parse(TYPE).unwrap()]);
    let new = hookbox::model::NewWebhook::new(&receiver.url).events(events);
    let webhook = sender.create_webhook(APP, new).unwrap();
    sender.activate(APP, &webhook.id).unwrap();
    sender.start().unwrap();
    emitter.emit(APP, TYPE, "1").unwrap();
    assert_eq!(receiver.wait_for(1).len(), 1);
    sender.stop(Duration::from_secs(5)).unwrap();
}

#[test]
fn a_copy_made_while_in_use_is_whole() {
    let bench = Bench::new();
    bench.webhook("a");
    let id = bench.emit("1");
    let copy = bench.folder.path().join("copy.db");
    bench.hooks.backup(&copy).unwrap();
    assert!(bench.hooks.backup(&copy).is_err(), "nothing is overwritten");
    let hooks = Options::new()
        .transport(FakeTransport::new())
        .open(&copy)
        .unwrap();
    assert!(hooks.event(&id.parse().unwrap()).is_ok());
    assert_eq!(hooks.check().unwrap(), Vec::<String>::new());
}

/// Rows that somebody spoiled by hand hold up their own webhook, and nobody else's. Method: one
/// damage at a time beside a healthy webhook, told by a notice, deliveries counted.
#[test]
fn a_spoiled_row_holds_up_its_own_webhook_only() {
    for damage in [
        "DELETE FROM hookbox_webhook WHERE url LIKE '%/bad'",
        "UPDATE hookbox_webhook_state SET health = '{\"ramp\":-1}' WHERE webhook_no = 1",
        "UPDATE hookbox_webhook SET overrides = '7', version = 1 WHERE url LIKE '%/bad'",
        "UPDATE hookbox_subscription SET type = 'a' || char(10) WHERE webhook_no = 1",
        "INSERT INTO hookbox_subscription SELECT webhook_no, '*', from_position, until_position,
             environment, app_id FROM hookbox_subscription WHERE webhook_no = 1",
        "DELETE FROM hookbox_log WHERE position = 0",
    ] {
        let bench = Bench::new();
        bench.webhook("bad");
        bench.webhook("good");
        bench.emit("1");
        let db = rusqlite::Connection::open(bench.path()).unwrap();
        db.execute_batch(&format!("PRAGMA foreign_keys = OFF; {damage}"))
            .unwrap();
        bench.poll();
        bench.emit("2");
        bench.poll();
        let good = bench.net.deliveries();
        let good = good
            .iter()
            .filter(|one| one.url.as_str().ends_with("/good"));
        let events: usize = good.map(|one| events_in(one).len()).sum();
        assert_eq!(events, 2, "{damage}");
    }
}

/// What the disk made of an event is neither sent nor listed, and `check` finds it. (Each field counts:
/// src/storage/sqlite/checksum.rs.) By plain SQL an event has no checksum, and is sent as it is.
#[test]
fn an_event_that_changed_in_the_file_is_not_sent() {
    for damage in [
        "payload = '{\"user_id\":\"usr_3\"}'",
        "created_at = created_at + 1",
        "id = replace(id, 'evt_0', 'evt_1')",
        "idempotency_key = 'k'",
        "at_most_once = 1",
        "checksum = checksum - 1",
    ] {
        let bench = Bench::new();
        bench.webhook("a");
        let id = bench.emit("{\"user_id\":\"usr_1\"}");
        let db = rusqlite::Connection::open(bench.path()).unwrap();
        db.execute_batch(&format!(
            "DROP TRIGGER hookbox_log_immutable; UPDATE hookbox_log SET {damage};"
        ))
        .unwrap();
        bench.poll();
        assert!(bench.net.deliveries().is_empty(), "{damage}");
        let attempts = bench
            .hooks
            .attempts(APP, AttemptFilter::default(), PageRequest::default())
            .unwrap();
        let result = AttemptResult::Failure(FailureKind::Unreadable);
        assert_eq!(attempts.items[0].result, result, "{damage}");
        let listed = bench
            .hooks
            .events(APP, EventFilter::default(), PageRequest::default());
        let error = listed.unwrap_err();
        assert_eq!(error.code(), "storage_bad_row", "{damage}");
        let wrong = bench.hooks.check().unwrap().join("\n");
        let sentence = "1 events do not parse, or are not as they were emitted";
        assert!(wrong.contains(sentence), "{damage}: {wrong}");
        if !damage.starts_with("id") {
            assert!(error.to_string().contains(&id), "{error}");
        }
    }
    let bench = Bench::new();
    bench.webhook("a");
    let db = rusqlite::Connection::open(bench.path()).unwrap();
    db.execute_batch(&format!(
        "INSERT INTO hookbox_event (app_id, type, payload) VALUES ('{APP}', '{TYPE}', '1')"
    ))
    .unwrap();
    bench.poll();
    assert_eq!(numbers_in(&bench.net.deliveries()[0]), [1]);
    assert_eq!(bench.hooks.check().unwrap(), Vec::<String>::new());
}

#[test]
fn a_batch_that_names_another_apps_event_is_not_sent() {
    let bench = Bench::new();
    bench.webhook("a");
    bench.hooks.create_app("another").unwrap();
    bench.net.script(|_| status(500));
    bench.emit("1");
    bench.hooks.emit("another", TYPE, "2").unwrap();
    bench.poll();
    assert_eq!(bench.net.deliveries().len(), 1);
    let db = rusqlite::Connection::open(bench.path()).unwrap();
    db.execute_batch("UPDATE hookbox_batch SET positions = '[[2,2]]'")
        .unwrap();
    bench.run_for(Duration::from_secs(120));
    let attempts = bench
        .hooks
        .attempts(APP, AttemptFilter::default(), PageRequest::default())
        .unwrap();
    let result = AttemptResult::Failure(FailureKind::Unreadable);
    assert_eq!(attempts.items[0].result, result);
    assert_eq!(bench.net.deliveries().len(), 1);
}

/// Found by fuzzing (fuzz/fuzz_targets/corrupt_file.rs): with a bit changed in the index of ready
/// webhooks, looking at one never cleared its mark, and `poll` never returned.
#[test]
fn a_damaged_index_of_ready_webhooks_is_an_error_and_no_endless_loop() {
    let bench = Bench::new();
    bench.webhook("a");
    bench.emit("1");
    bench.hooks.claim(1).unwrap();
    bench.emit("2");
    let db = || rusqlite::Connection::open(bench.path()).unwrap();
    let index = |from: &str, to: &str| {
        let db = db();
        db.pragma_update(None, "writable_schema", true).unwrap();
        let sql = "UPDATE sqlite_schema SET sql = replace(sql, ?1, ?2)
                   WHERE name = 'hookbox_webhook_state_ready'";
        assert_eq!(db.execute(sql, (from, to)).unwrap(), 1);
    };
    let set_ready = |ready: bool| {
        let sql = "UPDATE hookbox_webhook_state SET ready = ?1, due_at = 0";
        assert_eq!(db().execute(sql, (ready,)).unwrap(), 1);
    };
    // The index keeps an entry whose row is ready no longer.
    set_ready(true);
    index("ready = 1", "ready = 7");
    set_ready(false);
    index("ready = 7", "ready = 1");

    let refused = same_file(&bench).poll(START).unwrap_err();
    assert_eq!(refused.code(), "storage_corrupt", "{refused}");
    // The remedy that the message names.
    db().execute_batch("REINDEX hookbox_webhook_state").unwrap();
    bench.webhook("b");
    bench.emit("3");
    same_file(&bench).poll(START).unwrap();
    assert!(!bench.net.deliveries().is_empty());
}

/// As the one above, for the index that says which batches are due. (A batch that was sent without end is
/// what the corpus of fuzz/fuzz_targets/corrupt_file.rs holds; it takes another damage.)
#[test]
fn a_damaged_index_of_batches_is_an_error_and_sends_nothing() {
    let bench = Bench::new();
    bench.net.script(|_| status(500));
    bench.webhook("a");
    bench.emit("1");
    bench.poll();
    let db = || rusqlite::Connection::open(bench.path()).unwrap();
    let index = |from: &str, to: &str| {
        let db = db();
        db.pragma_update(None, "writable_schema", true).unwrap();
        let sql = "UPDATE sqlite_schema SET sql = replace(sql, ?1, ?2)
                   WHERE name = 'hookbox_batch_open'";
        assert_eq!(db.execute(sql, (from, to)).unwrap(), 1);
    };
    // The index keeps an entry by which the batch is due; the row says: in an hour.
    let set_due = |at: i64| {
        let sql = "UPDATE hookbox_batch SET due_at = ?1";
        assert_eq!(db().execute(sql, (at,)).unwrap(), 1);
    };
    set_due(START.as_millis());
    index("'delivered', ", "'waiting', ");
    set_due(START.plus(Duration::from_secs(3600)).as_millis());
    index("'waiting', ", "'delivered', ");
    let sql = "UPDATE hookbox_webhook_state SET ready = 1, due_at = 0";
    assert_eq!(db().execute(sql, ()).unwrap(), 1);

    let sent = bench.net.deliveries().len();
    let refused = same_file(&bench).poll(START).unwrap_err();
    assert_eq!(refused.code(), "storage_corrupt", "{refused}");
    assert_eq!(bench.net.deliveries().len(), sent);
}
