//! What receivers accept, and the exact reason for what they refuse.

use hookbox::Error;
use hookbox::model::{Base64Alphabet, JwkSet, Secret, Timestamp};
use hookbox::signing::{
    AwsSigner, PssSalt, RsaPrivateKey, Signer, StandardVerifier, fingerprint_header,
    rsa_pss_header, signed_digest, standard_header,
};
use hookbox::verify::{
    NotAuthentic, Options, Request, answer_challenge, verify_fingerprint, verify_prelude,
    verify_standard,
};
use proptest::prelude::*;
use sha2::{Digest, Sha256};

use super::scheme::{BODY, ED25519, HMAC, ID, SENT, WHSEC, WHSK, secret};
use super::{KEY, kid};

const BATCH: &[u8] = include_bytes!("../../vectors/body.json");
const NOW: Timestamp = Timestamp::from_millis(SENT * 1000);

fn keys() -> JwkSet {
    JwkSet {
        keys: vec![KEY.public_jwk(&kid())],
    }
}

fn header_over(digest: [u8; 32], alphabet: Base64Alphabet) -> String {
    let signature = AwsSigner::new(&KEY).unwrap().sign_digest(&digest).unwrap();
    rsa_pss_header(&signature, alphabet)
}

fn signature(alphabet: Base64Alphabet) -> String {
    header_over(Sha256::digest(BATCH).into(), alphabet)
}

/// What `verify_prelude` says about a signature header over `BATCH`.
fn judged(header: &str) -> Result<usize, NotAuthentic> {
    let kid = kid();
    let headers = [
        ("x-webhook-signature-KEY-ID", kid.as_str()),
        ("X-Webhook-Signature", header),
    ];
    verify_prelude(
        &Request::new(headers, BATCH),
        &keys(),
        &Options::default(),
        NOW,
    )
    .map(|events| events.len())
}

