//! What an exchange may do: results in, batches out.

use std::collections::BTreeSet;
use std::time::Duration;

use hookbox::machine::{Outcome, Verdict};
use hookbox::model::{
    Batch, BatchId, BatchStatus, DeliveryMode, EndReason, FailureKind, OfClass, RetrySchedule,
    Timestamp,
};
use hookbox::storage::{ClaimRequest, Exchanged, Settlement};

use super::super::figures::Mark;
use super::super::time::{DAY, MINUTE};
use super::Judge;

/// How long a lease lasts beyond the attempt's deadline, at most.
pub const LEASE_MARGIN: i64 = 20_000;

/// What an exchange was asked for, and what it did.
#[derive(Debug)]
pub struct Exchange<'a> {
    pub now: Timestamp,
    pub results: &'a [Settlement],
    pub claim: Option<ClaimRequest>,
    /// What was done, whether or not the caller was told.
    pub done: Option<&'a Exchanged>,
    pub told: bool,
}

impl Judge {
    pub fn exchanged(&mut self, exchange: &Exchange<'_>) {
        self.judge_holding(exchange);
        let Some(done) = exchange.done else {
            return;
        };
        let leased_before: Vec<BatchId> = self.leased.iter().copied().collect();
        // Of several results for one batch at most one is the holder's.
        let mut lost = done.lost.clone();
        for (index, result) in exchange.results.iter().enumerate() {
            let id = result.batch_id;
            let rest = exchange.results[index..].iter();
            let same = rest.filter(|other| other.batch_id == id).count();
            let losses = lost.iter().filter(|other| **other == id).count();
            let was_lost = losses > 0 && (losses == same || !self.accepts(result));
            if was_lost && let Some(place) = lost.iter().position(|other| *other == id) {
                lost.swap_remove(place);
            }
            self.judge_result(result, was_lost, exchange.now);
        }
        let now = exchange.now.as_millis();
        let claimed: BTreeSet<BatchId> = done.claimed.iter().map(|one| one.batch.id).collect();
        for id in leased_before {
            if self.leased.contains(&id) || claimed.contains(&id) {
                self.judge_lease_end(id, now, claimed.contains(&id));
            }
        }
        for notice in &done.notices {
            self.hear(notice);
        }
        if self.skewed {
            self.judge_cuts(now);
        }
        if let Some(first) = done.claimed.first() {
            self.last_claimed = Some(first.batch.id);
        }
        self.judge_shares(exchange, done);
        for one in &done.claimed {
            self.judge_claim(one, now);
        }
        let webhooks: BTreeSet<usize> = done
            .claimed
            .iter()
            .filter_map(|one| self.webhook_of(&one.batch.webhook_id))
            .collect();
        for webhook in webhooks {
            self.judge_caps(webhook, now);
        }
        if exchange.claim.is_some() {
            self.see_what_waits(now);
        }
    }

    /// While a result could not be stored, nothing is claimed.
    fn judge_holding(&mut self, exchange: &Exchange<'_>) {
        let Some(of_box) = self.engine_of else { return };
        let holds = self.holding.contains(&of_box);
        let claims = exchange.claim.is_some();
        self.check("I10", !(holds && claims), || {
            format!("box {of_box} claims while it holds results that are not stored")
        });
        if exchange.told {
            self.holding.remove(&of_box);
        } else if !exchange.results.is_empty() {
            self.holding.insert(of_box);
        }
    }

    fn judge_shares(&mut self, exchange: &Exchange<'_>, done: &Exchanged) {
        let Some(claim) = exchange.claim else {
            self.check("I10", done.claimed.is_empty(), || "claimed unasked".into());
            return;
        };
        let mut of_class = OfClass::<usize>::default();
        for one in &done.claimed {
            of_class[one.class.index()] += 1;
        }
        let mut within = done.claimed.len() <= claim.batches_max;
        for (count, most) in of_class.iter().zip(&claim.class_max) {
            within &= count <= most;
        }
        self.check("I10", within, || {
            format!("{of_class:?} claimed, of {claim:?}")
        });
    }

    /// Whether a result is one that is waited for: the holder's, or that of an attempt whose batch was
    /// cancelled meanwhile.
    fn accepts(&self, result: &Settlement) -> bool {
        let known = self.batches.get(&result.batch_id);
        known.is_some_and(|known| {
            let row = &known.row;
            let was_cancelled = row.status == BatchStatus::Cancelled
                && row.end_reason == Some(EndReason::ByHost)
                && result.attempt.is_some();
            let waits = row.status == BatchStatus::Leased || was_cancelled;
            waits && row.fence == result.fence && !known.gone
        })
    }

