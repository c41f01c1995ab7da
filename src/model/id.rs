//! Typed ids. Each is parsed once, at the edge, and is valid from then on.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use ulid::Ulid;

use crate::error::Error;
use crate::model::Timestamp;

/// An app's id, chosen by the host: 1 to 64 characters of `A-Z a-z 0-9 . _ -`, first one
/// alphanumeric (so that it is safe in a URL path, a header and a file name).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AppId(String);

impl AppId {
    /// Checks and takes an app id.
    ///
    /// # Errors
    /// [`Error::AppNotFound`] where the text cannot be any app's id.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let well_formed = (1..=64).contains(&text.len())
            && text
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
            && text.as_bytes()[0].is_ascii_alphanumeric();
        if well_formed {
            Ok(Self(text.to_owned()))
        } else {
            Err(Error::AppNotFound(excerpt(text)))
        }
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A webhook's id: `web_` and a 26-character lower-case ULID, or `wh_` and 14 base62 characters
/// under the Fingerprint profile.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct WebhookId(String);

/// How a profile writes its webhooks' ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WebhookIdStyle {
    /// `web_01jqebhswje1ka1z7ahr9rfsgt` (seed 000).
    WebUlid,
    /// `wh_HYv9YfsIIUjpvR` (seed 003).
    WhBase62,
}

const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

impl WebhookId {
    /// A new id from a time and 128 random bits.
    #[must_use]
    pub fn new(style: WebhookIdStyle, now: Timestamp, random: u128) -> Self {
        match style {
            WebhookIdStyle::WebUlid => Self(format!("web_{}", ulid_text(ulid_of(now, random)))),
            WebhookIdStyle::WhBase62 => {
                let mut rest = random;
                let mut text = String::from("wh_");
                for _ in 0..14 {
                    text.push(char::from(BASE62[(rest % 62) as usize]));
                    rest /= 62;
                }
                Self(text)
            }
        }
    }

    /// Checks and takes a webhook id of either style.
    ///
    /// # Errors
    /// [`Error::InvalidRequest`] where the text has neither form.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let well_formed = match text.split_once('_') {
            Some(("web", rest)) => parse_ulid(rest).is_some(),
            Some(("wh", rest)) => {
                rest.len() == 14 && rest.bytes().all(|b| b.is_ascii_alphanumeric())
            }
            _ => false,
        };
        if well_formed {
            Ok(Self(text.to_owned()))
        } else {
            Err(Error::invalid("webhook id", "must look like web_… or wh_…"))
        }
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// An event's id: `evt_` and a 26-character lower-case ULID. Receivers deduplicate on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EventId(Ulid);

/// A batch's id: `bat_` and a 26-character lower-case ULID; stable over attempts and resends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct BatchId(Ulid);

impl EventId {
    const PREFIX: &'static str = "evt_";

    /// A new id from a time and 80 random bits (the low ones of `random`).
    #[must_use]
    pub fn new(now: Timestamp, random: u128) -> Self {
        Self(ulid_of(now, random))
    }

    /// Checks and takes an event id.
    ///
    /// # Errors
    /// [`Error::InvalidRequest`] where the text is not of the form.
    pub fn parse(text: &str) -> Result<Self, Error> {
        parse_prefixed(Self::PREFIX, text).map(Self)
    }
}

impl BatchId {
    const PREFIX: &'static str = "bat_";

    /// A new id from a time and 80 random bits (the low ones of `random`).
    #[must_use]
    pub fn new(now: Timestamp, random: u128) -> Self {
        Self(ulid_of(now, random))
    }

    /// Checks and takes a batch id.
    ///
    /// # Errors
    /// [`Error::InvalidRequest`] where the text is not of the form.
    pub fn parse(text: &str) -> Result<Self, Error> {
        parse_prefixed(Self::PREFIX, text).map(Self)
    }
}

pub(super) fn ulid_of(now: Timestamp, random: u128) -> Ulid {
    Ulid::from_parts(u64::try_from(now.as_millis()).unwrap_or(0), random)
}

pub(super) fn ulid_text(ulid: Ulid) -> String {
    let mut text = ulid.to_string();
    text.make_ascii_lowercase();
    text
}

