//! Planted bugs: each breaks one invariant, and the judge must name it. What a judge does not see
//! broken, it does not see whole.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hookbox::Result;
use hookbox::machine::{Outcome, Verdict};
use hookbox::model::*;
use hookbox::storage::*;
use hookbox::transport::Request;

use super::network::{Answer, Temper};
use super::plan::Plan;
use super::watch::lock;

/// A bug.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plant {
    /// An emit is acknowledged and not stored.
    ForgetsEmits,
    /// A key is not remembered: emitting again stores again.
    IgnoresKeys,
    /// A batch that has ended comes back by itself.
    Resurrects,
    /// A refusal is stored as success.
    CallsRefusedDelivered,
    /// Claimed batches are lost on their way, again and again.
    LosesClaims,
    /// Each request is sent twice.
    SendsTwice,
    /// Attempts are recorded under another number.
    MiscountsAttempts,
    /// Leases are taken although they last.
    StealsLeases,
    /// Results are taken whatever their fence.
    IgnoresFences,
    /// A lease is handed out as longer than it is.
    LengthensLeases,
    /// More is claimed than was asked for.
    ClaimsTooMuch,
    /// Waits are counted from an hour ago.
    IsEarly,
    /// `Retry-After` is not heard.
    IgnoresRetryAfter,
    /// Retries go on for a month.
    NeverGivesUp,
    /// Time only goes forward: after a clock was set back, nothing happens for long.
    WaitsForTheClock,
    /// A deactivation is acknowledged and not made.
    IgnoresDeactivation,
    /// A challenge that nobody answered is taken for answered.
    BelievesAnybody,
    /// An event is read otherwise the second time.
    ChangesBodies,
    /// Keys sign after they were taken out of the JWK set.
    SignsWithGoneKeys,
    /// A byte of the body changes after it was signed.
    SpoilsBodies,
    /// Each attempt has an id of its own.
    RenamesAttempts,
}

impl Plant {
    pub const ALL: [Self; 21] = [
        Self::ForgetsEmits,
        Self::IgnoresKeys,
        Self::Resurrects,
        Self::CallsRefusedDelivered,
        Self::LosesClaims,
        Self::SendsTwice,
        Self::MiscountsAttempts,
        Self::StealsLeases,
        Self::IgnoresFences,
        Self::LengthensLeases,
        Self::ClaimsTooMuch,
        Self::IsEarly,
        Self::IgnoresRetryAfter,
        Self::NeverGivesUp,
        Self::WaitsForTheClock,
        Self::IgnoresDeactivation,
        Self::BelievesAnybody,
        Self::ChangesBodies,
        Self::SignsWithGoneKeys,
        Self::SpoilsBodies,
        Self::RenamesAttempts,
    ];

    /// The invariant that it breaks.
    pub const fn breaks(self) -> &'static str {
        match self {
            Self::ForgetsEmits => "I1",
            Self::IgnoresKeys => "I2",
            Self::Resurrects => "I3",
            Self::CallsRefusedDelivered => "I4",
            Self::LosesClaims => "I5",
            Self::SendsTwice => "I6",
            Self::MiscountsAttempts => "I7",
            Self::StealsLeases | Self::IgnoresFences => "I8",
            Self::LengthensLeases => "I9",
            Self::ClaimsTooMuch => "I10",
            Self::IsEarly | Self::IgnoresRetryAfter => "I12",
            Self::NeverGivesUp => "I13",
            Self::WaitsForTheClock => "I14",
            Self::IgnoresDeactivation => "I16",
            Self::BelievesAnybody => "I17",
            Self::ChangesBodies => "I18",
            Self::SignsWithGoneKeys => "I19",
            Self::SpoilsBodies => "I20",
            Self::RenamesAttempts => "I21",
        }
    }

    /// Whether a plan has what the bug needs to show.
    pub fn may_show(self, plan: &Plan) -> bool {
        match self {
            Self::WaitsForTheClock => plan.clock_steps,
            Self::NeverGivesUp => plan.profile.delivery.deactivate_after.is_none(),
            Self::IgnoresRetryAfter => plan.tempers.contains(&Temper::Throttling),
            _ => true,
        }
    }

    /// What becomes of a request on its way.
    pub fn spoil(self, request: &Request) -> Option<Request> {
        let mut spoiled = request.clone();
        match self {
            Self::SpoilsBodies => {
                let signature = spoiled
                    .headers
                    .iter_mut()
                    .find(|(name, _)| name == "X-Webhook-Signature")?;
                signature.1 = signature.1.replace('A', "B");
            }
            Self::RenamesAttempts => {
                let id = spoiled
                    .headers
                    .iter_mut()
                    .find(|(name, _)| name == "webhook-id")?;
                id.1 = BatchId::new(Timestamp::from_millis(0), 7).to_string();
            }
            _ => return None,
        }
        Some(spoiled)
    }

    /// What becomes of the answer to a challenge.
    pub fn prove(self, request: &Request, answer: Answer) -> Answer {
        let number = request.query.iter().find(|(name, _)| name == "challenge");
        match (self, answer, number) {
            (Self::BelievesAnybody, Err(_), Some((_, number))) => {
                Ok(hookbox::transport::Response {
                    status: 200,
                    headers: Vec::new(),
                    body: format!("{{\"challenge\":{number}}}").into_bytes(),
                })
            }
            (_, answer, _) => answer,
        }
    }
}

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
                    let again = memory.claimed.pop_first();
                    exchanged.claimed.extend(again.map(|(_, claimed)| claimed));
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
            _ => {}
        }
        self.inner.emit(app, events)
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
        fn delete_app(id: &AppId) -> Result<()>;
        fn event_types() -> Result<Vec<EventType>>;
        fn set_event_types(types: Vec<EventType>, replace: bool) -> Result<()>;
        fn edit_keys(app: &AppId, edit: EditKeys) -> Result<Vec<StoredKey>>;
        fn create_api_key(key: StoredApiKey) -> Result<()>;
        fn get_api_key(id: &ApiKeyId) -> Result<StoredApiKey>;
        fn list_api_keys(filter: ApiKeyFilter, page: PageRequest) -> Result<Page<ApiKey>>;
        fn revoke_api_key(id: &ApiKeyId, now: Timestamp) -> Result<ApiKey>;
        fn note_api_key_use(id: &ApiKeyId, at: Timestamp) -> Result<()>;
        fn create_webhook(webhook: StoredWebhook) -> Result<()>;
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
