//! The steps of a run: what engines, hosts, endpoints and clocks may do next.

use std::collections::BTreeSet;
use std::time::Duration;

use hookbox::clock::Clock;
use hookbox::model::{
    Batch, BatchId, BatchStatus, DeliveryMode, Environment, EventType, Events, KeyId, NewEvent,
    Secret, SignatureScheme,
};
use hookbox::{Error, NewKey, StorageFault};

use super::boxes::{Errand, Running};
use super::figures::Mark;
use super::judge::log::Came;
use super::keys;
use super::network::{POISON, Temper};
use super::time::{DAY, HOUR, MINUTE};
use super::watch::lock;
use super::world::{APPS, CLOCK_STEPS, ENVIRONMENTS, TYPES, World};

/// Each kind of step and how often it comes, before the plan's own weight.
pub const STEPS: [(Step, u32); 29] = [
    (Step::Turn, 60),
    (Step::Begin, 60),
    (Step::Land, 50),
    (Step::WaitShort, 20),
    (Step::WaitForDue, 10),
    (Step::WaitLong, 4),
    (Step::Emit, 40),
    (Step::Create, 12),
    (Step::Activate, 12),
    (Step::Deactivate, 4),
    (Step::Subscribe, 4),
    (Step::Unsubscribe, 4),
    (Step::Update, 4),
    (Step::Delete, 2),
    (Step::SwitchApp, 2),
    (Step::Endpoint, 4),
    (Step::Poll, 5),
    (Step::ClaimByHost, 5),
    (Step::SettleByHost, 8),
    (Step::Resend, 4),
    (Step::Cancel, 4),
    (Step::Replay, 3),
    (Step::Prune, 2),
    (Step::Keys, 4),
    (Step::SetClock, 4),
    (Step::Crash, 3),
    (Step::Stop, 2),
    (Step::DropApp, 2),
    (Step::Catalogue, 3),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    Turn,
    Begin,
    Land,
    WaitShort,
    WaitForDue,
    WaitLong,
    Emit,
    Create,
    Activate,
    Deactivate,
    Subscribe,
    Unsubscribe,
    Update,
    Delete,
    SwitchApp,
    Endpoint,
    Poll,
    ClaimByHost,
    SettleByHost,
    Resend,
    Cancel,
    Replay,
    Prune,
    Keys,
    SetClock,
    Crash,
    Stop,
    DropApp,
    Catalogue,
}

/// Without these a run does nothing: no plan leaves them out.
const NEEDED: [Step; 7] = [
    Step::Turn,
    Step::Begin,
    Step::Land,
    Step::WaitShort,
    Step::Emit,
    Step::Create,
    Step::Activate,
];

/// Only wide runs have these.
const OF_WIDE: [Step; 2] = [Step::DropApp, Step::Catalogue];

pub fn event_type(index: usize) -> EventType {
    EventType::parse(TYPES[index]).unwrap()
}

pub fn environment(index: usize) -> Option<Environment> {
    ENVIRONMENTS[index].map(|name| Environment::parse(name).unwrap())
}

pub fn events(types: Option<&BTreeSet<usize>>) -> Events {
    types.map_or(Events::All, |types| {
        Events::only(types.iter().map(|index| event_type(*index)))
    })
}

/// What came of a call.
pub fn came<T>(result: hookbox::Result<T>, crashed: bool) -> Came<T> {
    match result {
        Ok(value) => Came::Done(value),
        Err(Error::Storage { fault, .. }) if crashed || fault == StorageFault::CommitUnknown => {
            Came::Unknown
        }
        Err(Error::Storage { .. }) => Came::Failed,
        Err(error) => Came::Refused(error),
    }
}

