//! Signing keys: real ones are slow to make and to use, so most runs sign with a stamp.

use std::sync::{Arc, OnceLock};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hookbox::model::{AppId, Jwk, KeyId, KeySize, Secret, SignatureScheme, SigningKey, Timestamp};
use hookbox::signing::{RsaPrivateKey, RsaPublicKey, Signer};
use hookbox::storage::StoredKey;

/// Signs by repeating the digest with the key's name over it. Whoever knows the name can check it.
#[derive(Debug)]
pub struct Stamp(pub String);

impl Signer for Stamp {
    fn sign_digest(&self, sha256: &[u8; 32]) -> hookbox::Result<Vec<u8>> {
        Ok(stamp(&self.0, sha256))
    }
}

/// As long as an RSA-2048 signature.
pub fn stamp(kid: &str, digest: &[u8; 32]) -> Vec<u8> {
    let mut name = kid.bytes().cycle();
    let repeated = digest.iter().cycle().take(256);
    repeated
        .map(|byte| byte ^ name.next().unwrap_or(0))
        .collect()
}

pub fn signer(kid: &KeyId) -> Arc<dyn Signer> {
    Arc::new(Stamp(kid.to_string()))
}

/// A public key that no private one belongs to.
pub fn public(kid: &KeyId) -> Jwk {
    let mut modulus = stamp(kid.as_str(), &[0xc7; 32]);
    modulus[0] |= 0x80;
    modulus[255] |= 1;
    RsaPublicKey::from_parts(&modulus, &[1, 0, 1])
        .unwrap()
        .to_jwk(kid)
}

/// An app's first key, where it is a stamp.
pub fn first(app: &AppId, kid: KeyId, now: Timestamp) -> StoredKey {
    StoredKey {
        key: SigningKey {
            app_id: app.clone(),
            public: public(&kid),
            kid,
            has_private_part: false,
            created_at: now,
            signs_from: now,
            signs_until: None,
            published_until: None,
        },
        sealed: Vec::new(),
    }
}

/// The secret of a webhook, by its token, where the profile signs with one.
pub fn secret(scheme: SignatureScheme, token: &str) -> Option<Secret> {
    match scheme {
        SignatureScheme::RsaPss { .. } => None,
        SignatureScheme::FingerprintHmac => Some(Secret::new(format!("the secret of {token}"))),
        SignatureScheme::StandardWebhooks => {
            use sha2::Digest;
            let key = STANDARD.encode(sha2::Sha256::digest(token));
            Some(Secret::new(format!("whsec_{key}")))
        }
    }
}

/// One of a few real keys, as PEM. They are made once.
pub fn pem(index: usize) -> String {
    static MADE: OnceLock<Vec<String>> = OnceLock::new();
    let make = || {
        let key = RsaPrivateKey::generate(KeySize::Rsa2048).unwrap();
        let text = STANDARD.encode(key.to_pkcs8_der().unwrap().as_slice());
        let lines: Vec<&str> = (0..text.len())
            .step_by(64)
            .map(|at| &text[at..text.len().min(at + 64)])
            .collect();
        let text = lines.join("\n");
        format!("-----BEGIN PRIVATE KEY-----\n{text}\n-----END PRIVATE KEY-----\n")
    };
    let made = MADE.get_or_init(|| (0..3).map(|_| make()).collect());
    made[index % made.len()].clone()
}
