//! Positions: exactly once, in the order of commits, without waiting for anybody.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicI64, Ordering::SeqCst};
use std::time::Duration;

use hookbox::Options;
use hookbox::model::{EventType, NewEvent};
use postgres::Client;

use crate::support::*;

fn event(payload: &str) -> NewEvent {
    NewEvent::new(EventType::parse(TYPE).unwrap(), payload)
}

fn number(client: &mut Client, sql: &str) -> i64 {
    client.query_one(sql, &[]).unwrap().get(0)
}

fn gaps(client: &mut Client) -> Vec<(i64, i64)> {
    let sql = "SELECT first_seq, last_seq FROM hookbox_gap ORDER BY first_seq";
    let rows = client.query(sql, &[]).unwrap();
    rows.iter().map(|row| (row.get(0), row.get(1))).collect()
}

/// As if so much time had passed since the gaps were noted.
fn age_gaps(client: &mut Client, span: Duration) {
    let millis = i64::try_from(span.as_millis()).unwrap();
    let sql = "UPDATE hookbox_gap SET noted_at = noted_at - $1";
    client.execute(sql, &[&millis]).unwrap();
}

fn delivered(bench: &Bench) -> Vec<i64> {
    bench.net.deliveries().iter().flat_map(numbers_in).collect()
}

/// What a transaction that stays open has emitted arrives when it has committed, and holds up
/// nobody before.
#[test]
fn a_transaction_held_open_delays_nobody_and_its_events_arrive_after_its_commit() {
    let bench = Bench::over(Engine::Postgres, |options| options);
    let schema = bench.schema.as_ref().unwrap();
    let (mut slow, mut slower, mut look) = (schema.client(), schema.client(), schema.client());
    bench.webhook("a");
    let mut one = slow.transaction().unwrap();
    let mut two = slower.transaction().unwrap();
    let emit_in = |transaction: &mut postgres::Transaction<'_>, payload| {
        let events = vec![event(payload)];
        bench
            .hooks
            .emit_in_postgres(transaction, APP, events)
            .unwrap();
    };
    emit_in(&mut one, "1");
    bench.emit("2");
    emit_in(&mut two, "3");
    emit_in(&mut one, "4");
    bench.emit("5");
    bench.poll();
    assert_eq!(delivered(&bench), [2, 5]);
    assert_eq!(gaps(&mut look), [(1, 1), (3, 4)]);
    // A minute and more: the gaps are old, but what may appear in them still runs.
    for _ in 0..3 {
        age_gaps(&mut look, Duration::from_secs(60));
        bench.poll();
        bench.emit("6");
        bench.poll();
    }
    assert_eq!(delivered(&bench), [2, 5, 6, 6, 6]);
    assert_eq!(gaps(&mut look), [(1, 1), (3, 4)]);
    two.commit().unwrap();
    bench.poll();
    assert_eq!(delivered(&bench)[5..], [3]);
    assert_eq!(gaps(&mut look), [(1, 1), (4, 4)]);
    one.commit().unwrap();
    bench.poll();
    assert_eq!(delivered(&bench)[6..], [1, 4]);
    assert_eq!(gaps(&mut look), []);
    let positions = "SELECT string_agg(event_seq::TEXT, ' ' ORDER BY position) FROM hookbox_log";
    let order: String = look.query_one(positions, &[]).unwrap().get(0);
    assert_eq!(order, "2 5 6 7 8 3 1 4");
    assert_eq!(bench.hooks.check().unwrap(), Vec::<String>::new());
}

#[test]
fn a_gap_is_forgotten_when_nothing_can_appear_in_it_and_not_before() {
    let bench = Bench::over(Engine::Postgres, |options| options);
    let schema = bench.schema.as_ref().unwrap();
    let (mut rolled, mut open, mut look) = (schema.client(), schema.client(), schema.client());
    let mut undone = rolled.transaction().unwrap();
    for _ in 0..3 {
        bench
            .hooks
            .emit_in_postgres(&mut undone, APP, vec![event("1")])
            .unwrap();
    }
    undone.rollback().unwrap();
    bench.emit("2");
    bench.poll();
    assert_eq!(gaps(&mut look), [(1, 3)]);
    // Anybody who runs might have taken such a number, as far as one can know.
    let mut running = open.transaction().unwrap();
    running
        .batch_execute("CREATE TEMP TABLE x (y INT)")
        .unwrap();
    age_gaps(&mut look, Duration::from_secs(59));
    bench.poll();
    let unsettled = "SELECT count(*) FROM hookbox_gap WHERE horizon IS NULL";
    assert_eq!(number(&mut look, unsettled), 1, "too young");
    age_gaps(&mut look, Duration::from_secs(2));
    for _ in 0..3 {
        bench.poll();
        assert_eq!(number(&mut look, unsettled), 0);
        assert_eq!(gaps(&mut look), [(1, 3)]);
    }
    running.commit().unwrap();
    // Other tests' transactions, in the same server, end soon.
    for _ in 0..10_000 {
        bench.poll();
        if gaps(&mut look).is_empty() {
            break;
        }
        std::thread::yield_now();
    }
    assert_eq!(gaps(&mut look), []);
    // A note from another server, of which this is a copy, is made anew.
    look.batch_execute("INSERT INTO hookbox_gap VALUES (1, 1, 0, 9000000000000000000)")
        .unwrap();
    bench.poll();
    let far = "SELECT count(*) FROM hookbox_gap WHERE horizon > 8000000000000000000";
    assert_eq!(number(&mut look, far), 0);
}

