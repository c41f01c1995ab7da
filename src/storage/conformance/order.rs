//! The log, and how batches are cut from it.

use super::held::{Held, hold, same};
use super::scene::{Scene, at};
use super::{Check, Place};
use crate::model::{DeliveryMode, Environment, Position};

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "positions_ascend_in_commit_order",
        promise: "Events get ascending positions: in their order within a call, and each call after \
                  those that returned before it began.",
        keeps: positions_ascend,
    },
    Check {
        name: "an_event_is_kept_as_given",
        promise: "Every field of an event, and every byte of its payload, comes back as it was emitted.",
        keeps: kept_as_given,
    },
    Check {
        name: "a_batch_holds_one_delivery_mode",
        promise: "Events that go at most once are never in a batch with others; order is kept.",
        keeps: one_mode,
    },
    Check {
        name: "a_batch_keeps_its_limits",
        promise: "A batch holds as many events, and bytes of payload, as the policy allows, in order of \
                  position; a larger event goes alone.",
        keeps: limits,
    },
];

fn positions_ascend(place: &Place) -> Held {
    let scene = Scene::open(place)?;
    let (app, other) = (scene.app("app")?, scene.app("other")?);
    let mut ids = Vec::new();
    for call in 0..5 {
        let app = if call % 2 == 0 { &app } else { &other };
        ids.extend(scene.emit(app, call * 10..call * 10 + 4)?);
    }
    scene.route()?;
    let positions: Held<Vec<Position>> = ids
        .iter()
        .map(|id| Ok(scene.storage.get_event(id)?.position))
        .collect();
    let positions = positions?;
    hold(
        positions[0] >= 1 && positions.is_sorted_by(|a, b| a < b),
        || {
            format!(
                "the positions of events emitted one after another in five calls: {positions:?}"
            )
        },
    )?;
    same(
        "the last position given",
        &Some(&scene.storage.stats()?.last_position),
        &positions.last(),
    )
}

/// JSON texts that a parser would give back otherwise.
const PAYLOADS: [&str; 6] = [
    " { \"a\" : 1.0 , \"a\" : 1e400 ,\n\t\"b\":[ ] } ",
    "\"\\u0000 \\ud83d\\ude00 \\/ 😀 é e\u{301} \u{2028}\"",
    "123456789012345678901234567890",
    "{\"quote\":\"' \\\" ; -- \\\\ %s\"}",
    "null",
    "\"\"",
];

fn kept_as_given(place: &Place) -> Held {
    let scene = Scene::open(place)?;
    let app = scene.app("app")?;
    scene.webhook(&app)?;
    let mut emitted = Vec::new();
    for (number, payload) in (0u64..).zip(PAYLOADS) {
        let mut event = scene.event_at(at(number), payload)?;
        if number % 2 == 0 {
            event.event.environment = Some(Environment::parse("live")?);
            event.event.idempotency_key = Some(format!("key' {number} 😀"));
            event.event.mode = DeliveryMode::AtMostOnce;
        }
        emitted.push(event);
    }
    scene.storage.emit(&app, emitted.clone())?;
    scene.route()?;
    for prepared in &emitted {
        let event = scene.storage.get_event(&prepared.id)?;
        let read = (event.id, event.created_at, &event.app_id);
        same(
            "an event's id, time and app",
            &read,
            &(prepared.id, prepared.created_at, &app),
        )?;
        let given = &prepared.event;
        same("the type", &event.event_type, &given.event_type)?;
        same("the payload", &event.payload, &given.payload)?;
        same("the key", &event.idempotency_key, &given.idempotency_key)?;
        same("the environment", &event.environment, &given.environment)?;
        same("the mode", &event.mode, &given.mode)?;
    }
    let payloads = scene.delivered(at(0))?.concat();
    same("the payloads as they are sent", &payloads, &PAYLOADS)
}

fn one_mode(place: &Place) -> Held {
    let scene = Scene::open(place)?;
    let app = scene.app("app")?;
    scene.webhook(&app)?;
    let mut events = Vec::new();
    for (number, once) in [false, true, true, false].into_iter().enumerate() {
        let mut event = scene.event(number.to_string())?;
        if once {
            event.event.mode = DeliveryMode::AtMostOnce;
        }
        events.push(event);
    }
    scene.storage.emit(&app, events)?;
    let sent: Vec<_> = scene
        .drain(at(0))?
        .into_iter()
        .map(|one| (one.claimed.batch.mode, one.payloads.concat()))
        .collect();
    let (least, most) = (DeliveryMode::AtLeastOnce, DeliveryMode::AtMostOnce);
    let due = [(least, "0"), (most, "12"), (least, "3")].map(|(m, text)| (m, text.to_owned()));
    same("the batches sent", &sent, &due)
}

fn limits(place: &Place) -> Held {
    let scene = Scene::open(place)?;
    let app = scene.app_with("app", |policy| {
        policy.batch_events_max = 3;
        policy.batch_bytes_max = 10;
    })?;
    scene.webhook(&app)?;
    let payloads = [
        "1",
        "2",
        "3",
        "4444",
        "5555",
        "6666",
        "777777777777",
        "8",
        "9999999999",
    ];
    let events: crate::Result<_> = payloads.iter().map(|text| scene.event(*text)).collect();
    scene.storage.emit(&app, events?)?;
    let due: [&[&str]; 6] = [
        &["1", "2", "3"],
        &["4444", "5555"],
        &["6666"],
        &["777777777777"],
        &["8"],
        &["9999999999"],
    ];
    same(
        "batches of at most 3 events and 10 bytes",
        &scene.delivered(at(0))?,
        &due,
    )
}
