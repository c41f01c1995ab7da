//! What outlives its handle. Left out where [`Place::forgets`].

use super::held::{Held, hold, same, unchanged};
use super::scene::{Scene, answered, at, just_before};
use super::{Check, Place, workout};

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "what_was_written_is_there_after_reopening",
        promise: "All that was stored is there, unchanged, when the storage is opened again.",
        keeps: is_there,
    },
    Check {
        name: "leases_outlive_their_holder",
        promise: "A lease holds, and a fence counts on, when the storage is opened again.",
        keeps: leases,
    },
    Check {
        name: "what_was_owed_is_delivered_after_reopening",
        promise: "What was owed, waiting, parked or to be replayed goes out after the storage is opened again.",
        keeps: goes_out,
    },
];

fn is_there(place: &Place) -> Held {
    if place.forgets {
        return Ok(());
    }
    let scene = Scene::open(place)?;
    let app = workout::fill(&scene)?;
    let mut event = scene.event("1")?;
    event.event.idempotency_key = Some("key".into());
    let ids = scene.storage.emit(&app, vec![event.clone()])?;
    scene.route()?;
    let before = scene.picture()?;
    let scene = scene.reopen()?;
    unchanged("reopening", &scene.picture()?, &before)?;
    event.id = scene.event("1")?.id;
    let again = scene.storage.emit(&app, vec![event])?;
    same("the id given for a key used before", &again, &ids)
}

fn leases(place: &Place) -> Held {
    if place.forgets {
        return Ok(());
    }
    let mut scene = Scene::open(place)?;
    let app = scene.app("app")?;
    scene.webhook(&app)?;
    scene.emit(&app, 0..1)?;
    let first = scene.claim_one(at(0))?;
    let end = first.batch.due_at.unwrap_or_default();
    scene = scene.reopen()?;
    let early = scene.claim(just_before(end), 10)?;
    same("batches claimed before the lease ends", &early.len(), &0)?;
    let second = scene.claim_one(end)?;
    hold(second.batch.fence > first.batch.fence, || {
        format!(
            "the fence after reopening is {}, after {}",
            second.batch.fence, first.batch.fence
        )
    })?;
    scene = scene.reopen()?;
    let stale = vec![answered(&first, end, 200)];
    let exchanged = scene.storage.exchange(end, 1, stale, None)?;
    same(
        "what was lost of the first holder's result",
        &exchanged.lost,
        &[first.batch.id],
    )?;
    scene.settle(end, answered(&second, end, 200))?;
    Ok(())
}

fn goes_out(place: &Place) -> Held {
    if place.forgets {
        return Ok(());
    }
    let mut scene = Scene::open(place)?;
    let app = scene.app("app")?;
    let webhook = scene.webhook(&app)?;
    scene.emit(&app, 0..1)?;
    let waiting = scene.claim_one(at(0))?;
    scene.settle(at(0), answered(&waiting, at(0), 500))?;
    scene = scene.reopen()?;
    scene.emit(&app, 1..2)?;
    scene = scene.reopen()?;
    scene.edit(&app, &webhook, |webhook| webhook.enabled = false)?;
    scene = scene.reopen()?;
    scene.emit(&app, 2..3)?;
    scene.storage.replay(&app, &webhook, at(0))?;
    scene = scene.reopen()?;
    scene.edit(&app, &webhook, |webhook| webhook.enabled = true)?;
    scene = scene.reopen()?;
    let mut delivered = scene.delivered(at(60))?.concat();
    delivered.sort();
    same(
        "what is delivered of 0, which waited, 1, which was in the log, and a replay of 0 to 2",
        &delivered,
        &["0", "0", "1", "1", "2"],
    )
}
