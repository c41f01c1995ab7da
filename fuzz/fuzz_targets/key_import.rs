//! Keys from outside: PEM, DER, JWK sets, secrets as text. What is accepted is within the limits and
//! survives being written and read again.
#![no_main]

use hookbox::model::{KeyId, Secret};
use hookbox::signing::{
    KeyEncryptionKey, RsaPrivateKey, RsaPublicKey, StandardSecret, StandardVerifier, parse_jwks,
    thumbprint,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    private(RsaPrivateKey::from_pkcs8_der(bytes));
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    private(RsaPrivateKey::from_pem(text));
    if let Ok(set) = parse_jwks(text) {
        for jwk in &set.keys {
            let key = RsaPublicKey::from_jwk(jwk).unwrap();
            assert!((2048..=8192).contains(&key.bits()));
            assert_eq!(thumbprint(jwk).len(), 43);
            if let Ok(kid) = KeyId::parse(&jwk.kid) {
                assert_eq!(RsaPublicKey::from_jwk(&key.to_jwk(&kid)).as_ref(), Ok(&key));
            }
        }
    }
    let secret = Secret::new(text);
    if let Ok(parsed) = StandardSecret::parse(&secret) {
        let again = StandardSecret::parse(&parsed.to_secret()).unwrap();
        assert_eq!(again.to_secret().expose(), parsed.to_secret().expose());
        assert!(StandardVerifier::parse(&secret).is_ok());
    }
    let _ = StandardVerifier::parse(&secret);
    let _ = KeyEncryptionKey::from_base64(&secret);
});

fn private(key: hookbox::Result<RsaPrivateKey>) {
    match key {
        Err(error) => assert_eq!(error.code(), "invalid_key"),
        Ok(key) => {
            assert!((2048..=8192).contains(&key.bits()));
            let again = RsaPrivateKey::from_pkcs8_der(&key.to_pkcs8_der().unwrap()).unwrap();
            assert_eq!(again.public(), key.public());
        }
    }
}
