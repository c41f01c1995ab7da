//! The management API.
//!
//! Goal: what contracts.md §1.1 and §2.1 say, to the letter, and our own operations as docs/api.md has
//! them. Method: a box in memory on a hand-set clock and a scripted transport, and tables of requests
//! with the answers they must get; what is asked of the wire goes over a real socket.

#[path = "../../api/server/authorizer.rs"]
mod authorizer;
mod documents;
mod errors;
mod fingerprint;
#[path = "../../api/server/http.rs"]
mod http;
mod own;
mod prelude;
mod shared;

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use hookbox::api::{Api, Dialect, Request, Response};
use hookbox::model::Profile;
use hookbox::storage::Storage;
use hookbox::storage::kv::KvStorage;
use hookbox::{Hookbox, NewApp, Options};
use serde_json::Value;

use super::support::*;

/// A disabled app, and one that the keys of most tests are not for.
const OFF: &str = "off";
const OTHER: &str = "other";

/// An API over a box with three apps.
struct Desk {
    hooks: Arc<Hookbox>,
    net: Arc<FakeTransport>,
    clock: Arc<HandClock>,
    api: Api,
}

impl Desk {
    fn prelude() -> Self {
        Self::new(Dialect::Prelude, &Profile::prelude())
    }

    fn fingerprint() -> Self {
        Self::new(Dialect::Fingerprint, &Profile::fingerprint())
    }

    fn new(dialect: Dialect, profile: &Profile) -> Self {
        let storage = Arc::new(KvStorage::in_memory().unwrap());
        Self::over(storage, dialect, profile)
    }

    fn over(storage: Arc<dyn Storage>, dialect: Dialect, profile: &Profile) -> Self {
        let (clock, net) = (HandClock::new(), FakeTransport::new());
        let options = Options::new().clock(clock.clone()).transport(net.clone());
        let hooks = Arc::new(options.open_storage(storage).unwrap());
        for app in [APP, OFF, OTHER] {
            let profile = profile.clone();
            let new = NewApp {
                profile,
                ..NewApp::new(app.parse().unwrap())
            };
            hooks.create_app_with(new).unwrap();
        }
        hooks.disable_app(OFF).unwrap();
        let api = Api::new(hooks.clone(), Arc::new(authorizer::NamedKeys), dialect);
        Self {
            hooks,
            net,
            clock,
            api,
        }
    }

    fn send(&self, request: &Request) -> Response {
        self.api.handle(request)
    }

    /// Sends with the app's own key, and reads the JSON.
    fn ask(&self, line: &str, body: &str) -> (u16, Value) {
        self.ask_as("full-54e9ujn", line, body)
    }

    fn ask_as(&self, key: &str, line: &str, body: &str) -> (u16, Value) {
        let response = self.send(&request(key, line, body));
        (response.status, json(&response))
    }

    /// Serves it on the loopback interface.
    fn listen(&self) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let api = self.api.clone();
        std::thread::spawn(move || http::serve(&listener, api));
        address
    }
}

/// A request from a line (`GET /path`), as most clients send it: with a key, a version, JSON.
fn request(key: &str, line: &str, body: &str) -> Request {
    let (method, target) = line.split_once(' ').unwrap();
    let mut headers = vec![
        ("Authorization".to_owned(), format!("Bearer {key}")),
        ("X-API-Version".to_owned(), "2024-05-20".to_owned()),
    ];
    if !body.is_empty() {
        headers.push(("Content-Type".to_owned(), "application/json".to_owned()));
    }
    Request {
        method: method.to_owned(),
        target: target.to_owned(),
        headers,
        body: body.as_bytes().to_vec(),
    }
}

fn json(response: &Response) -> Value {
    if response.body.is_empty() {
        return Value::Null;
    }
    assert_eq!(header(response, "content-type"), Some("application/json"));
    serde_json::from_slice(&response.body).unwrap()
}

fn header<'a>(response: &'a Response, name: &str) -> Option<&'a str> {
    let found = response.headers.iter().find(|(key, _)| key == name);
    found.map(|(_, value)| value.as_str())
}

/// The names of an object's members, in order of name.
fn members(value: &Value) -> Vec<&str> {
    value
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect()
}
