//! Emitting again.

use super::held::{Held, same};
use super::scene::{Scene, at};
use super::{Check, Place};
use crate::model::EventId;

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "a_key_is_emitted_once",
        promise: "Emitting again under an app's idempotency key gives the first event's id and \
                  stores nothing, within a call and across calls; other apps have keys of their own.",
        keeps: once,
    },
    Check {
        name: "a_key_is_emitted_once_by_many_threads",
        promise: "Threads that emit under the same idempotency keys at once all get the same ids.",
        keeps: once_by_threads,
    },
];

fn once(place: &Place) -> Held {
    let scene = Scene::open(place)?;
    let (app, other) = (scene.app("app")?, scene.app("other")?);
    let keyed = |payload: &str, key: &str| -> Held<_> {
        let mut event = scene.event(payload)?;
        event.event.idempotency_key = Some(key.to_owned());
        Ok(event)
    };
    let ids = scene.storage.emit(
        &app,
        vec![
            keyed("1", "a")?,
            scene.event("2")?,
            keyed("3", "a")?,
            keyed("4", "b")?,
        ],
    )?;
    same(
        "the ids of the first and third event, of one key in one call,",
        &ids[2],
        &ids[0],
    )?;
    let again = scene
        .storage
        .emit(&app, vec![keyed("5", "b")?, keyed("6", "c")?])?;
    same("the id given for a key used before", &again[0], &ids[3])?;
    let others = scene.storage.emit(&other, vec![keyed("7", "a")?])?;
    scene.route()?;
    let stored: Held<Vec<_>> = [(ids[0], "1"), (others[0], "7")]
        .into_iter()
        .map(|(id, payload)| {
            let event = scene.storage.get_event(&id)?;
            same("the payload kept for a key", &event.payload, payload)
        })
        .collect();
    stored?;
    let payloads: Vec<_> = scene
        .events(&app, 100)?
        .into_iter()
        .map(|event| event.payload)
        .collect();
    same(
        "the events of the app, newest first,",
        &payloads,
        &["6", "4", "2", "1"],
    )
}

fn once_by_threads(place: &Place) -> Held {
    const KEYS: usize = 20;
    let scene = Scene::open(place)?;
    let app = scene.app("app")?;
    let emit_all = || -> Held<Vec<EventId>> {
        let mut ids = Vec::new();
        for key in 0..KEYS {
            let mut event = scene.event("1")?;
            event.event.idempotency_key = Some(key.to_string());
            ids.extend(scene.storage.emit(&app, vec![event])?);
        }
        Ok(ids)
    };
    let of_threads: Held<Vec<_>> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(emit_all)).collect();
        threads.into_iter().map(super::threads::joined).collect()
    });
    let of_threads = of_threads?;
    for ids in &of_threads {
        same("the ids that two threads got", ids, &of_threads[0])?;
    }
    scene.exchange(at(0), Vec::new(), 0)?;
    same("events stored", &scene.events(&app, 100)?.len(), &KEYS)
}
