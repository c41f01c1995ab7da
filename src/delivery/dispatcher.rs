//! The dispatcher: the one loop that drives deliveries. It alone talks to the storage, so results
//! and claims of one round share one commit.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::error::Error;
use crate::metrics::Standing;
use crate::model::{AttemptResult, Class, Notice, OfClass, Timestamp};
use crate::storage::{ClaimRequest, Claimed, Exchanged, Settlement};

use super::EngineParts;
use super::courier::Courier;
use super::inbox::{Idle, Mail};
#[cfg(feature = "testing")]
use super::senders::Begun;
use super::senders::Senders;

/// While senders have enough to do, results wait for each other at most this long after a commit, to
/// share the next.
const RESULTS_WAIT: Duration = Duration::from_millis(2);

/// Other processes' writes are noticed by looking, this often: the box's only work while idle.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Retention starts a pass each tenth of its span, but within these.
const PRUNE_EVERY_MIN: Duration = Duration::from_secs(1);
const PRUNE_EVERY_MAX: Duration = Duration::from_secs(600);

/// Rows looked at per slice.
const PRUNE_SLICE: usize = 500;

/// Between two slices the writer is left to others for at least this long, and for twice as long as the
/// slice took: retention hurries when there is much to delete, and takes a third of the time at most.
const PRUNE_PAUSE_MIN: Duration = Duration::from_millis(5);

/// Waits after a failed storage write: doubling between these.
const STALL_WAIT_MIN: Duration = Duration::from_millis(50);
const STALL_WAIT_MAX: Duration = Duration::from_secs(5);

pub(super) struct Dispatcher {
    parts: EngineParts,
    senders: Arc<Senders>,
    /// Results that are not stored yet. While there are any after a failure, nothing is claimed.
    unstored: Vec<Settlement>,
    /// How many of them are of each class.
    results: OfClass<usize>,
    /// How many there were in the last commit that stored any of a class.
    results_before: OfClass<usize>,
    /// When the last exchange ended.
    exchanged_at: Instant,
    in_flight: OfClass<usize>,
    /// Those in flight that wait for slow endpoints: they hold no sender from others.
    slow: OfClass<usize>,
    /// Whether more might have been claimed, had there been more senders.
    limited: OfClass<bool>,
    attempts: u64,
    /// Whether something may be due now, and when something will be.
    may_claim: bool,
    next_due: Option<Timestamp>,
    foreign_writes: Option<i64>,
    looked_at: Timestamp,
    /// After a failed write: how long to wait before the next, unless there is something new to write.
    stall: Option<Duration>,
    next_prune: Timestamp,
    stopping: bool,
}

impl Dispatcher {
    pub(super) fn new(parts: EngineParts, senders: Arc<Senders>) -> Self {
        let now = parts.clock.now();
        let exchanged_at = parts.clock.monotonic();
        Self {
            parts,
            senders,
            unstored: Vec::new(),
            results: OfClass::default(),
            results_before: OfClass::default(),
            exchanged_at,
            in_flight: OfClass::default(),
            slow: OfClass::default(),
            limited: OfClass::default(),
            attempts: 0,
            may_claim: true,
            next_due: None,
            foreign_writes: None,
            looked_at: now,
            stall: None,
            next_prune: now,
            stopping: false,
        }
    }

    /// Runs until stopped; returns how many results the storage did not take.
    pub(super) fn run(mut self) -> usize {
        loop {
            let mail = self.next_mail(self.patience());
            if let Some(unstored) = self.turn(mail) {
                return unstored;
            }
        }
    }

    /// Waits for mail, for at most `patience`.
    pub(super) fn next_mail(&self, patience: Duration) -> Mail {
        let idle = self.idle();
        self.parts.inbox.take(patience, self.stopping, idle)
    }

    /// The next batch for a sender that is not a thread, as soon as there may be another sender.
    #[cfg(feature = "testing")]
    pub(super) fn begin(&self) -> Option<Begun> {
        self.senders.try_begin(&self.parts, self.slow)
    }

    /// One round: takes in the mail, stores results, claims. When it was told to stop and has done
    /// so, it says how many results the storage did not take.
    pub(super) fn turn(&mut self, mail: Mail) -> Option<usize> {
        self.may_claim |= mail.woken;
        for (settlement, class) in mail.results {
            self.in_flight[class.index()] -= 1;
            self.results[class.index()] += 1;
            self.attempts += u64::from(settlement.attempt.is_some());
            self.unstored.push(settlement);
        }
        self.stopping |= mail.stopping;
        self.take_back();
        self.see_slow();
        self.exchange();
        self.parts.counters.stand(Standing {
            claimed: self.claimed() + self.unstored.len(),
            unstored: self.unstored.len(),
            backlogged: self.is_limited(),
            stalled: self.stall.is_some(),
        });
        if self.stopping && self.claimed() == 0 && (self.unstored.is_empty() || self.gave_up()) {
            return Some(self.unstored.len());
        }
        if !self.stopping && self.stall.is_none() {
            self.look_around();
        }
        None
    }

