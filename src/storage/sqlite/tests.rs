//! What only a look inside the storage shows.

use crate::model::{BatchId, Timestamp};

/// Ids of split batches come from their parent's random bits: they must differ for each.
#[test]
fn the_low_bits_of_an_id_are_its_randomness() {
    let at = Timestamp::from_millis(1);
    assert_eq!(BatchId::new(at, 7).low_bits(), 7);
    assert_ne!(
        BatchId::new(at, 7).low_bits(),
        BatchId::new(at, 8).low_bits()
    );
}
