//! Any method, path, headers and body, on every route of both dialects: no panic, a status that the
//! documents know, JSON or nothing, a request id, no secret; and who has no key changes nothing.
#![no_main]

use std::sync::{Arc, LazyLock};

use arbitrary::Arbitrary;
use hookbox::api::{Access, Api, Authorizer, Denied, Dialect, Grant, Request, Response, Scope};
use hookbox::model::{NewWebhook, Profile, SignatureScheme};
use hookbox::storage::kv::KvStorage;
use hookbox::transport::Method;
use hookbox::{Hookbox, NewApp, Options};
use hookbox_fuzz::{HandClock, SameRandom, Scripted, answer};
use libfuzzer_sys::fuzz_target;

const APP: &str = "54e9ujn";
const TOKEN: &str = "hunter2hunter2";

/// A request, most often near one that there is.
#[derive(Debug, Arbitrary)]
struct Input {
    fingerprint: bool,
    key: u8,
    /// Which route, and what stands for its parameters.
    route: u8,
    parameters: [u8; 3],
    /// What is used instead of the route's.
    method: Option<String>,
    target: Option<String>,
    query: String,
    headers: Vec<(u8, String)>,
    body: Body,
}

#[derive(Debug, Arbitrary)]
enum Body {
    Bytes(Vec<u8>),
    Text(String),
    /// Members by number, with a value by number.
    Members(Vec<(u8, u8)>),
}

const NAMES: [&str; 16] = [
    "url",
    "verification_token",
    "events",
    "event",
    "description",
    "status",
    "environment",
    "id",
    "profile",
    "key_bits",
    "type",
    "payload",
    "idempotency_key",
    "since",
    "lead_seconds",
    "overlap_seconds",
];
const VALUES: [&str; 16] = [
    "\"https://example.com/a\"",
    "\"token\"",
    "[\"user.created\"]",
    "\"user.created\"",
    "null",
    "\"enabled\"",
    "{}",
    "\"new\"",
    "\"fingerprint\"",
    "2048",
    "[1.50]",
    "0",
    "\"2025-03-15T10:30:00Z\"",
    "\"http://10.0.0.1\"",
    "[7]",
    "\"\\u0000\"",
];
const HEADERS: [&str; 6] = [
    "content-type",
    "x-request-id",
    "idempotency-key",
    "host",
    "x-api-version",
    "content-length",
];

/// Keys by their number: none, one app's, all apps', for reading, for all.
#[derive(Debug)]
struct Numbered;

impl Authorizer for Numbered {
    fn authorize(&self, request: &Request) -> Result<Grant, Denied> {
        let number = request
            .header("authorization")
            .ok_or(Denied::Unauthorized)?;
        let app = || Scope::App(APP.parse().unwrap());
        let (scope, access) = match number {
            "1" => (Scope::All, Access::Full),
            "2" => (app(), Access::ReadOnly),
            "3" => (Scope::App("other".parse().unwrap()), Access::Full),
            _ => (app(), Access::Full),
        };
        Ok(Grant { scope, access })
    }
}

struct World {
    hooks: Arc<Hookbox>,
    prelude: Api,
    fingerprint: Api,
    /// What stands for a path's parameters.
    parameters: Vec<String>,
}

/// Made once: what one input changes, the next one meets.
static WORLD: LazyLock<World> = LazyLock::new(|| {
    let net = Scripted(Box::new(|request| {
        let number = request.query.iter().find(|(name, _)| name == "challenge");
        match (request.method, number) {
            (Method::Get, Some((_, n))) => answer(200, format!("{{\"challenge\":{n}}}").as_bytes()),
            _ => answer(200, b""),
        }
    }));
    let options = Options::new()
        .clock(HandClock::new())
        .random(SameRandom::new())
        .transport(Arc::new(net));
    let storage = Arc::new(KvStorage::in_memory().unwrap());
    let hooks = Arc::new(options.open_storage(storage).unwrap());
    // Signed by HMAC: making RSA keys is slow.
    let mut profile = Profile::prelude();
    profile.signature = SignatureScheme::FingerprintHmac;
    for app in [APP, "other"] {
        let profile = profile.clone();
        hooks
            .create_app_with(NewApp {
                profile,
                ..NewApp::new(app.parse().unwrap())
            })
            .unwrap();
    }
    let new = NewWebhook::new("https://example.com/a").token(TOKEN);
    let webhook = hooks.create_webhook(APP, new).unwrap().id;
    hooks.activate(APP, &webhook).unwrap();
    let event = hooks.emit(APP, "user.created", "{}").unwrap();
    let parameters = [
        APP,
        "other",
        "none",
        webhook.as_str(),
        &event.to_string(),
        "user.created",
        "bat_01jqebhswje1ka1z7ahr9rfsgt",
        "%00",
        "%2F..",
        "hookbox.json",
    ];
    let parameters = parameters.map(str::to_owned).to_vec();
    let api = |dialect| Api::new(hooks.clone(), Arc::new(Numbered), dialect);
    World {
        prelude: api(Dialect::Prelude),
        fingerprint: api(Dialect::Fingerprint),
        hooks: hooks.clone(),
        parameters,
    }
});

