//! The facade: one struct, a file of methods for each concern.

mod api_keys;
mod apps;
mod explain;
mod keys;
mod log;
mod measure;
mod options;
mod records;
mod run;
mod webhooks;

use std::sync::{Arc, PoisonError};

use crate::delivery::{Courier, Engine, EngineParts, EngineSettings, Inbox};
use crate::error::Result;
use crate::metrics::Counters;
use crate::model::{AppId, Timestamp};
use crate::process::Process;
use crate::signing::KeyStore;
use crate::storage::Storage;
use crate::sync::atomic::AtomicBool;
use crate::sync::{Mutex, MutexGuard};

pub use apps::{NewApp, NewKey};
pub use explain::{BatchStory, EventStory};
pub use options::Options;
pub use run::{Delivery, Polled};

/// A webhook outbox. Thread-safe: share it behind an [`Arc`].
///
/// Dropping it stops the threads as [`Hookbox::stop`] with no patience does.
///
/// It belongs to the process that opened it. In a child of `fork` every call that needs the storage or
/// the threads fails with [`crate::Error::Forked`], and dropping it closes nothing. A child must not
/// open the same file anew either before it has called `exec`: SQLite's own note of who holds which
/// lock is inherited, and wrong there.
#[derive(Debug)]
pub struct Hookbox {
    options: Options,
    process: Process,
    storage: Arc<dyn Storage>,
    keys: Arc<KeyStore>,
    /// Replaced when a stop had to break its connections.
    courier: Mutex<Arc<Courier>>,
    inbox: Arc<Inbox>,
    counters: Arc<Counters>,
    engine: Mutex<Option<Engine>>,
    /// Whether it was started and is not being stopped; for whoever must not wait for the lock.
    started: AtomicBool,
}

impl Hookbox {
    /// Opens the box in an SQLite file with the default [`Options`]; creates it where it is missing.
    /// `postgres://…` opens it in PostgreSQL instead.
    ///
    /// # Errors
    /// As [`Options::open`].
    #[cfg(feature = "sqlite")]
    pub fn open(path: impl AsRef<std::path::Path>) -> Result<Self> {
        Options::new().open(path)
    }

    pub(super) fn new(options: Options, storage: Arc<dyn Storage>) -> Result<Self> {
        let sealer = Arc::new(options.sealer.clone());
        let keys = Arc::new(KeyStore::new(
            Arc::clone(&storage),
            Arc::clone(&sealer),
            Arc::clone(&options.random),
        ));
        let counters = Arc::<Counters>::default();
        let courier = Courier {
            storage: Arc::clone(&storage),
            transport: options.make_transport()?,
            keys: Arc::clone(&keys),
            sealer,
            clock: Arc::clone(&options.clock),
            contents: Arc::default(),
            counters: Arc::clone(&counters),
        };
        let inbox = Arc::<Inbox>::default();
        let to_wake = Arc::clone(&inbox);
        storage.on_foreign_write(Box::new(move || to_wake.wake()));
        Ok(Self {
            options,
            process: Process::current(),
            storage,
            keys,
            courier: Mutex::new(Arc::new(courier)),
            inbox,
            counters,
            engine: Mutex::default(),
            started: AtomicBool::new(false),
        })
    }

    /// The time, by the box's clock.
    pub(crate) fn now(&self) -> Timestamp {
        self.options.clock.now()
    }

    fn courier(&self) -> Arc<Courier> {
        Arc::clone(&lock(&self.courier))
    }

    fn parts(&self) -> EngineParts {
        EngineParts {
            storage: Arc::clone(&self.storage),
            courier: self.courier(),
            clock: Arc::clone(&self.options.clock),
            random: Arc::clone(&self.options.random),
            on_notice: self.options.on_notice.clone(),
            inbox: Arc::clone(&self.inbox),
            counters: Arc::clone(&self.counters),
            settings: EngineSettings {
                workers: self.options.workers,
                slow_max: self.options.slow_requests_max,
                retention: self.options.retention,
            },
        }
    }

    /// The storage below, for what the facade does not offer.
    #[must_use]
    pub fn storage(&self) -> &Arc<dyn Storage> {
        &self.storage
    }
}

fn app_id(text: &str) -> Result<AppId> {
    AppId::parse(text)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
