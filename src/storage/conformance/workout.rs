//! A storage with something of everything in it.

use std::time::Duration;

use super::api_keys::api_key;
use super::held::Held;
use super::registry::key;
use super::scene::{OTHER, Scene, answered, at, failed};
use crate::model::{AppId, AppState, Environment, Events, FailureKind, RetrySchedule};

/// Fills an empty place: apps, keys, API keys, webhooks, events, and batches in every state. Returns an app.
pub(super) fn fill(scene: &Scene<'_>) -> Held<AppId> {
    let app = scene.app_with("full", |policy| {
        policy.batch_events_max = 2;
        policy.concurrency = 8;
        policy.retry = RetrySchedule::Waits(vec![Duration::from_secs(60)]);
    })?;
    let off = scene.app("off")?;
    scene.storage.set_app_state(&off, AppState::Disabled)?;
    let new = key(&app, "key", 0)?;
    let add = move |keys: &mut Vec<_>| {
        keys.push(new.clone());
        Ok(())
    };
    scene.storage.edit_keys(&app, Box::new(add))?;
    for (number, scope) in [(1, Some(&app)), (2, None)] {
        scene.storage.create_api_key(api_key(number, scope))?;
    }
    let webhook = scene.webhook(&app)?;
    scene.webhook_with(&app, |webhook| webhook.events = Events::All)?;
    let parked = scene.webhook(&app)?;
    let mut events = Vec::new();
    for number in 0..12 {
        let mut event = scene.event_at(at(number), number.to_string())?;
        event.event.idempotency_key = (number % 3 == 0).then(|| number.to_string());
        if number % 4 == 0 {
            event.event.environment = Some(Environment::parse("live")?);
        }
        events.push(event);
    }
    scene.storage.emit(&app, events)?;
    scene.emit_type(&app, OTHER, "12")?;
    // Delivered, exhausted, waiting, split, cancelled, leased; the rest is left in the log.
    let claimed = scene.claim(at(0), 12)?;
    for (number, one) in claimed.iter().enumerate() {
        match number % 6 {
            0 => drop(scene.settle(at(1), answered(one, at(1), 200))?),
            1 => drop(scene.settle(at(1), answered(one, at(1), 500))?),
            2 => drop(scene.settle(at(1), failed(one, at(1), FailureKind::Timeout))?),
            3 => drop(scene.settle(at(1), answered(one, at(1), 413))?),
            4 => drop(scene.storage.cancel(&app, &one.batch.id, at(1))?),
            _ => {}
        }
    }
    for one in scene.claim(at(61), 2)? {
        scene.settle(at(61), answered(&one, at(61), 500))?;
    }
    scene.edit(&app, &parked, |webhook| webhook.enabled = false)?;
    scene.storage.replay(&app, &webhook, at(3))?;
    Ok(app)
}
