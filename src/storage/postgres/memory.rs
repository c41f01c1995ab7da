//! What one transaction knows of the webhooks that it has locked, and has not written yet: read
//! ahead and written behind, many rows in one round trip. Nobody else sees the difference, because
//! nobody else can change these rows meanwhile.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::error::Result;
use crate::machine::InFlight;
use crate::model::{Attempt, Batch, BatchId, BatchStatus, Position, Timestamp};
use crate::storage::tables::{BatchRow, Subscription, WebhookState};

/// Waiting batches are counted up to this: [`crate::storage::tables::Tables::in_flight`].
pub(super) const WAITING_MAX: u32 = 64;

/// A webhook that is locked, as it was read after that.
pub(super) struct Held {
    /// An error for a row that somebody spoiled: it is that webhook's own.
    pub(super) state: Result<WebhookState>,
    pub(super) webhook_version: Option<i64>,
    pub(super) app_version: Option<i64>,
    pub(super) leased: Vec<Leased>,
    /// `None` once it must be asked for again.
    pub(super) waiting: Option<Waiting>,
    pub(super) may_have_replays: bool,
    pub(super) subscriptions: Option<Result<Vec<Subscription>>>,
}

/// A leased batch, as far as planning needs it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Leased {
    pub(super) batch_no: i64,
    pub(super) attempts: i64,
    pub(super) due_at: Option<i64>,
}

/// How many batches wait, up to [`WAITING_MAX`], and when the first of them is due.
#[derive(Debug, Clone, Copy)]
pub(super) struct Waiting {
    pub(super) count: u32,
    pub(super) first_due: Option<i64>,
}

/// A batch to be inserted.
pub(super) struct NewBatch {
    pub(super) no: i64,
    pub(super) webhook_no: i64,
    pub(super) batch: Batch,
}

/// An attempt to be inserted.
pub(super) struct NewAttempt {
    pub(super) batch_no: i64,
    pub(super) webhook_no: i64,
    pub(super) attempt: Attempt,
}

#[derive(Default)]
pub(super) struct Memory {
    /// Locked, and to be read when something of them is asked for.
    pub(super) unread: BTreeSet<i64>,
    pub(super) held: HashMap<i64, Held>,
    /// The versions of their apps.
    pub(super) app_versions: HashMap<String, Option<i64>>,
    /// The batches whose results are being stored.
    pub(super) batches: HashMap<BatchId, Result<BatchRow>>,
    /// The log's last position, read after all these webhooks were locked: no cursor is beyond it.
    pub(super) head: Option<Position>,
    /// Numbers of batches that the sequence has given out, the next one last.
    pub(super) numbers: Vec<i64>,
    pub(super) pending: Pending,
}

/// What is to be written.
#[derive(Default)]
pub(super) struct Pending {
    pub(super) states: BTreeMap<i64, WebhookState>,
    pub(super) updated: BTreeMap<i64, BatchRow>,
    pub(super) inserted: Vec<NewBatch>,
    pub(super) attempts: Vec<NewAttempt>,
    /// Numbers of batches, and positions of events, that retention deletes.
    pub(super) deleted_batches: Vec<i64>,
    pub(super) deleted_events: Vec<Position>,
}

impl Memory {
    /// Forgets what was read; what is locked is read again when it is asked for.
    pub(super) fn forget(&mut self) {
        self.unread.extend(self.held.drain().map(|(no, _)| no));
        self.app_versions.clear();
        self.batches.clear();
        self.head = None;
    }

    pub(super) fn save_state(&mut self, state: &WebhookState) {
        if let Some(held) = self.held.get_mut(&state.webhook_no) {
            held.state = Ok(state.clone());
        }
        self.pending.states.insert(state.webhook_no, state.clone());
    }

    pub(super) fn update_batch(&mut self, row: &BatchRow) {
        if let Some(held) = self.held.get_mut(&row.webhook_no) {
            held.update(row.no, &row.batch);
        }
        if let Some(kept) = self.batches.get_mut(&row.batch.id) {
            *kept = Ok(row.clone());
        }
        self.pending.updated.insert(row.no, row.clone());
    }

    pub(super) fn insert_batch(&mut self, no: i64, webhook_no: i64, batch: &Batch) {
        if let Some(held) = self.held.get_mut(&webhook_no) {
            held.add(no, batch);
        }
        let batch = batch.clone();
        self.pending.inserted.push(NewBatch {
            no,
            webhook_no,
            batch,
        });
    }
}

impl Held {
    pub(super) fn in_flight(&self) -> Option<InFlight> {
        let retries = self.leased.iter().filter(|one| one.attempts > 1).count();
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        Some(InFlight {
            fresh: count(self.leased.len() - retries),
            retries: count(retries),
            waiting: self.waiting?.count,
        })
    }

    pub(super) fn first_lease_end(&self) -> Option<Timestamp> {
        let ends = self.leased.iter().filter_map(|one| one.due_at);
        ends.min().map(Timestamp::from_millis)
    }

    fn update(&mut self, no: i64, batch: &Batch) {
        let leased = self.leased.len();
        self.leased.retain(|one| one.batch_no != no);
        if leased == self.leased.len() {
            // It waited, perhaps: which is the first now is for the server to say.
            self.waiting = None;
        }
        self.add(no, batch);
    }

    fn add(&mut self, no: i64, batch: &Batch) {
        let due_at = batch.due_at.map(Timestamp::as_millis);
        match batch.status {
            BatchStatus::Leased => self.leased.push(Leased {
                batch_no: no,
                attempts: batch.attempts.into(),
                due_at,
            }),
            BatchStatus::Waiting => {
                if let Some(waiting) = &mut self.waiting {
                    waiting.count = (waiting.count + 1).min(WAITING_MAX);
                    waiting.first_due = [waiting.first_due, due_at].into_iter().flatten().min();
                }
            }
            _ => {}
        }
    }
}