fn request(input: Input, world: &World) -> Request {
    let dialect = if input.fingerprint {
        Dialect::Fingerprint
    } else {
        Dialect::Prelude
    };
    let routes: Vec<_> = Api::routes(dialect).collect();
    let (method, pattern) = routes[usize::from(input.route) % routes.len()];
    let mut chosen = input.parameters.iter();
    let parts = pattern.split('/').map(|part| match part.starts_with('{') {
        true => {
            let number = usize::from(*chosen.next().unwrap_or(&0));
            world.parameters[number % world.parameters.len()].as_str()
        }
        false => part,
    });
    let path = parts.collect::<Vec<_>>().join("/");
    let mut headers: Vec<(String, String)> = input
        .headers
        .into_iter()
        .map(|(name, value)| (HEADERS[usize::from(name) % HEADERS.len()].to_owned(), value))
        .collect();
    headers.push(("content-type".into(), "application/json".into()));
    headers.push(("x-api-version".into(), "2024-05-20".into()));
    // Of five keys, the fifth is none.
    if input.key % 5 != 4 {
        headers.push(("authorization".into(), (input.key % 5).to_string()));
    }
    let body = match input.body {
        Body::Bytes(bytes) => bytes,
        Body::Text(text) => text.into_bytes(),
        Body::Members(members) => {
            let members = members.iter().map(|(name, value)| {
                format!(
                    "\"{}\":{}",
                    NAMES[usize::from(*name) % 16],
                    VALUES[usize::from(*value) % 16]
                )
            });
            format!("{{{}}}", members.collect::<Vec<_>>().join(",")).into_bytes()
        }
    };
    Request {
        method: input.method.unwrap_or_else(|| method.to_owned()),
        target: input
            .target
            .unwrap_or_else(|| format!("{path}?{}", input.query)),
        headers,
        body,
    }
}

fn hold(request: &Request, response: &Response) {
    let known = [200, 201, 204, 400, 401, 403, 404, 405, 409, 413, 415, 422];
    assert!(known.contains(&response.status), "{}", response.status);
    let header = |name: &str| response.headers.iter().find(|(key, _)| key == name);
    assert!(header("x-request-id").is_some());
    for (name, value) in &response.headers {
        assert!(
            name.bytes().all(|b| b.is_ascii_lowercase() || b == b'-'),
            "{name}"
        );
        assert!(value.bytes().all(|b| (0x20..0x7f).contains(&b)), "{value}");
    }
    assert_eq!(
        header("allow").is_some(),
        response.status == 405 || request.method == "OPTIONS" && response.status == 204
    );
    if request.method == "HEAD" || response.status == 204 {
        assert!(response.body.is_empty());
        return;
    }
    assert_eq!(header("content-type").unwrap().1, "application/json");
    let text = std::str::from_utf8(&response.body).unwrap();
    let value: serde_json::Value = serde_json::from_str(text).unwrap();
    assert!(value.is_object() && !text.contains(TOKEN));
}

fuzz_target!(|input: Input| {
    let world = &*WORLD;
    let api = if input.fingerprint {
        &world.fingerprint
    } else {
        &world.prelude
    };
    let request = request(input, world);
    let changes = || {
        let stats = world.hooks.stats().unwrap().last_position;
        let webhooks = world
            .hooks
            .webhooks(APP, Default::default(), Default::default());
        (stats, webhooks)
    };
    let may_write = ["0", "1", "3"]
        .map(Some)
        .contains(&request.header("authorization"));
    let before = (!may_write).then(changes);
    let response = api.handle(&request);
    hold(&request, &response);
    if let Some(before) = before {
        assert_eq!(before, changes(), "{request:?}");
    }
    if world.hooks.app(APP).is_err() {
        // Deleted by the key for all apps: everything else needs it.
        let mut profile = Profile::prelude();
        profile.signature = SignatureScheme::FingerprintHmac;
        let new = NewApp {
            profile,
            ..NewApp::new(APP.parse().unwrap())
        };
        world.hooks.create_app_with(new).unwrap();
    }
});
