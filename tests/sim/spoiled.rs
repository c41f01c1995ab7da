//! A storage with a planted bug.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hookbox::Result;
use hookbox::machine::{Outcome, Verdict, lease_span};
use hookbox::model::*;
use hookbox::storage::*;

use super::planted::Plant;
use super::watch::lock;

/// A storage with a bug.
#[derive(Debug)]
pub struct Spoiled {
    inner: Arc<dyn Storage>,
    plant: Plant,
    memory: Mutex<Memory>,
}

#[derive(Debug, Default)]
struct Memory {
    calls: u32,
    latest: Timestamp,
    claimed: BTreeMap<BatchId, Claimed>,
    ended: Vec<(AppId, BatchId)>,
}

impl Spoiled {
    pub fn over(inner: Arc<dyn Storage>, plant: Plant) -> Arc<dyn Storage> {
        Arc::new(Self {
            inner,
            plant,
            memory: Mutex::default(),
        })
    }

    /// Makes a call while the catalogue holds every type.
    fn with_every_type<T>(&self, call: impl FnOnce(&dyn Storage) -> Result<T>) -> Result<T> {
        let before = self.inner.event_types()?;
        self.inner.set_event_types(every_type(), false)?;
        let came = call(self.inner.as_ref());
        self.inner.set_event_types(before, true)?;
        came
    }

    fn results(&self, results: &mut [Settlement]) {
        for result in results {
            if self.plant == Plant::IgnoresFences
                && let Ok(batch) = self.inner.get_batch(&result.batch_id)
            {
                result.fence = batch.fence;
            }
            let Some((attempt, outcome)) = &mut result.attempt else {
                continue;
            };
            match self.plant {
                Plant::CallsRefusedDelivered if outcome.verdict == Verdict::Refused => {
                    *outcome = Outcome {
                        verdict: Verdict::Delivered,
                        retry_after: None,
                        deactivate: None,
                    };
                }
                Plant::MiscountsAttempts => attempt.number = 1,
                Plant::IgnoresRetryAfter => outcome.retry_after = None,
                _ => {}
            }
        }
    }
}

macro_rules! pass_on {
    ($(fn $name:ident($($arg:ident: $type:ty),*) -> $result:ty;)*) => {
        $(fn $name(&self, $($arg: $type),*) -> $result { self.inner.$name($($arg),*) })*
    };
}

fn every_type() -> Vec<EventType> {
    let parsed = |name: &&str| EventType::parse(name).unwrap();
    PRELUDE_EVENT_TYPES.iter().map(parsed).collect()
}

const HOUR: Duration = Duration::from_secs(3600);

impl Storage for Spoiled {
    fn exchange(
        &self,
        now: Timestamp,
        seed: u64,
        mut results: Vec<Settlement>,
        claim: Option<ClaimRequest>,
    ) -> Result<Exchanged> {
        self.results(&mut results);
        let mut memory = lock(&self.memory);
        let mut asked = claim;
        let mut then = now;
        match self.plant {
            Plant::IsEarly if !results.is_empty() => {
                then = now.minus(HOUR);
                asked = None;
            }
            Plant::WaitsForTheClock => {
                memory.latest = memory.latest.max(now);
                asked = asked.filter(|_| memory.latest == now);
            }
            Plant::ClaimsTooMuch => {
                if let Some(claim) = &mut asked {
                    claim.batches_max += 3;
                    claim.class_max = claim.class_max.map(|most| most + 3);
                }
            }
            _ => {}
        }
        let ended: Vec<BatchId> = results.iter().map(|result| result.batch_id).collect();
        let mut exchanged = self.inner.exchange(then, seed, results, asked)?;
        exchanged.more |= self.plant == Plant::IsEarly && asked != claim;
        match self.plant {
            Plant::LosesClaims => {
                exchanged
                    .claimed
                    .retain(|one| !one.batch.positions.contains(3));
            }
            Plant::LengthensLeases => {
                for one in &mut exchanged.claimed {
                    one.batch.due_at = one.batch.due_at.map(|end| end.plus(HOUR));
                }
            }
            Plant::StealsLeases => {
                memory.calls += 1;
                if memory.calls.is_multiple_of(3) && claim.is_some() {
                    // What has ended meanwhile would be another bug.
                    let is_out = |id: &BatchId| {
                        let batch = self.inner.get_batch(id);
                        batch.is_ok_and(|batch| batch.status == BatchStatus::Leased)
                    };
                    let again = memory.claimed.pop_first().filter(|(id, _)| is_out(id));
                    exchanged.claimed.extend(again.map(|(_, mut claimed)| {
                        let lease_end = now.plus(lease_span(&claimed.policy));
                        claimed.batch.due_at = Some(lease_end);
                        claimed
                    }));
                }
                for one in &exchanged.claimed {
                    memory.claimed.insert(one.batch.id, one.clone());
                }
            }
            Plant::Resurrects => {
                for id in ended {
                    if let Ok(batch) = self.inner.get_batch(&id)
                        && batch.status == BatchStatus::Delivered
                    {
                        memory.ended.push((batch.app_id, id));
                    }
                }
                memory.calls += 1;
                if memory.calls.is_multiple_of(5)
                    && let Some((app, id)) = memory.ended.pop()
                {
                    let _ = self.inner.resend(&app, &id, now);
                }
            }
            _ => {}
        }
        Ok(exchanged)
    }

