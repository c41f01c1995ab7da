//! What the checks share: a storage driven as hookbox drives it, on a clock of the check's own.

use std::fmt::Debug;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::Place;
use super::held::{Failure, Held, one};
use crate::error::Result;
use crate::machine::{ControlHeaders, judge};
use crate::model::{
    App, AppId, AppState, Attempt, AttemptResult, Batch, BatchId, BatchStatus, DeliveryPolicy,
    Event, EventId, EventType, Events, FailureKind, NewEvent, Overrides, Profile, Timestamp,
    Webhook, WebhookId, WebhookIdStyle, WebhookUrl,
};
use crate::storage::{
    ApiKeyFilter, AttemptFilter, BatchFilter, ClaimRequest, Claimed, EventFilter, Exchanged, Page,
    PageRequest, PreparedEvent, Settlement, Storage, StoredWebhook, WebhookFilter,
};

/// The event type that webhooks are subscribed to, unless said otherwise.
pub(super) const TYPE: &str = "user.created";
/// Another one in the catalogue.
pub(super) const OTHER: &str = "user.deleted";

/// Exchanges in a row that may say that there is more; then they are taken to never end.
const EXCHANGES_MAX: usize = 1_000;

/// So many seconds after the check began.
pub(super) fn at(seconds: u64) -> Timestamp {
    Timestamp::from_millis(1_800_000_000_000).plus(Duration::from_secs(seconds))
}

pub(super) fn just_before(time: Timestamp) -> Timestamp {
    time.minus(Duration::from_millis(1))
}

pub(super) fn event_type(name: &str) -> Result<EventType> {
    EventType::parse(name)
}

/// Subscribed to these types only.
pub(super) fn only(names: &[&str]) -> Result<Events> {
    let types: Result<Vec<EventType>> = names.iter().map(|name| event_type(name)).collect();
    Ok(Events::only(types?))
}

/// A storage in its place.
pub(super) struct Scene<'a> {
    place: &'a Place,
    pub(super) storage: Arc<dyn Storage>,
    /// For ids and seeds: no number is given twice in one place.
    unique: Arc<AtomicU64>,
}

/// A batch that was sent and accepted.
pub(super) struct Delivery {
    pub(super) claimed: Claimed,
    pub(super) payloads: Vec<String>,
}

impl<'a> Scene<'a> {
    /// Opens an empty place; the catalogue holds [`TYPE`] and [`OTHER`].
    pub(super) fn open(place: &'a Place) -> Held<Self> {
        let storage = (place.open)()?;
        storage.set_event_types(vec![event_type(TYPE)?, event_type(OTHER)?], true)?;
        Ok(Self {
            place,
            storage,
            unique: Arc::new(AtomicU64::new(1)),
        })
    }

    /// Closes the storage, and opens it again.
    pub(super) fn reopen(self) -> Held<Self> {
        let Self {
            place,
            storage,
            unique,
        } = self;
        drop(storage);
        Ok(Self {
            storage: (place.open)()?,
            place,
            unique,
        })
    }

    /// The same where the data outlives its handle; else as it was.
    pub(super) fn reopen_if_kept(self) -> Held<Self> {
        if self.place.forgets {
            Ok(self)
        } else {
            self.reopen()
        }
    }

    /// Another handle on the same data.
    pub(super) fn beside(&self) -> Held<Self> {
        Ok(Self {
            place: self.place,
            storage: (self.place.open)()?,
            unique: Arc::clone(&self.unique),
        })
    }

    /// Another handle where there can be one; else the same.
    pub(super) fn beside_if_possible(&self) -> Held<Self> {
        if self.place.one_at_a_time {
            Ok(Self {
                place: self.place,
                storage: Arc::clone(&self.storage),
                unique: Arc::clone(&self.unique),
            })
        } else {
            self.beside()
        }
    }

    pub(super) fn unique(&self) -> u64 {
        self.unique.fetch_add(1, Ordering::Relaxed)
    }

    /// Creates an app without keys and without jitter.
    pub(super) fn app(&self, name: &str) -> Held<AppId> {
        self.app_with(name, |_| ())
    }

