//! From values to plain data and back. The layout is in [`super::keys`].

use crate::error::Result;
use crate::model::{
    App, AppId, AppState, Attempt, AttemptResult, Batch, BatchId, BatchStatus, DeliveryMode,
    EndReason, Environment, Event, EventId, EventType, FailureKind, Position, SigningKey,
    Timestamp, Webhook, WebhookId,
};
use crate::storage::tables::Subscription;
use crate::storage::{PreparedEvent, StoredKey, StoredWebhook};

use super::codec::{Decoder, Encoder};

/// What of an app is read for every event and claim.
#[derive(Debug, Clone, Copy)]
pub(super) struct AppHead {
    pub(super) state: AppState,
    pub(super) version: i64,
}

pub(super) fn app_value(app: &App, version: i64) -> Result<Vec<u8>> {
    let value = Encoder::default()
        .flag(app.state == AppState::Enabled)
        .number(version)
        .time(app.created_at)
        .json(&app.profile)?;
    Ok(value.0)
}

pub(super) fn app_head(read: &mut Decoder<'_>) -> Result<AppHead> {
    Ok(AppHead {
        state: if read.flag()? {
            AppState::Enabled
        } else {
            AppState::Disabled
        },
        version: read.number()?,
    })
}

pub(super) fn app(id: AppId, value: &[u8]) -> Result<App> {
    let mut read = Decoder::new("an app", value);
    let head = app_head(&mut read)?;
    let app = App {
        id,
        state: head.state,
        created_at: read.time()?,
        profile: read.json()?,
    };
    read.end()?;
    Ok(app)
}

pub(super) fn key_value(stored: &StoredKey) -> Result<Vec<u8>> {
    let key = &stored.key;
    let value = Encoder::default()
        .option(key.published_until, Encoder::time)
        .option(key.signs_until, Encoder::time)
        .time(key.signs_from)
        .time(key.created_at)
        .text(key.kid.as_str())
        .bytes(&stored.sealed)
        .json(&key.public)?;
    Ok(value.0)
}

/// When a key is published until.
pub(super) fn key_published_until(value: &[u8]) -> Result<Option<Timestamp>> {
    Decoder::new("a key", value).option(Decoder::time)
}

pub(super) fn key(app_id: AppId, value: &[u8]) -> Result<StoredKey> {
    let mut read = Decoder::new("a key", value);
    let published_until = read.option(Decoder::time)?;
    let signs_until = read.option(Decoder::time)?;
    let (signs_from, created_at, kid) = (read.time()?, read.time()?, read.named()?);
    let sealed = read.bytes()?.to_vec();
    let key = SigningKey {
        app_id,
        kid,
        public: read.json()?,
        has_private_part: !sealed.is_empty(),
        created_at,
        signs_from,
        signs_until,
        published_until,
    };
    read.end()?;
    Ok(StoredKey { key, sealed })
}

pub(super) fn webhook_value(stored: &StoredWebhook, version: i64) -> Result<Vec<u8>> {
    let webhook = &stored.webhook;
    let value = Encoder::default()
        .number(version)
        .text(webhook.app_id.as_str())
        .text(webhook.id.as_str())
        .flag(webhook.verified)
        .flag(webhook.enabled)
        .option(webhook.environment.as_ref(), environment)
        .time(webhook.created_at)
        .time(webhook.updated_at)
        .option(webhook.last_enabled_at, Encoder::time)
        .option(webhook.last_disabled_at, Encoder::time)
        .flag(webhook.has_basic_auth)
        .text(webhook.url.as_str())
        .text(&webhook.description)
        .json(&webhook.events)?
        .json(&webhook.overrides)?
        .json(&webhook.header_names)?
        .bytes(&stored.sealed);
    Ok(value.0)
}

pub(super) fn webhook_version(value: &[u8]) -> Result<i64> {
    Decoder::new("a webhook", value).number()
}

/// A webhook; its last HTTP status is elsewhere.
pub(super) fn webhook(value: &[u8]) -> Result<StoredWebhook> {
    let mut read = Decoder::new("a webhook", value);
    read.number()?;
    let (app_id, id) = (read.parsed()?, read.parsed()?);
    let (verified, enabled) = (read.flag()?, read.flag()?);
    let environment = read.option(Decoder::named)?;
    let (created_at, updated_at) = (read.time()?, read.time()?);
    let last_enabled_at = read.option(Decoder::time)?;
    let last_disabled_at = read.option(Decoder::time)?;
    let webhook = Webhook {
        id,
        app_id,
        verified,
        enabled,
        environment,
        last_http_code: None,
        created_at,
        updated_at,
        last_enabled_at,
        last_disabled_at,
        has_basic_auth: read.flag()?,
        url: read.named()?,
        description: read.text()?.to_owned(),
        events: read.json()?,
        overrides: read.json()?,
        header_names: read.json()?,
    };
    let sealed = read.bytes()?.to_vec();
    read.end()?;
    Ok(StoredWebhook { webhook, sealed })
}

