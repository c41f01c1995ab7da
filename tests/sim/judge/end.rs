//! The whole history, once all is well and weeks have passed.

use std::collections::BTreeSet;

use hookbox::model::{BatchStatus, DeliveryMode, RetrySchedule, Timestamp};
use hookbox::storage::{AttemptFilter, PageRequest};

use super::super::time::{DAY, HOUR};
use super::Judge;

impl Judge {
    /// What is still owed to active webhooks whose endpoint answers.
    pub fn overdue(&self) -> Vec<String> {
        let mut overdue = Vec::new();
        for (index, hook) in self.webhooks.iter().enumerate() {
            let answers = self.endpoints[hook.endpoint].temper.is_good();
            if !hook.is_active() || !answers {
                continue;
            }
            for event in &hook.owed {
                overdue.push(format!(
                    "{} is in no batch for {}",
                    self.events[*event].id, hook.id
                ));
            }
            for (id, known) in &self.batches {
                if known.webhook == index && !known.gone && !known.row.status.is_final() {
                    overdue.push(format!("{id} is {:?}", known.row));
                }
            }
        }
        overdue
    }

    /// Judges the end of a run.
    pub fn judge_end(&mut self) {
        self.sweep();
        let overdue = self.overdue();
        self.check("I5", overdue.is_empty(), || {
            format!("never delivered: {overdue:?}")
        });
        self.judge_windows();
        self.judge_history();
        self.judge_attempts();
        let wrong = self
            .oracle
            .check()
            .unwrap_or_else(|error| vec![error.to_string()]);
        self.check("I3", wrong.is_empty(), || {
            format!("the storage contradicts itself: {wrong:?}")
        });
    }

    /// No batch outlives its window by more than the wait for somebody to look.
    fn judge_windows(&mut self) {
        if !matches!(self.profile.delivery.retry, RetrySchedule::Doubling { .. }) {
            return;
        }
        let now = self.truth.now();
        let late: Vec<String> = self
            .batches
            .values()
            .filter(|known| !known.gone && known.row.status == BatchStatus::Waiting)
            .filter(|known| {
                let hook = &self.webhooks[known.webhook];
                let start = known.row.window_start.map_or(now, Timestamp::as_millis);
                // While an endpoint is sick or wants silence, its other batches wait for their turn.
                let is_well = hook.failures_in_a_row == 0 && hook.paused_until.is_none();
                hook.is_active() && is_well && now - start > 15 * DAY + 12 * HOUR
            })
            .map(|known| format!("{:?}", known.row))
            .collect();
        self.check("I13", late.is_empty(), || {
            format!("past their window: {late:?}")
        });
    }

    /// Every event that was ever owed is delivered, or in a batch that says why it is not.
    fn judge_history(&mut self) {
        for index in 0..self.webhooks.len() {
            if self.webhooks[index].deleted {
                continue;
            }
            let batched: BTreeSet<usize> = self
                .batches
                .values()
                .filter(|known| known.webhook == index)
                .flat_map(|known| known.events.iter().copied())
                .collect();
            let hook = &self.webhooks[index];
            let waits = |event: &usize| hook.owed.contains(event);
            let lost: Vec<String> = hook
                .ever_owed
                .iter()
                .filter(|event| !batched.contains(event) && !waits(event))
                .map(|event| self.events[*event].id.to_string())
                .collect();
            let id = hook.id.clone();
            self.check("I1", lost.is_empty(), || format!("{id} never got {lost:?}"));
        }
        let mut odd = Vec::new();
        for (id, known) in &self.batches {
            let delivered = known.row.status == BatchStatus::Delivered;
            if delivered && known.accepted.is_disjoint(&known.settled) {
                odd.push(("I4", format!("{id} is delivered, no request was accepted")));
            }
            // Once for each budget; else a result was never stored.
            let accepted = known.accepted.intersection(&known.settled).count();
            let cancelled = known.row.end_reason.is_some();
            if accepted > 1 + known.resends as usize + usize::from(cancelled) {
                odd.push((
                    "I6",
                    format!("{id} was accepted {accepted} times, with the result stored"),
                ));
            }
            if known.seen.len() > known.row.attempts as usize {
                odd.push((
                    "I6",
                    format!("{id}: {:?} seen of {}", known.seen, known.row.attempts),
                ));
            }
            let tried = known.arrived > 1 + known.resends;
            if known.row.mode == DeliveryMode::AtMostOnce && tried {
                odd.push(("I6", format!("{id} goes at most once")));
            }
        }
        for (id, what) in odd {
            self.violated(id, what);
        }
    }

    /// Every result that was taken is on record, in order.
    fn judge_attempts(&mut self) {
        let ids: Vec<_> = self.batches.keys().copied().collect();
        for id in ids {
            let known = &self.batches[&id];
            if known.gone {
                continue;
            }
            let app = self.apps[self.webhooks[known.webhook].app].id.clone();
            let filter = AttemptFilter {
                batch: Some(id),
                ..AttemptFilter::default()
            };
            let page = PageRequest::first(1000).unwrap();
            let Ok(mut attempts) = self.oracle.list_attempts(&app, filter, page) else {
                continue;
            };
            attempts.items.reverse();
            let known = &self.batches[&id];
            let numbers: Vec<u32> = attempts.items.iter().map(|one| one.number).collect();
            let recorded = known.settled.iter().all(|number| numbers.contains(number));
            let ascend = numbers.windows(2).all(|pair| pair[0] < pair[1]);
            let settled = known.settled.clone();
            self.check("I7", recorded && ascend, || {
                format!("{id}: {settled:?} stored, on record {:?}", attempts.items)
            });
        }
    }
}
