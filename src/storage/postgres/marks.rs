//! That no mark of routing is lost to somebody who saves a webhook at the same time.
//!
//! Routing marks the webhooks that are owed something new; it must not wait for those that another
//! transaction holds. Those that have no mark it notes in `hookbox_mark`, for whoever claims next.
//! Those that have one it leaves alone, although their holder may be about to take it away; it is the
//! holder who makes up for that. Before a transaction commits that a webhook has no backlog, it
//! takes the log's head FOR SHARE: whoever gives positions holds that FOR UPDATE. So either nobody is
//! routing, and the last position is the one that was read before the webhook was locked: then
//! nobody has routed since, and no mark is missing. Or somebody is, or has: then the webhook is
//! marked, perhaps in vain, which costs one look. The share lock is held to the commit, and a router
//! waits for it, so that it sees what was saved.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;

use crate::error::Result;
use crate::model::Position;

use super::session::Db;

#[derive(Default)]
pub(super) struct Marks {
    /// The last position when the first webhook was locked.
    since: Cell<Option<Position>>,
    /// Whether somebody else routed between that and our own routing.
    missed: Cell<bool>,
    /// The webhooks that were saved without a backlog.
    saved: RefCell<BTreeSet<i64>>,
}

impl Marks {
    /// A webhook is locked now; `last` was read before.
    pub(super) fn locked(&self, last: Position) {
        if self.since.get().is_none() {
            self.since.set(Some(last));
        }
    }

    /// This transaction gave positions, from `before` on up to `last`. The webhooks that it holds
    /// itself it marks like all others.
    pub(super) fn routed(&self, before: Position, last: Position) {
        let since = self.since.replace(Some(last));
        let is_first = since.is_none_or(|since| since == before);
        self.missed.set(self.missed.get() || !is_first);
    }

    pub(super) fn saved(&self, webhook_no: i64, has_backlog: bool) {
        let mut saved = self.saved.borrow_mut();
        if has_backlog {
            saved.remove(&webhook_no);
        } else {
            saved.insert(webhook_no);
        }
    }

    /// Before the commit: marks what may have been passed over. Whether there was anything.
    pub(super) fn make_up(&self, db: &Db<'_>) -> Result<bool> {
        let saved: Vec<i64> = self.saved.take().into_iter().collect();
        if saved.is_empty() {
            return Ok(false);
        }
        let head = db.row_or_none(
            "SELECT last_position FROM hookbox_log_head WHERE no = 1 FOR SHARE SKIP LOCKED",
            &[],
        )?;
        let last: Option<Position> = head.map(|row| row.try_get(0)).transpose()?;
        if last.is_some() && last == self.since.get() && !self.missed.get() {
            return Ok(false);
        }
        db.execute(
            "UPDATE hookbox_webhook_state SET has_backlog = TRUE, ready = TRUE,
                 due_at = coalesce(due_at, 0)
             WHERE webhook_no = ANY ($1) AND NOT has_backlog",
            &[&saved],
        )?;
        Ok(true)
    }
}
