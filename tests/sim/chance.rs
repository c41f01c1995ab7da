//! Choices, all from one seed.

use std::sync::{Mutex, PoisonError};

use hookbox::Result;
use hookbox::clock::{Prng, Random};

/// Draws a run's choices.
#[derive(Debug)]
pub struct Chance(Prng);

impl Chance {
    pub fn new(seed: u64) -> Self {
        Self(Prng::new(seed))
    }

    pub fn bits(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// 0 to `n` - 1.
    pub fn below(&mut self, n: usize) -> usize {
        (self.bits() % n.max(1) as u64) as usize
    }

    pub fn between(&mut self, low: i64, high: i64) -> i64 {
        low + (self.bits() % (high - low + 1) as u64) as i64
    }

    /// So often in a thousand.
    pub fn per_mille(&mut self, rate: u32) -> bool {
        self.bits() % 1000 < u64::from(rate)
    }

    pub fn coin(&mut self) -> bool {
        self.per_mille(500)
    }

    pub fn pick<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }

    /// An index, by weight.
    pub fn weighted(&mut self, weights: &[u32]) -> usize {
        let total: u32 = weights.iter().sum();
        let mut left = self.bits() % u64::from(total);
        for (index, weight) in weights.iter().enumerate() {
            match left.checked_sub(u64::from(*weight)) {
                Some(rest) => left = rest,
                None => return index,
            }
        }
        unreachable!("the weights add up to their total")
    }
}

/// What a box draws its own randomness from.
#[derive(Debug)]
pub struct BoxRandom(Mutex<Prng>);

impl BoxRandom {
    pub fn new(seed: u64) -> Self {
        Self(Mutex::new(Prng::new(seed)))
    }
}

impl Random for BoxRandom {
    fn fill(&self, buffer: &mut [u8]) -> Result<()> {
        let mut prng = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for chunk in buffer.chunks_mut(8) {
            chunk.copy_from_slice(&prng.next_u64().to_le_bytes()[..chunk.len()]);
        }
        Ok(())
    }
}
