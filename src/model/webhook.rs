//! A webhook: one registered URL of an app.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::model::profile::{DeliveryPolicy, RetrySchedule, millis_option};
use crate::model::{AppId, Events, Secret, Timestamp, WebhookId, WebhookUrl};

/// The name of an environment: 1 to 64 characters of `A-Z a-z 0-9 . _ -`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Environment(String);

impl Environment {
    /// Checks and takes a name.
    ///
    /// # Errors
    /// [`Error::InvalidRequest`] where the text breaks the rule above.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let well_formed = (1..=64).contains(&text.len())
            && text
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
        if well_formed {
            Ok(Self(text.to_owned()))
        } else {
            Err(Error::invalid(
                "environment",
                "must be 1 to 64 characters of A-Z a-z 0-9 . _ -",
            ))
        }
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Environment {
    type Error = Error;
    fn try_from(text: String) -> Result<Self, Error> {
        Self::parse(&text)
    }
}

impl From<Environment> for String {
    fn from(name: Environment) -> Self {
        name.0
    }
}

/// One registered URL of an app. Secrets are kept apart ([`WebhookSecrets`]) and never shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Webhook {
    /// Its id.
    pub id: WebhookId,
    /// The app it belongs to.
    pub app_id: AppId,
    /// Where its requests go.
    pub url: WebhookUrl,
    /// Which event types it is subscribed to.
    pub events: Events,
    /// Whether the endpoint passed its challenge.
    pub verified: bool,
    /// The operator's switch.
    pub enabled: bool,
    /// For people, at most 1024 bytes.
    pub description: String,
    /// Only events of this environment are owed; `None` hears all.
    pub environment: Option<Environment>,
    /// Settings of its own.
    pub overrides: Overrides,
    /// Names of the custom headers; their values are secrets.
    pub header_names: Vec<String>,
    /// Whether requests carry basic authentication.
    pub has_basic_auth: bool,
    /// The status of the last delivery that was answered, and when; `None` before the first.
    pub last_http_code: Option<(u16, Timestamp)>,
    /// When it was registered.
    pub created_at: Timestamp,
    /// When its registration last changed.
    pub updated_at: Timestamp,
    /// When it was last enabled.
    pub last_enabled_at: Option<Timestamp>,
    /// When it was last disabled.
    pub last_disabled_at: Option<Timestamp>,
}

impl Webhook {
    /// Whether it is owed what is emitted now: verified and enabled.
    #[must_use]
    pub const fn is_active(&self) -> bool {
        self.verified && self.enabled
    }
}

/// Settings of a webhook that replace those of its app's profile.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Overrides {
    /// The deadline of one attempt: 1 s to 60 s.
    #[serde(with = "millis_option")]
    pub timeout: Option<Duration>,
    /// Fresh batches in flight, full or not, and as many retries beside them: 1 to 64.
    pub concurrency: Option<u32>,
    /// Requests a second at most.
    pub rate_limit: Option<RateLimit>,
    /// When a failed batch is tried again.
    pub retry: Option<RetrySchedule>,
    /// Whether a failed batch holds back the ones after it.
    pub ordering: Ordering,
}

/// At most this many requests a second, with bursts of up to one second's worth: 1 to 10 000.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RateLimit {
    /// Requests a second.
    pub per_second: u32,
}

/// Whether a failed batch holds back the ones after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ordering {
    /// It does not: retries and fresh batches go side by side.
    #[default]
    None,
    /// First in, first out: one batch at a time, the next only when it has ended.
    Fifo,
}

impl DeliveryPolicy {
    /// Fresh batches that a webhook may have in flight at the very most.
    #[must_use]
    pub fn widest(&self) -> u32 {
        self.concurrency.max(self.concurrency_full)
    }

    /// This policy with a webhook's overrides laid over it.
    #[must_use]
    pub fn with(&self, overrides: &Overrides) -> Self {
        let mut policy = self.clone();
        if let Some(timeout) = overrides.timeout {
            policy.timeout = timeout;
        }
        if let Some(concurrency) = overrides.concurrency {
            policy.concurrency = concurrency;
            policy.concurrency_full = concurrency;
        }
        if let Some(retry) = &overrides.retry {
            policy.retry = retry.clone();
        }
        if overrides.ordering == Ordering::Fifo {
            policy.concurrency = 1;
            policy.concurrency_full = 1;
        }
        policy
    }
}

/// What a webhook keeps secret; stored sealed when the box has a key-encryption key.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WebhookSecrets {
    /// Sent in the activation challenge, so that the endpoint knows who asks.
    pub verification_token: Secret,
    /// HMAC or Ed25519 secrets, the current one first; two while one is rolled.
    pub signing: Vec<Secret>,
    /// Basic authentication.
    pub basic_auth: Option<BasicAuth>,
    /// Custom headers, sent with every delivery.
    pub headers: Vec<Header>,
}

/// Credentials of basic authentication (RFC 7617); the username has no colon.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BasicAuth {
    /// The username.
    pub username: String,
    /// The password.
    pub password: Secret,
}

/// A custom header.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: Secret,
}

/// What may be registered. Made with [`NewWebhook::new`]; everything else has a default.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewWebhook {
    /// An absolute URL of at most 2048 characters, inside the box's address policy.
    pub url: String,
    /// At most 100 characters; sent with the activation challenge.
    pub verification_token: Secret,
    /// Which event types; `None` means the profile's default (all, or none).
    pub events: Option<Events>,
    /// For people, at most 1024 bytes.
    pub description: String,
    /// The operator's switch; on by default.
    pub enabled: bool,
    /// Only events of this environment.
    pub environment: Option<Environment>,
    /// Custom headers: at most 32, none of those that hookbox or HTTP itself sets.
    pub headers: Vec<Header>,
    /// Basic authentication.
    pub basic_auth: Option<BasicAuth>,
    /// The secret to sign with, for profiles that sign with one; generated when `None`.
    pub signing_secret: Option<Secret>,
    /// Settings of its own.
    pub overrides: Overrides,
}

impl NewWebhook {
    /// A webhook with a URL, and everything else as by default.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            verification_token: Secret::default(),
            events: None,
            description: String::new(),
            enabled: true,
            environment: None,
            headers: Vec::new(),
            basic_auth: None,
            signing_secret: None,
            overrides: Overrides::default(),
        }
    }

    /// Sets the verification token.
    #[must_use]
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.verification_token = Secret::new(token);
        self
    }

    /// Subscribes to these event types.
    #[must_use]
    pub fn events(mut self, events: Events) -> Self {
        self.events = Some(events);
        self
    }
}

/// What to change in a webhook: each `Some` replaces, each `None` leaves as it is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct WebhookUpdate {
    /// A new URL un-verifies the webhook (contracts.md §2.1).
    pub url: Option<String>,
    /// The token of the next activation challenge.
    pub verification_token: Option<Secret>,
    /// Which event types.
    pub events: Option<Events>,
    /// For people.
    pub description: Option<String>,
    /// The operator's switch.
    pub enabled: Option<bool>,
    /// `Some(None)` hears all environments.
    pub environment: Option<Option<Environment>>,
    /// All custom headers.
    pub headers: Option<Vec<Header>>,
    /// `Some(None)` removes basic authentication.
    pub basic_auth: Option<Option<BasicAuth>>,
    /// Settings of its own, all of them.
    pub overrides: Option<Overrides>,
}
