//! What a box counts about itself: plain numbers in memory, from when it was opened.
//!
//! Counting is one relaxed addition where the fact is known; nothing is stored, and nothing here is
//! ever asked of the storage row by row. Labels are of fixed sets: no webhook, app or URL is one.

mod expose;
mod histogram;
mod prometheus;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use crate::clock::Clock;
use crate::error::Result;
use crate::machine::Verdict;
use crate::model::{AttemptResult, FailureKind};
use crate::storage::{Exchanged, Settlement, StorageStats};

use histogram::Histogram;

pub use histogram::Buckets;
pub use prometheus::{Exposition, MetricKind};

/// Upper bounds of the buckets, in microseconds.
const ATTEMPT_BOUNDS: &[u64] = &[
    5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000, 5_000_000,
    10_000_000, 30_000_000, 60_000_000,
];
const COMMIT_BOUNDS: &[u64] = &[
    100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 1_000_000,
    10_000_000,
];
/// To a day: an event may wait for its webhook's recovery that long.
const LAG_BOUNDS: &[u64] = &[
    10_000,
    50_000,
    100_000,
    500_000,
    1_000_000,
    5_000_000,
    10_000_000,
    30_000_000,
    60_000_000,
    300_000_000,
    900_000_000,
    3_600_000_000,
    21_600_000_000,
    86_400_000_000,
];

/// The statuses that are no success, by their hundreds; the last for all that HTTP does not define.
const STATUS_KINDS: [&str; 5] = ["http_2xx", "http_3xx", "http_4xx", "http_5xx", "http_other"];

/// A box's numbers at one moment. All but [`Metrics::storage`] are of this process since it opened the
/// box, and begin at zero.
#[derive(Debug, Clone, PartialEq)]
pub struct Metrics {
    /// Events that [`crate::Hookbox::emit`] and its like stored. Not those with an idempotency key that was
    /// known already, nor those of a host's own transaction or of plain SQL: see
    /// [`StorageStats::last_position`] for all of them.
    pub events_emitted: u64,
    /// Events in the batches below.
    pub events_delivered: u64,
    /// Batches that an endpoint accepted.
    pub batches_delivered: u64,
    /// Attempts that did not deliver, by kind: the names of [`FailureKind`] (without `lost`, which is
    /// found out later, perhaps by another process), and `http_2xx` to `http_5xx` and `http_other` for
    /// answers that are no success.
    pub attempts_failed: Vec<(&'static str, u64)>,
    /// How long attempts took, delivered or not, in the clock's milliseconds.
    pub attempt_duration: Buckets,
    /// From the emission of a batch's first event to the beginning of the batch's first request: how far
    /// deliveries are behind. Replayed events count from when they were emitted first.
    pub delivery_lag: Buckets,
    /// Requests that are out now.
    pub requests_in_flight: u64,
    /// Batches that are leased to this process and not settled: they wait for a sender, are out, or
    /// their result waits for its commit. What no sender could take yet waits in the log and is not
    /// counted here: a total would take a scan (`hookbox backlog` looks at each webhook).
    pub batches_claimed: u64,
    /// Whether more was due at the last claim than senders could take. While this stays so, there is a
    /// backlog.
    pub backlogged: bool,
    /// Results that wait to be stored.
    pub results_unstored: u64,
    /// Results that came too late: their batch was somebody else's by then.
    pub results_refused: u64,
    /// How long emitting waited for its commit, sync included.
    pub emit_commit: Buckets,
    /// How long storing results and claiming took, sync included.
    pub exchange_commit: Buckets,
    /// Emits that the storage refused or failed.
    pub emits_failed: u64,
    /// Exchanges that the storage failed.
    pub exchanges_failed: u64,
    /// Whether the threads run.
    pub engine_running: bool,
    /// Whether the storage refuses writes: nothing is sent until it takes results again.
    pub storage_stalled: bool,
    /// The storage's sizes; `None` when it did not answer.
    pub storage: Option<StorageStats>,
}

/// The numbers while they change.
#[derive(Debug)]
pub(crate) struct Counters {
    events_emitted: AtomicU64,
    events_delivered: AtomicU64,
    batches_delivered: AtomicU64,
    failed: [AtomicU64; FailureKind::ALL.len()],
    refused: [AtomicU64; STATUS_KINDS.len()],
    attempt_duration: Histogram,
    delivery_lag: Histogram,
    requests_in_flight: AtomicU64,
    batches_claimed: AtomicU64,
    backlogged: AtomicBool,
    results_unstored: AtomicU64,
    results_refused: AtomicU64,
    emit_commit: Histogram,
    exchange_commit: Histogram,
    emits_failed: AtomicU64,
    exchanges_failed: AtomicU64,
    storage_stalled: AtomicBool,
}

impl Default for Counters {
    fn default() -> Self {
        Self {
            events_emitted: AtomicU64::default(),
            events_delivered: AtomicU64::default(),
            batches_delivered: AtomicU64::default(),
            failed: Default::default(),
            refused: Default::default(),
            attempt_duration: Histogram::new(ATTEMPT_BOUNDS),
            delivery_lag: Histogram::new(LAG_BOUNDS),
            requests_in_flight: AtomicU64::default(),
            batches_claimed: AtomicU64::default(),
            backlogged: AtomicBool::default(),
            results_unstored: AtomicU64::default(),
            results_refused: AtomicU64::default(),
            emit_commit: Histogram::new(COMMIT_BOUNDS),
            exchange_commit: Histogram::new(COMMIT_BOUNDS),
            emits_failed: AtomicU64::default(),
            exchanges_failed: AtomicU64::default(),
            storage_stalled: AtomicBool::default(),
        }
    }
}

/// Where a dispatcher stands after a round.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Standing {
    pub(crate) claimed: usize,
    pub(crate) unstored: usize,
    pub(crate) backlogged: bool,
    pub(crate) stalled: bool,
}

