//! One run: boxes on one store, endpoints, faults, a judge, and time; all of it by the seed.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::Ordering::SeqCst;

use hookbox::Options;
use hookbox::model::{Environment, KeyId, SuccessRule};

use super::boxes::{Flight, Running, Wire, hang};
use super::chance::Chance;
use super::engines::Store;
use super::figures::{Figures, Mark};
use super::judge::{self, Judge, Violation};
use super::network::{Endpoint, Temper};
use super::plan::Plan;
use super::planted::Plant;
use super::script::Fault;
use super::spoiled::Spoiled;
use super::time::{BoxClock, DAY, HOUR, MINUTE, START, Truth};
use super::watch::{SharedJudge, Watch, Weather, lock};

pub const APPS: [&str; 2] = ["left", "right"];
pub const TYPES: [&str; 3] = ["user.created", "user.deleted", "user.session.created"];
pub const ENVIRONMENTS: [Option<&str>; 3] = [None, Some("live"), Some("test")];

/// Rounds of the engines after which a run that has not come to rest never will.
const ROUNDS_MAX: u32 = 20_000;

pub fn environment_index(environment: Option<&Environment>) -> usize {
    let name = environment.map(Environment::as_str);
    ENVIRONMENTS
        .iter()
        .position(|one| *one == name)
        .unwrap_or(0)
}

pub fn url_of(endpoint: usize) -> String {
    format!("https://e{endpoint}.example.com/hook")
}

pub fn endpoint_of(url: &str) -> usize {
    let digits = url.trim_start_matches("https://e").split('.').next();
    digits.and_then(|digits| digits.parse().ok()).unwrap_or(0)
}

#[derive(Debug)]
pub struct World {
    pub plan: Plan,
    pub chance: Chance,
    pub truth: Arc<Truth>,
    pub judge: SharedJudge,
    pub store: Store,
    pub weather: Arc<Weather>,
    pub boxes: Vec<Option<Running>>,
    pub clocks: Vec<Arc<BoxClock>>,
    pub flights: Vec<Flight>,
    /// The stamps that sign, by app.
    pub stamps: Vec<(usize, KeyId)>,
    pub counter: u32,
    /// Emits that may or may not have happened.
    pub again: Vec<(usize, Vec<hookbox::model::NewEvent>)>,
    pub plant: Option<Plant>,
    opened: u64,
}

/// What a run came to.
#[derive(Debug)]
pub struct Outcome {
    pub figures: Figures,
    pub violation: Option<Violation>,
    pub trace: Vec<String>,
    pub hash: u64,
}

impl World {
    pub fn new(plan: Plan, plant: Option<Plant>, aloud: bool) -> Self {
        let truth = Truth::new();
        let store = Store::new(plan.engine);
        let mut judge = Judge::new(store.open(), truth.clone(), plan.profile.clone());
        judge.trace.aloud = aloud;
        judge.real_keys = plan.real_keys;
        judge.hangs = plan.hangs;
        judge.boxes = plan.boxes;
        judge.routes_later = store.routes_later();
        let any_2xx = plan.profile.delivery.success == SuccessRule::Any2xx;
        let accepts = [200, if any_2xx { 204 } else { 200 }].into_iter().cycle();
        let endpoints = plan.tempers.iter().copied().zip(accepts);
        judge.endpoints = endpoints
            .map(|(temper, accepts)| Endpoint::new(temper, accepts))
            .collect();
        let clocks = (0..plan.boxes)
            .map(|_| BoxClock::new(truth.clone(), 0))
            .collect();
        let mut world = Self {
            chance: Chance::new(plan.seed),
            truth,
            judge: Arc::new(Mutex::new(judge)),
            store,
            weather: Arc::default(),
            boxes: (0..plan.boxes).map(|_| None).collect(),
            clocks,
            flights: Vec::new(),
            stamps: Vec::new(),
            counter: 0,
            again: Vec::new(),
            plant,
            opened: 0,
            plan,
        };
        world.open(0);
        world.create_apps();
        for box_no in 1..world.plan.boxes {
            world.open(box_no);
        }
        world
    }

    /// Every open box signs with every stamp.
    pub fn register_signers(&self) {
        for running in self.boxes.iter().flatten() {
            for (app, kid) in &self.stamps {
                running.use_signer(APPS[*app], kid);
            }
        }
    }

