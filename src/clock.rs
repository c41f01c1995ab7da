//! The two things the outside world must supply: the time and randomness. No other file reads
//! the system's clock or its entropy.

use std::fmt::Debug;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::error::{Error, Result};
use crate::model::Timestamp;

/// Where the time comes from.
pub trait Clock: Debug + Send + Sync {
    /// The current time (UTC). It may jump in either direction; nothing may rely on its order.
    fn now(&self) -> Timestamp;

    /// The time that never jumps, for waits that are over before anybody would notice. Nothing is
    /// stored or decided by it.
    fn monotonic(&self) -> Instant {
        monotonic_now()
    }
}

/// The operating system's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let millis = match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(after) => i64::try_from(after.as_millis()).unwrap_or(i64::MAX),
            Err(before) => -i64::try_from(before.duration().as_millis()).unwrap_or(i64::MAX),
        };
        Timestamp::from_millis(millis)
    }
}

/// The time that never jumps, for deadlines of threads that wait. Nothing is stored or decided by it.
pub(crate) fn monotonic_now() -> Instant {
    Instant::now()
}

/// Where randomness comes from.
pub trait Random: Debug + Send + Sync {
    /// Fills the buffer with unpredictable bytes.
    ///
    /// # Errors
    /// [`Error::Internal`] when the source fails.
    fn fill(&self, buffer: &mut [u8]) -> Result<()>;

    /// 64 random bits, to seed a [`Prng`].
    ///
    /// # Errors
    /// As [`Random::fill`].
    fn seed(&self) -> Result<u64> {
        let mut bytes = [0; 8];
        self.fill(&mut bytes)?;
        Ok(u64::from_ne_bytes(bytes))
    }

    /// 128 random bits.
    ///
    /// # Errors
    /// As [`Random::fill`].
    fn bits(&self) -> Result<u128> {
        let mut bytes = [0; 16];
        self.fill(&mut bytes)?;
        Ok(u128::from_ne_bytes(bytes))
    }
}

/// The operating system's entropy.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemRandom;

impl Random for SystemRandom {
    fn fill(&self, buffer: &mut [u8]) -> Result<()> {
        getrandom::fill(buffer).map_err(|e| Error::Internal(format!("no entropy: {e}")))
    }
}

/// A small deterministic generator (SplitMix64): from one seed, the same numbers in the same order.
/// For ids and jitter, never for secrets.
#[derive(Debug, Clone)]
pub struct Prng(u64);

impl Prng {
    /// Starts from a seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub const fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// The next 128 bits.
    pub fn next_u128(&mut self) -> u128 {
        u128::from(self.next_u64()) << 64 | u128::from(self.next_u64())
    }
}
