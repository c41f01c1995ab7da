//! The address guard at every door: registration, change, activation, test event, delivery.
//!
//! Goal: no special address is ever connected to, however it is written, whatever a name resolves to,
//! and whoever wrote the row. Method: the vectors of `tests/vectors`, a resolver that lies, the real
//! transport, and a receiver on every local address, which must see no connection.

mod many;
mod names;
mod own;
mod spellings;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use hookbox::model::{
    AttemptResult, Events, NewWebhook, Profile, SignatureScheme, Verification, WebhookId,
    WebhookUpdate,
};
use hookbox::storage::kv::{KvStorage, MemoryStore};
use hookbox::storage::{AttemptFilter, PageRequest};
use hookbox::transport::{AddressPolicy, HttpOptions, Resolver};
use hookbox::{Hookbox, NewApp, Options};

use super::support::*;

/// The apps, by how an endpoint proves its ownership.
const PROOFS: [(&str, Verification); 2] = [
    ("get", Verification::GetChallenge),
    ("post", Verification::PostTestEvent),
];

/// The first and the last address of every network in the registries' rows.
fn special_addresses() -> Vec<IpAddr> {
    networks()
        .iter()
        .flat_map(|net| [net.network(), net.broadcast()])
        .collect()
}

fn networks() -> Vec<ipnet::IpNet> {
    include_str!("../../vectors/special_addresses.txt")
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.split_whitespace().next().unwrap().parse().unwrap())
        .collect()
}

fn literal(address: IpAddr) -> String {
    format!("https://{}/", SocketAddr::new(address, 8443))
}

/// The URLs of one part of `refused_urls.json`.
fn refused(part: &str) -> Vec<String> {
    let vectors = include_str!("../../vectors/refused_urls.json");
    let vectors: serde_json::Value = serde_json::from_str(vectors).unwrap();
    let rows = vectors[part].as_array().unwrap();
    rows.iter()
        .flat_map(|row| row["urls"].as_array().unwrap())
        .map(|url| url.as_str().unwrap().to_owned())
        .collect()
}

/// A box over this store; apps are made where they are missing.
fn open(store: &Arc<MemoryStore>, options: Options) -> Hookbox {
    let storage = Arc::new(KvStorage::open(store.clone()).unwrap());
    let hooks = options
        .clock(HandClock::new())
        .open_storage(storage)
        .unwrap();
    for (app, verification) in PROOFS {
        // Signed by HMAC: making RSA keys is slow.
        let mut profile = Profile::prelude();
        profile.signature = SignatureScheme::StandardWebhooks;
        profile.verification = verification;
        let new = NewApp {
            profile,
            ..NewApp::new(app.parse().unwrap())
        };
        let made = hooks.create_app_with(new);
        assert!(made.is_ok() || made.unwrap_err().code() == "app_exists");
    }
    hooks
}

fn with_resolver(policy: AddressPolicy, resolver: Arc<dyn Resolver>) -> Options {
    let mut http = HttpOptions::default();
    http.resolver = resolver;
    Options::new().addresses(policy).http(http)
}

fn everything() -> AddressPolicy {
    AddressPolicy {
        allow_http: true,
        allow: vec!["0.0.0.0/0".parse().unwrap(), "::/0".parse().unwrap()],
        ..AddressPolicy::default()
    }
}

fn webhook(url: impl Into<String>) -> NewWebhook {
    NewWebhook::new(url).events(Events::All)
}

/// What came of every request to a webhook, the last first.
fn results(hooks: &Hookbox, app: &str, id: &WebhookId) -> Vec<AttemptResult> {
    let filter = AttemptFilter {
        webhook: Some(id.clone()),
        batch: None,
    };
    let page = PageRequest::first(1000).unwrap();
    let attempts = hooks.attempts(app, filter, page).unwrap().items;
    attempts.into_iter().map(|one| one.result).collect()
}

/// Everything that may not be registered, at registration and as a change.
#[test]
fn nothing_special_is_registered() {
    let hooks = open(&Arc::default(), Options::new());
    let good = hooks
        .create_webhook("get", webhook("https://example.com/"))
        .unwrap();
    let mut urls = refused("syntax");
    urls.extend(refused("policy"));
    urls.extend(special_addresses().into_iter().map(literal));
    for url in &urls {
        for (app, _) in PROOFS {
            let error = hooks.create_webhook(app, webhook(url)).unwrap_err();
            assert_eq!(error.code(), "webhook_invalid_url", "{url}");
        }
        let update = WebhookUpdate {
            url: Some(url.clone()),
            ..WebhookUpdate::default()
        };
        let error = hooks.update_webhook("get", &good.id, update).unwrap_err();
        assert_eq!(error.code(), "webhook_invalid_url", "{url}");
    }
    println!("{} URLs refused at 3 doors", urls.len());
    assert!(urls.len() > 350, "{}", urls.len());
}

/// Rows that a laxer box, or anybody, wrote: they are active already, and still nothing is sent.
#[test]
fn rows_are_checked_when_they_are_used() {
    use hookbox::model::FailureKind::AddressDenied;
    let store = Arc::<MemoryStore>::default();
    let net = FakeTransport::new();
    let lax = open(
        &store,
        Options::new()
            .addresses(everything())
            .transport(net.clone()),
    );
    let urls: Vec<String> = special_addresses()
        .into_iter()
        .map(literal)
        .chain([
            "https://localhost:8443/".into(),
            "http://93.184.216.34:8443/".into(),
        ])
        .collect();
    let mut webhooks = Vec::new();
    for (app, _) in PROOFS {
        for url in &urls {
            let id = lax.create_webhook(app, webhook(url)).unwrap().id;
            lax.activate(app, &id).unwrap();
            webhooks.push((app, id, url));
        }
        lax.emit(app, TYPE, "1").unwrap();
    }
    drop(lax);
    let strict = open(&store, Options::new());
    strict.poll(START).unwrap();
    for (app, id, url) in &webhooks {
        let denied = AttemptResult::Failure(AddressDenied);
        assert_eq!(results(&strict, app, id), [denied], "{url}");
        for proof in [strict.activate(app, id), strict.verify(app, id)] {
            let error = proof.unwrap_err();
            assert_eq!(error.code(), "webhook_activation_failed", "{url}");
            assert!(error.to_string().contains("address_denied"), "{error}");
        }
    }
    println!("{} stored URLs denied at 3 doors", webhooks.len());
}
