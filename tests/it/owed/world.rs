//! The box under test, and the model beside it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hookbox::model::{
    BatchStatus, DeliveryMode, Environment, Events, FailureKind, NewEvent, NewWebhook, Profile,
    SignatureScheme, WebhookId, WebhookUpdate,
};
use hookbox::storage::{BatchFilter, PageRequest};
use hookbox::transport::Request;
use hookbox::{Hookbox, NewApp};

use super::super::support::*;
use super::{APPS, BATCH_EVENTS_MAX, ENVIRONMENTS, Emitted, Op, Types, event_type};

/// The Prelude envelope and challenge, signed by HMAC: making RSA keys is slow.
fn profile() -> Profile {
    let mut profile = Profile::prelude();
    profile.signature = SignatureScheme::StandardWebhooks;
    profile.delivery.batch_events_max = BATCH_EVENTS_MAX as u32;
    profile.delivery.batch_bytes_max = 40;
    profile.delivery.deactivate_after = None;
    profile
}

fn environment(index: usize) -> Option<Environment> {
    ENVIRONMENTS[index].map(|name| Environment::parse(name).unwrap())
}

/// `None`: all types.
fn events(types: Option<&BTreeSet<usize>>) -> Events {
    types.map_or(Events::All, |types| {
        Events::only(types.iter().map(|t| event_type(*t)))
    })
}

/// What the model knows of a webhook.
struct Listener {
    app: usize,
    id: WebhookId,
    active: bool,
    deleted: bool,
    types: Types,
    environment: usize,
    owed: BTreeSet<String>,
}

/// How endpoints answer, and what they got: path, answer, request.
#[derive(Default)]
struct Net {
    how: BTreeMap<String, u8>,
    got: Vec<(String, u8, Request)>,
}

fn path(request: &Request) -> String {
    request.url.as_str().rsplit('/').next().unwrap().to_owned()
}

pub struct World {
    bench: Bench,
    net: Arc<Mutex<Net>>,
    listeners: Vec<Listener>,
    enabled: [bool; 2],
    /// Ids in order of position, and the attributes by id.
    log: Vec<String>,
    of_app: BTreeMap<String, usize>,
    at_most_once: BTreeSet<String>,
    keys: BTreeMap<(usize, u8), String>,
    resent: bool,
}

impl World {
    pub fn new(engine: Engine) -> Self {
        let bench = Bench::over(engine, |options| options.payload_bytes_max(64));
        let net = Arc::new(Mutex::new(Net::default()));
        let of_script = net.clone();
        bench.net.script(move |request| {
            let mut net = of_script.lock().unwrap();
            let path = path(request);
            let how = net.how.get(&path).copied().unwrap_or(0);
            net.got.push((path, how, request.clone()));
            match how {
                1 => status(500),
                2 => failure(FailureKind::Timeout),
                3 => failure(FailureKind::Connect),
                4 if events_in(request).len() > 1 => status(413),
                _ => status(200),
            }
        });
        for app in APPS {
            let new = NewApp {
                profile: profile(),
                ..NewApp::new(app.parse().unwrap())
            };
            bench.hooks.create_app_with(new).unwrap();
        }
        Self {
            bench,
            net,
            listeners: Vec::new(),
            enabled: [true; 2],
            log: Vec::new(),
            of_app: BTreeMap::new(),
            at_most_once: BTreeSet::new(),
            keys: BTreeMap::new(),
            resent: false,
        }
    }

    fn hooks(&self) -> &Hookbox {
        &self.bench.hooks
    }

    fn emit(&mut self, app: usize, emitted: &[Emitted]) {
        let new = emitted.iter().map(|one| {
            let mut event = NewEvent::new(event_type(one.event_type), "{\"n\":1}");
            event.environment = environment(one.environment);
            event.idempotency_key = one.key.map(|key| key.to_string());
            if one.at_most_once {
                event.mode = DeliveryMode::AtMostOnce;
            }
            event
        });
        let result = self.hooks().emit_many(APPS[app], new.collect());
        if !self.enabled[app] {
            assert_eq!(result.unwrap_err().code(), "session_disabled");
            return;
        }
        for (one, id) in emitted.iter().zip(result.unwrap()) {
            let id = id.to_string();
            if let Some(key) = one.key {
                let first = self.keys.entry((app, key)).or_insert_with(|| id.clone());
                assert_eq!(*first, id, "one key, one id");
            }
            if self.of_app.insert(id.clone(), app).is_some() {
                continue;
            }
            self.log.push(id.clone());
            if one.at_most_once {
                self.at_most_once.insert(id.clone());
            }
            for listener in &mut self.listeners {
                let hears = listener.app == app
                    && listener.active
                    && !listener.deleted
                    && listener
                        .types
                        .as_ref()
                        .is_none_or(|t| t.contains(&one.event_type))
                    && (listener.environment == 0 || listener.environment == one.environment);
                if hears {
                    listener.owed.insert(id.clone());
                }
            }
        }
    }

