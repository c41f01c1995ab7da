//! Exactness of "owed" (I1, design idea 1).
//!
//! Goal: a webhook gets exactly the events emitted while it was active and subscribed to their
//! type and environment: each at least once, no other ever. Method: random interleavings of
//! everything that may change what is owed, over each storage, against a model that notes at each emit who listens;
//! and threads that emit while another toggles subscriptions, against the stored subscriptions.

mod world;

use std::collections::BTreeSet;

use hookbox::model::EventType;
use proptest::prelude::*;

use super::support::*;
use world::World;

const APPS: [&str; 2] = ["left", "right"];
const TYPES: [&str; 3] = ["user.created", "user.deleted", "user.session.created"];
const ENVIRONMENTS: [Option<&str>; 3] = [None, Some("live"), Some("test")];
const BATCH_EVENTS_MAX: usize = 5;

fn event_type(index: usize) -> EventType {
    EventType::parse(TYPES[index]).unwrap()
}

#[derive(Debug, Clone)]
struct Emitted {
    event_type: usize,
    environment: usize,
    key: Option<u8>,
    at_most_once: bool,
}

type Types = Option<BTreeSet<usize>>;

#[derive(Debug, Clone)]
enum Op {
    Emit(usize, Vec<Emitted>),
    Create(usize, Types, usize),
    Delete(usize),
    Activate(usize),
    Deactivate(usize),
    Subscribe(usize, usize),
    Unsubscribe(usize, usize),
    Update(usize, Types, usize),
    App(usize, bool),
    Endpoint(usize, u8),
    Resend(usize),
    Step(u64),
    Poll,
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let emitted = (
        0..3usize,
        0..3usize,
        prop::option::weighted(0.3, 0..6u8),
        prop::bool::weighted(0.2),
    )
        .prop_map(|(event_type, environment, key, at_most_once)| Emitted {
            event_type,
            environment,
            key,
            at_most_once,
        });
    let types = || prop::option::of(prop::collection::btree_set(0..3usize, 0..3));
    let op = prop_oneof![
        8 => (0..2usize, prop::collection::vec(emitted, 1..9)).prop_map(|(a, e)| Op::Emit(a, e)),
        2 => (0..2usize, types(), 0..3usize).prop_map(|(a, t, e)| Op::Create(a, t, e)),
        1 => any::<usize>().prop_map(Op::Delete),
        3 => any::<usize>().prop_map(Op::Activate),
        2 => any::<usize>().prop_map(Op::Deactivate),
        2 => (any::<usize>(), 0..3usize).prop_map(|(w, t)| Op::Subscribe(w, t)),
        2 => (any::<usize>(), 0..3usize).prop_map(|(w, t)| Op::Unsubscribe(w, t)),
        2 => (any::<usize>(), types(), 0..3usize).prop_map(|(w, t, e)| Op::Update(w, t, e)),
        1 => (0..2usize, any::<bool>()).prop_map(|(a, on)| Op::App(a, on)),
        2 => (any::<usize>(), 0..5u8).prop_map(|(w, how)| Op::Endpoint(w, how)),
        1 => any::<usize>().prop_map(Op::Resend),
        2 => (1..5_000u64).prop_map(Op::Step),
        5 => Just(Op::Poll),
    ];
    prop::collection::vec(op, 1..70)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn exactly_what_is_owed_is_delivered(ops in ops()) {
        for engine in Engine::ALL {
            let mut world = World::new(engine.clone());
            for op in &ops {
                world.apply(op.clone());
            }
            world.drain();
            world.judge();
        }
    }
}

/// Who was subscribed at which position is decided by the log's own order, whatever the threads do.
#[test]
fn threads_that_emit_and_one_that_toggles_agree_by_position() {
    let bench = Bench::new();
    let webhook = bench.webhook("all");
    let (emitters, each) = (4, 60);
    std::thread::scope(|scope| {
        for emitter in 0..emitters {
            let bench = &bench;
            scope.spawn(move || {
                for n in 0..each {
                    let name = TYPES[(n + emitter) % 2];
                    bench.hooks.emit(APP, name, "1").unwrap();
                }
            });
        }
        scope.spawn(|| {
            for _ in 0..30 {
                bench
                    .hooks
                    .add_event_type(APP, &webhook, &event_type(1))
                    .unwrap();
                bench
                    .hooks
                    .remove_event_type(APP, &webhook, &event_type(0))
                    .unwrap();
                bench
                    .hooks
                    .remove_event_type(APP, &webhook, &event_type(1))
                    .unwrap();
                bench
                    .hooks
                    .add_event_type(APP, &webhook, &event_type(0))
                    .unwrap();
            }
        });
    });
    let db = rusqlite::Connection::open(bench.path()).unwrap();
    let mut owed = db
        .prepare(
            "SELECT e.id FROM hookbox_subscription s JOIN hookbox_event e ON e.type = s.type
             WHERE e.position > s.from_position
                 AND e.position <= coalesce(s.until_position, e.position)
             ORDER BY e.position",
        )
        .unwrap();
    let owed: Vec<String> = owed
        .query_map((), |row| row.get(0))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    assert!(!owed.is_empty());
    bench.poll();
    let got: Vec<String> = bench
        .net
        .deliveries()
        .iter()
        .flat_map(events_in)
        .map(|(id, _)| id)
        .collect();
    assert_eq!(got, owed);
}
