//! The exhaustive twin: one event, one webhook, three attempts, and every fault at every call.
//!
//! Goal: no single fault, and no two of them, lose an event or break a promise, wherever they strike.
//! Method: the world of the simulator lives one short life, always the same; it is lived again with a
//! fault at each call that it made of the storage or the transport, and again with a second fault at
//! each call that came after it. Two faults are also a crash while another is dealt with.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Instant;

use hookbox::model::{BatchStatus, Events, NewEvent, NewWebhook, Profile};

use super::engines::Engine;
use super::judge::log::Came;
use super::network::Temper;
use super::plan::{Plan, Rates};
use super::planted::Plant;
use super::script::{Fault, Script};
use super::steps::{came, event_type};
use super::time::DAY;
use super::watch::lock;
use super::world::{APPS, World, url_of};

/// How often a host tries what it was not told is done: more often than there are faults.
const TRIES: usize = 4;

/// Attempts of the life without faults.
const ATTEMPTS: usize = 3;

type Faults = [(usize, Fault)];

fn plan() -> Plan {
    let mut profile = Profile::prelude();
    profile.delivery.jitter_percent = 0;
    Plan {
        seed: 1,
        engine: Engine::Memory,
        boxes: 1,
        steps: 0,
        workers: 1,
        apps: 1,
        profile,
        real_keys: false,
        rates: Rates::default(),
        clock_steps: false,
        hangs: false,
        crashes: false,
        retention: None,
        tempers: vec![Temper::Waking],
        wide: false,
        paced: 0,
        weights: Vec::new(),
    }
}

impl World {
    /// A box that died is started again.
    fn restart(&mut self) {
        self.bury();
        self.start_the_dead();
    }

    /// Whoever was not told looks whether the webhook is there.
    fn register_one(&mut self) {
        for _ in 0..TRIES {
            let mut new = NewWebhook::new(url_of(0))
                .token("token")
                .events(Events::All);
            new.description = "token".into();
            let running = self.running(0);
            let result = running.hooks.create_webhook(APPS[0], new);
            let came = came(result, running.watch.has_crashed());
            let may_be = matches!(came, Came::Done(_) | Came::Unknown);
            lock(&self.judge).read_webhooks(0, may_be);
            self.restart();
            if !lock(&self.judge).webhooks.is_empty() {
                break;
            }
        }
        for _ in 0..TRIES {
            self.change(
                0,
                0,
                "activates",
                |hooks, app, id| hooks.activate(app, id).map(drop),
                |hook| (hook.verified, hook.enabled) = (true, true),
            );
            self.restart();
            if lock(&self.judge).webhooks[0].is_active() {
                break;
            }
        }
    }

    /// Emits once, by its key.
    fn emit_one(&mut self) {
        for _ in 0..TRIES {
            let new = vec![NewEvent::new(event_type(0), "{\"n\":1}").key("1")];
            let running = self.running(0);
            let result = running.hooks.emit_many(APPS[0], new.clone());
            let came = came(result, running.watch.has_crashed());
            lock(&self.judge).emitted(0, &new, &came);
            self.restart();
            if matches!(came, Came::Done(_)) {
                break;
            }
        }
    }
}

/// Lives once; says how many calls it took, or what does not hold.
fn live(faults: &Faults, plant: Option<Plant>) -> Result<usize, String> {
    let lived = catch_unwind(AssertUnwindSafe(|| {
        let mut world = World::new(plan(), plant, false);
        world.weather.calm.store(true, SeqCst);
        *lock(&world.weather.script) = Script::of(faults);
        world.register_one();
        world.emit_one();
        world.run_until(world.truth.now() + DAY);
        let calls = lock(&world.weather.script).calls();
        let mut judge = lock(&world.judge);
        judge.judge_end();
        if let Some(violation) = &judge.violation {
            return Err(format!(
                "{} does not hold: {}",
                violation.id, violation.what
            ));
        }
        let batch = judge.batches.values().next();
        let well = batch.is_some_and(|known| {
            let attempts = known.row.attempts as usize;
            known.row.status == BatchStatus::Delivered && attempts <= ATTEMPTS + faults.len()
        });
        let got = judge.webhooks.iter().any(|hook| hook.got.contains(&0));
        // Its key makes it one, however often it is emitted.
        if well && got && judge.batches.len() == 1 && judge.events.len() == 1 {
            Ok(calls)
        } else {
            Err(format!("the event came to this: {:?}", judge.batches))
        }
    }));
    lived.unwrap_or_else(|_| Err("it panicked".into()))
}

/// What the lives with a first fault came to.
#[derive(Debug, Default)]
struct Lived {
    singles: usize,
    pairs: usize,
    broken: Vec<String>,
}

impl Lived {
    fn note(&mut self, faults: &Faults, came: Result<usize, String>) -> Option<usize> {
        came.map_err(|what| self.broken.push(format!("{faults:?}: {what}")))
            .ok()
    }

    /// Every life with this fault first; of those with another after it, one in `every`.
    fn with_first(&mut self, first: (usize, Fault), every: usize) {
        let one = [first];
        self.singles += 1;
        let Some(calls) = self.note(&one, live(&one, None)) else {
            return;
        };
        for call in first.0 + 1..calls {
            for fault in Fault::ALL {
                self.pairs += 1;
                if self.pairs.is_multiple_of(every) {
                    let two = [first, (call, fault)];
                    self.note(&two, live(&two, None));
                }
            }
        }
    }
}

/// Lives with every single fault, and with every pair of them (`every` 1), or one pair in so many.
pub fn run_twin(every: usize) -> bool {
    let started = Instant::now();
    let calls = match live(&[], None) {
        Ok(calls) => calls,
        Err(what) => {
            println!("the exhaustive twin, without faults: {what}");
            return false;
        }
    };
    let firsts: Vec<(usize, Fault)> = (0..calls)
        .flat_map(|call| Fault::ALL.map(|fault| (call, fault)))
        .collect();
    let (next, all) = (AtomicUsize::new(0), Mutex::new(Lived::default()));
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(2, usize::from) {
            scope.spawn(|| {
                let mut lived = Lived::default();
                while let Some(first) = firsts.get(next.fetch_add(1, SeqCst)) {
                    lived.with_first(*first, every);
                }
                let mut all = lock(&all);
                all.singles += lived.singles;
                all.pairs += lived.pairs / every;
                all.broken.extend(lived.broken);
            });
        }
    });
    let (all, seconds) = (lock(&all), started.elapsed().as_secs_f64());
    println!(
        "the exhaustive twin: {calls} calls, {} single faults, {} pairs, {} broken, in {seconds:.1} s",
        all.singles,
        all.pairs,
        all.broken.len()
    );
    for broken in all.broken.iter().take(10) {
        println!("  {broken}");
    }
    all.broken.is_empty() && sees(&firsts)
}

/// A planted bug shows under some single fault, and not without one.
fn sees(firsts: &Faults) -> bool {
    let plant = Some(Plant::IgnoresKeys);
    let shows = firsts.iter().any(|first| live(&[*first], plant).is_err());
    let well = live(&[], plant).is_ok() && shows;
    if !well {
        println!("the exhaustive twin does not see {plant:?}");
    }
    well
}