    /// Applies a change to a listener that is there, unless its app is disabled.
    fn change(
        &mut self,
        which: usize,
        call: impl FnOnce(&Hookbox, &str, &WebhookId) -> hookbox::Result<()>,
        note: impl FnOnce(&mut Listener),
    ) {
        let there: Vec<usize> = (0..self.listeners.len())
            .filter(|i| !self.listeners[*i].deleted)
            .collect();
        let Some(index) = there.get(which % there.len().max(1)) else {
            return;
        };
        let listener = &mut self.listeners[*index];
        let result = call(&self.bench.hooks, APPS[listener.app], &listener.id);
        if self.enabled[listener.app] {
            result.unwrap();
            note(listener);
        } else {
            assert_eq!(result.unwrap_err().code(), "session_disabled");
        }
    }

    pub fn apply(&mut self, op: Op) {
        match op {
            Op::Emit(app, emitted) => self.emit(app, &emitted),
            Op::Create(app, types, env) => {
                let mut new =
                    NewWebhook::new(format!("https://example.com/{}", self.listeners.len()))
                        .events(events(types.as_ref()));
                new.environment = environment(env);
                match self.hooks().create_webhook(APPS[app], new) {
                    Ok(webhook) => self.listeners.push(Listener {
                        app,
                        id: webhook.id,
                        active: false,
                        deleted: false,
                        types,
                        environment: env,
                        owed: BTreeSet::new(),
                    }),
                    Err(error) => {
                        assert!(!self.enabled[app]);
                        assert_eq!(error.code(), "session_disabled");
                    }
                }
            }
            Op::Delete(w) => self.change(
                w,
                |hooks, app, id| hooks.delete_webhook(app, id),
                |l| l.deleted = true,
            ),
            Op::Activate(w) => self.change(
                w,
                |hooks, app, id| hooks.activate(app, id).map(drop),
                |l| l.active = true,
            ),
            Op::Deactivate(w) => self.change(
                w,
                |hooks, app, id| hooks.deactivate(app, id).map(drop),
                |l| l.active = false,
            ),
            Op::Subscribe(w, t) => self.change(
                w,
                |hooks, app, id| hooks.add_event_type(app, id, &event_type(t)).map(drop),
                |l| l.types.iter_mut().for_each(|types| types.extend([t])),
            ),
            Op::Unsubscribe(w, t) => self.change(
                w,
                |hooks, app, id| match hooks.remove_event_type(app, id, &event_type(t)) {
                    // Refused for a webhook that hears all.
                    Err(error) if error.code() == "invalid_request" => Ok(()),
                    other => other.map(drop),
                },
                |l| {
                    l.types
                        .iter_mut()
                        .for_each(|types| types.retain(|kept| *kept != t))
                },
            ),
            Op::Update(w, types, env) => {
                let update = WebhookUpdate {
                    events: Some(events(types.as_ref())),
                    environment: Some(environment(env)),
                    ..WebhookUpdate::default()
                };
                self.change(
                    w,
                    |hooks, app, id| hooks.update_webhook(app, id, update).map(drop),
                    |l| (l.types, l.environment) = (types, env),
                );
            }
            Op::App(app, on) => {
                self.enabled[app] = on;
                let hooks = self.hooks();
                if on {
                    hooks.enable_app(APPS[app])
                } else {
                    hooks.disable_app(APPS[app])
                }
                .unwrap();
            }
            Op::Endpoint(w, how) => {
                let path = (w % self.listeners.len().max(1)).to_string();
                self.net.lock().unwrap().how.insert(path, how);
            }
            Op::Resend(which) => self.resend(which),
            Op::Step(seconds) => self.bench.clock.advance(Duration::from_secs(seconds)),
            Op::Poll => self.poll(),
        }
    }

