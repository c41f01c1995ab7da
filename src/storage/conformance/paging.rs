//! Listings, page by page.

use std::fmt::Debug;

use super::held::{Held, refused, same};
use super::scene::{OTHER, Scene, all, answered, at, event_type, failed};
use super::workout;
use super::{Check, Place};
use crate::error::Result;
use crate::model::{BatchStatus, Environment, FailureKind};
use crate::storage::{
    AttemptFilter, BatchFilter, EventFilter, Page, PageRequest, Storage, WebhookFilter,
};

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "listings_are_complete_and_in_order",
        promise: "Every listing gives each row once and in its order, whatever the size of its pages: apps \
                  by id, webhooks as registered, events, batches and attempts the newest first.",
        keeps: complete_and_in_order,
    },
    Check {
        name: "listings_keep_their_filters",
        promise: "A filter gives the rows that match, all of them, and no others.",
        keeps: filters,
    },
    Check {
        name: "a_listing_outlives_changes",
        promise: "Rows that come or go while somebody pages neither repeat nor hide the others.",
        keeps: outlives_changes,
    },
    Check {
        name: "a_foreign_cursor_is_refused",
        promise: "A cursor that no storage wrote is refused as `invalid_request`.",
        keeps: foreign_cursor,
    },
];

fn complete_and_in_order(place: &Place) -> Held {
    let scene = Scene::open(place)?;
    for name in ["m", "z", "b", "0", "Z"] {
        scene.app(name)?;
    }
    let app = scene.app_with("app", |policy| policy.batch_events_max = 1)?;
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.push(scene.webhook_with(&app, |webhook| webhook.enabled = false)?);
    }
    ids.push(scene.webhook(&app)?);
    let other = scene.app("other")?;
    scene.webhook(&other)?;
    let mut emitted = Vec::new();
    for number in 0..7 {
        emitted.extend(scene.emit(&app, number..number + 1)?);
        scene.emit(&other, number..number + 1)?;
    }
    emitted.reverse();
    let mut batches: Vec<_> = scene
        .drain(at(0))?
        .into_iter()
        .filter(|one| one.claimed.app.id == app)
        .map(|one| one.claimed.batch.id)
        .collect();
    batches.reverse();
    for limit in [1, 2, 3, 7, 1000] {
        let by = format!("by pages of {limit}");
        let apps = scene.apps(limit)?;
        let apps: Vec<_> = apps.iter().map(|app| app.id.as_str()).collect();
        let due = ["0", "Z", "app", "b", "m", "other", "z"];
        same(&format!("the apps {by}"), &apps, &due)?;
        let webhooks = scene.webhooks(&app, limit)?;
        let webhooks: Vec<_> = webhooks.into_iter().map(|webhook| webhook.id).collect();
        same(&format!("the webhooks {by}"), &webhooks, &ids)?;
        let listed = scene.events(&app, limit)?;
        let listed: Vec<_> = listed.iter().map(|event| event.id).collect();
        same(&format!("the events {by}"), &listed, &emitted)?;
        let listed = scene.batches(&app, limit)?;
        let listed: Vec<_> = listed.iter().map(|batch| batch.id).collect();
        same(&format!("the batches {by}"), &listed, &batches)?;
        let listed = scene.attempts(&app, limit)?;
        let listed: Vec<_> = listed.iter().map(|one| one.batch_id).collect();
        same(&format!("the attempts {by}"), &listed, &batches)?;
    }
    Ok(())
}

