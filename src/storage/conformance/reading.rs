//! What operators look at.

use std::sync::atomic::{AtomicU64, Ordering};

use super::held::{Failure, Held, hold, refused, same};
use super::scene::{OTHER, Scene, answered, at, only};
use super::{Check, Place, workout};
use crate::model::{Environment, Positions};
use crate::storage::BatchCounts;

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "events_are_read_by_position",
        promise: "Events are read by their positions, in order, over gaps; of those that are gone fewer come \
                  back.",
        keeps: read_by_position,
    },
    Check {
        name: "an_event_tells_who_has_it",
        promise: "An event tells which batches hold it, and which webhooks are owed it and have it in no \
                  batch yet.",
        keeps: who_has_it,
    },
    Check {
        name: "a_backlog_counts_what_waits",
        promise: "A backlog counts the events that are owed and in no batch, since when, and the batches by \
                  status.",
        keeps: backlog,
    },
    Check {
        name: "a_healthy_storage_finds_nothing_wrong",
        promise: "The storage's own check is empty after all kinds of use, and a storage opened for writing \
                  is not read-only.",
        keeps: nothing_wrong,
    },
    Check {
        name: "a_copy_overwrites_nothing",
        promise: "A backup to a file that exists is refused and leaves the file as it was.",
        keeps: copy,
    },
];

fn read_by_position(place: &Place) -> Held {
    let scene = Scene::open(place)?;
    let app = scene.app("app")?;
    let ids = scene.emit(&app, 0..6)?;
    scene.route()?;
    let positions: Held<Vec<_>> = ids
        .iter()
        .map(|id| Ok(scene.storage.get_event(id)?.position))
        .collect();
    let positions = positions?;
    let beyond = positions[5] + 1000;
    let wanted: Positions = [
        positions[0],
        positions[2],
        positions[3],
        positions[5],
        beyond,
    ]
    .into_iter()
    .collect();
    let events = scene.storage.read_events(&wanted)?;
    let read: Vec<_> = events.iter().map(|event| event.payload.as_str()).collect();
    same(
        "the events read at four positions, and one that was never given,",
        &read,
        &["0", "2", "3", "5"],
    )?;
    same(
        "an event read by its position",
        &events[1],
        &scene.storage.get_event(&ids[2])?,
    )
}

fn who_has_it(place: &Place) -> Held {
    let scene = Scene::open(place)?;
    let app = scene.app_with("app", |policy| policy.batch_events_max = 2)?;
    let other = scene.app("other")?;
    scene.webhook(&other)?;
    let live = Environment::parse("live")?;
    let others = only(&[OTHER])?;
    scene.webhook_with(&app, |webhook| webhook.environment = Some(live))?;
    scene.webhook_with(&app, |webhook| webhook.events = others)?;
    scene.webhook_with(&app, |webhook| webhook.enabled = false)?;
    let webhook = scene.webhook(&app)?;
    let ids = scene.emit(&app, 0..3)?;
    let later = scene.webhook(&app)?;
    scene.route()?;
    let last = scene.storage.get_event(&ids[2])?;
    same(
        "who awaits an event, of six webhooks of which one is owed it,",
        &scene.storage.awaited_by(&last)?,
        &[webhook],
    )?;
    same(
        "the batches that hold it",
        &scene.storage.batches_of(&last)?.len(),
        &0,
    )?;
    let first = scene.claim_one(at(0))?;
    let event = scene.storage.get_event(&ids[0])?;
    same(
        "who awaits an event in a batch",
        &scene.storage.awaited_by(&event)?.len(),
        &0,
    )?;
    same(
        "the batches that hold it",
        &scene.storage.batches_of(&event)?,
        &[scene.batch(&first.batch.id)?],
    )?;
    same(
        "who awaits one that did not fit",
        &scene.storage.awaited_by(&last)?.len(),
        &1,
    )?;
    scene.settle(at(0), answered(&first, at(0), 200))?;
    scene.drain(at(0))?;
    scene.storage.replay(&app, &later, at(0))?;
    scene.drain(at(0))?;
    let holders = scene.storage.batches_of(&last)?;
    let of_later = holders.iter().filter(|batch| batch.webhook_id == later);
    same(
        "the batches that hold an event that was replayed to another webhook, and those of this",
        &(holders.len(), of_later.count()),
        &(2, 1),
    )
}

fn backlog(place: &Place) -> Held {
    let scene = Scene::open(place)?;
    let app = scene.app_with("app", |policy| policy.batch_events_max = 1)?;
    let webhook = scene.webhook(&app)?;
    let row = || scene.storage.backlog(&app, &webhook);
    let empty = row()?;
    same(
        "events owed at first, and since when",
        &(empty.events_owed, empty.oldest_owed_at),
        &(0, None),
    )?;
    for seconds in 5..9 {
        scene.emit_at(&app, at(seconds), seconds..seconds + 1)?;
    }
    scene.emit_type(&app, OTHER, "9")?;
    scene.route()?;
    let full = row()?;
    same(
        "events owed of four, and one of another type, and since when",
        &(full.events_owed, full.oldest_owed_at),
        &(4, Some(at(5))),
    )?;
    let claimed = scene.claim_one(at(10))?;
    let out = row()?;
    let leased = BatchCounts {
        leased: 1,
        ..BatchCounts::default()
    };
    same(
        "events owed while one is out, since when, and the batches",
        &(out.events_owed, out.oldest_owed_at, out.batches),
        &(3, Some(at(6)), leased),
    )?;
    scene.settle(at(10), answered(&claimed, at(10), 500))?;
    let claimed = scene.claim_one(at(10))?;
    let row = row()?;
    let counts = BatchCounts {
        waiting: 1,
        leased: 1,
        ..BatchCounts::default()
    };
    same(
        "events owed while one waits and one is out, and the batches",
        &(row.events_owed, row.batches),
        &(2, counts),
    )?;
    same(
        "the webhook and its failures in a row",
        &(row.webhook_id, row.health.consecutive_failures),
        &(claimed.batch.webhook_id, 1),
    )
}

fn nothing_wrong(place: &Place) -> Held {
    let scene = Scene::open(place)?;
    workout::fill(&scene)?;
    same(
        "what is wrong",
        &scene.storage.check()?,
        &Vec::<String>::new(),
    )?;
    same(
        "whether it is read-only",
        &scene.storage.is_read_only(),
        &false,
    )?;
    let last = scene.storage.stats()?.last_position;
    hold(last >= 13, || {
        format!("the last position after 13 events is {last}")
    })
}

fn copy(place: &Place) -> Held {
    // One name for each run, of each process.
    static RUNS: AtomicU64 = AtomicU64::new(0);
    let scene = Scene::open(place)?;
    scene.app("app")?;
    let run = RUNS.fetch_add(1, Ordering::Relaxed);
    let name = format!("hookbox-conformance-{}-{run}", std::process::id());
    let path = std::env::temp_dir().join(name);
    let io = |error: std::io::Error| Failure::new(format!("{}: {error}", path.display()));
    std::fs::write(&path, "precious").map_err(io)?;
    let copied = scene.storage.backup(&path);
    let left = std::fs::read_to_string(&path).map_err(io)?;
    std::fs::remove_file(&path).map_err(io)?;
    same("the file that was there", &left, "precious")?;
    match copied {
        Err(crate::Error::Unsupported(_)) => Ok(()),
        other => refused("a backup to it", other, "invalid_request"),
    }
}
