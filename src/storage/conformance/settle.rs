//! What follows from a result.

use std::time::Duration;

use super::held::{Held, hold, same};
use super::scene::{Scene, answered, answered_with, at, failed, just_before};
use super::{Check, Place};
use crate::machine::ControlHeaders;
use crate::model::{
    AppId, BatchStatus, Class, DeactivationReason, EndReason, FailureKind, Notice, RetrySchedule,
    Timestamp,
};
use crate::storage::{Claimed, Exchanged};

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "a_failure_waits_its_schedule",
        promise: "A failed batch is due again when the schedule says, not before, and is claimed then; what \
                  is lengthened by jitter stays within its share.",
        keeps: waits_its_schedule,
    },
    Check {
        name: "a_spent_budget_exhausts_a_batch",
        promise: "A batch ends, kept and told, when its schedule has no further attempt or its window is over.",
        keeps: exhausted,
    },
    Check {
        name: "a_batch_too_large_is_split",
        promise: "A batch refused as too large is replaced by its two halves, which name it and start at \
                  once; a single event is not split.",
        keeps: split,
    },
    Check {
        name: "a_receiver_can_stop_a_webhook_or_a_batch",
        promise: "410 and `disable` deactivate the webhook and park its batches, and this is told; \
                  `abort-message` ends the batch.",
        keeps: receiver_stops,
    },
    Check {
        name: "nothing_but_failures_deactivates",
        promise: "A webhook that only fails is warned of and then deactivated when the policy says; its \
                  backlog is kept, and when it is activated again it starts anew.",
        keeps: given_up,
    },
    Check {
        name: "our_own_faults_cost_nothing",
        promise: "An attempt that failed on our side is recorded, but spends no budget and no health.",
        keeps: our_faults,
    },
    Check {
        name: "retry_after_silences_the_webhook",
        promise: "Nothing is sent to a webhook before the time that its endpoint asked for.",
        keeps: retry_after,
    },
    Check {
        name: "health_and_attempts_are_recorded",
        promise: "Each result is stored with its attempt, the webhook's last status, and its health.",
        keeps: recorded,
    },
];

impl Scene<'_> {
    /// An app with one webhook, and events in one batch that is claimed at the start.
    fn claimed(&self, events: u64) -> Held<(AppId, Claimed)> {
        let app = self.app("app")?;
        self.webhook(&app)?;
        self.emit(&app, 0..events)?;
        Ok((app, self.claim_one(at(0))?))
    }
}

fn is_told(exchanged: &Exchanged, what: &str, is_it: impl Fn(&Notice) -> bool) -> Held {
    hold(exchanged.notices.iter().any(is_it), || {
        format!("{what} was not among the notices: {:?}", exchanged.notices)
    })
}

fn waits_its_schedule(place: &Place) -> Held {
    let scene = Scene::open(place)?;
    let (_, mut claimed) = scene.claimed(1)?;
    let mut now = at(1);
    for wait in [60, 120, 240, 480] {
        scene.settle(now, answered(&claimed, now, 500))?;
        let due = now.plus(Duration::from_secs(wait));
        let batch = scene.batch(&claimed.batch.id)?;
        same(
            "status and due time after a failure",
            &(batch.status, batch.due_at),
            &(BatchStatus::Waiting, Some(due)),
        )?;
        let early = scene.claim(just_before(due), 10)?;
        same("batches claimed before that", &early.len(), &0)?;
        claimed = scene.claim_one(due)?;
        now = due.plus(Duration::from_secs(1));
    }
    same(
        "attempts, failures and start of the window then",
        &(
            claimed.batch.attempts,
            claimed.batch.failures,
            claimed.batch.window_start,
        ),
        &(5, 4, Some(at(0))),
    )?;
    scene.settle(now, answered(&claimed, now, 200))?;
    jitter(&scene)
}

fn jitter(scene: &Scene<'_>) -> Held {
    let app = scene.app_with("jittered", |policy| policy.jitter_percent = 50)?;
    for _ in 0..20 {
        scene.webhook(&app)?;
    }
    scene.emit(&app, 0..1)?;
    let mut dues: Vec<Timestamp> = Vec::new();
    for claimed in scene.claim(at(0), 100)? {
        scene.settle(at(0), answered(&claimed, at(0), 500))?;
        dues.extend(scene.batch(&claimed.batch.id)?.due_at);
    }
    dues.sort();
    dues.dedup();
    hold(
        dues.len() > 1 && dues.iter().all(|due| (at(60)..=at(90)).contains(due)),
        || {
            format!(
                "20 waits of 60 s with up to 50 percent of jitter, by different seeds, end at {dues:?}"
            )
        },
    )
}

