//! What a box does in its life, step by step, over a disk that fails. Each step can be repeated
//! until it succeeds, as a host would; what it was told to be done is remembered and held against
//! the file afterwards.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use hookbox::clock::Clock;
use hookbox::model::{EventId, EventType, NewEvent};
use hookbox::storage::{PageRequest, WebhookFilter};
use hookbox::{Error, Hookbox, Options, Result, StorageFault};

use crate::box_of::*;
use crate::fault::Fault;
use crate::support::*;
use crate::vfs;

/// How long retention keeps what ended.
const KEPT: Duration = Duration::from_secs(86_400);

/// What a box is kept in, and the disk under it.
#[derive(Clone, Copy)]
pub struct Engine {
    pub open: fn(Options, &Path) -> Result<Hookbox>,
    /// What the engine does by itself now and then.
    pub checkpoint: fn(&Path) -> Result<()>,
    pub arm: fn(Fault),
    /// Says how many operations failed.
    pub disarm: fn() -> u64,
}

/// Over `vfs.rs`, once that is installed.
pub const SQLITE: Engine = Engine {
    open: |options, path| options.open(path),
    checkpoint,
    arm: vfs::arm,
    disarm: vfs::disarm,
};

pub struct World {
    engine: Engine,
    path: PathBuf,
    pub clock: Arc<HandClock>,
    pub net: Arc<FakeTransport>,
    hooks: Option<Hookbox>,
    pub told: Told,
}

/// What the box said was done.
#[derive(Debug, Clone, Default)]
pub struct Told {
    /// Events that were emitted, by the number of their key; they must be there.
    pub emitted: BTreeMap<u64, EventId>,
    /// The same, since retention was allowed to take them: they may be gone.
    pub old: BTreeMap<u64, EventId>,
    pub app: bool,
    pub webhook: bool,
    /// Attempts whose results were stored.
    pub attempts: usize,
    pub rotated: bool,
}

type Step = fn(&mut World) -> Result<()>;

/// The steps and their names. Each opens the box first if it is not open.
pub const STEPS: [(&str, Step); 15] = [
    ("open", |world| world.open().map(drop)),
    ("create app", World::create_app),
    ("register", World::register),
    ("emit", |world| world.emit(1)),
    ("emit many", |world| world.emit_many(10..15)),
    ("deliver", World::deliver),
    ("emit to a failing endpoint", |world| world.emit(2)),
    ("fail", World::fail),
    ("rotate key", World::rotate),
    ("checkpoint", World::checkpoint),
    ("deliver again", World::deliver),
    ("grow old", World::grow_old),
    ("prune", World::prune),
    ("open again", World::open_again),
    ("emit at last", |world| world.emit_many(20..23)),
];

/// What a box does when it finds its files as a crash left them. The last connection that is closed
/// writes the log back.
pub const RECOVERY: [(&str, Step); 3] = [
    ("open", |world| world.open().map(drop)),
    ("emit", |world| world.emit(90)),
    ("open again", World::open_again),
];

impl World {
    pub fn new(engine: Engine, path: &Path) -> Self {
        Self {
            engine,
            path: path.to_owned(),
            clock: HandClock::new(),
            net: FakeTransport::new(),
            hooks: None,
            told: Told::default(),
        }
    }

    /// The box.
    pub fn open(&mut self) -> Result<&Hookbox> {
        if self.hooks.is_none() {
            let options = Options::new()
                .clock(self.clock.clone())
                .transport(self.net.clone())
                .retention(Some(KEPT));
            self.hooks = Some((self.engine.open)(options, &self.path)?);
        }
        Ok(self.hooks.as_ref().expect("opened"))
    }

    pub fn close(&mut self) {
        self.hooks = None;
    }

    /// Opens the box, and holds it against what was told.
    pub fn verify(&mut self) -> std::result::Result<(), String> {
        let told = self.told.clone();
        match self.open() {
            Ok(hooks) => verify(hooks, &told),
            Err(error) => Err(format!("does not open: {error}")),
        }
    }

    fn create_app(&mut self) -> Result<()> {
        match self.open()?.create_app_with(new_app()) {
            Ok(_) | Err(Error::AppExists(_)) => self.told.app = true,
            Err(error) => return Err(error),
        }
        Ok(())
    }