    /// The same, with a policy of its own.
    pub(super) fn app_with(
        &self,
        name: &str,
        change: impl FnOnce(&mut DeliveryPolicy),
    ) -> Held<AppId> {
        let mut profile = Profile::prelude();
        profile.delivery.jitter_percent = 0;
        // One batch at a time, full or not, unless a check is about that.
        profile.delivery.concurrency_full = 1;
        change(&mut profile.delivery);
        let id = AppId::parse(name)?;
        let app = App {
            id: id.clone(),
            state: AppState::Enabled,
            profile,
            created_at: at(0),
        };
        self.storage.create_app(app, Vec::new())?;
        Ok(id)
    }

    /// An active webhook as it may be registered.
    pub(super) fn new_webhook(&self, app: &AppId) -> Result<StoredWebhook> {
        let webhook = Webhook {
            id: WebhookId::new(
                WebhookIdStyle::WebUlid,
                at(0),
                u128::from(self.unique()) << 40,
            ),
            app_id: app.clone(),
            url: WebhookUrl::parse("https://receiver.example/hook")?,
            events: only(&[TYPE])?,
            verified: true,
            enabled: true,
            description: String::new(),
            environment: None,
            overrides: Overrides::default(),
            header_names: Vec::new(),
            has_basic_auth: false,
            last_http_code: None,
            created_at: at(0),
            updated_at: at(0),
            last_enabled_at: None,
            last_disabled_at: None,
        };
        Ok(StoredWebhook {
            webhook,
            sealed: vec![1, 2, 3],
        })
    }

    /// Registers an active webhook, subscribed to [`TYPE`].
    pub(super) fn webhook(&self, app: &AppId) -> Held<WebhookId> {
        self.webhook_with(app, |_| ())
    }

    /// The same, with something changed before.
    pub(super) fn webhook_with(
        &self,
        app: &AppId,
        change: impl FnOnce(&mut Webhook),
    ) -> Held<WebhookId> {
        let mut stored = self.new_webhook(app)?;
        change(&mut stored.webhook);
        let id = stored.webhook.id.clone();
        self.storage.create_webhook(stored)?;
        Ok(id)
    }

    /// Changes a webhook.
    pub(super) fn edit(
        &self,
        app: &AppId,
        id: &WebhookId,
        change: impl Fn(&mut Webhook) + Send + 'static,
    ) -> Held<StoredWebhook> {
        let edit = move |stored: &mut StoredWebhook| {
            change(&mut stored.webhook);
            Ok(())
        };
        Ok(self.storage.edit_webhook(app, id, Box::new(edit))?)
    }

    /// An event of [`TYPE`], emitted at the start.
    pub(super) fn event(&self, payload: impl Into<String>) -> Result<PreparedEvent> {
        self.event_at(at(0), payload)
    }

    pub(super) fn event_at(
        &self,
        created_at: Timestamp,
        payload: impl Into<String>,
    ) -> Result<PreparedEvent> {
        Ok(PreparedEvent {
            id: EventId::new(created_at, u128::from(self.unique())),
            created_at,
            event: NewEvent::new(event_type(TYPE)?, payload),
        })
    }

    /// Emits numbers, in one call.
    pub(super) fn emit(&self, app: &AppId, numbers: Range<u64>) -> Held<Vec<EventId>> {
        self.emit_at(app, at(0), numbers)
    }

    pub(super) fn emit_at(
        &self,
        app: &AppId,
        created_at: Timestamp,
        numbers: Range<u64>,
    ) -> Held<Vec<EventId>> {
        let events: Result<_> = numbers
            .map(|number| self.event_at(created_at, number.to_string()))
            .collect();
        Ok(self.storage.emit(app, events?)?)
    }

    /// Emits one event of this type.
    pub(super) fn emit_type(&self, app: &AppId, name: &str, payload: &str) -> Held<EventId> {
        let mut event = self.event(payload)?;
        event.event.event_type = event_type(name)?;
        one("ids of an emit", self.storage.emit(app, vec![event])?)
    }

