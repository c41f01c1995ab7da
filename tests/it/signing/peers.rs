//! Writes requests as sent, for `tests/peers/run` to verify with other people's libraries, and
//! verifies what those signed.

use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hookbox::clock::{Clock, SystemClock, SystemRandom};
use hookbox::model::{Base64Alphabet, Jwk, JwkSet, Secret, Timestamp};
use hookbox::signing::{
    AwsSigner, PortableSigner, Signer, StandardSecret, StandardVerifier, fingerprint_header,
    rsa_pss_header, signed_digest, standard_header,
};
use hookbox::verify::{
    NotAuthentic, Options, Request, verify_fingerprint_hmac, verify_rsa_pss,
    verify_standard_webhooks,
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{KEY, kid};

/// One request, in the form `tests/peers/README.md` describes.
#[derive(Serialize, Deserialize)]
struct Sent {
    scheme: String,
    #[serde(default)]
    jwks: Vec<Jwk>,
    #[serde(default)]
    secrets: Vec<String>,
    headers: Vec<(String, String)>,
    body_base64: String,
}

impl Sent {
    fn check(&self, now: Timestamp, flip: bool) -> Result<(), NotAuthentic> {
        let mut body = STANDARD.decode(&self.body_base64).unwrap();
        if flip {
            body[0] ^= 1;
        }
        let request = Request::new(self.headers.iter().map(|(n, v)| (n, v)), &body);
        let options = Options::default();
        let secrets: Vec<Secret> = self.secrets.iter().map(Secret::new).collect();
        match &*self.scheme {
            "rsa-pss" => {
                let keys = JwkSet {
                    keys: self.jwks.clone(),
                };
                verify_rsa_pss(&request, &keys, &options, now)
            }
            "fingerprint" => verify_fingerprint_hmac(&request, &secrets, &options),
            "standard" => {
                let parse = |secret| StandardVerifier::parse(secret).unwrap();
                let secrets: Vec<_> = secrets.iter().map(parse).collect();
                verify_standard_webhooks(&request, &secrets, &options, now)
            }
            other => panic!("no scheme {other}"),
        }
    }
}

fn pairs<const N: usize>(headers: [(&str, String); N]) -> Vec<(String, String)> {
    headers.map(|(name, value)| (name.to_owned(), value)).into()
}

fn rsa(signer: &dyn Signer, alphabet: Base64Alphabet, seconds: i64, body: &[u8]) -> Sent {
    let header = |digest| rsa_pss_header(&signer.sign_digest(&digest).unwrap(), alphabet);
    Sent {
        scheme: "rsa-pss".into(),
        jwks: vec![KEY.public_jwk(&kid())],
        secrets: vec![],
        headers: pairs([
            ("X-Webhook-Signature-Key-Id", kid().to_string()),
            ("X-Webhook-Signature", header(Sha256::digest(body).into())),
            (
                "X-Webhook-Signature-V2",
                header(signed_digest("bat_1", seconds, body)),
            ),
            ("webhook-id", "bat_1".into()),
            ("webhook-timestamp", seconds.to_string()),
        ]),
        body_base64: STANDARD.encode(body),
    }
}

fn fingerprint(body: &[u8]) -> Sent {
    let keys = ["current key ä", "previous"];
    let header = fingerprint_header(&keys.map(Secret::new), body).unwrap();
    Sent {
        scheme: "fingerprint".into(),
        jwks: vec![],
        secrets: keys.map(str::to_owned).into(),
        headers: pairs([("fpjs-event-signature", header)]),
        body_base64: STANDARD.encode(body),
    }
}

fn standard(secret: &StandardSecret, seconds: i64, body: &[u8]) -> Sent {
    let other = StandardSecret::generate(&SystemRandom).unwrap();
    let public = secret.public();
    let shared = public.unwrap_or_else(|| secret.to_secret().expose().to_owned());
    let header = standard_header(
        &[other, StandardSecret::parse(&secret.to_secret()).unwrap()],
        "bat_1",
        seconds,
        body,
    );
    Sent {
        scheme: "standard".into(),
        jwks: vec![],
        secrets: vec![shared],
        headers: pairs([
            ("webhook-id", "bat_1".into()),
            ("webhook-timestamp", seconds.to_string()),
            ("webhook-signature", header.unwrap()),
        ]),
        body_base64: STANDARD.encode(body),
    }
}

fn folder() -> PathBuf {
    std::env::var_os("HOOKBOX_PEERS_DIR")
        .map_or_else(|| env!("CARGO_TARGET_TMPDIR").into(), PathBuf::from)
}

#[test]
fn write_requests_for_peers() {
    let now = SystemClock.now();
    let seconds = now.as_seconds();
    let aws = AwsSigner::new(&KEY).unwrap();
    let portable = PortableSigner::new(&KEY);
    let hmac = StandardSecret::generate(&SystemRandom).unwrap();
    let ed25519 = StandardSecret::generate_ed25519(&SystemRandom).unwrap();
    let bodies: [&[u8]; 2] = [
        include_bytes!("../../vectors/body.json"),
        "{\"app_id\":\"ü\",\"events\":[],\"n\":1.50 }\n".as_bytes(),
    ];
    let mut sent = Vec::new();
    for body in bodies {
        for signer in [&aws as &dyn Signer, &portable] {
            for alphabet in [Base64Alphabet::UrlSafe, Base64Alphabet::Standard] {
                sent.push(rsa(signer, alphabet, seconds, body));
            }
        }
        sent.push(fingerprint(body));
        sent.push(standard(&hmac, seconds, body));
        sent.push(standard(&ed25519, seconds, body));
    }
    for request in &sent {
        assert_eq!(request.check(now, false), Ok(()), "{}", request.scheme);
        assert_eq!(
            request.check(now, true),
            Err(NotAuthentic::SignatureMismatch)
        );
    }
    let text = serde_json::to_string_pretty(&sent).unwrap();
    std::fs::write(folder().join("peers.json"), text).unwrap();
}

/// The other direction: `tests/peers/run` lets others sign first.
#[test]
#[ignore = "needs the files that tests/peers/run makes"]
fn requests_signed_by_peers_verify() {
    let mut verified = 0;
    for name in ["signed_by_python.json", "signed_by_node.json"] {
        let text = std::fs::read_to_string(folder().join(name)).unwrap();
        let sent: Vec<Sent> = serde_json::from_str(&text).unwrap();
        assert!(!sent.is_empty());
        for request in &sent {
            let now = SystemClock.now();
            assert_eq!(request.check(now, false), Ok(()), "{name}");
            assert_eq!(
                request.check(now, true),
                Err(NotAuthentic::SignatureMismatch),
                "{name}"
            );
            verified += 1;
        }
    }
    println!("hookbox: {verified} requests signed by peers verified");
}
