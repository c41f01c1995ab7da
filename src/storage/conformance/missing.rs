//! What is not there.

use super::held::{Held, refused};
use super::registry::key;
use super::scene::{Scene, at};
use super::{Check, Place};
use crate::error::Error;
use crate::model::{AppId, AppState, BatchId, EventId, KeyId, WebhookId, WebhookIdStyle};
use crate::storage::{AttemptFilter, BatchFilter, EventFilter, PageRequest, WebhookFilter};

pub(super) const CHECKS: &[Check] = &[Check {
    name: "what_is_not_there_is_named",
    promise: "A call for an app, webhook, batch, event or key that is not there is refused with the \
              documented error, and so is one for what belongs to another app.",
    keeps: named,
}];

fn named(place: &Place) -> Held {
    let scene = Scene::open(place)?;
    let (app, other) = (scene.app("app")?, scene.app("other")?);
    let others = scene.webhook(&other)?;
    no_app(&scene, &others)?;
    no_webhook(&scene, &app, &others)?;
    nothing_else(&scene, &app)
}

/// Holds when the call was refused so.
fn is_refused(call: &str, error: Option<Error>, code: &str) -> Held {
    refused(call, error.map_or(Ok(()), Err), code)
}

fn no_app(scene: &Scene<'_>, others: &WebhookId) -> Held {
    let storage = &scene.storage;
    let none = AppId::parse("none")?;
    let kid = KeyId::parse("kid")?;
    let page = PageRequest::default;
    let new_key = key(&none, "kid", 0)?;
    let add = move |keys: &mut Vec<_>| {
        keys.push(new_key.clone());
        Ok(())
    };
    let fresh = scene.new_webhook(&none)?;
    let event = scene.event("1")?;
    let no_edit = Box::new(|_: &mut _| Ok(()));
    let refusals = [
        ("get_app", storage.get_app(&none).err()),
        (
            "set_app_state",
            storage.set_app_state(&none, AppState::Disabled).err(),
        ),
        ("delete_app", storage.delete_app(&none).err()),
        ("keys", storage.keys(&none).err()),
        ("edit_keys", storage.edit_keys(&none, Box::new(add)).err()),
        ("sealed_key", storage.sealed_key(&none, &kid).err()),
        ("create_webhook", storage.create_webhook(fresh).err()),
        ("get_webhook", storage.get_webhook(&none, others).err()),
        (
            "edit_webhook",
            storage.edit_webhook(&none, others, no_edit).err(),
        ),
        (
            "delete_webhook",
            storage.delete_webhook(&none, others).err(),
        ),
        ("emit", storage.emit(&none, vec![event]).err()),
        (
            "list_webhooks",
            storage
                .list_webhooks(&none, WebhookFilter::default(), page())
                .err(),
        ),
        (
            "list_events",
            storage
                .list_events(&none, EventFilter::default(), page())
                .err(),
        ),
        (
            "list_batches",
            storage
                .list_batches(&none, BatchFilter::default(), page())
                .err(),
        ),
        (
            "list_attempts",
            storage
                .list_attempts(&none, AttemptFilter::default(), page())
                .err(),
        ),
    ];
    for (call, error) in refusals {
        is_refused(&format!("{call} of no app"), error, "app_not_found")?;
    }
    Ok(())
}

fn no_webhook(scene: &Scene<'_>, app: &AppId, others: &WebhookId) -> Held {
    let storage = &scene.storage;
    let none = &WebhookId::new(WebhookIdStyle::WebUlid, at(0), 9);
    let page = PageRequest::default;
    for id in [none, others] {
        let batches = BatchFilter {
            webhook: Some(id.clone()),
            status: None,
        };
        let attempts = AttemptFilter {
            webhook: Some(id.clone()),
            batch: None,
        };
        let no_edit = Box::new(|_: &mut _| Ok(()));
        let refusals = [
            ("get_webhook", storage.get_webhook(app, id).err()),
            ("edit_webhook", storage.edit_webhook(app, id, no_edit).err()),
            ("delete_webhook", storage.delete_webhook(app, id).err()),
            (
                "list_batches",
                storage.list_batches(app, batches, page()).err(),
            ),
            (
                "list_attempts",
                storage.list_attempts(app, attempts, page()).err(),
            ),
            ("replay", storage.replay(app, id, at(0)).err()),
            ("backlog", storage.backlog(app, id).err()),
        ];
        for (call, error) in refusals {
            is_refused(
                &format!("{call} of no webhook of the app"),
                error,
                "webhook_not_found",
            )?;
        }
    }
    Ok(())
}

fn nothing_else(scene: &Scene<'_>, app: &AppId) -> Held {
    let storage = &scene.storage;
    let (batch, event) = (BatchId::new(at(0), 9), EventId::new(at(0), 9));
    let kid = KeyId::parse("kid")?;
    is_refused(
        "sealed_key of no key",
        storage.sealed_key(app, &kid).err(),
        "key_not_found",
    )?;
    is_refused(
        "get_event of no event",
        storage.get_event(&event).err(),
        "event_not_found",
    )?;
    let refusals = [
        ("get_batch", storage.get_batch(&batch).err()),
        ("resend", storage.resend(app, &batch, at(0)).err()),
        ("cancel", storage.cancel(app, &batch, at(0)).err()),
    ];
    for (call, error) in refusals {
        is_refused(&format!("{call} of no batch"), error, "batch_not_found")?;
    }
    Ok(())
}
