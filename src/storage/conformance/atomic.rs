//! All or nothing.

use super::held::{Held, refused, same, unchanged};
use super::scene::{Scene, answered, at, only};
use super::{Check, Place};
use crate::error::Error;
use crate::model::{AppState, BatchId, BatchStatus, EventType};

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "a_refused_emit_stores_nothing",
        promise: "An emit of several events stores all of them or, when it is refused, none.",
        keeps: refused_emit,
    },
    Check {
        name: "a_failed_edit_changes_nothing",
        promise: "When the closure of an edit fails, its error comes back and nothing is changed.",
        keeps: failed_edit,
    },
    Check {
        name: "a_refused_creation_leaves_nothing",
        promise: "A refused creation changes neither what is there nor leaves a part of itself.",
        keeps: refused_creation,
    },
    Check {
        name: "a_refused_result_disturbs_no_other",
        promise: "A result that is refused is listed, and those beside it and the claim go on.",
        keeps: refused_result,
    },
];

fn refused_emit(place: &Place) -> Held {
    let scene = Scene::open(place)?;
    let app = scene.app("app")?;
    scene.emit(&app, 0..2)?;
    scene.route()?;
    let before = scene.picture()?;
    let mut events = vec![scene.event("1")?, scene.event("2")?, scene.event("3")?];
    events[1].event.event_type = EventType::parse("not.in.the.catalogue")?;
    let first = events[0].id;
    refused(
        "emitting three events, the second of an unknown type,",
        scene.storage.emit(&app, events),
        "invalid_webhook_event",
    )?;
    scene.route()?;
    unchanged("the refused emit", &scene.picture()?, &before)?;
    refused(
        "reading the first of them",
        scene.storage.get_event(&first),
        "event_not_found",
    )?;
    scene.storage.set_app_state(&app, AppState::Disabled)?;
    refused(
        "emitting to a disabled app",
        scene.storage.emit(&app, vec![scene.event("4")?]),
        "session_disabled",
    )?;
    scene.storage.set_app_state(&app, AppState::Enabled)?;
    scene.route()?;
    unchanged("an emit to a disabled app", &scene.picture()?, &before)
}

fn failed_edit(place: &Place) -> Held {
    let scene = Scene::open(place)?;
    let app = scene.app("app")?;
    let webhook = scene.webhook(&app)?;
    let before = scene.picture()?;
    let edited = scene.storage.edit_webhook(
        &app,
        &webhook,
        Box::new(|stored| {
            stored.webhook.description = "half done".into();
            stored.webhook.enabled = false;
            stored.sealed.clear();
            Err(Error::Unsupported("this edit".into()))
        }),
    );
    refused("an edit whose closure fails", edited, "unsupported")?;
    unchanged("a failed edit", &scene.picture()?, &before)?;
    let to_unknown = EventType::parse("not.in.the.catalogue")?;
    let edited = scene.storage.edit_webhook(
        &app,
        &webhook,
        Box::new(move |stored| {
            stored.webhook.description = "half done".into();
            stored.webhook.events = crate::model::Events::only([to_unknown.clone()]);
            Ok(())
        }),
    );
    refused(
        "an edit to an unknown type",
        edited,
        "invalid_webhook_event",
    )?;
    let edited = scene.storage.edit_keys(
        &app,
        Box::new(|keys| {
            keys.clear();
            Err(Error::Unsupported("this edit".into()))
        }),
    );
    refused("an edit of keys that fails", edited, "unsupported")?;
    unchanged("a refused edit", &scene.picture()?, &before)
}

fn refused_creation(place: &Place) -> Held {
    let scene = Scene::open(place)?;
    let app = scene.app_with("app", |policy| policy.concurrency = 3)?;
    scene.storage.edit_keys(
        &app,
        Box::new({
            let key = super::registry::key(&app, "first", 0)?;
            move |keys| {
                keys.push(key.clone());
                Ok(())
            }
        }),
    )?;
    let before = scene.picture()?;
    let mut second = (*scene.storage.get_app(&app)?).clone();
    second.profile.delivery.concurrency = 9;
    let keys = vec![super::registry::key(&app, "second", 1)?];
    let created = scene.storage.create_app(second, keys);
    refused("creating an app that is there", created, "app_exists")?;
    unchanged("creating an app that is there", &scene.picture()?, &before)?;
    let mut webhook = scene.new_webhook(&app)?;
    webhook.webhook.events = only(&[super::scene::TYPE, "not.in.the.catalogue"])?;
    let id = webhook.webhook.id.clone();
    let created = scene.storage.create_webhook(webhook);
    refused(
        "a webhook for an unknown type",
        created,
        "invalid_webhook_event",
    )?;
    refused(
        "reading that webhook",
        scene.storage.get_webhook(&app, &id),
        "webhook_not_found",
    )?;
    unchanged("a refused webhook", &scene.picture()?, &before)
}

fn refused_result(place: &Place) -> Held {
    let scene = Scene::open(place)?;
    let app = scene.app("app")?;
    for _ in 0..3 {
        scene.webhook(&app)?;
    }
    scene.emit(&app, 0..1)?;
    let claimed = scene.claim(at(0), 10)?;
    same("batches claimed for three webhooks", &claimed.len(), &3)?;
    scene.emit(&app, 1..2)?;
    let mut results: Vec<_> = claimed
        .iter()
        .map(|one| answered(one, at(1), 200))
        .collect();
    let (stale, unknown) = (results[1].batch_id, BatchId::new(at(0), 77));
    results[1].fence += 1;
    let mut nobodys = results[0].clone();
    nobodys.batch_id = unknown;
    results.insert(0, nobodys);
    let exchanged = scene.exchange(at(1), results, 10)?;
    same(
        "the results that were refused",
        &exchanged.lost,
        &[unknown, stale],
    )?;
    let statuses: Held<Vec<_>> = claimed
        .iter()
        .map(|one| scene.status(&one.batch.id))
        .collect();
    same(
        "the batches whose results came in one call, the second with a wrong fence,",
        &statuses?,
        &[
            BatchStatus::Delivered,
            BatchStatus::Leased,
            BatchStatus::Delivered,
        ],
    )?;
    same(
        "batches claimed in the same call",
        &exchanged.claimed.len(),
        &2,
    )
}
