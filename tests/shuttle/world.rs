//! A box as the programs use it: one app, one webhook, a store, a transport, a clock and chance of our own.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::time::{Duration, Instant};

use hookbox::clock::{Clock, Prng, Random};
use hookbox::model::{AppId, BatchStatus, NewWebhook, Profile, Timestamp};
use hookbox::storage::kv::KvStorage;
use hookbox::storage::{BatchFilter, EventFilter, PageRequest};
use hookbox::{Hookbox, NewApp, Options};

use super::checks::Plant;
use super::net::Net;
use super::store::Store;

pub const APP: &str = "app";
pub const TYPE: &str = "user.created";

/// Longer than anything takes; no wait ends by it.
pub const LONG: Duration = Duration::from_secs(3_600);

/// After this, what a dead dispatcher had leased is due again.
pub const LEASE: Duration = Duration::from_secs(120);

/// Shared by the threads of a program.
pub struct World {
    pub hooks: Hookbox,
    pub store: Arc<Store>,
    pub net: Arc<Net>,
    pub clock: Arc<HandClock>,
    pub chance: Arc<Chance>,
}

impl World {
    pub fn new(plant: Option<Plant>, workers: usize) -> Arc<Self> {
        let (store, net) = (Arc::new(Store::new(plant)), Arc::new(Net::new(plant)));
        let (clock, chance) = (Arc::new(HandClock::new()), Arc::<Chance>::default());
        let hooks = Options::new()
            .workers(workers)
            .retention(None)
            .transport(net.clone())
            .clock(clock.clone())
            .random(chance.clone())
            .open_storage(Arc::new(KvStorage::open(store.clone()).unwrap()))
            .unwrap();
        let mut app = NewApp::new(AppId::parse(APP).unwrap());
        // One event a request, no challenge, and no RSA key to make.
        app.profile = Profile::standard_webhooks();
        hooks.create_app_with(app).unwrap();
        let world = Self {
            hooks,
            store,
            net,
            clock,
            chance,
        };
        world.add_webhook();
        Arc::new(world)
    }

    pub fn add_webhook(&self) {
        let webhook = NewWebhook::new("https://receiver.example/hook");
        self.hooks.create_webhook(APP, webhook).unwrap();
    }

    pub fn emit(&self, number: u64) -> hookbox::Result<()> {
        self.hooks.emit(APP, TYPE, number.to_string()).map(drop)
    }

    /// The numbers that are in the log, in order. There is nothing else in it, and nothing is damaged.
    pub fn stored(&self) -> Vec<u64> {
        assert_eq!(self.hooks.check().unwrap(), Vec::<String>::new());
        let page = PageRequest::first(1_000).unwrap();
        let events = self
            .hooks
            .events(APP, EventFilter::default(), page)
            .unwrap();
        let numbers = events
            .items
            .iter()
            .map(|event| event.payload.parse().unwrap());
        sorted(numbers)
    }

    /// Batches in this state.
    pub fn count(&self, status: BatchStatus) -> usize {
        let filter = BatchFilter {
            status: Some(status),
            webhook: None,
        };
        let page = PageRequest::first(1_000).unwrap();
        self.hooks.batches(APP, filter, page).unwrap().items.len()
    }

    /// Stops the engine, for as long as it takes: every result is stored, and no thread is left.
    pub fn stop(&self) {
        self.hooks.stop(LONG).unwrap();
        self.assert_stopped();
        assert_eq!(self.count(BatchStatus::Leased), 0, "leased after a stop");
    }

    pub fn assert_stopped(&self) {
        assert_eq!(
            hookbox::testing::threads_running(),
            0,
            "threads after a stop"
        );
        assert!(!self.hooks.is_running());
    }

    /// Waits until the engine has nothing to do.
    pub fn idle(&self) {
        while self.hooks.wait_idle(LONG).is_none() {}
    }
}

pub fn sorted(numbers: impl IntoIterator<Item = u64>) -> Vec<u64> {
    let mut numbers: Vec<u64> = numbers.into_iter().collect();
    numbers.sort_unstable();
    numbers
}

/// Stands still unless it is told to go on.
#[derive(Debug)]
pub struct HandClock {
    began: Instant,
    millis: AtomicU64,
}

impl HandClock {
    fn new() -> Self {
        Self {
            began: Instant::now(),
            millis: AtomicU64::new(0),
        }
    }

    pub fn advance(&self, by: Duration) {
        let millis = u64::try_from(by.as_millis()).unwrap();
        self.millis.fetch_add(millis, SeqCst);
    }

    fn since_start(&self) -> Duration {
        Duration::from_millis(self.millis.load(SeqCst))
    }
}

impl Clock for HandClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(1_800_000_000_000).plus(self.since_start())
    }

    fn monotonic(&self) -> Instant {
        self.began + self.since_start()
    }
}

/// The same numbers each time.
#[derive(Debug, Default)]
pub struct Chance {
    drawn: AtomicU64,
    breaks: AtomicBool,
}

impl Chance {
    /// Who asks next for a seed panics: only the dispatcher does.
    pub fn break_next(&self) {
        self.breaks.store(true, SeqCst);
    }

    pub fn be_well(&self) {
        self.breaks.store(false, SeqCst);
    }
}

impl Random for Chance {
    fn fill(&self, buffer: &mut [u8]) -> hookbox::Result<()> {
        let mut numbers = Prng::new(self.drawn.fetch_add(1, SeqCst));
        for chunk in buffer.chunks_mut(8) {
            let bytes = numbers.next_u64().to_le_bytes();
            chunk.copy_from_slice(&bytes[..chunk.len()]);
        }
        Ok(())
    }

    fn seed(&self) -> hookbox::Result<u64> {
        if self.breaks.swap(false, SeqCst) {
            std::panic::resume_unwind(Box::new("on demand"));
        }
        Ok(Prng::new(self.drawn.fetch_add(1, SeqCst)).next_u64())
    }
}
