//! `demo`: the whole way on loopback, in a temporary folder. Every step is checked; one that does
//! not do what it says ends the demo with an error.

use std::time::Duration;

use hookbox::clock::{Clock, SystemClock};
use hookbox::model::{
    BatchId, BatchStatus, EventType, Events, NewWebhook, RetrySchedule, Webhook, WebhookUpdate,
};
use hookbox::storage::{AttemptFilter, PageRequest};
use hookbox::transport::AddressPolicy;
use hookbox::verify::{self, NotAuthentic, Request};
use hookbox::{Hookbox, Options};
use serde::Serialize;

use crate::demo_receiver::{DemoReceiver, Received};
use crate::failure::{Failure, Outcome};
use crate::output::{Output, table_text};
use crate::records::attempt_table;

const APP: &str = "54e9ujn";
const TYPE: &str = "user.created";
const TOKEN: &str = "only-we-two-know";
/// Short, so that nobody waits for the real schedule.
const RETRY_WAIT: Duration = Duration::from_millis(300);
/// The whole demo takes far less.
const PATIENCE: Duration = Duration::from_secs(20);

/// What the demo showed, for `--json`.
#[derive(Serialize)]
struct Summary {
    ok: bool,
    webhook_id: String,
    event_ids: Vec<String>,
    recovered_batch: String,
    attempts: usize,
    sentences: Vec<String>,
}

struct Demo {
    out: Output,
    hooks: Hookbox,
    receiver: DemoReceiver,
}

pub fn demo(out: Output) -> Outcome {
    let failed = |error: std::io::Error| Failure::Demo(error.to_string());
    let folder = tempfile::tempdir().map_err(failed)?;
    let receiver = DemoReceiver::start("somebody-else's-token").map_err(failed)?;
    let policy = AddressPolicy {
        allow_http: true,
        allow: vec![std::net::IpAddr::from([127, 0, 0, 1]).into()],
        ..AddressPolicy::default()
    };
    let hooks = Options::new()
        .addresses(policy)
        .open(folder.path().join("demo.db"))?;
    let demo = Demo {
        out,
        hooks,
        receiver,
    };
    demo.out.say(&format!(
        "A box in {}, and a receiver at {}. Plain http to loopback is allowed for the demo only.",
        folder.path().display(),
        demo.receiver.url
    ))?;
    let webhook = demo.register()?;
    demo.activate(&webhook)?;
    let first = demo.deliver()?;
    let (second, batch) = demo.recover(&webhook)?;
    demo.look_back(&webhook, vec![first, second], &batch)
}

impl Demo {
    fn step(&self, number: u8, title: &str) -> Outcome {
        self.out.say(&format!("\n{number}. {title}"))
    }

    fn say(&self, text: &str) -> Outcome {
        self.out.say(&format!("   {}", text.replace('\n', "\n   ")))
    }

    fn register(&self) -> Outcome<Webhook> {
        self.step(1, "Register")?;
        self.hooks.create_app(APP)?;
        let events = Events::only([EventType::parse(TYPE)?]);
        let new = NewWebhook::new(&self.receiver.url)
            .token(TOKEN)
            .events(events);
        let webhook = self.hooks.create_webhook(APP, new)?;
        must(!webhook.is_active(), "a new webhook is inactive")?;
        self.say(&format!(
            "App {APP} has a signing key and webhook {}.",
            webhook.id
        ))?;
        self.say("It is inactive: its endpoint has not proved that its owner wants the events.")?;
        Ok(webhook)
    }

    fn activate(&self, webhook: &Webhook) -> Outcome {
        self.step(2, "The challenge")?;
        let refused = self.hooks.activate(APP, &webhook.id);
        let Err(error) = refused else {
            return Err(Failure::Demo(
                "an endpoint that does not know the token passed".into(),
            ));
        };
        must(
            error.code() == "webhook_activation_failed",
            "the wrong answer is refused",
        )?;
        must(
            !self.hooks.webhook(APP, &webhook.id)?.is_active(),
            "it stays inactive",
        )?;
        self.say("The receiver expects another token, so it refuses to answer. hookbox says:")?;
        self.say(&format!("  {error}"))?;
        self.receiver.expect_token(TOKEN);
        let active = self.hooks.activate(APP, &webhook.id)?;
        self.hooks.start()?;
        must(active.is_active(), "the right answer activates")?;
        let asked = self.receiver.challenges();
        must(asked.len() == 2, "the endpoint was asked twice")?;
        self.say("Now the receiver knows the token. The request it answered:")?;
        self.say(&format!("  {}", asked[1].line))?;
        self.say("It gave the number back: the webhook is active.")
    }

    /// Lets the threads deliver until nothing is due any more.
    fn wait(&self) -> Outcome {
        let deadline = SystemClock.now().plus(PATIENCE);
        while SystemClock.now() < deadline {
            match self.hooks.wait_idle(PATIENCE) {
                Some(idle) if idle.next_due.is_none() => return Ok(()),
                // A retry is to come.
                _ => std::thread::sleep(RETRY_WAIT / 4),
            }
        }
        must(false, "all is delivered in time")
    }