fn environment(to: Encoder, environment: &Environment) -> Encoder {
    to.text(environment.as_str())
}

pub(super) fn subscription_value(held: &Subscription) -> Vec<u8> {
    Encoder::default()
        .option(held.until, Encoder::number)
        .option(held.environment.as_ref(), environment)
        .0
}

pub(super) fn subscription(event_type: &str, from: Position, value: &[u8]) -> Result<Subscription> {
    let mut read = Decoder::new("a subscription", value);
    let held = Subscription {
        event_type: event_type.to_owned(),
        from,
        until: read.option(Decoder::number)?,
        environment: read.option(Decoder::named)?,
    };
    read.end()?;
    Ok(held)
}

/// An event as the log keeps it, without its payload. Borrowed: routing reads many.
#[derive(Debug, Clone, Copy)]
pub(super) struct EntryRow<'a> {
    pub(super) created_at: Timestamp,
    pub(super) at_most_once: bool,
    pub(super) bytes: u64,
    pub(super) app: &'a str,
    pub(super) event_type: &'a str,
    pub(super) id: &'a str,
    pub(super) environment: Option<&'a str>,
    pub(super) key: Option<&'a str>,
}

impl<'a> EntryRow<'a> {
    pub(super) fn new(app: &'a AppId, id: &'a str, prepared: &'a PreparedEvent) -> Self {
        let event = &prepared.event;
        Self {
            created_at: prepared.created_at,
            at_most_once: event.mode == DeliveryMode::AtMostOnce,
            bytes: event.payload.len() as u64,
            app: app.as_str(),
            event_type: event.event_type.as_str(),
            id,
            environment: event.environment.as_ref().map(Environment::as_str),
            key: event.idempotency_key.as_deref(),
        }
    }

    pub(super) fn value(&self) -> Vec<u8> {
        Encoder::default()
            .time(self.created_at)
            .flag(self.at_most_once)
            .count(self.bytes)
            .text(self.app)
            .text(self.event_type)
            .text(self.id)
            .option(self.environment, Encoder::text)
            .option(self.key, Encoder::text)
            .0
    }

    pub(super) fn parse(value: &'a [u8]) -> Result<Self> {
        let mut read = Decoder::new("an event", value);
        let entry = Self {
            created_at: read.time()?,
            at_most_once: read.flag()?,
            bytes: read.count()?,
            app: read.text()?,
            event_type: read.text()?,
            id: read.text()?,
            environment: read.option(Decoder::text)?,
            key: read.option(Decoder::text)?,
        };
        read.end()?;
        Ok(entry)
    }

    pub(super) fn event(&self, position: Position, payload: Vec<u8>) -> Result<Event> {
        let bad = |why: String| super::codec::bad_row("an event", why);
        let environment = self.environment.map(Environment::parse).transpose();
        let id: EventId = self.id.parse().map_err(|error| bad(format!("{error}")))?;
        let event_type = EventType::parse(self.event_type);
        Ok(Event {
            id,
            position,
            app_id: AppId::parse(self.app).map_err(|error| bad(error.to_string()))?,
            event_type: event_type.map_err(|error| bad(error.to_string()))?,
            payload: String::from_utf8(payload).map_err(|error| bad(error.to_string()))?,
            created_at: self.created_at,
            idempotency_key: self.key.map(str::to_owned),
            environment: environment.map_err(|error| bad(error.to_string()))?,
            mode: DeliveryMode::of(self.at_most_once),
        })
    }
}

/// What of a batch decides about its index entries, and what retention and listings look at first.
#[derive(Debug, Clone)]
pub(super) struct BatchHead {
    pub(super) webhook_no: i64,
    pub(super) app: String,
    pub(super) id: String,
    pub(super) status: BatchStatus,
    pub(super) due_at: Option<Timestamp>,
    pub(super) created_at: Timestamp,
    pub(super) ended_at: Option<Timestamp>,
    pub(super) attempts: u32,
    pub(super) first: Position,
    pub(super) last: Position,
}

impl BatchHead {
    pub(super) fn of(webhook_no: i64, batch: &Batch) -> Self {
        Self {
            webhook_no,
            app: batch.app_id.to_string(),
            id: batch.id.to_string(),
            status: batch.status,
            due_at: batch.due_at,
            created_at: batch.created_at,
            ended_at: batch.ended_at,
            attempts: batch.attempts,
            first: batch.positions.first().unwrap_or(0),
            last: batch.positions.last().unwrap_or(0),
        }
    }

