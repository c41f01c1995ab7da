//! Driving a storage as the dispatcher does, without anything behind it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use hookbox::machine::{ControlHeaders, Outcome, judge};
use hookbox::model::{
    App, AppId, AppState, Attempt, AttemptResult, DeliveryPolicy, EventId, EventType, Events,
    FailureKind, NewEvent, Overrides, Profile, Timestamp, Webhook, WebhookId, WebhookIdStyle,
    WebhookUrl,
};
use hookbox::storage::{
    ClaimRequest, Claimed, Exchanged, PreparedEvent, Settlement, Storage, StoredWebhook,
};

const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);
const TYPE: &str = "user.created";

/// Batches claimed at once: what the dispatcher asks for with its default number of senders.
const CLAIMED: usize = 16;

/// A storage with apps and webhooks in it.
pub struct Filled {
    storage: Arc<dyn Storage>,
    apps: Vec<AppId>,
    next: AtomicU64,
}

/// What an exchange cost.
#[derive(Clone, Copy)]
pub struct Claims {
    pub mean: Duration,
    pub p99: Duration,
}

impl Filled {
    /// With so many apps, each with so many webhooks whose batches hold at most `per_batch` events.
    pub fn new(storage: Arc<dyn Storage>, apps: usize, webhooks: usize, per_batch: u32) -> Self {
        let mut profile = Profile::prelude();
        profile.delivery.batch_events_max = per_batch;
        let it = Self {
            apps: (0..apps.max(1)).map(app_id).collect(),
            storage,
            next: AtomicU64::new(1),
        };
        for app in &it.apps {
            let created = App {
                id: app.clone(),
                state: AppState::Enabled,
                profile: profile.clone(),
                created_at: NOW,
            };
            it.storage.create_app(created, Vec::new()).unwrap();
            for _ in 0..webhooks {
                it.storage.create_webhook(it.webhook(app)).unwrap();
            }
        }
        it
    }

    /// The same, as another process finds it.
    pub fn reopen(storage: Arc<dyn Storage>) -> Self {
        Self {
            storage,
            apps: Vec::new(),
            next: AtomicU64::new(1 << 40),
        }
    }