    fn deliver(&self) -> Outcome<String> {
        self.step(3, "Emit, and a signed batch arrives")?;
        let payload = r#"{"user_id":"usr_01","profile":{"name":"Ada"},"source":"demo"}"#;
        let id = self.hooks.emit(APP, TYPE, payload)?.to_string();
        self.say(&format!(
            "Emitted {id}: durable from here on. The receiver got:"
        ))?;
        self.wait()?;
        let deliveries = self.receiver.deliveries();
        must(deliveries.len() == 1, "one request came")?;
        let delivery = &deliveries[0];
        self.show(delivery)?;
        let jwks = self.hooks.jwks(APP)?;
        let check = |body: &[u8]| {
            let headers = delivery.headers.iter().map(|(name, value)| (name, value));
            let request = Request::new(headers, body);
            verify::verify_prelude(
                &request,
                &jwks,
                &verify::Options::default(),
                SystemClock.now(),
            )
        };
        let events = check(&delivery.body).map_err(|reason| Failure::Demo(reason.to_string()))?;
        must(
            events.len() == 1 && events[0].id.as_deref() == Some(&id),
            "the event is in it",
        )?;
        must(events[0].payload == payload, "the payload came verbatim")?;
        self.say("hookbox::verify against the app's JWK set: authentic, with this event inside.")?;
        let mut flipped = delivery.body.clone();
        if let Some(byte) = flipped.last_mut() {
            *byte ^= 1;
        }
        let refused = check(&flipped);
        must(
            refused == Err(NotAuthentic::SignatureMismatch),
            "a flipped bit is refused",
        )?;
        self.say("The same with one bit of the body flipped: the signature does not match.")?;
        Ok(id)
    }

    fn show(&self, delivery: &Received) -> Outcome {
        self.say(&format!("  {}", delivery.line))?;
        for (name, value) in &delivery.headers {
            let value = if value.len() > 70 {
                format!("{}…", &value[..70])
            } else {
                value.clone()
            };
            self.say(&format!("  {name}: {value}"))?;
        }
        self.say(&format!("\n  {}", String::from_utf8_lossy(&delivery.body)))
    }

    fn recover(&self, webhook: &Webhook) -> Outcome<(String, BatchId)> {
        self.step(4, "A failing endpoint recovers")?;
        self.say("This webhook's retries are set to 300 ms for the demo, instead of 1 minute and")?;
        self.say("doubling up to 12 hours for 14 days. The receiver answers 503, 500, then 200.")?;
        let mut overrides = webhook.overrides.clone();
        overrides.retry = Some(RetrySchedule::Waits(vec![RETRY_WAIT; 5]));
        let update = WebhookUpdate {
            overrides: Some(overrides),
            ..WebhookUpdate::default()
        };
        self.hooks.update_webhook(APP, &webhook.id, update)?;
        self.receiver.answer_with(&[503, 500]);
        let id = self.hooks.emit(APP, TYPE, r#"{"user_id":"usr_02"}"#)?;
        self.wait()?;
        let deliveries = self.receiver.deliveries();
        must(deliveries.len() == 4, "it took three attempts")?;
        let same =
            deliveries[1].body == deliveries[2].body && deliveries[2].body == deliveries[3].body;
        must(same, "each attempt had the same bytes")?;
        let story = self.hooks.explain_event(&id)?;
        must(story.batches.len() == 1, "the event is in one batch")?;
        let batch = &story.batches[0].batch;
        must(
            batch.status == BatchStatus::Delivered,
            "the batch is delivered",
        )?;
        self.say(&format!(
            "Batch {} was delivered at the third attempt, with the same bytes.",
            batch.id
        ))?;
        Ok((id.to_string(), batch.id))
    }

    fn look_back(&self, webhook: &Webhook, event_ids: Vec<String>, batch: &BatchId) -> Outcome {
        self.step(5, "The record")?;
        let page = PageRequest::default();
        let attempts = self
            .hooks
            .attempts(APP, AttemptFilter::default(), page)?
            .items;
        must(attempts.len() == 4, "every attempt is on record")?;
        self.say(&table_text(&attempt_table(&attempts)))?;
        self.step(6, "Explain")?;
        let story = self.hooks.explain_batch(batch)?;
        must(!story.sentences.is_empty(), "a batch has a story")?;
        for sentence in &story.sentences {
            self.say(sentence)?;
        }
        must(self.hooks.check()?.is_empty(), "the box is sound")?;
        let summary = Summary {
            ok: true,
            webhook_id: webhook.id.to_string(),
            event_ids,
            recovered_batch: batch.to_string(),
            attempts: attempts.len(),
            sentences: story.sentences,
        };
        self.out
            .result(&summary, || "\nEvery step did what it says.".into())
    }
}

fn must(holds: bool, what: &str) -> Outcome {
    if holds {
        Ok(())
    } else {
        Err(Failure::Demo(format!("It is not so that {what}.")))
    }
}
