//! Claiming: which batches go out next.
//!
//! A claim looks only at webhooks that are marked ready, through an index that holds only those,
//! so its cost grows with neither the log, nor idle webhooks, nor batches that wait.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::Prng;
use crate::error::{Error, Result, StorageFault};
use crate::machine::{Input, Settled, lease_span, plan_claim, step};
use crate::model::{
    Attempt, AttemptResult, Batch, BatchId, BatchStatus, Class, DeliveryMode, FailureKind, Notice,
    Ordering, Positions, Timestamp,
};
use crate::storage::tables::{Tables, WebhookState};
use crate::storage::{ClaimRequest, Claimed, Exchanged};

use super::cache::Subject;
use super::carve;
use super::exchange::Exchange;
use super::schedule::{self, Load};
use super::settle::exhausted;

/// When a webhook with an unreadable row is looked at again.
const BAD_ROW_WAIT: Duration = Duration::from_secs(600);

/// Timers that are moved to the ready queue per claim.
const TIMERS_MAX: usize = 1_000;

/// More than any webhook can have out at once.
const LEASES_MAX: usize = 10_000;

/// Rounds over the ready webhooks per claim; what is left then waits for the next claim.
const ROUNDS_MAX: usize = 16;

/// Claims into `exchanged`; true when there is more to do at once.
pub(super) fn claim(
    exchange: &Exchange<'_>,
    request: ClaimRequest,
    random: &mut Prng,
    exchanged: &mut Exchanged,
) -> Result<bool> {
    let mut more = wake_timers(exchange)?;
    // Where they share the room, the well are last: of them there can always be more, while each of the
    // others has one attempt until it is well or waits.
    for class in [Class::Failing, Class::Untried, Class::Well] {
        let claimed = exchanged.claimed.len();
        let room = request.class_max[class.index()].min(request.batches_max - claimed);
        more |= claim_class(exchange, class, claimed + room, random, exchanged)?;
    }
    exchanged.next_due = exchange.tables.next_timer()?;
    Ok(more)
}

/// Claims until there are `end` batches in all or no ready webhook of this class; true when the
/// rounds ran out before. Fair among apps: in each round an equal share of the room goes to each.
fn claim_class(
    exchange: &Exchange<'_>,
    class: Class,
    end: usize,
    random: &mut Prng,
    exchanged: &mut Exchanged,
) -> Result<bool> {
    let (tables, cache) = (exchange.tables, exchange.cache);
    let before = exchanged.claimed.len();
    let mut in_vain = HashSet::new();
    for _ in 0..ROUNDS_MAX {
        let room = end.saturating_sub(exchanged.claimed.len());
        if room == 0 {
            return Ok(false);
        }
        let apps = tables.ready_apps(class, room, &cache.next_app())?;
        let Some(last) = apps.last() else {
            return Ok(false);
        };
        cache.set_next_app(last);
        let ready = ready_webhooks(tables, class, &apps, room)?;
        let share = room.div_ceil(ready.len().max(1));
        for webhook_no in ready {
            let room = end.saturating_sub(exchanged.claimed.len()).min(share);
            if room == 0 {
                break;
            }
            let (claimed, noticed) = (exchanged.claimed.len(), exchanged.notices.len());
            let looked =
                exchange.part(&mut || look_at(exchange, webhook_no, room, random, exchanged))?;
            // What somebody spoiled holds up its own webhook only.
            if let Err(error) = looked {
                exchanged.claimed.truncate(claimed);
                exchanged.notices.truncate(noticed);
                tables.look_later(webhook_no, exchange.now.plus(BAD_ROW_WAIT))?;
                exchanged.notices.push(Notice::BadRow {
                    message: error.to_string(),
                });
            }
            // Looking in vain clears the mark. Where it does not, nobody would ever come to an end.
            if exchanged.claimed.len() == claimed && !in_vain.insert(webhook_no) {
                return Err(damaged_index());
            }
        }
    }
    // Apps in whose name nothing was found promise nothing more.
    Ok(exchanged.claimed.len() > before || !in_vain.is_empty())
}

/// The index of ready webhooks does not follow the rows: only a damaged file is so.
fn damaged_index() -> Error {
    let message = "the index of webhooks to look at is damaged: stop the box and rebuild it (`REINDEX` in \
                   SQLite), or restore a backup";
    Error::storage(StorageFault::Corrupt, message)
}

