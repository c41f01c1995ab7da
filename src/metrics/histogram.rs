//! A histogram with fixed buckets.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// A histogram while it changes.
#[derive(Debug)]
pub(super) struct Histogram {
    /// Upper bounds, in microseconds, ascending.
    bounds: &'static [u64],
    /// One for each bound, and one for what is above all of them.
    counts: Vec<AtomicU64>,
    sum_us: AtomicU64,
}

/// A histogram's numbers at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Buckets {
    /// Each bound with how many observations were at most that; ascending in both.
    pub up_to: Vec<(Duration, u64)>,
    /// How many there were.
    pub count: u64,
    /// What they come to together.
    pub sum: Duration,
}

impl Histogram {
    pub(super) fn new(bounds: &'static [u64]) -> Self {
        Self {
            bounds,
            counts: (0..=bounds.len()).map(|_| AtomicU64::default()).collect(),
            sum_us: AtomicU64::default(),
        }
    }

    pub(super) fn observe(&self, span: Duration) {
        let micros = u64::try_from(span.as_micros()).unwrap_or(u64::MAX);
        let bucket = self.bounds.partition_point(|bound| *bound < micros);
        self.counts[bucket].fetch_add(1, Relaxed);
        self.sum_us.fetch_add(micros, Relaxed);
    }

    pub(super) fn snapshot(&self) -> Buckets {
        let mut count = 0;
        let mut so_far = self.counts.iter().map(|bucket| {
            count += bucket.load(Relaxed);
            count
        });
        let bounds = self
            .bounds
            .iter()
            .map(|bound| Duration::from_micros(*bound));
        let up_to = bounds.zip(&mut so_far).collect();
        let all = so_far.last();
        Buckets {
            up_to,
            count: all.unwrap_or_default(),
            sum: Duration::from_micros(self.sum_us.load(Relaxed)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A bound is inclusive, as Prometheus' `le` says; what is above all of them is counted too.
    #[test]
    fn observations_fall_into_the_right_buckets() {
        let histogram = Histogram::new(&[1_000, 5_000]);
        for micros in [0, 1_000, 1_001, 5_000, 5_001, 1_000_000] {
            histogram.observe(Duration::from_micros(micros));
        }
        let seen = histogram.snapshot();
        let millis = Duration::from_millis;
        assert_eq!(seen.up_to, [(millis(1), 2), (millis(5), 4)]);
        assert_eq!(seen.count, 6);
        assert_eq!(seen.sum, Duration::from_micros(1_012_002));
    }
}
