//! Plain data: ids, times, and what each word of the design means. No I/O, no rules but those
//! that keep a value well formed.

mod api_key;
mod app;
mod attempt;
mod batch;
mod class;
mod event;
mod event_type;
mod health;
mod id;
mod key;
mod notice;
mod positions;
mod profile;
mod secret;
mod time;
mod url;
mod webhook;

pub use api_key::{ApiKey, ApiKeyId, CreatedApiKey, NewApiKey};
pub use app::{App, AppState};
pub use attempt::{Attempt, AttemptResult, EXCERPT_BYTES_MAX, FailureKind};
pub use batch::{Batch, BatchStatus, EndReason};
pub use class::{Class, OfClass};
pub use event::{DeliveryMode, Event, NewEvent, Position};
pub use event_type::{EventType, Events, PRELUDE_EVENT_TYPES};
pub use health::{DeactivationReason, Health};
pub(crate) use id::excerpt;
pub use id::{AppId, BatchId, EventId, WebhookId, WebhookIdStyle};
pub use key::{Jwk, JwkSet, KeyId, KeyPhase, KeySize, SigningKey};
pub use notice::Notice;
pub use positions::Positions;
pub use profile::{
    Base64Alphabet, DeliveryPolicy, Envelope, Profile, RetrySchedule, SignatureScheme, SuccessRule,
    Verification,
};
pub use secret::Secret;
pub use time::Timestamp;
pub use url::WebhookUrl;
pub use webhook::{
    BasicAuth, Environment, Header, NewWebhook, Ordering, Overrides, RateLimit, Webhook,
    WebhookSecrets, WebhookUpdate,
};
