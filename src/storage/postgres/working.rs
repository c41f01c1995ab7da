//! The tables of one transaction: when what is pending is written, and what is read ahead.
//!
//! A method that asks the server first writes what is pending ([`PgTables::written`]); one that
//! changes rows behind the memory's back also forgets what was read ([`PgTables::afresh`]). What
//! neither reads nor writes the rows of locked webhooks and their batches goes to `db` as it is.

use std::cell::{Cell, RefCell};

use crate::error::Result;
use crate::machine::InFlight;
use crate::model::{AppId, Attempt, Batch, BatchId, BatchStatus, Ordering, Timestamp};
use crate::storage::tables::{BatchRow, Subscription, WebhookState};

use super::marks::Marks;
use super::memory::{Held, Memory, NewAttempt, Pending};
use super::ready::HeldApps;
use super::rows::bad_row;
use super::session::Db;
use super::{apps, attempts, batches, state, upkeep, webhooks};

/// Numbers of batches that are taken at once.
const NUMBERS_TAKEN: i32 = 16;

/// The tables as a connection sees them in its transaction.
pub(super) struct PgTables<'a> {
    pub(super) db: Db<'a>,
    pub(super) marks: Marks,
    pub(super) held_apps: HeldApps,
    pub(super) memory: RefCell<Memory>,
    /// Whether parts of this transaction may be undone by themselves: what is remembered would not be
    /// undone with them, so nothing is, from the first part on.
    has_parts: Cell<bool>,
}

impl<'a> PgTables<'a> {
    pub(super) fn new(db: Db<'a>) -> Self {
        Self {
            db,
            marks: Marks::default(),
            held_apps: HeldApps::default(),
            memory: RefCell::default(),
            has_parts: Cell::new(false),
        }
    }

    /// What is left to do before the commit. Whether somebody should look for work after it.
    pub(super) fn finish(&self) -> Result<bool> {
        self.write_pending()?;
        self.marks.make_up(&self.db)
    }

    pub(super) fn part(&self, work: &mut dyn FnMut() -> Result<()>) -> Result<()> {
        if !self.has_parts.replace(true) {
            self.write_pending()?;
            *self.memory.borrow_mut() = Memory::default();
        }
        self.db.command("SAVEPOINT hookbox_part")?;
        let result = work();
        if result.is_err() && self.db.failure().is_none() {
            self.db.roll_back_to("hookbox_part")?;
        }
        result?;
        self.db.command("RELEASE hookbox_part")
    }

