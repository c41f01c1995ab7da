//! Text that an engine may stumble over.

use super::held::{Failure, Held, hold, same};
use super::scene::{Scene, answered, at};
use super::{Check, Place};
use crate::model::{BatchStatus, EXCERPT_BYTES_MAX};

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "a_hostile_answer_never_wedges",
        promise: "A result is stored whatever the endpoint answered; of its text nothing is lost but \
                  characters that the engine cannot hold.",
        keeps: hostile_answer,
    },
    Check {
        name: "hostile_text_is_kept_or_refused",
        promise: "A text that the engine cannot hold is refused by itself, or loses what cannot be held; any \
                  other comes back byte for byte, and texts that differ in a byte are different.",
        keeps: hostile_text,
    },
];

/// Texts that any engine can hold.
const TEXTS: [&str; 8] = [
    "",
    " ",
    "'; DROP TABLE hookbox_event; --",
    "\"\\ \t\r\n %s $1 ?1 {}",
    "😀 e\u{301} \u{202e} \u{feff} \u{fffd} \u{10ffff}",
    "\u{1}\u{1f}\u{7f}\u{80}",
    "null",
    "[[1,2]]",
];

/// Whether a text came back: as it was, or without its U+0000.
fn is_kept(seen: &str, text: &str) -> bool {
    let held = |text: &str| text.replace(['\u{0}', '\u{fffd}'], "");
    seen == text || (text.contains('\u{0}') && held(seen) == held(text))
}

fn hostile_answer(place: &Place) -> Held {
    let scene = Scene::open(place)?;
    let app = scene.app("app")?;
    scene.webhook(&app)?;
    let long = "é".repeat(EXCERPT_BYTES_MAX / 2);
    let texts = TEXTS
        .iter()
        .copied()
        .chain([long.as_str(), "a\u{0}b", "\u{0}"]);
    for (number, text) in (0..).zip(texts) {
        scene.emit(&app, number..number + 1)?;
        let claimed = scene.claim_one(at(number))?;
        let mut result = answered(&claimed, at(number), 200);
        if let Some((attempt, _)) = &mut result.attempt {
            text.clone_into(&mut attempt.excerpt);
        }
        scene.settle(at(number), result)?;
        same(
            &format!("the status of a batch whose answer was {text:?}"),
            &scene.status(&claimed.batch.id)?,
            &BatchStatus::Delivered,
        )?;
        let attempts = scene.attempts(&app, 1000)?;
        let excerpt = attempts.first().map_or("no attempt", |one| &one.excerpt);
        hold(is_kept(excerpt, text), || {
            format!("the answer {text:?} was kept as {excerpt:?}")
        })?;
    }
    Ok(())
}

fn hostile_text(place: &Place) -> Held {
    let scene = Scene::open(place)?;
    let app = scene.app("app")?;
    scene.webhook(&app)?;
    for text in TEXTS {
        let id = scene.webhook_with(&app, |webhook| {
            text.clone_into(&mut webhook.description);
            webhook.enabled = false;
        })?;
        let read = scene.storage.get_webhook(&app, &id)?;
        same("a description", read.webhook.description.as_str(), text)?;
    }
    let keys = [
        "key",
        "KEY",
        "key ",
        " key",
        "k\u{e9}y",
        "ke\u{301}y",
        "'",
        "😀",
    ];
    let mut ids = Vec::new();
    for key in keys {
        let mut event = scene.event("1")?;
        event.event.idempotency_key = Some(key.to_owned());
        ids.extend(scene.storage.emit(&app, vec![event])?);
    }
    scene.route()?;
    for (id, key) in ids.iter().zip(keys) {
        let event = scene.storage.get_event(id)?;
        let read = event.idempotency_key.unwrap_or_default();
        same("a key, one of eight that differ,", read.as_str(), key)?;
    }
    // U+0000: PostgreSQL has no place for it.
    let mut stored = scene.new_webhook(&app)?;
    let id = stored.webhook.id.clone();
    stored.webhook.enabled = false;
    stored.webhook.description = "a\u{0}b".into();
    let mut event = scene.event("1")?;
    event.event.idempotency_key = Some("a\u{0}b".into());
    if scene.storage.create_webhook(stored).is_ok() {
        let read = scene.storage.get_webhook(&app, &id)?;
        let kept = &read.webhook.description;
        hold(is_kept(kept, "a\u{0}b"), || {
            format!("a description with U+0000 was kept as {kept:?}")
        })?;
    } else if scene.storage.get_webhook(&app, &id).is_ok() {
        return Err(Failure::new(
            "a webhook is there whose creation was refused",
        ));
    }
    let emitted = scene
        .storage
        .emit(&app, vec![event])
        .map_or(0, |ids| ids.len());
    let delivered = scene.delivered(at(0))?.concat().len();
    same(
        "events delivered, beside a text with U+0000,",
        &delivered,
        &(keys.len() + emitted),
    )
}