fn exhausted(place: &Place) -> Held {
    let scene = Scene::open(place)?;
    let app = scene.app("app")?;
    let minute = Duration::from_secs(60);
    let window = RetrySchedule::Doubling {
        first: minute,
        cap: minute,
        window: Duration::from_secs(100),
    };
    for (retry, reason) in [
        (RetrySchedule::Waits(vec![minute]), EndReason::AttemptsSpent),
        (window, EndReason::WindowPassed),
    ] {
        let webhook = scene.webhook_with(&app, |webhook| webhook.overrides.retry = Some(retry))?;
        scene.emit(&app, 0..1)?;
        let first = scene.claim_one(at(0))?;
        scene.settle(at(0), answered(&first, at(0), 500))?;
        let second = scene.claim_one(at(60))?;
        let exchanged = scene.settle(at(60), answered(&second, at(60), 500))?;
        let batch = scene.batch(&first.batch.id)?;
        same(
            "how a batch stands after its last attempt",
            &(batch.status, batch.end_reason, batch.due_at, batch.ended_at),
            &(BatchStatus::Exhausted, Some(reason), None, Some(at(60))),
        )?;
        is_told(
            &exchanged,
            "the batch's end",
            |notice| matches!(notice, Notice::BatchExhausted { batch_id, .. } if *batch_id == batch.id),
        )?;
        same(
            "batches claimed a day later",
            &scene.claim(at(86_400), 10)?.len(),
            &0,
        )?;
        let counts = scene.storage.backlog(&app, &webhook)?.batches;
        same("exhausted batches counted", &counts.exhausted, &1)?;
        scene.storage.delete_webhook(&app, &webhook)?;
    }
    Ok(())
}

fn split(place: &Place) -> Held {
    let scene = Scene::open(place)?;
    let (_, whole) = scene.claimed(3)?;
    let exchanged = scene.settle(at(1), answered(&whole, at(1), 413))?;
    let batch = scene.batch(&whole.batch.id)?;
    same(
        "how the whole ended",
        &(batch.status, batch.end_reason),
        &(BatchStatus::Cancelled, Some(EndReason::Split)),
    )?;
    is_told(&exchanged, "the split", |notice| {
        matches!(notice, Notice::BatchSplit { batch_id, into, .. }
            if *batch_id == batch.id && into.len() == 2)
    })?;
    let mut halves = Vec::new();
    for delivery in scene.drain(at(1))? {
        let half = delivery.claimed.batch;
        same("the parent of a half", &half.parent, &Some(batch.id))?;
        same(
            "when the window of a half began",
            &half.window_start,
            &Some(at(0)),
        )?;
        halves.push(delivery.payloads.concat());
    }
    halves.sort();
    same("the halves, delivered at once,", &halves, &["0", "12"])?;
    scene.emit(&batch.app_id, 3..4)?;
    let single = scene.claim_one(at(2))?;
    scene.settle(at(2), answered(&single, at(2), 413))?;
    same(
        "the status of a single event that is too large",
        &scene.status(&single.batch.id)?,
        &BatchStatus::Waiting,
    )
}

fn receiver_stops(place: &Place) -> Held {
    let scene = Scene::open(place)?;
    let (app, first) = scene.claimed(1)?;
    let webhook = &first.batch.webhook_id;
    let exchanged = scene.settle(at(1), answered(&first, at(1), 410))?;
    is_told(&exchanged, "the deactivation", |notice| {
        let gone = DeactivationReason::Gone;
        matches!(notice, Notice::WebhookDeactivated { reason, .. } if *reason == gone)
    })?;
    let stored = scene.storage.get_webhook(&app, webhook)?;
    same(
        "whether the webhook is enabled, and its batch",
        &(
            stored.webhook.enabled,
            stored.webhook.last_disabled_at,
            scene.status(&first.batch.id)?,
        ),
        &(false, Some(at(1)), BatchStatus::Parked),
    )?;
    scene.emit(&app, 1..2)?;
    same(
        "batches claimed after a 410",
        &scene.claim(at(3600), 10)?.len(),
        &0,
    )?;
    scene.edit(&app, webhook, |webhook| webhook.enabled = true)?;
    let again = scene.claim_one(at(3600))?;
    let word = |webhook_delivery| ControlHeaders {
        retry_after: None,
        webhook_delivery: Some(webhook_delivery),
    };
    let abort = answered_with(&again, at(3600), 500, word("abort-message"));
    scene.settle(at(3600), abort)?;
    let batch = scene.batch(&again.batch.id)?;
    same(
        "how an aborted batch ended",
        &(batch.status, batch.end_reason),
        &(BatchStatus::Cancelled, Some(EndReason::ByReceiver)),
    )?;
    scene.emit(&app, 2..3)?;
    let last = scene.claim_one(at(3601))?;
    let disable = answered_with(&last, at(3601), 200, word("disable"));
    scene.settle(at(3601), disable)?;
    same(
        "a batch that was accepted with `disable`, and whether the webhook is enabled",
        &(
            scene.status(&last.batch.id)?,
            scene.storage.get_webhook(&app, webhook)?.webhook.enabled,
        ),
        &(BatchStatus::Delivered, false),
    )
}