    fn resend(&mut self, which: usize) {
        for app in APPS {
            let all = self
                .hooks()
                .batches(app, BatchFilter::default(), PageRequest::default())
                .unwrap();
            let ended: Vec<_> = all
                .items
                .iter()
                .filter(|batch| batch.status.is_final())
                .collect();
            if let Some(batch) = ended.get(which % ended.len().max(1)) {
                match self.hooks().resend(app, &batch.id) {
                    Ok(_) => self.resent = true,
                    Err(error) => {
                        assert_eq!(error.code(), "batch_conflict");
                        assert_eq!(batch.status, BatchStatus::Cancelled);
                    }
                }
            }
        }
    }

    fn poll(&mut self) {
        let before = self.net.lock().unwrap().got.len();
        self.bench.poll();
        for (path, _, _) in &self.net.lock().unwrap().got[before..] {
            let listener = &self.listeners[path.parse::<usize>().unwrap()];
            assert!(listener.active && !listener.deleted && self.enabled[listener.app]);
        }
    }

    /// All is switched on, all endpoints are well, and time passes until nothing is due.
    pub fn drain(&mut self) {
        self.net.lock().unwrap().how.clear();
        for (index, app) in APPS.into_iter().enumerate() {
            self.hooks().enable_app(app).unwrap();
            self.enabled[index] = true;
        }
        for listener in self.listeners.iter_mut().filter(|l| !l.deleted) {
            self.bench
                .hooks
                .activate(APPS[listener.app], &listener.id)
                .unwrap();
            listener.active = true;
        }
        for _ in 0..1000 {
            match self.bench.poll().next_due {
                Some(due) => self.bench.clock.set(due),
                None => return,
            }
        }
        panic!("it never ends");
    }

    pub fn judge(&self) {
        let net = self.net.lock().unwrap();
        let place: BTreeMap<&String, usize> =
            self.log.iter().enumerate().map(|(i, id)| (id, i)).collect();
        let mut bodies: BTreeMap<&str, &[u8]> = BTreeMap::new();
        let mut accepted: Vec<BTreeSet<String>> = vec![BTreeSet::new(); self.listeners.len()];
        let mut tried = accepted.clone();
        for (path, how, request) in &net.got {
            let index: usize = path.parse().unwrap();
            let listener = &self.listeners[index];
            let batch = request
                .headers
                .iter()
                .find(|(name, _)| name == "webhook-id")
                .unwrap();
            let first = bodies.entry(&batch.1).or_insert(&request.body);
            assert_eq!(*first, request.body, "the same bytes at every attempt");
            let ids: Vec<String> = events_in(request).into_iter().map(|(id, _)| id).collect();
            assert!((1..=BATCH_EVENTS_MAX).contains(&ids.len()));
            assert!(ids.is_sorted_by_key(|id| place[id]), "in order of emission");
            let modes: BTreeSet<bool> = ids
                .iter()
                .map(|id| self.at_most_once.contains(id))
                .collect();
            assert_eq!(modes.len(), 1, "one mode a batch");
            for id in ids {
                assert_eq!(self.of_app[&id], listener.app, "one app a batch");
                assert!(
                    listener.owed.contains(&id),
                    "{path} got {id}, which it was not owed"
                );
                let was_tried = *how != 3 && !tried[index].insert(id.clone());
                if self.at_most_once.contains(&id) && !self.resent {
                    assert!(!was_tried, "{id} goes at most once");
                }
                if *how == 0 || (*how == 4 && events_in(request).len() == 1) {
                    accepted[index].insert(id);
                }
            }
        }
        for (index, listener) in self
            .listeners
            .iter()
            .enumerate()
            .filter(|(_, l)| !l.deleted)
        {
            for id in &listener.owed {
                let arrived = if self.at_most_once.contains(id) {
                    &tried
                } else {
                    &accepted
                };
                assert!(
                    arrived[index].contains(id),
                    "{index} was owed {id} and never got it"
                );
            }
        }
        assert_eq!(self.hooks().check().unwrap(), Vec::<String>::new());
    }
}
