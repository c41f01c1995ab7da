//! Several handles on one box, as several processes have. Left out where [`Place::one_at_a_time`].

use super::held::{Held, hold, same};
use super::scene::{Scene, answered, at};
use super::{Check, Place};
use crate::model::AppState;

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "handles_share_the_work",
        promise: "What one handle has claimed no other claims; a result may come through any.",
        keeps: share_the_work,
    },
    Check {
        name: "a_change_through_one_handle_is_seen_by_all",
        promise: "What is changed through one handle counts for the next claim, and the next read, through \
                  another.",
        keeps: seen_by_all,
    },
    Check {
        name: "foreign_writes_are_noticed",
        promise: "The number of foreign writes changes when another handle has written.",
        keeps: noticed,
    },
];

fn share_the_work(place: &Place) -> Held {
    if place.one_at_a_time {
        return Ok(());
    }
    let scene = Scene::open(place)?;
    let other = scene.beside()?;
    let app = scene.app("app")?;
    scene.webhook(&app)?;
    other.webhook(&app)?;
    other.emit(&app, 0..1)?;
    let first = scene.claim(at(0), 1)?;
    let second = other.claim(at(0), 10)?;
    let third = scene.claim(at(0), 10)?;
    same(
        "batches claimed of two, through a handle, another, and the first again",
        &(first.len(), second.len(), third.len()),
        &(1, 1, 0),
    )?;
    hold(first[0].batch.id != second[0].batch.id, || {
        "one batch was claimed through two handles".into()
    })?;
    other.settle(at(1), answered(&first[0], at(1), 200))?;
    scene.settle(at(1), answered(&second[0], at(1), 200))?;
    let late = vec![answered(&first[0], at(2), 500)];
    let exchanged = scene.storage.exchange(at(2), 1, late, None)?;
    same(
        "what was lost of a result that came through the other handle before",
        &exchanged.lost,
        &[first[0].batch.id],
    )?;
    same(
        "what is left to claim",
        &scene.claim(at(3600), 10)?.len(),
        &0,
    )
}

fn seen_by_all(place: &Place) -> Held {
    if place.one_at_a_time {
        return Ok(());
    }
    let scene = Scene::open(place)?;
    let other = scene.beside()?;
    let app = scene.app("app")?;
    let webhook = scene.webhook(&app)?;
    scene.emit(&app, 0..1)?;
    let first = scene.claim_one(at(0))?;
    scene.settle(at(0), answered(&first, at(0), 200))?;
    other.storage.edit_webhook(
        &app,
        &webhook,
        Box::new(|stored| {
            stored.webhook.description = "changed".into();
            stored.webhook.overrides.timeout = Some(std::time::Duration::from_secs(3));
            stored.sealed = vec![7];
            Ok(())
        }),
    )?;
    scene.emit(&app, 1..2)?;
    let second = scene.claim_one(at(0))?;
    same(
        "the description, timeout and secrets that a claim brings after an edit elsewhere",
        &(
            second.webhook.webhook.description.as_str(),
            second.policy.timeout.as_secs(),
            second.webhook.sealed.as_slice(),
        ),
        &("changed", 3, &[7][..]),
    )?;
    scene.settle(at(0), answered(&second, at(0), 200))?;
    other.storage.set_app_state(&app, AppState::Disabled)?;
    same(
        "the state of an app disabled elsewhere",
        &scene.storage.get_app(&app)?.state,
        &AppState::Disabled,
    )?;
    other.storage.set_app_state(&app, AppState::Enabled)?;
    scene.emit(&app, 2..3)?;
    other.edit(&app, &webhook, |webhook| webhook.enabled = false)?;
    same(
        "batches claimed for a webhook disabled elsewhere",
        &scene.claim(at(0), 10)?.len(),
        &0,
    )?;
    other.storage.delete_app(&app)?;
    let read = scene.storage.get_webhook(&app, &webhook);
    hold(read.is_err(), || {
        "a webhook is still read after its app was deleted elsewhere".into()
    })
}

fn noticed(place: &Place) -> Held {
    if place.one_at_a_time {
        return Ok(());
    }
    let scene = Scene::open(place)?;
    let other = scene.beside()?;
    let app = scene.app("app")?;
    let before = scene.storage.foreign_writes()?;
    other.emit(&app, 0..1)?;
    let after = scene.storage.foreign_writes()?;
    hold(before != after, || {
        format!("the number was {before} before and after another handle emitted")
    })?;
    other.emit(&app, 1..2)?;
    hold(after != scene.storage.foreign_writes()?, || {
        format!("the number was {after} before and after another handle emitted again")
    })
}
