//! What is counted, and the rare branches that must have been seen.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::time::DAY;

/// A rare branch. The default seeds must reach every one, else they prove less than they seem to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mark {
    LeaseStolen,
    LeaseCut,
    StaleResultRefused,
    EmitRetriedAfterUnknown,
    StorageStalled,
    StorageResumed,
    CrashInsideCommit,
    Split,
    PoisonIsolated,
    SickProbe,
    SlowStart,
    RetryAfterPause,
    KeyRotatedInFlight,
    ReplayBesideFresh,
    FifoBlocked,
    AtMostOnceLost,
    CancelledInFlight,
    DeletedInFlight,
    Resent,
    ParkedThenResumed,
    GivenBackUnsent,
    SlowBesideWorkers,
    DueTooFarAway,
    DeactivatedGone,
    DeactivatedFailing,
    WarnedFailing,
    ReceiverAborted,
    ReceiverDisabled,
    ChallengeFailed,
    UrlUnverified,
    WindowPassed,
    OurFault,
    PrunedOwnedByNobody,
    WaitedForDisabledApp,
    Stopped,
    DueTimesCut,
    AppDeleted,
    AppDeletedInFlight,
    AppCreatedAgain,
    TypeWithdrawn,
    HeldToPace,
    ProvedByTestEvent,
    SignedForFingerprint,
    SignedByStandard,
    AcceptedWith204,
}

impl Mark {
    pub const ALL: [Self; 45] = [
        Self::LeaseStolen,
        Self::LeaseCut,
        Self::StaleResultRefused,
        Self::EmitRetriedAfterUnknown,
        Self::StorageStalled,
        Self::StorageResumed,
        Self::CrashInsideCommit,
        Self::Split,
        Self::PoisonIsolated,
        Self::SickProbe,
        Self::SlowStart,
        Self::RetryAfterPause,
        Self::KeyRotatedInFlight,
        Self::ReplayBesideFresh,
        Self::FifoBlocked,
        Self::AtMostOnceLost,
        Self::CancelledInFlight,
        Self::DeletedInFlight,
        Self::Resent,
        Self::ParkedThenResumed,
        Self::GivenBackUnsent,
        Self::SlowBesideWorkers,
        Self::DueTooFarAway,
        Self::DeactivatedGone,
        Self::DeactivatedFailing,
        Self::WarnedFailing,
        Self::ReceiverAborted,
        Self::ReceiverDisabled,
        Self::ChallengeFailed,
        Self::UrlUnverified,
        Self::WindowPassed,
        Self::OurFault,
        Self::PrunedOwnedByNobody,
        Self::WaitedForDisabledApp,
        Self::Stopped,
        Self::DueTimesCut,
        Self::AppDeleted,
        Self::AppDeletedInFlight,
        Self::AppCreatedAgain,
        Self::TypeWithdrawn,
        Self::HeldToPace,
        Self::ProvedByTestEvent,
        Self::SignedForFingerprint,
        Self::SignedByStandard,
        Self::AcceptedWith204,
    ];
}

/// What a run, or all of them, came to.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Figures {
    pub seeds: BTreeMap<&'static str, u64>,
    pub twice: u64,
    pub steps: u64,
    pub checks: u64,
    pub virtual_ms: i64,
    pub events: u64,
    pub requests: u64,
    pub delivered: u64,
    /// Accepted again because of a replay or a resend.
    pub on_request: u64,
    /// Accepted again because a result was lost.
    pub duplicates: u64,
    pub faults: BTreeMap<&'static str, u64>,
    pub marks: BTreeMap<Mark, u64>,
}

impl Figures {
    pub fn fault(&mut self, class: &'static str) {
        *self.faults.entry(class).or_default() += 1;
    }

    pub fn mark(&mut self, mark: Mark) {
        *self.marks.entry(mark).or_default() += 1;
    }

    pub fn add(&mut self, other: &Self) {
        self.twice += other.twice;
        self.steps += other.steps;
        self.checks += other.checks;
        self.virtual_ms += other.virtual_ms;
        self.events += other.events;
        self.requests += other.requests;
        self.delivered += other.delivered;
        self.on_request += other.on_request;
        self.duplicates += other.duplicates;
        for (engine, count) in &other.seeds {
            *self.seeds.entry(engine).or_default() += count;
        }
        for (class, count) in &other.faults {
            *self.faults.entry(class).or_default() += count;
        }
        for (mark, count) in &other.marks {
            *self.marks.entry(*mark).or_default() += count;
        }
    }

    /// The rare branches that were not reached.
    pub fn missed(&self) -> Vec<Mark> {
        let missed = |mark: &Mark| !self.marks.contains_key(mark);
        Mark::ALL.into_iter().filter(missed).collect()
    }

    pub fn table(&self) -> String {
        let mut text = String::new();
        let mut row = |name: &str, value: String| {
            let _ = writeln!(text, "  {name:<34}{value:>14}");
        };
        for (engine, count) in &self.seeds {
            row(&format!("seeds over {engine}"), count.to_string());
        }
        row("of them run twice, same trace", self.twice.to_string());
        row("steps", self.steps.to_string());
        row("invariants checked", self.checks.to_string());
        let days = self.virtual_ms / DAY;
        row(
            "virtual years",
            format!("{}.{}", days / 365, days % 365 * 10 / 365),
        );
        row("events emitted", self.events.to_string());
        row("requests", self.requests.to_string());
        row("events accepted", self.delivered.to_string());
        row("accepted again, on request", self.on_request.to_string());
        row("accepted again, result lost", self.duplicates.to_string());
        for (class, count) in &self.faults {
            row(&format!("fault: {class}"), count.to_string());
        }
        let reached = Mark::ALL.len() - self.missed().len();
        row(
            "rare branches reached",
            format!("{reached} of {}", Mark::ALL.len()),
        );
        row("lost", "0".into());
        text
    }
}
