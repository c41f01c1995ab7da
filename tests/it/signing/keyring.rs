//! The life of keys: at every moment exactly one signs, and it is published.

use std::time::Duration;

use hookbox::Error;
use hookbox::model::{AppId, KeyId, KeyPhase, SigningKey, Timestamp};
use hookbox::signing::keyring::{published, retire, rotate, signing_key, stand_in};
use proptest::prelude::*;

use super::KEY;

fn key(number: usize) -> SigningKey {
    let kid = KeyId::parse(&format!("k{number}")).unwrap();
    SigningKey {
        app_id: AppId::parse("54e9ujn").unwrap(),
        public: KEY.public_jwk(&kid),
        kid,
        has_private_part: true,
        created_at: Timestamp::default(),
        signs_from: Timestamp::default(),
        signs_until: None,
        published_until: None,
    }
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(seconds * 1000)
}

const fn span(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Stores what a call changed.
fn store(keys: &mut Vec<SigningKey>, changed: Vec<SigningKey>) {
    for key in changed {
        match keys.iter_mut().find(|old| old.kid == key.kid) {
            Some(old) => *old = key,
            None => keys.push(key),
        }
    }
}

fn signs(keys: &[SigningKey], now: Timestamp) -> String {
    signing_key(keys, now).map_or(String::new(), |key| key.kid.to_string())
}

/// Three keys: k0 signs from 0, k1 from 200, published from 100; k2 waits from 150 for 300.
fn three() -> Vec<SigningKey> {
    let mut keys = Vec::new();
    for (number, now, lead) in [(0, 0, 100), (1, 100, 100), (2, 150, 150)] {
        let changed = rotate(&keys, key(number), at(now), span(lead), span(50)).unwrap();
        assert_eq!(changed.last().unwrap().kid.as_str(), format!("k{number}"));
        store(&mut keys, changed);
    }
    keys
}

#[test]
fn the_first_key_signs_at_once_and_later_ones_after_their_lead() {
    let keys = three();
    for (now, kid) in [
        (0, "k0"),
        (199, "k0"),
        (200, "k1"),
        (299, "k1"),
        (300, "k2"),
    ] {
        assert_eq!(signs(&keys, at(now)), kid, "at {now}");
    }
    assert_eq!(signing_key(&keys, at(-1)), None);
    let kids = |now| -> Vec<String> {
        let set = published(&keys, at(now));
        set.keys.into_iter().map(|key| key.kid).collect()
    };
    assert_eq!(kids(249), ["k0", "k1", "k2"]);
    assert_eq!(kids(250), ["k1", "k2"]);
    assert_eq!(kids(350), ["k2"]);
    assert!(rotate(&keys, key(1), at(400), span(1), span(1)).is_err());
}

/// Found by the simulator: a box's clock was ahead as keys were rotated and expired, and set back.
#[test]
fn the_first_key_stands_in_while_the_clock_is_behind_it() {
    let mut keys = rotate(&[], key(0), at(100), span(0), span(50)).unwrap();
    let second = rotate(&keys, key(1), at(100), span(60), span(50)).unwrap();
    store(&mut keys, second);
    assert_eq!(signs(&keys, at(5)), "");
    assert_eq!(stand_in(&keys, at(5)).unwrap().kid.as_str(), "k0");
    assert_eq!(published(&keys, at(5)).keys.len(), 2);
}

#[test]
fn retiring_the_signing_key_lets_the_next_one_sign_at_once() {
    let mut keys = three();
    let changed = retire(&keys, &key(0).kid, at(160), Duration::ZERO).unwrap();
    store(&mut keys, changed);
    assert_eq!(keys[0].phase(at(160)), KeyPhase::Gone);
    assert_eq!(signs(&keys, at(160)), "k1");
    assert_eq!(signs(&keys, at(300)), "k2");
    assert_eq!(keys[1].published_until, Some(at(350)));
}

#[test]
fn retiring_a_waiting_key_lets_the_one_before_go_on() {
    let mut keys = three();
    let changed = retire(&keys, &key(1).kid, at(160), span(10)).unwrap();
    store(&mut keys, changed);
    assert_eq!(signs(&keys, at(299)), "k0");
    assert_eq!(keys[0].published_until, Some(at(350)));
    let changed = retire(&keys, &key(2).kid, at(170), span(10)).unwrap();
    store(&mut keys, changed);
    assert_eq!(signs(&keys, at(100_000)), "k0");
    assert_eq!(keys[0].published_until, None);
}

#[test]
fn the_only_signing_key_cannot_be_retired() {
    let mut keys = Vec::new();
    store(
        &mut keys,
        rotate(&[], key(0), at(0), span(9), span(9)).unwrap(),
    );
    let refused = retire(&keys, &key(0).kid, at(5), span(0)).unwrap_err();
    assert!(matches!(refused, Error::InvalidRequest { .. }), "{refused}");
    let unknown = retire(&keys, &key(7).kid, at(5), span(0)).unwrap_err();
    assert_eq!(unknown, Error::KeyNotFound("k7".into()));
    // A new key without lead time takes over at once; the old one can then be unpublished.
    let changed = rotate(&keys, key(1), at(5), span(0), span(100)).unwrap();
    store(&mut keys, changed);
    assert_eq!(signs(&keys, at(5)), "k1");
    let changed = retire(&keys, &key(0).kid, at(6), span(0)).unwrap();
    store(&mut keys, changed);
    assert_eq!(published(&keys, at(6)).keys.len(), 1);
    // It is gone: no second time, and no longer life by a longer overlap.
    assert!(retire(&keys, &key(0).kid, at(7), span(1000)).is_err());
}

#[derive(Debug, Clone)]
enum Step {
    Wait(u64),
    Rotate { lead: u64, overlap: u64 },
    Retire { which: usize, overlap: u64 },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0..200_u64).prop_map(Step::Wait),
        (0..100_u64, 0..100_u64).prop_map(|(lead, overlap)| Step::Rotate { lead, overlap }),
        (0..20_usize, 0..100_u64).prop_map(|(which, overlap)| Step::Retire { which, overlap }),
    ]
}

