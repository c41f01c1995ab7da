//! What may be claimed: which batch, when, and how many at a time.

use std::collections::BTreeSet;

use hookbox::machine::longest_wait;
use hookbox::model::{Batch, BatchId, BatchStatus, Notice, Timestamp, Verification};
use hookbox::storage::Claimed;

use super::super::figures::Mark;
use super::exchange::{LEASE_MARGIN, millis};
use super::{Judge, Known};

/// Claims of a webhook that are held against its rate limit.
const PACED_CLAIMS: usize = 64;

impl Judge {
    pub fn judge_claim(&mut self, one: &Claimed, now: i64) {
        let batch = &one.batch;
        let id = batch.id;
        let Some(webhook) = self.webhook_of(&batch.webhook_id) else {
            self.violated("I16", format!("{id} is for an unknown webhook"));
            return;
        };
        let hook = &self.webhooks[webhook];
        let may = hook.is_active() && self.apps[hook.app].enabled;
        let proved = self.profile.verification == Verification::None
            || self.endpoints[hook.endpoint].proved.contains(&hook.token);
        let paused = hook.paused_until;
        self.check("I16", may, || {
            format!("{id} was leased for an inactive webhook")
        });
        self.check("I17", proved, || {
            format!("{id}: its endpoint never answered a challenge")
        });
        // A box whose clock is far behind forgets another's wish: it cannot be true.
        let silent = paused.is_some_and(|until| until > now) && !self.skewed;
        self.check("I12", !silent, || {
            format!("{id} was leased at {now}, paused until {paused:?}")
        });
        self.judge_pace(webhook, now);
        let lease = batch.due_at.map_or(0, Timestamp::as_millis);
        let span = millis(self.profile.delivery.timeout) + LEASE_MARGIN;
        self.check("I9", lease == now + span, || {
            format!("{id}: a lease from {now} to {lease}")
        });
        match self.batches.get(&id).map(|known| known.row.clone()) {
            None => self.new_batch(one, webhook),
            Some(before) => self.judge_retry(&before, batch, now),
        }
        if let Some(known) = self.batches.get_mut(&id) {
            known.row = batch.clone();
        }
        self.leased.insert(id);
        self.note_claim(one);
    }

    fn note_claim(&mut self, one: &Claimed) {
        let events = self
            .batches
            .get(&one.batch.id)
            .map(|known| known.events.clone());
        self.note(|| {
            let batch = &one.batch;
            let (fence, attempt) = (batch.fence, batch.attempts);
            format!(
                "claimed {} attempt {attempt} fence {fence} {events:?}",
                batch.id
            )
        });
    }

    fn judge_retry(&mut self, before: &Batch, batch: &Batch, now: i64) {
        let id = batch.id;
        let due = before.due_at.map_or(i64::MIN, Timestamp::as_millis);
        let waits = before.status == BatchStatus::Waiting;
        let rule = if before.status.is_final() { "I3" } else { "I8" };
        self.check(rule, waits, || format!("{id} was leased while {before:?}"));
        // Further away than any wait: a clock's that was wrong.
        let far = now + millis(longest_wait(&self.profile.delivery));
        self.check("I12", due <= now || due > far, || {
            format!("{id} is due at {due} and was leased at {now}")
        });
        if due > far {
            self.mark(Mark::DueTooFarAway);
        }
        self.check("I8", batch.fence > before.fence, || {
            format!("{id}: fence {} after {}", batch.fence, before.fence)
        });
        self.check("I18", batch.positions == before.positions, || {
            format!("{id} changed its events")
        });
    }

    /// A rate limit allows one second's worth at once, and what has come in since, but for clocks that
    /// differ.
    fn judge_pace(&mut self, webhook: usize, now: i64) {
        let hook = &mut self.webhooks[webhook];
        let Some(pace) = hook.pace.filter(|_| !self.skewed).map(i64::from) else {
            return;
        };
        hook.claims.push_back(now);
        if hook.claims.len() > PACED_CLAIMS {
            hook.claims.pop_front();
        }
        let mut since = hook.claims.iter().rev().zip(1..);
        let over = since
            .find(|(at, count)| *count > pace + (now - **at) * pace / 1000)
            .map(|(at, count)| (now - at, count));
        let id = hook.id.clone();
        self.check("I10", over.is_none(), || {
            format!("{id} may have {pace} a second: {over:?} ms, batches")
        });
    }

