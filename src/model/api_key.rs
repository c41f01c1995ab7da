//! Keys of the management API.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use ulid::Ulid;

use crate::error::Error;
use crate::model::id::{parse_prefixed, ulid_of, ulid_text};
use crate::model::{AppId, Secret, Timestamp};

/// An API key's id: `hbk_` and a 26-character lower-case ULID. It is the public beginning of the key
/// itself, so that a key found somewhere can be revoked; knowing it opens nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ApiKeyId(Ulid);

impl ApiKeyId {
    const PREFIX: &'static str = "hbk_";

    /// A new id from a time and 80 random bits (the low ones of `random`).
    #[must_use]
    pub fn new(now: Timestamp, random: u128) -> Self {
        Self(ulid_of(now, random))
    }

    /// Checks and takes an API key's id.
    ///
    /// # Errors
    /// [`Error::InvalidRequest`] where the text is not of the form.
    pub fn parse(text: &str) -> Result<Self, Error> {
        parse_prefixed(Self::PREFIX, text).map(Self)
    }
}

impl fmt::Display for ApiKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", Self::PREFIX, ulid_text(self.0))
    }
}

impl FromStr for ApiKeyId {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self, Error> {
        Self::parse(text)
    }
}

impl TryFrom<String> for ApiKeyId {
    type Error = Error;
    fn try_from(text: String) -> Result<Self, Error> {
        Self::parse(&text)
    }
}

impl From<ApiKeyId> for String {
    fn from(id: ApiKeyId) -> Self {
        id.to_string()
    }
}

/// A key of the management API, without its secret part: that is shown once, when the key is made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ApiKey {
    /// Its id.
    pub id: ApiKeyId,
    /// What it is for, in the words of who made it.
    pub name: String,
    /// The one app it is for; `None` is every app.
    pub scope: Option<AppId>,
    /// Whether it is for looking only.
    pub read_only: bool,
    /// Requests a second that it may make in the long run: 1 to 10 000. Twice as many may come at
    /// once.
    pub requests_per_second: u32,
    /// When it was made.
    pub created_at: Timestamp,
    /// From when on it is refused; `None` is never.
    pub expires_at: Option<Timestamp>,
    /// Since when it is refused because somebody revoked it.
    pub revoked_at: Option<Timestamp>,
    /// When it was used last, to the minute: it is noted at most once a minute.
    pub last_used_at: Option<Timestamp>,
}

impl ApiKey {
    /// Whether it opens anything at `now`: it is neither revoked nor expired. A revoked key stays so
    /// however the clock jumps.
    #[must_use]
    pub fn is_valid(&self, now: Timestamp) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|end| now < end)
    }
}

/// What may be made as an API key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewApiKey {
    /// What it is for: at most 100 characters, none of them a control character. May be empty.
    pub name: String,
    /// The one app it is for; `None` is every app.
    pub scope: Option<AppId>,
    /// Whether it is for looking only.
    pub read_only: bool,
    /// From when on it is refused, later than now; `None` is never.
    pub expires_at: Option<Timestamp>,
    /// Requests a second in the long run: 1 to 10 000. Twice as many may come at once.
    pub requests_per_second: u32,
}

impl NewApiKey {
    /// Requests a second, unless said otherwise.
    pub const REQUESTS_PER_SECOND: u32 = 50;
}

/// A key for every app, for everything, that never expires, with 50 requests a second.
impl Default for NewApiKey {
    fn default() -> Self {
        Self {
            name: String::new(),
            scope: None,
            read_only: false,
            expires_at: None,
            requests_per_second: Self::REQUESTS_PER_SECOND,
        }
    }
}

/// An API key that was just made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreatedApiKey {
    /// The key's record.
    pub key: ApiKey,
    /// The key itself, as its holder sends it. The box keeps only a digest: this is the one time
    /// that it can be read.
    pub secret: Secret,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_valid_until_it_expires_or_is_revoked() {
        let at = Timestamp::from_millis;
        let mut key = ApiKey {
            id: ApiKeyId::new(at(0), 1),
            name: String::new(),
            scope: None,
            read_only: false,
            requests_per_second: 1,
            created_at: at(0),
            expires_at: None,
            revoked_at: None,
            last_used_at: None,
        };
        assert!(key.is_valid(at(0)) && key.is_valid(at(i64::MAX)));
        key.expires_at = Some(at(10));
        assert!(key.is_valid(at(9)) && !key.is_valid(at(10)));
        // A clock that was set back brings nothing back to life.
        key.expires_at = None;
        key.revoked_at = Some(at(10));
        assert!(!key.is_valid(at(9)) && !key.is_valid(at(11)));
    }

    #[test]
    fn an_id_is_the_beginning_of_a_key() {
        let id = ApiKeyId::new(Timestamp::from_millis(1_742_034_600_000), 7);
        assert_eq!(id.to_string().len(), "hbk_01jqebhswje1ka1z7ahr9rfsgt".len());
        assert_eq!(id.to_string().parse(), Ok(id));
        for text in [
            "",
            "hbk_",
            "hbk_01JQEBHSWJE1KA1Z7AHR9RFSGT",
            "evt_01jqebhswje1ka1z7ahr9rfsgt",
        ] {
            assert!(ApiKeyId::parse(text).is_err(), "{text}");
        }
    }
}