    fn judge_result(&mut self, result: &Settlement, was_lost: bool, now: Timestamp) {
        let id = result.batch_id;
        self.note(|| {
            let attempt = result.attempt.as_ref();
            let attempt = attempt.map(|(one, _)| (one.number, one.result, &one.excerpt));
            format!("settles {id}: {attempt:?}, lost: {was_lost}")
        });
        let Some(known) = self.batches.get(&id) else {
            // A claim that nobody was told of cannot have a result.
            self.violated("I8", format!("a result of {id}, which nobody was given"));
            return;
        };
        let before = known.row.clone();
        if self.oracle.get_batch(&id).is_err() {
            // Retention took it, by a clock that was ahead.
            self.is_gone(id);
        }
        let accepts = self.accepts(result);
        self.check("I8", accepts != was_lost, || {
            format!(
                "result of {id} with fence {}, lost: {was_lost}, of {before:?}",
                result.fence
            )
        });
        if was_lost {
            self.mark(Mark::StaleResultRefused);
            return;
        }
        if before.status == BatchStatus::Cancelled {
            self.mark(Mark::CancelledInFlight);
        }
        let Ok(after) = self.oracle.get_batch(&id) else {
            self.violated("I3", format!("{id} vanished as it was settled"));
            return;
        };
        self.leased.remove(&id);
        if let Some((attempt, outcome)) = &result.attempt {
            let number = attempt.number;
            self.check("I7", number == before.attempts, || {
                format!("{id}: attempt {number} settled, {} begun", before.attempts)
            });
            if let Some(known) = self.batches.get_mut(&id) {
                known.settled.insert(number);
            }
            self.judge_health(id, outcome, now.as_millis());
            self.judge_outcome(id, &before, &after, outcome, now.as_millis());
        } else {
            self.mark(Mark::GivenBackUnsent);
            self.check("I3", !after.status.is_final(), || {
                format!("{id} given back: {after:?}")
            });
        }
        if let Some(known) = self.batches.get_mut(&id) {
            known.row = after.clone();
        }
        if after.status == BatchStatus::Leased {
            // Claimed again by this very exchange: it was just given back.
            if let Some(known) = self.batches.get_mut(&id) {
                known.row.status = BatchStatus::Waiting;
                known.row.due_at = Some(now);
                known.row.fence = before.fence;
            }
        }
    }

    /// The webhook's health, counted beside.
    fn judge_health(&mut self, id: BatchId, outcome: &Outcome, now: i64) {
        let cap = self.profile.delivery.retry_after_max.as_millis() as i64;
        let webhook = &mut self.webhooks[self.batches[&id].webhook];
        match outcome.verdict {
            Verdict::Failed(kind) if kind.is_ours() => self.mark(Mark::OurFault),
            Verdict::Delivered => {
                webhook.failures_in_a_row = 0;
                webhook.paused_until = None;
            }
            _ => {
                webhook.failures_in_a_row += 1;
                if let Some(hint) = outcome.retry_after {
                    let wish = now + i64::try_from(hint.as_millis()).unwrap_or(cap).min(cap);
                    let earlier = webhook
                        .paused_until
                        .filter(|until| *until <= now + cap + MINUTE);
                    webhook.paused_until = Some(earlier.map_or(wish, |until| until.max(wish)));
                }
            }
        }
    }

    fn judge_outcome(
        &mut self,
        id: BatchId,
        before: &Batch,
        after: &Batch,
        outcome: &Outcome,
        now: i64,
    ) {
        let known = &self.batches[&id];
        if before.status == BatchStatus::Cancelled {
            let same = after.status == BatchStatus::Cancelled;
            self.check("I3", same, || {
                format!("{id} was cancelled and is {after:?}")
            });
            return;
        }
        let is_true = known.accepted.contains(&before.attempts);
        let is_delivered = after.status == BatchStatus::Delivered;
        self.check("I4", is_true || !is_delivered, || {
            format!(
                "{id} is delivered, attempt {} was not accepted",
                before.attempts
            )
        });
        match outcome.verdict {
            Verdict::Delivered => {
                let ended = after.status == BatchStatus::Delivered;
                self.check("I3", ended, || {
                    format!("{id} was accepted and is {after:?}")
                });
            }
            Verdict::Aborted => {
                self.mark(Mark::ReceiverAborted);
                let ended = after.end_reason == Some(EndReason::ByReceiver);
                self.check("I3", ended, || format!("{id} was aborted and is {after:?}"));
            }
            Verdict::Failed(kind) if kind.is_ours() => {
                let due = after.due_at.map(Timestamp::as_millis);
                let waits = due.is_none_or(|due| due >= now + MINUTE);
                self.check("I12", waits || after.status == BatchStatus::Leased, || {
                    format!("{id} met a fault of ours at {now} and is due at {due:?}")
                });
                self.check("I13", after.failures == before.failures, || {
                    format!("{id}: a fault of ours was charged")
                });
            }
            _ => self.judge_failure(id, before, after, outcome, now),
        }
    }