    /// Due times that lie beyond any wait were set by a clock that was ahead: whoever looks at the
    /// webhook brings them to the time at hand. Nothing else may change of such a batch.
    pub fn judge_cuts(&mut self, now: i64) {
        let far = now + millis(longest_wait(&self.profile.delivery));
        let is_far = |known: &Known| {
            let waits = known.row.status == BatchStatus::Waiting && !known.gone;
            let due = known.row.due_at.map_or(i64::MIN, Timestamp::as_millis);
            waits && due > far
        };
        let suspects = self.batches.iter().filter(|(_, known)| is_far(known));
        let suspects: Vec<BatchId> = suspects.map(|(id, _)| *id).collect();
        for id in suspects {
            let Ok(after) = self.oracle.get_batch(&id) else {
                continue;
            };
            let Some(known) = self.batches.get_mut(&id) else {
                continue;
            };
            let cut = Batch {
                due_at: Some(Timestamp::from_millis(now)),
                ..known.row.clone()
            };
            if after == cut {
                known.row = after;
                self.mark(Mark::DueTimesCut);
            }
        }
    }

    /// A batch that was just carved, or cut from another.
    fn new_batch(&mut self, one: &Claimed, webhook: usize) {
        let batch = &one.batch;
        let id = batch.id;
        let Some(events) = self.events_at(batch) else {
            return;
        };
        let hook = &mut self.webhooks[webhook];
        let is_fresh = events.iter().all(|event| hook.owed.contains(event));
        if is_fresh {
            hook.owed.retain(|event| !events.contains(event));
        }
        let is_replay = !is_fresh
            && events.iter().all(|event| {
                let left = hook.replayed.get_mut(event).filter(|left| **left > 0);
                left.is_some_and(|left| {
                    *left -= 1;
                    true
                })
            });
        self.check("I1", is_fresh || is_replay, || {
            format!("{id} holds what its webhook is not owed (again): {events:?}")
        });
        let modes: BTreeSet<bool> = events
            .iter()
            .map(|e| self.events[*e].at_most_once)
            .collect();
        let policy = &self.profile.delivery;
        let small = events.len() <= policy.batch_events_max as usize;
        let bytes: usize = events
            .iter()
            .map(|event| self.events[*event].payload.len())
            .sum();
        let light = events.len() == 1 || bytes as u64 <= policy.batch_bytes_max;
        let app = self.webhooks[webhook].app;
        let of_app = events.iter().all(|event| self.events[*event].app == app);
        self.check("I18", modes.len() == 1 && small && light && of_app, || {
            format!("{id} is no sound batch: {events:?}, {bytes} bytes")
        });
        let beside = self.leased.iter().map(|id| &self.batches[id]);
        let mixed = beside
            .filter(|known| known.webhook == webhook)
            .any(|known| known.replays != is_replay);
        if mixed {
            self.mark(Mark::ReplayBesideFresh);
        }
        self.know(batch.clone(), webhook, events, is_replay);
    }

    /// A batch's events, in order.
    fn events_at(&mut self, batch: &Batch) -> Option<Vec<usize>> {
        let found = batch
            .positions
            .iter()
            .map(|at| self.by_position.get(&at).copied());
        let events: Option<Vec<usize>> = found.collect();
        self.check("I18", events.is_some(), || {
            format!("{} holds unknown positions", batch.id)
        });
        events
    }

    fn know(&mut self, row: Batch, webhook: usize, events: Vec<usize>, replays: bool) {
        let body = self.body_of(self.webhooks[webhook].app, &events).into();
        let known = Known {
            webhook,
            events,
            body,
            replays,
            seen: BTreeSet::new(),
            accepted: BTreeSet::new(),
            settled: BTreeSet::new(),
            arrived: 0,
            resends: 0,
            charged: 0,
            gone: false,
            row,
        };
        self.batches.insert(known.row.id, known);
    }

