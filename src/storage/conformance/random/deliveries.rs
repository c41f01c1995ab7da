//! What is claimed, held against the model; and what becomes of it.

use super::{BATCH_EVENTS_MAX, Listener, World};
use crate::model::{DeliveryMode, FailureKind, WebhookId};
use crate::storage::Claimed;
use crate::storage::conformance::held::{Failure, Held, hold, same};
use crate::storage::conformance::scene::{Scene, answered, failed, given_back};

/// How a batch in hand ends.
#[derive(Clone, Copy)]
enum End {
    Answered(u16),
    Failed(FailureKind),
    GivenBack,
    /// Without a result.
    SenderDied,
}

impl World {
    pub(super) fn claim(&mut self, scene: &Scene<'_>) -> Held {
        let batches_max = 1 + self.roll(4);
        for claimed in scene.claim(self.now, batches_max)? {
            self.take(scene, claimed)?;
        }
        Ok(())
    }

    /// The numbers of a batch's events.
    fn numbers(scene: &Scene<'_>, claimed: &Claimed) -> Held<Vec<usize>> {
        let payloads = scene.payloads(&claimed.batch)?;
        let numbers: std::result::Result<_, _> =
            payloads.iter().map(|payload| payload.parse()).collect();
        numbers.map_err(|_| Failure::new(format!("a batch brought {payloads:?}")))
    }

    fn listener(&mut self, id: &WebhookId) -> Held<&mut Listener> {
        let found = self.listeners.iter_mut().find(|one| one.id == *id);
        found.ok_or_else(|| Failure::new(format!("a batch was claimed for {id}, which is unknown")))
    }

    /// Holds a claimed batch against the model, and keeps it in hand.
    fn take(&mut self, scene: &Scene<'_>, claimed: Claimed) -> Held {
        let batch = &claimed.batch;
        let numbers = Self::numbers(scene, &claimed)?;
        let frozen = self.frozen.entry(batch.id);
        let frozen = frozen.or_insert_with(|| batch.positions.clone());
        same(
            "the positions of a batch claimed again",
            &batch.positions,
            frozen,
        )?;
        hold(
            (1..=BATCH_EVENTS_MAX as usize).contains(&numbers.len()) && numbers.is_sorted(),
            || format!("a batch of at most {BATCH_EVENTS_MAX} events holds {numbers:?}"),
        )?;
        let at_most_once = batch.mode == DeliveryMode::AtMostOnce;
        let is_of_mode = |number: &usize| self.at_most_once.get(*number) == Some(&at_most_once);
        hold(numbers.iter().all(is_of_mode), || {
            format!(
                "a batch of {:?} holds events of the other mode: {numbers:?}",
                batch.mode
            )
        })?;
        let enabled: Vec<bool> = self
            .apps
            .iter()
            .map(|(_, is_enabled)| *is_enabled)
            .collect();
        let listener = self.listener(&batch.webhook_id)?;
        hold(
            listener.is_active && !listener.is_deleted && enabled[listener.app],
            || {
                format!(
                    "a batch was claimed for {}, which may not be sent to",
                    batch.webhook_id
                )
            },
        )?;
        for number in &numbers {
            hold(listener.owed.contains(number), || {
                format!(
                    "{} got event {number}, which it was not owed",
                    batch.webhook_id
                )
            })?;
            hold(!(at_most_once && listener.arrived.contains(number)), || {
                format!("event {number}, which goes at most once, was sent again")
            })?;
        }
        self.out.push(claimed);
        Ok(())
    }

    pub(super) fn settle(&mut self, scene: &Scene<'_>) -> Held {
        if self.out.is_empty() {
            return Ok(());
        }
        let chosen = self.roll(self.out.len());
        let claimed = self.out.swap_remove(chosen);
        let end = match self.roll(9) {
            0 => End::Answered(500),
            1 => End::Answered(413),
            2 => End::Failed(FailureKind::Timeout),
            3 => End::Failed(FailureKind::Connect),
            4 => End::GivenBack,
            5 => End::SenderDied,
            _ => End::Answered(200),
        };
        self.report(scene, &claimed, end)
    }

    /// Stores what came of a batch, and notes it.
    fn report(&mut self, scene: &Scene<'_>, claimed: &Claimed, end: End) -> Held {
        let now = self.now;
        let numbers = Self::numbers(scene, claimed)?;
        let listener = self.listener(&claimed.batch.webhook_id)?;
        if !matches!(end, End::GivenBack | End::Failed(FailureKind::Connect)) {
            listener.arrived.extend(&numbers);
        }
        let is_deleted = listener.is_deleted;
        let id = claimed.batch.id;
        let result = match end {
            End::Answered(status) => answered(claimed, now, status),
            End::Failed(kind) => failed(claimed, now, kind),
            End::GivenBack => given_back(claimed),
            End::SenderDied => return Ok(()),
        };
        let lost = scene
            .storage
            .exchange(now, scene.unique(), vec![result], None)?
            .lost;
        hold(lost.is_empty() || lost == [id], || {
            format!("of one result for {id} these were lost: {lost:?}")
        })?;
        let in_time = claimed.batch.due_at.is_some_and(|end| now < end);
        hold(!(in_time && !is_deleted && !lost.is_empty()), || {
            format!("a result for {id} was refused while its lease was held")
        })?;
        hold(!(is_deleted && lost.is_empty()), || {
            format!("a result for {id} was taken though its webhook is deleted")
        })?;
        if matches!(end, End::Answered(200)) && lost.is_empty() {
            let listener = self.listener(&claimed.batch.webhook_id)?;
            for number in numbers {
                hold(listener.accepted.insert(number), || {
                    format!(
                        "event {number} was delivered twice to {}",
                        claimed.batch.webhook_id
                    )
                })?;
            }
        }
        Ok(())
    }

    /// Everything is enabled, all endpoints are well, and time passes until nothing is due.
    pub(super) fn drain(&mut self, scene: &Scene<'_>) -> Held {
        for app in 0..self.apps.len() {
            self.set_app(scene, app, true)?;
        }
        for index in 0..self.listeners.len() {
            if !self.listeners[index].is_deleted {
                self.set_active(scene, index, true)?;
            }
        }
        for _ in 0..1000 {
            let out = std::mem::take(&mut self.out);
            for claimed in &out {
                self.report(scene, claimed, End::Answered(200))?;
            }
            let exchanged = scene.exchange(self.now, Vec::new(), 100)?;
            let is_idle = exchanged.claimed.is_empty() && !exchanged.more;
            for claimed in exchanged.claimed {
                self.take(scene, claimed)?;
            }
            match exchanged.next_due {
                Some(due) if is_idle => self.now = self.now.max(due),
                None if is_idle => return Ok(()),
                _ => {}
            }
        }
        Err(Failure::new(
            "deliveries never end though all endpoints are well",
        ))
    }

    pub(super) fn judge(&self) -> Held {
        for listener in self.listeners.iter().filter(|one| !one.is_deleted) {
            for number in &listener.owed {
                let at_most_once = self.at_most_once[*number];
                let got = if at_most_once {
                    &listener.arrived
                } else {
                    &listener.accepted
                };
                hold(got.contains(number), || {
                    format!("{} was owed event {number} and never got it", listener.id)
                })?;
            }
        }
        Ok(())
    }
}
