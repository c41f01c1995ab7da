//! Batches, attempts, and what is owed.

use crate::model::{Attempt, AttemptResult, Batch, BatchId, BatchStatus, DeliveryMode, Timestamp};
use crate::storage::{AttemptFilter, BacklogRow, BatchFilter, Page};

use super::apps::page_request;
use super::boundary::{Done, Output, not_one_of, optional_text, text};
use super::error::hookbox_error;
use super::handle::{call, hookbox_box};
use super::status::hookbox_status;
use super::text::{Keep, give, hookbox_str, page_parts, take_back};
use super::webhooks::{millis, webhook_id};

/// Of any status: the filter is off.
pub const HOOKBOX_BATCH_ANY: i32 = 0;
/// Waits for its next attempt to be due.
pub const HOOKBOX_BATCH_WAITING: i32 = 1;
/// Is being sent.
pub const HOOKBOX_BATCH_LEASED: i32 = 2;
/// The endpoint accepted it.
pub const HOOKBOX_BATCH_DELIVERED: i32 = 3;
/// Ran past its retry window; resendable.
pub const HOOKBOX_BATCH_EXHAUSTED: i32 = 4;
/// Its webhook is inactive; it waits for re-activation.
pub const HOOKBOX_BATCH_PARKED: i32 = 5;
/// Ended by the host, by the receiver, or by being split.
pub const HOOKBOX_BATCH_CANCELLED: i32 = 6;

/// A frozen list of events for one webhook: the unit of delivery, retry and resend. Owned by the caller,
/// or part of a page. Immutable. Later versions may append members: do not copy it whole.
#[repr(C)]
#[derive(Debug)]
pub struct hookbox_batch {
    /// Its id, "bat_…": stable over attempts and resends.
    pub id: hookbox_str,
    /// The app it belongs to.
    pub app_id: hookbox_str,
    /// The webhook it is for.
    pub webhook_id: hookbox_str,
    /// The batch it was split from; empty for none.
    pub parent_id: hookbox_str,
    /// HOOKBOX_BATCH_WAITING and its like.
    pub status: i32,
    /// Whether it is sent at most once.
    pub at_most_once: bool,
    /// Why it ended otherwise than delivered, as text; else empty.
    pub end_reason: hookbox_str,
    /// How many events it holds.
    pub event_count: u64,
    /// The log position of the first of them.
    pub first_position: i64,
    /// The log position of the last of them.
    pub last_position: i64,
    /// Requests begun so far.
    pub attempts: u32,
    /// Failed attempts in the current budget.
    pub failures: u32,
    /// When it was frozen, in Unix milliseconds.
    pub created_at_ms: i64,
    /// When it is due (waiting), or when its lease ends (leased), in Unix milliseconds; 0 otherwise.
    pub due_at_ms: i64,
    /// When it ended, in Unix milliseconds; 0 when it has not.
    pub ended_at_ms: i64,
}

/// One page of a listing of batches. Owned by the caller: free it with hookbox_batch_page_free(). Immutable.
#[repr(C)]
#[derive(Debug)]
pub struct hookbox_batch_page {
    /// The batches, the newest first.
    pub items: *const *const hookbox_batch,
    /// How many.
    pub count: usize,
    /// For the next call; empty on the last page.
    pub next_cursor: hookbox_str,
}

/// One HTTP request for a batch, and what came of it. Part of a page or a story. Immutable. Later
/// versions may append members: do not copy it whole.
#[repr(C)]
#[derive(Debug)]
pub struct hookbox_attempt {
    /// The batch.
    pub batch_id: hookbox_str,
    /// The webhook.
    pub webhook_id: hookbox_str,
    /// Counted from 1 within the batch.
    pub number: u32,
    /// The status that was answered; 0 when there was no answer.
    pub http_status: u16,
    /// Why there was no answer, as text ("timeout", "dns" …); else empty.
    pub failure: hookbox_str,
    /// When the request began, in Unix milliseconds.
    pub started_at_ms: i64,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
    /// The start of the response's body, or the failure in words: at most 1024 bytes.
    pub excerpt: hookbox_str,
}

/// One page of a listing of attempts. Owned by the caller: free it with hookbox_attempt_page_free().
/// Immutable.
#[repr(C)]
#[derive(Debug)]
pub struct hookbox_attempt_page {
    /// The attempts, the newest first.
    pub items: *const *const hookbox_attempt,
    /// How many.
    pub count: usize,
    /// For the next call; empty on the last page.
    pub next_cursor: hookbox_str,
}