    /// A failure that spends the budget: when the next attempt may be, if there is one.
    fn judge_failure(
        &mut self,
        id: BatchId,
        before: &Batch,
        after: &Batch,
        outcome: &Outcome,
        now: i64,
    ) {
        if after.end_reason == Some(EndReason::ResultUnknown) {
            self.mark(Mark::AtMostOnceLost);
        }
        if let Some(known) = self.batches.get_mut(&id) {
            known.charged += 1;
        }
        let charged = self.batches[&id].charged;
        let kind = match outcome.verdict {
            Verdict::Failed(kind) => Some(kind),
            _ => None,
        };
        if before.mode == DeliveryMode::AtMostOnce
            && !kind.is_some_and(FailureKind::is_before_sending)
        {
            let ended = after.status == BatchStatus::Exhausted;
            self.check("I6", ended, || {
                format!("{id} goes at most once and is {after:?}")
            });
            return;
        }
        let policy = &self.profile.delivery;
        let (wait, window) = match &policy.retry {
            RetrySchedule::Doubling { window, .. } => {
                let doubled = MINUTE.saturating_mul(1 << (charged - 1).min(20));
                (Some(doubled.min(12 * 60 * MINUTE)), Some(millis(*window)))
            }
            RetrySchedule::Waits(waits) => (
                waits.get(charged as usize - 1).map(|wait| millis(*wait)),
                None,
            ),
        };
        // A clock that is set may begin a window anew, whose waits are as long as they get.
        let most = if self.skewed { 37 + 28 } else { 37 };
        self.check("I13", charged <= most, || {
            format!("{id} failed {charged} times")
        });
        let start = before.window_start.map_or(now, Timestamp::as_millis);
        let last = window.map(|window| start + window);
        self.check(
            "I13",
            window.is_none_or(|window| window == 14 * DAY),
            || format!("the window is {window:?}"),
        );
        let is_over = wait.is_none_or(|wait| last.is_some_and(|last| now + wait > last));
        match (after.status, wait) {
            (BatchStatus::Waiting, Some(wait)) => {
                let due = after.due_at.map_or(0, Timestamp::as_millis);
                let cap = millis(self.profile.delivery.retry_after_max);
                let hint = outcome.retry_after.map_or(0, millis).min(cap);
                let least = (now + wait).max(now + hint).min(last.unwrap_or(i64::MAX));
                let most = (now + wait + wait / 10 + 1).max(now + hint);
                self.check("I13", !is_over, || {
                    format!("{id} goes on past its window: {after:?}")
                });
                self.check("I12", (least..=most).contains(&due), || {
                    format!("{id} failed at {now} for the {charged}th time, due at {due}, not {least}..={most}")
                });
            }
            (BatchStatus::Exhausted, _) => {
                self.mark(Mark::WindowPassed);
                self.check("I13", is_over, || {
                    format!("{id} was given up too early: {after:?}")
                });
            }
            (BatchStatus::Cancelled, _) => {
                let split = after.end_reason == Some(EndReason::Split);
                self.check("I3", split && before.positions.len() > 1, || {
                    format!("{id} failed and is {after:?}")
                });
            }
            // The webhook became inactive, by this answer or before.
            (BatchStatus::Parked, _) => {}
            _ => self.violated("I3", format!("{id} failed and is {after:?}")),
        }
    }

    /// A lease that was there before: it may have ended, or been cut to its usual length.
    fn judge_lease_end(&mut self, id: BatchId, now: i64, is_claimed_again: bool) {
        let Ok(after) = self.oracle.get_batch(&id) else {
            self.is_gone(id);
            return;
        };
        let before = self.batches[&id].row.clone();
        let end = before.due_at.map_or(0, Timestamp::as_millis);
        let held = millis(self.profile.delivery.timeout) + LEASE_MARGIN;
        if before.status != BatchStatus::Leased || (after == before && !is_claimed_again) {
            return;
        }
        if after.status == BatchStatus::Leased && after.fence == before.fence {
            self.mark(Mark::LeaseCut);
            let cut = after.due_at.map_or(0, Timestamp::as_millis);
            self.check("I8", end > now + held && cut == now + held, || {
                format!("{id}: the lease until {end} was changed to {cut} at {now}")
            });
            if let Some(known) = self.batches.get_mut(&id) {
                known.row = after;
            }
            return;
        }
        self.check("I8", end <= now, || {
            format!("{id} was taken at {now}, its lease lasts until {end}")
        });
        self.mark(Mark::LeaseStolen);
        if after.end_reason == Some(EndReason::ResultUnknown) {
            self.mark(Mark::AtMostOnceLost);
        }
        self.leased.remove(&id);
        let Some(known) = self.batches.get_mut(&id) else {
            return;
        };
        known.row = after.clone();
        if after.status == BatchStatus::Leased {
            // Taken again at once: to the claim it was waiting, and due.
            known.row.status = BatchStatus::Waiting;
            known.row.fence = before.fence;
            known.row.attempts = before.attempts;
            known.row.due_at = Some(Timestamp::from_millis(now));
        }
    }
}

pub fn millis(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX / 4)
}
