//! A run's conditions: which faults it has, and how many of each. Every seed has its own mix, so
//! that rare faults meet others both where they are alone and where they abound.

use std::time::Duration;

use hookbox::model::{Base64Alphabet, Profile, RetrySchedule, SignatureScheme};

use super::chance::Chance;
use super::engines::Engine;
use super::network::Temper;

/// How often each fault comes, in a thousand calls.
#[derive(Debug, Clone, Copy, Default)]
pub struct Rates {
    pub fails_before: u32,
    pub unknown: u32,
    pub outage: u32,
    pub crash: u32,
    pub read_fails: u32,
}

#[derive(Debug)]
pub struct Plan {
    pub seed: u64,
    pub engine: Engine,
    pub boxes: usize,
    pub steps: usize,
    pub workers: usize,
    pub apps: usize,
    pub profile: Profile,
    /// Real RSA keys and signatures; else a cheap stand-in.
    pub real_keys: bool,
    pub rates: Rates,
    /// Boxes' clocks are wrong, and are set.
    pub clock_steps: bool,
    /// Senders may hang long past their deadline.
    pub hangs: bool,
    pub crashes: bool,
    pub retention: Option<Duration>,
    pub tempers: Vec<Temper>,
    /// Weight of each kind of step ([`super::world::STEPS`]).
    pub weights: Vec<u32>,
}

impl Plan {
    pub fn new(seed: u64, engine: Engine, kinds_of_steps: usize) -> Self {
        let mut chance = Chance::new(seed ^ 0x5eed);
        let chance = &mut chance;
        let rates = Rates {
            fails_before: some(chance, 40),
            unknown: some(chance, 40),
            outage: some(chance, 8),
            crash: some(chance, 8),
            read_fails: some(chance, 30),
        };
        let tempers = (0..chance.between(3, 7))
            .map(|_| Temper::draw(chance))
            .collect();
        Self {
            seed,
            engine,
            boxes: chance.pick(&[1, 1, 2, 3]),
            steps: chance.between(80, 320) as usize,
            workers: chance.pick(&[1, 2, 4, 8]),
            apps: chance.pick(&[1, 2]),
            profile: profile(chance),
            real_keys: seed % 64 == 7,
            rates,
            clock_steps: chance.per_mille(350),
            hangs: chance.per_mille(300),
            crashes: chance.per_mille(400),
            retention: chance
                .coin()
                .then(|| Duration::from_secs(chance.between(1, 30) as u64 * 86_400)),
            tempers,
            // A kind of step may be left out altogether.
            weights: (0..kinds_of_steps)
                .map(|_| chance.pick(&[0, 1, 1, 2, 4]))
                .collect(),
        }
    }
}

/// Switched off in half of the runs.
fn some(chance: &mut Chance, most: i64) -> u32 {
    if chance.coin() {
        0
    } else {
        chance.between(1, most) as u32
    }
}

fn profile(chance: &mut Chance) -> Profile {
    let mut profile = Profile::prelude();
    profile.signature = SignatureScheme::RsaPss {
        alphabet: Base64Alphabet::UrlSafe,
        replay_protection: chance.coin(),
    };
    let delivery = &mut profile.delivery;
    delivery.jitter_percent = chance.pick(&[0, 10]);
    delivery.concurrency = chance.pick(&[1, 1, 2, 4]);
    delivery.concurrency_full = chance.pick(&[1, 4]);
    delivery.batch_events_max = chance.pick(&[1, 3, 8, 100]);
    delivery.batch_bytes_max = chance.pick(&[60, 4096, 256 * 1024]);
    delivery.split = chance.per_mille(800);
    delivery.deactivate_on_gone = chance.per_mille(800);
    if chance.coin() {
        delivery.deactivate_after = None;
    }
    if chance.per_mille(150) {
        delivery.retry = RetrySchedule::Waits([5, 60, 3600].map(Duration::from_secs).to_vec());
    }
    profile
}
