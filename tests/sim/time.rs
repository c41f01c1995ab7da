//! Virtual time: one truth, and for each box a clock that may be wrong about it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering::SeqCst};
use std::time::{Duration, Instant};

use hookbox::clock::Clock;
use hookbox::model::Timestamp;

/// 2025-03-15T10:30:00Z.
pub const START: i64 = 1_742_034_600_000;

pub const SECOND: i64 = 1000;
pub const MINUTE: i64 = 60 * SECOND;
pub const HOUR: i64 = 60 * MINUTE;
pub const DAY: i64 = 24 * HOUR;

/// What time it really is, in milliseconds since 1970.
#[derive(Debug)]
pub struct Truth(AtomicI64);

impl Truth {
    pub fn new() -> Arc<Self> {
        Arc::new(Self(AtomicI64::new(START)))
    }

    pub fn now(&self) -> i64 {
        self.0.load(SeqCst)
    }

    pub fn advance(&self, millis: i64) {
        self.0.fetch_add(millis, SeqCst);
    }

    pub fn advance_to(&self, at: i64) {
        self.0.fetch_max(at, SeqCst);
    }
}

/// A box's clock.
#[derive(Debug)]
pub struct BoxClock {
    truth: Arc<Truth>,
    ahead: AtomicI64,
    base: Instant,
}

impl BoxClock {
    pub fn new(truth: Arc<Truth>, ahead: i64) -> Arc<Self> {
        Arc::new(Self {
            truth,
            ahead: ahead.into(),
            base: Instant::now(),
        })
    }

    pub fn ahead(&self) -> i64 {
        self.ahead.load(SeqCst)
    }

    pub fn set_ahead(&self, millis: i64) {
        self.ahead.store(millis, SeqCst);
    }
}

impl Clock for BoxClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.truth.now() + self.ahead())
    }

    fn monotonic(&self) -> Instant {
        let since = (self.truth.now() - START).unsigned_abs();
        self.base + Duration::from_millis(since)
    }
}