    /// The server, once what is pending is written.
    pub(super) fn written(&self) -> Result<&Db<'a>> {
        self.write_pending()?;
        Ok(&self.db)
    }

    /// The server, for what changes rows that were read ahead.
    pub(super) fn afresh(&self) -> Result<&Db<'a>> {
        self.write_pending()?;
        self.memory.borrow_mut().forget();
        Ok(&self.db)
    }

    fn write_pending(&self) -> Result<()> {
        let pending = std::mem::take(&mut self.memory.borrow_mut().pending);
        let Pending {
            states,
            updated,
            inserted,
            attempts,
            deleted_batches,
            deleted_events,
        } = pending;
        if !inserted.is_empty() {
            batches::insert(&self.db, &inserted)?;
        }
        if !updated.is_empty() {
            batches::update(&self.db, &updated.into_values().collect::<Vec<_>>())?;
        }
        if !attempts.is_empty() {
            attempts::insert(&self.db, &attempts)?;
        }
        if !states.is_empty() {
            state::save(&self.db, &states.into_values().collect::<Vec<_>>())?;
        }
        if !deleted_batches.is_empty() {
            upkeep::delete_batches(&self.db, &deleted_batches)?;
        }
        if !deleted_events.is_empty() {
            upkeep::delete_events(&self.db, &deleted_events)?;
        }
        Ok(())
    }

    /// Changes what is pending.
    pub(super) fn pend(&self, change: impl FnOnce(&mut Memory)) -> Result<()> {
        change(&mut self.memory.borrow_mut());
        if self.has_parts.get() {
            self.write_pending()?;
        }
        Ok(())
    }

    /// Takes note of webhooks that this transaction has locked.
    pub(super) fn locked(&self, webhooks: Vec<i64>) -> Vec<i64> {
        if !self.has_parts.get() {
            let mut memory = self.memory.borrow_mut();
            for no in &webhooks {
                if !memory.held.contains_key(no) {
                    memory.unread.insert(*no);
                }
            }
        }
        webhooks
    }

    pub(super) fn lock_of_batches(&self, ids: &[BatchId]) -> Result<()> {
        let db = self.afresh()?;
        self.locked(state::lock_of_batches(db, &self.marks, ids)?);
        if !self.has_parts.get() {
            // Not before: whoever held them may have changed them.
            let found = batches::read_ahead(db, ids)?;
            self.memory.borrow_mut().batches = found;
        }
        Ok(())
    }

    /// Asks the memory about a locked webhook; `None` when it is not one, or is not known well.
    pub(super) fn remembered<T>(
        &self,
        webhook_no: i64,
        ask: impl FnOnce(&mut Held) -> Option<T>,
    ) -> Result<Option<T>> {
        if self.memory.borrow().unread.contains(&webhook_no) {
            let db = self.written()?;
            let mut memory = self.memory.borrow_mut();
            let unread: Vec<i64> = std::mem::take(&mut memory.unread).into_iter().collect();
            let (head, found) = state::read_ahead(db, &unread)?;
            for held in found.values() {
                if let Ok(state) = &held.state {
                    let id = state.app_id.to_string();
                    memory.app_versions.insert(id, held.app_version);
                }
            }
            memory.head = head;
            memory.held.extend(found);
        }
        let mut memory = self.memory.borrow_mut();
        Ok(memory.held.get_mut(&webhook_no).and_then(ask))
    }

    pub(super) fn state_of(&self, webhook_no: i64) -> Result<WebhookState> {
        let state = match self.remembered(webhook_no, |held| Some(held.state.clone()))? {
            Some(state) => state?,
            None => state::load(self.written()?, webhook_no)?,
        };
        self.marks.loaded(&state);
        Ok(state)
    }

    pub(super) fn version_of_app(&self, id: &AppId) -> Result<Option<i64>> {
        let known = self.memory.borrow().app_versions.get(id.as_str()).copied();
        known.map_or_else(|| apps::version(&self.db, id), Ok)
    }

    pub(super) fn version_of_webhook(&self, webhook_no: i64) -> Result<i64> {
        match self.remembered(webhook_no, |held| Some(held.webhook_version))? {
            Some(version) => {
                version.ok_or_else(|| bad_row("a webhook", "is gone, its state is not"))
            }
            None => webhooks::version(&self.db, webhook_no),
        }
    }

    pub(super) fn subscriptions_of(&self, webhook_no: i64) -> Result<Vec<Subscription>> {
        let asked = |held: &mut Held| Some(held.subscriptions.clone());
        match self.remembered(webhook_no, asked)? {
            Some(Some(known)) => return known,
            // Whoever asks for one asks for the others that it has locked.
            Some(None) => {
                let mut memory = self.memory.borrow_mut();
                let all: Vec<i64> = memory.held.keys().copied().collect();
                for (no, list) in webhooks::subscriptions(&self.db, &all)? {
                    if let Some(held) = memory.held.get_mut(&no) {
                        held.subscriptions = Some(list);
                    }
                }
            }
            None => {}
        }
        if let Some(Some(known)) = self.remembered(webhook_no, asked)? {
            return known;
        }
        let mut found = webhooks::subscriptions(&self.db, &[webhook_no])?;
        found.remove(&webhook_no).unwrap_or_else(|| Ok(Vec::new()))
    }

    pub(super) fn in_flight_of(&self, webhook_no: i64) -> Result<InFlight> {
        self.ask_for_waiting(webhook_no)?;
        match self.remembered(webhook_no, |held| held.in_flight())? {
            Some(load) => Ok(load),
            None => batches::in_flight(self.written()?, webhook_no),
        }
    }

    pub(super) fn earliest_of(
        &self,
        webhook_no: i64,
        status: BatchStatus,
        order: Ordering,
    ) -> Result<Option<Timestamp>> {
        let known = match (status, order) {
            (BatchStatus::Leased, Ordering::None) => {
                self.remembered(webhook_no, |held| Some(held.first_lease_end()))?
            }
            (BatchStatus::Waiting, Ordering::None) => {
                self.ask_for_waiting(webhook_no)?;
                let first = |held: &mut Held| Some(held.waiting?.first_due);
                let due = self.remembered(webhook_no, first)?;
                due.map(|at| at.map(Timestamp::from_millis))
            }
            _ => None,
        };
        match known {
            Some(at) => Ok(at),
            None => batches::earliest(self.written()?, webhook_no, status, order),
        }
    }

    pub(super) fn bring_batches_near(
        &self,
        webhook_no: i64,
        far: Timestamp,
        now: Timestamp,
    ) -> Result<()> {
        self.ask_for_waiting(webhook_no)?;
        // Mostly there is one.
        let only = |held: &mut Held| held.waiting.filter(|waiting| waiting.count == 1);
        let only = self.remembered(webhook_no, only)?.map(|it| it.first_due);
        if only.is_some_and(|due| due <= Some(far.as_millis())) {
            return Ok(());
        }
        if batches::bring_near(self.written()?, webhook_no, far, now)? > 0 {
            self.afresh()?;
        }
        Ok(())
    }

    /// Asks the server what waits for a locked webhook, where the memory has lost count.
    fn ask_for_waiting(&self, webhook_no: i64) -> Result<()> {
        let lost = self.remembered(webhook_no, |held| held.waiting.is_none().then_some(()))?;
        if lost.is_some() {
            let waiting = batches::waiting(self.written()?, webhook_no)?;
            self.remembered(webhook_no, |held| held.waiting.replace(waiting))?;
        }
        Ok(())
    }

    pub(super) fn find_batch(&self, id: &BatchId) -> Result<Option<BatchRow>> {
        let known = self.memory.borrow().batches.get(id).cloned();
        match known {
            Some(row) => row.map(Some),
            None => batches::find(self.written()?, id),
        }
    }

    pub(super) fn add_batch(&self, webhook_no: i64, batch: &Batch) -> Result<i64> {
        let number = self.memory.borrow_mut().numbers.pop();
        let no = number.map_or_else(|| self.take_numbers(), Ok)?;
        self.pend(|memory| memory.insert_batch(no, webhook_no, batch))?;
        Ok(no)
    }

    /// Takes numbers for batches; the first of them.
    fn take_numbers(&self) -> Result<i64> {
        let mut taken = batches::take_numbers(&self.db, NUMBERS_TAKEN)?;
        taken.sort_unstable_by(|one, other| other.cmp(one));
        let first = taken.pop();
        self.memory.borrow_mut().numbers = taken;
        first.ok_or_else(|| bad_row("the numbers of batches", "have run out"))
    }

    pub(super) fn add_attempt(
        &self,
        batch_no: i64,
        webhook_no: i64,
        attempt: &Attempt,
    ) -> Result<()> {
        let attempt = attempt.clone();
        self.pend(|memory| {
            memory.pending.attempts.push(NewAttempt {
                batch_no,
                webhook_no,
                attempt,
            });
        })
    }
}
