//! The profiles as a receiver meets them, and the secrets behind them.
//!
//! Goal: each contract is kept on the wire, and no secret leaves. Method: what was sent is verified
//! as receivers do it; the box's file is searched for what it must not hold.

use std::time::Duration;

use hookbox::model::{
    BasicAuth, BatchStatus, Environment, EventType, Events, Header, KeySize, NewEvent, NewWebhook,
    Profile, Secret,
};
use hookbox::signing::KeyEncryptionKey;
use hookbox::storage::PageRequest;
use hookbox::{NewApp, NewKey, Options, verify};

use super::support::*;

const URL: &str = "https://example.com/a";

#[test]
fn fingerprint_is_verified_signed_routed_and_retried_once() {
    let bench = Bench::new();
    let new = NewApp {
        profile: Profile::fingerprint(),
        ..NewApp::new("fp".parse().unwrap())
    };
    bench.hooks.create_app_with(new).unwrap();
    for url in ["http://example.com/", "https://93.184.216.34/"] {
        let refused = bench
            .hooks
            .create_webhook("fp", NewWebhook::new(url))
            .unwrap_err();
        assert_eq!(refused.code(), "webhook_invalid_url");
    }
    let mut new = NewWebhook::new(URL);
    new.environment = Some(Environment::parse("live").unwrap());
    let made = bench.hooks.create_webhook("fp", new).unwrap();
    assert!(
        made.enabled && !made.verified && made.description.is_empty() && made.events == Events::All
    );
    bench.net.script(|_| status(204));
    let refused = bench.hooks.verify("fp", &made.id).unwrap_err();
    assert_eq!(
        refused.code(),
        "webhook_activation_failed",
        "exactly 200 verifies"
    );
    bench.net.script(|_| status(200));
    assert!(bench.hooks.verify("fp", &made.id).unwrap().is_active());
    for environment in [Some("live"), Some("test"), None] {
        let mut event = NewEvent::new(
            EventType::parse(TYPE).unwrap(),
            format!("{{\"in\":{environment:?}}}")
                .replace("Some(", "")
                .replace(")}", "}")
                .replace("None", "null"),
        );
        event.environment = environment.map(|name| Environment::parse(name).unwrap());
        bench.hooks.emit_event("fp", event).unwrap();
    }
    bench.net.script(|_| status(500));
    bench.run_for(Duration::from_secs(299));
    assert_eq!(
        bench.net.deliveries().len(),
        3,
        "two test events and one attempt"
    );
    bench.run_for(Duration::from_secs(1));
    bench.run_for(Duration::from_secs(30 * 86_400));
    let sent = bench.net.deliveries();
    assert_eq!(
        sent.len(),
        4,
        "one retry after exactly 5 minutes, and no more"
    );
    assert_eq!(sent[2].body, "{\"in\":\"live\"}");
    let secrets = bench.hooks.signing_secrets("fp", &made.id).unwrap();
    let ids: Vec<_> = sent[2..]
        .iter()
        .map(|one| one.headers.iter().find(|h| h.0 == "webhook-id"))
        .collect();
    assert_eq!(ids[0], ids[1]);
    for request in &sent {
        assert_eq!(request.timeout, Duration::from_secs(3));
        let headers = request
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()));
        let received = verify::Request::new(headers, &request.body);
        verify::verify_fingerprint(&received, &secrets, &verify::Options::default()).unwrap();
    }
    let filter = hookbox::storage::BatchFilter {
        status: Some(BatchStatus::Exhausted),
        webhook: None,
    };
    assert_eq!(
        bench
            .hooks
            .batches("fp", filter, PageRequest::default())
            .unwrap()
            .items
            .len(),
        1
    );
}

#[test]
fn standard_webhooks_are_delivered_and_verify() {
    let bench = Bench::new();
    let new = NewApp {
        profile: Profile::standard_webhooks(),
        ..NewApp::new("std".parse().unwrap())
    };
    bench.hooks.create_app_with(new).unwrap();
    let made = bench
        .hooks
        .create_webhook("std", NewWebhook::new(URL))
        .unwrap();
    assert!(made.is_active());
    let id = bench.hooks.emit("std", TYPE, "{\"a\":1}").unwrap();
    bench.net.script(|_| status(202));
    bench.poll();
    let sent = bench.net.deliveries().remove(0);
    let headers = sent
        .headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()));
    let received = verify::Request::new(headers, &sent.body);
    let secrets = bench.hooks.signing_secrets("std", &made.id).unwrap();
    let verifiers: Vec<_> = secrets
        .iter()
        .map(|secret| hookbox::signing::StandardVerifier::parse(secret).unwrap())
        .collect();
    verify::verify_standard(&received, &verifiers, &verify::Options::default(), START).unwrap();
    let of = |name: &str| {
        sent.headers
            .iter()
            .find(|header| header.0 == name)
            .unwrap()
            .1
            .clone()
    };
    assert_eq!(of("webhook-id"), id.to_string());
}

