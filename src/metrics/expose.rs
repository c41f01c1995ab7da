//! Which metrics there are, and their names (docs/serve.md has the list).

use super::MetricKind::{Counter, Gauge};
use super::{Exposition, Metrics};

impl Metrics {
    /// Adds the metrics to a text, each named `hookbox_…` (docs/serve.md has the list).
    pub fn expose(&self, to: &mut Exposition) {
        self.expose_deliveries(to);
        self.expose_engine(to);
        self.expose_storage(to);
    }

    fn expose_deliveries(&self, to: &mut Exposition) {
        to.add_labelled(
            "hookbox_build_info",
            "The version of hookbox; always 1.",
            Gauge,
            "version",
            &[(env!("CARGO_PKG_VERSION"), 1)],
        );
        to.add(
            "hookbox_events_emitted_total",
            "Events stored by calls in this process.",
            Counter,
            self.events_emitted,
        );
        to.add(
            "hookbox_events_delivered_total",
            "Events in the batches that endpoints accepted.",
            Counter,
            self.events_delivered,
        );
        to.add(
            "hookbox_batches_delivered_total",
            "Batches that endpoints accepted.",
            Counter,
            self.batches_delivered,
        );
        to.add_labelled(
            "hookbox_attempts_failed_total",
            "Attempts that did not deliver, by kind.",
            Counter,
            "kind",
            &self.attempts_failed,
        );
        to.add_histogram(
            "hookbox_attempt_duration_seconds",
            "How long attempts took, delivered or not.",
            &self.attempt_duration,
        );
        to.add_histogram(
            "hookbox_delivery_lag_seconds",
            "From the emission of a batch's first event to its first request.",
            &self.delivery_lag,
        );
    }

    fn expose_engine(&self, to: &mut Exposition) {
        to.add(
            "hookbox_engine_running",
            "1 while the threads that deliver run.",
            Gauge,
            self.engine_running.into(),
        );
        to.add(
            "hookbox_requests_in_flight",
            "Requests that are out now.",
            Gauge,
            self.requests_in_flight,
        );
        to.add(
            "hookbox_batches_claimed",
            "Batches leased to this process and not settled yet.",
            Gauge,
            self.batches_claimed,
        );
        to.add(
            "hookbox_backlogged",
            "1 while more is due than the senders can take.",
            Gauge,
            self.backlogged.into(),
        );
        to.add(
            "hookbox_results_unstored",
            "Results of attempts that wait to be stored.",
            Gauge,
            self.results_unstored,
        );
        to.add(
            "hookbox_results_refused_total",
            "Results that came after their lease had ended.",
            Counter,
            self.results_refused,
        );
    }

    fn expose_storage(&self, to: &mut Exposition) {
        to.add_histograms(
            "hookbox_commit_duration_seconds",
            "How long a durable write took: emitting, or storing results and claiming batches.",
            "write",
            &[
                ("emit", &self.emit_commit),
                ("exchange", &self.exchange_commit),
            ],
        );
        to.add_labelled(
            "hookbox_commits_failed_total",
            "Writes that were refused or failed.",
            Counter,
            "write",
            &[
                ("emit", self.emits_failed),
                ("exchange", self.exchanges_failed),
            ],
        );
        to.add(
            "hookbox_storage_stalled",
            "1 while the storage refuses results, so that nothing is sent.",
            Gauge,
            self.storage_stalled.into(),
        );
        to.add(
            "hookbox_storage_up",
            "1 when the storage answered this scrape.",
            Gauge,
            self.storage.is_some().into(),
        );
        if let Some(storage) = &self.storage {
            to.add(
                "hookbox_log_position",
                "The last position of the log: every event, whoever emitted it.",
                Gauge,
                storage.last_position.try_into().unwrap_or(0),
            );
            to.add(
                "hookbox_storage_bytes",
                "Bytes of the database.",
                Gauge,
                storage.bytes,
            );
            to.add(
                "hookbox_storage_wal_bytes",
                "Bytes of the write-ahead log.",
                Gauge,
                storage.wal_bytes,
            );
        }
    }
}
