//! When a webhook is to be looked at next.

use crate::error::Result;
use crate::machine::{InFlight, longest_wait, plan_claim};
use crate::model::{Batch, BatchStatus, Ordering, Timestamp};
use crate::storage::tables::{Tables, WebhookState};

use super::cache::Subject;
use super::exchange::Exchange;

/// What a webhook has in flight.
#[derive(Debug, Clone, Copy)]
pub(super) struct Load {
    pub(super) in_flight: InFlight,
    /// When the first of its leases ends.
    pub(super) lease_end: Option<Timestamp>,
}

impl Load {
    /// Reads it, once what a clock that was ahead has set is brought near.
    pub(super) fn read(
        tables: &dyn Tables,
        subject: &Subject,
        webhook_no: i64,
        now: Timestamp,
    ) -> Result<Self> {
        let in_flight = tables.in_flight(webhook_no)?;
        if in_flight.waiting > 0 {
            bring_near(tables, subject, webhook_no, now)?;
        }
        let lease_end = if in_flight.fresh + in_flight.retries > 0 {
            tables.earliest(webhook_no, BatchStatus::Leased, Ordering::None)?
        } else {
            None
        };
        Ok(Self {
            in_flight,
            lease_end,
        })
    }

    /// So many batches that waited were leased.
    pub(super) fn no_longer_waiting(&mut self, count: usize) {
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        self.in_flight.waiting = self.in_flight.waiting.saturating_sub(count);
    }

    /// A batch was leased.
    pub(super) fn add(&mut self, batch: &Batch) {
        let load = &mut self.in_flight;
        if batch.attempts <= 1 {
            load.fresh += 1;
        } else {
            load.retries += 1;
        }
        self.lease_end = [self.lease_end, batch.due_at].into_iter().flatten().min();
    }
}

/// Notes when the webhook is to be looked at next: now, if more can be claimed for it at once.
/// `full_is_there`: whether a full batch may lie ahead, as far as is known.
pub(super) fn schedule(
    exchange: &Exchange<'_>,
    subject: &Subject,
    state: &mut WebhookState,
    load: Load,
    full_is_there: bool,
) -> Result<()> {
    let (tables, now, no) = (exchange.tables, exchange.now, state.webhook_no);
    state.ready = false;
    state.due_at = load.lease_end;
    if !subject.may_send() {
        return Ok(());
    }
    let overrides = &subject.webhook.webhook.overrides;
    let plan = plan_claim(
        &state.health,
        &subject.policy,
        overrides,
        load.in_flight,
        now,
    );
    if plan.not_before.is_some() {
        state.due_at = [plan.not_before, load.lease_end]
            .into_iter()
            .flatten()
            .min();
        return Ok(());
    }
    let due = if plan.retries > 0 {
        tables.earliest(no, BatchStatus::Waiting, overrides.ordering)?
    } else {
        None
    };
    let takes_fresh = plan.fresh > 0 || (plan.full > 0 && full_is_there);
    let has_fresh = takes_fresh && (state.has_backlog || tables.replay(no)?.is_some());
    state.ready = has_fresh || due.is_some_and(|due| due <= now);
    state.due_at = if state.ready {
        Some(now)
    } else {
        [due, load.lease_end].into_iter().flatten().min()
    };
    Ok(())
}

/// Brings due times that lie further away than any wait to `now`: a clock that was ahead set them.
///
/// What this is for: once a clock is right again, nothing that is due waits longer than the longest wait
/// because of it. Proof. After a look at time `t` every batch of the webhook that waits is due by `t` plus
/// the longest wait; what is claimed or settled after that gets its time from a clock that is right. If
/// the endpoint answers well, the one that is due first goes out in time, even as a sick webhook's only
/// probe, its success makes the webhook well, and the others go out when they are due. And each webhook
/// with a timer is looked at when a clock was set back (the cache says when).
///
/// All of them at once, at the first look, whatever may be claimed: this is when they can be told from
/// times that are right. Behind another batch that is due before, they would look right by the time
/// that one goes out, and wait once more for as long.
fn bring_near(
    tables: &dyn Tables,
    subject: &Subject,
    webhook_no: i64,
    now: Timestamp,
) -> Result<()> {
    tables.bring_near(webhook_no, now.plus(longest_wait(&subject.policy)), now)
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