    fn unique(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    fn webhook(&self, app: &AppId) -> StoredWebhook {
        let webhook = Webhook {
            id: WebhookId::new(WebhookIdStyle::WebUlid, NOW, u128::from(self.unique())),
            app_id: app.clone(),
            url: WebhookUrl::parse("https://receiver.example/hook").unwrap(),
            events: Events::Only(vec![EventType::parse(TYPE).unwrap()]),
            verified: true,
            enabled: true,
            description: String::new(),
            environment: None,
            overrides: Overrides::default(),
            header_names: Vec::new(),
            has_basic_auth: false,
            last_http_code: None,
            created_at: NOW,
            updated_at: NOW,
            last_enabled_at: Some(NOW),
            last_disabled_at: None,
        };
        StoredWebhook {
            webhook,
            sealed: vec![0; 32],
        }
    }

    fn events(&self, count: usize, bytes: usize) -> Vec<PreparedEvent> {
        let payload = format!("{{\"text\":\"{}\"}}", "x".repeat(bytes.saturating_sub(11)));
        (0..count)
            .map(|_| PreparedEvent {
                // Random in their order, as real ids are within one millisecond.
                id: EventId::new(
                    NOW,
                    u128::from(self.unique().wrapping_mul(0x9E37_79B9_7F4A_7C15)),
                ),
                created_at: NOW,
                event: NewEvent::new(EventType::parse(TYPE).unwrap(), payload.clone()),
            })
            .collect()
    }

    /// Events per second, from so many threads, so many in each call.
    pub fn emit_rate(&self, total: usize, size: usize, threads: usize) -> f64 {
        let calls = (total / size / threads).max(1);
        // Before the clock starts, once: connections and statements.
        self.storage
            .emit(&self.apps[0], self.events(size, 500))
            .unwrap();
        let began = Instant::now();
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    for _ in 0..calls {
                        let events = self.events(size, 500);
                        self.storage.emit(&self.apps[0], events).unwrap();
                    }
                });
            }
        });
        rate(calls * size * threads, began.elapsed())
    }

    /// Emits this many events over all apps in turn, and routes them.
    pub fn fill(&self, total: u64) {
        let apps = self.apps.len() as u64;
        for (index, app) in (0..).zip(&self.apps) {
            let mut left = total / apps + u64::from(index < total % apps);
            while left > 0 {
                let count = left.min(1_000);
                let events = self.events(usize::try_from(count).unwrap(), 120);
                self.storage.emit(app, events).unwrap();
                left -= count;
            }
        }
        let nothing = ClaimRequest::any(0);
        while self.exchange(Vec::new(), Some(nothing)).more {}
    }

    /// Makes this many batches that wait for a time that does not come, equally for each webhook,
    /// and after them one event for each webhook.
    pub fn fill_waiting(&self, total: usize) {
        let webhooks = self.apps.len() * 10;
        let each = total.div_ceil(webhooks);
        let mut made = 0;
        for _ in 0..each {
            self.fill(self.apps.len() as u64);
            let mut results = Vec::new();
            loop {
                let some = ClaimRequest::any(1_000);
                let exchanged = self.exchange(std::mem::take(&mut results), Some(some));
                if exchanged.claimed.is_empty() && !exchanged.more {
                    break;
                }
                made += exchanged.claimed.len();
                // Our own fault: tried again in a minute, and nothing is held against anybody.
                let fault = AttemptResult::Failure(FailureKind::Signing);
                results = settle(&exchanged.claimed, fault);
            }
        }
        assert!(made >= total, "{made} of {total}");
        self.fill(self.apps.len() as u64);
    }

    /// Delivers everything at once; events per second.
    pub fn drain_rate(&self) -> f64 {
        let began = Instant::now();
        let (mut events, mut results) = (0, Vec::new());
        loop {
            let some = ClaimRequest::any(CLAIMED);
            let exchanged = self.exchange(std::mem::take(&mut results), Some(some));
            if exchanged.claimed.is_empty() && !exchanged.more {
                return rate(events, began.elapsed());
            }
            events += exchanged
                .claimed
                .iter()
                .map(|one| one.batch.positions.len())
                .sum::<usize>();
            results = settle(&exchanged.claimed, AttemptResult::Status(200));
        }
    }

    /// The cost of one exchange, in the middle of what waits.
    pub fn claim_cost(&self, rounds: usize) -> Claims {
        let mut results = Vec::new();
        let mut spans = Vec::new();
        for round in 0..rounds + 20 {
            let some = ClaimRequest::any(CLAIMED);
            let began = Instant::now();
            let exchanged = self.exchange(std::mem::take(&mut results), Some(some));
            // The first ones find statements, caches and clocks cold.
            if round >= 20 && exchanged.claimed.len() == CLAIMED {
                spans.push(began.elapsed());
            }
            results = settle(&exchanged.claimed, AttemptResult::Status(200));
        }
        assert!(spans.len() * 2 >= rounds, "{} full claims", spans.len());
        spans.sort();
        Claims {
            mean: spans.iter().sum::<Duration>() / u32::try_from(spans.len()).unwrap(),
            p99: spans[spans.len() * 99 / 100],
        }
    }

    fn exchange(&self, results: Vec<Settlement>, claim: Option<ClaimRequest>) -> Exchanged {
        self.storage
            .exchange(NOW, self.unique(), results, claim)
            .unwrap()
    }
}

fn app_id(no: usize) -> AppId {
    AppId::parse(&format!("app-{no:05}")).unwrap()
}

fn settle(claimed: &[Claimed], result: AttemptResult) -> Vec<Settlement> {
    claimed
        .iter()
        .map(|one| Settlement {
            batch_id: one.batch.id,
            fence: one.batch.fence,
            attempt: Some((attempt(one, result), outcome(&one.policy, result))),
        })
        .collect()
}

fn outcome(policy: &DeliveryPolicy, result: AttemptResult) -> Outcome {
    judge(policy, result, ControlHeaders::default(), NOW)
}

fn attempt(claimed: &Claimed, result: AttemptResult) -> Attempt {
    Attempt {
        batch_id: claimed.batch.id,
        webhook_id: claimed.batch.webhook_id.clone(),
        number: claimed.batch.attempts,
        started_at: NOW,
        duration_ms: 1,
        result,
        excerpt: "ok".to_owned(),
    }
}

fn rate(count: usize, span: Duration) -> f64 {
    count as f64 / span.as_secs_f64()
}