    /// What to say while there is nothing to do; `None` while there is.
    pub(super) fn idle(&self) -> Option<Idle> {
        let busy = self.claimed() > 0
            || self.may_claim
            || self.stopping
            || self.stall.is_some()
            || !self.unstored.is_empty();
        (!busy).then_some(Idle {
            attempts: self.attempts,
            next_due: self.next_due,
        })
    }

    /// How long to wait for mail: until something is due, or it is time to look around.
    pub(super) fn patience(&self) -> Duration {
        let now = self.parts.clock.now();
        if let Some(wait) = self.stall {
            return wait;
        }
        let can_claim = self.room().iter().any(|room| *room > 0);
        let mut ripe_in = None;
        if !self.unstored.is_empty() || (self.may_claim && can_claim) {
            if self.is_ripe() {
                return Duration::ZERO;
            }
            ripe_in = Some(RESULTS_WAIT.saturating_sub(self.since_exchange()));
        }
        let due = self
            .next_due
            .filter(|_| can_claim)
            .map(|due| due.since(now));
        let pruning = self
            .parts
            .settings
            .retention
            .map(|_| self.next_prune.since(now));
        let slow = self.senders.next_slow(now).filter(|_| self.is_limited());
        [due, pruning, slow, ripe_in]
            .into_iter()
            .flatten()
            .fold(LOOK_EVERY, Duration::min)
            .max(Duration::from_millis(1))
    }

    /// Whether it is worth a commit now. While the senders of some class have enough to do, others can
    /// wait for a moment, unless there is more for senders who may soon have nothing.
    fn is_ripe(&self) -> bool {
        if self.stopping || self.stall.is_some() || self.since_exchange() >= RESULTS_WAIT {
            return true;
        }
        let queued = self.senders.queued();
        let mut can_wait = false;
        for class in Class::ALL {
            let has_enough = queued[class.index()] > self.parts.settings.senders(class) / 2;
            if !has_enough && self.limited[class.index()] {
                return true;
            }
            can_wait |= has_enough;
        }
        !can_wait
    }

    fn since_exchange(&self) -> Duration {
        let now = self.parts.clock.monotonic();
        now.duration_since(self.exchanged_at)
    }

    /// Batches that are with the senders.
    fn claimed(&self) -> usize {
        self.in_flight.iter().sum()
    }

    fn is_limited(&self) -> bool {
        self.limited.contains(&true)
    }

    /// Batches of each class that can be claimed: one for each sender, and some to queue, so that no
    /// sender waits for a commit. The faster they are, the more commits share, and the longer the queue.
    fn room(&self) -> OfClass<usize> {
        let mut room = OfClass::default();
        if self.stopping {
            return room;
        }
        for class in Class::ALL {
            let index = class.index();
            let senders = self.parts.settings.senders(class);
            let queue = (2 * self.results_before[index]).clamp(senders, 4 * senders);
            let with_senders = self.in_flight[index].saturating_sub(self.slow[index]);
            room[index] = (senders + queue).saturating_sub(with_senders);
        }
        room
    }

    /// Looks at which requests have become slow, or were answered: each slow one makes room.
    fn see_slow(&mut self) {
        let slow = self.senders.slow(&self.parts);
        if slow != self.slow {
            self.may_claim |= self.is_limited();
            self.slow = slow;
            self.senders.staff(&self.parts, slow);
        }
    }

    /// Stores results and claims what senders can take, in one commit.
    fn exchange(&mut self) {
        if !self.is_ripe() {
            return;
        }
        let now = self.parts.clock.now();
        let due = self.may_claim || self.next_due.is_some_and(|due| due <= now);
        let class_max = self.room();
        let batches_max = class_max.iter().sum();
        // While a result could not be stored, nothing new is claimed: a storage that takes no
        // results must not turn into a storm of duplicates.
        let held_up = self.stall.is_some() && !self.unstored.is_empty();
        let claim = (due && batches_max > 0 && !held_up).then_some(ClaimRequest {
            batches_max,
            class_max,
        });
        if claim.is_none() && self.unstored.is_empty() {
            return;
        }
        self.parts.inbox.begin();
        let clock = self.parts.clock.as_ref();
        let exchanged = self.parts.counters.exchange(clock, || {
            let seed = self.parts.random.seed()?;
            self.parts
                .storage
                .exchange(now, seed, self.unstored.clone(), claim)
        });
        self.exchanged_at = self.parts.clock.monotonic();
        match exchanged {
            Ok(exchanged) => self.take_in(exchanged, claim),
            Err(error) => self.hold_up(&error),
        }
    }

