//! The judge: it knows what the host asked for and what the endpoints saw, reads beside the boxes
//! what is stored, and says after each step which invariant does not hold. The ids are those of
//! reliability.md 2.3, as design.md and contracts.md settle them:
//!
//! - I1 owed exactly: what was emitted is there; each webhook that listened gets it in one batch.
//! - I2 an emit that failed left all of it or nothing; its key gives the same ids.
//! - I3 a batch changes only as its diagram allows, and only by what was done to it.
//! - I4 delivered only if the endpoint saw it and said success.
//! - I5 in the end, everything owed to an endpoint that answers is delivered.
//! - I6 no more requests than attempts; what was accepted and stored is not sent again.
//! - I7 every result that was taken is an attempt on record, numbered as its request was.
//! - I8 no two leases at once; fences rise; an old fence's result is refused, the holder's is not.
//! - I9 no request is begun that its lease might not outlive.
//! - I10 the caps hold: on a webhook's requests, at once and in any time, on failing webhooks' share,
//!   while a result waits.
//! - I12 never early, and `Retry-After` only lengthens.
//! - I13 at most 37 attempts, scheduled within 14 days.
//! - I14 clocks that were wrong delay nothing by more than a cap, once they are right.
//! - I16 no lease for a webhook that is inactive or whose app is disabled; what hosts switch off,
//!   delete or withdraw is so, and is not taken any more.
//! - I17 no request before the challenge was answered.
//! - I18 a batch holds one app's owed events, in order, in the same bytes at each attempt.
//! - I19 signed with a key that is published at that moment. I20 over the bytes that were sent.
//! - I21 `webhook-id` stays, `webhook-timestamp` is the attempt's.

mod apps;
mod claims;
mod end;
pub mod exchange;
pub mod log;
mod requests;
mod webhooks;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use hookbox::model::{AppId, Batch, BatchId, BatchStatus, EventId, Profile, SigningKey, WebhookId};
use hookbox::storage::Storage;

use super::figures::{Figures, Mark};
use super::network::Endpoint;
use super::time::Truth;
use super::trace::Trace;
use super::world::TYPES;

/// An invariant that does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    pub id: &'static str,
    pub what: String,
}

#[derive(Debug)]
pub struct App {
    pub id: AppId,
    pub enabled: bool,
    /// Deleted, and not created again.
    pub gone: bool,
    /// The keys as they were after each change, and when.
    pub keys: Vec<(i64, Vec<SigningKey>)>,
}

#[derive(Debug)]
pub struct Webhook {
    pub app: usize,
    pub id: WebhookId,
    pub endpoint: usize,
    /// Its verification token, which is its name to the endpoints.
    pub token: String,
    /// `None`: all types.
    pub types: Option<BTreeSet<usize>>,
    pub environment: usize,
    pub fifo: bool,
    /// Requests a second, where it was asked for a limit, and when the latest batches were claimed.
    pub pace: Option<u32>,
    pub claims: VecDeque<i64>,
    pub verified: bool,
    pub enabled: bool,
    pub deleted: bool,
    /// With its app.
    pub deleted_with_app: bool,
    /// Events that it is owed and that are in no batch yet, and how many more times a replay may
    /// bring each.
    pub owed: BTreeSet<usize>,
    pub replayed: BTreeMap<usize, u32>,
    /// Every event that it was ever owed.
    pub ever_owed: BTreeSet<usize>,
    /// Events that its endpoint accepted, or that were tried if they go at most once.
    pub got: BTreeSet<usize>,
    pub failures_in_a_row: u32,
    /// In milliseconds, by the clock of who stored the wish.
    pub paused_until: Option<i64>,
}

impl Webhook {
    pub const fn is_active(&self) -> bool {
        self.verified && self.enabled && !self.deleted
    }
}

#[derive(Debug)]
pub struct Event {
    pub id: EventId,
    pub app: usize,
    pub event_type: usize,
    pub environment: usize,
    pub at_most_once: bool,
    pub payload: String,
    pub created_at: String,
}

/// A batch, as it was stored when it was last looked at.
#[derive(Debug)]
pub struct Known {
    pub webhook: usize,
    pub row: Batch,
    pub events: Vec<usize>,
    pub body: Arc<str>,
    pub replays: bool,
    /// Attempt numbers for which a request was seen.
    pub seen: BTreeSet<u32>,
    /// Those that the endpoint answered with success.
    pub accepted: BTreeSet<u32>,
    /// Those whose result was stored.
    pub settled: BTreeSet<u32>,
    /// Requests of which the endpoint got all.
    pub arrived: u32,
    pub resends: u32,
    /// Failures that spent this budget.
    pub charged: u32,
    /// Deleted by retention, or with its webhook.
    pub gone: bool,
}

