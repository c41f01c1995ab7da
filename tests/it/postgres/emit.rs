//! Emitting: through the box, in a host's transaction, by plain SQL.

use std::collections::BTreeSet;

use hookbox::model::{EventId, EventType, NewEvent, NewWebhook};
use hookbox::storage::{AttemptFilter, PageRequest};
use hookbox::transport::Response;
use postgres::Client;

use crate::support::*;

fn event(payload: &str) -> NewEvent {
    NewEvent::new(EventType::parse(TYPE).unwrap(), payload)
}

fn bench() -> (Bench, Client) {
    let bench = Bench::over(Engine::Postgres, |options| options.payload_bytes_max(100));
    let client = bench.schema.as_ref().unwrap().client();
    (bench, client)
}

fn count(client: &mut Client) -> i64 {
    let sql = "SELECT count(*) FROM hookbox_event";
    client.query_one(sql, &[]).unwrap().get(0)
}

#[test]
fn a_refused_emit_stores_nothing() {
    let (bench, mut client) = bench();
    bench.hooks.create_app("off").unwrap();
    bench.hooks.disable_app("off").unwrap();
    let unknown = || NewEvent::new(EventType::parse("no.such").unwrap(), "1");
    for (app, events, code) in [
        ("none", vec![event("1")], "app_not_found"),
        ("off", vec![event("1")], "session_disabled"),
        (APP, vec![event("1"), unknown()], "invalid_webhook_event"),
        (
            APP,
            vec![unknown(), event("1").key("k")],
            "invalid_webhook_event",
        ),
        (
            APP,
            vec![event("1"), event("1").key("a\0b")],
            "invalid_request",
        ),
    ] {
        let error = bench.hooks.emit_many(app, events).unwrap_err();
        assert_eq!(error.code(), code, "{error}");
    }
    assert_eq!(
        bench
            .hooks
            .emit_many("none", Vec::new())
            .unwrap_err()
            .code(),
        "app_not_found"
    );
    assert_eq!(count(&mut client), 0);
}

#[test]
fn one_key_is_one_event_in_a_call_across_calls_and_across_threads() {
    let (bench, mut client) = bench();
    let emit = |events| bench.hooks.emit_many(APP, events).unwrap();
    let ids = emit(vec![event("1").key("k"), event("2"), event("3").key("k")]);
    assert_eq!(ids[0], ids[2]);
    assert_ne!(ids[0], ids[1]);
    assert_eq!(emit(vec![event("4").key("k")]), [ids[0]]);
    let mixed = emit(vec![event("5").key("k"), event("6").key("l"), event("7")]);
    assert_eq!(mixed[0], ids[0]);
    assert_eq!(bench.hooks.event(&ids[0]).unwrap().payload, "1");
    let racing: BTreeSet<Vec<EventId>> = std::thread::scope(|scope| {
        let race = || emit(vec![event("8").key("race"), event("9").key("r2")]);
        let threads: Vec<_> = (0..16).map(|_| scope.spawn(race)).collect();
        threads.into_iter().map(|one| one.join().unwrap()).collect()
    });
    assert_eq!(racing.len(), 1);
    assert_eq!(count(&mut client), 6);
}

#[test]
fn in_a_hosts_transaction_events_live_and_die_with_it() {
    let (bench, mut client) = bench();
    bench.webhook("a");
    let emit_in = |transaction: &mut postgres::Transaction<'_>, events| {
        bench.hooks.emit_in_postgres(transaction, APP, events)
    };
    let mut transaction = client.transaction().unwrap();
    emit_in(&mut transaction, vec![event("0")]).unwrap();
    transaction.rollback().unwrap();
    assert_eq!(count(&mut client), 0);

    let mut transaction = client.transaction().unwrap();
    transaction
        .batch_execute("CREATE TABLE account (name TEXT)")
        .unwrap();
    let unknown = NewEvent::new(EventType::parse("no.such").unwrap(), "1");
    let refused = emit_in(&mut transaction, vec![event("1"), unknown]).unwrap_err();
    assert_eq!(refused.code(), "invalid_webhook_event");
    let ids = emit_in(&mut transaction, vec![event("2").key("k"), event("3")]).unwrap();
    // Somebody else's emit of the same key waits for this one to commit, and gets its id.
    let other = std::thread::scope(|scope| {
        let waiting = scope.spawn(|| bench.hooks.emit_event(APP, event("4").key("k")).unwrap());
        transaction.commit().unwrap();
        waiting.join().unwrap()
    });
    assert_eq!(other, ids[0]);
    assert_eq!(count(&mut client), 2);
    assert_eq!(bench.poll().attempts, 1);
    let delivered = events_in(&bench.net.deliveries()[0]);
    assert_eq!(delivered[0].0, ids[0].to_string());
}

