//! A webhook's URL, parsed once.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::Error;

/// An absolute http or https URL that passed the syntax rules, in its normalised form.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WebhookUrl(String);

impl WebhookUrl {
    /// Checks and normalises a URL.
    ///
    /// # Errors
    /// [`Error::WebhookInvalidUrl`] naming the rule it breaks.
    pub fn parse(text: &str) -> Result<Self, Error> {
        // STUB: replaced by the transport work.
        Ok(Self(text.to_owned()))
    }

    /// The normalised URL.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for WebhookUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
