//! The same calls on a box in memory and on one in an SQLite file give the same answers: ids,
//! errors, requests sent, listings. Clock, randomness and endpoints are the same for both.
#![no_main]

use std::fmt::Debug;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arbitrary::Arbitrary;
use hookbox::model::{
    DeliveryMode, EventType, Events, NewEvent, NewWebhook, Profile, SignatureScheme, WebhookId,
    WebhookUpdate,
};
use hookbox::storage::kv::KvStorage;
use hookbox::storage::{AttemptFilter, BatchFilter, EventFilter, Page, PageRequest, WebhookFilter};
use hookbox::transport::Method;
use hookbox::{Hookbox, NewApp, Options, Result};
use hookbox_fuzz::{HandClock, SameRandom, Scripted, answer};
use libfuzzer_sys::fuzz_target;

const APPS: [&str; 2] = ["left", "right"];
const TYPES: [&str; 3] = ["user.created", "user.deleted", "user.session.created"];

#[derive(Debug, Clone, Arbitrary)]
enum Call {
    Emit {
        app: bool,
        types: Vec<u8>,
        key: Option<u8>,
        once: bool,
    },
    Create {
        app: bool,
        types: Vec<u8>,
    },
    Delete(u8),
    Activate(u8),
    Deactivate(u8),
    Update {
        webhook: u8,
        types: Option<Vec<u8>>,
    },
    App {
        app: bool,
        on: bool,
    },
    DeleteApp(bool),
    Endpoint {
        webhook: u8,
        status: u8,
    },
    Resend(u8),
    Cancel(u8),
    Replay {
        webhook: u8,
        back: u16,
    },
    Prune,
    Step(u16),
    Poll,
    Look {
        limit: u8,
    },
}

struct World {
    hooks: Hookbox,
    clock: Arc<HandClock>,
    /// How the endpoint of each webhook answers, by its path.
    statuses: Arc<Mutex<[u16; 8]>>,
    /// Since the last call: where requests went, and what they carried.
    sent: Arc<Mutex<Vec<(String, Vec<u8>)>>>,
    webhooks: Vec<(&'static str, WebhookId)>,
}

impl World {
    fn open(open: impl FnOnce(Options) -> Result<Hookbox>) -> Self {
        let clock = HandClock::new();
        let statuses = Arc::new(Mutex::new([200; 8]));
        let sent = Arc::<Mutex<Vec<(String, Vec<u8>)>>>::default();
        let (of_script, to_sent) = (statuses.clone(), sent.clone());
        let net = Scripted(Box::new(move |request| {
            if request.method == Method::Get {
                let number = &request.query.iter().find(|(name, _)| name == "challenge");
                return answer(
                    200,
                    format!("{{\"challenge\":{}}}", number.unwrap().1).as_bytes(),
                );
            }
            let path = request.url.as_str().rsplit('/').next().unwrap().to_owned();
            let status = of_script.lock().unwrap()[path.parse::<usize>().unwrap() % 8];
            to_sent.lock().unwrap().push((path, request.body.to_vec()));
            answer(status, b"body")
        }));
        let options = Options::new()
            .clock(clock.clone())
            .random(SameRandom::new())
            .transport(Arc::new(net));
        let hooks = open(options).unwrap();
        let mut world = Self {
            hooks,
            clock,
            statuses,
            sent,
            webhooks: Vec::new(),
        };
        APPS.iter().for_each(|app| world.make_app(app));
        world
    }

    fn make_app(&mut self, app: &str) {
        // Signed by HMAC: making RSA keys is slow.
        let mut profile = Profile::prelude();
        profile.signature = SignatureScheme::StandardWebhooks;
        profile.delivery.batch_events_max = 3;
        let new = NewApp {
            profile,
            ..NewApp::new(app.parse().unwrap())
        };
        self.hooks.create_app_with(new).unwrap();
    }

