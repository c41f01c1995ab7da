//! Deleting an app.

use super::held::{Held, hold, refused, same};
use super::scene::{Scene, answered, at};
use super::workout;
use super::{Check, Place};

pub(super) const CHECKS: &[Check] = &[Check {
    name: "a_deleted_app_leaves_nothing",
    promise: "A deleted app goes with its keys, webhooks, events, batches and attempts; a result that is \
              out is refused, an app made anew under its id starts empty, and others notice nothing.",
    keeps: leaves_nothing,
}];

fn leaves_nothing(place: &Place) -> Held {
    let scene = Scene::open(place)?;
    let other = scene.app("other")?;
    scene.webhook(&other)?;
    scene.emit(&other, 0..1)?;
    let others = scene.claim_one(at(0))?;
    scene.settle(at(0), answered(&others, at(0), 500))?;
    let app = workout::fill(&scene)?;
    let old = (*scene.storage.get_app(&app)?).clone();
    let webhook = scene.webhooks(&app, 10)?.remove(0);
    let mut keyed = scene.event("1")?;
    keyed.event.idempotency_key = Some("key".into());
    let emitted = scene.storage.emit(&app, vec![keyed.clone()])?;
    let out: Vec<_> = scene
        .claim(at(61), 100)?
        .into_iter()
        .filter(|one| one.app.id == app)
        .collect();
    let batches = scene.batches(&app, 1000)?;
    // More than one transaction deletes.
    for call in 0..11 {
        scene.emit(&app, call * 1000..(call + 1) * 1000)?;
    }
    hold(!out.is_empty(), || "no batch of the app was claimed".into())?;

    scene.storage.delete_app(&app)?;
    refused("reading it", scene.storage.get_app(&app), "app_not_found")?;
    refused(
        "deleting it again",
        scene.storage.delete_app(&app),
        "app_not_found",
    )?;
    let late: Vec<_> = out.iter().map(|one| answered(one, at(62), 200)).collect();
    let due: Vec<_> = out.iter().map(|one| one.batch.id).collect();
    let exchanged = scene.exchange(at(62), late, 0)?;
    same("what was lost of its results", &exchanged.lost, &due)?;

    scene.storage.create_app(old, Vec::new())?;
    refused(
        "reading an event of the app before",
        scene.storage.get_event(&emitted[0]),
        "event_not_found",
    )?;
    refused(
        "reading a webhook of the app before",
        scene.storage.get_webhook(&app, &webhook.id),
        "webhook_not_found",
    )?;
    for batch in batches {
        let read = scene.storage.get_batch(&batch.id);
        refused("reading a batch of the app before", read, "batch_not_found")?;
    }
    let left = (
        scene.storage.keys(&app)?.len(),
        scene.webhooks(&app, 10)?.len(),
        scene.events(&app, 10)?.len(),
        scene.batches(&app, 10)?.len(),
        scene.attempts(&app, 10)?.len(),
    );
    same(
        "keys, webhooks, events, batches and attempts of an app made anew",
        &left,
        &(0, 0, 0, 0, 0),
    )?;
    keyed.id = scene.event("1")?.id;
    let again = scene.storage.emit(&app, vec![keyed.clone()])?;
    same(
        "the id given under a key that the app before had used",
        &again,
        &[keyed.id],
    )?;
    scene.webhook(&app)?;
    scene.emit(&app, 7..8)?;
    let mut delivered = scene.delivered(at(3600))?.concat();
    delivered.sort();
    same(
        "what is delivered then, to another app and to the app made anew,",
        &delivered,
        &["0", "7"],
    )?;
    same(
        "what is wrong",
        &scene.storage.check()?,
        &Vec::<String>::new(),
    )
}
