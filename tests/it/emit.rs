//! Emitting.
//!
//! Goal: an event is stored once and verbatim, or not at all. Method: every way to emit (one, many,
//! by key, in a host's transaction, by plain SQL) and every refusal, with the rows counted after it.

use std::collections::BTreeSet;

use hookbox::model::{EventId, EventType, NewEvent};
use hookbox::storage::{EventFilter, PageRequest};
use rusqlite::Connection;

use super::support::*;

fn event(payload: &str) -> NewEvent {
    NewEvent::new(EventType::parse(TYPE).unwrap(), payload)
}

fn host(bench: &Bench) -> Connection {
    Connection::open(bench.path()).unwrap()
}

fn count(db: &Connection) -> i64 {
    db.query_row("SELECT count(*) FROM hookbox_event", (), |row| row.get(0))
        .unwrap()
}

#[test]
fn one_and_many_are_stored_in_order_and_verbatim() {
    let bench = Bench::new();
    let webhook = bench.webhook("a");
    let odd = "{ \"b\" : 1.50,\t\"a\":\"\\u00e9\u{1F600}\", \"a\":null }";
    let first = bench.hooks.emit(APP, TYPE, odd).unwrap();
    let rest = bench
        .hooks
        .emit_many(APP, vec![event(" [1] "), event("\"x\"")])
        .unwrap();
    assert_eq!(bench.hooks.emit_many(APP, Vec::new()).unwrap(), []);
    assert_eq!(bench.hooks.event(&first).unwrap().payload, odd);
    let listed = bench
        .hooks
        .events(APP, EventFilter::default(), PageRequest::default())
        .unwrap();
    let positions: Vec<i64> = listed.items.iter().map(|event| event.position).collect();
    assert_eq!(positions, [3, 2, 1]);
    assert_eq!(listed.items[0].id, rest[1]);
    bench.poll();
    let body = String::from_utf8(bench.net.deliveries()[0].body.to_vec()).unwrap();
    for verbatim in [odd, "\"payload\": [1] ,", "\"payload\":\"x\","] {
        assert!(body.contains(verbatim), "{body}");
    }
    assert_eq!(bench.hooks.backlog(APP, &webhook).unwrap().events_owed, 0);
}

