//! Claims, leases, results.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::Duration;

use hookbox::machine::{Outcome, Verdict};
use hookbox::model::{
    AppId, Attempt, AttemptResult, BatchStatus, FailureKind, Notice, Timestamp, WebhookId,
};
use hookbox::storage::{ClaimRequest, Claimed, Exchanged, Settlement, Storage, StoredWebhook};
use hookbox::{Error, StorageFault};

use super::{Breaker, apps, batches};
use crate::support::Hooks;

/// A storage that takes results otherwise.
fn results(change: impl Fn(&dyn Storage, &mut Settlement) + Send + Sync + 'static) -> Hooks {
    Hooks {
        exchange: Some(Box::new(move |inner, now, seed, mut results, claim| {
            for result in &mut results {
                change(inner, result);
            }
            inner.exchange(now, seed, results, claim)
        })),
        ..Hooks::default()
    }
}

/// A storage that judges attempts otherwise.
fn outcomes(change: impl Fn(&mut Outcome) + Send + Sync + 'static) -> Hooks {
    results(move |_, result| {
        if let Some((_, outcome)) = &mut result.attempt {
            change(outcome);
        }
    })
}

/// A storage that says otherwise what an exchange brought.
fn brings(
    change: impl Fn(&dyn Storage, Timestamp, &mut Exchanged) + Send + Sync + 'static,
) -> Hooks {
    Hooks {
        exchange: Some(Box::new(move |inner, now, seed, results, claim| {
            let mut exchanged = inner.exchange(now, seed, results, claim)?;
            change(inner, now, &mut exchanged);
            Ok(exchanged)
        })),
        ..Hooks::default()
    }
}

/// A storage whose clock is ahead when it claims.
fn claims_ahead(span: Duration) -> Hooks {
    Hooks {
        exchange: Some(Box::new(move |inner, now, seed, results, claim| {
            let ahead = if claim.is_some() { now.plus(span) } else { now };
            inner.exchange(ahead, seed, results, claim)
        })),
        ..Hooks::default()
    }
}

/// Gives back all that is out.
fn end_leases(storage: &dyn Storage, now: Timestamp) {
    for app in apps(storage) {
        end_leases_of(storage, &app, now);
    }
}

fn end_leases_of(storage: &dyn Storage, app: &AppId, now: Timestamp) {
    for batch in batches(storage, app, &[BatchStatus::Leased]) {
        let unsent = Settlement {
            batch_id: batch.id,
            fence: batch.fence,
            attempt: None,
        };
        storage.exchange(now, 0, vec![unsent], None).unwrap();
    }
}