#[test]
fn plain_sql_emits() {
    let (bench, mut client) = bench();
    bench.webhook("a");
    client
        .batch_execute(
            "INSERT INTO hookbox_event (app_id, type, payload) VALUES
                 ('54e9ujn', 'user.created', '{\"n\": 1}'), ('54e9ujn', 'user.created', '2');
             INSERT INTO hookbox_event (app_id, type, payload, created_at, at_most_once, environment,
                 idempotency_key)
             VALUES ('54e9ujn', 'user.created', '3', 1742034600000, true, 'live', 'k');",
        )
        .unwrap();
    // A known key is the same event.
    let again = "INSERT INTO hookbox_event (app_id, type, payload, idempotency_key)
         VALUES ('54e9ujn', 'user.created', '7', 'k')";
    assert_eq!(client.execute(again, &[]).unwrap(), 0);
    let rows = client
        .query("SELECT id FROM hookbox_event ORDER BY seq", &[])
        .unwrap();
    let ids: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    assert_eq!(ids.len(), 3);
    assert!(ids.iter().all(|id| EventId::parse(id).is_ok()), "{ids:?}");
    // The id's first ten digits are the time, as in those of the library.
    assert_eq!(ids[2][..14], EventId::new(START, 0).to_string()[..14]);
    bench.poll();
    let sent = bench.net.deliveries();
    let got: Vec<String> = sent.iter().flat_map(events_in).map(|(id, _)| id).collect();
    assert_eq!(got, ids);
    assert!(
        String::from_utf8_lossy(&sent[0].body).contains("{\"n\": 1}"),
        "verbatim"
    );
    let known = bench.hooks.emit_event(APP, event("4").key("k")).unwrap();
    assert_eq!(known.to_string(), ids[2]);
}

#[test]
fn plain_sql_is_refused_with_the_messages_of_sqlite() {
    let (bench, mut client) = bench();
    bench.hooks.create_app("off").unwrap();
    bench.hooks.disable_app("off").unwrap();
    let large = format!("'54e9ujn', 'user.created', '\"{}\"'", "x".repeat(99));
    let three = "app_id, type, payload";
    for (columns, values, message) in [
        (three, "'none', 'user.created', '1'", "app_not_found"),
        (three, "'off', 'user.created', '1'", "session_disabled"),
        (three, "'54e9ujn', 'no.such', '1'", "invalid_webhook_event"),
        (
            three,
            "'54e9ujn', 'user.created', '{a:1}'",
            "invalid_payload",
        ),
        (three, "'54e9ujn', 'user.created', ''", "invalid_payload"),
        (three, &large, "payload_too_large"),
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
            "app_id, type, payload, created_at",
            "'54e9ujn', 'user.created', '1', -1",
            "leave created_at",
        ),
        (
            "app_id, type, payload, seq",
            "'54e9ujn', 'user.created', '1', 1",
            "seq",
        ),
        ("app_id, type", "'54e9ujn', 'user.created'", "null value"),
    ] {
        let sql = format!("INSERT INTO hookbox_event ({columns}) VALUES ({values})");
        let error = client.execute(&sql, &[]).unwrap_err();
        let text = error.as_db_error().unwrap().message();
        assert!(text.contains(message), "{sql}: {text}");
        // Word for word: who reads messages need not ask which engine it is.
        if text.starts_with("hookbox: ") {
            let path = format!(
                "{}/src/storage/sqlite/0001_init.sql",
                env!("CARGO_MANIFEST_DIR")
            );
            let of_sqlite = std::fs::read_to_string(path).unwrap();
            assert!(of_sqlite.contains(&format!("'{text}'")), "{text}");
        }
    }
    assert_eq!(count(&mut client), 0);
    bench.emit("1");
    let error = client
        .execute("UPDATE hookbox_event SET payload = '2'", &[])
        .unwrap_err();
    let text = error.as_db_error().unwrap().message();
    assert_eq!(text, "hookbox: events are immutable");
}

/// A host's session may look for tables elsewhere than in the box's schema.
#[test]
fn plain_sql_emits_whatever_the_search_path() {
    let (bench, mut client) = bench();
    let schema: String = client
        .query_one("SELECT current_schema()::TEXT", &[])
        .unwrap()
        .get(0);
    let mut elsewhere = bench.schema.as_ref().unwrap().server();
    let sql = format!(
        "INSERT INTO {schema}.hookbox_event (app_id, type, payload) VALUES ('54e9ujn', 'user.created', '1')"
    );
    assert_eq!(elsewhere.execute(&sql, &[]).unwrap(), 1);
    assert_eq!(count(&mut client), 1);
}

/// PostgreSQL cannot store U+0000 in a text. Whoever sends it must not hold up anything.
#[test]
fn null_characters_are_refused_or_replaced() {
    let (bench, _client) = bench();
    bench.webhook("a");
    bench.net.script(|_| {
        Ok(Response {
            status: 200,
            headers: Vec::new(),
            body: b"o\0k".to_vec(),
        })
    });
    bench.emit("\"\\u0000\"");
    assert_eq!(bench.poll().attempts, 1);
    let page = PageRequest::default();
    let attempts = bench
        .hooks
        .attempts(APP, AttemptFilter::default(), page)
        .unwrap();
    assert_eq!(attempts.items[0].excerpt, "o\u{FFFD}k");
    assert_eq!(events_in(&bench.net.deliveries()[0])[0].1, "\0");
    let mut new = NewWebhook::new("https://example.com/b");
    new.description = "a\0b".into();
    let error = bench.hooks.create_webhook(APP, new).unwrap_err();
    assert_eq!(error.code(), "invalid_request");
}