fn filters(place: &Place) -> Held {
    let scene = Scene::open(place)?;
    let app = scene.app_with("app", |policy| policy.batch_events_max = 1)?;
    let live = Environment::parse("live")?;
    let plain = scene.webhook(&app)?;
    let bound = scene.webhook_with(&app, |webhook| webhook.environment = Some(live.clone()))?;
    let off = scene.webhook_with(&app, |webhook| webhook.enabled = false)?;
    let listed = |enabled, environment: Option<&Environment>| -> Held<Vec<_>> {
        let filter = WebhookFilter {
            enabled,
            environment: environment.cloned(),
        };
        let found = all(1, |page| {
            scene.storage.list_webhooks(&app, filter.clone(), page)
        })?;
        Ok(found.into_iter().map(|webhook| webhook.id).collect())
    };
    same(
        "enabled webhooks",
        &listed(Some(true), None)?,
        &[plain.clone(), bound.clone()],
    )?;
    same("disabled webhooks", &listed(Some(false), None)?, &[off])?;
    same(
        "webhooks of an environment",
        &listed(None, Some(&live))?,
        std::slice::from_ref(&bound),
    )?;
    same(
        "disabled webhooks of an environment",
        &listed(Some(false), Some(&live))?.len(),
        &0,
    )?;

    scene.emit(&app, 0..2)?;
    let of_other = scene.emit_type(&app, OTHER, "2")?;
    let mut event = scene.event("3")?;
    event.event.environment = Some(live);
    scene.storage.emit(&app, vec![event])?;
    let of_bound: Vec<_> = scene.claim(at(0), 10)?;
    for claimed in &of_bound {
        if claimed.batch.webhook_id == bound {
            scene.settle(at(0), failed(claimed, at(0), FailureKind::Dns))?;
        } else {
            scene.settle(at(0), answered(claimed, at(0), 200))?;
        }
    }
    let filter = EventFilter {
        event_type: Some(event_type(OTHER)?),
    };
    let found = all(1, |page| {
        scene.storage.list_events(&app, filter.clone(), page)
    })?;
    let found: Vec<_> = found.iter().map(|event| event.id).collect();
    same("events of a type", &found, &[of_other])?;
    let of_webhook = |webhook, status| -> Held<usize> {
        let filter = BatchFilter { webhook, status };
        Ok(all(1, |page| {
            scene.storage.list_batches(&app, filter.clone(), page)
        })?
        .len())
    };
    let (waiting, delivered) = (BatchStatus::Waiting, BatchStatus::Delivered);
    let counts = [
        of_webhook(None, None)?,
        of_webhook(Some(plain.clone()), None)?,
        of_webhook(Some(bound.clone()), None)?,
        of_webhook(None, Some(waiting))?,
        of_webhook(Some(bound.clone()), Some(waiting))?,
        of_webhook(Some(bound.clone()), Some(delivered))?,
    ];
    same(
        "batches in all, of each webhook, waiting, and of the second by status",
        &counts,
        &[2, 1, 1, 1, 1, 0],
    )?;
    let attempts = |webhook, batch| -> Held<usize> {
        let filter = AttemptFilter { webhook, batch };
        Ok(all(1, |page| {
            scene.storage.list_attempts(&app, filter.clone(), page)
        })?
        .len())
    };
    let of_plain = of_bound.iter().find(|one| one.batch.webhook_id == plain);
    let batch = of_plain.map(|one| one.batch.id);
    let counts = [
        attempts(None, None)?,
        attempts(Some(bound.clone()), None)?,
        attempts(None, batch)?,
        attempts(Some(bound), batch)?,
    ];
    same(
        "attempts in all, of a webhook, of a batch, and of a batch that is not the webhook's",
        &counts,
        &[2, 1, 1, 0],
    )
}

fn outlives_changes(place: &Place) -> Held {
    let scene = Scene::open(place)?;
    let app = scene.app("app")?;
    scene.emit(&app, 0..6)?;
    scene.route()?;
    let mut seen = Vec::new();
    let mut cursor = None;
    loop {
        let page = PageRequest::first(2)?.after(cursor);
        let page = scene
            .storage
            .list_events(&app, EventFilter::default(), page)?;
        seen.extend(page.items.into_iter().map(|event| event.payload));
        cursor = page.next_cursor;
        if cursor.is_none() || seen.len() > 10 {
            break;
        }
        scene.emit(&app, 100..103)?;
        scene.route()?;
    }
    same(
        "six events listed while others were emitted",
        &seen,
        &["5", "4", "3", "2", "1", "0"],
    )?;
    let ids: Held<Vec<_>> = (0..4).map(|_| scene.webhook(&app)).collect();
    let ids = ids?;
    let list = |cursor| -> Held<Page<_>> {
        let page = PageRequest::first(2)?.after(cursor);
        Ok(scene
            .storage
            .list_webhooks(&app, WebhookFilter::default(), page)?)
    };
    let first = list(None)?;
    scene.storage.delete_webhook(&app, &ids[1])?;
    let second = list(first.next_cursor)?;
    let second: Vec<_> = second.items.into_iter().map(|webhook| webhook.id).collect();
    same(
        "the second page of webhooks, after the last of the first was deleted,",
        &second,
        &ids[2..],
    )
}

fn foreign_cursor(place: &Place) -> Held {
    let scene = Scene::open(place)?;
    let app = workout::fill(&scene)?;
    let storage: &dyn Storage = &*scene.storage;
    for text in ["no cursor!", "'; --", "\u{0}", "é"] {
        refuse(text, |page| storage.list_apps(page))?;
        refuse(text, |page| {
            storage.list_webhooks(&app, WebhookFilter::default(), page)
        })?;
        refuse(text, |page| {
            storage.list_events(&app, EventFilter::default(), page)
        })?;
        refuse(text, |page| {
            storage.list_batches(&app, BatchFilter::default(), page)
        })?;
        refuse(text, |page| {
            storage.list_attempts(&app, AttemptFilter::default(), page)
        })?;
    }
    Ok(())
}

fn refuse<T: Debug>(cursor: &str, list: impl Fn(PageRequest) -> Result<Page<T>>) -> Held {
    let page = PageRequest::first(1)?.after(Some(cursor.to_owned()));
    let what = format!("a listing after the cursor {cursor:?}");
    refused(&what, list(page), "invalid_request")
}