    fn hold_up(&mut self, error: &Error) {
        let wait = self.stall.map_or(STALL_WAIT_MIN, |wait| wait * 2);
        if self.stall.is_none() {
            let message = error.to_string();
            self.parts.notify(&Notice::StorageStalled { message });
        }
        self.stall = Some(wait.min(STALL_WAIT_MAX));
        // What was to be claimed still is, even if the clock now says that nothing is due.
        self.may_claim = true;
    }

    fn take_in(&mut self, exchanged: Exchanged, claim: Option<ClaimRequest>) {
        if self.stall.take().is_some() {
            self.parts.notify(&Notice::StorageResumed);
            self.may_claim = true;
        }
        for (before, results) in self.results_before.iter_mut().zip(&mut self.results) {
            if *results > 0 {
                *before = std::mem::take(results);
            }
        }
        for settlement in std::mem::take(&mut self.unstored) {
            self.report_fault(&settlement);
            // Something of the same webhook may be claimable now.
            self.may_claim = true;
        }
        if let Some(asked) = claim {
            self.may_claim = exchanged.more;
            self.next_due = exchanged.next_due;
            let mut claimed = OfClass::<usize>::default();
            for one in &exchanged.claimed {
                claimed[one.class.index()] += 1;
            }
            for (index, count) in claimed.into_iter().enumerate() {
                self.in_flight[index] += count;
                self.limited[index] = count == asked.class_max[index];
            }
            self.parts.counters.claimed(self.claimed());
            self.senders.push_all(exchanged.claimed);
            self.senders.staff(&self.parts, self.slow);
        }
        for notice in &exchanged.notices {
            self.parts.notify(notice);
        }
    }

    fn report_fault(&self, settlement: &Settlement) {
        if let Some((attempt, _)) = &settlement.attempt
            && let AttemptResult::Failure(kind) = attempt.result
            && kind.is_ours()
        {
            self.parts.notify(&Notice::DeliveryFault {
                batch_id: settlement.batch_id,
                message: format!("{}: {}", kind.as_str(), attempt.excerpt),
            });
        }
    }

    /// Takes back what waits for a sender: all of it when stopping, else what waited so long that
    /// its lease might end during the attempt. It is given back unsent, before anybody takes it for
    /// lost.
    fn take_back(&mut self) {
        let now = self.parts.clock.now();
        let stopping = self.stopping;
        let stale = |claimed: &Claimed| stopping || !claimed.outlasts_attempt(now);
        for claimed in self.senders.take_back(stale) {
            self.in_flight[claimed.class.index()] -= 1;
            self.unstored.push(Courier::release(&claimed));
        }
    }

    /// While stopping, a storage that still refuses after its longest wait is given up: the leases
    /// end by themselves, and the batches are sent again.
    fn gave_up(&self) -> bool {
        self.stall == Some(STALL_WAIT_MAX)
    }

    /// Notices what others wrote, and lets retention do its slice.
    fn look_around(&mut self) {
        let now = self.parts.clock.now();
        let was_set_back = now < self.looked_at;
        if was_set_back || now.since(self.looked_at) >= LOOK_EVERY {
            self.looked_at = now;
            // What was set by a clock that was ahead may be due by now: the storage tells, when asked.
            self.may_claim |= was_set_back;
            // A storage that cannot say is asked for work, which will tell what is wrong.
            let version = self.parts.storage.foreign_writes().ok();
            self.may_claim |= version.is_none() || version != self.foreign_writes;
            self.foreign_writes = version;
        }
        let Some(retention) = self.parts.settings.retention else {
            return;
        };
        let every = (retention / 10).clamp(PRUNE_EVERY_MIN, PRUNE_EVERY_MAX);
        if self.next_prune <= now || self.next_prune.since(now) > every {
            let began = self.parts.clock.monotonic();
            let slice = self
                .parts
                .storage
                .prune(now.minus(retention), now, PRUNE_SLICE);
            let took = self.parts.clock.monotonic().duration_since(began);
            // After an error too: retention can wait, and the next exchange meets it anyway.
            let pause = if slice == Ok(true) {
                (2 * took).clamp(PRUNE_PAUSE_MIN, every)
            } else {
                every
            };
            self.next_prune = self.parts.clock.now().plus(pause);
        }
    }
}
