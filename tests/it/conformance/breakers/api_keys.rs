//! Keys of the management API.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use hookbox::Error;
use hookbox::model::ApiKeyId;
use hookbox::storage::{ApiKeyFilter, PageRequest, StoredApiKey};

use super::Breaker;
use crate::support::Hooks;

pub const BREAKERS: &[Breaker] = &[
    Breaker {
        check: "api_keys_are_kept",
        how: "forgets when a key expires",
        hooks: |_| Hooks {
            create_api_key: Some(Box::new(|inner, mut stored| {
                stored.key.expires_at = None;
                inner.create_api_key(stored)
            })),
            ..Hooks::default()
        },
    },
    Breaker {
        check: "api_keys_are_kept",
        how: "takes the revocation of a key that is not there for done",
        hooks: |_| Hooks {
            revoke_api_key: Some(Box::new(|inner, id, now| {
                match inner.revoke_api_key(id, now) {
                    Err(Error::ApiKeyNotFound(_)) => {
                        let page = PageRequest::default();
                        let mut keys = inner.list_api_keys(ApiKeyFilter::default(), page)?;
                        Ok(keys.items.remove(0))
                    }
                    other => other,
                }
            })),
            ..Hooks::default()
        },
    },
    Breaker {
        check: "api_keys_are_listed",
        how: "lists those for every app with those for one",
        hooks: |_| Hooks {
            list_api_keys: Some(Box::new(|inner, filter, page| {
                let mut listed = inner.list_api_keys(ApiKeyFilter::default(), page)?;
                listed.items.retain(|key| {
                    filter.scope.is_none() || key.scope.is_none() || key.scope == filter.scope
                });
                Ok(listed)
            })),
            ..Hooks::default()
        },
    },
    Breaker {
        check: "a_revoked_api_key_stays_revoked",
        how: "says that it was revoked when that was asked for last",
        hooks: |_| Hooks {
            revoke_api_key: Some(Box::new(|inner, id, now| {
                let mut key = inner.revoke_api_key(id, now)?;
                key.revoked_at = Some(now);
                Ok(key)
            })),
            ..Hooks::default()
        },
    },
    Breaker {
        check: "a_revoked_api_key_stays_revoked",
        how: "writes the whole key back as it was read when its use is noted, and revives it",
        hooks: |_| {
            let read = Arc::new(Mutex::new(HashMap::<ApiKeyId, StoredApiKey>::new()));
            let revived = read.clone();
            Hooks {
                note_api_key_use: Some(Box::new(move |inner, id, at| {
                    let before = inner.get_api_key(id);
                    inner.note_api_key_use(id, at)?;
                    if let Ok(mut stored) = before {
                        stored.key.revoked_at = None;
                        stored.key.last_used_at = Some(at);
                        read.lock().unwrap().insert(*id, stored);
                    }
                    Ok(())
                })),
                get_api_key: Some(Box::new(move |inner, id| {
                    match revived.lock().unwrap().get(id) {
                        Some(stored) => Ok(stored.clone()),
                        None => inner.get_api_key(id),
                    }
                })),
                ..Hooks::default()
            }
        },
    },
    Breaker {
        check: "api_keys_go_with_their_app",
        how: "still opens with a key of a deleted app",
        hooks: |_| {
            let kept = Arc::new(Mutex::new(HashMap::<ApiKeyId, StoredApiKey>::new()));
            let opened = kept.clone();
            Hooks {
                create_api_key: Some(Box::new(move |inner, stored| {
                    kept.lock().unwrap().insert(stored.key.id, stored.clone());
                    inner.create_api_key(stored)
                })),
                get_api_key: Some(Box::new(move |inner, id| {
                    match opened.lock().unwrap().get(id) {
                        Some(stored) => Ok(stored.clone()),
                        None => inner.get_api_key(id),
                    }
                })),
                ..Hooks::default()
            }
        },
    },
    Breaker {
        check: "api_keys_go_with_their_app",
        how: "deletes every key with any app",
        hooks: |_| {
            let deleted = Arc::new(Mutex::new(false));
            let empty = deleted.clone();
            Hooks {
                delete_app: Some(Box::new(move |inner, id| {
                    *deleted.lock().unwrap() = true;
                    inner.delete_app(id)
                })),
                list_api_keys: Some(Box::new(move |inner, filter, page| {
                    let mut listed = inner.list_api_keys(filter, page)?;
                    if *empty.lock().unwrap() {
                        listed.items.clear();
                    }
                    Ok(listed)
                })),
                ..Hooks::default()
            }
        },
    },
    Breaker {
        check: "what_was_written_is_there_after_reopening",
        how: "keeps API keys in memory only",
        hooks: |opening| Hooks {
            list_api_keys: Some(Box::new(move |inner, filter, page| {
                let mut listed = inner.list_api_keys(filter, page)?;
                if opening > 1 {
                    listed.items.clear();
                }
                Ok(listed)
            })),
            ..Hooks::default()
        },
    },
];