    pub fn open(&mut self, box_no: usize) {
        self.opened += 1;
        let seed = self.plan.seed ^ (self.opened << 40);
        let storage = self.store.open();
        let storage = match self.plant {
            Some(plant) => Spoiled::over(storage, plant),
            None => storage,
        };
        let watch = Watch::new(
            storage,
            self.judge.clone(),
            self.weather.clone(),
            self.plan.rates,
            self.store.sees_others(),
            seed ^ 1,
        );
        let wire = Wire {
            judge: self.judge.clone(),
            watch: watch.clone(),
            clock: self.clocks[box_no].clone(),
            chance: Mutex::new(Chance::new(seed ^ 2)),
            plant: self.plant,
        };
        let of_notices = self.judge.clone();
        let options = Options::new()
            .workers(self.plan.workers)
            .retention(self.plan.retention)
            .on_notice(move |notice| {
                use hookbox::model::Notice::{StorageResumed, StorageStalled};
                match notice {
                    StorageStalled { .. } => lock(&of_notices).mark(Mark::StorageStalled),
                    StorageResumed => lock(&of_notices).mark(Mark::StorageResumed),
                    _ => {}
                }
            });
        self.boxes[box_no] = Some(Running::open(options, wire, watch, seed));
        self.register_signers();
        lock(&self.judge).note(|| format!("box {box_no} opens"));
    }

    /// A box dies, and with it all that was not stored.
    pub fn crash(&mut self, box_no: usize) {
        self.boxes[box_no] = None;
        let mut judge = lock(&self.judge);
        judge.holding.remove(&box_no);
        judge.note(|| format!("box {box_no} dies"));
        self.flights.retain(|flight| {
            let stays = flight.box_no != box_no;
            if !stays {
                judge.flying.remove(&flight.sent.batch_id());
            }
            stays
        });
    }

    /// Boxes that died inside a call are gone.
    pub fn bury(&mut self) {
        for box_no in 0..self.boxes.len() {
            let running = self.boxes[box_no].as_ref();
            if running.is_some_and(|running| running.watch.has_crashed()) {
                self.crash(box_no);
            }
        }
    }

    /// The dispatcher of a box goes one round.
    pub fn turn(&mut self, box_no: usize) {
        let Some(running) = &mut self.boxes[box_no] else {
            return;
        };
        lock(&self.judge).engine_of = Some(box_no);
        if running.engine.turn().is_some() {
            running.engine = running.hooks.stepped_engine();
            let mut judge = lock(&self.judge);
            judge.holding.remove(&box_no);
            judge.mark(Mark::Stopped);
        }
        lock(&self.judge).engine_of = None;
    }

    /// A sender of a box takes the next batch. False when there is none, or no sender.
    pub fn begin(&mut self, box_no: usize) -> bool {
        let Some(running) = &mut self.boxes[box_no] else {
            return false;
        };
        let Some(mut sent) = running.engine.begin() else {
            return false;
        };
        let fault = running.watch.fault();
        if fault == Some(Fault::CrashesBefore) {
            running.watch.dies_of(fault);
            return false;
        }
        if let Some(spoiled) = self.plant.and_then(|plant| plant.spoil(&sent.request)) {
            sent.request = spoiled;
        }
        let out = self
            .flights
            .iter()
            .filter(|flight| flight.box_no == box_no)
            .count();
        let mut judge = lock(&self.judge);
        let batch = sent.batch_id();
        let reply = judge.attempted(batch, &sent.request, sent.started, fault, &mut self.chance);
        if self.plant == Some(Plant::SendsTwice) {
            judge.requested(batch, &sent.request, sent.started, &mut self.chance);
        }
        if out >= self.plan.workers {
            judge.mark(Mark::SlowBesideWorkers);
        }
        let mut at = self.truth.now() + reply.after;
        if self.plan.hangs && self.chance.per_mille(100) {
            judge.figures.fault("sender hangs");
            at += hang(&mut self.chance);
        }
        let keys_then = judge.key_changes();
        drop(judge);
        self.flights.push(Flight {
            box_no,
            sent,
            answer: reply.answer,
            at,
            keys_then,
        });
        if let Some(running) = &self.boxes[box_no] {
            running.watch.dies_of(fault);
        }
        true
    }

    /// A sender reports.
    fn finish(&mut self, index: usize) {
        let flight = self.flights.swap_remove(index);
        let mut judge = lock(&self.judge);
        judge.landed(flight.sent.batch_id());
        if judge.key_changes() != flight.keys_then {
            judge.mark(Mark::KeyRotatedInFlight);
        }
        judge.note(|| format!("answered {}", flight.sent.batch_id()));
        drop(judge);
        if let Some(running) = &self.boxes[flight.box_no] {
            running.engine.finish(&flight.sent, flight.answer);
        }
    }