#[test]
fn one_key_is_one_event_in_a_call_across_calls_and_across_threads() {
    let bench = Bench::new();
    bench.hooks.create_app("other").unwrap();
    let ids = bench
        .hooks
        .emit_many(
            APP,
            vec![event("1").key("k"), event("2"), event("3").key("k")],
        )
        .unwrap();
    assert_eq!(ids[0], ids[2]);
    assert_ne!(ids[0], ids[1]);
    assert_eq!(
        bench.hooks.emit_event(APP, event("4").key("k")).unwrap(),
        ids[0]
    );
    assert_eq!(bench.hooks.event(&ids[0]).unwrap().payload, "1");
    assert_ne!(
        bench
            .hooks
            .emit_event("other", event("4").key("k"))
            .unwrap(),
        ids[0]
    );
    let racing: BTreeSet<EventId> = std::thread::scope(|scope| {
        let emit = || bench.hooks.emit_event(APP, event("5").key("race")).unwrap();
        let threads: Vec<_> = (0..16).map(|_| scope.spawn(emit)).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    assert_eq!(racing.len(), 1);
    assert_eq!(count(&host(&bench)), 4);
}

#[test]
fn a_refused_emit_stores_nothing() {
    let bench = Bench::with(|options| options.payload_bytes_max(100));
    bench.hooks.create_app("off").unwrap();
    bench.hooks.disable_app("off").unwrap();
    let large = format!("\"{}\"", "x".repeat(99));
    let unknown = NewEvent::new(EventType::parse("no.such").unwrap(), "1");
    for (app, events, code) in [
        ("none", vec![event("1")], "app_not_found"),
        ("not an id", vec![event("1")], "app_not_found"),
        ("off", vec![event("1")], "session_disabled"),
        (APP, vec![event("1"), unknown], "invalid_webhook_event"),
        (APP, vec![event("1"), event("{")], "invalid_payload"),
        (APP, vec![event("1"), event("")], "invalid_payload"),
        (APP, vec![event("1"), event(&large)], "payload_too_large"),
        (APP, vec![event("1"), event("1").key("")], "invalid_request"),
        (
            APP,
            vec![event("1"), event("1").key("k".repeat(256))],
            "invalid_request",
        ),
        (APP, vec![event("1"); 10_001], "invalid_request"),
    ] {
        let error = bench.hooks.emit_many(app, events).unwrap_err();
        assert_eq!(error.code(), code);
    }
    assert_eq!(
        bench.hooks.emit(APP, "no type", "1").unwrap_err().code(),
        "invalid_webhook_event"
    );
    assert_eq!(count(&host(&bench)), 0);
}

#[test]
fn in_a_hosts_transaction_events_live_and_die_with_it() {
    let bench = Bench::new();
    bench.webhook("a");
    let mut db = host(&bench);
    db.execute_batch("CREATE TABLE account (name TEXT)")
        .unwrap();

    let transaction = db.transaction().unwrap();
    transaction
        .execute("INSERT INTO account VALUES ('dropped')", ())
        .unwrap();
    bench
        .hooks
        .emit_in(&transaction, APP, vec![event("0")])
        .unwrap();
    transaction.rollback().unwrap();
    assert_eq!(count(&db), 0);

    let transaction = db.transaction().unwrap();
    transaction
        .execute("INSERT INTO account VALUES ('kept')", ())
        .unwrap();
    let unknown = NewEvent::new(EventType::parse("no.such").unwrap(), "1");
    let refused = bench
        .hooks
        .emit_in(&transaction, APP, vec![event("1"), unknown])
        .unwrap_err();
    assert_eq!(refused.code(), "invalid_webhook_event");
    let ids = bench
        .hooks
        .emit_in(&transaction, APP, vec![event("2").key("k")])
        .unwrap();
    transaction.commit().unwrap();
    assert_eq!(count(&db), 1);
    let names: String = db
        .query_row("SELECT group_concat(name) FROM account", (), |r| r.get(0))
        .unwrap();
    assert_eq!(names, "kept");
    assert_eq!(
        bench.hooks.emit_event(APP, event("3").key("k")).unwrap(),
        ids[0]
    );
    assert_eq!(bench.poll().attempts, 1);
    assert_eq!(
        events_in(&bench.net.deliveries()[0])[0].0,
        ids[0].to_string()
    );
}

#[test]
fn plain_sql_emits() {
    let bench = Bench::new();
    bench.webhook("a");
    let db = host(&bench);
    db.execute_batch(
        "INSERT INTO hookbox_event (app_id, type, payload) VALUES
             ('54e9ujn', 'user.created', '{\"n\": 1}'), ('54e9ujn', 'user.created', '2');
         INSERT INTO hookbox_event (app_id, type, payload, created_at, at_most_once, environment,
             idempotency_key) VALUES ('54e9ujn', 'user.created', '3', 1742034600000, 7, 'live', 'k');",
    )
    .unwrap();
    let mut rows = db
        .prepare("SELECT id, at_most_once FROM hookbox_event ORDER BY position")
        .unwrap();
    let rows: Vec<(String, i64)> = rows
        .query_map((), |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    let ids: Vec<EventId> = rows
        .iter()
        .map(|(id, _)| EventId::parse(id).unwrap())
        .collect();
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), 3);
    assert_eq!(rows.iter().map(|row| row.1).collect::<Vec<_>>(), [0, 0, 1]);
    // The id's first ten digits are the time, as in those of the library.
    assert_eq!(rows[2].0[..14], EventId::new(START, 0).to_string()[..14]);
    assert_eq!(bench.poll().attempts, 2);
    let sent = bench.net.deliveries();
    let got: Vec<String> = sent.iter().flat_map(events_in).map(|(id, _)| id).collect();
    assert_eq!(
        got,
        rows.iter().map(|row| row.0.clone()).collect::<Vec<_>>()
    );
    assert!(String::from_utf8_lossy(&sent[0].body).contains("{\"n\": 1}"));
    assert_eq!(
        bench.hooks.emit_event(APP, event("4").key("k")).unwrap(),
        ids[2]
    );
}

#[test]
fn plain_sql_is_refused_with_a_message_that_says_why() {
    let bench = Bench::with(|options| options.payload_bytes_max(100));
    bench.hooks.create_app("off").unwrap();
    bench.hooks.disable_app("off").unwrap();
    bench.emit("1");
    let db = host(&bench);
    let large = format!("'\"{}\"'", "x".repeat(99));
    for (columns, values, message) in [
        (
            "app_id, type, payload",
            "'none', 'user.created', '1'",
            "app_not_found",
        ),
        (
            "app_id, type, payload",
            "'off', 'user.created', '1'",
            "session_disabled",
        ),
        (
            "app_id, type, payload",
            "'54e9ujn', 'no.such', '1'",
            "invalid_webhook_event",
        ),
        (
            "app_id, type, payload",
            "'54e9ujn', 'user.created', '{a:1}'",
            "invalid_payload",
        ),
        (
            "app_id, type, payload",
            "'54e9ujn', 'user.created', ''",
            "invalid_payload",
        ),
        (
            "app_id, type, payload",
            &format!("'54e9ujn', 'user.created', {large}"),
            "payload_too_large",
        ),
        (
            "app_id, type, payload, idempotency_key",
            "'54e9ujn', 'user.created', '1', ''",
            "idempotency_key",
        ),
        (
            "app_id, type, payload, environment",
            "'54e9ujn', 'user.created', '1', 'a b'",
            "environment",
        ),
        (
            "app_id, type, payload, environment",
            "'54e9ujn', 'user.created', '1', ''",
            "environment",
        ),
        (
            "app_id, type, payload, position",
            "'54e9ujn', 'user.created', '1', 0",
            "leave position",
        ),
        (
            "app_id, type, payload, position",
            "'54e9ujn', 'user.created', '1', -7",
            "leave position",
        ),
        (
            "app_id, type, payload, position",
            "'54e9ujn', 'user.created', '1', -1",
            "leave position",
        ),
        (
            "app_id, type, payload, id",
            "'54e9ujn', 'user.created', '1', 'evt_01jpd8h6k0000000000000000'",
            "leave id",
        ),
        (
            "app_id, type, payload, created_at",
            "'54e9ujn', 'user.created', '1', -1",
            "leave created_at",
        ),
        (
            "app_id, type, payload, created_at",
            "'54e9ujn', 'user.created', '1', 281474976710656",
            "leave created_at",
        ),
        (
            "app_id, type, payload",
            "'54e9ujn', 'user.created', x'31'",
            "cannot store BLOB",
        ),
        ("app_id, type", "'54e9ujn', 'user.created'", "NOT NULL"),
    ] {
        let sql = format!("INSERT INTO hookbox_event ({columns}) VALUES ({values})");
        let error = db.execute(&sql, ()).unwrap_err().to_string();
        assert!(error.contains(message), "{sql}: {error}");
    }
    assert_eq!(count(&db), 1);
    // A known key is the same event, whatever the conflict clause.
    for verb in ["INSERT", "INSERT OR REPLACE", "INSERT OR IGNORE"] {
        let sql = format!(
            "{verb} INTO hookbox_event (app_id, type, payload, idempotency_key)
             VALUES ('54e9ujn', 'user.created', '7', 'once')"
        );
        db.execute(&sql, ()).unwrap();
        assert_eq!(count(&db), 2, "{verb}");
    }
    let changes = |table: &str| {
        let update = format!("UPDATE {table} SET payload = '2'");
        db.execute(&update, ()).unwrap_err().to_string()
    };
    for table in ["hookbox_event", "hookbox_log"] {
        assert!(changes(table).contains("hookbox: events are immutable"));
    }
    let error = db.execute("DELETE FROM hookbox_event", ()).unwrap_err();
    assert!(error.to_string().contains("deleted by retention only"));
}

/// A position that was given once must not come again: whoever passed it would never look back.
#[test]
fn a_position_below_the_log_is_refused_even_when_the_log_was_pruned_empty() {
    let bench = Bench::new();
    let at_low = "INSERT INTO hookbox_event (app_id, type, payload, position)
         VALUES ('54e9ujn', 'user.created', '1', 2)";
    bench.hooks.emit_many(APP, vec![event("1"); 5]).unwrap();
    bench.poll();
    bench
        .hooks
        .prune(START.plus(std::time::Duration::from_secs(1)))
        .unwrap();
    let db = host(&bench);
    assert_eq!(count(&db), 0);
    let error = db.execute(at_low, ()).unwrap_err().to_string();
    assert!(error.contains("leave position to hookbox"), "{error}");
    bench.webhook("a");
    bench.emit("6");
    assert_eq!(bench.poll().attempts, 1);
}
