//! What an operator does by hand.

use super::held::{Held, hold, refused, same};
use super::scene::{OTHER, Scene, TYPE, answered, at, event_type, only};
use super::{Check, Place};
use crate::model::{BatchStatus, EndReason, RetrySchedule};

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "a_resent_batch_has_a_new_budget",
        promise: "An ended batch, unless it was split, can be resent: it is due at once (parked when its \
                  webhook is inactive), with a new budget; any other is refused as a conflict.",
        keeps: resend,
    },
    Check {
        name: "a_cancelled_batch_is_not_sent",
        promise: "A batch that has not ended can be cancelled; it is not claimed again, and a result that was \
                  out is recorded without reviving it.",
        keeps: cancel,
    },
    Check {
        name: "a_replay_owes_its_range_again",
        promise: "A replay owes the webhook the events emitted since a time, of the types it is subscribed \
                  to now, once more, in new batches.",
        keeps: replay,
    },
];

fn resend(place: &Place) -> Held {
    let scene = Scene::open(place)?;
    let (app, other) = (
        scene.app_with("app", |policy| {
            policy.retry = RetrySchedule::Waits(Vec::new());
        })?,
        scene.app("other")?,
    );
    let webhook = scene.webhook(&app)?;
    scene.emit(&app, 0..2)?;
    let claimed = scene.claim_one(at(0))?;
    let id = claimed.batch.id;
    let resent = || scene.storage.resend(&app, &id, at(100));
    refused("resending a leased batch", resent(), "batch_conflict")?;
    scene.settle(at(0), answered(&claimed, at(0), 500))?;
    refused(
        "resending a batch of another app",
        scene.storage.resend(&other, &id, at(100)),
        "batch_not_found",
    )?;
    let batch = resent()?;
    same("what resending gave", &scene.batch(&id)?, &batch)?;
    same(
        "how a resent batch stands",
        &(
            (batch.status, batch.due_at, batch.end_reason, batch.ended_at),
            (batch.attempts, batch.failures, batch.window_start),
        ),
        &(
            (BatchStatus::Waiting, Some(at(100)), None, None),
            (1, 0, None),
        ),
    )?;
    refused("resending a waiting batch", resent(), "batch_conflict")?;
    let again = scene.claim_one(at(100))?;
    same(
        "the batch claimed then, and the number of its attempt",
        &(again.batch.id, again.batch.attempts),
        &(id, 2),
    )?;
    scene.settle(at(100), answered(&again, at(100), 200))?;
    scene.edit(&app, &webhook, |webhook| webhook.enabled = false)?;
    same(
        "the status of a delivered batch of an inactive webhook, resent,",
        &resent()?.status,
        &BatchStatus::Parked,
    )?;
    refused("resending a parked batch", resent(), "batch_conflict")?;
    scene.edit(&app, &webhook, |webhook| webhook.enabled = true)?;
    let whole = scene.claim_one(at(100))?;
    scene.settle(at(100), answered(&whole, at(100), 413))?;
    refused("resending a split batch", resent(), "batch_conflict")
}

fn cancel(place: &Place) -> Held {
    let scene = Scene::open(place)?;
    let app = scene.app_with("app", |policy| policy.batch_events_max = 1)?;
    let webhook = scene.webhook_with(&app, |webhook| webhook.overrides.concurrency = Some(3))?;
    scene.emit(&app, 0..3)?;
    let claimed = scene.claim(at(0), 3)?;
    let [waiting, out, parked] = &claimed[..] else {
        return same("batches claimed", &claimed.len(), &3);
    };
    scene.settle(at(0), answered(waiting, at(0), 500))?;
    let cancel = |id| scene.storage.cancel(&app, id, at(5));
    for (what, one) in [("waiting", waiting), ("leased", out)] {
        let batch = cancel(&one.batch.id)?;
        same("what cancelling gave", &scene.batch(&one.batch.id)?, &batch)?;
        same(
            &format!("how a {what} batch ended that was cancelled"),
            &(batch.status, batch.end_reason, batch.ended_at, batch.due_at),
            &(
                BatchStatus::Cancelled,
                Some(EndReason::ByHost),
                Some(at(5)),
                None,
            ),
        )?;
        refused(
            "cancelling it again",
            cancel(&one.batch.id),
            "batch_conflict",
        )?;
    }
    scene.settle(at(6), answered(out, at(6), 200))?;
    let late = answered(out, at(7), 200);
    let exchanged = scene.storage.exchange(at(7), 1, vec![late], None)?;
    same(
        "what was lost of a second result for a cancelled batch",
        &exchanged.lost,
        &[out.batch.id],
    )?;
    same(
        "the status of the cancelled batch after its result",
        &scene.status(&out.batch.id)?,
        &BatchStatus::Cancelled,
    )?;
    same("attempts recorded", &scene.attempts(&app, 10)?.len(), &2)?;
    scene.settle(at(7), answered(parked, at(7), 500))?;
    scene.edit(&app, &webhook, |webhook| webhook.enabled = false)?;
    same(
        "the status of a parked batch that was cancelled",
        &cancel(&parked.batch.id)?.status,
        &BatchStatus::Cancelled,
    )?;
    scene.edit(&app, &webhook, |webhook| webhook.enabled = true)?;
    same(
        "batches claimed a day later",
        &scene.claim(at(86_400), 10)?.len(),
        &0,
    )
}

fn replay(place: &Place) -> Held {
    let scene = Scene::open(place)?;
    let app = scene.app("app")?;
    let webhook = scene.webhook(&app)?;
    for number in 1..4 {
        scene.emit_at(&app, at(number * 10), number..number + 1)?;
    }
    let mut other = scene.event_at(at(40), "4")?;
    other.event.event_type = event_type(OTHER)?;
    scene.storage.emit(&app, vec![other])?;
    let first: Vec<_> = scene
        .drain(at(50))?
        .into_iter()
        .map(|one| one.claimed.batch.id)
        .collect();
    let replay = |since| scene.storage.replay(&app, &webhook, at(since));
    same(
        "log positions that a replay since 20 s looks at",
        &replay(20)?,
        &3,
    )?;
    let again = scene.drain(at(50))?;
    let payloads: Vec<_> = again.iter().flat_map(|one| one.payloads.clone()).collect();
    same(
        "what is delivered of events emitted at 10, 20 and 30 s, and one of another type",
        &payloads,
        &["2", "3"],
    )?;
    hold(
        again
            .iter()
            .all(|one| !first.contains(&one.claimed.batch.id)),
        || "a replay was sent in batches that were delivered before".into(),
    )?;
    same(
        "log positions looked at by a replay since later",
        &replay(41)?,
        &0,
    )?;
    same("what that delivers", &scene.delivered(at(50))?.len(), &0)?;
    let events = only(&[TYPE, OTHER])?;
    scene.edit(&app, &webhook, move |webhook| {
        webhook.events = events.clone();
        webhook.enabled = false;
    })?;
    replay(0)?;
    same(
        "what a replay delivers while the webhook is inactive",
        &scene.delivered(at(50))?.len(),
        &0,
    )?;
    scene.edit(&app, &webhook, |webhook| webhook.enabled = true)?;
    same(
        "what it delivers then, of the types subscribed to now,",
        &scene.delivered(at(50))?.concat(),
        &["1", "2", "3", "4"],
    )
}
