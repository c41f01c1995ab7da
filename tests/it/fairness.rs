//! Fairness (I10).
//!
//! Goal: no endpoint, and no app, slows another. Method: an endpoint that never answers until the
//! test lets it, beside well ones, on four senders; and claims of two apps of unlike size.

use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use hookbox::model::{BatchStatus, Overrides};
use hookbox::storage::{BatchFilter, PageRequest};

use super::support::*;

/// Holds requests to `/hole…` until it is opened.
#[derive(Default)]
struct Holes {
    /// How many came, and whether it is open.
    state: Mutex<(usize, bool)>,
    changed: Condvar,
}

impl Holes {
    /// A transport's script holds there what is meant for holes; all is answered well.
    fn dig(bench: &Bench) -> Arc<Self> {
        let holes = Arc::<Self>::default();
        let of_script = holes.clone();
        bench.net.script(move |request| {
            if request.url.as_str().contains("/hole") {
                of_script.hold();
            }
            status(200)
        });
        holes
    }

    fn hold(&self) {
        let mut state = self.state.lock().unwrap();
        state.0 += 1;
        drop(self.changed.wait_while(state, |(_, open)| !*open).unwrap());
    }

    fn held(&self) -> usize {
        self.state.lock().unwrap().0
    }

    fn open(&self) {
        self.state.lock().unwrap().1 = true;
        self.changed.notify_all();
    }
}

#[test]
fn a_black_hole_does_not_hold_up_the_others() {
    let bench = Bench::with(|options| options.workers(4));
    let holes = Holes::dig(&bench);
    // As wide as it may be, and never failed so far: nothing marks it out.
    bench.webhook_with(APP, "hole", Overrides::default());
    let apps = ["one", "two", "three"];
    for app in apps {
        bench.hooks.create_app(app).unwrap();
        bench.webhook_with(app, app, Overrides::default());
    }
    bench.hooks.start().unwrap();
    for _ in 0..20 {
        for app in [APP, "one", "two", "three"] {
            bench.hooks.emit(app, TYPE, "1").unwrap();
        }
    }
    let delivered = |app: &str| -> usize {
        let filter = BatchFilter {
            status: Some(BatchStatus::Delivered),
            webhook: None,
        };
        let page = PageRequest::first(1000).unwrap();
        let batches = bench.hooks.batches(app, filter, page).unwrap().items;
        batches.iter().map(|batch| batch.positions.len()).sum()
    };
    let start = std::time::Instant::now();
    while apps.iter().any(|app| delivered(app) < 20) {
        assert!(
            start.elapsed() < Duration::from_secs(20),
            "the well ones wait for the hole"
        );
        std::thread::park_timeout(Duration::from_millis(2));
    }
    assert_eq!(delivered(APP), 0, "the hole is still held");
    holes.open();
    while delivered(APP) < 20 {
        assert!(
            start.elapsed() < Duration::from_secs(40),
            "the hole itself goes on"
        );
        std::thread::park_timeout(Duration::from_millis(2));
    }
    bench.hooks.stop(Duration::from_secs(5)).unwrap();
}

/// More endpoints that never answer than there are senders: those that wait make room.
#[test]
fn many_black_holes_do_not_use_up_the_senders() {
    let bench = Bench::with(|options| options.workers(2));
    let holes = Holes::dig(&bench);
    for n in 0..12 {
        bench.webhook(&format!("hole/{n}"));
    }
    bench.hooks.create_app("well").unwrap();
    let well = bench.webhook_with("well", "well", Overrides::default());
    bench.hooks.start().unwrap();
    bench.emit("1");
    // Each round makes what is out a slow request; all of them take far less than a lease.
    let until = |what: &str, is_so: &dyn Fn() -> bool| {
        for _ in 0..20 {
            bench.clock.advance(Duration::from_millis(300));
            for _ in 0..200 {
                if is_so() {
                    return;
                }
                std::thread::park_timeout(Duration::from_millis(5));
            }
        }
        // Else those that are held would keep the box from closing.
        holes.open();
        panic!("{what}");
    };
    until("the holes take the senders", &|| holes.held() >= 2);
    bench.hooks.emit("well", TYPE, "1").unwrap();
    let delivered = || {
        let filter = BatchFilter {
            status: Some(BatchStatus::Delivered),
            webhook: Some(well.clone()),
        };
        let page = PageRequest::first(1).unwrap();
        bench
            .hooks
            .batches("well", filter, page)
            .unwrap()
            .items
            .len()
    };
    until("the well one waits for the holes", &|| delivered() == 1);
    until("a hole waits for another", &|| holes.held() == 12);
    holes.open();
    bench.hooks.stop(Duration::from_secs(5)).unwrap();
}

