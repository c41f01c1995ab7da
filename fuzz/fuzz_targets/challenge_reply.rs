//! The ownership challenge: only 200 with a JSON object whose `challenge` is the number proves
//! anything; a receiver that answers with our own helper passes.
#![no_main]

use std::cell::RefCell;
use std::sync::{Arc, Mutex};

use hookbox::model::{NewWebhook, Profile, Secret, SignatureScheme, WebhookId};
use hookbox::storage::kv::KvStorage;
use hookbox::{Hookbox, NewApp, Options};
use hookbox_fuzz::{HandClock, SameRandom, Scripted, answer};
use libfuzzer_sys::fuzz_target;

const APP: &str = "app";
const TOKEN: &str = "token";

/// What the endpoint answers next: the status, and the body with `N` where the number shall stand.
type Next = Arc<Mutex<(u16, Vec<u8>)>>;

struct World {
    hooks: Hookbox,
    webhook: WebhookId,
    next: Next,
    /// The number last asked for, and the body that came back.
    last: Arc<Mutex<(u64, Vec<u8>)>>,
}

thread_local! {
    static WORLD: RefCell<Option<World>> = const { RefCell::new(None) };
}

fn world() -> World {
    let next = Next::default();
    let last = Arc::<Mutex<(u64, Vec<u8>)>>::default();
    let (of_script, to_last) = (next.clone(), last.clone());
    let net = Scripted(Box::new(move |request| {
        let asked = request.query.iter().find(|(name, _)| name == "challenge");
        let number: u64 = asked.unwrap().1.parse().unwrap();
        let query = request.target().split_once('?').unwrap().1.to_owned();
        let helped = hookbox::verify::answer_challenge(&query, &Secret::new(TOKEN)).unwrap();
        assert_eq!(helped.challenge, number);
        let (status, template) = of_script.lock().unwrap().clone();
        let body = fill_in(&template, number);
        *to_last.lock().unwrap() = (number, body.clone());
        answer(status, &body)
    }));
    let hooks = Options::new()
        .clock(HandClock::new())
        .random(SameRandom::new())
        .transport(Arc::new(net))
        .open_storage(Arc::new(KvStorage::in_memory().unwrap()))
        .unwrap();
    // Signed by HMAC: making RSA keys is slow.
    let mut profile = Profile::prelude();
    profile.signature = SignatureScheme::StandardWebhooks;
    let app = NewApp {
        profile,
        ..NewApp::new(APP.parse().unwrap())
    };
    hooks.create_app_with(app).unwrap();
    let new = NewWebhook::new("https://example.com/?own=1").token(TOKEN);
    let webhook = hooks.create_webhook(APP, new).unwrap().id;
    World {
        hooks,
        webhook,
        next,
        last,
    }
}

fn fill_in(template: &[u8], number: u64) -> Vec<u8> {
    let mut body = Vec::new();
    for byte in template {
        match byte {
            b'N' => body.extend(number.to_string().bytes()),
            byte => body.push(*byte),
        }
    }
    body
}

fuzz_target!(|input: (bool, u16, &[u8])| {
    let (well, status, template) = input;
    let status = if well { 200 } else { status };
    WORLD.with_borrow_mut(|world_| {
        let world = world_.get_or_insert_with(world);
        *world.next.lock().unwrap() = (status, template.to_vec());
        let result = world.hooks.verify(APP, &world.webhook);
        let (number, body) = world.last.lock().unwrap().clone();
        let parsed: Option<serde_json::Map<String, serde_json::Value>> =
            serde_json::from_slice(&body).ok();
        let proves = status == 200
            && parsed.is_some_and(|object| {
                object.get("challenge").map(ToString::to_string) == Some(number.to_string())
            });
        match result {
            Ok(_) => assert!(proves),
            Err(error) => {
                assert_eq!(error.code(), "webhook_activation_failed");
                assert!(!proves, "{error}");
            }
        }
    });
    // The receiver's side, given anything.
    let query = String::from_utf8_lossy(template);
    let _ = hookbox::verify::answer_challenge(&query, &Secret::new(TOKEN));
    let mine = format!("event=activate&verification_token={TOKEN}&challenge={query}");
    if let Ok(answer) = hookbox::verify::answer_challenge(&mine, &Secret::new(TOKEN)) {
        assert!(answer.challenge <= 9_999_999_999);
    }
});
