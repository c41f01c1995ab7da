//! Names of event types, and which of them a webhook hears.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::model::excerpt;

/// The seven event types of the Prelude profile (seed 002), the default catalogue.
pub const PRELUDE_EVENT_TYPES: [&str; 7] = [
    "user.created",
    "user.deleted",
    "user.profile.updated",
    "user.identifier.created",
    "user.identifier.deleted",
    "user.session.created",
    "user.session.revoked",
];

/// The name of an event type: 1 to 128 characters of `A-Z a-z 0-9 . _ - / :`.
///
/// Whether a name is in the catalogue is checked where it is used.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EventType(String);

impl EventType {
    /// Checks and takes a name.
    ///
    /// # Errors
    /// [`Error::InvalidWebhookEvent`] where the text breaks the rule above.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let well_formed = (1..=128).contains(&text.len())
            && text
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"._-/:".contains(&b));
        if well_formed {
            Ok(Self(text.to_owned()))
        } else {
            Err(Self::unknown(text))
        }
    }

    /// The error for a name that is not in the catalogue.
    pub(crate) fn unknown(text: &str) -> Error {
        Error::InvalidWebhookEvent {
            message: format!("`{}` is not in the catalogue of event types", excerpt(text)),
        }
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for EventType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for EventType {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self, Error> {
        Self::parse(text)
    }
}

impl TryFrom<String> for EventType {
    type Error = Error;
    fn try_from(text: String) -> Result<Self, Error> {
        Self::parse(&text)
    }
}

impl From<EventType> for String {
    fn from(name: EventType) -> Self {
        name.0
    }
}

/// Which event types a webhook is subscribed to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Events {
    /// Every event of the app, of types not yet in the catalogue too.
    All,
    /// These types, without duplicates, in the order given; none at all is allowed and hears
    /// nothing (contracts.md §1.1).
    Only(Vec<EventType>),
}

impl Events {
    /// These types, duplicates dropped, order kept.
    #[must_use]
    pub fn only(types: impl IntoIterator<Item = EventType>) -> Self {
        let mut kept: Vec<EventType> = Vec::new();
        for name in types {
            if !kept.contains(&name) {
                kept.push(name);
            }
        }
        Self::Only(kept)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn duplicates_are_dropped_and_order_is_kept() {
        let names = ["b", "a", "b"].map(|name| EventType::parse(name).unwrap());
        let expected = ["b", "a"].map(|name| EventType::parse(name).unwrap());
        assert_eq!(Events::only(names), Events::Only(expected.to_vec()));
    }

    #[test]
    fn hostile_names_are_refused() {
        for text in ["", "a b", "a\n", "é", "*", &"a".repeat(129)] {
            assert!(EventType::parse(text).is_err(), "{text:?}");
        }
        assert!(
            PRELUDE_EVENT_TYPES
                .iter()
                .all(|name| EventType::parse(name).is_ok())
        );
    }
}