/// Where a webhook stands. Owned by the caller: free it with hookbox_backlog_free(). Immutable. Later
/// versions may append members: do not copy it whole.
#[repr(C)]
#[derive(Debug)]
pub struct hookbox_backlog {
    /// Events owed that are in no batch yet; counted up to 100 000.
    pub events_owed: u64,
    /// When the oldest of them was emitted, in Unix milliseconds; 0 for none.
    pub oldest_owed_at_ms: i64,
    /// Batches that wait for their next attempt.
    pub batches_waiting: u64,
    /// Batches that are being sent.
    pub batches_leased: u64,
    /// Batches that wait for re-activation.
    pub batches_parked: u64,
    /// Batches that were given up.
    pub batches_exhausted: u64,
    /// Failed attempts since the last success.
    pub consecutive_failures: u32,
    /// Since when there have been nothing but failures, in Unix milliseconds; 0 when there are none.
    pub failing_since_ms: i64,
    /// The last success, in Unix milliseconds; 0 for none.
    pub last_success_at_ms: i64,
    /// Nothing is sent before, as the endpoint asked (Retry-After), in Unix milliseconds; 0 for no pause.
    pub paused_until_ms: i64,
    /// When its next request is due, as far as it is known, in Unix milliseconds; else 0.
    pub next_due_ms: i64,
}

pub(super) fn batch_view(batch: &Batch, keep: &mut Keep) -> hookbox_batch {
    hookbox_batch {
        id: keep.text(batch.id.to_string()),
        app_id: keep.text(batch.app_id.as_str()),
        webhook_id: keep.text(batch.webhook_id.as_str()),
        parent_id: keep.optional(batch.parent.map(|parent| parent.to_string())),
        status: status_number(batch.status),
        at_most_once: batch.mode == DeliveryMode::AtMostOnce,
        end_reason: keep.optional(batch.end_reason.map(crate::model::EndReason::as_str)),
        event_count: batch.positions.len() as u64,
        first_position: batch.positions.first().unwrap_or(0),
        last_position: batch.positions.last().unwrap_or(0),
        attempts: batch.attempts,
        failures: batch.failures,
        created_at_ms: batch.created_at.as_millis(),
        due_at_ms: millis(batch.due_at),
        ended_at_ms: millis(batch.ended_at),
    }
}

const fn status_number(status: BatchStatus) -> i32 {
    match status {
        BatchStatus::Waiting => HOOKBOX_BATCH_WAITING,
        BatchStatus::Leased => HOOKBOX_BATCH_LEASED,
        BatchStatus::Delivered => HOOKBOX_BATCH_DELIVERED,
        BatchStatus::Exhausted => HOOKBOX_BATCH_EXHAUSTED,
        BatchStatus::Parked => HOOKBOX_BATCH_PARKED,
        BatchStatus::Cancelled => HOOKBOX_BATCH_CANCELLED,
    }
}

fn status_filter(number: i32) -> Done<Option<BatchStatus>> {
    if number == HOOKBOX_BATCH_ANY {
        return Ok(None);
    }
    let found = BatchStatus::ALL
        .into_iter()
        .find(|status| status_number(*status) == number);
    found.map(Some).ok_or_else(|| not_one_of("status", number))
}

pub(super) fn attempt_view(attempt: &Attempt, keep: &mut Keep) -> hookbox_attempt {
    let (http_status, failure) = match attempt.result {
        AttemptResult::Status(status) => (status, None),
        AttemptResult::Failure(kind) => (0, Some(kind.as_str())),
    };
    hookbox_attempt {
        batch_id: keep.text(attempt.batch_id.to_string()),
        webhook_id: keep.text(attempt.webhook_id.as_str()),
        number: attempt.number,
        http_status,
        failure: keep.optional(failure),
        started_at_ms: attempt.started_at.as_millis(),
        duration_ms: attempt.duration_ms,
        excerpt: keep.text(&attempt.excerpt),
    }
}

fn backlog_view(row: &BacklogRow) -> hookbox_backlog {
    hookbox_backlog {
        events_owed: row.events_owed,
        oldest_owed_at_ms: millis(row.oldest_owed_at),
        batches_waiting: row.batches.waiting,
        batches_leased: row.batches.leased,
        batches_parked: row.batches.parked,
        batches_exhausted: row.batches.exhausted,
        consecutive_failures: row.health.consecutive_failures,
        failing_since_ms: millis(row.health.failing_since),
        last_success_at_ms: millis(row.health.last_success_at),
        paused_until_ms: millis(row.health.paused_until),
        next_due_ms: millis(row.next_due),
    }
}