    /// The caps on a webhook's requests, after some were claimed for it.
    pub fn judge_caps(&mut self, webhook: usize, now: i64) {
        let hook = &self.webhooks[webhook];
        let out: Vec<&Batch> = self
            .leased
            .iter()
            .map(|id| &self.batches[id])
            .filter(|known| known.webhook == webhook)
            .map(|known| &known.row)
            .collect();
        let fresh = out.iter().filter(|batch| batch.attempts <= 1).count();
        let retries = out.len() - fresh;
        let policy = &self.profile.delivery;
        let (widest, width) = if hook.fifo {
            (1, 1)
        } else {
            (policy.widest() as usize, policy.concurrency as usize)
        };
        let is_sick = hook.failures_in_a_row >= policy.sick_after;
        let within = if is_sick || hook.fifo {
            out.len() <= 1
        } else {
            // One that was given back unsent is a retry to the claim, and fresh by its number.
            retries <= width && out.len() <= widest + width
        };
        let fifo = hook.fifo;
        self.check("I10", within, || {
            format!("{fresh} fresh and {retries} retries at {now}; sick: {is_sick}, fifo: {fifo}")
        });
        if is_sick {
            self.mark(Mark::SickProbe);
        }
    }

    pub fn see_what_waits(&mut self, now: i64) {
        let (mut blocked, mut disabled, mut paused, mut paced) = (false, false, false, false);
        for (index, hook) in self.webhooks.iter().enumerate() {
            let waits = !hook.owed.is_empty() && hook.is_active();
            disabled |= waits && !self.apps[hook.app].enabled;
            paused |= waits && hook.paused_until.is_some_and(|until| until > now);
            let latest = hook.claims.iter().filter(|at| **at > now - 1000).count();
            paced |= waits && hook.pace.is_some_and(|pace| latest >= pace as usize);
            blocked |= waits
                && hook.fifo
                && self.batches.values().any(|known| {
                    known.webhook == index && known.row.status == BatchStatus::Waiting
                });
        }
        if paused {
            self.mark(Mark::RetryAfterPause);
        }
        if blocked {
            self.mark(Mark::FifoBlocked);
        }
        if disabled {
            self.mark(Mark::WaitedForDisabledApp);
        }
        if paced {
            self.mark(Mark::HeldToPace);
        }
    }

    /// What was told to the host, which may also be the news of a change.
    pub fn hear(&mut self, notice: &Notice) {
        match notice {
            Notice::BatchSplit { batch_id, into, .. } => self.judge_split(*batch_id, into),
            Notice::WebhookDeactivated {
                webhook_id, reason, ..
            } => {
                use hookbox::model::DeactivationReason::{ByReceiver, Failing, Gone};
                self.mark(match reason {
                    Gone => Mark::DeactivatedGone,
                    Failing => Mark::DeactivatedFailing,
                    ByReceiver => Mark::ReceiverDisabled,
                });
                if let Some(index) = self.webhook_of(webhook_id) {
                    let was_active = self.webhooks[index].is_active();
                    self.webhooks[index].enabled = false;
                    self.after_edit(index, was_active);
                }
            }
            Notice::WebhookFailing { .. } => self.mark(Mark::WarnedFailing),
            Notice::WebhookRecovered { .. } => self.mark(Mark::SlowStart),
            Notice::BadRow { message } => self.violated("I3", format!("a bad row: {message}")),
            _ => {}
        }
    }

    fn judge_split(&mut self, whole: BatchId, into: &[BatchId]) {
        self.mark(Mark::Split);
        let Some(known) = self.batches.get(&whole) else {
            return;
        };
        let (webhook, replays, positions) =
            (known.webhook, known.replays, known.row.positions.clone());
        let mut all = Vec::new();
        for id in into {
            let Ok(row) = self.oracle.get_batch(id) else {
                self.violated("I1", format!("{id}, a half of {whole}, is not there"));
                continue;
            };
            all.extend(row.positions.iter());
            let Some(events) = self.events_at(&row) else {
                continue;
            };
            if events.len() == 1 && self.is_poison(events[0]) {
                self.mark(Mark::PoisonIsolated);
            }
            // What was claimed at once is as the claim found it.
            let mut row = row;
            if row.status == BatchStatus::Leased {
                row.status = BatchStatus::Waiting;
                row.due_at = None;
                row.fence = 0;
                row.attempts = 0;
            }
            self.know(row, webhook, events, replays);
        }
        self.check("I1", all == positions.iter().collect::<Vec<_>>(), || {
            format!("{whole} was split into {all:?}")
        });
    }
}
