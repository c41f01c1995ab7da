//! RSA keys, JWKs and the two signers.

use hookbox::Error;
use hookbox::model::{Jwk, KeySize};
use hookbox::signing::{
    AwsSigner, PortableSigner, PssSalt, RsaPrivateKey, RsaPublicKey, Signer, parse_jwks, thumbprint,
};
use proptest::prelude::*;

use super::{KEY, kid};

const PKCS8: &str = include_str!("../../vectors/rsa2048_pkcs8_test_only.pem");
const PKCS1: &str = include_str!("../../vectors/rsa2048_pkcs1_test_only.pem");

#[test]
fn both_signers_verify_and_differ_each_time() {
    let digest = [7; 32];
    let signers: [Box<dyn Signer>; 2] = [
        Box::new(AwsSigner::new(&KEY).unwrap()),
        Box::new(PortableSigner::new(&KEY)),
    ];
    for signer in signers {
        let first = signer.sign_digest(&digest).unwrap();
        let second = signer.sign_digest(&digest).unwrap();
        assert_ne!(first, second, "the salt must be random");
        for salt in [PssSalt::Exactly32, PssSalt::Auto] {
            assert!(KEY.public().verifies(&digest, &first, salt));
            assert!(!KEY.public().verifies(&[8; 32], &first, salt));
        }
        // The other library's word on it.
        let (n, e) = KEY.public().to_parts();
        let digest =
            aws_lc_rs::digest::Digest::import_less_safe(&digest, &aws_lc_rs::digest::SHA256)
                .unwrap();
        aws_lc_rs::signature::RsaPublicKeyComponents { n, e }
            .to_parsed_public_key(&aws_lc_rs::signature::RSA_PSS_2048_8192_SHA256)
            .unwrap()
            .verify_digest_sig(&digest, &first)
            .unwrap();
    }
}

/// The `rsa` crate reduces such a number and would take it (RFC 8017 §5.2.2 says not to).
#[test]
fn a_signature_plus_the_modulus_is_refused() {
    let digest = [7; 32];
    let key = RsaPrivateKey::from_pem(PKCS8).unwrap();
    let signer = AwsSigner::new(&key).unwrap();
    let (modulus, _) = key.public().to_parts();
    // The sum must fit into as many bytes: with this modulus most do.
    let sum = (0..300).find_map(|_| {
        let mut carry = 0;
        let mut sum = signer.sign_digest(&digest).unwrap();
        for (byte, add) in sum.iter_mut().zip(&modulus).rev() {
            let total = u16::from(*byte) + u16::from(*add) + carry;
            *byte = u8::try_from(total & 0xff).unwrap();
            carry = total >> 8;
        }
        (carry == 0).then_some(sum)
    });
    let sum = sum.expect("one of many signatures is small enough");
    for salt in [PssSalt::Exactly32, PssSalt::Auto] {
        assert!(!key.public().verifies(&digest, &sum, salt));
    }
}

#[test]
fn pem_of_both_kinds_is_the_same_key() {
    let key = RsaPrivateKey::from_pem(PKCS8).unwrap();
    let same = RsaPrivateKey::from_pem(PKCS1).unwrap();
    assert_eq!(key.public_jwk(&kid()), same.public_jwk(&kid()));
    assert_eq!(key.bits(), 2048);
    let der = key.to_pkcs8_der().unwrap();
    let again = RsaPrivateKey::from_pkcs8_der(&der).unwrap();
    assert_eq!(again.public(), key.public());
    assert!(RsaPrivateKey::from_pem(&PKCS8.replace('\n', "\r\n")).is_ok());
    AwsSigner::new(&key).unwrap().sign_digest(&[0; 32]).unwrap();
}

#[test]
fn refused_pem_says_why() {
    for (pem, why) in [
        (
            include_str!("../../vectors/rsa2048_pkcs8_encrypted_test_only.pem"),
            "encrypted",
        ),
        (
            include_str!("../../vectors/rsa2048_pkcs1_encrypted_test_only.pem"),
            "encrypted",
        ),
        (
            include_str!("../../vectors/rsa2048_public_test_only.pem"),
            "public key",
        ),
        (
            include_str!("../../vectors/rsa1024_pkcs8_test_only.pem"),
            "1024 bits",
        ),
        (
            include_str!("../../vectors/rsa2048_exponent3_test_only.pem"),
            "exponent",
        ),
        (include_str!("../../vectors/ec_test_only.pem"), "no RSA key"),
        (
            include_str!("../../vectors/ec_pkcs8_test_only.pem"),
            "well-formed RSA",
        ),
        ("", "no PEM"),
        ("garbage", "no PEM"),
        ("-----BEGIN PRIVATE KEY-----", "well-formed RSA"),
    ] {
        let error = RsaPrivateKey::from_pem(pem).unwrap_err();
        assert!(matches!(error, Error::InvalidKey(_)), "{error:?}");
        assert!(error.to_string().contains(why), "{error} ({why})");
    }
}

