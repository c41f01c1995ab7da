//! A server over a box in memory, for `tests/api/run`: `api-server prelude|fingerprint`. Prints its URL
//! and serves until it is killed. Its endpoints pass every challenge; its keys say what they are for.

mod authorizer;
mod http;

use std::net::TcpListener;
use std::sync::Arc;

use hookbox::api::{Api, Dialect};
use hookbox::model::{EventType, Events, NewEvent, NewWebhook, Profile};
use hookbox::storage::kv::KvStorage;
use hookbox::transport::{Method, Request, Response, Transport, TransportError};
use hookbox::{Hookbox, NewApp, Options};

/// The id in the vendor's own examples.
const APP: &str = "54e9ujn";

/// Endpoints that are always well.
#[derive(Debug)]
struct Well;

impl Transport for Well {
    fn send(&self, request: &Request) -> Result<Response, TransportError> {
        let challenge = request.query.iter().find(|(name, _)| name == "challenge");
        let body = match (request.method, challenge) {
            (Method::Get, Some((_, number))) => format!("{{\"challenge\":{number}}}"),
            _ => String::new(),
        };
        Ok(Response {
            status: 200,
            headers: Vec::new(),
            body: body.into_bytes(),
        })
    }
}

/// A box with something to look at.
fn a_box(profile: Profile) -> hookbox::Result<Hookbox> {
    let storage = Arc::new(KvStorage::in_memory()?);
    let hooks = Options::new()
        .transport(Arc::new(Well))
        .open_storage(storage)?;
    hooks.create_app_with(NewApp {
        profile,
        ..NewApp::new(APP.parse()?)
    })?;
    let created = EventType::parse("user.created")?;
    let new = NewWebhook::new("https://example.com/hook")
        .token("token")
        .events(Events::only([created.clone()]));
    let webhook = hooks.create_webhook(APP, new)?;
    hooks.activate(APP, &webhook.id)?;
    hooks.emit_event(APP, NewEvent::new(created, "{}"))?;
    hooks.start()?;
    Ok(hooks)
}

fn main() {
    let name = std::env::args().nth(1).unwrap_or_default();
    let dialect = match name.as_str() {
        "prelude" => Dialect::Prelude,
        "fingerprint" => Dialect::Fingerprint,
        _ => panic!("api-server prelude|fingerprint"),
    };
    let hooks = a_box(Profile::by_name(&name).expect("a profile")).expect("a box");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    println!("http://{}", listener.local_addr().expect("an address"));
    let api = Api::new(Arc::new(hooks), Arc::new(authorizer::NamedKeys), dialect);
    http::serve(&listener, api);
}
