//! Listings, operators' calls, retention, reopening.

use std::collections::HashMap;
use std::sync::Mutex;

use hookbox::model::{BatchStatus, EndReason, Timestamp};
use hookbox::storage::{EventFilter, Page, PageRequest, WebhookFilter};
use hookbox::{Error, StorageFault};

use super::{Breaker, apps, batches};
use crate::support::Hooks;

pub const BREAKERS: &[Breaker] = &[
    Breaker {
        check: "listings_are_complete_and_in_order",
        how: "loses the last row of a page that has another after it",
        hooks: |_| Hooks {
            list_events: Some(Box::new(|inner, app, filter, page| {
                let mut page = inner.list_events(app, filter, page)?;
                if page.next_cursor.is_some() {
                    page.items.pop();
                }
                Ok(page)
            })),
            ..Hooks::default()
        },
    },
    Breaker {
        check: "listings_keep_their_filters",
        how: "looks at one filter of two",
        hooks: |_| Hooks {
            list_webhooks: Some(Box::new(|inner, app, filter, page| {
                let filter = WebhookFilter {
                    environment: None,
                    ..filter
                };
                inner.list_webhooks(app, filter, page)
            })),
            ..Hooks::default()
        },
    },
    Breaker {
        check: "a_listing_outlives_changes",
        how: "counts rows from the start of the listing",
        hooks: |_| Hooks {
            list_events: Some(Box::new(|inner, app, filter, page| {
                let whole = PageRequest::first(1000)?;
                let from = page.cursor_number()?.unwrap_or(0);
                let all = inner.list_events(app, filter, whole)?.items;
                let rows = (from + 1..).zip(all).skip(from as usize);
                let rows = rows.map(|(number, event)| (number.to_string(), event));
                Ok(Page::from_rows(rows.collect(), page.limit()))
            })),
            ..Hooks::default()
        },
    },
    Breaker {
        check: "a_foreign_cursor_is_refused",
        how: "starts from the beginning after a cursor that it cannot read",
        hooks: |_| Hooks {
            list_batches: Some(Box::new(|inner, app, filter, page| {
                let first = PageRequest::first(page.limit())?;
                let listed = inner.list_batches(app, filter.clone(), page);
                listed.or_else(|_| inner.list_batches(app, filter, first))
            })),
            ..Hooks::default()
        },
    },
    Breaker {
        check: "a_resent_batch_has_a_new_budget",
        how: "takes resending what is out for done",
        hooks: |_| Hooks {
            resend: Some(Box::new(|inner, app, id, now| {
                match inner.resend(app, id, now) {
                    Err(Error::BatchConflict { .. }) => inner.get_batch(id),
                    other => other,
                }
            })),
            ..Hooks::default()
        },
    },
    Breaker {
        check: "a_cancelled_batch_is_not_sent",
        how: "says that a batch is cancelled without doing it",
        hooks: |_| Hooks {
            cancel: Some(Box::new(|inner, _, id, now| {
                let mut batch = inner.get_batch(id)?;
                batch.status = BatchStatus::Cancelled;
                batch.end_reason = Some(EndReason::ByHost);
                batch.due_at = None;
                batch.ended_at = Some(now);
                Ok(batch)
            })),
            ..Hooks::default()
        },
    },
    Breaker {
        check: "a_replay_owes_its_range_again",
        how: "replays from the beginning",
        hooks: |_| Hooks {
            replay: Some(Box::new(|inner, app, webhook, _| {
                inner.replay(app, webhook, Timestamp::default())
            })),
            ..Hooks::default()
        },
    },
    Breaker {
        check: "retention_deletes_what_is_old",
        how: "deletes one slice, and says that that was all",
        hooks: |_| Hooks {
            prune: Some(Box::new(|inner, before, now, slice| {
                inner.prune(before, now, slice)?;
                Ok(false)
            })),
            ..Hooks::default()
        },
    },
    Breaker {
        check: "retention_keeps_what_is_owed",
        how: "gives up what waits longer than retention",
        hooks: |_| Hooks {
            prune: Some(Box::new(|inner, before, now, slice| {
                for app in apps(inner) {
                    for batch in batches(inner, &app, &[BatchStatus::Parked]) {
                        inner.cancel(&app, &batch.id, Timestamp::default())?;
                    }
                }
                inner.prune(before, now, slice)
            })),
            ..Hooks::default()
        },
    },
    Breaker {
        check: "retention_deletes_expired_keys",
        how: "keeps expired keys",
        hooks: |_| Hooks {
            prune: Some(Box::new(|inner, before, _, slice| {
                inner.prune(before, Timestamp::default(), slice)
            })),
            ..Hooks::default()
        },
    },
    Breaker {
        check: "what_retention_deleted_is_forgotten",
        how: "remembers keys for ever",
        hooks: |_| {
            let known = Mutex::new(HashMap::new());
            Hooks {
                emit: Some(Box::new(move |inner, app, events| {
                    let mut known = known.lock().unwrap();
                    let mut ids = Vec::new();
                    for event in events {
                        let Some(key) = event.event.idempotency_key.clone() else {
                            ids.extend(inner.emit(app, vec![event])?);
                            continue;
                        };
                        let id = match known.get(&(app.clone(), key.clone())) {
                            Some(id) => *id,
                            None => inner.emit(app, vec![event])?[0],
                        };
                        known.insert((app.clone(), key), id);
                        ids.push(id);
                    }
                    Ok(ids)
                })),
                ..Hooks::default()
            }
        },
    },
    Breaker {
        check: "positions_are_never_reused",
        how: "counts positions from the events that are left when it is opened",
        hooks: |opening| Hooks {
            get_event: Some(Box::new(move |inner, id| {
                let mut event = inner.get_event(id)?;
                if opening > 1 {
                    event.position = 1;
                }
                Ok(event)
            })),
            ..Hooks::default()
        },
    },
    Breaker {
        check: "events_are_read_by_position",
        how: "fails when an event is gone",
        hooks: |_| Hooks {
            read_events: Some(Box::new(|inner, positions| {
                let events = inner.read_events(positions)?;
                if events.len() < positions.len() {
                    return Err(Error::storage(StorageFault::BadRow, "an event is gone"));
                }
                Ok(events)
            })),
            ..Hooks::default()
        },
    },
    Breaker {
        check: "an_event_tells_who_has_it",
        how: "names every webhook of the app",
        hooks: |_| Hooks {
            awaited_by: Some(Box::new(|inner, event| {
                let page = PageRequest::default();
                let filter = WebhookFilter::default();
                let webhooks = inner.list_webhooks(&event.app_id, filter, page)?.items;
                Ok(webhooks.into_iter().map(|webhook| webhook.id).collect())
            })),
            ..Hooks::default()
        },
    },
    Breaker {
        check: "a_backlog_counts_what_waits",
        how: "counts every event of the app",
        hooks: |_| Hooks {
            backlog: Some(Box::new(|inner, app, webhook| {
                let mut row = inner.backlog(app, webhook)?;
                let page = PageRequest::first(1000)?;
                let events = inner.list_events(app, EventFilter::default(), page)?;
                row.events_owed = events.items.len() as u64;
                Ok(row)
            })),
            ..Hooks::default()
        },
    },
    Breaker {
        check: "a_healthy_storage_finds_nothing_wrong",
        how: "takes what waits for wrong",
        hooks: |_| Hooks {
            check: Some(Box::new(|inner| {
                let mut wrong = inner.check()?;
                for app in apps(inner) {
                    for batch in batches(inner, &app, &[BatchStatus::Parked]) {
                        wrong.push(format!("{} is not delivered", batch.id));
                    }
                }
                Ok(wrong)
            })),
            ..Hooks::default()
        },
    },
    Breaker {
        check: "a_copy_overwrites_nothing",
        how: "overwrites the file that is there",
        hooks: |_| Hooks {
            backup: Some(Box::new(|_, to| {
                std::fs::write(to, "a copy")
                    .map_err(|error| Error::storage(StorageFault::Io, error.to_string()))
            })),
            ..Hooks::default()
        },
    },
    Breaker {
        check: "what_was_written_is_there_after_reopening",
        how: "keeps attempts in memory only",
        hooks: |opening| Hooks {
            list_attempts: Some(Box::new(move |inner, app, filter, page| {
                let mut page = inner.list_attempts(app, filter, page)?;
                if opening > 1 {
                    page.items.clear();
                    page.next_cursor = None;
                }
                Ok(page)
            })),
            ..Hooks::default()
        },
    },
    Breaker {
        check: "what_was_owed_is_delivered_after_reopening",
        how: "keeps replays in memory only",
        hooks: |_| Hooks {
            replay: Some(Box::new(|_, _, _, _| Ok(2))),
            ..Hooks::default()
        },
    },
    Breaker {
        check: "foreign_writes_are_noticed",
        how: "counts its own writes only",
        hooks: |_| Hooks {
            foreign_writes: Some(Box::new(|_| Ok(0))),
            ..Hooks::default()
        },
    },
    Breaker {
        check: "hostile_text_is_kept_or_refused",
        how: "does not tell small letters from capitals",
        hooks: |_| Hooks {
            emit: Some(Box::new(|inner, app, mut events| {
                for event in &mut events {
                    let key = &mut event.event.idempotency_key;
                    *key = key.take().map(|key| key.to_lowercase());
                }
                inner.emit(app, events)
            })),
            ..Hooks::default()
        },
    },
    Breaker {
        check: "listings_are_complete_and_in_order",
        how: "gives the first page again and again",
        hooks: |_| Hooks {
            list_attempts: Some(Box::new(|inner, app, filter, page| {
                inner.list_attempts(app, filter, PageRequest::first(page.limit())?)
            })),
            ..Hooks::default()
        },
    },
    Breaker {
        check: "retention_deletes_what_is_old",
        how: "deletes what is newer too",
        hooks: |_| Hooks {
            prune: Some(Box::new(|inner, _, now, slice| {
                inner.prune(now, now, slice)
            })),
            ..Hooks::default()
        },
    },
    Breaker {
        check: "what_was_written_is_there_after_reopening",
        how: "knows idempotency keys until it is closed",
        hooks: |opening| Hooks {
            emit: Some(Box::new(move |inner, app, mut events| {
                for event in events.iter_mut().filter(|_| opening > 1) {
                    event.event.idempotency_key = None;
                }
                inner.emit(app, events)
            })),
            ..Hooks::default()
        },
    },
    Breaker {
        check: "a_full_batch_goes_beside_the_first",
        how: "sends one batch at a time, always",
        hooks: |_| Hooks {
            create_app: Some(Box::new(|inner, mut app, keys| {
                app.profile.delivery.concurrency_full = 1;
                inner.create_app(app, keys)
            })),
            ..Hooks::default()
        },
    },
    Breaker {
        check: "a_full_batch_goes_beside_the_first",
        how: "sends part of a batch beside the first",
        hooks: |_| Hooks {
            create_app: Some(Box::new(|inner, mut app, keys| {
                app.profile.delivery.concurrency = app.profile.delivery.concurrency_full;
                inner.create_app(app, keys)
            })),
            ..Hooks::default()
        },
    },
];
