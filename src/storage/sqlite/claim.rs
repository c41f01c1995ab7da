//! Claiming: which batches go out next.
//!
//! A claim looks only at webhooks that are marked ready, through an index that holds only those,
//! so its cost grows with neither the log, nor idle webhooks, nor batches that wait.

use std::sync::Arc;
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension};

use crate::clock::Prng;
use crate::error::Result;
use crate::machine::{Input, Settled, longest_wait, plan_claim, step};
use crate::model::{
    App, AppState, Attempt, AttemptResult, Batch, BatchId, BatchStatus, DeliveryMode,
    DeliveryPolicy, FailureKind, Notice, Ordering, Positions, Timestamp,
};
use crate::storage::{ClaimRequest, Claimed, Exchanged, StoredWebhook};

use super::commit::nested;
use super::error::is_one_rows;
use super::ready::{next_timer, ready_apps, ready_webhooks, wake_timers};
use super::settle::exhausted;
use super::state::{self, WebhookState};
use super::{Cache, batches, carve, load};

/// How much longer than the attempt's own deadline a lease lasts: room for waiting for a sender
/// and for storing the result. A sender does not begin an attempt that its lease might not outlive.
const LEASE_MARGIN: Duration = Duration::from_secs(20);

/// When a webhook with an unreadable row is looked at again.
const BAD_ROW_WAIT: Duration = Duration::from_secs(600);

/// Rounds over the ready webhooks per claim; what is left then waits for the next claim.
const ROUNDS_MAX: usize = 16;

/// Claims into `exchanged`; true when there is more to do at once.
pub(super) fn claim(
    db: &Connection,
    cache: &Cache,
    now: Timestamp,
    request: ClaimRequest,
    random: &mut Prng,
    exchanged: &mut Exchanged,
) -> Result<bool> {
    let mut more = wake_timers(db, now, cache.clock_was_set_back(now))?;
    // Failing webhooks first: their share is small, and the well must not starve their retries.
    let failing_max = request.failing_max.min(request.batches_max);
    for (failing, end) in [(true, failing_max), (false, request.batches_max)] {
        more |= claim_class(db, cache, now, failing, end, random, exchanged)?;
    }
    exchanged.next_due = next_timer(db)?;
    Ok(more)
}

