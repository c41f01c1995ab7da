//! Many threads at once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::thread::ScopedJoinHandle;

use super::held::{Failure, Held, hold, refused, same};
use super::scene::{Scene, answered, at};
use super::{Check, Place};
use crate::error::Error;
use crate::model::{AppId, BatchId, EventType, WebhookId};
use crate::storage::StoredWebhook;

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "each_event_goes_once_however_many_threads",
        promise: "Threads that emit, claim and settle at once, through several handles where there can be, \
                  deliver each event once to each webhook, in disjoint batches.",
        keeps: each_event_once,
    },
    Check {
        name: "emits_and_changes_agree_however_many_threads",
        promise: "A webhook that is switched on and off while threads emit is owed what was emitted while it \
                  was on, and nothing that was emitted while it was off.",
        keeps: emits_and_changes_agree,
    },
    Check {
        name: "concurrent_edits_lose_nothing",
        promise: "An edit sees the row as the edit before left it, whichever thread that was.",
        keeps: edits_lose_nothing,
    },
    Check {
        name: "a_refused_write_undoes_itself_alone",
        promise: "Of writes of many threads, those that are refused leave nothing, and those beside them are \
                  kept.",
        keeps: refused_undo_themselves_alone,
    },
];

const EMITTERS: usize = 4;
const WORKERS: usize = 4;
const EVENTS_EACH: usize = 40;
const WEBHOOKS: usize = 4;
/// Each holds at least one event.
const BATCHES_MAX: usize = EMITTERS * EVENTS_EACH * WEBHOOKS;

/// The result of a thread, which must not have panicked.
pub(super) fn joined<T>(thread: ScopedJoinHandle<'_, Held<T>>) -> Held<T> {
    thread
        .join()
        .unwrap_or_else(|_| Err(Failure::new("a thread that called the storage panicked")))
}

/// Counts a thread out, however it ends: others wait for it.
struct CountedOut<'a>(&'a AtomicUsize);

