//! What an API key is: the rules for a new one, the text that its holder sends, and the check of it.
//!
//! The text is the key's id, `_`, and the secret part: 256 random bits as 64 lower-case hexadecimal
//! digits. Only the SHA-256 of those digits is kept. A password needs a slow hash because people
//! choose passwords that can be guessed; 256 random bits cannot be, however fast the hash.

use std::fmt::Debug;

use subtle::ConstantTimeEq;

use crate::error::{Error, Result};
use crate::model::{ApiKeyId, NewApiKey, Secret, Timestamp};
use crate::signing::primitives::sha256;
use crate::storage::StoredApiKey;

/// Random bytes of a secret part, and its hexadecimal digits.
pub(crate) const SECRET_BYTES: usize = 32;
const SECRET_DIGITS: usize = 2 * SECRET_BYTES;

/// Characters of a key's name.
const NAME_CHARS_MAX: usize = 100;

/// Requests a second that a key may be given.
const PER_SECOND_MAX: u32 = 10_000;

/// Checks what may be made as an API key.
pub(crate) fn check_new_api_key(new: &NewApiKey, now: Timestamp) -> Result<()> {
    if new.name.chars().count() > NAME_CHARS_MAX || new.name.chars().any(char::is_control) {
        let message = format!("must have at most {NAME_CHARS_MAX} characters, none a control one");
        return Err(Error::invalid("name", message));
    }
    if !(1..=PER_SECOND_MAX).contains(&new.requests_per_second) {
        let message = format!("must be 1 to {PER_SECOND_MAX}");
        return Err(Error::invalid("requests_per_second", message));
    }
    if new.expires_at.is_some_and(|end| end <= now) {
        return Err(Error::invalid("expires_at", "must be later than now"));
    }
    Ok(())
}

/// The text of a key, and the digest of its secret part.
pub(crate) fn write_api_key(id: ApiKeyId, random: &[u8; SECRET_BYTES]) -> (Secret, [u8; 32]) {
    let mut text = format!("{id}_");
    let start = text.len();
    // Written at once: a text that grew would leave copies of itself behind.
    text.reserve_exact(SECRET_DIGITS);
    for byte in random {
        for half in [byte >> 4, byte & 0xf] {
            text.extend(char::from_digit(half.into(), 16));
        }
    }
    let digest = sha256(&[&text.as_bytes()[start..]]);
    (Secret::new(text), digest)
}

/// A key as somebody sent it; whether it is one is not known yet.
pub(crate) struct PresentedApiKey {
    /// Which key it says it is.
    pub(crate) id: ApiKeyId,
    digest: [u8; 32],
}

/// Shows what is no secret.
impl Debug for PresentedApiKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PresentedApiKey")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

impl PresentedApiKey {
    /// Reads a text of a key's form; `None` for any other.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (id, secret) = text.rsplit_once('_')?;
        let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        if secret.len() != SECRET_DIGITS || !secret.bytes().all(is_digit) {
            return None;
        }
        Some(Self {
            id: ApiKeyId::parse(id).ok()?,
            digest: sha256(&[secret.as_bytes()]),
        })
    }

    /// Whether it is the key that is stored under its id. The one place where keys are compared: in
    /// constant time (by `subtle`), digest against digest, and where there is none against nothing.
    pub(crate) fn is(&self, stored: Option<&StoredApiKey>) -> bool {
        let due = stored.map_or([0; 32], |stored| stored.digest);
        let is_same = bool::from(self.digest.ct_eq(&due));
        is_same && stored.is_some()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::ApiKey;

    fn stored(id: ApiKeyId, digest: [u8; 32]) -> StoredApiKey {
        let key = ApiKey {
            id,
            name: String::new(),
            scope: None,
            read_only: false,
            requests_per_second: 1,
            created_at: Timestamp::default(),
            expires_at: None,
            revoked_at: None,
            last_used_at: None,
        };
        StoredApiKey { key, digest }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn a_key_is_itself_and_no_other(
            time in 0..1i64 << 47, random in any::<u128>(), secret: [u8; SECRET_BYTES],
            place in 0..SECRET_DIGITS, digit in "[0-9a-f]",
        ) {
            let id = ApiKeyId::new(Timestamp::from_millis(time), random);
            let (text, digest) = write_api_key(id, &secret);
            let text = text.expose();
            let kept = stored(id, digest);
            let read = PresentedApiKey::parse(text).unwrap();
            prop_assert_eq!(read.id, id);
            prop_assert!(read.is(Some(&kept)) && !read.is(None));
            // Any other digit in any place is another key.
            let at = text.len() - SECRET_DIGITS + place;
            let mut other = text.to_owned();
            other.replace_range(at..=at, &digit);
            let read = PresentedApiKey::parse(&other).unwrap();
            prop_assert_eq!(read.is(Some(&kept)), other == text);
            // Nothing of it is shown.
            let secret = &text[text.len() - SECRET_DIGITS..];
            let shown = format!("{read:?} {kept:?}");
            prop_assert!(!shown.contains(secret) && !shown.contains("digest"));
        }

        #[test]
        fn no_text_is_taken_that_we_would_not_write(text in ".{0,120}|hbk_[0-9a-z]{26}_[0-9a-fA-F]{62,66}") {
            if let Some(read) = PresentedApiKey::parse(&text) {
                prop_assert_eq!(text.len(), 95);
                let start = format!("{}_", read.id);
                prop_assert!(text.starts_with(&start));
            }
        }
    }

    #[test]
    fn what_is_no_key_is_refused() {
        let (text, _) = write_api_key(ApiKeyId::new(Timestamp::default(), 7), &[0xab; 32]);
        let text = text.expose();
        assert!(PresentedApiKey::parse(text).is_some());
        for wrong in [
            String::new(),
            "_".into(),
            text.to_uppercase(),
            text[1..].into(),
            text[..text.len() - 1].into(),
            format!("{text}0"),
            format!(" {text}"),
            text.replace("hbk_", "hbk-"),
            text.replace('b', "é"),
        ] {
            assert!(PresentedApiKey::parse(&wrong).is_none(), "{wrong}");
        }
    }

    type Change = fn(&mut NewApiKey);

    #[test]
    fn a_new_key_is_within_its_bounds() {
        let now = Timestamp::from_millis(1000);
        let check = |change: Change| {
            let mut new = NewApiKey::default();
            change(&mut new);
            check_new_api_key(&new, now).map_err(|error| error.to_string())
        };
        check(|_| ()).unwrap();
        check(|new| new.name = "é".repeat(100)).unwrap();
        check(|new| new.requests_per_second = 10_000).unwrap();
        check(|new| new.expires_at = Some(Timestamp::from_millis(1001))).unwrap();
        let refused: [(&str, Change); 6] = [
            ("name", |new| new.name = "é".repeat(101)),
            ("name", |new| new.name = "a\u{1b}[2J".into()),
            ("requests_per_second", |new| new.requests_per_second = 0),
            ("requests_per_second", |new| {
                new.requests_per_second = 10_001;
            }),
            ("expires_at", |new| {
                new.expires_at = Some(Timestamp::from_millis(1000));
            }),
            ("expires_at", |new| {
                new.expires_at = Some(Timestamp::default());
            }),
        ];
        for (property, change) in refused {
            let error = check(change).unwrap_err();
            assert!(error.contains(&format!("`{property}`")), "{error}");
        }
    }
}