    /// Does a call and says what came of it.
    fn call(&mut self, call: &Call) -> String {
        let hooks = &self.hooks;
        let webhook = |n: u8| {
            self.webhooks
                .get(usize::from(n) % self.webhooks.len().max(1))
        };
        let on_webhook = |n: u8, call: &dyn Fn(&str, &WebhookId) -> String| {
            webhook(n).map_or_else(String::new, |(app, id)| call(app, id))
        };
        match call.clone() {
            Call::Emit {
                app,
                types,
                key,
                once,
            } => {
                let events = types.iter().take(6).map(|n| {
                    let mut event = NewEvent::new(event_type(*n), format!("{{\"n\":{n}}}"));
                    event.idempotency_key = key.map(|key| format!("{}", key % 4));
                    if once {
                        event.mode = DeliveryMode::AtMostOnce;
                    }
                    event
                });
                said(&hooks.emit_many(app_of(app), events.collect()))
            }
            Call::Create { app, types } => {
                let url = format!("https://example.com/{}", self.webhooks.len());
                let new = NewWebhook::new(url).events(events(&types));
                let created = hooks.create_webhook(app_of(app), new);
                let text = said(&created);
                self.webhooks
                    .extend(created.ok().map(|made| (app_of(app), made.id)));
                text
            }
            Call::Delete(n) => on_webhook(n, &|app, id| said(&hooks.delete_webhook(app, id))),
            Call::Activate(n) => on_webhook(n, &|app, id| said(&hooks.activate(app, id))),
            Call::Deactivate(n) => on_webhook(n, &|app, id| said(&hooks.deactivate(app, id))),
            Call::Update { webhook, types } => on_webhook(webhook, &|app, id| {
                let update = WebhookUpdate {
                    events: types.as_ref().map(|types| events(types)),
                    ..WebhookUpdate::default()
                };
                said(&hooks.update_webhook(app, id, update))
            }),
            Call::App { app, on: true } => said(&hooks.enable_app(app_of(app))),
            Call::App { app, on: false } => said(&hooks.disable_app(app_of(app))),
            Call::DeleteApp(app) => {
                let text = said(&hooks.delete_app(app_of(app)));
                self.make_app(app_of(app));
                text
            }
            Call::Endpoint { webhook, status } => {
                let status = [200, 200, 410, 413, 429, 500][usize::from(status) % 6];
                self.statuses.lock().unwrap()[usize::from(webhook) % 8] = status;
                String::new()
            }
            Call::Resend(n) => self.on_batch(n, &|app, id| said(&hooks.resend(app, id))),
            Call::Cancel(n) => self.on_batch(n, &|app, id| said(&hooks.cancel(app, id))),
            Call::Replay { webhook, back } => on_webhook(webhook, &|app, id| {
                let since = self.now().minus(Duration::from_secs(back.into()));
                said(&hooks.replay(app, id, since))
            }),
            Call::Prune => {
                let before = self.now().minus(Duration::from_secs(60));
                said(&hooks.prune(before))
            }
            Call::Step(seconds) => {
                let mut now = self.clock.0.lock().unwrap();
                *now = now.plus(Duration::from_secs(seconds.into()));
                String::new()
            }
            Call::Poll => said(&hooks.poll(self.now())),
            Call::Look { limit } => self.look(usize::from(limit) % 9 + 1),
        }
    }

    fn now(&self) -> hookbox::model::Timestamp {
        *self.clock.0.lock().unwrap()
    }

    fn on_batch(&self, n: u8, call: &dyn Fn(&str, &hookbox::model::BatchId) -> String) -> String {
        let mut text = String::new();
        for app in APPS {
            let batches = self
                .hooks
                .batches(app, BatchFilter::default(), PageRequest::default());
            let batches = batches.unwrap().items;
            if let Some(batch) = batches.get(usize::from(n) % batches.len().max(1)) {
                text += &call(app, &batch.id);
            }
        }
        text
    }

    /// All that can be read, page by page.
    fn look(&self, limit: usize) -> String {
        let mut text = String::new();
        let hooks = &self.hooks;
        for app in APPS {
            text += &pages(limit, |page| {
                hooks.events(app, EventFilter::default(), page)
            });
            text += &pages(limit, |page| {
                hooks.batches(app, BatchFilter::default(), page)
            });
            text += &pages(limit, |page| {
                hooks.attempts(app, AttemptFilter::default(), page)
            });
            text += &pages(limit, |page| {
                hooks.webhooks(app, WebhookFilter::default(), page)
            });
        }
        for (app, id) in &self.webhooks {
            text += &said(&hooks.backlog(app, id));
        }
        text + &said(&hooks.check())
    }
}

fn app_of(right: bool) -> &'static str {
    APPS[usize::from(right)]
}

fn event_type(n: u8) -> EventType {
    EventType::parse(TYPES[usize::from(n) % 3]).unwrap()
}

/// All types, or those.
fn events(types: &[u8]) -> Events {
    if types.is_empty() {
        Events::All
    } else {
        Events::only(types.iter().map(|n| event_type(*n)))
    }
}

/// A result as text; of an error, its code.
fn said<T: Debug>(result: &Result<T>) -> String {
    match result {
        Ok(value) => format!("{value:?}\n"),
        Err(error) => format!("{}\n", error.code()),
    }
}

/// All pages. The cursors are each storage's own.
fn pages<T: Debug>(limit: usize, read: impl Fn(PageRequest) -> Result<Page<T>>) -> String {
    let (mut text, mut cursor) = (String::new(), None);
    loop {
        let page = read(PageRequest::first(limit).unwrap().after(cursor)).unwrap();
        assert!(page.items.len() <= limit);
        text += &format!("{:?}\n", page.items);
        cursor = page.next_cursor;
        if cursor.is_none() {
            return text;
        }
    }
}

/// A folder in memory, where there is one.
fn folder() -> tempfile::TempDir {
    let shm = Path::new("/dev/shm");
    if shm.is_dir() {
        tempfile::tempdir_in(shm).unwrap()
    } else {
        tempfile::tempdir().unwrap()
    }
}

fuzz_target!(|calls: Vec<Call>| {
    let folder = folder();
    let mut memory =
        World::open(|options| options.open_storage(Arc::new(KvStorage::in_memory().unwrap())));
    let mut sqlite = World::open(|options| options.open(folder.path().join("box.db")));
    for call in calls
        .iter()
        .take(60)
        .chain([&Call::Poll, &Call::Look { limit: 3 }])
    {
        assert_eq!(memory.call(call), sqlite.call(call), "{call:?}");
        let sent = std::mem::take(&mut *memory.sent.lock().unwrap());
        let sent_too = std::mem::take(&mut *sqlite.sent.lock().unwrap());
        assert_eq!(sent, sent_too, "{call:?}");
    }
});