/// Only the canonical form: lower case, 26 characters, no overflow.
fn parse_ulid(text: &str) -> Option<Ulid> {
    let ulid = Ulid::from_string(text).ok()?;
    (ulid_text(ulid) == text).then_some(ulid)
}

pub(super) fn parse_prefixed(prefix: &str, text: &str) -> Result<Ulid, Error> {
    text.strip_prefix(prefix)
        .and_then(parse_ulid)
        .ok_or_else(|| {
            Error::invalid(
                "id",
                format!("must look like {prefix}… (a lower-case ULID)"),
            )
        })
}

/// The first characters of a hostile text, for an error message.
pub(crate) fn excerpt(text: &str) -> String {
    text.chars()
        .take(64)
        .flat_map(char::escape_default)
        .collect()
}

impl fmt::Display for AppId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for WebhookId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", Self::PREFIX, ulid_text(self.0))
    }
}

impl fmt::Display for BatchId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", Self::PREFIX, ulid_text(self.0))
    }
}

impl FromStr for AppId {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self, Error> {
        Self::parse(text)
    }
}

impl FromStr for WebhookId {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self, Error> {
        Self::parse(text)
    }
}

impl FromStr for EventId {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self, Error> {
        Self::parse(text)
    }
}

impl FromStr for BatchId {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self, Error> {
        Self::parse(text)
    }
}

impl TryFrom<String> for AppId {
    type Error = Error;
    fn try_from(text: String) -> Result<Self, Error> {
        Self::parse(&text)
    }
}

impl TryFrom<String> for WebhookId {
    type Error = Error;
    fn try_from(text: String) -> Result<Self, Error> {
        Self::parse(&text)
    }
}

impl TryFrom<String> for EventId {
    type Error = Error;
    fn try_from(text: String) -> Result<Self, Error> {
        Self::parse(&text)
    }
}

impl TryFrom<String> for BatchId {
    type Error = Error;
    fn try_from(text: String) -> Result<Self, Error> {
        Self::parse(&text)
    }
}

impl From<AppId> for String {
    fn from(id: AppId) -> Self {
        id.0
    }
}

impl From<WebhookId> for String {
    fn from(id: WebhookId) -> Self {
        id.0
    }
}

impl From<EventId> for String {
    fn from(id: EventId) -> Self {
        id.to_string()
    }
}

impl From<BatchId> for String {
    fn from(id: BatchId) -> Self {
        id.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_the_seeds_forms() {
        let now = Timestamp::from_millis(1_742_034_600_000);
        let web = WebhookId::new(WebhookIdStyle::WebUlid, now, u128::MAX);
        assert_eq!(web.as_str().len(), "web_01jqebhswje1ka1z7ahr9rfsgt".len());
        assert!(web.as_str().starts_with("web_01jp"));
        let wh = WebhookId::new(WebhookIdStyle::WhBase62, now, u128::MAX);
        assert_eq!(wh.as_str().len(), "wh_HYv9YfsIIUjpvR".len());
        for id in [web, wh] {
            assert_eq!(WebhookId::parse(id.as_str()), Ok(id));
        }
        let event = EventId::new(now, 7);
        assert_eq!(EventId::parse(&event.to_string()), Ok(event));
        let batch = BatchId::new(now, 7);
        assert_eq!(BatchId::parse(&batch.to_string()), Ok(batch));
    }

    #[test]
    fn foreign_ids_are_refused() {
        for text in [
            "",
            "web_",
            "web_01JQEBHSWJE1KA1Z7AHR9RFSGT",
            "wh_short",
            "wh_HYv9YfsIIUjpv!",
            "web_81jqebhswje1ka1z7ahr9rfsgt",
            "evt_01jqebhswje1ka1z7ahr9rfsgt",
        ] {
            assert!(WebhookId::parse(text).is_err(), "{text}");
        }
        assert!(EventId::parse("bat_01jqebhswje1ka1z7ahr9rfsgt").is_err());
        for text in ["", "a b", "-a", "a/b", "é", &"a".repeat(65)] {
            assert!(AppId::parse(text).is_err(), "{text}");
        }
        assert!(AppId::parse("54e9ujn").is_ok());
    }
}
