//! Secrets at rest.

use hookbox::Error;
use hookbox::clock::SystemRandom;
use hookbox::model::Secret;
use hookbox::signing::{KeyEncryptionKey, Sealer};
use proptest::prelude::*;

fn kek(byte: u8) -> KeyEncryptionKey {
    KeyEncryptionKey::from_bytes(&[byte; 32])
}

fn why(error: &Error) -> String {
    assert!(matches!(error, Error::SealBroken(_)), "{error:?}");
    error.to_string()
}

#[test]
fn sealed_values_hide_and_stay_in_their_place() {
    let sealer = Sealer::new(Some(kek(1)), vec![]);
    let sealed = sealer.seal(&SystemRandom, "row 1", b"top secret").unwrap();
    assert!(!sealed.windows(10).any(|window| window == b"top secret"));
    assert_ne!(
        sealed,
        sealer.seal(&SystemRandom, "row 1", b"top secret").unwrap()
    );
    assert_eq!(**sealer.open("row 1", &sealed).unwrap(), *b"top secret");
    assert!(why(&sealer.open("row 2", &sealed).unwrap_err()).contains("moved"));
    for at in 0..sealed.len() {
        let mut changed = sealed.clone();
        changed[at] ^= 0x80;
        assert!(sealer.open("row 1", &changed).is_err(), "byte {at}");
        assert!(sealer.open("row 1", &sealed[..at]).is_err());
    }
}

#[test]
fn a_wrong_key_is_told_from_damage() {
    let sealed = Sealer::new(Some(kek(1)), vec![])
        .seal(&SystemRandom, "row", b"x")
        .unwrap();
    let other = Sealer::new(Some(kek(2)), vec![]);
    assert!(why(&other.open("row", &sealed).unwrap_err()).contains("another key-encryption key"));
    let none = Sealer::default();
    assert!(why(&none.open("row", &sealed).unwrap_err()).contains("no key-encryption key"));
    assert!(why(&none.open("row", &[]).unwrap_err()).contains("empty"));
    assert!(why(&none.open("row", &[9, 9]).unwrap_err()).contains("newer"));
}

#[test]
fn keys_come_change_and_go() {
    let row = "key/app/1";
    let plain = Sealer::default().seal(&SystemRandom, row, b"x").unwrap();
    assert_eq!(plain, b"\0x");
    let steps = [
        Sealer::new(Some(kek(1)), vec![]),
        Sealer::new(Some(kek(2)), vec![kek(1)]),
        Sealer::new(None, vec![kek(2)]),
    ];
    let mut stored = plain.clone();
    for sealer in steps {
        assert!(!sealer.is_current(&stored));
        assert_eq!(**sealer.open(row, &stored).unwrap(), *b"x");
        stored = sealer
            .reseal(&SystemRandom, row, &stored)
            .unwrap()
            .expect("something to do");
        assert!(sealer.is_current(&stored));
        assert_eq!(sealer.reseal(&SystemRandom, row, &stored), Ok(None));
        assert_eq!(**sealer.open(row, &stored).unwrap(), *b"x");
    }
    assert_eq!(stored, plain);
}

#[test]
fn keys_from_text() {
    let text = Secret::new(" AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=\n");
    let sealed = Sealer::new(Some(kek(1)), vec![])
        .seal(&SystemRandom, "row", b"x")
        .unwrap();
    let from_text = KeyEncryptionKey::from_base64(&text).unwrap();
    assert_eq!(format!("{from_text:?}"), "KeyEncryptionKey(…)");
    let sealer = Sealer::new(Some(from_text), vec![]);
    assert_eq!(**sealer.open("row", &sealed).unwrap(), *b"x");
    for text in ["", "AQE=", "!", &"AQEB".repeat(11)] {
        assert!(KeyEncryptionKey::from_base64(&Secret::new(text)).is_err());
    }
}

proptest! {
    #[test]
    fn any_bytes_are_opened_or_refused(mut bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
        let sealer = Sealer::new(Some(kek(1)), vec![kek(2)]);
        if let Some(first) = bytes.first_mut() {
            *first &= 3;
        }
        let plain = bytes.first() == Some(&0);
        prop_assert_eq!(sealer.open("row", &bytes).is_ok(), plain);
        let _ = sealer.is_current(&bytes);
    }
}