    fn read(read: &mut Decoder<'_>) -> Result<Self> {
        Ok(Self {
            webhook_no: read.number()?,
            app: read.text()?.to_owned(),
            id: read.text()?.to_owned(),
            status: read.status()?,
            due_at: read.option(Decoder::time)?,
            created_at: read.time()?,
            ended_at: read.option(Decoder::time)?,
            attempts: read.small()?,
            first: read.number()?,
            last: read.number()?,
        })
    }

    pub(super) fn parse(value: &[u8]) -> Result<Self> {
        Self::read(&mut Decoder::new("a batch", value))
    }
}

pub(super) fn batch_value(head: &BatchHead, batch: &Batch) -> Vec<u8> {
    Encoder::default()
        .number(head.webhook_no)
        .text(&head.app)
        .text(&head.id)
        .byte(super::keys::status_byte(head.status))
        .option(head.due_at, Encoder::time)
        .time(head.created_at)
        .option(head.ended_at, Encoder::time)
        .count(u64::from(head.attempts))
        .number(head.first)
        .number(head.last)
        .text(batch.webhook_id.as_str())
        .option(batch.parent, |to, id| to.text(&id.to_string()))
        .flag(batch.mode == DeliveryMode::AtMostOnce)
        .option(batch.end_reason.map(EndReason::as_str), Encoder::text)
        .count(u64::from(batch.failures))
        .option(batch.window_start, Encoder::time)
        .count(batch.fence)
        .positions(&batch.positions)
        .0
}

/// A batch, and the number of its webhook.
pub(super) fn batch(value: &[u8]) -> Result<(i64, Batch)> {
    let mut read = Decoder::new("a batch", value);
    let head = BatchHead::read(&mut read)?;
    let id: BatchId = head.id.parse().map_err(|error| read.bad(error))?;
    let app_id: AppId = head.app.parse().map_err(|error| read.bad(error))?;
    let webhook_id: WebhookId = read.parsed()?;
    let parent = read.option(Decoder::parsed)?;
    let at_most_once = read.flag()?;
    let end_reason = read.option(Decoder::named)?;
    let (failures, window_start) = (read.small()?, read.option(Decoder::time)?);
    let (fence, positions) = (read.count()?, read.positions()?);
    read.end()?;
    let batch = Batch {
        id,
        app_id,
        webhook_id,
        positions,
        parent,
        mode: DeliveryMode::of(at_most_once),
        status: head.status,
        end_reason,
        created_at: head.created_at,
        attempts: head.attempts,
        failures,
        window_start,
        due_at: head.due_at,
        fence,
        ended_at: head.ended_at,
    };
    Ok((head.webhook_no, batch))
}

/// Whose an attempt is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AttemptHead {
    pub(super) batch_no: i64,
    pub(super) webhook_no: i64,
    pub(super) app: String,
}

impl AttemptHead {
    fn read(read: &mut Decoder<'_>) -> Result<Self> {
        Ok(Self {
            batch_no: read.number()?,
            webhook_no: read.number()?,
            app: read.text()?.to_owned(),
        })
    }

    pub(super) fn parse(value: &[u8]) -> Result<Self> {
        Self::read(&mut Decoder::new("an attempt", value))
    }
}

pub(super) fn attempt_value(head: &AttemptHead, attempt: &Attempt) -> Vec<u8> {
    let (status, error) = match attempt.result {
        AttemptResult::Status(status) => (Some(u64::from(status)), None),
        AttemptResult::Failure(kind) => (None, Some(kind.as_str())),
    };
    Encoder::default()
        .number(head.batch_no)
        .number(head.webhook_no)
        .text(&head.app)
        .text(&attempt.batch_id.to_string())
        .text(attempt.webhook_id.as_str())
        .count(u64::from(attempt.number))
        .time(attempt.started_at)
        .count(attempt.duration_ms.min(i64::MAX.unsigned_abs()))
        .option(status, Encoder::count)
        .option(error, Encoder::text)
        .text(&attempt.excerpt)
        .0
}

pub(super) fn attempt(value: &[u8]) -> Result<Attempt> {
    let mut read = Decoder::new("an attempt", value);
    AttemptHead::read(&mut read)?;
    let (batch_id, webhook_id) = (read.parsed()?, read.parsed()?);
    let (number, started_at, duration_ms) = (read.small()?, read.time()?, read.count()?);
    let status = read.option(Decoder::small::<u16>)?;
    let error = read.option(Decoder::named::<FailureKind>)?;
    let result = match (status, error) {
        (Some(status), None) => AttemptResult::Status(status),
        (None, Some(kind)) => AttemptResult::Failure(kind),
        _ => return Err(read.bad("must have either a status or an error")),
    };
    let excerpt = read.text()?.to_owned();
    read.end()?;
    Ok(Attempt {
        batch_id,
        webhook_id,
        number,
        started_at,
        duration_ms,
        result,
        excerpt,
    })
}