/// Claims until there are `end` batches in all or no ready webhook of this class; true when the
/// rounds ran out before. Fair among apps: in each round an equal share of the room goes to each.
fn claim_class(
    db: &Connection,
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
        let apps = ready_apps(db, failing, room, &cache.next_app())?;
        let Some(last) = apps.last() else {
            return Ok(false);
        };
        cache.set_next_app(last);
        let ready = ready_webhooks(db, failing, &apps, room)?;
        let share = room.div_ceil(ready.len().max(1));
        for webhook_no in ready {
            let room = end.saturating_sub(exchanged.claimed.len()).min(share);
            if room == 0 {
                break;
            }
            let (claimed, noticed) = (exchanged.claimed.len(), exchanged.notices.len());
            let looked = nested(db, || {
                look_at(db, cache, webhook_no, now, room, random, exchanged)
            });
            match looked {
                // What somebody spoiled holds up its own webhook only.
                Err(error) if is_one_rows(&error) => {
                    exchanged.claimed.truncate(claimed);
                    exchanged.notices.truncate(noticed);
                    state::look_later(db, webhook_no, now.plus(BAD_ROW_WAIT))?;
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
    db: &Connection,
    cache: &Cache,
    webhook_no: i64,
    now: Timestamp,
    room: usize,
    random: &mut Prng,
    exchanged: &mut Exchanged,
) -> Result<()> {
    let mut state = state::load(db, webhook_no)?;
    let subject = Subject::load(db, cache, &state)?;
    expire_leases(db, &subject, webhook_no, now, &mut exchanged.notices)?;
    let load = load::in_flight(db, webhook_no)?;
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
        let taken = claim_retries(db, &subject, webhook_no, now, retries, &mut take)?;
        let fresh = (room - taken).min(plan.fresh as usize);
        claim_fresh(db, &subject, &mut state, now, fresh, random, &mut take)?;
    }
    let spent = u32::try_from(exchanged.claimed.len() - before).unwrap_or(u32::MAX);
    state
        .health
        .spend(subject.webhook.webhook.overrides.rate_limit, now, spent);
    schedule(db, &subject, &mut state, now)?;
    state::save(db, &state)
}

/// A webhook with all that decides about it.
pub(super) struct Subject {
    pub(super) app: Arc<App>,
    pub(super) webhook: Arc<StoredWebhook>,
    pub(super) policy: Arc<DeliveryPolicy>,
}

impl Subject {
    pub(super) fn load(db: &Connection, cache: &Cache, state: &WebhookState) -> Result<Self> {
        let app = cache.app(db, &state.app_id)?;
        let (webhook, policy) = cache.webhook(db, state.webhook_no, &app)?;
        Ok(Self {
            app,
            webhook,
            policy,
        })
    }

    fn may_send(&self) -> bool {
        self.app.state == AppState::Enabled && self.webhook.webhook.is_active()
    }
}

/// Notes when the webhook is to be looked at next: now, if more can be claimed for it at once.
pub(super) fn schedule(
    db: &Connection,
    subject: &Subject,
    state: &mut WebhookState,
    now: Timestamp,
) -> Result<()> {
    let no = state.webhook_no;
    let lease_end = load::earliest(db, no, BatchStatus::Leased)?;
    state.ready = false;
    state.due_at = lease_end;
    if !subject.may_send() {
        return Ok(());
    }
    let load = load::in_flight(db, no)?;
    let overrides = &subject.webhook.webhook.overrides;
    let plan = plan_claim(&state.health, &subject.policy, overrides, load, now);
    if plan.not_before.is_some() {
        state.due_at = [plan.not_before, lease_end].into_iter().flatten().min();
        return Ok(());
    }
    let due = if plan.retries > 0 {
        load::next_retry(db, no, overrides.ordering)?
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
    let has_fresh = plan.fresh > 0 && (state.has_backlog || load::has_replay(db, no)?);
    state.ready = has_fresh || due.is_some_and(|due| due <= now);
    state.due_at = if state.ready {
        Some(now)
    } else {
        [due, lease_end].into_iter().flatten().min()
    };
    Ok(())
}

/// Ends leases whose holder did not report: it died, or could not store its result. A lease that
/// lasts longer than any lease was given by a clock that was ahead; it is cut to the usual length.
fn expire_leases(
    db: &Connection,
    subject: &Subject,
    webhook_no: i64,
    now: Timestamp,
    notices: &mut Vec<Notice>,
) -> Result<()> {
    let held = subject.policy.timeout + LEASE_MARGIN;
    db.prepare_cached(
        "UPDATE hookbox_batch SET due_at = ?2
         WHERE webhook_no = ?1 AND status = 'leased' AND due_at > ?2
             AND status IN ('waiting', 'leased', 'parked', 'exhausted')",
    )?
    .execute((webhook_no, now.plus(held).as_millis()))?;
    let expired = batches::select(
        db,
        "b.webhook_no = ?1 AND b.status = 'leased' AND b.due_at <= ?2
             AND b.status IN ('waiting', 'leased', 'parked', 'exhausted')",
        (webhook_no, now.as_millis()),
    )?;
    for (no, mut batch) in expired {
        let lease_end = batch.due_at.unwrap_or(now);
        let active = subject.webhook.webhook.is_active();
        let input = Input::LeaseExpired { active };
        if let Ok(settled) = step(&mut batch, input, now, &subject.policy, 0) {
            batches::update(db, no, &batch)?;
            let lost = Attempt {
                batch_id: batch.id,
                webhook_id: batch.webhook_id.clone(),
                number: batch.attempts,
                started_at: lease_end.minus(held),
                duration_ms: u64::try_from(held.as_millis()).unwrap_or(u64::MAX),
                result: AttemptResult::Failure(FailureKind::Lost),
                excerpt: "the sender did not report: whether the request arrived is unknown".into(),
            };
            batches::insert_attempt(db, no, webhook_no, &lost)?;
            if let Settled::Exhausted(reason) = settled {
                notices.push(exhausted(&batch, reason));
            }
        }
    }
    Ok(())
}

fn claim_retries(
    db: &Connection,
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
    let fifo = subject.webhook.webhook.overrides.ordering == Ordering::Fifo;
    let order = if fifo {
        "b.first_position, b.no"
    } else {
        "b.due_at"
    };
    let due = batches::select(
        db,
        &format!(
            "b.webhook_no = ?1 AND b.status = 'waiting'
                 AND b.status IN ('waiting', 'leased', 'parked', 'exhausted')
             ORDER BY {order} LIMIT ?2"
        ),
        (webhook_no, limit),
    )?;
    let mut taken = 0;
    for (no, mut batch) in due {
        // Further away than any wait: set by a clock that was ahead of this one.
        if batch.due_at.is_some_and(|due| due > far) {
            batch.due_at = Some(now);
        }
        let lease_until = now.plus(subject.policy.timeout + LEASE_MARGIN);
        if step(
            &mut batch,
            Input::Claim { lease_until },
            now,
            &subject.policy,
            0,
        )
        .is_ok()
        {
            batches::update(db, no, &batch)?;
            take(batch);
            taken += 1;
        }
    }
    Ok(taken)
}

fn claim_fresh(
    db: &Connection,
    subject: &Subject,
    state: &mut WebhookState,
    now: Timestamp,
    limit: usize,
    random: &mut Prng,
    take: &mut impl FnMut(Batch),
) -> Result<()> {
    for _ in 0..limit {
        let Some((positions, mode)) = next_positions(db, subject, state)? else {
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
        batches::insert(db, state.webhook_no, &batch)?;
        take(batch);
    }
    Ok(())
}

/// The next positions owed: of the log, and when that is taken, of a replay.
fn next_positions(
    db: &Connection,
    subject: &Subject,
    state: &mut WebhookState,
) -> Result<Option<(Positions, DeliveryMode)>> {
    let no = state.webhook_no;
    while state.has_backlog {
        let app = &state.app_id;
        let carved = carve::carve_owed(db, no, app, state.cursor, &subject.policy)?;
        state.cursor = carved.cursor;
        state.has_backlog = carved.more;
        if carved.batch.is_some() {
            return Ok(carved.batch);
        }
    }
    loop {
        let replay: Option<(i64, i64, i64)> = db
            .prepare_cached(
                "SELECT no, cursor, until_position FROM hookbox_replay
                 WHERE webhook_no = ?1 ORDER BY no LIMIT 1",
            )?
            .query_row((no,), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
            .optional()?;
        let Some((replay_no, cursor, until)) = replay else {
            return Ok(None);
        };
        let webhook = &subject.webhook.webhook;
        let carved = carve::carve_replay(db, webhook, cursor, until, &subject.policy)?;
        if carved.more {
            db.prepare_cached("UPDATE hookbox_replay SET cursor = ?2 WHERE no = ?1")?
                .execute((replay_no, carved.cursor))?;
        } else {
            db.prepare_cached("DELETE FROM hookbox_replay WHERE no = ?1")?
                .execute((replay_no,))?;
        }
        if carved.batch.is_some() {
            return Ok(carved.batch);
        }
    }
}