/// Looks at one ready webhook: ends its expired leases, claims up to `room` batches for it, and
/// notes when to look again.
fn look_at(
    exchange: &Exchange<'_>,
    webhook_no: i64,
    room: usize,
    random: &mut Prng,
    exchanged: &mut Exchanged,
) -> Result<()> {
    let (tables, now) = (exchange.tables, exchange.now);
    let mut state = tables.state(webhook_no)?;
    let subject = exchange
        .cache
        .subject(exchange, webhook_no, &state.app_id)?;
    // What is over or was never right is forgotten: a pause that is too long to be true now would be
    // short enough some day.
    state.health.paused_until = state.health.pause(&subject.policy, now);
    let mut load = Load::read(tables, &subject, webhook_no, now)?;
    if load
        .lease_end
        .is_some_and(|end| is_suspect(end, &subject, now))
    {
        end_leases(tables, &subject, webhook_no, now, &mut exchanged.notices)?;
        load = Load::read(tables, &subject, webhook_no, now)?;
    }
    let mut taken = Vec::new();
    let mut full_is_there = true;
    if subject.may_send() {
        let overrides = &subject.webhook.webhook.overrides;
        let plan = plan_claim(
            &state.health,
            &subject.policy,
            overrides,
            load.in_flight,
            now,
        );
        let room = room.min(plan.total as usize);
        let retries = room.min(plan.retries as usize);
        taken = claim_retries(tables, &subject, webhook_no, now, retries)?;
        load.no_longer_waiting(taken.len());
        let room = room - taken.len();
        let fresh = room.min(plan.fresh as usize);
        let full = (room - fresh).min(plan.full as usize);
        for index in 0..fresh + full {
            let full_only = index >= fresh;
            let Some((positions, mode)) =
                next_positions(exchange, &subject, &mut state, full_only)?
            else {
                full_is_there = false;
                break;
            };
            let batch = lease_fresh(&subject, positions, mode, now, random);
            tables.insert_batch(webhook_no, &batch)?;
            taken.push(batch);
        }
    }
    let spent = u32::try_from(taken.len()).unwrap_or(u32::MAX);
    let rate_limit = subject.webhook.webhook.overrides.rate_limit;
    state.health.spend(rate_limit, now, spent);
    for batch in taken {
        load.add(&batch);
        exchanged.claimed.push(Claimed {
            batch,
            app: Arc::clone(&subject.app),
            webhook: Arc::clone(&subject.webhook),
            policy: Arc::clone(&subject.policy),
            class: state.class,
        });
    }
    schedule::schedule(exchange, &subject, &mut state, load, full_is_there)?;
    tables.save_state(&state)
}

/// Marks the webhooks whose time has come, or all that have one; true when there are more.
fn wake_timers(exchange: &Exchange<'_>) -> Result<bool> {
    if exchange.all_timers {
        exchange.tables.wake_timers(None, usize::MAX)?;
        return Ok(false);
    }
    let woken = exchange
        .tables
        .wake_timers(Some(exchange.now), TIMERS_MAX)?;
    Ok(woken == TIMERS_MAX)
}

/// At most `room` ready webhooks: an equal share from each app, the longest ready first.
fn ready_webhooks(
    tables: &dyn Tables,
    class: Class,
    apps: &[String],
    room: usize,
) -> Result<Vec<i64>> {
    let share = room.div_ceil(apps.len().max(1));
    let mut ready = Vec::new();
    for app in apps {
        ready.extend(tables.ready_webhooks(class, app, share)?);
    }
    Ok(ready)
}

/// Whether a lease has ended, or lasts longer than any is given.
fn is_suspect(lease_end: Timestamp, subject: &Subject, now: Timestamp) -> bool {
    lease_end <= now || lease_end > now.plus(lease_span(&subject.policy))
}

/// Ends leases whose holder did not report: it died, or could not store its result. A lease that
/// lasts longer than any lease was given by a clock that was ahead; it is cut to the usual length.
fn end_leases(
    tables: &dyn Tables,
    subject: &Subject,
    webhook_no: i64,
    now: Timestamp,
    notices: &mut Vec<Notice>,
) -> Result<()> {
    let held = lease_span(&subject.policy);
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
        }
    }
    Ok(())
}

fn claim_retries(
    tables: &dyn Tables,
    subject: &Subject,
    webhook_no: i64,
    now: Timestamp,
    limit: usize,
) -> Result<Vec<Batch>> {
    let mut taken = Vec::new();
    if limit == 0 {
        return Ok(taken);
    }
    let ordering = subject.webhook.webhook.overrides.ordering;
    for mut row in tables.unsettled(webhook_no, BatchStatus::Waiting, ordering, limit)? {
        let lease_until = now.plus(lease_span(&subject.policy));
        let input = Input::Claim { lease_until };
        if step(&mut row.batch, input, now, &subject.policy, 0).is_ok() {
            tables.update_batch(&row)?;
            taken.push(row.batch);
        }
    }
    Ok(taken)
}

/// A new batch, leased.
fn lease_fresh(
    subject: &Subject,
    positions: Positions,
    mode: DeliveryMode,
    now: Timestamp,
    random: &mut Prng,
) -> Batch {
    let mut batch = Batch::new(
        BatchId::new(now, random.next_u128()),
        subject.app.id.clone(),
        subject.webhook.webhook.id.clone(),
        positions,
        mode,
        now,
    );
    let lease_until = now.plus(lease_span(&subject.policy));
    let input = Input::Claim { lease_until };
    // A batch that was just made is waiting and due: the machine takes this input.
    let _ = step(&mut batch, input, now, &subject.policy, 0);
    batch
}

/// The next positions owed: of the log, and when that is taken, of a replay. With `full_only`, only
/// what is as large as a batch can be; else it stays where it is.
fn next_positions(
    exchange: &Exchange<'_>,
    subject: &Subject,
    state: &mut WebhookState,
    full_only: bool,
) -> Result<Option<(Positions, DeliveryMode)>> {
    let (tables, no) = (exchange.tables, state.webhook_no);
    while state.has_backlog {
        let carved = carve::carve_owed(exchange, subject, state.cursor)?;
        if carved.batch.is_some() && full_only && !carved.more {
            return Ok(None);
        }
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
        let carved = carve::carve_replay(
            tables,
            &subject.webhook.webhook,
            replay.cursor,
            replay.until,
            &subject.policy,
        )?;
        if carved.batch.is_some() && full_only && !carved.more {
            return Ok(None);
        }
        replay.cursor = carved.cursor;
        tables.save_replay(no, replay)?;
        if carved.batch.is_some() {
            return Ok(carved.batch);
        }
    }
}
