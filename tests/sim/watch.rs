//! A box's storage: the real one, with faults before it and the judge beside it.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hookbox::model::*;
use hookbox::storage::*;
use hookbox::{Error, Result, StorageFault};

use super::chance::Chance;
use super::figures::Mark;
use super::judge::Judge;
use super::judge::exchange::Exchange;
use super::plan::Rates;
use super::script::{Fault, Script};
use super::time::SECOND;

pub type SharedJudge = Arc<Mutex<Judge>>;

pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What all boxes of a run share beside the data.
#[derive(Debug, Default)]
pub struct Weather {
    /// No faults any more.
    pub calm: AtomicBool,
    /// Counts writes, for engines that do not notice each other's.
    writes: AtomicI64,
    /// Faults of the exhaustive twin: they come in fair weather too.
    pub script: Mutex<Script>,
}

#[derive(Debug)]
pub struct Watch {
    inner: Arc<dyn Storage>,
    judge: SharedJudge,
    weather: Arc<Weather>,
    rates: Rates,
    sees_others: bool,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    chance: Chance,
    /// The storage refuses all writes until then.
    outage: Option<(StorageFault, i64)>,
    /// The box died inside a call: nothing works any more.
    crashed: bool,
    own_writes: i64,
}

/// What befalls a write.
enum Fate {
    Well,
    Fails(StorageFault),
    Unknown { applied: bool },
    Crash { applied: bool },
}

fn fault(fault: StorageFault) -> Error {
    Error::Storage {
        fault,
        message: "as the plan has it".into(),
    }
}

impl Watch {
    pub fn new(
        inner: Arc<dyn Storage>,
        judge: SharedJudge,
        weather: Arc<Weather>,
        rates: Rates,
        sees_others: bool,
        seed: u64,
    ) -> Arc<Self> {
        Arc::new(Self {
            inner,
            judge,
            weather,
            rates,
            sees_others,
            state: Mutex::new(State {
                chance: Chance::new(seed),
                outage: None,
                crashed: false,
                own_writes: 0,
            }),
        })
    }

    pub fn has_crashed(&self) -> bool {
        lock(&self.state).crashed
    }

    /// What the script has for the next call.
    pub fn fault(&self) -> Option<Fault> {
        lock(&self.weather.script).next_call()
    }

    /// The box dies, if the fault is a crash.
    pub fn dies_of(&self, fault: Option<Fault>) {
        lock(&self.state).crashed |= fault.is_some_and(Fault::is_crash);
    }

    fn fate(&self) -> Fate {
        let mut state = lock(&self.state);
        if state.crashed {
            return Fate::Fails(StorageFault::Io);
        }
        if let Some(fault) = self.fault() {
            let applied = !fault.is_before();
            return match fault {
                Fault::FailsBefore => Fate::Fails(StorageFault::Io),
                Fault::FailsAfter => Fate::Unknown { applied },
                Fault::CrashesBefore | Fault::CrashesAfter => Fate::Crash { applied },
            };
        }
        if self.weather.calm.load(SeqCst) {
            return Fate::Well;
        }
        let mut judge = lock(&self.judge);
        let now = judge.truth.now();
        if let Some((fault, until)) = state.outage
            && now < until
        {
            judge.figures.fault("write during an outage");
            return Fate::Fails(fault);
        }
        let (rates, chance) = (self.rates, &mut state.chance);
        if chance.per_mille(rates.outage) {
            let fault = chance.pick(&[StorageFault::Full, StorageFault::Busy, StorageFault::Io]);
            let until = now + chance.between(1, 600) * SECOND;
            state.outage = Some((fault, until));
            judge.figures.fault("storage outage");
            return Fate::Fails(fault);
        }
        if chance.per_mille(rates.fails_before) {
            judge.figures.fault("write failed before commit");
            let all = [StorageFault::Full, StorageFault::Busy, StorageFault::Io];
            return Fate::Fails(chance.pick(&all));
        }
        if chance.per_mille(rates.unknown) {
            let applied = chance.per_mille(700);
            judge.figures.fault(if applied {
                "commit unknown, committed"
            } else {
                "commit unknown, not committed"
            });
            return Fate::Unknown { applied };
        }
        if chance.per_mille(rates.crash) {
            judge.figures.fault("crash inside a write");
            judge.mark(Mark::CrashInsideCommit);
            let applied = chance.coin();
            return Fate::Crash { applied };
        }
        Fate::Well
    }

    /// Runs a write under its fate; `done` hears what was done, and whether the caller is told.
    fn write<T>(
        &self,
        call: impl FnOnce(&dyn Storage) -> Result<T>,
        done: impl FnOnce(Option<&T>, bool),
    ) -> Result<T> {
        let (applied, error) = match self.fate() {
            Fate::Well => (true, None),
            Fate::Fails(what) => (false, Some(what)),
            Fate::Unknown { applied } => (applied, Some(StorageFault::CommitUnknown)),
            Fate::Crash { applied } => {
                lock(&self.state).crashed = true;
                (applied, Some(StorageFault::Io))
            }
        };
        let result = if applied {
            self.weather.writes.fetch_add(1, SeqCst);
            lock(&self.state).own_writes += 1;
            call(self.inner.as_ref())
        } else {
            Err(fault(error.unwrap_or(StorageFault::Io)))
        };
        done(result.as_ref().ok(), error.is_none() && result.is_ok());
        match (result, error) {
            (Ok(_), Some(error)) => Err(fault(error)),
            (result, _) => result,
        }
    }