/// A mark is not lost with a holder that dies.
#[test]
fn a_webhook_that_somebody_held_while_it_was_owed_something_is_marked_later() {
    let bench = Bench::over(Engine::Postgres, |options| options);
    let mut client = bench.schema.as_ref().unwrap().client();
    bench.webhook("a");
    bench.poll();
    let mut holder = client.transaction().unwrap();
    holder
        .execute("SELECT 1 FROM hookbox_webhook_state FOR UPDATE", &[])
        .unwrap();
    bench.emit("1");
    assert_eq!(bench.poll().attempts, 0, "and waits for nobody");
    holder.rollback().unwrap();
    assert_eq!(bench.poll().attempts, 1);
    assert_eq!(number(&mut client, "SELECT count(*) FROM hookbox_mark"), 0);
}

/// Eight threads emit in every way, some transactions are undone, and two boxes route and deliver
/// meanwhile: every event has one position, and comes once.
#[test]
fn many_emitters_and_two_boxes_agree() {
    const EACH: i64 = 60;
    let bench = Bench::over(Engine::Postgres, |options| options);
    let schema = bench.schema.as_ref().unwrap();
    bench.webhook("a");
    let options = Options::new()
        .clock(bench.clock.clone())
        .transport(bench.net.clone());
    let other = options.open(bench.path()).unwrap();
    let emitting = AtomicI64::new(8);
    std::thread::scope(|scope| {
        for emitter in 0..8 {
            let (bench, emitting, mut client) = (&bench, &emitting, schema.client());
            scope.spawn(move || {
                for n in 0..EACH {
                    let payload = (emitter * EACH + n).to_string();
                    if emitter % 2 == 0 {
                        bench.emit(payload);
                        continue;
                    }
                    let mut host = client.transaction().unwrap();
                    let emit = |host: &mut postgres::Transaction<'_>| {
                        let events = vec![event(&payload)];
                        bench.hooks.emit_in_postgres(host, APP, events).unwrap();
                    };
                    if n % 3 == 0 {
                        emit(&mut host);
                        host.rollback().unwrap();
                        host = client.transaction().unwrap();
                    }
                    emit(&mut host);
                    host.commit().unwrap();
                }
                emitting.fetch_sub(1, SeqCst);
            });
        }
        for hooks in [&bench.hooks, &other] {
            let emitting = &emitting;
            scope.spawn(move || {
                while emitting.load(SeqCst) > 0 {
                    hooks.poll(START).unwrap();
                }
            });
        }
    });
    bench.poll();
    other.poll(START).unwrap();
    bench.poll();
    let mut client = schema.client();
    assert_eq!(
        number(&mut client, "SELECT count(*) FROM hookbox_log"),
        8 * EACH
    );
    assert_eq!(
        number(&mut client, "SELECT max(position) FROM hookbox_log"),
        8 * EACH
    );
    let got = delivered(&bench);
    assert_eq!(got.len(), 8 * usize::try_from(EACH).unwrap());
    assert_eq!(got.iter().collect::<BTreeSet<_>>().len(), got.len());
    assert_eq!(bench.hooks.check().unwrap(), Vec::<String>::new());
}

/// Who was subscribed at which position is decided by the log's own order, whatever the threads and
/// the open transactions do.
#[test]
fn threads_that_emit_and_one_that_toggles_agree_by_position() {
    let bench = Bench::over(Engine::Postgres, |options| options);
    let schema = bench.schema.as_ref().unwrap();
    let webhook = bench.webhook("all");
    let toggled = EventType::parse(TYPE).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..3 {
            let (bench, mut client) = (&bench, schema.client());
            scope.spawn(move || {
                for n in 0..40 {
                    let mut host = client.transaction().unwrap();
                    let events = vec![event("1")];
                    bench
                        .hooks
                        .emit_in_postgres(&mut host, APP, events)
                        .unwrap();
                    bench.emit("1");
                    if n % 4 == 0 {
                        host.rollback().unwrap();
                    } else {
                        host.commit().unwrap();
                    }
                }
            });
        }
        scope.spawn(|| {
            for _ in 0..20 {
                bench
                    .hooks
                    .remove_event_type(APP, &webhook, &toggled)
                    .unwrap();
                bench.hooks.add_event_type(APP, &webhook, &toggled).unwrap();
            }
        });
    });
    bench.poll();
    let owed = "SELECT e.id FROM hookbox_subscription s JOIN hookbox_log l ON l.type = s.type
         JOIN hookbox_event e ON e.seq = l.event_seq
         WHERE l.position > s.from_position
             AND l.position <= coalesce(s.until_position, l.position)
         ORDER BY l.position";
    let owed = schema.client().query(owed, &[]).unwrap();
    let owed: Vec<String> = owed.iter().map(|row| row.get(0)).collect();
    let sent = bench.net.deliveries();
    let got: Vec<String> = sent.iter().flat_map(events_in).map(|(id, _)| id).collect();
    assert!(!owed.is_empty());
    assert_eq!(got, owed);
}