impl Counters {
    /// An emit that took so long, and how many events it stored; `None` when it failed.
    pub(crate) fn emitted(&self, took: Duration, events: Option<usize>) {
        if let Some(events) = events {
            add(&self.events_emitted, events);
            self.emit_commit.observe(took);
        } else {
            add(&self.emits_failed, 1);
        }
    }

    /// Counts an exchange, and how long it takes.
    pub(crate) fn exchange(
        &self,
        clock: &dyn Clock,
        exchange: impl FnOnce() -> Result<Exchanged>,
    ) -> Result<Exchanged> {
        let begun = clock.monotonic();
        let exchanged = exchange();
        match &exchanged {
            Ok(exchanged) => {
                add(&self.results_refused, exchanged.lost.len());
                let took = clock.monotonic().duration_since(begun);
                self.exchange_commit.observe(took);
            }
            Err(_) => add(&self.exchanges_failed, 1),
        }
        exchanged
    }

    /// A batch's first request begins so long after its first event.
    pub(crate) fn began(&self, lag: Duration) {
        self.delivery_lag.observe(lag);
    }

    /// A request goes out.
    pub(crate) fn sent(&self) {
        add(&self.requests_in_flight, 1);
    }

    /// A request that went out is over.
    pub(crate) fn returned(&self) {
        self.requests_in_flight.fetch_sub(1, Relaxed);
    }

    /// What came of an attempt for a batch of so many events.
    pub(crate) fn attempted(&self, settlement: &Settlement, events: usize) {
        let Some((attempt, outcome)) = &settlement.attempt else {
            return;
        };
        self.attempt_duration
            .observe(Duration::from_millis(attempt.duration_ms));
        if outcome.verdict == Verdict::Delivered {
            add(&self.batches_delivered, 1);
            add(&self.events_delivered, events);
            return;
        }
        match attempt.result {
            AttemptResult::Status(status) => add(&self.refused[status_kind(status)], 1),
            AttemptResult::Failure(kind) => {
                let known = FailureKind::ALL.iter().position(|one| *one == kind);
                if let Some(counter) = known.and_then(|index| self.failed.get(index)) {
                    add(counter, 1);
                }
            }
        }
    }

    /// Batches are about to be handed to senders: counted before, so that no request is out that is not.
    pub(crate) fn claimed(&self, batches: usize) {
        set(&self.batches_claimed, batches);
    }

    /// Where the dispatcher stands.
    pub(crate) fn stand(&self, standing: Standing) {
        set(&self.batches_claimed, standing.claimed);
        set(&self.results_unstored, standing.unstored);
        self.backlogged.store(standing.backlogged, Relaxed);
        self.storage_stalled.store(standing.stalled, Relaxed);
    }

    /// The numbers now.
    pub(crate) fn snapshot(&self, engine_running: bool, storage: Option<StorageStats>) -> Metrics {
        let failures = FailureKind::ALL.iter().zip(&self.failed);
        let failures = failures.filter(|(kind, _)| **kind != FailureKind::Lost);
        let failures = failures.map(|(kind, count)| (kind.as_str(), get(count)));
        let statuses = STATUS_KINDS.into_iter().zip(self.refused.iter().map(get));
        Metrics {
            events_emitted: get(&self.events_emitted),
            events_delivered: get(&self.events_delivered),
            batches_delivered: get(&self.batches_delivered),
            attempts_failed: failures.chain(statuses).collect(),
            attempt_duration: self.attempt_duration.snapshot(),
            delivery_lag: self.delivery_lag.snapshot(),
            requests_in_flight: get(&self.requests_in_flight),
            batches_claimed: get(&self.batches_claimed),
            backlogged: self.backlogged.load(Relaxed),
            results_unstored: get(&self.results_unstored),
            results_refused: get(&self.results_refused),
            emit_commit: self.emit_commit.snapshot(),
            exchange_commit: self.exchange_commit.snapshot(),
            emits_failed: get(&self.emits_failed),
            exchanges_failed: get(&self.exchanges_failed),
            engine_running,
            storage_stalled: self.storage_stalled.load(Relaxed),
            storage,
        }
    }
}

const fn status_kind(status: u16) -> usize {
    match status {
        200..300 => 0,
        300..400 => 1,
        400..500 => 2,
        500..600 => 3,
        _ => 4,
    }
}

fn add(counter: &AtomicU64, by: usize) {
    counter.fetch_add(by as u64, Relaxed);
}

fn set(gauge: &AtomicU64, to: usize) {
    gauge.store(to as u64, Relaxed);
}

fn get(counter: &AtomicU64) -> u64 {
    counter.load(Relaxed)
}