impl Drop for CountedOut<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
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
    let webhooks: Held<Vec<_>> = (0..WEBHOOKS).map(|_| scene.webhook(&app)).collect();
    let handles: Held<Vec<Scene<'_>>> = (0..2).map(|_| scene.beside_if_possible()).collect();
    let (webhooks, handles) = (webhooks?, handles?);
    let emitting = AtomicUsize::new(EMITTERS);
    let got = Mutex::new(Got::default());
    std::thread::scope(|scope| {
        let mut threads = Vec::new();
        for (number, handle) in handles.iter().cycle().take(EMITTERS).enumerate() {
            let (emitting, app) = (&emitting, &app);
            threads.push(scope.spawn(move || {
                let _counted_out = CountedOut(emitting);
                emit_all(handle, app, number)
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
    let mut due: Vec<String> = (0..EMITTERS * EVENTS_EACH)
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

fn emit_all(scene: &Scene<'_>, app: &AppId, number: usize) -> Held {
    let first = (number * EVENTS_EACH) as u64;
    for event in (first..first + EVENTS_EACH as u64).step_by(2) {
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
            hold(got.batches.len() <= BATCHES_MAX, || {
                "more batches were claimed than there are events for webhooks".into()
            })?;
            let of_webhook = got.payloads.entry(claimed.batch.webhook_id).or_default();
            of_webhook.extend(payloads);
        }
    }
}

const SWITCHES: usize = 10;
/// Emits between two switches: so many that some lie wholly in between.
const EMITS_BETWEEN: u64 = 4 * EMITTERS as u64;

/// When something began and ended, on a clock that ticks with every beginning and end.
type Span = (u64, u64);

fn emits_and_changes_agree(place: &Place) -> Held {
    let scene = Scene::open(place)?;
    let app = scene.app("app")?;
    let webhook = scene.webhook(&app)?;
    let clock = AtomicU64::new(0);
    let (emitted, emitting) = (AtomicU64::new(0), AtomicUsize::new(EMITTERS));
    let is_over = AtomicBool::new(false);
    let tick = || clock.fetch_add(1, Ordering::SeqCst);
    let emit = || -> Held<Vec<(String, Span)>> {
        let _counted_out = CountedOut(&emitting);
        let mut spans = Vec::new();
        while !is_over.load(Ordering::SeqCst) {
            let began = tick();
            let number = scene.unique();
            scene.emit(&app, number..number + 1)?;
            spans.push((number.to_string(), (began, tick())));
            emitted.fetch_add(1, Ordering::SeqCst);
        }
        Ok(spans)
    };
    let switch = || -> Held<Vec<Span>> {
        let mut spans = Vec::new();
        for number in 0..SWITCHES {
            let enough = emitted.load(Ordering::SeqCst) + EMITS_BETWEEN;
            while emitted.load(Ordering::SeqCst) < enough && emitting.load(Ordering::SeqCst) > 0 {
                std::thread::yield_now();
            }
            let began = tick();
            scene.edit(&app, &webhook, move |webhook| {
                webhook.enabled = number % 2 == 1;
            })?;
            spans.push((began, tick()));
        }
        Ok(spans)
    };
    let (events, switches) = std::thread::scope(|scope| -> Held<_> {
        let emitters: Vec<_> = (0..EMITTERS).map(|_| scope.spawn(emit)).collect();
        // In a thread too: whatever happens in it, the emitters are told that it is over.
        let switches = joined(scope.spawn(switch));
        is_over.store(true, Ordering::SeqCst);
        let events: Held<Vec<_>> = emitters.into_iter().map(joined).collect();
        Ok((events?.concat(), switches?))
    })?;
    let got: BTreeSet<String> = scene.delivered(at(0))?.concat().into_iter().collect();
    for (payload, (began, ended)) in events {
        let before = switches.iter().filter(|switch| switch.1 < began).count();
        let begun = switches.iter().filter(|switch| switch.0 < ended).count();
        if before == begun {
            // No switch was under way: it is off after an odd number of them.
            let is_on = before % 2 == 0;
            same(
                &format!("whether event {payload} was delivered, emitted after {before} switches,"),
                &got.contains(&payload),
                &is_on,
            )?;
        }
    }
    Ok(())
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

const WRITERS: usize = 4;
const WRITES_EACH: usize = 20;

fn refused_undo_themselves_alone(place: &Place) -> Held {
    let scene = Scene::open(place)?;
    let app = scene.app("app")?;
    let webhook = scene.webhook(&app)?;
    let unknown = EventType::parse("not.in.the.catalogue")?;
    let write_all = || -> Held<Vec<String>> {
        let mut kept = Vec::new();
        for _ in 0..WRITES_EACH {
            let number = scene.unique();
            scene.emit(&app, number..number + 1)?;
            kept.push(number.to_string());
            let mut events = vec![scene.event("\"refused\"")?, scene.event("\"refused\"")?];
            events[1].event.event_type = unknown.clone();
            let emitted = scene.storage.emit(&app, events);
            refused("an unknown type", emitted, "invalid_webhook_event")?;
            scene.edit(&app, &webhook, |webhook| webhook.description.push('x'))?;
            let fails = |stored: &mut StoredWebhook| {
                stored.webhook.description.push('y');
                Err(Error::Unsupported("this edit".into()))
            };
            let edited = scene.storage.edit_webhook(&app, &webhook, Box::new(fails));
            refused("an edit whose closure fails", edited, "unsupported")?;
        }
        Ok(kept)
    };
    let write_all = &write_all;
    let mut due = std::thread::scope(|scope| -> Held<Vec<String>> {
        let threads: Vec<_> = (0..WRITERS).map(|_| scope.spawn(write_all)).collect();
        let kept: Held<Vec<_>> = threads.into_iter().map(joined).collect();
        Ok(kept?.concat())
    })?;
    let mut delivered = scene.delivered(at(0))?.concat();
    due.sort();
    delivered.sort();
    same("events that were delivered", &delivered, &due)?;
    let stored = scene.storage.get_webhook(&app, &webhook)?;
    let edits = "x".repeat(WRITERS * WRITES_EACH);
    same("edits left", &stored.webhook.description, &edits)
}
