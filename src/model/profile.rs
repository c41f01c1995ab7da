//! A profile: everything in which the wire contracts differ, as data (design idea 5).

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::model::WebhookIdStyle;

/// A wire contract. Three come with hookbox; a host may build its own from any of them:
///
/// ```
/// use hookbox::model::{Profile, SuccessRule};
/// let mut ours = Profile::prelude();
/// ours.name = "ours".into();
/// ours.delivery.success = SuccessRule::Any2xx;
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// For people; no rule depends on it.
    pub name: String,
    /// How webhook ids are written.
    pub webhook_ids: WebhookIdStyle,
    /// Whether a URL may name its host by IP address (Fingerprint: no, contracts.md §2.1).
    pub ip_literals: bool,
    /// Whether a new webhook hears every event type when it names none.
    pub subscribe_all_by_default: bool,
    /// How an endpoint proves that its owner wants the events.
    pub verification: Verification,
    /// What a request's body looks like.
    pub envelope: Envelope,
    /// How requests are signed.
    pub signature: SignatureScheme,
    /// How deliveries go.
    pub delivery: DeliveryPolicy,
}

/// How an endpoint proves that its owner wants the events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verification {
    /// A GET with a number that must come back (contracts.md §1.2).
    GetChallenge,
    /// A signed POST of a test event that must be answered with exactly 200 (contracts.md §2.2).
    PostTestEvent,
    /// None: activation only switches the webhook on.
    None,
}

/// What a request's body looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Envelope {
    /// `{"app_id": …, "events": [{"id", "type", "payload", "created_at"} …]}` (contracts.md §1.3).
    Batch,
    /// The payload itself, one event a request (contracts.md §2.2).
    Payload,
    /// `{"type", "timestamp", "data"}`, one event a request (Standard Webhooks).
    Standard,
}

/// Which base64 alphabet a signature is written in. Always padded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Base64Alphabet {
    /// `-` and `_`, as both vendor pages say in words (contracts.md §1.4).
    UrlSafe,
    /// `+` and `/`, as the vendor's example shows.
    Standard,
}

/// How requests are signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SignatureScheme {
    /// `X-Webhook-Signature: rsassa-pss-sha256=…` with the app's RSA key (contracts.md §1.4).
    RsaPss {
        /// The alphabet of the signature.
        alphabet: Base64Alphabet,
        /// Also send `X-Webhook-Signature-V2`, a signature over `id.timestamp.body`, which a
        /// receiver can use to refuse replays.
        replay_protection: bool,
    },
    /// `fpjs-event-signature: v1=…`, HMAC-SHA-256 with the webhook's secret (contracts.md §2.2).
    FingerprintHmac,
    /// `webhook-signature: v1,…` or `v1a,…` with the webhook's secrets (contracts.md §3).
    StandardWebhooks,
}

/// Which statuses are success.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SuccessRule {
    /// 200 only (seed 002).
    Only200,
    /// 200 to 299.
    Any2xx,
}

/// When a failed batch is tried again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RetrySchedule {
    /// Wait `first`, then twice as long each time up to `cap`, until `window` has passed since the
    /// first attempt began (contracts.md §1.5).
    Doubling {
        /// The first wait.
        #[serde(with = "millis")]
        first: Duration,
        /// The longest wait.
        #[serde(with = "millis")]
        cap: Duration,
        /// No attempt starts later than this after the first.
        #[serde(with = "millis")]
        window: Duration,
    },
    /// These waits, one retry each, and no more.
    Waits(#[serde(with = "millis_list")] Vec<Duration>),
}

/// How deliveries go. A webhook's overrides are laid over it: [`DeliveryPolicy::with`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeliveryPolicy {
    /// Which statuses are success.
    pub success: SuccessRule,
    /// The deadline of one attempt, over everything from resolving the name to the last byte.
    #[serde(with = "millis")]
    pub timeout: Duration,
    /// When a failed batch is tried again.
    pub retry: RetrySchedule,
    /// A wait is lengthened by a random share of up to this many percent (0 to 100), never shortened.
    pub jitter_percent: u8,
    /// The longest `Retry-After` that is obeyed; a longer one counts as this.
    #[serde(with = "millis")]
    pub retry_after_max: Duration,
    /// Fresh batches in flight per webhook, and as many retries beside them (1 to 64).
    pub concurrency: u32,
    /// The same while each batch beyond [`DeliveryPolicy::concurrency`] is full (1 to 64): waiting
    /// would not make it larger. What is less than `concurrency` counts as that.
    pub concurrency_full: u32,
    /// Events in a batch at most (1 to 10 000; 1 under an envelope of one event).
    pub batch_events_max: u32,
    /// Bytes of payload in a batch at most; a larger event goes alone.
    pub batch_bytes_max: u64,
    /// After this many failures in a row a webhook is sick: one probe at a time.
    pub sick_after: u32,
    /// Deactivate a webhook that answers 410 Gone.
    pub deactivate_on_gone: bool,
    /// Deactivate a webhook after nothing but failures for this long.
    #[serde(with = "millis_option")]
    pub deactivate_after: Option<Duration>,
    /// Split a batch that is refused with 413, or that fails while others succeed.
    pub split: bool,
    /// Obey the receiver's `webhook-delivery: disable | abort-message`.
    pub receiver_control: bool,
}

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);

