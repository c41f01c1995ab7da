//! That no mark of routing is lost to somebody who saves a webhook at the same time.
//!
//! Routing marks the webhooks that are owed something new; it must not wait for those that another
//! transaction holds. Those that have no mark it notes in `hookbox_mark`, for whoever claims next.
//! Those that have one it leaves alone, although their holder may be about to take it away; it is the
//! holder who makes up for that. Before a transaction commits that it has taken marks away, it takes
//! the log's head FOR SHARE: whoever gives positions holds that FOR UPDATE. If it gets it, nobody is
//! routing, and what was routed since the first webhook was locked can be looked at. If not, the
//! webhooks are marked again, perhaps in vain, which costs one look. The share lock is held to the
//! commit, and a router waits for it, so that it sees what was saved.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;

use crate::error::Result;
use crate::model::Position;
use crate::storage::tables::WebhookState;

use super::session::Db;

#[derive(Default)]
pub(super) struct Marks {
    /// Up to here no mark is missing: the last position before the first webhook was locked, or
    /// given by this transaction itself.
    since: Cell<Option<Position>>,
    /// The webhooks that were found with a mark.
    marked: RefCell<BTreeSet<i64>>,
    /// Those of them that are without one now.
    taken: RefCell<BTreeSet<i64>>,
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
        if self.since.get().is_none_or(|since| since == before) {
            self.since.set(Some(last));
        }
    }

    pub(super) fn loaded(&self, state: &WebhookState) {
        if state.has_backlog {
            self.marked.borrow_mut().insert(state.webhook_no);
        }
    }

    pub(super) fn saved(&self, state: &WebhookState) {
        let no = state.webhook_no;
        if state.has_backlog {
            self.taken.borrow_mut().remove(&no);
        } else if self.marked.borrow().contains(&no) {
            self.taken.borrow_mut().insert(no);
        }
    }

    /// Before the commit: marks again what may be owed something. Whether there was anything.
    pub(super) fn make_up(&self, db: &Db<'_>) -> Result<bool> {
        let taken: Vec<i64> = self.taken.take().into_iter().collect();
        if taken.is_empty() {
            return Ok(false);
        }
        let head = db.row_or_none(
            "SELECT last_position FROM hookbox_log_head WHERE no = 1 FOR SHARE SKIP LOCKED",
            &[],
        )?;
        let last: Option<Position> = head.map(|row| row.try_get(0)).transpose()?;
        let marked = match (last, self.since.get()) {
            (Some(last), Some(since)) if last == since => 0,
            (Some(_), Some(since)) => db.execute(
                "WITH news AS MATERIALIZED (
                     SELECT app_id, type, max(position) AS last FROM hookbox_log
                     WHERE position > $2 GROUP BY app_id, type)
                 UPDATE hookbox_webhook_state s SET has_backlog = TRUE, ready = TRUE,
                     due_at = coalesce(due_at, 0)
                 WHERE s.webhook_no = ANY ($1) AND NOT s.has_backlog AND EXISTS (
                     SELECT 1 FROM hookbox_subscription u JOIN news n
                         ON n.app_id = u.app_id AND u.type IN (n.type, '*')
                     WHERE u.webhook_no = s.webhook_no AND n.last > s.cursor)",
                &[&taken, &since],
            )?,
            _ => db.execute(
                "UPDATE hookbox_webhook_state SET has_backlog = TRUE, ready = TRUE,
                     due_at = coalesce(due_at, 0)
                 WHERE webhook_no = ANY ($1) AND NOT has_backlog",
                &[&taken],
            )?,
        };
        Ok(marked > 0)
    }
}