    fn read<T>(&self, call: impl FnOnce(&dyn Storage) -> Result<T>) -> Result<T> {
        let mut state = lock(&self.state);
        let calm = self.weather.calm.load(SeqCst);
        let scripted = if state.crashed { None } else { self.fault() };
        let was_crashed = state.crashed;
        state.crashed |= scripted.is_some_and(Fault::is_crash);
        if was_crashed
            || scripted.is_some()
            || (!calm && state.chance.per_mille(self.rates.read_fails))
        {
            lock(&self.judge).figures.fault("read failed");
            return Err(fault(StorageFault::Io));
        }
        drop(state);
        call(self.inner.as_ref())
    }
}

macro_rules! writes {
    ($(fn $name:ident($($arg:ident: $type:ty),*) -> $result:ty;)*) => {
        $(fn $name(&self, $($arg: $type),*) -> $result {
            self.write(|inner| inner.$name($($arg),*), |_, _| ())
        })*
    };
}

macro_rules! reads {
    ($(fn $name:ident($($arg:ident: $type:ty),*) -> $result:ty;)*) => {
        $(fn $name(&self, $($arg: $type),*) -> $result {
            self.read(|inner| inner.$name($($arg),*))
        })*
    };
}

impl Storage for Watch {
    fn exchange(
        &self,
        now: Timestamp,
        seed: u64,
        results: Vec<Settlement>,
        claim: Option<ClaimRequest>,
    ) -> Result<Exchanged> {
        let asked = results.clone();
        self.write(
            |inner| inner.exchange(now, seed, results, claim),
            |done, told| {
                lock(&self.judge).exchanged(&Exchange {
                    now,
                    results: &asked,
                    claim,
                    done,
                    told,
                });
            },
        )
    }

    fn foreign_writes(&self) -> Result<i64> {
        if self.sees_others {
            return self.read(|inner| inner.foreign_writes());
        }
        let own = lock(&self.state).own_writes;
        self.read(|_| Ok(self.weather.writes.load(SeqCst) - own))
    }

    fn backup(&self, to: &Path) -> Result<()> {
        self.read(|inner| inner.backup(to))
    }

    writes! {
        fn create_app(app: App, keys: Vec<StoredKey>) -> Result<()>;
        fn set_app_state(id: &AppId, state: AppState) -> Result<App>;
        fn delete_app(id: &AppId) -> Result<()>;
        fn set_event_types(types: Vec<EventType>, replace: bool) -> Result<()>;
        fn edit_keys(app: &AppId, edit: EditKeys) -> Result<Vec<StoredKey>>;
        fn create_api_key(key: StoredApiKey) -> Result<()>;
        fn revoke_api_key(id: &ApiKeyId, now: Timestamp) -> Result<ApiKey>;
        fn note_api_key_use(id: &ApiKeyId, at: Timestamp) -> Result<()>;
        fn create_webhook(webhook: StoredWebhook) -> Result<()>;
        fn edit_webhook(app: &AppId, id: &WebhookId, edit: EditWebhook) -> Result<StoredWebhook>;
        fn delete_webhook(app: &AppId, id: &WebhookId) -> Result<()>;
        fn emit(app: &AppId, events: Vec<PreparedEvent>) -> Result<Vec<EventId>>;
        fn resend(app: &AppId, batch: &BatchId, now: Timestamp) -> Result<Batch>;
        fn cancel(app: &AppId, batch: &BatchId, now: Timestamp) -> Result<Batch>;
        fn replay(app: &AppId, webhook: &WebhookId, since: Timestamp) -> Result<u64>;
        fn prune(before: Timestamp, now: Timestamp, slice: usize) -> Result<bool>;
    }

    reads! {
        fn get_app(id: &AppId) -> Result<Arc<App>>;
        fn list_apps(page: PageRequest) -> Result<Page<App>>;
        fn event_types() -> Result<Vec<EventType>>;
        fn keys(app: &AppId) -> Result<Vec<StoredKey>>;
        fn get_api_key(id: &ApiKeyId) -> Result<StoredApiKey>;
        fn list_api_keys(filter: ApiKeyFilter, page: PageRequest) -> Result<Page<ApiKey>>;
        fn get_webhook(app: &AppId, id: &WebhookId) -> Result<Arc<StoredWebhook>>;
        fn list_webhooks(app: &AppId, filter: WebhookFilter, page: PageRequest) -> Result<Page<Webhook>>;
        fn read_events(positions: &Positions) -> Result<Vec<Event>>;
        fn get_event(id: &EventId) -> Result<Event>;
        fn list_events(app: &AppId, filter: EventFilter, page: PageRequest) -> Result<Page<Event>>;
        fn get_batch(id: &BatchId) -> Result<Batch>;
        fn list_batches(app: &AppId, filter: BatchFilter, page: PageRequest) -> Result<Page<Batch>>;
        fn list_attempts(app: &AppId, filter: AttemptFilter, page: PageRequest) -> Result<Page<Attempt>>;
        fn backlog(app: &AppId, webhook: &WebhookId) -> Result<BacklogRow>;
        fn check() -> Result<Vec<String>>;
        fn stats() -> Result<StorageStats>;
        fn awaited_by(event: &Event) -> Result<Vec<WebhookId>>;
        fn batches_of(event: &Event) -> Result<Vec<Batch>>;
    }
}
