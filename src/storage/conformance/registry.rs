//! Apps, keys, the catalogue, webhooks.

use std::time::Duration;

use super::held::{Held, same};
use super::scene::{OTHER, Scene, TYPE, at, event_type, only};
use super::{Check, Place};
use crate::error::Result;
use crate::model::{
    App, AppId, AppState, Environment, Events, Jwk, KeyId, Ordering, Overrides, Profile, RateLimit,
    RetrySchedule, SigningKey, WebhookUrl,
};
use crate::storage::StoredKey;

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "apps_are_kept",
        promise: "An app comes back as it was created, with its whole profile; its state as it was last set.",
        keeps: apps,
    },
    Check {
        name: "keys_are_kept",
        promise: "An app's keys come back oldest first, with every byte of what was sealed; an edit sees \
                  them all and may change each.",
        keeps: keys,
    },
    Check {
        name: "the_catalogue_is_kept",
        promise: "The catalogue is in order of name; setting it adds, or replaces every name.",
        keeps: catalogue,
    },
    Check {
        name: "webhooks_are_kept",
        promise: "A webhook comes back as it was registered, and as it was last edited, with every byte of \
                  what was sealed.",
        keeps: webhooks,
    },
];

/// A key made at some second, whose private part is every byte.
pub(super) fn key(app: &AppId, kid: &str, created: u64) -> Result<StoredKey> {
    let kid = KeyId::parse(kid)?;
    let public = Jwk {
        kty: "RSA".into(),
        kid: kid.to_string(),
        key_use: Some("sig".into()),
        alg: None,
        n: "AQAB".into(),
        e: "AQAB".into(),
    };
    Ok(StoredKey {
        key: SigningKey {
            app_id: app.clone(),
            kid,
            public,
            has_private_part: true,
            created_at: at(created),
            signs_from: at(created),
            signs_until: None,
            published_until: None,
        },
        sealed: (0..=u8::MAX).collect(),
    })
}

fn apps(place: &Place) -> Held {
    let scene = Scene::open(place)?;
    for (name, profile) in [
        ("a", Profile::prelude()),
        ("b", Profile::fingerprint()),
        ("c", Profile::standard_webhooks()),
    ] {
        let app = App {
            id: AppId::parse(name)?,
            state: AppState::Enabled,
            profile,
            created_at: at(7),
        };
        scene.storage.create_app(app.clone(), Vec::new())?;
        same("an app", &*scene.storage.get_app(&app.id)?, &app)?;
        let disabled = App {
            state: AppState::Disabled,
            ..app.clone()
        };
        let set = scene.storage.set_app_state(&app.id, AppState::Disabled)?;
        same("the app that disabling gave", &set, &disabled)?;
        same(
            "a disabled app",
            &*scene.storage.get_app(&app.id)?,
            &disabled,
        )?;
        scene.storage.set_app_state(&app.id, AppState::Enabled)?;
        same(
            "an app enabled again",
            &*scene.storage.get_app(&app.id)?,
            &app,
        )?;
    }
    Ok(())
}

fn keys(place: &Place) -> Held {
    let scene = Scene::open(place)?;
    let first = scene.app("first")?;
    let app = App {
        id: AppId::parse("app")?,
        ..(*scene.storage.get_app(&first)?).clone()
    };
    let id = app.id.clone();
    let [old, new] = [key(&id, "a-new-name", 1)?, key(&id, "0-old-name", 2)?];
    let mut public = key(&id, "public", 3)?;
    public.sealed.clear();
    public.key.has_private_part = false;
    public.key.signs_until = Some(at(8));
    public.key.published_until = Some(at(9));
    let due = vec![old.clone(), new.clone(), public.clone()];
    scene
        .storage
        .create_app(app, vec![new.clone(), public.clone(), old])?;
    same("the keys of an app", &scene.storage.keys(&id)?, &due)?;
    same("the keys of another app", &scene.storage.keys(&first)?, &[])?;
    same(
        "the sealed part of a key",
        &scene.storage.sealed_key(&id, &new.key.kid)?,
        &new.sealed,
    )?;
    let edited = scene.storage.edit_keys(
        &id,
        Box::new(|keys| {
            keys.remove(0);
            for stored in keys.iter_mut() {
                stored.key.signs_until = Some(at(100));
            }
            Ok(())
        }),
    )?;
    let due: Vec<_> = [new, public]
        .into_iter()
        .map(|mut stored| {
            stored.key.signs_until = Some(at(100));
            stored
        })
        .collect();
    same("the keys that an edit gave", &edited, &due)?;
    same("the keys after it", &scene.storage.keys(&id)?, &due)
}

