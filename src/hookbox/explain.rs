//! What happened to a batch or an event, what comes next, and when: in sentences.

use serde::Serialize;

use crate::error::Result;
use crate::model::{
    App, Attempt, AttemptResult, Batch, BatchId, BatchStatus, EndReason, Event, EventId, Webhook,
};
use crate::storage::{AttemptFilter, BacklogRow, PageRequest};

use super::Hookbox;

/// The story of one batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BatchStory {
    /// The batch.
    pub batch: Batch,
    /// Its attempts, oldest first; the last hundred.
    pub attempts: Vec<Attempt>,
    /// What happened and what comes next, in sentences.
    pub sentences: Vec<String>,
}

/// The story of one event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EventStory {
    /// The event.
    pub event: Event,
    /// The story of each batch that holds it.
    pub batches: Vec<BatchStory>,
    /// What can be said of the event as such.
    pub sentences: Vec<String>,
}

impl Hookbox {
    /// Tells what happened to a batch, what comes next, and when.
    ///
    /// # Errors
    /// [`crate::Error::BatchNotFound`].
    pub fn explain_batch(&self, id: &BatchId) -> Result<BatchStory> {
        self.story(self.storage.get_batch(id)?)
    }

    /// Tells what became of an event: each batch that holds it, and what is not in one yet.
    ///
    /// # Errors
    /// [`crate::Error::EventNotFound`].
    pub fn explain_event(&self, id: &EventId) -> Result<EventStory> {
        let event = self.storage.get_event(id)?;
        let batches = self.storage.batches_of(&event)?;
        let batches = batches.into_iter().map(|batch| self.story(batch));
        let batches = batches.collect::<Result<Vec<_>>>()?;
        let mut sentences = vec![format!(
            "`{}` was emitted at {} as {} of app `{}`, at position {} of the log.",
            event.id, event.created_at, event.event_type, event.app_id, event.position
        )];
        let awaited = self.storage.awaited_by(&event)?;
        sentences.push(match batches.len() {
            0 if awaited.is_empty() => {
                "It is in no batch, and no subscription that held as it was \
                                        emitted still awaits it."
                    .to_owned()
            }
            0 => "It is in no batch yet.".to_owned(),
            1 => "It is in 1 batch.".to_owned(),
            many => format!("It is in {many} batches."),
        });
        for webhook in awaited {
            sentences.push(format!(
                "It waits in the backlog of `{webhook}`, to be sent in its turn."
            ));
        }
        Ok(EventStory {
            event,
            batches,
            sentences,
        })
    }

    fn story(&self, batch: Batch) -> Result<BatchStory> {
        let filter = AttemptFilter {
            batch: Some(batch.id),
            webhook: None,
        };
        let page = PageRequest::default();
        let mut attempts = self
            .storage
            .list_attempts(&batch.app_id, filter, page)?
            .items;
        attempts.reverse();
        let app = self.storage.get_app(&batch.app_id)?;
        let webhook = self.storage.get_webhook(&batch.app_id, &batch.webhook_id)?;
        let backlog = self.storage.backlog(&batch.app_id, &batch.webhook_id)?;
        let sentences = tell(&batch, &attempts, &app, &webhook.webhook, &backlog);
        Ok(BatchStory {
            batch,
            attempts,
            sentences,
        })
    }
}

fn tell(
    batch: &Batch,
    attempts: &[Attempt],
    app: &App,
    webhook: &Webhook,
    backlog: &BacklogRow,
) -> Vec<String> {
    let mut told = vec![format!(
        "`{}` holds {} for `{}` ({}), frozen at {}.",
        batch.id,
        count(batch.positions.len(), "event"),
        batch.webhook_id,
        webhook.url,
        batch.created_at
    )];
    if let Some(parent) = batch.parent {
        told.push(format!("It was split from `{parent}`."));
    }
    if let Some(last) = attempts.last() {
        let came = match last.result {
            AttemptResult::Status(status) => format!("was answered with {status}"),
            AttemptResult::Failure(kind) => format!("failed ({}: {})", kind.as_str(), last.excerpt),
        };
        told.push(format!(
            "Of {} the last, at {}, {came} after {} ms.",
            count(attempts.len(), "attempt"),
            last.started_at,
            last.duration_ms
        ));
    }
    told.push(next_step(batch, app, webhook));
    let policy = app.profile.delivery.with(&webhook.overrides);
    let health = &backlog.health;
    if health.is_sick(&policy) {
        told.push(format!(
            "The webhook is sick ({} in a row): only one request at a time goes out to probe it.",
            count(health.consecutive_failures as usize, "failure")
        ));
    }
    if let Some(until) = health.paused_until {
        told.push(format!("The endpoint asked for silence until {until}."));
    }
    if let Some(at) = health.deactivates_at(&policy) {
        told.push(format!(
            "The webhook will be deactivated at its first failure from {at} on, unless an attempt \
             succeeds before."
        ));
    }
    told
}

fn next_step(batch: &Batch, app: &App, webhook: &Webhook) -> String {
    let due = batch.due_at.map(|at| at.to_string()).unwrap_or_default();
    let ended = batch.ended_at.map(|at| at.to_string()).unwrap_or_default();
    match batch.status {
        BatchStatus::Waiting if app.state == crate::model::AppState::Disabled => {
            "It waits: its app is disabled.".to_owned()
        }
        BatchStatus::Waiting => {
            format!("It waits for attempt {}, due at {due}.", batch.attempts + 1)
        }
        BatchStatus::Leased => format!(
            "Attempt {} is under way; unless its result is stored by {due}, another sender tries \
             again.",
            batch.attempts
        ),
        BatchStatus::Delivered => format!("It was delivered at {ended}; nothing more follows."),
        BatchStatus::Parked => format!(
            "It is parked: its webhook is {}. It goes out when the webhook is activated.",
            if webhook.enabled {
                "not verified"
            } else {
                "switched off"
            }
        ),
        BatchStatus::Exhausted => format!(
            "It was given up at {ended}: {}. It can be resent with a new budget.",
            because(batch.end_reason)
        ),
        BatchStatus::Cancelled => format!(
            "It was cancelled at {ended}: {}.",
            because(batch.end_reason)
        ),
    }
}

const fn because(reason: Option<EndReason>) -> &'static str {
    match reason {
        Some(EndReason::WindowPassed) => "the next attempt would have come after the retry window",
        Some(EndReason::AttemptsSpent) => "the schedule allows no further attempt",
        Some(EndReason::ResultUnknown) => "it goes at most once, and it may have arrived",
        Some(EndReason::ByHost) => "the host asked for it",
        Some(EndReason::ByReceiver) => {
            "the receiver asked for it (webhook-delivery: abort-message)"
        }
        Some(EndReason::Split) => {
            "smaller batches replace it, to isolate what the endpoint refuses"
        }
        None => "no reason is recorded",
    }
}

fn count(number: usize, noun: &str) -> String {
    if number == 1 {
        format!("1 {noun}")
    } else {
        format!("{number} {noun}s")
    }
}