    fn next_landing(&self) -> Option<(usize, i64)> {
        let all = self.flights.iter().enumerate();
        all.map(|(index, flight)| (index, flight.at))
            .min_by_key(|(index, at)| (*at, *index))
    }

    /// The sender whose answer comes next reports it.
    pub fn land_next(&mut self) {
        if let Some((index, at)) = self.next_landing() {
            self.truth.advance_to(at);
            self.finish(index);
        }
    }

    /// Time passes; senders report meanwhile.
    pub fn wait_until(&mut self, end: i64) {
        while self.next_landing().is_some_and(|(_, at)| at <= end) {
            self.land_next();
        }
        self.truth.advance_to(end);
    }

    /// When an engine next has something to do by itself.
    pub fn next_due(&self) -> Option<i64> {
        let now = self.truth.now();
        let due = |running: &Running| match running.engine.idle() {
            Some(idle) => idle
                .next_due
                .map(|due| due.as_millis() - running.clock.ahead()),
            None => Some(now + judge::exchange::millis(running.engine.patience())),
        };
        self.boxes.iter().flatten().filter_map(due).min()
    }

    /// Lets the engines work until `end`. The weather is fair; what dies by the script is started again.
    pub fn run_until(&mut self, end: i64) {
        for _ in 0..ROUNDS_MAX {
            for box_no in 0..self.boxes.len() {
                self.turn(box_no);
                while self.begin(box_no) {}
            }
            self.bury();
            self.start_the_dead();
            if lock(&self.judge).violation.is_some() {
                return;
            }
            let due = self.next_due().map(|due| due.max(self.truth.now() + 1));
            let landing = self.next_landing().map(|(_, at)| at);
            let next = [due, landing].into_iter().flatten().min();
            match next.filter(|next| *next < end) {
                Some(_) if landing.is_some() && landing == next => self.land_next(),
                Some(next) => self.wait_until(next),
                None => {
                    self.wait_until(end);
                    return;
                }
            }
        }
        lock(&self.judge).violated("I5", "it never comes to rest");
    }

    /// Boxes that are not there are opened. (Of one that never comes back, what its clock said stays
    /// unknown: the others cannot tell a time that it set from one that is right.)
    pub fn start_the_dead(&mut self) {
        for box_no in 0..self.boxes.len() {
            if self.boxes[box_no].is_none() {
                self.open(box_no);
            }
        }
    }

    /// Everything is well again, and weeks pass.
    fn heal(&mut self) {
        self.weather.calm.store(true, SeqCst);
        self.plan.hangs = false;
        for clock in &self.clocks {
            clock.set_ahead(0);
        }
        lock(&self.judge).note(|| "all is well again".into());
        {
            let mut judge = lock(&self.judge);
            for endpoint in &mut judge.endpoints {
                endpoint.proves = true;
                if self.chance.per_mille(600) {
                    endpoint.temper = Temper::Good;
                }
            }
        }
        self.start_the_dead();
        self.wait_until(self.truth.now() + HOUR);
        self.wake_all();
        let heard = self.truth.now();
        self.run_until(heard + self.plan.patience());
        let mut judge = lock(&self.judge);
        let overdue = judge.overdue();
        let id = if judge.skewed { "I14" } else { "I5" };
        judge.check(id, overdue.is_empty(), || {
            format!("long after all was well: {overdue:?}")
        });
        drop(judge);
        self.run_until(heard + 21 * DAY);
    }

    /// Runs the whole plan.
    pub fn run(mut self) -> Outcome {
        for step in 0..self.plan.steps {
            self.step();
            self.truth.advance(self.chance.between(0, 3));
            if step % 50 == 49 {
                lock(&self.judge).sweep();
            }
            if lock(&self.judge).violation.is_some() {
                break;
            }
        }
        if lock(&self.judge).violation.is_none() {
            self.heal();
        }
        let mut judge = lock(&self.judge);
        if judge.violation.is_none() {
            judge.judge_end();
        }
        judge.figures.steps = self.plan.steps as u64;
        judge.figures.virtual_ms = self.truth.now() - START;
        judge.figures.seeds.insert(self.plan.engine.name(), 1);
        Outcome {
            figures: judge.figures.clone(),
            violation: judge.violation.clone(),
            trace: judge.trace.last_lines(),
            hash: judge.trace.hash(),
        }
    }
}

impl Judge {
    /// How often any app's keys were changed.
    pub fn key_changes(&self) -> usize {
        self.apps.iter().map(|app| app.keys.len()).sum()
    }
}

/// Steps of a clock, in milliseconds.
pub const CLOCK_STEPS: [i64; 6] = [1000, MINUTE, HOUR, 12 * HOUR, 2 * DAY, 30 * DAY];
