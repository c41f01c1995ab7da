//! Many threads at once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::ScopedJoinHandle;

use super::held::{Failure, Held, hold, same};
use super::scene::{Scene, answered, at};
use super::{Check, Place};
use crate::model::{AppId, BatchId, WebhookId};

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "each_event_goes_once_however_many_threads",
        promise: "Threads that emit, claim and settle at once, through several handles where there can be, \
                  deliver each event once to each webhook, in disjoint batches.",
        check: each_event_once,
    },
    Check {
        name: "concurrent_edits_lose_nothing",
        promise: "An edit sees the row as the edit before left it, whichever thread that was.",
        check: edits_lose_nothing,
    },
];

const EMITTERS: usize = 4;
const WORKERS: usize = 4;
const EVENTS_EACH: u64 = 40;

/// The result of a thread, which must not have panicked.
pub(super) fn joined<T>(thread: ScopedJoinHandle<'_, Held<T>>) -> Held<T> {
    thread
        .join()
        .unwrap_or_else(|_| Err(Failure::new("a thread that called the storage panicked")))
}

/// What was delivered: each batch once, and the payloads of each webhook.
#[derive(Default)]
struct Got {
    batches: BTreeSet<BatchId>,
    payloads: BTreeMap<WebhookId, Vec<String>>,
}

fn each_event_once(place: &Place) -> Held {
    let scene = Scene::open(place)?;
    let app = scene.app_with("app", |policy| {
        policy.batch_events_max = 5;
        policy.concurrency = 8;
    })?;
    let webhooks: Held<Vec<_>> = (0..4).map(|_| scene.webhook(&app)).collect();
    let handles: Held<Vec<Scene<'_>>> = (0..2).map(|_| scene.beside_if_possible()).collect();
    let (webhooks, handles) = (webhooks?, handles?);
    let emitting = AtomicUsize::new(EMITTERS);
    let got = Mutex::new(Got::default());
    std::thread::scope(|scope| {
        let mut threads = Vec::new();
        for (number, handle) in handles.iter().cycle().take(EMITTERS).enumerate() {
            let (emitting, app) = (&emitting, &app);
            threads.push(scope.spawn(move || {
                let emitted = emit_all(handle, app, number as u64);
                emitting.fetch_sub(1, Ordering::SeqCst);
                emitted
            }));
        }
        for handle in handles.iter().cycle().take(WORKERS) {
            let (emitting, got) = (&emitting, &got);
            threads.push(scope.spawn(move || deliver_all(handle, emitting, got)));
        }
        threads.into_iter().try_for_each(joined)
    })?;
    let mut got = got.into_inner().unwrap_or_default();
    for delivery in scene.drain(at(0))? {
        let batch = delivery.claimed.batch;
        let payloads = got.payloads.entry(batch.webhook_id).or_default();
        payloads.extend(delivery.payloads);
    }
    let mut due: Vec<String> = (0..EMITTERS as u64 * EVENTS_EACH)
        .map(|number| number.to_string())
        .collect();
    due.sort();
    for webhook in &webhooks {
        let mut payloads = got.payloads.remove(webhook).unwrap_or_default();
        payloads.sort();
        same("the events that a webhook got", &payloads, &due)?;
    }
    Ok(())
}

fn emit_all(scene: &Scene<'_>, app: &AppId, number: u64) -> Held {
    let first = number * EVENTS_EACH;
    for event in (first..first + EVENTS_EACH).step_by(2) {
        scene.emit(app, event..event + 2)?;
    }
    Ok(())
}

/// Delivers until nothing is left after the last event was emitted.
fn deliver_all(scene: &Scene<'_>, emitting: &AtomicUsize, got: &Mutex<Got>) -> Held {
    let mut results = Vec::new();
    loop {
        let was_last = emitting.load(Ordering::SeqCst) == 0;
        let exchanged = scene.exchange(at(0), std::mem::take(&mut results), 3)?;
        same(
            "results lost while their leases were held",
            &exchanged.lost,
            &[],
        )?;
        if was_last && exchanged.claimed.is_empty() && !exchanged.more {
            return Ok(());
        }
        for claimed in exchanged.claimed {
            let payloads = scene.payloads(&claimed.batch)?;
            results.push(answered(&claimed, at(0), 200));
            let Ok(mut got) = got.lock() else {
                return Err(Failure::new("another thread panicked"));
            };
            hold(got.batches.insert(claimed.batch.id), || {
                format!("{} was claimed by two threads", claimed.batch.id)
            })?;
            let of_webhook = got.payloads.entry(claimed.batch.webhook_id).or_default();
            of_webhook.extend(payloads);
        }
    }
}

const EDITORS: usize = 4;
const EDITS_EACH: usize = 10;

fn edits_lose_nothing(place: &Place) -> Held {
    let scene = Scene::open(place)?;
    let app = scene.app("app")?;
    let webhook = scene.webhook(&app)?;
    let edit_all = |editor: usize| -> Held {
        for number in 0..EDITS_EACH {
            scene.edit(&app, &webhook, |webhook| webhook.description.push('x'))?;
            let key = super::registry::key(&app, &format!("{editor}-{number}"), 0)?;
            let add = move |keys: &mut Vec<_>| {
                keys.push(key.clone());
                Ok(())
            };
            scene.storage.edit_keys(&app, Box::new(add))?;
        }
        Ok(())
    };
    let edit_all = &edit_all;
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..EDITORS)
            .map(|editor| scope.spawn(move || edit_all(editor)))
            .collect();
        threads.into_iter().try_for_each(joined)
    })?;
    let stored = scene.storage.get_webhook(&app, &webhook)?;
    same(
        "edits and keys left of those that four threads made",
        &(
            stored.webhook.description.len(),
            scene.storage.keys(&app)?.len(),
        ),
        &(EDITORS * EDITS_EACH, EDITORS * EDITS_EACH),
    )
}