    fn emit(&self, app: &AppId, mut events: Vec<PreparedEvent>) -> Result<Vec<EventId>> {
        match self.plant {
            Plant::ForgetsEmits => {
                let mut memory = lock(&self.memory);
                memory.calls += 1;
                if memory.calls.is_multiple_of(4) {
                    return Ok(events.iter().map(|event| event.id).collect());
                }
            }
            Plant::IgnoresKeys => {
                for event in &mut events {
                    event.event.idempotency_key = None;
                }
            }
            Plant::TakesAnyType => {
                return self.with_every_type(|inner| inner.emit(app, events));
            }
            _ => {}
        }
        self.inner.emit(app, events)
    }

    fn event_types(&self) -> Result<Vec<EventType>> {
        if self.plant == Plant::HearsAnyType {
            return Ok(every_type());
        }
        self.inner.event_types()
    }

    fn set_event_types(&self, types: Vec<EventType>, replace: bool) -> Result<()> {
        let replace = replace && self.plant != Plant::KeepsWithdrawnTypes;
        self.inner.set_event_types(types, replace)
    }

    fn delete_app(&self, id: &AppId) -> Result<()> {
        if self.plant == Plant::KeepsApps {
            return self.inner.get_app(id).map(drop);
        }
        self.inner.delete_app(id)
    }

    fn create_webhook(&self, mut webhook: StoredWebhook) -> Result<()> {
        match self.plant {
            Plant::IgnoresPace => webhook.webhook.overrides.rate_limit = None,
            Plant::HearsAnyType => {
                return self.with_every_type(|inner| inner.create_webhook(webhook));
            }
            _ => {}
        }
        self.inner.create_webhook(webhook)
    }

    fn create_app(&self, mut app: App, keys: Vec<StoredKey>) -> Result<()> {
        if self.plant == Plant::NeverGivesUp
            && let RetrySchedule::Doubling { window, .. } = &mut app.profile.delivery.retry
        {
            *window *= 2;
        }
        self.inner.create_app(app, keys)
    }

    fn edit_webhook(
        &self,
        app: &AppId,
        id: &WebhookId,
        edit: EditWebhook,
    ) -> Result<StoredWebhook> {
        if self.plant == Plant::IgnoresDeactivation {
            let before = self.inner.get_webhook(app, id)?;
            let mut after = StoredWebhook::clone(&before);
            edit(&mut after)?;
            if before.webhook.enabled && !after.webhook.enabled {
                return Ok(after);
            }
        }
        self.inner.edit_webhook(app, id, edit)
    }

    fn read_events(&self, positions: &Positions) -> Result<Vec<Event>> {
        let mut events = self.inner.read_events(positions)?;
        if self.plant == Plant::ChangesBodies {
            let mut memory = lock(&self.memory);
            memory.calls += 1;
            if memory.calls.is_multiple_of(3) {
                events.iter_mut().for_each(|event| event.payload.push(' '));
            }
        }
        Ok(events)
    }

    fn keys(&self, app: &AppId) -> Result<Vec<StoredKey>> {
        let mut keys = self.inner.keys(app)?;
        if self.plant == Plant::SignsWithGoneKeys {
            // The first of all goes on for ever.
            keys.truncate(1);
            for stored in &mut keys {
                stored.key.signs_until = None;
                stored.key.published_until = None;
            }
        }
        Ok(keys)
    }

    fn foreign_writes(&self) -> Result<i64> {
        self.inner.foreign_writes()
    }

    fn backup(&self, to: &Path) -> Result<()> {
        self.inner.backup(to)
    }

    pass_on! {
        fn get_app(id: &AppId) -> Result<Arc<App>>;
        fn list_apps(page: PageRequest) -> Result<Page<App>>;
        fn set_app_state(id: &AppId, state: AppState) -> Result<App>;
        fn edit_keys(app: &AppId, edit: EditKeys) -> Result<Vec<StoredKey>>;
        fn create_api_key(key: StoredApiKey) -> Result<()>;
        fn get_api_key(id: &ApiKeyId) -> Result<StoredApiKey>;
        fn list_api_keys(filter: ApiKeyFilter, page: PageRequest) -> Result<Page<ApiKey>>;
        fn revoke_api_key(id: &ApiKeyId, now: Timestamp) -> Result<ApiKey>;
        fn note_api_key_use(id: &ApiKeyId, at: Timestamp) -> Result<()>;
        fn get_webhook(app: &AppId, id: &WebhookId) -> Result<Arc<StoredWebhook>>;
        fn list_webhooks(app: &AppId, filter: WebhookFilter, page: PageRequest) -> Result<Page<Webhook>>;
        fn delete_webhook(app: &AppId, id: &WebhookId) -> Result<()>;
        fn resend(app: &AppId, batch: &BatchId, now: Timestamp) -> Result<Batch>;
        fn cancel(app: &AppId, batch: &BatchId, now: Timestamp) -> Result<Batch>;
        fn replay(app: &AppId, webhook: &WebhookId, since: Timestamp) -> Result<u64>;
        fn get_event(id: &EventId) -> Result<Event>;
        fn list_events(app: &AppId, filter: EventFilter, page: PageRequest) -> Result<Page<Event>>;
        fn get_batch(id: &BatchId) -> Result<Batch>;
        fn list_batches(app: &AppId, filter: BatchFilter, page: PageRequest) -> Result<Page<Batch>>;
        fn list_attempts(app: &AppId, filter: AttemptFilter, page: PageRequest) -> Result<Page<Attempt>>;
        fn backlog(app: &AppId, webhook: &WebhookId) -> Result<BacklogRow>;
        fn prune(before: Timestamp, now: Timestamp, slice: usize) -> Result<bool>;
        fn check() -> Result<Vec<String>>;
        fn stats() -> Result<StorageStats>;
        fn awaited_by(event: &Event) -> Result<Vec<WebhookId>>;
        fn batches_of(event: &Event) -> Result<Vec<Batch>>;
    }
}