fn give_batches(page: &Page<Batch>) -> *mut hookbox_batch_page {
    let parts = page_parts(page, batch_view);
    let page = hookbox_batch_page {
        items: parts.items,
        count: parts.count,
        next_cursor: parts.next_cursor,
    };
    give(page, parts.keep)
}

fn give_attempts(page: &Page<Attempt>) -> *mut hookbox_attempt_page {
    let parts = page_parts(page, attempt_view);
    let page = hookbox_attempt_page {
        items: parts.items,
        count: parts.count,
        next_cursor: parts.next_cursor,
    };
    give(page, parts.keep)
}

/// Writes a batch where it is wanted.
unsafe fn set(out: Output<*mut hookbox_batch>, batch: &Batch) {
    if out.is_wanted() {
        let mut keep = Keep::default();
        // SAFETY: the caller of the exported function gave the place.
        unsafe { out.set(give(batch_view(batch, &mut keep), keep)) };
    }
}

/// A batch's id out of an argument.
///
/// # Safety
/// As `text` needs it.
pub(super) unsafe fn batch_id(id: hookbox_str) -> Done<BatchId> {
    // SAFETY: by the contract.
    Ok(BatchId::parse(unsafe { text(id, "batch") }?)?)
}

/// Reads a batch. Free it with hookbox_batch_free().
///
/// Errors: HOOKBOX_BATCH_NOT_FOUND.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hookbox_batch_get(
    hooks: *const hookbox_box,
    batch: hookbox_str,
    out_batch: *mut *mut hookbox_batch,
    error: *mut *mut hookbox_error,
) -> hookbox_status {
    // SAFETY: the caller keeps what the header says.
    unsafe {
        call(hooks, error, |hooks| {
            let out = Output::new(out_batch, "out_batch")?;
            set(out, &hooks.batch(&batch_id(batch)?)?);
            Ok(())
        })
    }
}

/// Lists an app's batches, the newest first: of one webhook, or all (empty); of one status, or all
/// (HOOKBOX_BATCH_ANY); at most `limit` (1 to 1000; 0 means 100), after the page that gave `cursor`.
///
/// Errors: HOOKBOX_APP_NOT_FOUND.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hookbox_batch_list(
    hooks: *const hookbox_box,
    app: hookbox_str,
    webhook: hookbox_str,
    status: i32,
    cursor: hookbox_str,
    limit: usize,
    out_page: *mut *mut hookbox_batch_page,
    error: *mut *mut hookbox_error,
) -> hookbox_status {
    // SAFETY: the caller keeps what the header says.
    unsafe {
        call(hooks, error, |hooks| {
            let out = Output::new(out_page, "out_page")?;
            let wanted = optional_text(webhook, "webhook")?.is_some();
            let filter = BatchFilter {
                webhook: if wanted {
                    Some(webhook_id(webhook)?)
                } else {
                    None
                },
                status: status_filter(status)?,
            };
            let page = page_request(cursor, limit)?;
            out.set(give_batches(&hooks.batches(
                text(app, "app")?,
                filter,
                page,
            )?));
            Ok(())
        })
    }
}

/// Lists an app's attempts, the newest first: of one webhook, or all (empty); of one batch, or all
/// (empty); at most `limit` (1 to 1000; 0 means 100), after the page that gave `cursor`.
///
/// Errors: HOOKBOX_APP_NOT_FOUND.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hookbox_attempt_list(
    hooks: *const hookbox_box,
    app: hookbox_str,
    webhook: hookbox_str,
    batch: hookbox_str,
    cursor: hookbox_str,
    limit: usize,
    out_page: *mut *mut hookbox_attempt_page,
    error: *mut *mut hookbox_error,
) -> hookbox_status {
    // SAFETY: the caller keeps what the header says.
    unsafe {
        call(hooks, error, |hooks| {
            let out = Output::new(out_page, "out_page")?;
            let of_webhook = optional_text(webhook, "webhook")?.is_some();
            let of_batch = optional_text(batch, "batch")?.is_some();
            let filter = AttemptFilter {
                webhook: if of_webhook {
                    Some(webhook_id(webhook)?)
                } else {
                    None
                },
                batch: if of_batch {
                    Some(batch_id(batch)?)
                } else {
                    None
                },
            };
            let page = page_request(cursor, limit)?;
            out.set(give_attempts(&hooks.attempts(
                text(app, "app")?,
                filter,
                page,
            )?));
            Ok(())
        })
    }
}

