//! When a webhook is to be looked at next.

use std::sync::Arc;

use crate::error::Result;
use crate::machine::{longest_wait, plan_claim};
use crate::model::{App, AppState, BatchStatus, DeliveryPolicy, Ordering, Timestamp};
use crate::storage::StoredWebhook;
use crate::storage::tables::{Tables, WebhookState};

use super::Cache;

/// A webhook with all that decides about it.
pub(super) struct Subject {
    pub(super) app: Arc<App>,
    pub(super) webhook: Arc<StoredWebhook>,
    pub(super) policy: Arc<DeliveryPolicy>,
}

impl Subject {
    pub(super) fn load(tables: &dyn Tables, cache: &Cache, state: &WebhookState) -> Result<Self> {
        let app = cache.app(tables, &state.app_id)?;
        let (webhook, policy) = cache.webhook(tables, state.webhook_no, &app)?;
        Ok(Self {
            app,
            webhook,
            policy,
        })
    }

    pub(super) fn may_send(&self) -> bool {
        self.app.state == AppState::Enabled && self.webhook.webhook.is_active()
    }
}

/// Notes when the webhook is to be looked at next: now, if more can be claimed for it at once.
/// `full_is_there`: whether a full batch may lie ahead, as far as is known.
pub(super) fn schedule(
    tables: &dyn Tables,
    subject: &Subject,
    state: &mut WebhookState,
    now: Timestamp,
    full_is_there: bool,
) -> Result<()> {
    let no = state.webhook_no;
    let load = tables.in_flight(no)?;
    let lease_end = if load.fresh + load.retries > 0 {
        tables.earliest(no, BatchStatus::Leased, Ordering::None)?
    } else {
        None
    };
    state.ready = false;
    state.due_at = lease_end;
    if !subject.may_send() {
        return Ok(());
    }
    let overrides = &subject.webhook.webhook.overrides;
    let plan = plan_claim(&state.health, &subject.policy, overrides, load, now);
    if plan.not_before.is_some() {
        state.due_at = [plan.not_before, lease_end].into_iter().flatten().min();
        return Ok(());
    }
    let due = if plan.retries > 0 {
        tables.earliest(no, BatchStatus::Waiting, overrides.ordering)?
    } else {
        None
    };
    // Further away than any wait: set by a clock that was ahead of this one.
    let due = due.map(|due| {
        if due > now.plus(longest_wait(&subject.policy)) {
            now
        } else {
            due
        }
    });
    let takes_fresh = plan.fresh > 0 || (plan.full > 0 && full_is_there);
    let has_fresh = takes_fresh && (state.has_backlog || tables.replay(no)?.is_some());
    state.ready = has_fresh || due.is_some_and(|due| due <= now);
    state.due_at = if state.ready {
        Some(now)
    } else {
        [due, lease_end].into_iter().flatten().min()
    };
    Ok(())
}

/// Asks a sender to look at a webhook: something about it changed. Level-triggered: looking in vain
/// costs a little and clears the mark.
pub(super) fn look_again(tables: &dyn Tables, webhook_no: i64) -> Result<()> {
    let mut state = tables.state(webhook_no)?;
    mark(&mut state);
    tables.save_state(&state)
}

/// As [`look_again`], before the state is saved.
pub(super) fn mark(state: &mut WebhookState) {
    state.ready = true;
    state.due_at.get_or_insert_default();
}
