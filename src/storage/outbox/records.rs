//! Looking: events, batches, attempts, backlog.

use crate::error::Result;
use crate::model::{AppId, Attempt, Batch, BatchStatus, Event, Position, WebhookId};
use crate::storage::tables::{OfWebhook, Tables};
use crate::storage::{
    AttemptFilter, BacklogRow, BatchCounts, BatchFilter, EventFilter, Page, PageRequest,
};

use super::{apps, carve, operate, webhooks};

/// Webhooks listed of those that wait for an event.
pub(super) const AWAITED_MAX: usize = 100;

pub(super) fn events(
    tables: &dyn Tables,
    app: &AppId,
    filter: &EventFilter,
    page: &PageRequest,
) -> Result<Page<Event>> {
    apps::state(tables, app)?;
    let before = page.cursor_number()?.unwrap_or(Position::MAX);
    let event_type = filter.event_type.as_ref();
    let events = tables.events(app, event_type, before, page.limit() + 1)?;
    let rows = events
        .into_iter()
        .map(|event| (event.position.to_string(), event));
    Ok(Page::from_rows(rows.collect(), page.limit()))
}

pub(super) fn batches(
    tables: &dyn Tables,
    app: &AppId,
    filter: &BatchFilter,
    page: &PageRequest,
) -> Result<Page<Batch>> {
    let of = of_webhook(tables, app, filter.webhook.as_ref())?;
    let before = page.cursor_number()?.unwrap_or(i64::MAX);
    let found = tables.batches(of, filter.status, before, page.limit() + 1)?;
    let rows = found.into_iter().map(|row| (row.no.to_string(), row.batch));
    Ok(Page::from_rows(rows.collect(), page.limit()))
}

pub(super) fn attempts(
    tables: &dyn Tables,
    app: &AppId,
    filter: &AttemptFilter,
    page: &PageRequest,
) -> Result<Page<Attempt>> {
    let of = of_webhook(tables, app, filter.webhook.as_ref())?;
    let batch_no = match &filter.batch {
        Some(id) => Some(operate::find(tables, app, id)?.no),
        None => None,
    };
    let before = page.cursor_number()?.unwrap_or(i64::MAX);
    let found = tables.attempts(of, batch_no, before, page.limit() + 1)?;
    let rows = found.into_iter().map(|one| (one.no.to_string(), one.row));
    Ok(Page::from_rows(rows.collect(), page.limit()))
}

fn of_webhook<'a>(
    tables: &dyn Tables,
    app: &'a AppId,
    id: Option<&WebhookId>,
) -> Result<OfWebhook<'a>> {
    let webhook_no = id.map(|id| webhooks::number(tables, app, id)).transpose()?;
    if id.is_none() {
        apps::state(tables, app)?;
    }
    Ok(OfWebhook { app, webhook_no })
}

pub(super) fn backlog(tables: &dyn Tables, app: &AppId, webhook: &WebhookId) -> Result<BacklogRow> {
    let no = webhooks::number(tables, app, webhook)?;
    let state = tables.state(no)?;
    let (events_owed, oldest_owed_at) =
        carve::count_owed(tables, no, app, state.cursor, BacklogRow::COUNT_MAX)?;
    Ok(BacklogRow {
        webhook_id: webhook.clone(),
        health: state.health,
        events_owed,
        oldest_owed_at,
        batches: BatchCounts {
            waiting: tables.count_unsettled(no, BatchStatus::Waiting)?,
            leased: tables.count_unsettled(no, BatchStatus::Leased)?,
            parked: tables.count_unsettled(no, BatchStatus::Parked)?,
            exhausted: tables.count_unsettled(no, BatchStatus::Exhausted)?,
        },
        next_due: state.due_at,
    })
}
