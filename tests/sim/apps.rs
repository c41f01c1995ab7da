//! What hosts do to apps, and to the catalogue of event types.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering::SeqCst;

use hookbox::clock::Clock;
use hookbox::model::{App, AppId, AppState, KeyId, KeySize, Secret, SignatureScheme, SigningKey};
use hookbox::{NewApp, NewKey};

use super::judge;
use super::keys;
use super::steps::{came, event_type, name_of};
use super::watch::lock;
use super::world::{APPS, TYPES, World};

impl World {
    pub fn create_apps(&mut self) {
        self.weather.calm.store(true, SeqCst);
        for (app, name) in APPS.into_iter().take(self.plan.apps).enumerate() {
            self.new_app(app, 0, "stamp-0").unwrap();
            lock(&self.judge).apps.push(judge::App {
                id: name.parse().unwrap(),
                enabled: true,
                gone: false,
                keys: Vec::new(),
            });
            self.read_keys(app);
        }
        self.register_signers();
        self.weather.calm.store(false, SeqCst);
    }

    /// Creates an app with its first key, where it signs with one.
    fn new_app(&mut self, app: usize, box_no: usize, kid: &str) -> hookbox::Result<()> {
        let id: AppId = APPS[app].parse().unwrap();
        let profile = self.plan.profile.clone();
        let signs = matches!(profile.signature, SignatureScheme::RsaPss { .. });
        if self.plan.real_keys || !signs {
            let key = if signs {
                NewKey::Import {
                    pem: Secret::new(keys::pem(app)),
                    kid: None,
                }
            } else {
                // None is made, where none signs.
                NewKey::Generate(KeySize::Rsa2048)
            };
            let new = NewApp { id, profile, key };
            return self.running(box_no).hooks.create_app_with(new).map(drop);
        }
        let kid = KeyId::parse(kid).unwrap();
        let now = self.clocks[box_no].now();
        let key = keys::first(&id, kid.clone(), now);
        self.stamps.push((app, kid));
        let app = App {
            id,
            state: AppState::Enabled,
            profile,
            created_at: now,
        };
        let storage = self.running(box_no).hooks.storage().clone();
        storage.create_app(app, vec![key])
    }

    /// Notes an app's keys as they are now.
    pub fn read_keys(&self, app: usize) {
        let mut judge = lock(&self.judge);
        if judge.apps[app].gone {
            return;
        }
        let stored = judge.oracle.keys(&judge.apps[app].id).unwrap();
        let keys: Vec<SigningKey> = stored.into_iter().map(|one| one.key).collect();
        let now = judge.truth.now();
        judge.apps[app].keys.push((now, keys));
    }

    pub fn switch_app(&mut self, box_no: usize) {
        let app = self.chance.below(self.plan.apps);
        let on = self.chance.per_mille(700);
        let hooks = &self.running(box_no).hooks;
        let result = if on {
            hooks.enable_app(APPS[app])
        } else {
            hooks.disable_app(APPS[app])
        };
        let mut judge = lock(&self.judge);
        if judge.apps[app].gone {
            judge.check("I16", result.is_err(), || {
                "a deleted app was switched".into()
            });
            return;
        }
        let id = judge.apps[app].id.clone();
        let stored = judge.oracle.get_app(&id).unwrap().state;
        let enabled = stored == AppState::Enabled;
        judge.check("I16", result.is_err() || enabled == on, || {
            format!("{id} was switched to {on} and is {enabled}")
        });
        judge.apps[app].enabled = enabled;
        judge.note(|| format!("app {id} is enabled: {enabled}"));
    }

    /// An app is deleted with everything of its; one that was comes back, empty.
    pub fn drop_app(&mut self, box_no: usize) {
        let app = self.chance.below(self.plan.apps);
        let stays = self.chance.per_mille(600);
        if lock(&self.judge).apps[app].gone {
            self.counter += 1;
            let kid = format!("stamp-{}", self.counter);
            let result = self.new_app(app, box_no, &kid);
            let came = came(result, self.running(box_no).watch.has_crashed());
            let mut judge = lock(&self.judge);
            judge.note(|| format!("creates {} again: {}", APPS[app], name_of(&came)));
            judge.created_app(app, &came);
            drop(judge);
            self.read_keys(app);
            self.register_signers();
        } else if !stays {
            let running = self.running(box_no);
            let result = running.hooks.delete_app(APPS[app]);
            let came = came(result, running.watch.has_crashed());
            let mut judge = lock(&self.judge);
            judge.note(|| format!("deletes {}: {}", APPS[app], name_of(&came)));
            judge.deleted_app(app, &came);
        }
    }

    /// An event type leaves the catalogue, and those that had left it are there again; or all are.
    pub fn change_catalogue(&mut self, box_no: usize) {
        let one = self.chance.below(TYPES.len());
        let leaves = self.chance.per_mille(400);
        let wanted = (0..TYPES.len()).filter(|index| !leaves || *index != one);
        let wanted: BTreeSet<usize> = wanted.collect();
        let types = wanted.iter().map(|index| event_type(*index));
        let running = self.running(box_no);
        let result = if leaves {
            running.hooks.replace_event_types(types)
        } else {
            running.hooks.add_event_types(types)
        };
        let came = came(result, running.watch.has_crashed());
        let mut judge = lock(&self.judge);
        judge.note(|| format!("the catalogue becomes {wanted:?}: {}", name_of(&came)));
        judge.set_catalogue(wanted, &came);
    }
}