fn given_up(place: &Place) -> Held {
    let scene = Scene::open(place)?;
    let app = scene.app_with("app", |policy| {
        policy.deactivate_after = Some(Duration::from_secs(1000));
        policy.retry = RetrySchedule::Waits(vec![Duration::from_secs(600); 5]);
    })?;
    let webhook = scene.webhook(&app)?;
    scene.emit(&app, 0..1)?;
    let mut told = Vec::new();
    for seconds in [0, 600, 1200] {
        let claimed = scene.claim_one(at(seconds))?;
        let result = answered(&claimed, at(seconds), 500);
        told.extend(scene.settle(at(seconds), result)?.notices);
    }
    let (app_id, webhook_id) = (app.clone(), webhook.clone());
    let due = [
        Notice::WebhookFailing {
            app_id: app_id.clone(),
            webhook_id: webhook_id.clone(),
            percent: 50,
            deactivates_at: at(1000),
        },
        Notice::WebhookDeactivated {
            app_id,
            webhook_id,
            reason: DeactivationReason::Failing,
        },
    ];
    same(
        "what was told of failures after 0, 600 and 1200 s",
        &told,
        &due,
    )?;
    let row = scene.storage.backlog(&app, &webhook)?;
    let stored = scene.storage.get_webhook(&app, &webhook)?;
    same(
        "whether the webhook is enabled, and its parked batches",
        &(stored.webhook.enabled, row.batches.parked),
        &(false, 1),
    )?;
    scene.edit(&app, &webhook, |webhook| webhook.enabled = true)?;
    let health = scene.storage.backlog(&app, &webhook)?.health;
    same(
        "failures in a row, and since when, of a webhook that was activated again",
        &(health.consecutive_failures, health.failing_since),
        &(0, None),
    )?;
    let claimed = scene.claim_one(at(1300))?;
    same(
        "its class, and the budget of what was parked",
        &(
            claimed.class,
            claimed.batch.failures,
            claimed.batch.window_start,
        ),
        &(Class::Untried, 0, Some(at(1300))),
    )
}

fn our_faults(place: &Place) -> Held {
    let scene = Scene::open(place)?;
    let (app, mut claimed) = scene.claimed(1)?;
    for seconds in [0, 60, 120, 180] {
        let fault = failed(&claimed, at(seconds), FailureKind::Panic);
        scene.settle(at(seconds), fault)?;
        claimed = scene.claim_one(at(seconds + 60))?;
    }
    same(
        "attempts and failures of a batch after four faults on our side",
        &(claimed.batch.attempts, claimed.batch.failures),
        &(5, 0),
    )?;
    let webhook = &claimed.batch.webhook_id;
    let health = scene.storage.backlog(&app, webhook)?.health;
    same(
        "failures in a row of its webhook",
        &health.consecutive_failures,
        &0,
    )?;
    same("attempts recorded", &scene.attempts(&app, 10)?.len(), &4)
}

fn retry_after(place: &Place) -> Held {
    let scene = Scene::open(place)?;
    let (app, claimed) = scene.claimed(1)?;
    let headers = ControlHeaders {
        retry_after: Some("600"),
        webhook_delivery: None,
    };
    scene.settle(at(0), answered_with(&claimed, at(0), 503, headers))?;
    scene.emit(&app, 1..2)?;
    let exchanged = scene.exchange(just_before(at(600)), Vec::new(), 10)?;
    same(
        "batches claimed before the endpoint's time, and when something is due",
        &(exchanged.claimed.len(), exchanged.next_due),
        &(0, Some(at(600))),
    )?;
    same(
        "batches claimed at that time, one failed and one fresh,",
        &scene.claim(at(600), 10)?.len(),
        &2,
    )
}

fn recorded(place: &Place) -> Held {
    let scene = Scene::open(place)?;
    let (app, first) = scene.claimed(1)?;
    let webhook = &first.batch.webhook_id;
    let mut claimed = first.clone();
    let mut told = Exchanged::default();
    let mut now = at(0);
    for status in [500, 501, 502, 200] {
        told = scene.settle(now, answered(&claimed, now, status))?;
        let batch = scene.batch(&claimed.batch.id)?;
        let last = (
            scene
                .storage
                .get_webhook(&app, webhook)?
                .webhook
                .last_http_code,
            scene.storage.backlog(&app, webhook)?.health.last_success_at,
        );
        let success = (status == 200).then_some(now);
        same(
            "the webhook's last status and success",
            &last,
            &(Some((status, now)), success),
        )?;
        if let Some(due) = batch.due_at {
            claimed = scene.claim_one(due)?;
            now = due;
        }
    }
    is_told(&told, "the recovery", |notice| {
        matches!(notice, Notice::WebhookRecovered { failures: 3, .. })
    })?;
    let attempts: Vec<_> = scene
        .attempts(&app, 10)?
        .into_iter()
        .rev()
        .map(|one| (one.batch_id, one.number, one.duration_ms, one.excerpt))
        .collect();
    let due: Vec<_> = (1..=4)
        .map(|number| (first.batch.id, number, 7, "as answered".to_owned()))
        .collect();
    same("the attempts recorded", &attempts, &due)
}
