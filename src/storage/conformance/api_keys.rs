//! Keys of the management API.

use super::held::{Held, refused, same};
use super::scene::{Scene, all, at};
use super::{Check, Place};
use crate::model::{ApiKey, ApiKeyId, AppId};
use crate::storage::{ApiKeyFilter, PageRequest, StoredApiKey};

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "api_keys_are_kept",
        promise: "An API key comes back as it was made, with every byte of its digest; what is not there is \
                  named.",
        keeps: kept,
    },
    Check {
        name: "api_keys_are_listed",
        promise: "API keys are listed in order of id, each once, whatever the size of the pages; a filter \
                  gives those for its app only.",
        keeps: listed,
    },
    Check {
        name: "a_revoked_api_key_stays_revoked",
        promise: "A revoked API key keeps the time at which it was first revoked, whatever else is noted of \
                  it; its last use never becomes an earlier one; every handle sees both.",
        keeps: revoked,
    },
    Check {
        name: "api_keys_go_with_their_app",
        promise: "The API keys for an app are deleted with it, and no others are.",
        keeps: go_with_their_app,
    },
];

/// A key for one app, or for all.
pub(super) fn api_key(number: u64, scope: Option<&AppId>) -> StoredApiKey {
    StoredApiKey {
        key: ApiKey {
            id: ApiKeyId::new(at(number), number.into()),
            name: format!("key {number}"),
            scope: scope.cloned(),
            read_only: number.is_multiple_of(2),
            requests_per_second: 50,
            created_at: at(number),
            expires_at: None,
            revoked_at: None,
            last_used_at: None,
        },
        digest: [7; 32],
    }
}

fn kept(place: &Place) -> Held {
    let scene = Scene::open(place)?;
    let app = scene.app("app")?;
    let mut full = api_key(1, Some(&app));
    full.key.name = "for people: é 😀 '; --".into();
    full.key.requests_per_second = 10_000;
    full.key.expires_at = Some(at(10));
    full.key.revoked_at = Some(at(11));
    full.key.last_used_at = Some(at(12));
    full.digest = std::array::from_fn(|index| 0xf0_u8.wrapping_add(index.to_le_bytes()[0]));
    let mut bare = api_key(2, None);
    bare.key.name = String::new();
    for stored in [&full, &bare] {
        scene.storage.create_api_key(stored.clone())?;
        let read = scene.storage.get_api_key(&stored.key.id)?;
        same("an API key", &read, stored)?;
        same("its digest", &read.digest, &stored.digest)?;
    }
    let none = api_key(3, Some(&AppId::parse("none")?));
    let id = none.key.id;
    let storage = &scene.storage;
    let made = storage.create_api_key(none);
    refused(
        "an API key for an app that is not there",
        made,
        "app_not_found",
    )?;
    let code = "api_key_not_found";
    refused("reading no API key", storage.get_api_key(&id), code)?;
    let revoked = storage.revoke_api_key(&id, at(0));
    refused("revoking no API key", revoked, code)?;
    storage.note_api_key_use(&id, at(0))?;
    refused("reading it then", storage.get_api_key(&id), code)
}

fn listed(place: &Place) -> Held {
    let scene = Scene::open(place)?;
    let (app, other) = (scene.app("app")?, scene.app("other")?);
    let mut keys = Vec::new();
    for (number, scope) in [
        (4, None),
        (2, Some(&app)),
        (5, Some(&app)),
        (1, Some(&other)),
    ] {
        let stored = api_key(number, scope);
        scene.storage.create_api_key(stored.clone())?;
        keys.push(stored.key);
    }
    keys.sort_by_key(|key| key.id);
    let is_its = |key: &&ApiKey| key.scope.as_ref() == Some(&app);
    let of_app: Vec<_> = keys.iter().filter(is_its).cloned().collect();
    let list = |limit, scope: Option<&AppId>| {
        let filter = ApiKeyFilter {
            scope: scope.cloned(),
        };
        all(limit, |page| {
            scene.storage.list_api_keys(filter.clone(), page)
        })
    };
    for limit in [1, 2, 3, 4, 1000] {
        let by = format!("by pages of {limit}");
        same(&format!("API keys {by}"), &list(limit, None)?, &keys)?;
        let found = list(limit, Some(&app))?;
        same(&format!("API keys for an app {by}"), &found, &of_app)?;
    }
    let none = list(1, Some(&AppId::parse("none")?))?;
    same("API keys for an app that is not there", &none, &[])?;
    let odd = PageRequest::first(1)?.after(Some("'; --".into()));
    let listed = scene.storage.list_api_keys(ApiKeyFilter::default(), odd);
    refused("API keys after a foreign cursor", listed, "invalid_request")
}

fn revoked(place: &Place) -> Held {
    let scene = Scene::open(place)?;
    let beside = scene.beside_if_possible()?;
    let stored = api_key(1, None);
    let id = stored.key.id;
    scene.storage.create_api_key(stored.clone())?;
    beside.storage.note_api_key_use(&id, at(60))?;
    let mut due = stored.key;
    due.last_used_at = Some(at(60));
    let seen = scene.storage.get_api_key(&id)?.key;
    same("an API key that was used", &seen, &due)?;
    due.revoked_at = Some(at(70));
    let seen = beside.storage.revoke_api_key(&id, at(70))?;
    same("the key that revoking gave", &seen, &due)?;
    let seen = scene.storage.get_api_key(&id)?.key;
    same("a revoked key", &seen, &due)?;
    let seen = scene.storage.revoke_api_key(&id, at(80))?;
    same("a key revoked twice", &seen, &due)?;
    scene.storage.note_api_key_use(&id, at(90))?;
    scene.storage.note_api_key_use(&id, at(50))?;
    due.last_used_at = Some(at(90));
    let seen = beside.storage.get_api_key(&id)?.key;
    same(
        "a revoked key whose uses were noted out of order",
        &seen,
        &due,
    )
}

fn go_with_their_app(place: &Place) -> Held {
    let scene = Scene::open(place)?;
    let (app, other) = (scene.app("app")?, scene.app("other")?);
    let its = [api_key(1, Some(&app)), api_key(2, Some(&app))];
    let others = [api_key(3, Some(&other)), api_key(4, None)];
    for stored in its.iter().chain(&others) {
        scene.storage.create_api_key(stored.clone())?;
    }
    scene.storage.delete_app(&app)?;
    for stored in &its {
        let read = scene.storage.get_api_key(&stored.key.id);
        refused("a key of a deleted app", read, "api_key_not_found")?;
    }
    scene.app("app")?;
    let listed = all(10, |page| {
        scene.storage.list_api_keys(ApiKeyFilter::default(), page)
    })?;
    let due: Vec<_> = others.into_iter().map(|stored| stored.key).collect();
    same("the API keys that are left", &listed, &due)?;
    same(
        "what is wrong",
        &scene.storage.check()?,
        &Vec::<String>::new(),
    )
}
