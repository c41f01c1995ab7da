//! The receiver's side: any headers and body under every scheme. Nobody without the secret is
//! authentic; what was signed is, and is not once a byte of it changes.
#![no_main]

use std::sync::LazyLock;

use hookbox::model::{Envelope, JwkSet, Secret};
use hookbox::signing::{
    PssSalt, StandardSecret, StandardVerifier, fingerprint_header, parse_jwks, standard_header,
};
use hookbox::verify::{
    Options, Request, read_events, verify_fingerprint, verify_fingerprint_hmac, verify_prelude,
    verify_standard, verify_standard_webhooks,
};
use hookbox_fuzz::START;
use libfuzzer_sys::fuzz_target;

struct Keys {
    jwks: JwkSet,
    fingerprint: Secret,
    hmac: StandardSecret,
    verifiers: Vec<StandardVerifier>,
}

/// Nobody but this file knows the secrets, and nobody the private key.
static KEYS: LazyLock<Keys> = LazyLock::new(|| {
    let hmac = Secret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
    let hmac = StandardSecret::parse(&hmac).unwrap();
    let public = Secret::new("whpk_11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=");
    Keys {
        jwks: parse_jwks(include_str!("../jwks.json")).unwrap(),
        fingerprint: Secret::new("a fingerprint secret of the fuzzer"),
        verifiers: vec![
            StandardVerifier::from(&hmac),
            StandardVerifier::parse(&public).unwrap(),
        ],
        hmac,
    }
});

/// Header lines, an empty line, a body.
fn split(bytes: &[u8]) -> (Vec<(String, &[u8])>, &[u8]) {
    let mut headers = Vec::new();
    let mut rest = bytes;
    while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
        let line = &rest[..end];
        rest = &rest[end + 1..];
        let Some(colon) = line.iter().position(|byte| *byte == b':') else {
            break;
        };
        let name = String::from_utf8_lossy(&line[..colon]).into_owned();
        headers.push((name, &line[colon + 1..]));
    }
    (headers, rest)
}

fuzz_target!(|bytes: &[u8]| {
    let keys = &*KEYS;
    let (headers, body) = split(bytes);
    let request = Request::new(headers, body);
    for replay_protection in [false, true] {
        for salt in [PssSalt::Exactly32, PssSalt::Auto] {
            let options = Options {
                salt,
                replay_protection,
                ..Options::default()
            };
            assert!(verify_prelude(&request, &keys.jwks, &options, START).is_err());
        }
    }
    let options = Options::default();
    let secrets = std::slice::from_ref(&keys.fingerprint);
    assert!(verify_fingerprint(&request, secrets, &options).is_err());
    assert!(verify_standard(&request, &keys.verifiers, &options, START).is_err());
    for envelope in [Envelope::Batch, Envelope::Payload, Envelope::Standard] {
        for event in read_events(&request, envelope).unwrap_or_default() {
            // JSON by its grammar: a number may be larger than any type holds.
            assert!(serde_json::from_str::<&serde_json::value::RawValue>(&event.payload).is_ok());
        }
    }

    let seconds = START.as_seconds();
    let time = seconds.to_string();
    let signature =
        standard_header(std::slice::from_ref(&keys.hmac), "msg_1", seconds, body).unwrap();
    let signed = [
        ("Webhook-Id", "msg_1"),
        ("WEBHOOK-TIMESTAMP", &time),
        ("webhook-signature", &signature),
    ];
    let standard = |body: &[u8]| {
        verify_standard_webhooks(
            &Request::new(signed, body),
            &keys.verifiers,
            &options,
            START,
        )
    };
    assert_eq!(standard(body), Ok(()));
    let signature = fingerprint_header(secrets, body).unwrap();
    let signed = [("FPJS-Event-Signature", signature.as_str())];
    let fingerprint =
        |body: &[u8]| verify_fingerprint_hmac(&Request::new(signed, body), secrets, &options);
    assert_eq!(fingerprint(body), Ok(()));
    if let Some(first) = body.first() {
        let mut changed = body.to_vec();
        changed[0] = first ^ 1;
        assert!(standard(&changed).is_err() && fingerprint(&changed).is_err());
    }
});
