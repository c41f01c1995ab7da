//! Boxes to measure, each in a folder that is removed afterwards.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use hookbox::model::{
    AppId, EventType, Events, KeySize, NewEvent, NewWebhook, Profile, Verification, WebhookId,
};
use hookbox::{Hookbox, NewApp, NewKey, Options};
use rusqlite::Connection;

use crate::sink;

pub const TYPE: &str = "user.created";

/// Bytes of a payload.
pub const PAYLOAD: usize = 500;

/// A box, and the folder it is in.
pub struct Bench {
    pub hooks: Hookbox,
    folder: tempfile::TempDir,
}

/// The defaults, but that the loopback interface may be reached.
pub fn options() -> Options {
    Options::new()
        .allow_http(true)
        .allow_network("127.0.0.0/8".parse().unwrap())
}

/// The Prelude profile, but that a webhook is active at once: the challenge is not what is measured.
pub fn prelude() -> Profile {
    let mut profile = Profile::prelude();
    profile.verification = Verification::None;
    profile
}

impl Bench {
    pub fn open(options: Options) -> Self {
        // Beside the build, not in /tmp: that may be no disk at all.
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let hooks = options.open(folder.path().join("box.db")).unwrap();
        Self { hooks, folder }
    }

    /// Closes the box and opens it again.
    pub fn reopen(self, options: Options) -> Self {
        let Self { hooks, folder } = self;
        drop(hooks);
        let hooks = options.open(folder.path().join("box.db")).unwrap();
        Self { hooks, folder }
    }

    pub fn path(&self) -> PathBuf {
        self.folder.path().join("box.db")
    }

    pub fn app(&self, id: &str, profile: Profile) {
        self.app_with(id, profile, NewKey::Generate(KeySize::Rsa2048));
    }

    pub fn app_with(&self, id: &str, profile: Profile, key: NewKey) {
        let id = AppId::parse(id).unwrap();
        self.hooks
            .create_app_with(NewApp { id, profile, key })
            .unwrap();
    }

    /// An active webhook.
    pub fn webhook(&self, app: &str, url: String) -> WebhookId {
        let events = Events::only([EventType::parse(TYPE).unwrap()]);
        let new = NewWebhook::new(url).events(events).token("token");
        self.hooks.create_webhook(app, new).unwrap().id
    }

    pub fn emit_many(&self, app: &str, count: usize) {
        let events = (0..count).map(|_| event()).collect();
        self.hooks.emit_many(app, events).unwrap();
    }

    /// Waits until everything is delivered and recorded.
    pub fn drain(&self) {
        let began = Instant::now();
        while self.hooks.wait_idle(Duration::from_secs(1)).is_none() {
            assert!(began.elapsed() < Duration::from_secs(600), "no end");
        }
    }

    /// How many deliveries of events are recorded as delivered.
    pub fn delivered(&self) -> usize {
        self.count(
            "SELECT coalesce(sum(event_count), 0) FROM hookbox_batch WHERE status = 'delivered'",
        )
    }

    pub fn count(&self, sql: &str) -> usize {
        let db = Connection::open(self.path()).unwrap();
        db.query_row(sql, (), |row| row.get(0)).unwrap()
    }

    /// Bytes of the file and of its write-ahead log.
    pub fn sizes(&self) -> (u64, u64) {
        let size = |path: PathBuf| std::fs::metadata(path).map_or(0, |file| file.len());
        let wal = self.folder.path().join("box.db-wal");
        (size(self.path()), size(wal))
    }
}

/// An event that carries its time, padded to [`PAYLOAD`] bytes.
pub fn event() -> NewEvent {
    NewEvent::new(EventType::parse(TYPE).unwrap(), payload())
}

pub fn payload() -> String {
    let stamp = format!("{{\"t\":{},\"x\":\"", sink::nanos());
    let padding = PAYLOAD - stamp.len() - 2;
    format!("{stamp}{}\"}}", "x".repeat(padding))
}

/// How often something happened in a second.
pub fn rate(count: usize, span: Duration) -> f64 {
    count as f64 / span.as_secs_f64()
}

/// The median: noise on these machines is one-sided and short.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
