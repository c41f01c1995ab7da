//! Leases and fences.

use super::held::{Held, hold, one, same, unchanged};
use super::scene::{Scene, answered, at, failed, given_back, just_before};
use super::{Check, Place};
use crate::model::{
    AttemptResult, BatchStatus, DeliveryMode, EndReason, FailureKind, Notice, Timestamp,
};
use crate::storage::Claimed;

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "a_leased_batch_is_nobody_elses",
        promise: "A claimed batch is not claimed again before its lease ends, and then under a higher fence.",
        keeps: nobody_elses,
    },
    Check {
        name: "a_lost_lease_is_recorded",
        promise: "A lease that ends without a result is recorded as an attempt with the error `lost`, and \
                  spends none of the batch's budget.",
        keeps: lost_is_recorded,
    },
    Check {
        name: "a_stale_result_is_refused",
        promise: "A result whose lease is no longer held is listed as lost and changes nothing.",
        keeps: stale_result,
    },
    Check {
        name: "a_result_is_stored_once",
        promise: "A result that is reported again is refused, in the same call and later.",
        keeps: stored_once,
    },
    Check {
        name: "what_is_given_back_spends_nothing",
        promise: "A batch given back unsent is due at once, with no attempt recorded or counted.",
        keeps: spends_nothing,
    },
    Check {
        name: "at_most_once_is_not_sent_after_a_lost_lease",
        promise: "A batch that goes at most once ends, and this is told, when its lease ends without a \
                  result; it is sent again only where nothing can have arrived.",
        keeps: at_most_once,
    },
];

fn lease_end(claimed: &Claimed) -> Timestamp {
    claimed.batch.due_at.unwrap_or_default()
}

fn nobody_elses(place: &Place) -> Held {
    let scene = Scene::open(place)?;
    let app = scene.app("app")?;
    scene.webhook(&app)?;
    scene.emit(&app, 0..2)?;
    let first = scene.claim_one(at(0))?;
    same(
        "the status of a claimed batch",
        &first.batch.status,
        &BatchStatus::Leased,
    )?;
    hold(first.outlasts_attempt(at(0)), || {
        format!(
            "a lease until {} does not outlast an attempt of {:?} begun at {}",
            lease_end(&first),
            first.policy.timeout,
            at(0)
        )
    })?;
    let early = scene.claim(just_before(lease_end(&first)), 10)?;
    same("batches claimed before the lease ends", &early.len(), &0)?;
    let second = scene.claim_one(lease_end(&first))?;
    same(
        "the batch claimed when the lease has ended",
        &(second.batch.id, &second.batch.positions),
        &(first.batch.id, &first.batch.positions),
    )?;
    hold(second.batch.fence > first.batch.fence, || {
        format!(
            "the fence of the second claim is {}, after {}",
            second.batch.fence, first.batch.fence
        )
    })
}

fn lost_is_recorded(place: &Place) -> Held {
    let scene = Scene::open(place)?;
    let app = scene.app("app")?;
    let webhook = scene.webhook(&app)?;
    scene.emit(&app, 0..1)?;
    let first = scene.claim_one(at(0))?;
    let second = scene.claim_one(lease_end(&first))?;
    let attempt = one("recorded attempts", scene.attempts(&app, 10)?)?;
    same(
        "the lost attempt's number and result",
        &(attempt.number, attempt.result),
        &(1, AttemptResult::Failure(FailureKind::Lost)),
    )?;
    same(
        "attempts and failures of the batch claimed again",
        &(second.batch.attempts, second.batch.failures),
        &(2, 0),
    )?;
    let health = scene.storage.backlog(&app, &webhook)?.health;
    same(
        "failures in a row of its webhook",
        &health.consecutive_failures,
        &0,
    )
}

