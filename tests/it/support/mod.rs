//! What the tests of the whole box share: a clock that is set by hand, a transport that is
//! scripted, and a real receiver on the loopback interface.

mod exposition;
mod faulty;
mod receiver;
#[cfg(feature = "postgres")]
mod schema;
mod wrapped;

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use hookbox::clock::Clock;
use hookbox::model::{
    Batch, EventType, Events, FailureKind, NewWebhook, Notice, Overrides, Timestamp, WebhookId,
};
use hookbox::storage::kv::{KvStorage, MemoryStore};
use hookbox::storage::{BatchFilter, PageRequest};
use hookbox::transport::{Method, Request, Response, Transport, TransportError};
use hookbox::{Hookbox, Options};

pub use exposition::Exposed;
pub use faulty::Faults;
pub use receiver::Receiver;
#[cfg(feature = "postgres")]
pub use schema::Schema;
pub use wrapped::{Hooks, Wrapped};

pub const APP: &str = "54e9ujn";
pub const TYPE: &str = "user.created";

/// 2025-03-15T10:30:00Z.
pub const START: Timestamp = Timestamp::from_millis(1_742_034_600_000);

/// A clock that moves only when told to.
#[derive(Debug)]
pub struct HandClock(Mutex<Timestamp>);

impl HandClock {
    pub fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new(START)))
    }

    pub fn advance(&self, span: Duration) {
        let mut now = self.0.lock().unwrap();
        *now = now.plus(span);
    }

    pub fn set(&self, at: Timestamp) {
        *self.0.lock().unwrap() = at;
    }
}

impl Clock for HandClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }
}

/// Decides the answer to a request.
type Script = Arc<dyn Fn(&Request) -> Result<Response, TransportError> + Send + Sync>;

/// A transport without sockets: answers by a script and remembers every request. Activation
/// challenges are answered well, unless scripted too.
pub struct FakeTransport {
    script: Mutex<Script>,
    challenges: Mutex<Option<Script>>,
    requests: Mutex<Vec<Request>>,
}

impl std::fmt::Debug for FakeTransport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FakeTransport")
    }
}

pub fn status(status: u16) -> Result<Response, TransportError> {
    Ok(Response {
        status,
        headers: Vec::new(),
        body: Vec::new(),
    })
}

pub fn status_with(status: u16, name: &str, value: &str) -> Result<Response, TransportError> {
    Ok(Response {
        status,
        headers: vec![(name.into(), value.into())],
        body: Vec::new(),
    })
}

/// The payloads of a delivery, which must be numbers.
pub fn numbers_in(request: &Request) -> Vec<i64> {
    let events = events_in(request);
    events
        .iter()
        .map(|(_, payload)| payload.as_i64().unwrap())
        .collect()
}

pub fn failure(kind: FailureKind) -> Result<Response, TransportError> {
    Err(TransportError {
        kind,
        message: "scripted".into(),
    })
}

impl FakeTransport {
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            script: Mutex::new(Arc::new(|_| status(200))),
            challenges: Mutex::default(),
            requests: Mutex::default(),
        })
    }

    pub fn script(
        &self,
        script: impl Fn(&Request) -> Result<Response, TransportError> + Send + Sync + 'static,
    ) {
        *self.script.lock().unwrap() = Arc::new(script);
    }

    /// Answers challenges by a script as well.
    pub fn script_challenges(
        &self,
        script: impl Fn(&Request) -> Result<Response, TransportError> + Send + Sync + 'static,
    ) {
        *self.challenges.lock().unwrap() = Some(Arc::new(script));
    }

    /// The deliveries (not the challenges) so far.
    pub fn deliveries(&self) -> Vec<Request> {
        let requests = self.requests.lock().unwrap();
        requests
            .iter()
            .filter(|request| request.method == Method::Post)
            .cloned()
            .collect()
    }
}

impl Transport for FakeTransport {
    fn send(&self, request: &Request) -> Result<Response, TransportError> {
        self.requests.lock().unwrap().push(request.clone());
        let challenges = self.challenges.lock().unwrap().clone();
        if request.method == Method::Get
            && let Some(script) = challenges
        {
            return script(request);
        }
        if request.method == Method::Get {
            let challenge = &request
                .query
                .iter()
                .find(|(name, _)| name == "challenge")
                .unwrap()
                .1;
            return Ok(Response {
                status: 200,
                headers: Vec::new(),
                body: format!("{{\"challenge\":{challenge}}}").into_bytes(),
            });
        }
        // Called without the lock: scripts may wait, or panic.
        let script = self.script.lock().unwrap().clone();
        script(request)
    }
}

/// The events in a delivery's body: id and payload.
pub fn events_in(request: &Request) -> Vec<(String, serde_json::Value)> {
    let body: serde_json::Value = serde_json::from_slice(&request.body).unwrap();
    body["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| {
            (
                event["id"].as_str().unwrap().to_owned(),
                event["payload"].clone(),
            )
        })
        .collect()
}

/// The storages that a box can be over.
#[derive(Debug, Clone)]
pub enum Engine {
    Sqlite,
    Memory,
    /// One that the test keeps.
    Store(Arc<MemoryStore>),
    #[cfg(feature = "redb")]
    Redb,
    /// In a schema of its own.
    #[cfg(feature = "postgres")]
    Postgres,
}

