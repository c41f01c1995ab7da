//! Header values, against the vectors of contracts.md.

use hookbox::model::{Base64Alphabet, Secret};
use hookbox::signing::{
    StandardSecret, StandardVerifier, fingerprint_header, generate_fingerprint_key, rsa_pss_header,
    signed_content, signed_digest, standard_header,
};
use proptest::prelude::*;

use super::Counted;

pub const WHSEC: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
pub const WHSK: &str =
    "whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg==";
pub const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
pub const SENT: i64 = 1_614_265_330;
pub const BODY: &[u8] = br#"{"test": 2432232314}"#;
pub const HMAC: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
pub const ED25519: &str =
    "v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg==";

pub fn secret(text: &str) -> StandardSecret {
    StandardSecret::parse(&Secret::new(text)).unwrap()
}

#[test]
fn fingerprint_vector() {
    let one = Secret::new("secret");
    let entry = "v1=1b2c16b75bd2a870c114153ccda5bcfca63314bc722fa160d690de133ccbb9db";
    assert_eq!(
        fingerprint_header(std::slice::from_ref(&one), b"data").unwrap(),
        entry
    );
    let two = fingerprint_header(&[Secret::new("other"), one], b"data").unwrap();
    assert_eq!(two.len(), 2 * 67 + 1);
    assert!(two.ends_with(&format!(",{entry}")) && !two.contains(' '));
    assert!(fingerprint_header(&[], b"data").is_err());
    assert!(fingerprint_header(&[Secret::default()], b"data").is_err());
}

#[test]
fn standard_vectors() {
    let both = [secret(WHSEC), secret(WHSK)];
    assert_eq!(
        standard_header(&both, ID, SENT, BODY).unwrap(),
        format!("{HMAC} {ED25519}")
    );
    assert!(standard_header(&[], ID, SENT, BODY).is_err());
    assert_eq!(
        signed_content("a", 5, b"{}"),
        b"a.5.{}",
        "the documented form"
    );
    assert_eq!(
        signed_digest("a", 5, b"{}").to_vec(),
        <aws_lc_rs::digest::Digest as AsRef<[u8]>>::as_ref(&aws_lc_rs::digest::digest(
            &aws_lc_rs::digest::SHA256,
            b"a.5.{}"
        ))
    );
}

#[test]
fn rsa_header_has_either_alphabet_and_padding() {
    let bytes = [0xfb, 0xff, 0xbf, 0xfe];
    assert_eq!(
        rsa_pss_header(&bytes, Base64Alphabet::UrlSafe),
        "rsassa-pss-sha256=-_-__g=="
    );
    assert_eq!(
        rsa_pss_header(&bytes, Base64Alphabet::Standard),
        "rsassa-pss-sha256=+/+//g=="
    );
}

#[test]
fn standard_secrets_round_trip() {
    for text in [WHSEC, WHSK] {
        assert_eq!(secret(text).to_secret().expose(), text);
    }
    assert_eq!(secret(WHSEC).public(), None);
    assert_eq!(
        secret(WHSK).public().unwrap(),
        "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4="
    );
    let made = StandardSecret::generate(&Counted::new()).unwrap();
    assert_eq!(
        made.to_secret(),
        secret(made.to_secret().expose()).to_secret()
    );
    let made = StandardSecret::generate_ed25519(&Counted::new()).unwrap();
    assert_eq!(
        made.to_secret(),
        secret(made.to_secret().expose()).to_secret()
    );
    let key = generate_fingerprint_key(&Counted::new()).unwrap();
    assert_eq!(key.expose().len(), 43);
}

#[test]
fn malformed_secrets_are_refused_without_being_quoted() {
    for text in [
        "",
        "secret",
        "whsec_",
        "whsec_AAAA",
        "whsec_@@@@",
        "whsk_AAAA",
        "whpk_AAAA",
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS",
    ] {
        let error = StandardSecret::parse(&Secret::new(text)).unwrap_err();
        assert!(!error.to_string().contains("AAAA"), "{error}");
        assert!(StandardVerifier::parse(&Secret::new(text)).is_err());
    }
    // The wrong public half.
    let swapped = WHSK.replace("whsk_6X", "whsk_7X");
    assert!(StandardSecret::parse(&Secret::new(swapped)).is_err());
}

#[test]
fn debug_shows_no_secret() {
    for text in [WHSEC, WHSK] {
        let secret = secret(text);
        let verifier = StandardVerifier::from(&secret);
        let shown = format!("{secret:?} {verifier:?}");
        assert!(shown.len() < 70 && shown.contains('…'), "{shown}");
    }
}

proptest! {
    #[test]
    fn parsing_never_panics(text in "(whsec_|whsk_|whpk_)?[A-Za-z0-9+/=_-]{0,120}") {
        let _ = StandardSecret::parse(&Secret::new(text.as_str()));
        let _ = StandardVerifier::parse(&Secret::new(text));
    }
}
