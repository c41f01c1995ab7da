//! Retention of a started box.
//!
//! Goal: what is past its span goes soon, however much it is. Method: the box's clock is moved by hand;
//! what retention needs of its time is counted.

use std::time::Duration;

use hookbox::clock::Clock;
use hookbox::model::{BatchStatus, EventType, NewEvent};
use hookbox::storage::{EventFilter, PageRequest};

use super::support::*;

/// A pass begins each tenth of the span, and its slices follow each other as fast as they can.
#[test]
fn a_started_box_deletes_in_time() {
    const EVENTS: usize = 4_000;
    let span = Duration::from_secs(60);
    let bench = Bench::with(|options| options.retention(Some(span)));
    bench.webhook("a");
    bench.hooks.start().unwrap();
    let stored = || {
        let page = PageRequest::default();
        let events = bench.hooks.events(APP, EventFilter::default(), page);
        events.unwrap().items.len()
    };
    for _ in 0..EVENTS / 1_000 {
        let event = || NewEvent::new(EventType::parse(TYPE).unwrap(), "1");
        let events = (0..1_000).map(|_| event()).collect();
        bench.hooks.emit_many(APP, events).unwrap();
    }
    until("the deliveries", || {
        let batches = bench.batches();
        batches.len() >= EVENTS / 100
            && batches
                .iter()
                .all(|batch| batch.status == BatchStatus::Delivered)
    });
    assert!(stored() > 0);
    bench.clock.advance(span + span / 10);
    let began = bench.clock.now();
    until("the end of retention", || {
        bench.clock.advance(Duration::from_millis(5));
        stored() == 0
    });
    let took = bench.clock.now().since(began);
    assert!(took < span / 10, "{took:?}");
    bench.hooks.stop(Duration::from_secs(5)).unwrap();
}