impl Profile {
    /// The Prelude profile, the default (contracts.md §1).
    #[must_use]
    pub fn prelude() -> Self {
        Self {
            name: "prelude".into(),
            webhook_ids: WebhookIdStyle::WebUlid,
            ip_literals: true,
            subscribe_all_by_default: false,
            verification: Verification::GetChallenge,
            envelope: Envelope::Batch,
            signature: SignatureScheme::RsaPss {
                alphabet: Base64Alphabet::UrlSafe,
                replay_protection: false,
            },
            delivery: DeliveryPolicy {
                success: SuccessRule::Only200,
                timeout: Duration::from_secs(10),
                retry: RetrySchedule::Doubling {
                    first: MINUTE,
                    cap: 12 * HOUR,
                    window: 14 * DAY,
                },
                jitter_percent: 10,
                retry_after_max: 12 * HOUR,
                concurrency: 1,
                concurrency_full: 4,
                batch_events_max: 100,
                batch_bytes_max: 256 * 1024,
                sick_after: 3,
                deactivate_on_gone: true,
                deactivate_after: Some(14 * DAY),
                split: true,
                receiver_control: true,
            },
        }
    }

    /// The Fingerprint profile (contracts.md §2).
    #[must_use]
    pub fn fingerprint() -> Self {
        let prelude = Self::prelude();
        Self {
            name: "fingerprint".into(),
            webhook_ids: WebhookIdStyle::WhBase62,
            ip_literals: false,
            subscribe_all_by_default: true,
            verification: Verification::PostTestEvent,
            envelope: Envelope::Payload,
            signature: SignatureScheme::FingerprintHmac,
            delivery: DeliveryPolicy {
                success: SuccessRule::Any2xx,
                timeout: Duration::from_secs(3),
                retry: RetrySchedule::Waits(vec![5 * MINUTE]),
                jitter_percent: 0,
                concurrency: 4,
                batch_events_max: 1,
                deactivate_after: None,
                ..prelude.delivery
            },
        }
    }

    /// The Standard Webhooks profile (contracts.md §3); its waits are the specification's example.
    #[must_use]
    pub fn standard_webhooks() -> Self {
        let prelude = Self::prelude();
        Self {
            name: "standard_webhooks".into(),
            webhook_ids: WebhookIdStyle::WebUlid,
            ip_literals: true,
            subscribe_all_by_default: true,
            verification: Verification::None,
            envelope: Envelope::Standard,
            signature: SignatureScheme::StandardWebhooks,
            delivery: DeliveryPolicy {
                success: SuccessRule::Any2xx,
                timeout: Duration::from_secs(20),
                retry: RetrySchedule::Waits(vec![
                    Duration::from_secs(5),
                    5 * MINUTE,
                    30 * MINUTE,
                    2 * HOUR,
                    5 * HOUR,
                    10 * HOUR,
                    14 * HOUR,
                    20 * HOUR,
                    24 * HOUR,
                ]),
                concurrency: 4,
                batch_events_max: 1,
                deactivate_after: Some(5 * DAY),
                ..prelude.delivery
            },
        }
    }

    /// A built-in profile by its name: `prelude`, `fingerprint` or `standard_webhooks`.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        match name {
            "prelude" => Some(Self::prelude()),
            "fingerprint" => Some(Self::fingerprint()),
            "standard_webhooks" => Some(Self::standard_webhooks()),
            _ => None,
        }
    }
}

impl Default for Profile {
    fn default() -> Self {
        Self::prelude()
    }
}

/// A duration as whole milliseconds.
pub(crate) mod millis {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub fn serialize<S: Serializer>(span: &Duration, to: S) -> Result<S::Ok, S::Error> {
        u64::try_from(span.as_millis())
            .unwrap_or(u64::MAX)
            .serialize(to)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        u64::deserialize(from).map(Duration::from_millis)
    }
}

/// An optional duration as whole milliseconds or null.
pub(crate) mod millis_option {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[expect(clippy::ref_option, reason = "the signature serde's `with` asks for")]
    pub fn serialize<S: Serializer>(span: &Option<Duration>, to: S) -> Result<S::Ok, S::Error> {
        span.map(|span| u64::try_from(span.as_millis()).unwrap_or(u64::MAX))
            .serialize(to)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Duration>, D::Error> {
        Ok(Option::<u64>::deserialize(from)?.map(Duration::from_millis))
    }
}

/// A list of durations as whole milliseconds.
mod millis_list {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(spans: &[Duration], to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(
            spans
                .iter()
                .map(|span| u64::try_from(span.as_millis()).unwrap_or(u64::MAX)),
        )
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Duration>, D::Error> {
        Ok(Vec::<u64>::deserialize(from)?
            .into_iter()
            .map(Duration::from_millis)
            .collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn profiles_survive_storage() {
        for name in ["prelude", "fingerprint", "standard_webhooks"] {
            let profile = Profile::by_name(name).unwrap();
            let text = serde_json::to_string(&profile).unwrap();
            assert_eq!(serde_json::from_str::<Profile>(&text).unwrap(), profile);
        }
        assert!(Profile::by_name("other").is_none());
    }
}