fn catalogue(place: &Place) -> Held {
    let scene = Scene::open(place)?;
    let named =
        |names: &[&str]| -> Result<Vec<_>> { names.iter().map(|name| event_type(name)).collect() };
    let storage = &scene.storage;
    storage.set_event_types(named(&["b", "c"])?, true)?;
    storage.set_event_types(named(&["d", "a", "b"])?, false)?;
    same(
        "the catalogue after b and c, and then a, b and d, were set",
        &storage.event_types()?,
        &named(&["a", "b", "c", "d"])?,
    )?;
    storage.set_event_types(named(&["e", "c"])?, true)?;
    same(
        "the catalogue after it was replaced by c and e",
        &storage.event_types()?,
        &named(&["c", "e"])?,
    )
}

fn webhooks(place: &Place) -> Held {
    let scene = Scene::open(place)?;
    let app = scene.app("app")?;
    let mut stored = scene.new_webhook(&app)?;
    stored.sealed = (0..=u8::MAX).collect();
    let webhook = &mut stored.webhook;
    webhook.url = WebhookUrl::parse("https://receiver.example:8443/hook?a=1&b=%20")?;
    webhook.events = only(&[OTHER, TYPE])?;
    webhook.verified = false;
    webhook.description = "for people".into();
    webhook.environment = Some(Environment::parse("live")?);
    webhook.header_names = vec!["X-One".into(), "x-two".into()];
    webhook.has_basic_auth = true;
    webhook.created_at = at(1);
    webhook.updated_at = at(2);
    webhook.last_enabled_at = Some(at(3));
    webhook.last_disabled_at = Some(at(4));
    webhook.overrides = Overrides {
        timeout: Some(Duration::from_millis(1234)),
        concurrency: Some(7),
        rate_limit: Some(RateLimit { per_second: 9 }),
        retry: Some(RetrySchedule::Waits(vec![Duration::from_secs(5)])),
        ordering: Ordering::Fifo,
    };
    let id = webhook.id.clone();
    scene.storage.create_webhook(stored.clone())?;
    let read = scene.storage.get_webhook(&app, &id)?;
    same("a webhook", &*read, &stored)?;
    same("its sealed part", &read.sealed, &stored.sealed)?;
    same(
        "the webhooks listed",
        &scene.webhooks(&app, 10)?,
        &[stored.webhook.clone()],
    )?;

    let mut changed = stored.clone();
    changed.sealed = vec![0];
    changed.webhook.url = WebhookUrl::parse("https://other.example/")?;
    changed.webhook.events = Events::All;
    changed.webhook.verified = true;
    changed.webhook.environment = None;
    changed.webhook.description = String::new();
    changed.webhook.overrides = Overrides::default();
    changed.webhook.header_names = Vec::new();
    changed.webhook.has_basic_auth = false;
    changed.webhook.updated_at = at(5);
    changed.webhook.last_enabled_at = None;
    let (seen, to) = (stored, changed.clone());
    let edited = scene.storage.edit_webhook(
        &app,
        &id,
        Box::new(move |current| {
            if *current != seen {
                return Err(crate::Error::Unsupported(format!("{current:?}")));
            }
            *current = to.clone();
            Ok(())
        }),
    )?;
    same("the webhook that an edit gave", &edited, &changed)?;
    let read = scene.storage.get_webhook(&app, &id)?;
    same("the webhook after it", &*read, &changed)
}