    /// Stores results, and asks for at most so many batches.
    pub(super) fn exchange(
        &self,
        now: Timestamp,
        results: Vec<Settlement>,
        batches_max: usize,
    ) -> Held<Exchanged> {
        let request = ClaimRequest::any(batches_max);
        let seed = self.unique();
        Ok(self.storage.exchange(now, seed, results, Some(request))?)
    }

    /// Lets the storage give events their positions, and find out whom it owes them.
    pub(super) fn route(&self) -> Held {
        for _ in 0..EXCHANGES_MAX {
            if !self.exchange(at(0), Vec::new(), 0)?.more {
                return Ok(());
            }
        }
        Err(Failure::new(
            "exchanges say for ever that there is more to do",
        ))
    }

    /// Claims at most so many batches.
    pub(super) fn claim(&self, now: Timestamp, batches_max: usize) -> Held<Vec<Claimed>> {
        let mut claimed = Vec::new();
        for _ in 0..EXCHANGES_MAX {
            let exchanged = self.exchange(now, Vec::new(), batches_max - claimed.len())?;
            claimed.extend(exchanged.claimed);
            if !exchanged.more || claimed.len() >= batches_max {
                return Ok(claimed);
            }
        }
        Err(Failure::new(
            "exchanges say for ever that there is more to do",
        ))
    }

    /// Claims, where one batch is due.
    pub(super) fn claim_one(&self, now: Timestamp) -> Held<Claimed> {
        one("claimed batches", self.claim(now, 10)?)
    }

    /// Stores one result, which must be taken.
    pub(super) fn settle(&self, now: Timestamp, result: Settlement) -> Held<Exchanged> {
        let batch = result.batch_id;
        let exchanged = self
            .storage
            .exchange(now, self.unique(), vec![result], None)?;
        if exchanged.lost.is_empty() {
            Ok(exchanged)
        } else {
            Err(Failure::new(format!(
                "a result for {batch} was refused while its lease was held"
            )))
        }
    }

    /// Claims and delivers until nothing is due.
    pub(super) fn drain(&self, now: Timestamp) -> Held<Vec<Delivery>> {
        let mut deliveries = Vec::new();
        for _ in 0..EXCHANGES_MAX {
            let claimed = self.claim(now, 100)?;
            if claimed.is_empty() {
                return Ok(deliveries);
            }
            for claimed in claimed {
                let payloads = self.payloads(&claimed.batch)?;
                self.settle(now, answered(&claimed, now, 200))?;
                deliveries.push(Delivery { claimed, payloads });
            }
        }
        Err(Failure::new("what is due never ends"))
    }

    /// The payloads delivered until nothing is due, in order of delivery, batch by batch.
    pub(super) fn delivered(&self, now: Timestamp) -> Held<Vec<Vec<String>>> {
        let deliveries = self.drain(now)?;
        Ok(deliveries.into_iter().map(|one| one.payloads).collect())
    }

    /// The payloads of a batch.
    pub(super) fn payloads(&self, batch: &Batch) -> Held<Vec<String>> {
        let events = self.storage.read_events(&batch.positions)?;
        Ok(events.into_iter().map(|event| event.payload).collect())
    }

    pub(super) fn batch(&self, id: &BatchId) -> Held<Batch> {
        Ok(self.storage.get_batch(id)?)
    }

    pub(super) fn status(&self, id: &BatchId) -> Held<BatchStatus> {
        Ok(self.batch(id)?.status)
    }

    // Whole listings, through pages of one size.

    pub(super) fn apps(&self, limit: usize) -> Held<Vec<App>> {
        all(limit, |page| self.storage.list_apps(page))
    }

    pub(super) fn webhooks(&self, app: &AppId, limit: usize) -> Held<Vec<Webhook>> {
        let filter = WebhookFilter::default;
        all(limit, |page| {
            self.storage.list_webhooks(app, filter(), page)
        })
    }

    pub(super) fn events(&self, app: &AppId, limit: usize) -> Held<Vec<Event>> {
        let filter = EventFilter::default;
        all(limit, |page| self.storage.list_events(app, filter(), page))
    }

    pub(super) fn batches(&self, app: &AppId, limit: usize) -> Held<Vec<Batch>> {
        let filter = BatchFilter::default;
        all(limit, |page| self.storage.list_batches(app, filter(), page))
    }

