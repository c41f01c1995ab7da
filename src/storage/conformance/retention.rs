//! What retention deletes, and what it must not.

use super::held::{Failure, Held, hold, refused, same};
use super::scene::{Scene, TYPE, answered, at, given_back, only};
use super::{Check, Place};
use crate::model::{AppId, AppState, Events, RetrySchedule, Timestamp, WebhookId};

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "retention_deletes_what_is_old",
        promise: "Pruning deletes ended batches, with their attempts, and events that are older than a time, \
                  in slices, until it says that there is no more; what is newer stays.",
        keeps: deletes_what_is_old,
    },
    Check {
        name: "retention_keeps_what_is_owed",
        promise: "Pruning deletes nothing that is still owed: in the log, in a batch that waits, is out, \
                  is parked, or ended lately and can be resent, or in a replay.",
        keeps: keeps_what_is_owed,
    },
    Check {
        name: "retention_deletes_expired_keys",
        promise: "Pruning deletes the keys whose publication has ended, and no others.",
        keeps: deletes_expired_keys,
    },
    Check {
        name: "what_retention_deleted_is_forgotten",
        promise: "A deleted event frees its idempotency key, is not found or read any more, and its batch \
                  cannot be resent.",
        keeps: forgotten,
    },
    Check {
        name: "positions_are_never_reused",
        promise: "Positions go on where they were, when all events were deleted and the storage was opened \
                  again.",
        keeps: never_reused,
    },
];

impl Scene<'_> {
    /// Prunes until there is no more.
    fn prune(&self, before: Timestamp, now: Timestamp) -> Held {
        for _ in 0..1000 {
            if !self.storage.prune(before, now, 3)? {
                return Ok(());
            }
        }
        Err(Failure::new("pruning says for ever that there is more"))
    }
}

fn deletes_what_is_old(place: &Place) -> Held {
    let scene = Scene::open(place)?;
    let app = scene.app_with("app", |policy| policy.batch_events_max = 1)?;
    scene.webhook(&app)?;
    for seconds in [0, 100] {
        scene.emit_at(&app, at(seconds), seconds..seconds + 5)?;
        scene.drain(at(seconds))?;
    }
    let counts = || -> Held<_> {
        Ok((
            scene.events(&app, 100)?.len(),
            scene.batches(&app, 100)?.len(),
            scene.attempts(&app, 100)?.len(),
        ))
    };
    let more = scene.storage.prune(at(50), at(200), 1)?;
    let (events, batches, _) = counts()?;
    hold(more && events > 5 && batches > 5, || {
        format!(
            "a slice of one left {events} events and {batches} batches, where 5 of 10 are old, and said \
             {more} of more"
        )
    })?;
    scene.prune(at(50), at(200))?;
    same(
        "events, batches and attempts left, of which five are newer",
        &counts()?,
        &(5, 5, 5),
    )?;
    scene.prune(at(101), at(200))?;
    same("what is left when all is old", &counts()?, &(0, 0, 0))
}

/// One webhook of an app of its own that is owed event 1, and how it gets it after retention.
struct Debt {
    name: &'static str,
    app: AppId,
    webhook: WebhookId,
}