/// Endpoints that nobody has met yet hold their own senders only, also before they can be told to be
/// slow: no time passes here.
#[test]
fn meeting_black_holes_does_not_hold_up_those_that_answer() {
    let bench = Bench::with(|options| options.workers(2));
    let holes = Holes::dig(&bench);
    bench.hooks.create_app("well").unwrap();
    let well = bench.webhook_with("well", "well", Overrides::default());
    bench.hooks.emit("well", TYPE, "1").unwrap();
    bench.poll();
    for n in 0..12 {
        bench.webhook(&format!("hole/{n}"));
    }
    bench.hooks.start().unwrap();
    bench.emit("1");
    let start = std::time::Instant::now();
    let until = |what: &str, is_so: &dyn Fn() -> bool| {
        while !is_so() {
            if start.elapsed() > Duration::from_secs(20) {
                // Else those that are held would keep the box from closing.
                holes.open();
                panic!("{what}");
            }
            std::thread::park_timeout(Duration::from_millis(2));
        }
    };
    until("the holes have two senders", &|| holes.held() == 2);
    bench.hooks.emit("well", TYPE, "2").unwrap();
    until("the well one waits for the holes", &|| {
        let page = PageRequest::first(10).unwrap();
        let filter = BatchFilter {
            status: Some(BatchStatus::Delivered),
            webhook: Some(well.clone()),
        };
        let batches = bench.hooks.batches("well", filter, page).unwrap().items;
        batches.len() == 2
    });
    holes.open();
    bench.hooks.stop(Duration::from_secs(5)).unwrap();
}

#[test]
fn many_webhooks_of_one_app_do_not_starve_another() {
    let bench = Bench::new();
    for n in 0..20 {
        bench.webhook(&n.to_string());
    }
    bench.hooks.create_app("small").unwrap();
    bench.webhook_with("small", "small", Overrides::default());
    bench.emit("1");
    bench.hooks.emit("small", TYPE, "1").unwrap();
    let claimed = bench.hooks.claim(4).unwrap();
    let is_small = |one: &&hookbox::Delivery| one.request.url.as_str().ends_with("/small");
    assert_eq!(
        (claimed.len(), claimed.iter().filter(is_small).count()),
        (4, 1)
    );
    // What is left comes as well, each once.
    assert_eq!(bench.hooks.claim(100).unwrap().len(), 17);
}

#[test]
fn one_request_at_a_time_goes_round_the_apps() {
    let bench = Bench::new();
    let apps = ["a1", "a2", "a3"];
    for app in apps {
        bench.hooks.create_app(app).unwrap();
        for n in 0..3 {
            bench.webhook_with(app, &format!("{app}/{n}"), Overrides::default());
        }
        bench.hooks.emit(app, TYPE, "1").unwrap();
    }
    let order: Vec<String> = (0..9)
        .map(|_| {
            let one = bench.hooks.claim(1).unwrap().remove(0);
            one.request
                .url
                .as_str()
                .split('/')
                .nth(3)
                .unwrap()
                .to_owned()
        })
        .collect();
    for round in order.chunks(3) {
        let mut round = round.to_vec();
        round.sort();
        assert_eq!(round, apps, "{order:?}");
    }
}

/// A host that polls on one thread: the due batches of a failing webhook do not all go before a
/// healthy one's event.
#[test]
fn a_poll_sends_what_is_well_before_what_fails() {
    let bench = Bench::new();
    bench.webhook("sick");
    bench.net.script(|_| status(500));
    bench.emit("1");
    bench.poll();
    bench.webhook("well");
    bench.clock.advance(Duration::from_secs(3600));
    bench.emit("2");
    bench.net.script(|request| {
        status(if request.url.as_str().ends_with("/sick") {
            500
        } else {
            200
        })
    });
    bench.poll();
    let urls = bench.net.deliveries();
    assert!(urls[1].url.as_str().ends_with("/well"), "{:?}", urls[1].url);
    assert!(urls.len() > 2, "the sick one is tried as well");
}
