//! Settling: what came of an attempt, written with everything that follows from it.

use crate::clock::Prng;
use crate::error::Result;
use crate::machine::{HealthEffect, Input, Outcome, Refused, Settled, Verdict, step};
use crate::model::{
    AttemptResult, Batch, BatchId, BatchStatus, Class, DeactivationReason, EndReason, Notice,
    Timestamp,
};
use crate::storage::Settlement;
use crate::storage::tables::{Tables, WebhookState};

use super::cache::Subject;
use super::exchange::Exchange;
use super::schedule::{Load, mark, schedule};
use super::webhooks;

/// Stores one result. False when its lease is no longer held: nothing is changed then.
pub(super) fn settle(
    exchange: &Exchange<'_>,
    settlement: &Settlement,
    random: &mut Prng,
    notices: &mut Vec<Notice>,
) -> Result<bool> {
    let (tables, now) = (exchange.tables, exchange.now);
    let Some(mut row) = tables.batch(&settlement.batch_id)? else {
        return Ok(false);
    };
    let (batch_no, webhook_no) = (row.no, row.webhook_no);
    let mut webhook_state = tables.state(webhook_no)?;
    let subject = exchange
        .cache
        .subject(exchange, webhook_no, &webhook_state.app_id)?;
    let was_active = subject.webhook.webhook.is_active();
    let Some((attempt, outcome)) = &settlement.attempt else {
        let input = Input::Release {
            fence: settlement.fence,
            active: was_active,
        };
        if step(&mut row.batch, input, now, &subject.policy, 0).is_err() {
            return Ok(false);
        }
        tables.update_batch(&row)?;
        let load = Load::read(tables, &subject, webhook_no, now)?;
        schedule(exchange, &subject, &mut webhook_state, load, true)?;
        tables.save_state(&webhook_state)?;
        return Ok(true);
    };
    let outcome = *outcome;
    let input = Input::Settle {
        fence: settlement.fence,
        outcome,
        active: was_active && outcome.deactivate.is_none(),
        others_succeed: row.batch.window_start.is_some_and(|start| {
            webhook_state
                .health
                .last_success_at
                .is_some_and(|success| success > start)
        }),
    };
    let settled = match step(
        &mut row.batch,
        input,
        now,
        &subject.policy,
        random.next_u64(),
    ) {
        Ok(settled) => settled,
        Err(Refused::LeaseLost | Refused::NotDue | Refused::Status(_)) => return Ok(false),
    };
    tables.update_batch(&row)?;
    tables.insert_attempt(batch_no, webhook_no, attempt)?;
    let batch = row.batch;
    match settled {
        Settled::Plain => {}
        Settled::Exhausted(reason) => notices.push(exhausted(&batch, reason)),
        Settled::Split => {
            let into = split(tables, webhook_no, &batch, was_active, now, random)?;
            notices.push(Notice::BatchSplit {
                app_id: batch.app_id.clone(),
                webhook_id: batch.webhook_id.clone(),
                batch_id: batch.id,
                into,
            });
        }
    }
    if let AttemptResult::Status(code) = attempt.result {
        webhook_state.last_http_code = Some((code, now));
    }
    let deactivate = judge_health(&subject, &mut webhook_state, outcome, now, &batch, notices);
    if webhook_state.has_backlog && subject.may_send() {
        // A sender looks at it anyway, mostly in this very transaction.
        mark(&mut webhook_state);
    } else {
        let load = Load::read(tables, &subject, webhook_no, now)?;
        schedule(exchange, &subject, &mut webhook_state, load, true)?;
    }
    tables.save_state(&webhook_state)?;
    if let Some(reason) = deactivate.filter(|_| was_active) {
        deactivate_webhook(tables, webhook_no, now)?;
        exchange.registry_changed()?;
        notices.push(Notice::WebhookDeactivated {
            app_id: batch.app_id,
            webhook_id: batch.webhook_id,
            reason,
        });
    }
    Ok(true)
}

/// Takes note of the attempt in the webhook's health; says whether to deactivate it.
fn judge_health(
    subject: &Subject,
    webhook_state: &mut WebhookState,
    outcome: Outcome,
    now: Timestamp,
    batch: &Batch,
    notices: &mut Vec<Notice>,
) -> Option<DeactivationReason> {
    let health = &mut webhook_state.health;
    let effect = match outcome.verdict {
        Verdict::Failed(kind) if kind.is_ours() => None,
        Verdict::Delivered => {
            webhook_state.class = Class::Well;
            health.succeed(&subject.policy, now)
        }
        _ => {
            webhook_state.class = Class::Failing;
            health.fail(&subject.policy, now, outcome.retry_after)
        }
    };
    let (app_id, webhook_id) = (batch.app_id.clone(), batch.webhook_id.clone());
    match effect {
        Some(HealthEffect::Warn(percent, deactivates_at)) => notices.push(Notice::WebhookFailing {
            app_id,
            webhook_id,
            percent,
            deactivates_at,
        }),
        Some(HealthEffect::Recovered(failures)) => notices.push(Notice::WebhookRecovered {
            app_id,
            webhook_id,
            failures,
        }),
        Some(HealthEffect::Deactivate(reason)) => {
            return Some(outcome.deactivate.unwrap_or(reason));
        }
        None => {}
    }
    outcome.deactivate
}

/// What is told of a batch that was given up.
pub(super) fn exhausted(batch: &Batch, reason: EndReason) -> Notice {
    Notice::BatchExhausted {
        app_id: batch.app_id.clone(),
        webhook_id: batch.webhook_id.clone(),
        batch_id: batch.id,
        reason,
    }
}

/// Replaces a batch by its two halves. They start at once, with a fresh count of failures, inside
/// the retry window of the whole.
fn split(
    tables: &dyn Tables,
    webhook_no: i64,
    whole: &Batch,
    active: bool,
    now: Timestamp,
    random: &mut Prng,
) -> Result<Vec<BatchId>> {
    let (first, second) = whole.positions.split_at(whole.positions.len() / 2);
    let mut into = Vec::new();
    for positions in [first, second] {
        let mut half = Batch {
            parent: Some(whole.id),
            window_start: whole.window_start,
            ..Batch::new(
                BatchId::new(now, random.next_u128()),
                whole.app_id.clone(),
                whole.webhook_id.clone(),
                positions,
                whole.mode,
                now,
            )
        };
        if !active {
            half.status = BatchStatus::Parked;
            half.due_at = None;
        }
        tables.insert_batch(webhook_no, &half)?;
        into.push(half.id);
    }
    Ok(into)
}

fn deactivate_webhook(tables: &dyn Tables, webhook_no: i64, now: Timestamp) -> Result<()> {
    // What is committed by now was emitted while it was active: it stays owed.
    tables.lock_log()?;
    let before = tables.webhook(webhook_no)?;
    let mut after = before.clone();
    after.webhook.enabled = false;
    after.webhook.last_disabled_at = Some(now);
    after.webhook.updated_at = now;
    webhooks::save(tables, webhook_no, &before.webhook, &after)
}