/// Everything the judge knows.
#[derive(Debug)]
pub struct Judge {
    /// What is stored, by a way that no fault is on.
    pub oracle: Arc<dyn Storage>,
    pub truth: Arc<Truth>,
    pub profile: Profile,
    pub real_keys: bool,
    pub boxes: usize,
    /// Whether any clock was ever wrong.
    pub skewed: bool,
    pub apps: Vec<App>,
    /// The event types that may be emitted and newly subscribed to.
    pub catalogue: BTreeSet<usize>,
    /// Requests a second that webhooks were asked to have, by token.
    pub paces: BTreeMap<String, u32>,
    pub webhooks: Vec<Webhook>,
    pub endpoints: Vec<Endpoint>,
    pub events: Vec<Event>,
    pub by_position: BTreeMap<i64, usize>,
    pub by_id: BTreeMap<EventId, usize>,
    pub keys: BTreeMap<(usize, u32), EventId>,
    pub batches: BTreeMap<BatchId, Known>,
    pub leased: BTreeSet<BatchId>,
    /// The first batch that the latest claim of all brought.
    pub last_claimed: Option<BatchId>,
    /// Requests that are out, over all boxes, and until when.
    pub flying: BTreeMap<BatchId, i64>,
    /// Senders may hang past their deadline.
    pub hangs: bool,
    /// Engines that hold results which the storage refused.
    pub holding: BTreeSet<usize>,
    /// The box whose engine is taking a step.
    pub engine_of: Option<usize>,
    /// Where the log ends.
    pub head: i64,
    /// Whether events have no place in the log until somebody routes them.
    pub routes_later: bool,
    pub figures: Figures,
    pub trace: Trace,
    pub violation: Option<Violation>,
}

impl Judge {
    pub fn new(oracle: Arc<dyn Storage>, truth: Arc<Truth>, profile: Profile) -> Self {
        Self {
            oracle,
            truth,
            profile,
            real_keys: false,
            boxes: 1,
            skewed: false,
            apps: Vec::new(),
            catalogue: (0..TYPES.len()).collect(),
            paces: BTreeMap::new(),
            webhooks: Vec::new(),
            endpoints: Vec::new(),
            events: Vec::new(),
            by_position: BTreeMap::new(),
            by_id: BTreeMap::new(),
            keys: BTreeMap::new(),
            batches: BTreeMap::new(),
            leased: BTreeSet::new(),
            last_claimed: None,
            flying: BTreeMap::new(),
            hangs: false,
            holding: BTreeSet::new(),
            engine_of: None,
            head: 0,
            routes_later: false,
            figures: Figures::default(),
            trace: Trace::default(),
            violation: None,
        }
    }

    /// Takes note of an invariant that does not hold; the first one counts.
    pub fn violated(&mut self, id: &'static str, what: impl Into<String>) {
        let what = what.into();
        self.trace.line(format!("VIOLATED {id}: {what}"));
        self.violation.get_or_insert(Violation { id, what });
    }

    /// Checks one invariant.
    pub fn check(&mut self, id: &'static str, holds: bool, what: impl FnOnce() -> String) {
        self.figures.checks += 1;
        if !holds {
            self.violated(id, what());
        }
    }

    pub fn mark(&mut self, mark: Mark) {
        self.figures.mark(mark);
    }

    pub fn note(&mut self, line: impl FnOnce() -> String) {
        let line = format!("{:>12} {}", self.truth.now() - super::time::START, line());
        self.trace.line(line);
    }

    pub fn webhook_of(&self, id: &WebhookId) -> Option<usize> {
        self.webhooks.iter().position(|webhook| webhook.id == *id)
    }

    /// Reads a batch that may have changed by itself or by an operator, and judges the change.
    pub fn look_at(&mut self, id: BatchId, may: fn(&Batch, &Batch) -> bool, why: &str) {
        let Ok(row) = self.oracle.get_batch(&id) else {
            self.is_gone(id);
            return;
        };
        let Some(known) = self.batches.get_mut(&id) else {
            return;
        };
        let before = std::mem::replace(&mut known.row, row.clone());
        if row.status == BatchStatus::Leased {
            self.leased.insert(id);
        } else {
            self.leased.remove(&id);
        }
        self.check("I3", before == row || may(&before, &row), || {
            format!("{why}: {before:?} became {row:?}")
        });
    }

    /// A batch is not there any more.
    pub fn is_gone(&mut self, id: BatchId) {
        self.leased.remove(&id);
        let Some(known) = self.batches.get_mut(&id) else {
            return;
        };
        if std::mem::replace(&mut known.gone, true) {
            return;
        }
        let (status, webhook) = (known.row.status, known.webhook);
        let allowed = status.is_final() || self.webhooks[webhook].deleted;
        self.check("I3", allowed, || format!("{id} vanished while {status:?}"));
        if status.is_final() && !self.webhooks[webhook].deleted {
            self.mark(Mark::PrunedOwnedByNobody);
        }
    }

    /// Holds everything that is known against what is stored.
    pub fn sweep(&mut self) {
        let ids: Vec<BatchId> = self.batches.keys().copied().collect();
        for id in ids {
            if !self.batches[&id].gone {
                self.look_at(id, |_, _| false, "a batch changed by itself");
            }
        }
        // What is owed and in no batch must be in the log.
        let awaited: BTreeSet<usize> = self
            .webhooks
            .iter()
            .filter(|webhook| !webhook.deleted)
            .flat_map(|webhook| webhook.owed.iter().copied())
            .collect();
        for event in awaited {
            let id = self.events[event].id;
            let is_there = self.oracle.get_event(&id).is_ok();
            self.check("I1", is_there, || format!("{id} is owed and not stored"));
        }
    }
}
