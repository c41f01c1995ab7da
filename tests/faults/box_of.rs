//! Boxes for faults: how each is opened, driven to its end, and read out.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering::SeqCst};
use std::time::Duration;

use hookbox::clock::{Clock, SystemClock};
use hookbox::model::{
    Attempt, Event, EventId, EventType, Events, NewWebhook, Timestamp, WebhookId,
};
use hookbox::storage::{AttemptFilter, EventFilter, Page, PageRequest};
use hookbox::{Hookbox, NewApp, NewKey, Options, Result};

use crate::support::{APP, TYPE};

/// A signing key that costs nothing to make.
const KEY: &str = include_str!("../vectors/rsa2048_pkcs8_test_only.pem");

/// The system's time, moved by an offset that the test sets.
#[derive(Debug, Default)]
pub struct MovedClock(AtomicI64);

impl MovedClock {
    pub fn ahead(millis: i64) -> Arc<Self> {
        Arc::new(Self(millis.into()))
    }

    pub fn shift(&self, millis: i64) {
        self.0.fetch_add(millis, SeqCst);
    }
}

impl Clock for MovedClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(SystemClock.now().as_millis() + self.0.load(SeqCst))
    }
}

/// For real requests to a receiver on this machine.
pub fn real_http(clock: Arc<dyn Clock>) -> Options {
    Options::new()
        .allow_http(true)
        .allow_network("127.0.0.0/8".parse().unwrap())
        .clock(clock)
}

/// What a box is kept in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    Sqlite,
    #[cfg(feature = "redb")]
    Redb,
}

impl Kept {
    pub fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            #[cfg(feature = "redb")]
            Self::Redb => "redb",
        }
    }

    pub fn named(name: &str) -> Self {
        match name {
            "sqlite" => Self::Sqlite,
            #[cfg(feature = "redb")]
            "redb" => Self::Redb,
            other => panic!("no such storage: {other}"),
        }
    }

    pub fn open(self, options: Options, path: &Path) -> Result<Hookbox> {
        match self {
            Self::Sqlite => options.open(path),
            #[cfg(feature = "redb")]
            Self::Redb => {
                let storage = hookbox::storage::kv::KvStorage::open_redb(path)?;
                options.open_storage(Arc::new(storage))
            }
        }
    }
}

/// The app, without the time that making a key takes.
pub fn new_app() -> NewApp {
    NewApp {
        key: imported("first"),
        ..NewApp::new(APP.parse().unwrap())
    }
}

pub fn imported(kid: &str) -> NewKey {
    NewKey::Import {
        pem: hookbox::model::Secret::new(KEY),
        kid: Some(hookbox::model::KeyId::parse(kid).unwrap()),
    }
}

/// An active webhook for the one event type.
pub fn webhook(hooks: &Hookbox, url: &str) -> Result<WebhookId> {
    let events = Events::only([EventType::parse(TYPE).unwrap()]);
    let new = NewWebhook::new(url).token("token").events(events);
    let webhook = hooks.create_webhook(APP, new)?;
    Ok(hooks.activate(APP, &webhook.id)?.id)
}

/// A payload that says whether it is whole.
pub fn payload(number: u64) -> String {
    let text = format!("event {number} {}", "x".repeat((number % 700) as usize));
    format!("{{\"text\":\"{text}\",\"sum\":{}}}", sum(&text))
}

/// Whether a payload is one that [`payload`] made.
pub fn is_whole(payload: &str) -> bool {
    let Ok(value) = serde_json::from_str::<serde_json::Value>(payload) else {
        return false;
    };
    let text = value["text"].as_str();
    text.is_some_and(|text| value["sum"].as_u64() == Some(sum(text)))
}

/// FNV-1a, cut to what JSON numbers hold exactly.
fn sum(text: &str) -> u64 {
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
    });
    hash >> 16
}

/// Everything of a listing.
fn all<T>(page: impl Fn(PageRequest) -> Result<Page<T>>) -> Result<Vec<T>> {
    let mut items = Vec::new();
    let mut request = PageRequest::first(1000)?;
    loop {
        let page = page(request.clone())?;
        items.extend(page.items);
        if page.next_cursor.is_none() {
            return Ok(items);
        }
        request = request.after(page.next_cursor);
    }
}

pub fn events(hooks: &Hookbox) -> Result<BTreeMap<EventId, Event>> {
    let found = all(|page| hooks.events(APP, EventFilter::default(), page))?;
    Ok(found.into_iter().map(|event| (event.id, event)).collect())
}

pub fn attempts(hooks: &Hookbox) -> Result<Vec<Attempt>> {
    all(|page| hooks.attempts(APP, AttemptFilter::default(), page))
}

/// Lets the threads deliver everything, waiting for no time that is due: the clock goes there.
pub fn drain(hooks: &Hookbox, clock: &MovedClock) {
    loop {
        let idle = hooks.wait_idle(Duration::from_secs(60));
        match idle.expect("the box does not come to rest").next_due {
            None => return,
            Some(due) => clock.shift(due.as_millis() - clock.now().as_millis() + 1),
        }
        hooks.wake();
    }
}
