//! Claiming: which batches go out next.
//!
//! A claim looks only at webhooks that are marked ready, through an index that holds only those,
//! so its cost grows with neither the log, nor idle webhooks, nor batches that wait.

use std::sync::Arc;
use std::time::Duration;

use crate::clock::Prng;
use crate::error::Result;
use crate::machine::{Input, Settled, longest_wait, plan_claim, step};
use crate::model::{
    Attempt, AttemptResult, Batch, BatchId, BatchStatus, DeliveryMode, FailureKind, Notice,
    Ordering, Positions, Timestamp,
};
use crate::storage::tables::{Tables, WebhookState};
use crate::storage::{ClaimRequest, Claimed, Exchanged};

use super::exchange::is_one_rows;
use super::schedule::{self, Subject};
use super::settle::exhausted;
use super::{Cache, carve};

/// How much longer than the attempt's own deadline a lease lasts: room for waiting for a sender
/// and for storing the result. A sender does not begin an attempt that its lease might not outlive.
const LEASE_MARGIN: Duration = Duration::from_secs(20);

/// When a webhook with an unreadable row is looked at again.
const BAD_ROW_WAIT: Duration = Duration::from_secs(600);

/// Timers that are moved to the ready queue per claim.
const TIMERS_MAX: usize = 1_000;

/// More than any webhook can have out at once.
const LEASES_MAX: usize = 10_000;

/// Rounds over the ready webhooks per claim; what is left then waits for the next claim.
const ROUNDS_MAX: usize = 16;

/// Claims into `exchanged`; true when there is more to do at once. Looks at every timer when asked:
/// after the clock was set back, and at the start, when it may have been, those that are further away
/// than any wait were set by a clock that was ahead.
pub(super) fn claim(
    tables: &dyn Tables,
    cache: &Cache,
    now: Timestamp,
    request: ClaimRequest,
    all_timers: bool,
    random: &mut Prng,
    exchanged: &mut Exchanged,
) -> Result<bool> {
    let mut more = wake_timers(tables, now, all_timers)?;
    // Failing webhooks first: their share is small, and the well must not starve their retries.
    let failing_max = request.failing_max.min(request.batches_max);
    for (failing, end) in [(true, failing_max), (false, request.batches_max)] {
        more |= claim_class(tables, cache, now, failing, end, random, exchanged)?;
    }
    exchanged.next_due = tables.next_timer()?;
    Ok(more)
}

/// Claims until there are `end` batches in all or no ready webhook of this class; true when the
/// rounds ran out before. Fair among apps: in each round an equal share of the room goes to each.
fn claim_class(
    tables: &dyn Tables,
    cache: &Cache,
    now: Timestamp,
    failing: bool,
    end: usize,
    random: &mut Prng,
    exchanged: &mut Exchanged,
) -> Result<bool> {
    for _ in 0..ROUNDS_MAX {
        let room = end.saturating_sub(exchanged.claimed.len());
        if room == 0 {
            return Ok(false);
        }
        let apps = tables.ready_apps(failing, room, &cache.next_app())?;
        let Some(last) = apps.last() else {
            return Ok(false);
        };
        cache.set_next_app(last);
        let ready = ready_webhooks(tables, failing, &apps, room)?;
        let share = room.div_ceil(ready.len().max(1));
        for webhook_no in ready {
            let room = end.saturating_sub(exchanged.claimed.len()).min(share);
            if room == 0 {
                break;
            }
            let (claimed, noticed) = (exchanged.claimed.len(), exchanged.notices.len());
            let looked = tables
                .nested(&mut || look_at(tables, cache, webhook_no, now, room, random, exchanged));
            match looked {
                // What somebody spoiled holds up its own webhook only.
                Err(error) if is_one_rows(&error) => {
                    exchanged.claimed.truncate(claimed);
                    exchanged.notices.truncate(noticed);
                    tables.look_later(webhook_no, now.plus(BAD_ROW_WAIT))?;
                    exchanged.notices.push(Notice::BadRow {
                        message: error.to_string(),
                    });
                }
                other => other?,
            }
        }
    }
    Ok(true)
}