#[test]
fn prelude_batches_come_through() {
    for alphabet in [Base64Alphabet::UrlSafe, Base64Alphabet::Standard] {
        let header = signature(alphabet);
        assert_eq!(judged(&header), Ok(1));
        assert_eq!(judged(header.trim_end_matches('=')), Ok(1));
        assert_eq!(judged(&format!("  {header} ")), Ok(1));
    }
    let kid = kid();
    let header = signature(Base64Alphabet::UrlSafe);
    let headers = vec![
        ("x-webhook-signature-key-id".to_owned(), kid.to_string()),
        ("x-webhook-signature".to_owned(), header),
        ("x-binary".to_owned(), "ignored".to_owned()),
    ];
    let request = Request::new(headers, BATCH);
    let mut events = verify_prelude(&request, &keys(), &Options::default(), NOW).unwrap();
    let event = events.pop().unwrap();
    assert_eq!(event.id.as_deref(), Some("evt_1"));
    assert_eq!(event.event_type.as_deref(), Some("user.created"));
    assert_eq!(event.payload, r#"{"user_id":"usr_1","n":1.50}"#);
    assert_eq!(event.created_at.as_deref(), Some("2025-03-15T10:30:00Z"));
}

#[test]
fn prelude_refusals_say_why() {
    let good = signature(Base64Alphabet::UrlSafe);
    let encoded = good.strip_prefix("rsassa-pss-sha256=").unwrap();
    for prefix in ["", "rsassa-pss-sha512=", "RSASSA-PSS-SHA256=", "sha256="] {
        let header = format!("{prefix}{encoded}");
        assert_eq!(judged(&header), Err(NotAuthentic::WrongPrefix));
    }
    let with = |encoded: &str| judged(&format!("rsassa-pss-sha256={encoded}"));
    assert_eq!(
        with(&format!("+_{}", &encoded[2..])),
        Err(NotAuthentic::MixedAlphabets)
    );
    assert_eq!(with(&format!("{encoded}=")), Err(NotAuthentic::BadBase64));
    assert_eq!(
        with(&encoded.replacen(|_| true, " ", 1)),
        Err(NotAuthentic::BadBase64)
    );
    assert_eq!(
        with(&encoded[4..]),
        Err(NotAuthentic::WrongLength {
            bytes: 253,
            expected: 256
        })
    );
    assert_eq!(
        with(""),
        Err(NotAuthentic::WrongLength {
            bytes: 0,
            expected: 256
        })
    );
    let other = header_over([0; 32], Base64Alphabet::Standard);
    assert_eq!(judged(&other), Err(NotAuthentic::SignatureMismatch));
    assert_eq!(
        judged("bell\u{7}"),
        Err(NotAuthentic::BadHeader("x-webhook-signature"))
    );
    assert_eq!(
        judged(&"a".repeat(5000)),
        Err(NotAuthentic::BadHeader("x-webhook-signature"))
    );

    let options = Options::default();
    let judge = |headers: &[(&str, &str)], body: &[u8], keys: &JwkSet, options: &Options| {
        let request = Request::new(headers.iter().copied(), body);
        verify_prelude(&request, keys, options, NOW).unwrap_err()
    };
    let kid = kid();
    let id = ("X-Webhook-Signature-Key-Id", kid.as_str());
    let signature = ("X-Webhook-Signature", good.as_str());
    assert_eq!(
        judge(&[id], BATCH, &keys(), &options),
        NotAuthentic::MissingHeader("x-webhook-signature")
    );
    assert_eq!(
        judge(&[signature], BATCH, &keys(), &options),
        NotAuthentic::MissingHeader("x-webhook-signature-key-id")
    );
    assert_eq!(
        judge(&[id, signature, id], BATCH, &keys(), &options),
        NotAuthentic::RepeatedHeader("x-webhook-signature-key-id")
    );
    assert_eq!(
        judge(&[id, signature], BATCH, &JwkSet::default(), &options),
        NotAuthentic::UnknownKey(kid.to_string())
    );
    let mut weak = keys();
    weak.keys[0].e = "Aw".into();
    assert!(matches!(
        judge(&[id, signature], BATCH, &weak, &options),
        NotAuthentic::UnusableKey(_)
    ));
    let small = Options {
        body_bytes_max: 5,
        ..Options::default()
    };
    assert!(matches!(
        judge(&[id, signature], BATCH, &keys(), &small),
        NotAuthentic::BodyTooLarge { limit: 5, .. }
    ));
    for at in [0, BATCH.len() / 2, BATCH.len() - 1] {
        let mut body = BATCH.to_vec();
        body[at] ^= 1;
        let reason = judge(&[id, signature], &body, &keys(), &options);
        assert_eq!(reason, NotAuthentic::SignatureMismatch);
        assert!(matches!(Error::from(reason), Error::NotAuthentic(_)));
    }
    // Authentic, but not what the profile sends; the body is not quoted.
    let odd = br#"{"private": 1}"#;
    let header = header_over(Sha256::digest(odd).into(), Base64Alphabet::Standard);
    let reason = judge(
        &[id, ("X-Webhook-Signature", &header)],
        odd,
        &keys(),
        &options,
    );
    assert!(matches!(reason, NotAuthentic::NotAnEnvelope(_)));
    assert!(!reason.to_string().contains("private"));
}

#[test]
fn several_keys_of_one_kid_and_rotated_keys() {
    let imported = imported();
    let mut set = keys();
    set.keys.insert(0, imported.public_jwk(&kid()));
    let kid = kid();
    let header = signature(Base64Alphabet::UrlSafe);
    let headers = [
        ("X-Webhook-Signature-Key-Id", kid.as_str()),
        ("X-Webhook-Signature", header.as_str()),
    ];
    let request = Request::new(headers, BATCH);
    assert!(verify_prelude(&request, &set, &Options::default(), NOW).is_ok());
}

fn imported() -> RsaPrivateKey {
    RsaPrivateKey::from_pem(include_str!("../../vectors/rsa2048_pkcs8_test_only.pem")).unwrap()
}

#[test]
fn signatures_by_openssl_verify() {
    let imported = imported();
    let set = JwkSet {
        keys: vec![imported.public_jwk(&kid())],
    };
    let kid = kid();
    let judge = |signature: &[u8], salt| {
        let header = rsa_pss_header(signature, Base64Alphabet::Standard);
        let headers = [
            ("X-Webhook-Signature-Key-Id", kid.as_str()),
            ("X-Webhook-Signature", header.as_str()),
        ];
        let options = Options {
            salt,
            ..Options::default()
        };
        verify_prelude(&Request::new(headers, BATCH), &set, &options, NOW).map(|_| ())
    };
    let salt32 = include_bytes!("../../vectors/openssl_salt32.sig");
    let longest = include_bytes!("../../vectors/openssl_saltmax.sig");
    assert_eq!(judge(salt32, PssSalt::Exactly32), Ok(()));
    assert_eq!(judge(salt32, PssSalt::Auto), Ok(()));
    assert_eq!(judge(longest, PssSalt::Auto), Ok(()));
    assert_eq!(
        judge(longest, PssSalt::Exactly32),
        Err(NotAuthentic::SignatureMismatch)
    );
}

#[test]
fn replay_protection_covers_id_and_time() {
    let kid = kid();
    let first = signature(Base64Alphabet::UrlSafe);
    let second = header_over(signed_digest("bat_1", SENT, BATCH), Base64Alphabet::UrlSafe);
    let options = Options {
        replay_protection: true,
        ..Options::default()
    };
    let judge = |id: &str, sent: &str, now: i64, v2: Option<&str>| {
        let mut headers = vec![
            ("X-Webhook-Signature-Key-Id", kid.as_str()),
            ("X-Webhook-Signature", &first),
            ("webhook-id", id),
            ("webhook-timestamp", sent),
        ];
        headers.extend(v2.map(|value| ("X-Webhook-Signature-V2", value)));
        let request = Request::new(headers, BATCH);
        let now = Timestamp::from_millis(now * 1000);
        verify_prelude(&request, &keys(), &options, now).map(|events| events.len())
    };
    let sent = SENT.to_string();
    assert_eq!(judge("bat_1", &sent, SENT + 300, Some(&second)), Ok(1));
    assert_eq!(
        judge("bat_1", &sent, SENT + 301, Some(&second)),
        Err(NotAuthentic::TooOld { seconds: 301 })
    );
    assert_eq!(
        judge("bat_2", &sent, SENT, Some(&second)),
        Err(NotAuthentic::SignatureMismatch)
    );
    let later = (SENT + 1).to_string();
    assert_eq!(
        judge("bat_1", &later, SENT, Some(&second)),
        Err(NotAuthentic::SignatureMismatch)
    );
    assert_eq!(
        judge("bat_1", &sent, SENT, Some(&first)),
        Err(NotAuthentic::SignatureMismatch)
    );
    assert_eq!(
        judge("bat_1", &sent, SENT, None),
        Err(NotAuthentic::MissingHeader("x-webhook-signature-v2"))
    );
}

#[test]
fn fingerprint_any_secret_and_any_entry() {
    let (old, new) = (Secret::new("old"), Secret::new("new"));
    let judge = |header: &str, secrets: &[Secret]| {
        let request = Request::new([("FPJS-Event-Signature", header)], b" {\"a\": 1} ");
        verify_fingerprint(&request, secrets, &Options::default())
    };
    let header = fingerprint_header(&[new.clone(), old.clone()], b" {\"a\": 1} ").unwrap();
    let all = [Secret::new("x"), old, new.clone()];
    for secrets in [&all[1..2], &all[2..], &all[..2], &all] {
        let events = judge(&header, secrets).unwrap();
        assert_eq!(events[0].payload, r#"{"a": 1}"#);
    }
    let stranger = [Secret::new("x")];
    assert_eq!(
        judge(&header, &stranger),
        Err(NotAuthentic::SignatureMismatch)
    );
    assert_eq!(judge("v2=00", &stranger), Err(NotAuthentic::WrongPrefix));
    assert_eq!(judge(&header, &[]), Err(NotAuthentic::NoSecrets));
    let empty = [Secret::default()];
    assert_eq!(judge(&header, &empty), Err(NotAuthentic::NoSecrets));
    let request = Request::new([("a", "b")], b"{}");
    assert_eq!(
        verify_fingerprint(&request, &[new], &Options::default()),
        Err(NotAuthentic::MissingHeader("fpjs-event-signature"))
    );
}

/// What `verify_standard` says at `now` about the vectors' id and body.
fn standard(key: &str, sent: &str, header: &str, now: i64) -> Result<(), NotAuthentic> {
    let headers = [
        ("webhook-id", ID),
        ("webhook-timestamp", sent),
        ("webhook-signature", header),
    ];
    let secrets = [StandardVerifier::parse(&Secret::new(key)).unwrap()];
    let now = Timestamp::from_millis(now * 1000);
    let request = Request::new(headers, BODY);
    match verify_standard(&request, &secrets, &Options::default(), now) {
        // The vectors' body is authentic, yet no message of ours.
        Err(NotAuthentic::NotAnEnvelope(_)) => Ok(()),
        other => other.map(|_| panic!("an event out of {BODY:?}")),
    }
}

#[test]
fn standard_vectors_and_tolerance() {
    let whpk = secret(WHSK).public().unwrap();
    let sent = SENT.to_string();
    let both = format!("v9,AAAA {HMAC} v1a,AAAA {ED25519}");
    for (key, header) in [
        (WHSEC, HMAC),
        (&*whpk, ED25519),
        (WHSK, ED25519),
        (WHSEC, &both),
        (&*whpk, &both),
    ] {
        assert_eq!(standard(key, &sent, header, SENT), Ok(()), "{header}");
        let later = (SENT + 1).to_string();
        assert_eq!(
            standard(key, &later, header, SENT),
            Err(NotAuthentic::SignatureMismatch)
        );
    }
    assert_eq!(standard(WHSEC, &sent, HMAC, SENT + 300), Ok(()));
    assert_eq!(standard(WHSEC, &sent, HMAC, SENT - 300), Ok(()));
    assert_eq!(
        standard(WHSEC, &sent, HMAC, SENT + 301),
        Err(NotAuthentic::TooOld { seconds: 301 })
    );
    assert_eq!(
        standard(WHSEC, &sent, HMAC, SENT - 301),
        Err(NotAuthentic::InTheFuture { seconds: 301 })
    );
    for bad in ["", "x", "-1", "+1", "01", "1.0", "99999999999999999999"] {
        assert_eq!(
            standard(WHSEC, bad, HMAC, SENT),
            Err(NotAuthentic::BadHeader("webhook-timestamp"))
        );
    }
    assert_eq!(
        standard(WHSEC, &sent, ED25519, SENT),
        Err(NotAuthentic::SignatureMismatch)
    );
    assert_eq!(
        standard(WHSEC, &sent, "v3,AA", SENT),
        Err(NotAuthentic::WrongPrefix)
    );
}

#[test]
fn standard_messages_come_through() {
    let body = br#"{"type":"user.created","timestamp":"2025-03-15T10:30:00Z","data":{"a": 1}}"#;
    let header = standard_header(&[secret(WHSEC)], "bat_1", SENT, body).unwrap();
    let sent = SENT.to_string();
    let headers = [
        ("webhook-id", "bat_1"),
        ("webhook-timestamp", &sent),
        ("webhook-signature", &header),
    ];
    let secrets = [StandardVerifier::from(&secret(WHSEC))];
    let request = Request::new(headers, body);
    let events = verify_standard(&request, &secrets, &Options::default(), NOW).unwrap();
    assert_eq!(events[0].id.as_deref(), Some("bat_1"));
    assert_eq!(events[0].event_type.as_deref(), Some("user.created"));
    assert_eq!(events[0].payload, r#"{"a": 1}"#);
    assert_eq!(
        verify_standard(&request, &[], &Options::default(), NOW),
        Err(NotAuthentic::NoSecrets)
    );
}

#[test]
fn challenges_are_answered_to_those_who_know_the_token() {
    let token = Secret::new("tök en+&");
    let query = "own=1&event=activate&verification_token=t%C3%B6k+en%2B%26&challenge=9999999999\
                 &app_id=54e9ujn";
    let answer = answer_challenge(query, &token).unwrap();
    assert_eq!(
        (answer.status, answer.content_type),
        (200, "application/json")
    );
    assert_eq!(answer.body, r#"{"challenge":9999999999}"#);
    assert_eq!(answer.challenge, 9_999_999_999);
    assert_eq!(answer.app_id.as_deref(), Some("54e9ujn"));
    assert!(answer_challenge(&query.replace("en%2B", "%65n%2b"), &token).is_ok());
    assert!(answer_challenge(&format!("?challenge=x&{query}"), &token).is_ok());

    let with = |from, to| answer_challenge(&query.replace(from, to), &token).unwrap_err();
    assert_eq!(with("t%C3", "T%C3"), NotAuthentic::WrongToken);
    assert_eq!(
        with("verification_token", "x"),
        NotAuthentic::BadParameter("verification_token")
    );
    assert_eq!(with("activate", "x"), NotAuthentic::BadParameter("event"));
    for challenge in [
        "",
        "-1",
        "%2B1",
        "1.0",
        "10000000000",
        "99999999999999999999",
    ] {
        assert_eq!(
            with("9999999999", challenge),
            NotAuthentic::BadParameter("challenge")
        );
    }
    // An empty token would let anybody activate.
    let empty = "event=activate&verification_token=&challenge=1";
    assert_eq!(
        answer_challenge(empty, &Secret::default()),
        Err(NotAuthentic::WrongToken)
    );
    assert_eq!(
        answer_challenge(&"a".repeat(9000), &token),
        Err(NotAuthentic::BadParameter("query"))
    );
}

proptest! {
    #[test]
    fn nothing_a_stranger_sends_panics_or_passes(
        header in "(rsassa-pss-sha256=|v1=|v1,|v1a,)?[ -~]{0,400}",
        raw in proptest::collection::vec(any::<u8>(), 0..60),
        time in "[0-9+-]{0,25}",
        body in proptest::collection::vec(any::<u8>(), 0..60),
    ) {
        let headers: Vec<(&str, &[u8])> = vec![
            ("X-Webhook-Signature-Key-Id", kid_bytes()),
            ("X-Webhook-Signature", header.as_bytes()),
            ("X-Webhook-Signature-V2", &raw),
            ("fpjs-event-signature", header.as_bytes()),
            ("webhook-id", &raw),
            ("webhook-timestamp", time.as_bytes()),
            ("webhook-signature", header.as_bytes()),
        ];
        let request = Request::new(headers, &body);
        let options = Options::default();
        prop_assert!(verify_prelude(&request, &keys(), &options, NOW).is_err());
        prop_assert!(verify_fingerprint(&request, &[Secret::new("s")], &options).is_err());
        let secrets = [StandardVerifier::from(&secret(WHSEC)), StandardVerifier::from(&secret(WHSK))];
        prop_assert!(verify_standard(&request, &secrets, &options, NOW).is_err());
        prop_assert!(answer_challenge(&header, &Secret::new("s")).is_err());
    }
}

fn kid_bytes() -> &'static [u8] {
    b"8f1c2d7e-0000-4000-8000-000000000001"
}
