//! A box's file with bytes changed or cut off: whatever is asked of it gives an answer or an error
//! with a code, and never a panic.
#![no_main]

use std::path::Path;
use std::sync::{Arc, LazyLock};

use arbitrary::Arbitrary;
use hookbox::model::{NewWebhook, Notice, Profile, SignatureScheme};
use hookbox::storage::{AttemptFilter, BatchFilter, EventFilter, Page, PageRequest, WebhookFilter};
use hookbox::{Hookbox, NewApp, Options, Result};
use hookbox_fuzz::{HandClock, START, SameRandom, Scripted, answer};
use libfuzzer_sys::fuzz_target;

const APP: &str = "app";
const TYPE: &str = "user.created";

/// What happened to the file.
#[derive(Debug, Arbitrary)]
struct Damage {
    /// Where, and what stands there now. Places are taken modulo the file's length.
    changes: Vec<(u32, u8)>,
    /// A run of zeros: where it begins, and how long it is in units of 64 bytes.
    zeros: Option<(u32, u8)>,
    /// How many bytes are missing at the end.
    cut: Option<u32>,
}

fn folder() -> tempfile::TempDir {
    let shm = Path::new("/dev/shm");
    if shm.is_dir() {
        tempfile::tempdir_in(shm).unwrap()
    } else {
        tempfile::tempdir().unwrap()
    }
}

fn options() -> Options {
    let net = Scripted(Box::new(|request| {
        let status = if request.url.as_str().ends_with("/bad") {
            500
        } else {
            200
        };
        answer(status, b"body")
    }));
    Options::new()
        .clock(HandClock::new())
        .random(SameRandom::new())
        .transport(Arc::new(net))
}

/// A box with a bit of everything, as the bytes of its file.
static IMAGE: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let folder = folder();
    let hooks = options().open(folder.path().join("box.db")).unwrap();
    let mut profile = Profile::prelude();
    profile.signature = SignatureScheme::StandardWebhooks;
    profile.verification = hookbox::model::Verification::None;
    let app = NewApp {
        profile,
        ..NewApp::new(APP.parse().unwrap())
    };
    hooks.create_app_with(app).unwrap();
    for path in ["good", "bad", "off"] {
        let mut new = NewWebhook::new(format!("https://example.com/{path}"));
        new.events = Some(hookbox::model::Events::All);
        new.enabled = path != "off";
        hooks.create_webhook(APP, new).unwrap();
    }
    for n in 0..20 {
        hooks.emit(APP, TYPE, format!("{{\"n\":{n}}}")).unwrap();
    }
    hooks.poll(START).unwrap();
    hooks.emit(APP, TYPE, "1").unwrap();
    let copy = folder.path().join("copy.db");
    hooks.backup(&copy).unwrap();
    std::fs::read(copy).unwrap()
});

fn damaged(damage: &Damage) -> Vec<u8> {
    let mut bytes = IMAGE.clone();
    let length = bytes.len();
    for (at, byte) in &damage.changes {
        bytes[*at as usize % length] = *byte;
    }
    if let Some((from, units)) = damage.zeros {
        let from = from as usize % length;
        let end = (from + usize::from(units) * 64).min(length);
        bytes[from..end].fill(0);
    }
    if let Some(cut) = damage.cut {
        bytes.truncate(length - cut as usize % length);
    }
    bytes
}

/// Reads everything, page by page, for at most so many pages: a damaged index may go in circles.
fn pages<T>(read: impl Fn(PageRequest) -> Result<Page<T>>) {
    let mut cursor = None;
    for _ in 0..20 {
        match read(PageRequest::first(10).unwrap().after(cursor)) {
            Ok(page) if page.next_cursor.is_some() => cursor = page.next_cursor,
            Ok(_) => return,
            Err(error) => return assert!(!error.code().is_empty()),
        }
    }
}

fn look(hooks: &Hookbox) {
    pages(|page| hooks.apps(page));
    pages(|page| hooks.events(APP, EventFilter::default(), page));
    pages(|page| hooks.batches(APP, BatchFilter::default(), page));
    pages(|page| hooks.attempts(APP, AttemptFilter::default(), page));
    pages(|page| hooks.webhooks(APP, WebhookFilter::default(), page));
    let webhooks = hooks.webhooks(APP, WebhookFilter::default(), PageRequest::default());
    for webhook in webhooks.map(|page| page.items).unwrap_or_default() {
        let _ = hooks.backlog(APP, &webhook.id);
    }
    let _ = (hooks.check(), hooks.stats(), hooks.keys(APP));
}

fn no_panic(notice: &Notice) {
    let contained = matches!(notice, Notice::DeliveryFault { message, .. } | Notice::EngineFailed { message }
        if message.contains("panic"));
    assert!(!contained, "{notice:?}");
}

fuzz_target!(|damage: Damage| {
    let folder = folder();
    let path = folder.path().join("box.db");
    std::fs::write(&path, damaged(&damage)).unwrap();
    if let Ok(hooks) = options().open_read_only(&path) {
        look(&hooks);
    }
    let Ok(hooks) = options().on_notice(no_panic).open(&path) else {
        return;
    };
    look(&hooks);
    let _ = hooks.emit(APP, TYPE, "2");
    let _ = hooks.create_webhook(APP, NewWebhook::new("https://example.com/new"));
    let later = START.plus(std::time::Duration::from_secs(3600));
    let _ = (hooks.poll(START), hooks.poll(later), hooks.prune(START));
    look(&hooks);
});