/// Looks at one ready webhook: ends its expired leases, claims up to `room` batches for it, and
/// notes when to look again.
fn look_at(
    tables: &dyn Tables,
    cache: &Cache,
    webhook_no: i64,
    now: Timestamp,
    room: usize,
    random: &mut Prng,
    exchanged: &mut Exchanged,
) -> Result<()> {
    let mut state = tables.state(webhook_no)?;
    let subject = Subject::load(tables, cache, &state)?;
    let mut load = tables.in_flight(webhook_no)?;
    if load.fresh + load.retries > 0
        && expire_leases(tables, &subject, webhook_no, now, &mut exchanged.notices)?
    {
        load = tables.in_flight(webhook_no)?;
    }
    let before = exchanged.claimed.len();
    if subject.may_send() {
        let plan = plan_claim(
            &state.health,
            &subject.policy,
            &subject.webhook.webhook.overrides,
            load,
            now,
        );
        let failing = state.failing;
        let mut take = |batch: Batch| {
            exchanged.claimed.push(Claimed {
                batch,
                app: Arc::clone(&subject.app),
                webhook: Arc::clone(&subject.webhook),
                policy: Arc::clone(&subject.policy),
                failing,
            });
        };
        let room = room.min(plan.total as usize);
        let retries = room.min(plan.retries as usize);
        let taken = claim_retries(tables, &subject, webhook_no, now, retries, &mut take)?;
        let fresh = (room - taken).min(plan.fresh as usize);
        claim_fresh(tables, &subject, &mut state, now, fresh, random, &mut take)?;
    }
    let spent = u32::try_from(exchanged.claimed.len() - before).unwrap_or(u32::MAX);
    state
        .health
        .spend(subject.webhook.webhook.overrides.rate_limit, now, spent);
    schedule::schedule(tables, &subject, &mut state, now)?;
    tables.save_state(&state)
}

/// Marks the webhooks whose time has come, or all that have one; true when there are more.
fn wake_timers(tables: &dyn Tables, now: Timestamp, all: bool) -> Result<bool> {
    if all {
        tables.wake_timers(None, usize::MAX)?;
        return Ok(false);
    }
    Ok(tables.wake_timers(Some(now), TIMERS_MAX)? == TIMERS_MAX)
}

/// At most `room` ready webhooks: an equal share from each app, the longest ready first.
fn ready_webhooks(
    tables: &dyn Tables,
    failing: bool,
    apps: &[String],
    room: usize,
) -> Result<Vec<i64>> {
    let share = room.div_ceil(apps.len().max(1));
    let mut ready = Vec::new();
    for app in apps {
        ready.extend(tables.ready_webhooks(failing, app, share)?);
    }
    Ok(ready)
}

/// Ends leases whose holder did not report: it died, or could not store its result. A lease that
/// lasts longer than any lease was given by a clock that was ahead; it is cut to the usual length.
/// Whether there were any.
fn expire_leases(
    tables: &dyn Tables,
    subject: &Subject,
    webhook_no: i64,
    now: Timestamp,
    notices: &mut Vec<Notice>,
) -> Result<bool> {
    let held = subject.policy.timeout + LEASE_MARGIN;
    let mut expired = false;
    for mut row in tables.unsettled(webhook_no, BatchStatus::Leased, Ordering::None, LEASES_MAX)? {
        let batch = &mut row.batch;
        let lease_end = batch.due_at.unwrap_or(now);
        if lease_end > now {
            if lease_end > now.plus(held) {
                batch.due_at = Some(now.plus(held));
                tables.update_batch(&row)?;
            }
            continue;
        }
        let active = subject.webhook.webhook.is_active();
        let input = Input::LeaseExpired { active };
        if let Ok(settled) = step(batch, input, now, &subject.policy, 0) {
            let lost = Attempt {
                batch_id: batch.id,
                webhook_id: batch.webhook_id.clone(),
                number: batch.attempts,
                started_at: lease_end.minus(held),
                duration_ms: u64::try_from(held.as_millis()).unwrap_or(u64::MAX),
                result: AttemptResult::Failure(FailureKind::Lost),
                excerpt: "the sender did not report: whether the request arrived is unknown".into(),
            };
            if let Settled::Exhausted(reason) = settled {
                notices.push(exhausted(batch, reason));
            }
            tables.update_batch(&row)?;
            tables.insert_attempt(row.no, webhook_no, &lost)?;
            expired = true;
        }
    }
    Ok(expired)
}