#[test]
fn secrets_are_neither_shown_nor_in_the_file_once_there_is_a_key_to_seal_them() {
    let key = |byte: u8| KeyEncryptionKey::from_bytes(&[byte; 32]);
    for sealed in [true, false] {
        let bench = Bench::with(|options| {
            if sealed {
                options.key_encryption_key(key(1), Vec::new())
            } else {
                options
            }
        });
        let mut new = NewWebhook::new(URL).events(Events::only([EventType::parse(TYPE).unwrap()]));
        new.verification_token = Secret::new("token-hunter2-token");
        new.headers = vec![Header {
            name: "x-key".into(),
            value: Secret::new("header-hunter2-header"),
        }];
        new.basic_auth = Some(BasicAuth {
            username: "u".into(),
            password: Secret::new("pass-hunter2-pass"),
        });
        let shown = format!("{new:?}");
        let made = bench.hooks.create_webhook(APP, new).unwrap();
        bench.hooks.activate(APP, &made.id).unwrap();
        bench.emit("1");
        let claimed = bench.hooks.claim(1).unwrap();
        let shown = format!(
            "{shown}{made:?}{claimed:?}{:?}{:?}",
            bench.hooks,
            bench.net.deliveries()
        );
        assert!(!shown.contains("hunter2"), "{shown}");
        let mut bytes = std::fs::read(bench.path()).unwrap();
        bytes.extend(std::fs::read(bench.folder.path().join("box.db-wal")).unwrap());
        let has = |text: &[u8]| bytes.windows(text.len()).any(|window| window == text);
        for secret in [
            "token-hunter2-token",
            "header-hunter2-header",
            "pass-hunter2-pass",
        ] {
            assert_eq!(has(secret.as_bytes()), !sealed, "{secret}");
        }
        // rsaEncryption, as every PKCS#8 text of an RSA key has it, followed by NULL and the key.
        let pkcs8 = [
            0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00, 0x04,
        ];
        assert_eq!(has(&pkcs8), !sealed, "the private key");
        if sealed {
            let wrong = Options::new()
                .transport(bench.net.clone())
                .key_encryption_key(key(2), Vec::new());
            let wrong = wrong.open(bench.path()).unwrap();
            assert_eq!(
                wrong.activate(APP, &made.id).unwrap_err().code(),
                "seal_broken"
            );
            let right = Options::new()
                .transport(bench.net.clone())
                .key_encryption_key(key(2), vec![key(1)]);
            right
                .open(bench.path())
                .unwrap()
                .activate(APP, &made.id)
                .unwrap();
        }
    }
}

#[test]
fn keys_are_published_before_they_sign_and_after() {
    let bench = Bench::new();
    let first = bench.hooks.jwks(APP).unwrap();
    assert_eq!(first.keys.len(), 1);
    let key = bench
        .hooks
        .rotate_key(APP, &NewKey::Generate(KeySize::Rsa2048))
        .unwrap();
    assert_eq!(bench.hooks.jwks(APP).unwrap().keys.len(), 2);
    assert_eq!(key.signs_from, START.plus(Duration::from_secs(3600)));
    bench.webhook("a");
    for hours in [0, 2] {
        bench
            .clock
            .set(START.plus(Duration::from_secs(hours * 3600)));
        bench.emit("1");
        bench.poll();
        let sent = bench.net.deliveries().pop().unwrap();
        let headers = sent
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()));
        let request = verify::Request::new(headers, &sent.body);
        let jwks = bench.hooks.jwks(APP).unwrap();
        verify::verify_prelude(&request, &jwks, &verify::Options::default(), START).unwrap();
        let kid = &sent
            .headers
            .iter()
            .find(|h| h.0.eq_ignore_ascii_case("x-webhook-signature-key-id"))
            .unwrap()
            .1;
        assert_eq!(*kid == key.kid.to_string(), hours == 2);
    }
}

/// A box that was used without a key, then with one, then with another: after each `reseal` the
/// current key alone opens everything, of a disabled app too.
#[test]
fn everything_can_be_sealed_anew_under_another_key() {
    let bench = Bench::new();
    let webhook = bench.webhook("a");
    bench.hooks.disable_app(APP).unwrap();
    let key = |byte: u8| KeyEncryptionKey::from_bytes(&[byte; 32]);
    let open = |current: u8, older: Vec<KeyEncryptionKey>| {
        Options::new()
            .transport(bench.net.clone())
            .key_encryption_key(key(current), older)
            .open(bench.path())
            .unwrap()
    };
    let first = open(1, Vec::new());
    assert_eq!(first.reseal().unwrap(), 2, "a private key and a webhook");
    assert_eq!(first.reseal().unwrap(), 0);
    let wrong = open(2, Vec::new()).reseal().unwrap_err();
    assert_eq!(wrong.code(), "seal_broken");
    assert_eq!(open(2, vec![key(1)]).reseal().unwrap(), 2);
    let second = open(2, Vec::new());
    second.enable_app(APP).unwrap();
    second.activate(APP, &webhook).unwrap();
    second.emit(APP, TYPE, "1").unwrap();
    assert_eq!(second.poll(START).unwrap().attempts, 1);
}
