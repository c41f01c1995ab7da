//! Owed exactly, over random histories: the storage beside a model that notes, as each event is
//! emitted, who listens.

mod deliveries;

use std::collections::{BTreeMap, BTreeSet};

use super::held::{Failure, Held, refused, same};
use super::scene::{Scene, at, event_type};
use super::{Check, Place};
use crate::clock::Prng;
use crate::model::{
    AppId, AppState, BatchId, DeliveryMode, Environment, Events, Positions, Timestamp, WebhookId,
};
use crate::storage::Claimed;

pub(super) const CHECKS: &[Check] = &[Check {
    name: "exactly_what_is_owed_is_delivered",
    promise: "Over any history of emits, registrations, changes, claims, results and lost leases, each \
              webhook is sent exactly what it is owed: each event accepted once, what goes at most once \
              never sent twice.",
    keeps: exactly_owed,
}];

/// Each history is random, and the same at every run.
const SEEDS: [u64; 12] = [1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144, 233];
const STEPS: usize = 120;

const TYPES: [&str; 3] = ["user.created", "user.deleted", "user.session.created"];
const ENVIRONMENTS: [Option<&str>; 3] = [None, Some("live"), Some("test")];
const BATCH_EVENTS_MAX: u32 = 5;

fn exactly_owed(place: &Place) -> Held {
    let mut scene = Scene::open(place)?;
    let types: crate::Result<_> = TYPES.into_iter().map(event_type).collect();
    scene.storage.set_event_types(types?, true)?;
    let mut start = at(0);
    for seed in SEEDS {
        let mut world = World::new(&scene, seed, start)?;
        for step in 0..STEPS {
            if step % 40 == 39 {
                scene = scene.reopen_if_kept()?;
            }
            world.step(&scene).map_err(|failure| {
                Failure::new(format!("at step {step} of the history {seed}: {failure}"))
            })?;
        }
        let ended = world.drain(&scene).and_then(|()| world.judge());
        ended.map_err(|failure| {
            Failure::new(format!("at the end of the history {seed}: {failure}"))
        })?;
        same(
            "what is wrong",
            &scene.storage.check()?,
            &Vec::<String>::new(),
        )?;
        for (app, _) in &world.apps {
            scene.storage.delete_app(app)?;
        }
        start = world.now;
    }
    Ok(())
}

struct Listener {
    app: usize,
    id: WebhookId,
    is_active: bool,
    is_deleted: bool,
    /// `None`: all types.
    types: Option<BTreeSet<usize>>,
    environment: usize,
    owed: BTreeSet<usize>,
    /// Events of batches whose success was stored.
    accepted: BTreeSet<usize>,
    /// Events of which a request may have arrived.
    arrived: BTreeSet<usize>,
}

struct World {
    dice: Prng,
    now: Timestamp,
    /// Each app, and whether it is enabled.
    apps: Vec<(AppId, bool)>,
    listeners: Vec<Listener>,
    /// For each event, whether it goes at most once; its payload is its number here.
    at_most_once: Vec<bool>,
    /// Batches in hand.
    out: Vec<Claimed>,
    frozen: BTreeMap<BatchId, Positions>,
}

impl World {
    fn new(scene: &Scene<'_>, seed: u64, start: Timestamp) -> Held<Self> {
        let mut apps = Vec::new();
        for name in ["left", "right"] {
            let app = scene.app_with(&format!("{name}-{seed}"), |policy| {
                policy.batch_events_max = BATCH_EVENTS_MAX;
                policy.batch_bytes_max = 8;
                policy.concurrency = 3;
                policy.deactivate_after = None;
                policy.jitter_percent = 10;
            })?;
            apps.push((app, true));
        }
        Ok(Self {
            dice: Prng::new(seed),
            now: start,
            apps,
            listeners: Vec::new(),
            at_most_once: Vec::new(),
            out: Vec::new(),
            frozen: BTreeMap::new(),
        })
    }

    /// A random number below `bound`.
    fn roll(&mut self, bound: usize) -> usize {
        let sides = u64::try_from(bound.max(1)).unwrap_or(1);
        usize::try_from(self.dice.next_u64() % sides).unwrap_or(0)
    }

    fn step(&mut self, scene: &Scene<'_>) -> Held {
        match self.roll(20) {
            0..5 => self.emit(scene),
            5 | 6 => self.create(scene),
            7 => self.delete(scene),
            8 | 9 => self.toggle(scene),
            10 | 11 => self.subscribe(scene),
            12 => self.toggle_app(scene),
            13..16 => self.claim(scene),
            16..19 => self.settle(scene),
            _ => {
                let span = self.roll(5_000) as u64;
                self.now = self.now.plus(std::time::Duration::from_secs(span));
                Ok(())
            }
        }
    }

    fn types(&mut self) -> Option<BTreeSet<usize>> {
        let all = self.roll(4) == 0;
        let bits = self.roll(8);
        (!all).then(|| (0..3).filter(|bit| bits & (1 << bit) != 0).collect())
    }