fn claim_retries(
    tables: &dyn Tables,
    subject: &Subject,
    webhook_no: i64,
    now: Timestamp,
    limit: usize,
    take: &mut impl FnMut(Batch),
) -> Result<usize> {
    if limit == 0 {
        return Ok(0);
    }
    let far = now.plus(longest_wait(&subject.policy));
    let ordering = subject.webhook.webhook.overrides.ordering;
    let due = tables.unsettled(webhook_no, BatchStatus::Waiting, ordering, limit)?;
    let mut taken = 0;
    for mut row in due {
        // Further away than any wait: set by a clock that was ahead of this one.
        if row.batch.due_at.is_some_and(|due| due > far) {
            row.batch.due_at = Some(now);
        }
        let lease_until = now.plus(subject.policy.timeout + LEASE_MARGIN);
        let input = Input::Claim { lease_until };
        if step(&mut row.batch, input, now, &subject.policy, 0).is_ok() {
            tables.update_batch(&row)?;
            take(row.batch);
            taken += 1;
        }
    }
    Ok(taken)
}

fn claim_fresh(
    tables: &dyn Tables,
    subject: &Subject,
    state: &mut WebhookState,
    now: Timestamp,
    limit: usize,
    random: &mut Prng,
    take: &mut impl FnMut(Batch),
) -> Result<()> {
    for _ in 0..limit {
        let Some((positions, mode)) = next_positions(tables, subject, state)? else {
            return Ok(());
        };
        let mut batch = Batch::new(
            BatchId::new(now, random.next_u128()),
            subject.app.id.clone(),
            subject.webhook.webhook.id.clone(),
            positions,
            mode,
            now,
        );
        let lease_until = now.plus(subject.policy.timeout + LEASE_MARGIN);
        // A batch that was just made is waiting and due: the machine takes this input.
        let _ = step(
            &mut batch,
            Input::Claim { lease_until },
            now,
            &subject.policy,
            0,
        );
        tables.insert_batch(state.webhook_no, &batch)?;
        take(batch);
    }
    Ok(())
}

/// The next positions owed: of the log, and when that is taken, of a replay.
fn next_positions(
    tables: &dyn Tables,
    subject: &Subject,
    state: &mut WebhookState,
) -> Result<Option<(Positions, DeliveryMode)>> {
    let no = state.webhook_no;
    while state.has_backlog {
        let app = &state.app_id;
        let carved = carve::carve_owed(tables, no, app, state.cursor, &subject.policy)?;
        state.cursor = carved.cursor;
        state.has_backlog = carved.more;
        if carved.batch.is_some() {
            return Ok(carved.batch);
        }
    }
    loop {
        let Some(mut replay) = tables.replay(no)? else {
            return Ok(None);
        };
        let webhook = &subject.webhook.webhook;
        let carved = carve::carve_replay(
            tables,
            webhook,
            replay.cursor,
            replay.until,
            &subject.policy,
        )?;
        replay.cursor = carved.cursor;
        tables.save_replay(no, replay)?;
        if carved.batch.is_some() {
            return Ok(carved.batch);
        }
    }
}