/// Where a webhook stands. Free it with hookbox_backlog_free().
///
/// Errors: HOOKBOX_APP_NOT_FOUND, HOOKBOX_WEBHOOK_NOT_FOUND.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hookbox_backlog_get(
    hooks: *const hookbox_box,
    app: hookbox_str,
    webhook: hookbox_str,
    out_backlog: *mut *mut hookbox_backlog,
    error: *mut *mut hookbox_error,
) -> hookbox_status {
    // SAFETY: the caller keeps what the header says.
    unsafe {
        call(hooks, error, |hooks| {
            let out = Output::new(out_backlog, "out_backlog")?;
            let row = hooks.backlog(text(app, "app")?, &webhook_id(webhook)?)?;
            out.set(give(backlog_view(&row), Keep::default()));
            Ok(())
        })
    }
}

/// Sends an ended batch again: the same bytes under the same id, with a new budget of attempts.
/// `out_batch` may be NULL.
///
/// Errors: HOOKBOX_BATCH_NOT_FOUND; HOOKBOX_BATCH_CONFLICT for one that has not ended, or was split.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hookbox_batch_resend(
    hooks: *mut hookbox_box,
    app: hookbox_str,
    batch: hookbox_str,
    out_batch: *mut *mut hookbox_batch,
    error: *mut *mut hookbox_error,
) -> hookbox_status {
    // SAFETY: the caller keeps what the header says.
    unsafe {
        call(hooks, error, |hooks| {
            let out = Output::optional(out_batch, "out_batch")?;
            set(out, &hooks.resend(text(app, "app")?, &batch_id(batch)?)?);
            Ok(())
        })
    }
}

/// Gives up a batch that has not ended. One that is being sent may still arrive. `out_batch` may be NULL.
///
/// Errors: HOOKBOX_BATCH_NOT_FOUND, HOOKBOX_BATCH_CONFLICT.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hookbox_batch_cancel(
    hooks: *mut hookbox_box,
    app: hookbox_str,
    batch: hookbox_str,
    out_batch: *mut *mut hookbox_batch,
    error: *mut *mut hookbox_error,
) -> hookbox_status {
    // SAFETY: the caller keeps what the header says.
    unsafe {
        call(hooks, error, |hooks| {
            let out = Output::optional(out_batch, "out_batch")?;
            set(out, &hooks.cancel(text(app, "app")?, &batch_id(batch)?)?);
            Ok(())
        })
    }
}

/// Owes a webhook once more every event emitted from `since_ms` (Unix milliseconds) on that it is
/// subscribed to now, as new batches with the same event ids. `out_positions`, which may be NULL, gets how
/// many log positions will be looked at.
///
/// Errors: HOOKBOX_APP_NOT_FOUND, HOOKBOX_WEBHOOK_NOT_FOUND.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hookbox_webhook_replay(
    hooks: *mut hookbox_box,
    app: hookbox_str,
    webhook: hookbox_str,
    since_ms: i64,
    out_positions: *mut u64,
    error: *mut *mut hookbox_error,
) -> hookbox_status {
    // SAFETY: the caller keeps what the header says.
    unsafe {
        call(hooks, error, |hooks| {
            let out = Output::optional(out_positions, "out_positions")?;
            let (app, id) = (text(app, "app")?, webhook_id(webhook)?);
            out.set(hooks.replay(app, &id, Timestamp::from_millis(since_ms))?);
            Ok(())
        })
    }
}

/// Frees a batch that was given by itself. NULL is ignored.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hookbox_batch_free(batch: *mut hookbox_batch) {
    // SAFETY: it came from `give`, and is not used again.
    unsafe { take_back(batch) }
}

/// Frees a page and the batches in it. NULL is ignored.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hookbox_batch_page_free(page: *mut hookbox_batch_page) {
    // SAFETY: it came from `give`, and is not used again.
    unsafe { take_back(page) }
}

/// Frees a page and the attempts in it. NULL is ignored.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hookbox_attempt_page_free(page: *mut hookbox_attempt_page) {
    // SAFETY: it came from `give`, and is not used again.
    unsafe { take_back(page) }
}

/// Frees what hookbox_backlog_get() gave. NULL is ignored.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hookbox_backlog_free(backlog: *mut hookbox_backlog) {
    // SAFETY: it came from `give`, and is not used again.
    unsafe { take_back(backlog) }
}