fn keeps_what_is_owed(place: &Place) -> Held {
    let scene = Scene::open(place)?;
    let owe_of = |name: &'static str, events: Events| -> Held<Debt> {
        let app = scene.app_with(name, |policy| {
            policy.retry = RetrySchedule::Waits(Vec::new());
        })?;
        let webhook = scene.webhook_with(&app, |webhook| webhook.events = events)?;
        scene.emit(&app, 1..2)?;
        Ok(Debt { name, app, webhook })
    };
    let owe = |name| owe_of(name, only(&[TYPE])?);
    let disable = |debt: &Debt| {
        let webhook = &debt.webhook;
        scene.edit(&debt.app, webhook, |webhook| webhook.enabled = false)
    };
    let replayed = owe("replayed")?;
    scene.drain(at(0))?;
    scene
        .storage
        .replay(&replayed.app, &replayed.webhook, at(0))?;
    disable(&replayed)?;
    let exhausted = owe("exhausted")?;
    let spent = scene.claim_one(at(0))?;
    // It ends later than what retention deletes.
    let ended = at(2_000_000);
    scene.settle(ended, answered(&spent, ended, 500))?;
    let waiting = owe("waiting")?;
    let claimed = scene.claim_one(at(0))?;
    scene.settle(at(0), given_back(&claimed))?;
    scene
        .storage
        .set_app_state(&waiting.app, AppState::Disabled)?;
    let parked = owe("parked")?;
    let claimed = scene.claim_one(at(0))?;
    scene.settle(at(0), given_back(&claimed))?;
    disable(&parked)?;
    let inactive = owe_of("inactive", Events::All)?;
    disable(&inactive)?;
    let out = owe("out")?;
    let lease = scene.claim_one(at(0))?;
    let in_the_log = owe("in-the-log")?;

    scene.prune(at(1_000_000), at(1_000_000))?;
    scene
        .storage
        .set_app_state(&waiting.app, AppState::Enabled)?;
    scene
        .storage
        .resend(&exhausted.app, &spent.batch.id, at(10))?;
    scene.settle(at(10), answered(&lease, at(10), 200))?;
    same(
        "the payloads of the batch that was out",
        &scene.payloads(&lease.batch)?,
        &["1"],
    )?;
    for debt in [&replayed, &parked, &inactive] {
        scene.edit(&debt.app, &debt.webhook, |webhook| webhook.enabled = true)?;
    }
    let deliveries = scene.drain(at(10))?;
    for debt in [replayed, exhausted, waiting, parked, inactive, in_the_log] {
        let of = |one: &&super::scene::Delivery| one.claimed.app.id == debt.app;
        let payloads: Vec<_> = deliveries
            .iter()
            .filter(of)
            .flat_map(|one| &one.payloads)
            .collect();
        let what = format!(
            "what is delivered after retention of what was owed, {},",
            debt.name
        );
        same(&what, &payloads, &["1"])?;
    }
    let left = scene.events(&out.app, 10)?.len();
    same("the event of the batch that was out", &left, &1)
}

fn deletes_expired_keys(place: &Place) -> Held {
    let scene = Scene::open(place)?;
    let app = scene.app("app")?;
    let mut made = Vec::new();
    for (kid, until) in [("gone", Some(50)), ("later", Some(150)), ("never", None)] {
        let mut key = super::registry::key(&app, kid, made.len() as u64)?;
        key.key.published_until = until.map(at);
        made.push(key);
    }
    let set = made.clone();
    let edit = move |keys: &mut Vec<_>| {
        keys.clone_from(&set);
        Ok(())
    };
    scene.storage.edit_keys(&app, Box::new(edit))?;
    scene.prune(at(0), at(100))?;
    same("the keys left", &scene.storage.keys(&app)?, &made[1..])
}

fn forgotten(place: &Place) -> Held {
    let scene = Scene::open(place)?;
    let app = scene.app("app")?;
    scene.webhook(&app)?;
    let keyed = |payload: &str| -> Held<_> {
        let mut event = scene.event(payload)?;
        event.event.idempotency_key = Some("key".into());
        Ok(scene.storage.emit(&app, vec![event])?)
    };
    let first = keyed("1")?;
    // Delivered later than the event was emitted: the batch stays when the event goes.
    let delivery = scene.claim_one(at(100))?;
    scene.settle(at(100), answered(&delivery, at(100), 200))?;
    scene.prune(at(50), at(200))?;
    refused(
        "reading a deleted event",
        scene.storage.get_event(&first[0]),
        "event_not_found",
    )?;
    let batch = scene.batch(&delivery.batch.id)?;
    same(
        "the events read of its batch",
        &scene.storage.read_events(&batch.positions)?.len(),
        &0,
    )?;
    refused(
        "resending its batch",
        scene.storage.resend(&app, &batch.id, at(200)),
        "batch_conflict",
    )?;
    let second = keyed("2")?;
    hold(second != first, || {
        "a key gave the id of an event that retention had deleted".into()
    })?;
    same(
        "what is delivered of an event under a freed key",
        &scene.delivered(at(200))?.concat(),
        &["2"],
    )
}

fn never_reused(place: &Place) -> Held {
    let mut scene = Scene::open(place)?;
    let app = scene.app("app")?;
    scene.emit(&app, 0..3)?;
    scene.route()?;
    let last = scene.storage.stats()?.last_position;
    scene.prune(at(100), at(100))?;
    same("events left", &scene.events(&app, 10)?.len(), &0)?;
    scene = scene.reopen_if_kept()?;
    let ids = scene.emit(&app, 3..4)?;
    scene.route()?;
    let next = scene.storage.get_event(&ids[0])?.position;
    hold(next > last, || {
        format!("position {next} was given after {last}, when all events had been deleted")
    })?;
    same(
        "the last position given",
        &scene.storage.stats()?.last_position,
        &next,
    )
}
