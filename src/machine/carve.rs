//! Which log entries make up the next batch.

use crate::model::{DeliveryMode, DeliveryPolicy, Position, Positions};

/// Fills one batch from log entries offered in order of position: as many events as the policy
/// allows, all of one delivery mode. An event larger than the byte limit goes alone.
#[derive(Debug)]
pub struct Carver {
    events_max: usize,
    bytes_max: u64,
    bytes: u64,
    mode: Option<DeliveryMode>,
    positions: Positions,
}

impl Carver {
    /// An empty batch under this policy.
    #[must_use]
    pub fn new(policy: &DeliveryPolicy) -> Self {
        Self {
            events_max: usize::try_from(policy.batch_events_max.max(1)).unwrap_or(usize::MAX),
            bytes_max: policy.batch_bytes_max,
            bytes: 0,
            mode: None,
            positions: Positions::new(),
        }
    }

    /// Offers the next entry; `false` when it belongs to a later batch.
    pub fn offer(&mut self, position: Position, bytes: u64, mode: DeliveryMode) -> bool {
        let fits = self.positions.is_empty()
            || (self.positions.len() < self.events_max
                && self.bytes.saturating_add(bytes) <= self.bytes_max
                && self.mode == Some(mode));
        if fits {
            self.positions.push(position);
            self.bytes = self.bytes.saturating_add(bytes);
            self.mode = Some(mode);
        }
        fits
    }

    /// Whether no further entry can fit.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.positions.len() >= self.events_max || self.bytes >= self.bytes_max
    }

    /// The batch's positions and mode; `None` when nothing was offered.
    #[must_use]
    pub fn finish(self) -> Option<(Positions, DeliveryMode)> {
        self.mode.map(|mode| (self.positions, mode))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Profile;

    fn policy(batch_events_max: u32, batch_bytes_max: u64) -> DeliveryPolicy {
        DeliveryPolicy {
            batch_events_max,
            batch_bytes_max,
            ..Profile::prelude().delivery
        }
    }

    #[test]
    fn a_large_event_goes_alone() {
        let mut carver = Carver::new(&policy(100, 1000));
        assert!(carver.offer(1, 5000, DeliveryMode::AtLeastOnce));
        assert!(carver.is_full());
        assert!(!carver.offer(2, 1, DeliveryMode::AtLeastOnce));
        let mut carver = Carver::new(&policy(100, 1000));
        assert!(carver.offer(1, 10, DeliveryMode::AtLeastOnce));
        assert!(!carver.offer(2, 5000, DeliveryMode::AtLeastOnce));
    }

    #[test]
    fn modes_do_not_mix() {
        let mut carver = Carver::new(&policy(100, 1000));
        assert!(carver.offer(1, 10, DeliveryMode::AtMostOnce));
        assert!(!carver.offer(2, 10, DeliveryMode::AtLeastOnce));
        let (positions, mode) = carver.finish().unwrap();
        assert_eq!((positions.len(), mode), (1, DeliveryMode::AtMostOnce));
    }

    proptest::proptest! {
        #[test]
        fn limits_hold(sizes in proptest::collection::vec(0u64..400, 0..300)) {
            let mut carver = Carver::new(&policy(100, 1000));
            let mut taken = 0;
            for (index, bytes) in sizes.iter().enumerate() {
                if !carver.offer(i64::try_from(index).unwrap() + 1, *bytes, DeliveryMode::AtLeastOnce) {
                    break;
                }
                taken += 1;
            }
            let bytes: u64 = sizes[..taken].iter().sum();
            assert!(taken <= 100 && (bytes <= 1000 || taken == 1));
            assert!(taken == sizes.len() || taken == 100 || bytes + sizes[taken] > 1000);
            assert_eq!(carver.finish().map_or(0, |(positions, _)| positions.len()), taken);
        }
    }
}