    pub(super) fn attempts(&self, app: &AppId, limit: usize) -> Held<Vec<Attempt>> {
        let filter = AttemptFilter::default;
        all(limit, |page| {
            self.storage.list_attempts(app, filter(), page)
        })
    }

    /// Everything that can be read, line by line.
    pub(super) fn picture(&self) -> Held<Vec<String>> {
        let mut lines = vec![format!("types: {:?}", self.storage.event_types()?)];
        let position = self.storage.stats()?.last_position;
        lines.push(format!("last position: {position}"));
        let filter = ApiKeyFilter::default;
        let api_keys = all(1000, |page| self.storage.list_api_keys(filter(), page))?;
        lines.extend(api_keys.iter().map(|key| format!("{key:?}")));
        for app in self.apps(1000)? {
            lines.push(format!("{app:?}"));
            for key in self.storage.keys(&app.id)? {
                lines.push(format!("{key:?} sealed {:?}", key.sealed));
            }
            for webhook in self.webhooks(&app.id, 1000)? {
                let stored = self.storage.get_webhook(&app.id, &webhook.id)?;
                lines.push(format!("{:?} sealed {:?}", stored.webhook, stored.sealed));
                lines.push(format!("{:?}", self.storage.backlog(&app.id, &webhook.id)?));
            }
            let events = self.events(&app.id, 1000)?;
            lines.extend(events.iter().map(|event| format!("{event:?}")));
            let batches = self.batches(&app.id, 1000)?;
            lines.extend(batches.iter().map(|batch| format!("{batch:?}")));
            let attempts = self.attempts(&app.id, 1000)?;
            lines.extend(attempts.iter().map(|attempt| format!("{attempt:?}")));
        }
        Ok(lines)
    }
}

/// A whole listing, page by page.
pub(super) fn all<T: Debug>(
    limit: usize,
    list: impl Fn(PageRequest) -> Result<Page<T>>,
) -> Held<Vec<T>> {
    let mut items = Vec::new();
    let mut cursor = None;
    for _ in 0..EXCHANGES_MAX {
        let page = list(PageRequest::first(limit)?.after(cursor))?;
        if page.items.len() > limit {
            let length = page.items.len();
            return Err(Failure::new(format!(
                "a page of at most {limit} rows has {length}"
            )));
        }
        items.extend(page.items);
        cursor = page.next_cursor;
        if cursor.is_none() {
            return Ok(items);
        }
    }
    Err(Failure::new("a listing never ends"))
}

/// The result of an attempt that was answered.
pub(super) fn answered(claimed: &Claimed, now: Timestamp, status: u16) -> Settlement {
    answered_with(claimed, now, status, ControlHeaders::default())
}

pub(super) fn answered_with(
    claimed: &Claimed,
    now: Timestamp,
    status: u16,
    headers: ControlHeaders<'_>,
) -> Settlement {
    settlement(claimed, now, AttemptResult::Status(status), headers)
}

/// The result of an attempt without an answer.
pub(super) fn failed(claimed: &Claimed, now: Timestamp, kind: FailureKind) -> Settlement {
    let result = AttemptResult::Failure(kind);
    settlement(claimed, now, result, ControlHeaders::default())
}

fn settlement(
    claimed: &Claimed,
    now: Timestamp,
    result: AttemptResult,
    headers: ControlHeaders<'_>,
) -> Settlement {
    let attempt = Attempt {
        batch_id: claimed.batch.id,
        webhook_id: claimed.batch.webhook_id.clone(),
        number: claimed.batch.attempts,
        started_at: now,
        duration_ms: 7,
        result,
        excerpt: "as answered".into(),
    };
    let outcome = judge(&claimed.policy, result, headers, now);
    Settlement {
        batch_id: claimed.batch.id,
        fence: claimed.batch.fence,
        attempt: Some((attempt, outcome)),
    }
}

/// Gives a batch back unsent.
pub(super) fn given_back(claimed: &Claimed) -> Settlement {
    Settlement {
        batch_id: claimed.batch.id,
        fence: claimed.batch.fence,
        attempt: None,
    }
}