impl Engine {
    /// One of each.
    pub const ALL: &[Self] = &[
        Self::Sqlite,
        Self::Memory,
        #[cfg(feature = "redb")]
        Self::Redb,
        #[cfg(feature = "postgres")]
        Self::Postgres,
    ];

    /// That of a test that leaves it open: `HOOKBOX_TEST_ENGINE`, else SQLite.
    fn of_this_run() -> Self {
        match std::env::var("HOOKBOX_TEST_ENGINE").as_deref() {
            Err(_) | Ok("sqlite") => Self::Sqlite,
            #[cfg(feature = "postgres")]
            Ok("postgres") => Self::Postgres,
            Ok(other) => panic!("HOOKBOX_TEST_ENGINE: no engine `{other}` in this build"),
        }
    }
}

#[cfg(feature = "postgres")]
impl Schema {
    /// A connection of the host's own.
    pub fn client(&self) -> postgres::Client {
        postgres::Client::connect(&self.url(), postgres::NoTls).unwrap()
    }
}

/// A box in a temporary folder (or a schema), on a hand-set clock and a scripted transport, with one
/// app.
pub struct Bench {
    pub hooks: Hookbox,
    pub clock: Arc<HandClock>,
    pub net: Arc<FakeTransport>,
    notices: Arc<Mutex<Vec<Notice>>>,
    pub folder: tempfile::TempDir,
    path: PathBuf,
    #[cfg(feature = "postgres")]
    pub schema: Option<Schema>,
}

impl Bench {
    pub fn new() -> Self {
        Self::with(|options| options)
    }

    pub fn with(change: impl FnOnce(Options) -> Options) -> Self {
        Self::over(Engine::of_this_run(), change)
    }

    /// The same, over a storage of the test's choice.
    pub fn over(engine: Engine, change: impl FnOnce(Options) -> Options) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (clock, net) = (HandClock::new(), FakeTransport::new());
        let notices = Arc::<Mutex<Vec<Notice>>>::default();
        let heard = notices.clone();
        let options = Options::new()
            .on_notice(move |notice| heard.lock().unwrap().push(notice.clone()))
            .clock(clock.clone())
            .transport(net.clone());
        let options = change(options);
        #[cfg(feature = "postgres")]
        let schema = matches!(engine, Engine::Postgres).then(Schema::new);
        let path = match &engine {
            #[cfg(feature = "redb")]
            Engine::Redb => folder.path().join("box.redb"),
            #[cfg(feature = "postgres")]
            Engine::Postgres => PathBuf::from(schema.as_ref().unwrap().url()),
            _ => folder.path().join("box.db"),
        };
        let hooks = match engine {
            Engine::Sqlite => options.open(&path),
            Engine::Memory => options.open_storage(Arc::new(KvStorage::in_memory().unwrap())),
            Engine::Store(store) => options.open_storage(Arc::new(KvStorage::open(store).unwrap())),
            #[cfg(feature = "redb")]
            Engine::Redb => options.open_storage(Arc::new(KvStorage::open_redb(&path).unwrap())),
            #[cfg(feature = "postgres")]
            Engine::Postgres => options.open(&path),
        }
        .unwrap();
        hooks.create_app(APP).unwrap();
        Self {
            hooks,
            clock,
            net,
            notices,
            folder,
            path,
            #[cfg(feature = "postgres")]
            schema,
        }
    }

    /// What to open the box by: its path, or its URL.
    pub fn path(&self) -> PathBuf {
        self.path.clone()
    }

    /// The notices so far.
    pub fn notices(&self) -> Vec<Notice> {
        self.notices.lock().unwrap().clone()
    }

    /// An active webhook for one event type.
    pub fn webhook(&self, path: &str) -> WebhookId {
        self.webhook_with(APP, path, Overrides::default())
    }

    /// The same, of any app and with settings of its own.
    pub fn webhook_with(&self, app: &str, path: &str, overrides: Overrides) -> WebhookId {
        let url = format!("https://example.com/{path}");
        let events = Events::only([EventType::parse(TYPE).unwrap()]);
        let mut new = NewWebhook::new(url).token("token").events(events);
        new.overrides = overrides;
        let webhook = self.hooks.create_webhook(app, new).unwrap();
        self.hooks.activate(app, &webhook.id).unwrap().id
    }

    /// The app's batches, oldest first.
    pub fn batches(&self) -> Vec<Batch> {
        let page = PageRequest::first(1000).unwrap();
        let mut batches = self
            .hooks
            .batches(APP, BatchFilter::default(), page)
            .unwrap()
            .items;
        batches.reverse();
        batches
    }

    /// Polls through all that comes due within a span.
    pub fn run_for(&self, span: Duration) {
        let end = self.clock.now().plus(span);
        while let Some(due) = self.poll().next_due
            && due <= end
        {
            self.clock.set(due);
        }
        self.clock.set(end);
    }

    pub fn emit(&self, payload: impl Into<String>) -> String {
        self.hooks.emit(APP, TYPE, payload).unwrap().to_string()
    }

    /// Polls at the clock's time.
    pub fn poll(&self) -> hookbox::Polled {
        self.hooks.poll(self.clock.now()).unwrap()
    }
}

/// Waits until something is so; fails after 20 seconds.
pub fn until(what: &str, is_so: impl Fn() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(
            start.elapsed() < Duration::from_secs(20),
            "{what} never came"
        );
        std::thread::park_timeout(Duration::from_millis(2));
    }
}