pub const BREAKERS: &[Breaker] = &[
    Breaker {
        check: "a_refused_result_disturbs_no_other",
        how: "stops at the first result that is refused",
        hooks: |_| Hooks {
            exchange: Some(Box::new(|inner, now, seed, results, claim| {
                for result in results {
                    let exchanged = inner.exchange(now, seed, vec![result], None)?;
                    if !exchanged.lost.is_empty() {
                        return Ok(exchanged);
                    }
                }
                inner.exchange(now, seed, Vec::new(), claim)
            })),
            ..Hooks::default()
        },
    },
    Breaker {
        check: "a_leased_batch_is_nobody_elses",
        how: "takes leases for ended too early",
        hooks: |_| claims_ahead(Duration::from_secs(3600)),
    },
    Breaker {
        check: "a_lost_lease_is_recorded",
        how: "shows attempts that were answered or failed, not those that were lost",
        hooks: |_| Hooks {
            list_attempts: Some(Box::new(|inner, app, filter, page| {
                let mut page = inner.list_attempts(app, filter, page)?;
                let lost = AttemptResult::Failure(FailureKind::Lost);
                page.items.retain(|attempt| attempt.result != lost);
                Ok(page)
            })),
            ..Hooks::default()
        },
    },
    Breaker {
        check: "a_stale_result_is_refused",
        how: "does not look at the fence",
        hooks: |_| {
            results(|inner, result| {
                if let Ok(batch) = inner.get_batch(&result.batch_id) {
                    result.fence = batch.fence;
                }
            })
        },
    },
    Breaker {
        check: "a_result_is_stored_once",
        how: "says nothing of results that it refused",
        hooks: |_| brings(|_, _, exchanged| exchanged.lost.clear()),
    },
    Breaker {
        check: "what_is_given_back_spends_nothing",
        how: "takes what is given back for a failed attempt",
        hooks: |_| {
            results(|inner, result| {
                if result.attempt.is_some() {
                    return;
                }
                let batch = inner.get_batch(&result.batch_id).unwrap();
                let attempt = Attempt {
                    batch_id: batch.id,
                    webhook_id: batch.webhook_id,
                    number: batch.attempts,
                    started_at: Timestamp::default(),
                    duration_ms: 0,
                    result: AttemptResult::Failure(FailureKind::Stopped),
                    excerpt: String::new(),
                };
                let outcome = Outcome {
                    verdict: Verdict::Failed(FailureKind::Stopped),
                    retry_after: None,
                    deactivate: None,
                };
                result.attempt = Some((attempt, outcome));
            })
        },
    },
    Breaker {
        check: "at_most_once_is_not_sent_after_a_lost_lease",
        how: "sends again what was given up",
        hooks: |_| {
            brings(|inner, now, exchanged| {
                for notice in &exchanged.notices {
                    if let Notice::BatchExhausted {
                        app_id, batch_id, ..
                    } = notice
                    {
                        inner.resend(app_id, batch_id, now).unwrap();
                    }
                }
            })
        },
    },
    Breaker {
        check: "a_failure_waits_its_schedule",
        how: "takes what waits before its time",
        hooks: |_| claims_ahead(Duration::from_secs(5)),
    },
    Breaker {
        check: "a_spent_budget_exhausts_a_batch",
        how: "tells nobody",
        hooks: |_| brings(|_, _, exchanged| exchanged.notices.clear()),
    },
    Breaker {
        check: "a_batch_too_large_is_split",
        how: "takes 413 for any other refusal",
        hooks: |_| {
            outcomes(|outcome| {
                if outcome.verdict == Verdict::TooLarge {
                    outcome.verdict = Verdict::Refused;
                }
            })
        },
    },
    Breaker {
        check: "a_receiver_can_stop_a_webhook_or_a_batch",
        how: "does not hear that a receiver wants no more",
        hooks: |_| outcomes(|outcome| outcome.deactivate = None),
    },
    Breaker {
        check: "nothing_but_failures_deactivates",
        how: "never gives a webhook up",
        hooks: |_| Hooks {
            create_app: Some(Box::new(|inner, mut app, keys| {
                app.profile.delivery.deactivate_after = None;
                inner.create_app(app, keys)
            })),
            ..Hooks::default()
        },
    },
    Breaker {
        check: "our_own_faults_cost_nothing",
        how: "charges every failure to the endpoint",
        hooks: |_| {
            outcomes(|outcome| {
                if let Verdict::Failed(kind) = &mut outcome.verdict {
                    *kind = FailureKind::Timeout;
                }
            })
        },
    },
    Breaker {
        check: "retry_after_silences_the_webhook",
        how: "does not hear when the endpoint wants to be asked again",
        hooks: |_| outcomes(|outcome| outcome.retry_after = None),
    },
    Breaker {
        check: "health_and_attempts_are_recorded",
        how: "does not show a webhook's last status",
        hooks: |_| Hooks {
            get_webhook: Some(Box::new(|inner, app, id| {
                let mut stored = StoredWebhook::clone(&*inner.get_webhook(app, id)?);
                stored.webhook.last_http_code = None;
                Ok(stored.into())
            })),
            ..Hooks::default()
        },
    },
    Breaker {
        check: "no_more_is_claimed_than_asked_for",
        how: "claims one more",
        hooks: |_| Hooks {
            exchange: Some(Box::new(|inner, now, seed, results, mut claim| {
                if let Some(request) = &mut claim {
                    *request = ClaimRequest::any(request.batches_max + 1);
                }
                inner.exchange(now, seed, results, claim)
            })),
            ..Hooks::default()
        },
    },
    Breaker {
        check: "a_sick_webhook_gets_one_probe",
        how: "takes no webhook for sick",
        hooks: |_| Hooks {
            create_app: Some(Box::new(|inner, mut app, keys| {
                app.profile.delivery.sick_after = u32::MAX;
                inner.create_app(app, keys)
            })),
            ..Hooks::default()
        },
    },
    Breaker {
        check: "each_class_of_webhooks_takes_its_share_only",
        how: "lets webhooks of any class take every sender",
        hooks: |_| Hooks {
            exchange: Some(Box::new(|inner, now, seed, results, mut claim| {
                if let Some(request) = &mut claim {
                    *request = ClaimRequest::any(request.batches_max);
                }
                inner.exchange(now, seed, results, claim)
            })),
            ..Hooks::default()
        },
    },
    Breaker {
        check: "apps_share_a_claim",
        how: "serves the busiest app first",
        hooks: |_| {
            brings(|inner, now, exchanged| {
                let quiet = "quiet".parse().unwrap();
                exchanged.claimed.retain(|one| one.app.id != quiet);
                end_leases_of(inner, &quiet, now);
            })
        },
    },
    Breaker {
        check: "next_due_says_when_to_ask_again",
        how: "forgets the end of leases",
        hooks: |_| {
            brings(|inner, _, exchanged| {
                let is_out = |app| !batches(inner, app, &[BatchStatus::Leased]).is_empty();
                if apps(inner).iter().any(is_out) {
                    exchanged.next_due = None;
                }
            })
        },
    },
    Breaker {
        check: "each_event_goes_once_however_many_threads",
        how: "now and then gives a batch to two",
        hooks: |_| {
            let last: Mutex<Option<Claimed>> = Mutex::default();
            brings(move |_, _, exchanged| {
                let mut last = last.lock().unwrap();
                if let Some(again) = last.take() {
                    exchanged.claimed.push(again);
                } else {
                    *last = exchanged.claimed.first().cloned();
                }
            })
        },
    },
    Breaker {
        check: "a_refused_write_undoes_itself_alone",
        how: "undoes with a refused emit the one that was committed beside it",
        hooks: |_| {
            let was_refused = AtomicBool::new(false);
            Hooks {
                emit: Some(Box::new(move |inner, app, events| {
                    if was_refused.swap(false, SeqCst) {
                        return Ok(events.iter().map(|event| event.id).collect());
                    }
                    let emitted = inner.emit(app, events);
                    was_refused.store(emitted.is_err(), SeqCst);
                    emitted
                })),
                ..Hooks::default()
            }
        },
    },
    Breaker {
        check: "leases_outlive_their_holder",
        how: "gives back all that is out when it is opened",
        hooks: |opening| {
            let is_first = AtomicBool::new(opening > 1);
            Hooks {
                exchange: Some(Box::new(move |inner, now, seed, results, claim| {
                    if is_first.swap(false, SeqCst) {
                        end_leases(inner, now);
                    }
                    inner.exchange(now, seed, results, claim)
                })),
                ..Hooks::default()
            }
        },
    },
    Breaker {
        check: "handles_share_the_work",
        how: "knows the leases of its own handle only",
        hooks: |_| Hooks {
            exchange: Some(Box::new(|inner, now, seed, results, claim| {
                if claim.is_some() {
                    end_leases(inner, now);
                }
                inner.exchange(now, seed, results, claim)
            })),
            ..Hooks::default()
        },
    },
    Breaker {
        check: "a_change_through_one_handle_is_seen_by_all",
        how: "claims with webhooks as they were first claimed",
        hooks: |_| {
            let seen: Mutex<Vec<(WebhookId, std::sync::Arc<StoredWebhook>)>> = Mutex::default();
            brings(move |_, _, exchanged| {
                let mut seen = seen.lock().unwrap();
                for claimed in &mut exchanged.claimed {
                    let id = &claimed.batch.webhook_id;
                    match seen.iter().find(|(of, _)| of == id) {
                        Some((_, first)) => claimed.webhook = first.clone(),
                        None => seen.push((id.clone(), claimed.webhook.clone())),
                    }
                }
            })
        },
    },
    Breaker {
        check: "a_hostile_answer_never_wedges",
        how: "fails at text with U+0000",
        hooks: |_| Hooks {
            exchange: Some(Box::new(|inner, now, seed, results, claim| {
                let is_hostile = |result: &Settlement| {
                    let attempt = result.attempt.as_ref();
                    attempt.is_some_and(|(attempt, _)| attempt.excerpt.contains('\0'))
                };
                if results.iter().any(is_hostile) {
                    return Err(Error::storage(StorageFault::Io, "invalid byte sequence"));
                }
                inner.exchange(now, seed, results, claim)
            })),
            ..Hooks::default()
        },
    },
    Breaker {
        check: "a_receiver_can_stop_a_webhook_or_a_batch",
        how: "takes `abort-message` for any other refusal",
        hooks: |_| {
            outcomes(|outcome| {
                if outcome.verdict == Verdict::Aborted {
                    outcome.verdict = Verdict::Refused;
                }
            })
        },
    },
    Breaker {
        check: "leases_outlive_their_holder",
        how: "counts fences from the start when it is opened",
        hooks: |opening| {
            brings(move |_, _, exchanged| {
                for claimed in exchanged.claimed.iter_mut().filter(|_| opening > 1) {
                    claimed.batch.fence = 1;
                }
            })
        },
    },
    Breaker {
        check: "no_more_is_claimed_than_asked_for",
        how: "says that there is more to do while there is more due than asked for",
        hooks: |_| brings(|_, _, exchanged| exchanged.more |= exchanged.claimed.len() == 3),
    },
    Breaker {
        check: "exactly_what_is_owed_is_delivered",
        how: "gives up what waits when an app is disabled",
        hooks: |_| Hooks {
            set_app_state: Some(Box::new(|inner, id, state| {
                for batch in batches(inner, id, &[BatchStatus::Waiting]) {
                    inner.cancel(id, &batch.id, Timestamp::default())?;
                }
                inner.set_app_state(id, state)
            })),
            ..Hooks::default()
        },
    },
    Breaker {
        check: "a_claim_brings_what_sending_needs",
        how: "claims with secrets as they were first claimed",
        hooks: |_| {
            let first = Mutex::new(None);
            brings(move |_, _, exchanged| {
                let mut first = first.lock().unwrap();
                for claimed in &mut exchanged.claimed {
                    let mut stored = StoredWebhook::clone(&claimed.webhook);
                    let sealed = first.get_or_insert_with(|| stored.sealed.clone());
                    stored.sealed.clone_from(sealed);
                    claimed.webhook = stored.into();
                }
            })
        },
    },
    Breaker {
        check: "a_clock_that_was_ahead_delays_nothing",
        how: "takes the latest time that it has seen for the time",
        hooks: |_| {
            let latest = Mutex::new(Timestamp::default());
            Hooks {
                exchange: Some(Box::new(move |inner, now, seed, results, claim| {
                    let mut latest = latest.lock().unwrap();
                    *latest = now.max(*latest);
                    inner.exchange(*latest, seed, results, claim)
                })),
                ..Hooks::default()
            }
        },
    },
];