fn stale_result(place: &Place) -> Held {
    let scene = Scene::open(place)?;
    let app = scene.app("app")?;
    scene.webhook(&app)?;
    scene.emit(&app, 0..1)?;
    let first = scene.claim_one(at(0))?;
    let later = lease_end(&first);
    let second = scene.claim_one(later)?;
    let before = scene.picture()?;
    for (what, stale) in [
        ("a success", answered(&first, later, 200)),
        ("a failure", failed(&first, later, FailureKind::Timeout)),
        ("a batch given back", given_back(&first)),
    ] {
        let exchanged = scene.storage.exchange(later, 1, vec![stale], None)?;
        let what = format!("what was lost of {what} under an old fence");
        same(&what, &exchanged.lost, &[first.batch.id])?;
    }
    unchanged("a stale result", &scene.picture()?, &before)?;
    scene.settle(later, answered(&second, later, 200))?;
    same(
        "the status after the right holder's result",
        &scene.status(&second.batch.id)?,
        &BatchStatus::Delivered,
    )
}

fn stored_once(place: &Place) -> Held {
    let scene = Scene::open(place)?;
    let app = scene.app("app")?;
    scene.webhook(&app)?;
    scene.emit(&app, 0..1)?;
    let claimed = scene.claim_one(at(0))?;
    let id = claimed.batch.id;
    let result = answered(&claimed, at(1), 500);
    let exchanged = scene
        .storage
        .exchange(at(1), 1, vec![result.clone(), result.clone()], None)?;
    same(
        "what was lost of a result that came twice in one call",
        &exchanged.lost,
        &[id],
    )?;
    let exchanged = scene.storage.exchange(at(2), 2, vec![result], None)?;
    same(
        "what was lost of it when it came once more",
        &exchanged.lost,
        &[id],
    )?;
    let batch = scene.batch(&id)?;
    same(
        "attempts, failures and due time of the batch",
        &(batch.attempts, batch.failures, batch.due_at),
        &(1, 1, Some(at(61))),
    )?;
    one("recorded attempts", scene.attempts(&app, 10)?)?;
    Ok(())
}

fn spends_nothing(place: &Place) -> Held {
    let scene = Scene::open(place)?;
    let app = scene.app("app")?;
    scene.webhook(&app)?;
    scene.emit(&app, 0..1)?;
    let first = scene.claim_one(at(0))?;
    scene.settle(at(1), given_back(&first))?;
    let batch = scene.batch(&first.batch.id)?;
    same(
        "status, attempts and start of the window of what was given back",
        &(batch.status, batch.attempts, batch.window_start),
        &(BatchStatus::Waiting, 0, None),
    )?;
    same("recorded attempts", &scene.attempts(&app, 10)?.len(), &0)?;
    let second = scene.claim_one(at(1))?;
    same(
        "the batch claimed next, and the number of its attempt",
        &(second.batch.id, second.batch.attempts),
        &(first.batch.id, 1),
    )?;
    hold(second.batch.fence > first.batch.fence, || {
        "the fence did not go up when the batch was given back and claimed".into()
    })
}

fn at_most_once(place: &Place) -> Held {
    let scene = Scene::open(place)?;
    let app = scene.app("app")?;
    scene.webhook(&app)?;
    let mut event = scene.event("1")?;
    event.event.mode = DeliveryMode::AtMostOnce;
    scene.storage.emit(&app, vec![event])?;
    let first = scene.claim_one(at(0))?;
    scene.settle(at(0), failed(&first, at(0), FailureKind::Connect))?;
    let second = scene.claim_one(at(60))?;
    same(
        "the batch claimed after no connection was made",
        &second.batch.id,
        &first.batch.id,
    )?;
    let later = lease_end(&second);
    let exchanged = scene.exchange(later, Vec::new(), 10)?;
    same(
        "batches claimed after the lease was lost",
        &exchanged.claimed.len(),
        &0,
    )?;
    let told = exchanged.notices.iter().any(|notice| {
        matches!(notice, Notice::BatchExhausted { batch_id, .. } if *batch_id == first.batch.id)
    });
    hold(told, || {
        format!(
            "the batch's end was not among the notices: {:?}",
            exchanged.notices
        )
    })?;
    let batch = scene.batch(&first.batch.id)?;
    same(
        "how it ended",
        &(batch.status, batch.end_reason),
        &(BatchStatus::Exhausted, Some(EndReason::ResultUnknown)),
    )?;
    same(
        "batches claimed a day later",
        &scene.claim(at(86_400), 10)?.len(),
        &0,
    )
}
