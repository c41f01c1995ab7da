//! Emitting, owing, registering.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex};

use hookbox::Error;
use hookbox::model::{AppState, BatchStatus, DeliveryMode, Events, Ordering, Timestamp};

use super::{Breaker, batches};
use crate::support::Hooks;

pub const BREAKERS: &[Breaker] = &[
    Breaker {
        check: "a_refused_emit_stores_nothing",
        how: "keeps the first event of a refused emit",
        hooks: |_| Hooks {
            emit: Some(Box::new(|inner, app, events| {
                let first = events[..1].to_vec();
                inner.emit(app, events).inspect_err(|_| {
                    let _ = inner.emit(app, first);
                })
            })),
            ..Hooks::default()
        },
    },
    Breaker {
        check: "a_failed_edit_changes_nothing",
        how: "keeps what an edit did before it failed",
        hooks: |_| Hooks {
            edit_webhook: Some(Box::new(|inner, app, id, edit| {
                let failed = Arc::new(Mutex::new(None));
                let of_edit = failed.clone();
                let stored = inner.edit_webhook(
                    app,
                    id,
                    Box::new(move |stored| {
                        *of_edit.lock().unwrap() = edit(stored).err();
                        Ok(())
                    }),
                )?;
                let failed = failed.lock().unwrap().take();
                failed.map_or(Ok(stored), Err)
            })),
            ..Hooks::default()
        },
    },
    Breaker {
        check: "a_refused_creation_leaves_nothing",
        how: "replaces the keys of an app that is there",
        hooks: |_| Hooks {
            create_app: Some(Box::new(|inner, app, keys| {
                let id = app.id.clone();
                inner.create_app(app, keys.clone()).inspect_err(|_| {
                    let replace = move |all: &mut Vec<_>| {
                        all.clone_from(&keys);
                        Ok(())
                    };
                    inner.edit_keys(&id, Box::new(replace)).unwrap();
                })
            })),
            ..Hooks::default()
        },
    },
    Breaker {
        check: "a_key_is_emitted_once",
        how: "does not see a key used before in the same call",
        hooks: |_| Hooks {
            emit: Some(Box::new(|inner, app, mut events| {
                let mut seen = BTreeSet::new();
                for event in &mut events {
                    let key = &mut event.event.idempotency_key;
                    if key.as_ref().is_some_and(|key| !seen.insert(key.clone())) {
                        *key = None;
                    }
                }
                inner.emit(app, events)
            })),
            ..Hooks::default()
        },
    },
    Breaker {
        check: "a_key_is_emitted_once_by_many_threads",
        how: "knows the keys of its own thread only",
        hooks: |_| Hooks {
            emit: Some(Box::new(|inner, app, mut events| {
                let thread = std::thread::current().id();
                for event in &mut events {
                    let key = &mut event.event.idempotency_key;
                    *key = key.take().map(|key| format!("{key} {thread:?}"));
                }
                inner.emit(app, events)
            })),
            ..Hooks::default()
        },
    },
    Breaker {
        check: "positions_ascend_in_commit_order",
        how: "appends the events of a call backwards",
        hooks: |_| Hooks {
            emit: Some(Box::new(|inner, app, mut events| {
                events.reverse();
                let mut ids = inner.emit(app, events)?;
                ids.reverse();
                Ok(ids)
            })),
            ..Hooks::default()
        },
    },
    Breaker {
        check: "an_event_is_kept_as_given",
        how: "writes payloads anew",
        hooks: |_| Hooks {
            emit: Some(Box::new(|inner, app, mut events| {
                for event in &mut events {
                    let payload = &mut event.event.payload;
                    if let Ok(value) = serde_json::from_str::<serde_json::Value>(payload) {
                        *payload = value.to_string();
                    }
                }
                inner.emit(app, events)
            })),
            ..Hooks::default()
        },
    },
    Breaker {
        check: "a_batch_holds_one_delivery_mode",
        how: "forgets that an event goes at most once",
        hooks: |_| Hooks {
            emit: Some(Box::new(|inner, app, mut events| {
                for event in &mut events {
                    event.event.mode = DeliveryMode::AtLeastOnce;
                }
                inner.emit(app, events)
            })),
            ..Hooks::default()
        },
    },
    Breaker {
        check: "a_batch_keeps_its_limits",
        how: "counts events but not bytes",
        hooks: |_| Hooks {
            create_app: Some(Box::new(|inner, mut app, keys| {
                app.profile.delivery.batch_bytes_max = u64::MAX;
                inner.create_app(app, keys)
            })),
            ..Hooks::default()
        },
    },
    Breaker {
        check: "only_what_was_emitted_while_active_is_owed",
        how: "owes everything that a webhook missed when it is activated",
        hooks: |_| Hooks {
            edit_webhook: Some(Box::new(|inner, app, id, edit| {
                let was_active = inner.get_webhook(app, id)?.webhook.is_active();
                let stored = inner.edit_webhook(app, id, edit)?;
                if stored.webhook.is_active() && !was_active {
                    inner.replay(app, id, Timestamp::default())?;
                }
                Ok(stored)
            })),
            ..Hooks::default()
        },
    },
    Breaker {
        check: "what_was_owed_outlives_a_deactivation",
        how: "cancels what waits for a webhook that becomes inactive",
        hooks: |_| Hooks {
            edit_webhook: Some(Box::new(|inner, app, id, edit| {
                let stored = inner.edit_webhook(app, id, edit)?;
                for batch in batches(inner, app, &[BatchStatus::Parked]) {
                    inner.cancel(app, &batch.id, Timestamp::default())?;
                }
                Ok(stored)
            })),
            ..Hooks::default()
        },
    },
    Breaker {
        check: "subscriptions_count_at_the_moment_of_emission",
        how: "owes what was emitted before of the types that a webhook is subscribed to now",
        hooks: |_| Hooks {
            edit_webhook: Some(Box::new(|inner, app, id, edit| {
                let before = inner.get_webhook(app, id)?;
                let stored = inner.edit_webhook(app, id, edit)?;
                if stored.webhook.events != before.webhook.events {
                    inner.replay(app, id, Timestamp::default())?;
                }
                Ok(stored)
            })),
            ..Hooks::default()
        },
    },
    Breaker {
        check: "environments_are_kept_apart",
        how: "forgets which environment a webhook is bound to",
        hooks: |_| Hooks {
            create_webhook: Some(Box::new(|inner, mut stored| {
                stored.webhook.environment = None;
                inner.create_webhook(stored)
            })),
            ..Hooks::default()
        },
    },
    Breaker {
        check: "all_types_means_every_type",
        how: "takes all types for those in the catalogue",
        hooks: |_| Hooks {
            create_webhook: Some(Box::new(|inner, mut stored| {
                if stored.webhook.events == Events::All {
                    stored.webhook.events = Events::Only(inner.event_types()?);
                }
                inner.create_webhook(stored)
            })),
            ..Hooks::default()
        },
    },
    Breaker {
        check: "a_type_that_left_the_catalogue_takes_nothing_new",
        how: "never removes a type",
        hooks: |_| Hooks {
            set_event_types: Some(Box::new(|inner, types, _| {
                inner.set_event_types(types, false)
            })),
            ..Hooks::default()
        },
    },
    Breaker {
        check: "a_disabled_app_waits",
        how: "says that an app is disabled without doing it",
        hooks: |_| Hooks {
            set_app_state: Some(Box::new(|inner, id, state| {
                let mut app = (*inner.get_app(id)?).clone();
                app.state = state;
                Ok(app)
            })),
            ..Hooks::default()
        },
    },
    Breaker {
        check: "a_deleted_webhook_is_gone",
        how: "takes deleting for disabling",
        hooks: |_| Hooks {
            delete_webhook: Some(Box::new(|inner, app, id| {
                let disable = |stored: &mut hookbox::storage::StoredWebhook| {
                    stored.webhook.enabled = false;
                    Ok(())
                };
                inner.edit_webhook(app, id, Box::new(disable)).map(drop)
            })),
            ..Hooks::default()
        },
    },
    Breaker {
        check: "exactly_what_is_owed_is_delivered",
        how: "loses the fifth event of a call",
        hooks: |_| Hooks {
            emit: Some(Box::new(|inner, app, mut events| {
                let ids = events.iter().map(|event| event.id).collect();
                if events.len() == 5 {
                    events.pop();
                }
                inner.emit(app, events)?;
                Ok(ids)
            })),
            ..Hooks::default()
        },
    },
    Breaker {
        check: "apps_are_kept",
        how: "keeps apps as they were first read",
        hooks: |_| {
            let read = Mutex::new(HashMap::new());
            Hooks {
                get_app: Some(Box::new(move |inner, id| {
                    let app = inner.get_app(id)?;
                    let mut read = read.lock().unwrap();
                    Ok(read.entry(id.clone()).or_insert(app).clone())
                })),
                ..Hooks::default()
            }
        },
    },
    Breaker {
        check: "keys_are_kept",
        how: "lists keys by name",
        hooks: |_| Hooks {
            keys: Some(Box::new(|inner, app| {
                let mut keys = inner.keys(app)?;
                keys.sort_by(|a, b| a.key.kid.cmp(&b.key.kid));
                Ok(keys)
            })),
            ..Hooks::default()
        },
    },
    Breaker {
        check: "the_catalogue_is_kept",
        how: "lists the catalogue backwards",
        hooks: |_| Hooks {
            event_types: Some(Box::new(|inner| {
                let mut types = inner.event_types()?;
                types.reverse();
                Ok(types)
            })),
            ..Hooks::default()
        },
    },
    Breaker {
        check: "webhooks_are_kept",
        how: "has no column for a field",
        hooks: |_| Hooks {
            create_webhook: Some(Box::new(|inner, mut stored| {
                stored.webhook.has_basic_auth = false;
                inner.create_webhook(stored)
            })),
            ..Hooks::default()
        },
    },
    Breaker {
        check: "what_is_not_there_is_named",
        how: "lists nothing for a webhook that is not there",
        hooks: |_| Hooks {
            list_batches: Some(Box::new(|inner, app, filter, page| {
                match inner.list_batches(app, filter, page) {
                    Err(Error::WebhookNotFound(_)) => Ok(hookbox::storage::Page {
                        items: Vec::new(),
                        next_cursor: None,
                    }),
                    other => other,
                }
            })),
            ..Hooks::default()
        },
    },
    Breaker {
        check: "emits_and_changes_agree_however_many_threads",
        how: "switches a webhook off a little later",
        hooks: |_| Hooks {
            edit_webhook: Some(Box::new(|inner, app, id, edit| {
                let before = inner.get_webhook(app, id)?;
                let mut after = (*before).clone();
                edit(&mut after)?;
                if before.webhook.is_active() && !after.webhook.is_active() {
                    return Ok(after);
                }
                inner.edit_webhook(app, id, edit)
            })),
            ..Hooks::default()
        },
    },
    Breaker {
        check: "concurrent_edits_lose_nothing",
        how: "edits the webhook as it was when it was first read",
        hooks: |_| {
            let first = Mutex::new(None);
            Hooks {
                edit_webhook: Some(Box::new(move |inner, app, id, edit| {
                    let read = inner.get_webhook(app, id)?;
                    let mut copy = (**first.lock().unwrap().get_or_insert(read)).clone();
                    edit(&mut copy)?;
                    let write = move |current: &mut hookbox::storage::StoredWebhook| {
                        current.clone_from(&copy);
                        Ok(())
                    };
                    inner.edit_webhook(app, id, Box::new(write))
                })),
                ..Hooks::default()
            }
        },
    },
    Breaker {
        check: "first_in_first_out_holds_back",
        how: "forgets a webhook's order",
        hooks: |_| Hooks {
            create_webhook: Some(Box::new(|inner, mut stored| {
                stored.webhook.overrides.ordering = Ordering::None;
                inner.create_webhook(stored)
            })),
            ..Hooks::default()
        },
    },
    Breaker {
        check: "a_webhook_gets_its_concurrency_and_rate",
        how: "forgets a webhook's rate limit",
        hooks: |_| Hooks {
            create_webhook: Some(Box::new(|inner, mut stored| {
                stored.webhook.overrides.rate_limit = None;
                inner.create_webhook(stored)
            })),
            ..Hooks::default()
        },
    },
    Breaker {
        check: "a_deleted_app_leaves_nothing",
        how: "gives an app made anew the webhooks of the one before",
        hooks: |_| {
            let left = Arc::new(Mutex::new(Vec::new()));
            let of_create = left.clone();
            Hooks {
                delete_app: Some(Box::new(move |inner, id| {
                    inner.set_app_state(id, AppState::Enabled)?;
                    let page = hookbox::storage::PageRequest::default();
                    let listed = inner.list_webhooks(id, Default::default(), page)?;
                    for webhook in listed.items {
                        left.lock()
                            .unwrap()
                            .push(inner.get_webhook(id, &webhook.id)?);
                    }
                    inner.delete_app(id)
                })),
                create_app: Some(Box::new(move |inner, app, keys| {
                    inner.create_app(app, keys)?;
                    for stored in of_create.lock().unwrap().drain(..) {
                        inner.create_webhook((*stored).clone())?;
                    }
                    Ok(())
                })),
                ..Hooks::default()
            }
        },
    },
    Breaker {
        check: "a_key_is_emitted_once",
        how: "takes the keys of all apps for one app's",
        hooks: |_| {
            let known = Mutex::new(HashMap::new());
            Hooks {
                emit: Some(Box::new(move |inner, app, events| {
                    let keys: Vec<_> = events
                        .iter()
                        .map(|event| event.event.idempotency_key.clone())
                        .collect();
                    let mut ids = inner.emit(app, events)?;
                    let mut known = known.lock().unwrap();
                    for (id, key) in ids.iter_mut().zip(keys) {
                        if let Some(key) = key {
                            *id = *known.entry(key).or_insert(*id);
                        }
                    }
                    Ok(ids)
                })),
                ..Hooks::default()
            }
        },
    },
    Breaker {
        check: "a_batch_keeps_its_limits",
        how: "counts bytes but not events",
        hooks: |_| Hooks {
            create_app: Some(Box::new(|inner, mut app, keys| {
                app.profile.delivery.batch_events_max = 100;
                inner.create_app(app, keys)
            })),
            ..Hooks::default()
        },
    },
    Breaker {
        check: "webhooks_are_kept",
        how: "keeps sealed secrets as text",
        hooks: |_| Hooks {
            create_webhook: Some(Box::new(|inner, mut stored| {
                stored.sealed = String::from_utf8_lossy(&stored.sealed).into_owned().into();
                inner.create_webhook(stored)
            })),
            ..Hooks::default()
        },
    },
    Breaker {
        check: "a_disabled_app_waits",
        how: "lets an operator change nothing of a disabled app",
        hooks: |_| Hooks {
            edit_keys: Some(Box::new(|inner, app, edit| {
                match inner.get_app(app)?.state {
                    AppState::Enabled => inner.edit_keys(app, edit),
                    AppState::Disabled => Err(Error::SessionDisabled(app.clone())),
                }
            })),
            ..Hooks::default()
        },
    },
    Breaker {
        check: "a_webhook_gets_its_concurrency_and_rate",
        how: "forgets a webhook's concurrency",
        hooks: |_| Hooks {
            create_webhook: Some(Box::new(|inner, mut stored| {
                stored.webhook.overrides.concurrency = None;
                inner.create_webhook(stored)
            })),
            ..Hooks::default()
        },
    },
];