impl World {
    pub fn step(&mut self) {
        let weights: Vec<u32> = STEPS
            .iter()
            .zip(&self.plan.weights)
            .map(|((step, base), weight)| {
                base * if NEEDED.contains(step) {
                    (*weight).max(1)
                } else if OF_WIDE.contains(step) && !self.plan.wide {
                    0
                } else {
                    *weight
                }
            })
            .collect();
        let (step, _) = STEPS[self.chance.weighted(&weights)];
        let box_no = self.chance.below(self.boxes.len());
        if self.boxes[box_no].is_none() {
            self.open(box_no);
        }
        self.take(step, box_no);
        self.bury();
    }

    pub fn running(&self, box_no: usize) -> &Running {
        self.boxes[box_no].as_ref().unwrap()
    }

    fn take(&mut self, step: Step, box_no: usize) {
        let now = self.truth.now();
        match step {
            Step::Turn => self.turn(box_no),
            Step::Begin => {
                self.begin(box_no);
            }
            Step::Land => self.land_next(),
            Step::WaitShort => {
                let end = now + self.chance.between(1, 3000);
                self.wait_until(end);
            }
            Step::WaitForDue => {
                let due = self.next_due().unwrap_or(now);
                self.wait_until(due.clamp(now, now + DAY));
            }
            Step::WaitLong => {
                let span = self.chance.pick(&[MINUTE, HOUR, 6 * HOUR, DAY, 3 * DAY]);
                let end = now + self.chance.between(1, span);
                self.wait_until(end);
            }
            Step::Emit => self.emit(box_no),
            Step::Create => self.create(box_no),
            Step::SwitchApp => self.switch_app(box_no),
            Step::Endpoint => self.change_endpoint(),
            Step::Poll => {
                let running = self.running(box_no);
                let polled = running.hooks.poll(running.clock.now());
                lock(&self.judge).note(|| format!("box {box_no} polls: {polled:?}"));
            }
            Step::ClaimByHost => self.claim_by_host(box_no),
            Step::SettleByHost => self.settle_by_host(box_no),
            Step::Resend | Step::Cancel => self.operate(step, box_no),
            Step::Prune => {
                let running = self.running(box_no);
                let before = running.clock.now().minus(Duration::from_secs(86_400));
                let pruned = running.hooks.prune(before);
                lock(&self.judge).note(|| format!("box {box_no} prunes: {pruned:?}"));
            }
            Step::Keys => self.change_keys(box_no),
            Step::SetClock if self.plan.clock_steps => self.set_clock(box_no),
            Step::Crash if self.plan.crashes => {
                lock(&self.judge).figures.fault("crash");
                self.crash(box_no);
            }
            Step::SetClock | Step::Crash => {}
            Step::Stop => self.running(box_no).engine.stop(),
            Step::DropApp => self.drop_app(box_no),
            Step::Catalogue => self.change_catalogue(box_no),
            Step::Activate
            | Step::Deactivate
            | Step::Subscribe
            | Step::Unsubscribe
            | Step::Update
            | Step::Delete
            | Step::Replay => self.edit(step, box_no),
        }
    }

    fn set_clock(&mut self, box_no: usize) {
        let ahead = match self.chance.below(4) {
            0 => 0,
            1 => -self.chance.pick(&CLOCK_STEPS),
            _ => self.chance.pick(&CLOCK_STEPS),
        };
        self.running(box_no).clock.set_ahead(ahead);
        let mut judge = lock(&self.judge);
        judge.skewed = true;
        judge.figures.fault("clock set");
        judge.note(|| format!("box {box_no}'s clock is ahead by {ahead} ms"));
    }

