//! An event: one entry of the append-only log.

use serde::{Deserialize, Serialize};

use crate::model::{AppId, Environment, EventId, EventType, Timestamp};

/// An event's place in the log, counted from 1. Positions grow in commit order and are never reused.
pub type Position = i64;

/// What may be emitted. Made with [`NewEvent::new`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEvent {
    /// Its type; must be in the catalogue.
    pub event_type: EventType,
    /// One JSON text, stored and sent verbatim.
    pub payload: String,
    /// With a key, emitting again returns the first event's id and stores nothing
    /// (1 to 255 bytes; compared per app, for as long as retention keeps the event).
    pub idempotency_key: Option<String>,
    /// The environment it happened in. Webhooks bound to another environment are not owed it.
    pub environment: Option<Environment>,
    /// At least once (the default) or at most once.
    pub mode: DeliveryMode,
}

impl NewEvent {
    /// An event with a type and a JSON payload, and everything else as by default.
    #[must_use]
    pub fn new(event_type: EventType, payload: impl Into<String>) -> Self {
        Self {
            event_type,
            payload: payload.into(),
            idempotency_key: None,
            environment: None,
            mode: DeliveryMode::AtLeastOnce,
        }
    }

    /// Sets the idempotency key.
    #[must_use]
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.idempotency_key = Some(key.into());
        self
    }
}

/// What to do when it is unknown whether the endpoint got the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryMode {
    /// Send again: the endpoint may see an event twice, and deduplicates on its id.
    #[default]
    AtLeastOnce,
    /// Do not send again once any byte of a request may have arrived: an event may be lost.
    AtMostOnce,
}

impl DeliveryMode {
    /// From a flag, as databases, the C ABI and the shell have it.
    pub(crate) const fn of(at_most_once: bool) -> Self {
        if at_most_once {
            Self::AtMostOnce
        } else {
            Self::AtLeastOnce
        }
    }
}

/// An event as stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Event {
    /// Receivers deduplicate on it.
    pub id: EventId,
    /// Its place in the log.
    pub position: Position,
    /// The app it belongs to.
    pub app_id: AppId,
    /// Its type.
    #[serde(rename = "type")]
    pub event_type: EventType,
    /// The JSON text as emitted.
    pub payload: String,
    /// When it was emitted.
    pub created_at: Timestamp,
    /// As given at emission.
    pub idempotency_key: Option<String>,
    /// As given at emission.
    pub environment: Option<Environment>,
    /// As given at emission.
    pub mode: DeliveryMode,
}
