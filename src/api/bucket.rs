//! The token bucket: how many requests a second, and how many at once. Pure: the time comes in.

use std::time::Duration;

use crate::model::Timestamp;

/// What a bucket is filled at, and what it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rate {
    /// Tokens a second; 0 counts as 1.
    pub(super) per_second: u32,
    /// The most it holds, which is what it starts with; 0 counts as 1.
    pub(super) burst: u32,
}

/// A bucket of tokens, one for each request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bucket {
    /// What it held at `at`, in thousandths of a token: so that every millisecond adds a whole number.
    thousandths: u64,
    at: Timestamp,
}

/// Thousandths of a token.
const TOKEN: u64 = 1000;

impl Bucket {
    pub(super) fn full(rate: Rate, now: Timestamp) -> Self {
        Self {
            thousandths: capacity(rate),
            at: now,
        }
    }

    /// When somebody last took from it.
    pub(super) const fn used_at(&self) -> Timestamp {
        self.at
    }

    /// Takes a token; says how long until there is one where there is none. A clock that is set back
    /// adds nothing and stops nothing; one that is set ahead fills the bucket, and no more.
    pub(super) fn take(&mut self, rate: Rate, now: Timestamp) -> Result<(), Duration> {
        let per_second = u64::from(rate.per_second.max(1));
        let elapsed = u64::try_from(now.since(self.at).as_millis()).unwrap_or(u64::MAX);
        let added = elapsed.saturating_mul(per_second);
        self.thousandths = self.thousandths.saturating_add(added).min(capacity(rate));
        self.at = now;
        if let Some(left) = self.thousandths.checked_sub(TOKEN) {
            self.thousandths = left;
            return Ok(());
        }
        let millis = (TOKEN - self.thousandths).div_ceil(per_second);
        Err(Duration::from_millis(millis))
    }
}

fn capacity(rate: Rate) -> u64 {
    u64::from(rate.burst.max(1)) * TOKEN
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(millis: u64) -> Timestamp {
        Timestamp::default().plus(Duration::from_millis(millis))
    }

    #[test]
    fn a_burst_at_once_and_then_the_rate() {
        let rate = Rate {
            per_second: 50,
            burst: 100,
        };
        let mut bucket = Bucket::full(rate, at(0));
        let mut taken = |now| (0..1000).filter(|_| bucket.take(rate, now).is_ok()).count();
        assert_eq!(taken(at(0)), 100);
        assert_eq!(taken(at(19)), 0);
        assert_eq!(taken(at(20)), 1);
        assert_eq!(taken(at(1020)), 50);
        assert_eq!(taken(at(3_600_000)), 100);
        // The clock is set back: what is there stays there, and time goes on from then.
        assert_eq!(taken(at(0)), 0);
        assert_eq!(taken(at(1000)), 50);
    }

    #[test]
    fn the_extremes_do_not_overflow() {
        for rate in [0, 1, u32::MAX] {
            let rate = Rate {
                per_second: rate,
                burst: rate,
            };
            let mut bucket = Bucket::full(rate, Timestamp::from_millis(i64::MIN));
            bucket.take(rate, Timestamp::from_millis(i64::MAX)).unwrap();
            bucket.take(rate, Timestamp::from_millis(i64::MIN)).ok();
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn no_time_sees_more_than_its_share(
            per_second in 1..200u32, burst in 1..200u32,
            gaps in prop::collection::vec(0..50u64, 1..400),
        ) {
            let rate = Rate { per_second, burst };
            let mut bucket = Bucket::full(rate, at(0));
            let (mut now, mut taken) = (0, Vec::new());
            for gap in gaps {
                now += gap;
                match bucket.take(rate, at(now)) {
                    Ok(()) => taken.push(now),
                    Err(wait) => {
                        // It says exactly when there is one again.
                        let wait = u64::try_from(wait.as_millis()).unwrap();
                        prop_assert!(wait > 0);
                        let mut other = bucket;
                        prop_assert!(other.take(rate, at(now + wait - 1)).is_err());
                        prop_assert!(other.take(rate, at(now + wait)).is_ok());
                    }
                }
            }
            for (first, from) in taken.iter().enumerate() {
                for (last, to) in taken.iter().enumerate().skip(first) {
                    let count = u64::try_from(last - first + 1).unwrap();
                    let share = u64::from(burst) * 1000 + (to - from) * u64::from(per_second);
                    prop_assert!(count * 1000 <= share);
                }
            }
        }
    }
}