    fn emit(&mut self, box_no: usize) {
        let app = self.chance.below(self.plan.apps);
        let mut retried = false;
        let new = match self.again.pop() {
            Some((of_app, new)) if of_app == app => {
                retried = true;
                new
            }
            other => {
                self.again.extend(other);
                self.new_events()
            }
        };
        let running = self.running(box_no);
        let result = running.hooks.emit_many(APPS[app], new.clone());
        let came = came(result, running.watch.has_crashed());
        let mut judge = lock(&self.judge);
        let first = judge.events.len();
        judge.emitted(app, &new, &came);
        judge.note(|| {
            let (count, app) = (new.len(), APPS[app]);
            format!(
                "emits {count} to {app}, from {first} on: {}",
                name_of(&came)
            )
        });
        let refused = matches!(came, Came::Refused(_));
        let enabled = judge.apps[app].enabled;
        let all_known = new.iter().all(|one| {
            let mut known = judge.catalogue.iter();
            known.any(|index| TYPES[*index] == one.event_type.as_str())
        });
        judge.check("I1", !refused || !enabled || !all_known, || {
            format!("refused: {came:?}")
        });
        let taken = matches!(came, Came::Done(_));
        judge.check("I16", !taken || (enabled && all_known), || {
            format!("taken, and app and types are so: {enabled}, {all_known}")
        });
        if refused && enabled {
            judge.mark(Mark::TypeWithdrawn);
        }
        match came {
            Came::Done(_) if retried => judge.mark(Mark::EmitRetriedAfterUnknown),
            Came::Unknown if new.iter().all(|one| one.idempotency_key.is_some()) => {
                drop(judge);
                self.again.push((app, new));
            }
            _ => {}
        }
    }

    fn new_events(&mut self) -> Vec<NewEvent> {
        let count = self.chance.pick(&[1, 1, 2, 3, 6]);
        let keyed = self.chance.per_mille(400);
        let chance = &mut self.chance;
        (0..count)
            .map(|_| {
                self.counter += 1;
                let payload = if chance.per_mille(80) {
                    format!("{{{POISON}:{}}}", self.counter)
                } else {
                    format!("{{\"n\":{}}}", self.counter)
                };
                let mut event = NewEvent::new(event_type(chance.below(TYPES.len())), payload);
                event.environment = environment(chance.below(ENVIRONMENTS.len()));
                if keyed {
                    let reused = chance.per_mille(100);
                    let key = if reused {
                        self.counter / 2
                    } else {
                        self.counter
                    };
                    event = event.key(key.to_string());
                }
                if chance.per_mille(150) {
                    event.mode = DeliveryMode::AtMostOnce;
                }
                event
            })
            .collect()
    }

    pub fn types(&mut self) -> Option<BTreeSet<usize>> {
        let chance = &mut self.chance;
        let some = |chance: &mut super::chance::Chance| {
            (0..TYPES.len()).filter(|_| chance.per_mille(650)).collect()
        };
        (!chance.per_mille(400)).then(|| some(chance))
    }

    fn change_endpoint(&mut self) {
        let mut judge = lock(&self.judge);
        let index = self.chance.below(judge.endpoints.len());
        let temper = Temper::draw(&mut self.chance);
        judge.endpoints[index].temper = temper;
        judge.endpoints[index].proves = self.chance.per_mille(800);
        judge.note(|| format!("e{index} becomes {temper:?}"));
    }

    fn claim_by_host(&mut self, box_no: usize) {
        let most = self.chance.between(1, 3) as usize;
        let Ok(deliveries) = self.running(box_no).hooks.claim(most) else {
            return;
        };
        for delivery in deliveries {
            let now = self.running(box_no).clock.now();
            let mut judge = lock(&self.judge);
            let batch = delivery.batch_id();
            let reply = judge.requested(batch, &delivery.request, now, &mut self.chance);
            judge.landed(batch);
            drop(judge);
            let errand = Errand {
                delivery,
                answer: reply.answer,
            };
            if let Some(running) = &mut self.boxes[box_no] {
                running.errands.push(errand);
            }
        }
    }

    fn settle_by_host(&mut self, box_no: usize) {
        let Some(running) = &mut self.boxes[box_no] else {
            return;
        };
        let Some(errand) = running.errands.pop() else {
            return;
        };
        // A host may forget.
        if self.chance.per_mille(100) {
            return;
        }
        let result = running
            .hooks
            .settle(&errand.delivery, errand.answer.clone());
        let again = matches!(result, Err(Error::Storage { .. }));
        lock(&self.judge)
            .note(|| format!("host settles {}: {result:?}", errand.delivery.batch_id()));
        if again {
            running.errands.insert(0, errand);
        }
    }

