//! A run's conditions: which faults it has, and how many of each. Every seed has its own mix, so
//! that rare faults meet others both where they are alone and where they abound.

use std::time::Duration;

use hookbox::machine::longest_wait;
use hookbox::model::{Base64Alphabet, Profile, RetrySchedule, SignatureScheme};

use super::chance::Chance;
use super::engines::Engine;
use super::network::Temper;
use super::time::{HOUR, MINUTE};

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
    /// Apps and event types may come and go, webhooks may have a rate limit, and the contract may be
    /// another than Prelude's.
    pub wide: bool,
    /// So many new webhooks in a thousand have a rate limit.
    pub paced: u32,
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
        let mut plan = Self {
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
            // The others take the course that they took when some of them were kept (`seeds`).
            wide: !matches!(seed % 7, 2 | 5),
            paced: 0,
            // A kind of step may be left out altogether.
            weights: (0..kinds_of_steps)
                .map(|_| chance.pick(&[0, 1, 1, 2, 4]))
                .collect(),
        };
        if plan.wide {
            plan.widen(&mut Chance::new(seed ^ 0x3a1d));
        }
        plan
    }

    fn widen(&mut self, chance: &mut Chance) {
        self.paced = chance.pick(&[0, 300, 800]);
        let other = match chance.below(6) {
            0 => Profile::fingerprint(),
            1 | 2 => Profile::standard_webhooks(),
            _ => return,
        };
        self.profile = other;
        self.real_keys = false;
        let delivery = &mut self.profile.delivery;
        delivery.concurrency = chance.pick(&[1, 2, 4]);
        delivery.concurrency_full = chance.pick(&[1, 4]);
        delivery.deactivate_on_gone = chance.per_mille(800);
        delivery.receiver_control = chance.per_mille(800);
    }

    /// How long all may have been well before nothing is overdue: as long as any wait, and time to go
    /// through what is due.
    pub fn patience(&self) -> i64 {
        let longest = longest_wait(&self.profile.delivery).as_millis();
        (i64::try_from(longest).unwrap_or(i64::MAX / 2) + 168 * MINUTE).max(16 * HOUR)
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