    fn emit(&mut self, scene: &Scene<'_>) -> Held {
        let app = self.roll(2);
        let first = self.at_most_once.len();
        let (mut prepared, mut kinds) = (Vec::new(), Vec::new());
        for number in first..=first + self.roll(8) {
            let (of_type, environment) = (self.roll(3), self.roll(3));
            let mut event = scene.event_at(self.now, number.to_string())?;
            event.event.event_type = event_type(TYPES[of_type])?;
            event.event.environment = named(environment)?;
            if self.roll(5) == 0 {
                event.event.mode = DeliveryMode::AtMostOnce;
            }
            prepared.push(event);
            kinds.push((of_type, environment));
        }
        let (id, is_enabled) = &self.apps[app];
        let emitted = scene.storage.emit(id, prepared.clone());
        if !is_enabled {
            return refused("an emit to a disabled app", emitted, "session_disabled");
        }
        emitted?;
        for (event, (of_type, environment)) in prepared.into_iter().zip(kinds) {
            for listener in &mut self.listeners {
                let hears = listener.app == app
                    && listener.is_active
                    && !listener.is_deleted
                    && listener
                        .types
                        .as_ref()
                        .is_none_or(|types| types.contains(&of_type))
                    && [0, environment].contains(&listener.environment);
                if hears {
                    listener.owed.insert(self.at_most_once.len());
                }
            }
            self.at_most_once
                .push(event.event.mode == DeliveryMode::AtMostOnce);
        }
        Ok(())
    }

    fn create(&mut self, scene: &Scene<'_>) -> Held {
        let (app, types, environment) = (self.roll(2), self.types(), self.roll(3));
        let is_active = self.roll(2) == 0;
        let (id, is_enabled) = &self.apps[app];
        let mut stored = scene.new_webhook(id)?;
        stored.webhook.events = events(types.as_ref())?;
        stored.webhook.environment = named(environment)?;
        stored.webhook.enabled = is_active;
        let id = stored.webhook.id.clone();
        let created = scene.storage.create_webhook(stored);
        if !is_enabled {
            return refused("a webhook of a disabled app", created, "session_disabled");
        }
        created?;
        self.listeners.push(Listener {
            app,
            id,
            is_active,
            is_deleted: false,
            types,
            environment,
            owed: BTreeSet::new(),
            accepted: BTreeSet::new(),
            arrived: BTreeSet::new(),
        });
        Ok(())
    }

    /// One of the listeners that are there, of an app that is enabled.
    fn pick(&mut self) -> Option<usize> {
        let there: Vec<usize> = (0..self.listeners.len())
            .filter(|index| {
                let listener = &self.listeners[*index];
                !listener.is_deleted && self.apps[listener.app].1
            })
            .collect();
        let chosen = self.roll(there.len());
        there.get(chosen).copied()
    }

    fn delete(&mut self, scene: &Scene<'_>) -> Held {
        // Seldom: what is deleted proves nothing more.
        if self.roll(3) > 0 {
            return Ok(());
        }
        if let Some(index) = self.pick() {
            let listener = &mut self.listeners[index];
            let app = &self.apps[listener.app].0;
            scene.storage.delete_webhook(app, &listener.id)?;
            listener.is_deleted = true;
        }
        Ok(())
    }

    fn toggle(&mut self, scene: &Scene<'_>) -> Held {
        let Some(index) = self.pick() else {
            return Ok(());
        };
        let is_active = !self.listeners[index].is_active;
        self.set_active(scene, index, is_active)
    }

    fn set_active(&mut self, scene: &Scene<'_>, index: usize, is_active: bool) -> Held {
        let listener = &mut self.listeners[index];
        let (app, now) = (&self.apps[listener.app].0, self.now);
        scene.edit(app, &listener.id, move |webhook| {
            webhook.enabled = is_active;
            webhook.updated_at = now;
        })?;
        listener.is_active = is_active;
        Ok(())
    }

    fn subscribe(&mut self, scene: &Scene<'_>) -> Held {
        let (types, environment) = (self.types(), self.roll(3));
        if let Some(index) = self.pick() {
            let listener = &mut self.listeners[index];
            let (events, environment_name) = (events(types.as_ref())?, named(environment)?);
            let app = &self.apps[listener.app].0;
            scene.edit(app, &listener.id, move |webhook| {
                webhook.events = events.clone();
                webhook.environment.clone_from(&environment_name);
            })?;
            (listener.types, listener.environment) = (types, environment);
        }
        Ok(())
    }

    fn toggle_app(&mut self, scene: &Scene<'_>) -> Held {
        let app = self.roll(2);
        let is_enabled = !self.apps[app].1;
        self.set_app(scene, app, is_enabled)
    }

    fn set_app(&mut self, scene: &Scene<'_>, app: usize, is_enabled: bool) -> Held {
        let state = if is_enabled {
            AppState::Enabled
        } else {
            AppState::Disabled
        };
        scene.storage.set_app_state(&self.apps[app].0, state)?;
        self.apps[app].1 = is_enabled;
        Ok(())
    }
}

fn named(environment: usize) -> crate::Result<Option<Environment>> {
    ENVIRONMENTS[environment]
        .map(Environment::parse)
        .transpose()
}

fn events(types: Option<&BTreeSet<usize>>) -> crate::Result<Events> {
    let Some(types) = types else {
        return Ok(Events::All);
    };
    let names: crate::Result<Vec<_>> = types.iter().map(|one| event_type(TYPES[*one])).collect();
    Ok(Events::only(names?))
}