    fn operate(&mut self, step: Step, box_no: usize) {
        let is_resend = step == Step::Resend;
        let ids: Vec<(BatchId, usize)> = {
            let judge = lock(&self.judge);
            judge
                .batches
                .iter()
                .filter(|(_, known)| !known.gone && known.row.status.is_final() == is_resend)
                .map(|(id, known)| (*id, judge.webhooks[known.webhook].app))
                .collect()
        };
        if ids.is_empty() {
            return;
        }
        let (id, app) = self.chance.pick(&ids);
        let hooks = &self.running(box_no).hooks;
        let result = if is_resend {
            hooks.resend(APPS[app], &id)
        } else {
            hooks.cancel(APPS[app], &id)
        };
        let mut judge = lock(&self.judge);
        judge.note(|| format!("{step:?} {id}: {}", result.is_ok()));
        let surely = result.is_ok();
        let before = judge.batches[&id].row.clone();
        let may = if is_resend { may_resend } else { may_cancel };
        judge.look_at(id, may, "an operator's wish");
        let now = judge.batches[&id].row.clone();
        if is_resend && (surely || now.status != before.status) {
            judge.mark(Mark::Resent);
            if let Some(known) = judge.batches.get_mut(&id) {
                known.resends += 1;
                known.charged = 0;
            }
        }
        judge.check("I3", !surely || before != now, || {
            format!("{id}: {step:?} did nothing")
        });
    }

    fn change_keys(&mut self, box_no: usize) {
        let app = self.chance.below(self.plan.apps);
        let signs = matches!(self.plan.profile.signature, SignatureScheme::RsaPss { .. });
        if !signs || lock(&self.judge).apps[app].gone {
            return;
        }
        let lead = Duration::from_secs(self.chance.pick(&[0, 60, 3600]));
        let retires = self.chance.per_mille(300);
        self.counter += 1;
        let (counter, hooks) = (self.counter, &self.running(box_no).hooks);
        if retires {
            let known = lock(&self.judge).apps[app].keys.last().cloned();
            let kids: Vec<KeyId> = known
                .into_iter()
                .flat_map(|(_, keys)| keys)
                .map(|key| key.kid)
                .collect();
            let kid = kids[counter as usize % kids.len()].clone();
            let _ = hooks.retire_key(APPS[app], &kid, lead);
        } else if self.plan.real_keys {
            let key = NewKey::Import {
                pem: Secret::new(keys::pem(counter as usize)),
                kid: None,
            };
            let _ = hooks.rotate_key_after(APPS[app], &key, lead);
        } else {
            let kid = KeyId::parse(&format!("stamp-{counter}")).unwrap();
            let signer = keys::signer(&kid);
            let _ = hooks.rotate_to_signer(APPS[app], &keys::public(&kid), signer, lead);
            self.stamps.push((app, kid));
            self.register_signers();
        }
        self.read_keys(app);
        lock(&self.judge).note(|| format!("keys of {} change, retires: {retires}", APPS[app]));
    }
}

fn may_resend(before: &Batch, after: &Batch) -> bool {
    before.status.is_final()
        && matches!(after.status, BatchStatus::Waiting | BatchStatus::Parked)
        && before.fence == after.fence
}

fn may_cancel(before: &Batch, after: &Batch) -> bool {
    !before.status.is_final() && after.status == BatchStatus::Cancelled
}

pub fn name_of<T>(came: &Came<T>) -> String {
    match came {
        Came::Done(_) => "done".into(),
        Came::Refused(error) => format!("refused, {}", error.code()),
        Came::Failed => "failed".into(),
        Came::Unknown => "unknown".into(),
    }
}