proptest! {
    #[test]
    fn exactly_one_key_signs_and_it_is_published(steps in proptest::collection::vec(step(), 1..40)) {
        let mut now = at(1000);
        let mut keys = Vec::new();
        store(&mut keys, rotate(&[], key(0), now, span(50), span(50)).unwrap());
        for step in steps {
            match step {
                Step::Wait(seconds) => now = now.plus(span(seconds)),
                Step::Rotate { lead, overlap } => {
                    let new = key(keys.len());
                    let kid = new.kid.clone();
                    let changed = rotate(&keys, new, now, span(lead), span(overlap)).unwrap();
                    store(&mut keys, changed);
                    let then = now.plus(span(lead));
                    prop_assert_eq!(signs(&keys, then), kid.as_str());
                }
                Step::Retire { which, overlap } => {
                    let kid = keys[which % keys.len()].kid.clone();
                    if let Ok(changed) = retire(&keys, &kid, now, span(overlap)) {
                        store(&mut keys, changed);
                        prop_assert_ne!(signs(&keys, now), kid.as_str());
                    }
                }
            }
            // Now, and at every second until all that is planned has happened.
            for ahead in 0..220 {
                let moment = now.plus(span(ahead));
                let active = keys.iter().filter(|key| key.phase(moment) == KeyPhase::Active);
                prop_assert_eq!(active.count(), 1, "{} s ahead: {:?}", ahead, &keys);
                let signer = signing_key(&keys, moment).unwrap();
                prop_assert!(signer.created_at <= moment);
                prop_assert!(published(&keys, moment).keys.contains(&signer.public));
            }
        }
    }
}