    fn register(&mut self) -> Result<()> {
        let hooks = self.open()?;
        let found = hooks.webhooks(APP, WebhookFilter::default(), PageRequest::default())?;
        match found.items.first() {
            None => drop(webhook(hooks, "https://example.com/a")?),
            Some(found) if !found.is_active() => drop(hooks.activate(APP, &found.id)?),
            Some(_) => {}
        }
        self.told.webhook = true;
        Ok(())
    }

    fn emit(&mut self, number: u64) -> Result<()> {
        self.emit_many(number..number + 1)
    }

    fn emit_many(&mut self, numbers: std::ops::Range<u64>) -> Result<()> {
        let new = |number: u64| {
            NewEvent::new(EventType::parse(TYPE).unwrap(), payload(number)).key(number.to_string())
        };
        let events = numbers.clone().map(new).collect();
        let ids = self.open()?.emit_many(APP, events)?;
        self.told.emitted.extend(numbers.zip(ids));
        Ok(())
    }

    fn deliver(&mut self) -> Result<()> {
        self.clock.advance(Duration::from_secs(600));
        let now = self.clock.now();
        let polled = self.open()?.poll(now)?;
        self.told.attempts += polled.attempts;
        Ok(())
    }

    fn fail(&mut self) -> Result<()> {
        self.net.script(|_| status(503));
        let result = self.deliver();
        self.net.script(|_| status(200));
        result
    }

    fn rotate(&mut self) -> Result<()> {
        let hooks = self.open()?;
        if !hooks
            .keys(APP)?
            .iter()
            .any(|key| key.kid.as_str() == "second")
        {
            hooks.rotate_key(APP, &imported("second"))?;
        }
        self.told.rotated = true;
        Ok(())
    }

    fn checkpoint(&mut self) -> Result<()> {
        self.open()?;
        (self.engine.checkpoint)(&self.path)
    }

    /// From here on retention may take what there is.
    #[expect(clippy::unnecessary_wraps, reason = "a step like the others")]
    fn grow_old(&mut self) -> Result<()> {
        self.told.old.append(&mut self.told.emitted);
        self.told.attempts = 0;
        self.clock.advance(2 * KEPT);
        Ok(())
    }

    fn prune(&mut self) -> Result<()> {
        let before = self.clock.now().minus(KEPT);
        self.open()?.prune(before)
    }

    fn open_again(&mut self) -> Result<()> {
        self.close();
        self.open().map(drop)
    }
}

/// What SQLite does by itself after a thousand pages.
fn checkpoint(path: &Path) -> Result<()> {
    let run = || {
        let db = rusqlite::Connection::open(path)?;
        db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", (), |_| Ok(()))
    };
    run().map_err(|error| {
        let fault = match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::DiskFull) => StorageFault::Full,
            _ => StorageFault::Io,
        };
        Error::storage(fault, error.to_string())
    })
}

/// Holds a box against what was told: it is whole, everything told is there, each key stands for
/// one event, and nothing is there that was not emitted.
fn verify(hooks: &Hookbox, told: &Told) -> std::result::Result<(), String> {
    let say = |error: Error| error.to_string();
    let wrong = hooks.check().map_err(say)?;
    if !wrong.is_empty() {
        return Err(format!("check says {wrong:?}"));
    }
    if !told.app {
        return Ok(());
    }
    hooks.app(APP).map_err(say)?;
    let stored = events(hooks).map_err(say)?;
    for (number, id) in &told.emitted {
        if !stored.contains_key(id) {
            return Err(format!("event {number} was acknowledged and is gone"));
        }
    }
    let mut keys = BTreeMap::new();
    for (id, event) in &stored {
        let key = event.idempotency_key.clone().unwrap_or_default();
        if event.payload != payload(key.parse().map_err(|_| format!("a wrong key: {key}"))?) {
            return Err(format!("a wrong payload under key {key}"));
        }
        if let Some(other) = keys.insert(key, id) {
            return Err(format!("{id} and {other} have one key"));
        }
    }
    let recorded = attempts(hooks).map_err(say)?.len();
    if recorded < told.attempts {
        return Err(format!(
            "{recorded} attempts, {} were stored",
            told.attempts
        ));
    }
    if told.rotated && hooks.keys(APP).map_err(say)?.len() < 2 {
        return Err("the second key is gone".into());
    }
    let page = PageRequest::default();
    let webhooks = hooks.webhooks(APP, WebhookFilter::default(), page);
    let webhooks = webhooks.map_err(say)?.items;
    if told.webhook && !webhooks.iter().any(hookbox::model::Webhook::is_active) {
        return Err("the webhook is gone".into());
    }
    Ok(())
}