#[test]
fn a_damaged_key_is_refused_or_mended() {
    let der = KEY.to_pkcs8_der().unwrap();
    for at in (30..der.len()).step_by(97) {
        let mut broken = der.to_vec();
        broken[at] ^= 1;
        // The CRT values follow from the rest: wrong ones are not taken over but computed anew.
        if let Ok(key) = RsaPrivateKey::from_pkcs8_der(&broken) {
            assert_eq!(key.to_pkcs8_der().unwrap(), der, "byte {at}");
        }
    }
}

#[test]
fn other_sizes_generate_and_sign() {
    let key = RsaPrivateKey::generate(KeySize::Rsa3072).unwrap();
    assert_eq!(key.bits(), 3072);
    let signature = AwsSigner::new(&key).unwrap().sign_digest(&[1; 32]).unwrap();
    assert_eq!(signature.len(), 384);
    assert!(
        key.public()
            .verifies(&[1; 32], &signature, PssSalt::Exactly32)
    );
}

#[test]
fn jwk_round_trips_and_strange_ones_are_refused() {
    let jwk = KEY.public_jwk(&kid());
    assert_eq!(jwk.e, "AQAB");
    assert_eq!(&RsaPublicKey::from_jwk(&jwk).unwrap(), KEY.public());
    let change = |f: fn(&mut Jwk)| {
        let mut jwk = jwk.clone();
        f(&mut jwk);
        RsaPublicKey::from_jwk(&jwk)
    };
    assert!(change(|jwk| jwk.alg = Some("RS256".into())).is_ok());
    assert!(change(|jwk| jwk.kty = "EC".into()).is_err());
    assert!(change(|jwk| jwk.n.push('=')).is_err());
    assert!(change(|jwk| jwk.n.replace_range(..1, "+")).is_err());
    assert!(change(|jwk| jwk.n.insert_str(0, "AAAA")).is_err());
    assert!(change(|jwk| jwk.n.clear()).is_err());
    assert!(change(|jwk| jwk.n = "A".repeat(1_000_000)).is_err());
    assert!(change(|jwk| jwk.e = "Aw".into()).is_err());
}

#[test]
fn a_set_keeps_only_keys_that_can_verify() {
    let good = serde_json::to_value(KEY.public_jwk(&kid())).unwrap();
    let mut encryption = good.clone();
    encryption["use"] = "enc".into();
    let set = serde_json::json!({"keys": [
        {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA", "kid": "1"},
        good, encryption, 5, {"kty": "RSA", "n": "AA"},
    ]});
    let parsed = parse_jwks(&set.to_string()).unwrap();
    assert_eq!(parsed.keys, [KEY.public_jwk(&kid())]);
    assert!(parse_jwks("{}").is_err() && parse_jwks("[]").is_err());
}

#[test]
fn thumbprint_of_rfc_7638() {
    let jwk = Jwk {
        kty: "RSA".into(),
        kid: "2011-04-29".into(),
        key_use: None,
        alg: Some("RS256".into()),
        n: "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tS\
            oc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65\
            YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyr\
            dkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzK\
            nqDKgw"
            .into(),
        e: "AQAB".into(),
    };
    assert_eq!(
        thumbprint(&jwk),
        "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"
    );
}

#[test]
fn debug_shows_no_secret() {
    let shown = format!(
        "{:?} {:?} {:?}",
        *KEY,
        AwsSigner::new(&KEY).unwrap(),
        PortableSigner::new(&KEY)
    );
    assert_eq!(
        shown,
        "RsaPrivateKey(2048 bits) AwsSigner(2048 bits) PortableSigner(2048 bits)"
    );
}

proptest! {
    #[test]
    fn parsers_never_panic(text in ".*", bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = RsaPrivateKey::from_pem(&text);
        let framed = format!("-----BEGIN RSA PRIVATE KEY-----\n{text}\n-----END RSA PRIVATE KEY-----");
        let _ = RsaPrivateKey::from_pem(&framed);
        let _ = RsaPrivateKey::from_pkcs8_der(&bytes);
        let _ = RsaPublicKey::from_parts(&bytes, &[1, 0, 1]);
        let _ = parse_jwks(&text);
    }
}
