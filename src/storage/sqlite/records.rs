//! Looking: events, batches, attempts, backlog.

use rusqlite::{Connection, OptionalExtension};

use crate::error::{Error, Result};
use crate::model::{
    AppId, Attempt, Batch, BatchStatus, Event, EventId, EventType, Timestamp, WebhookId,
};
use crate::storage::{
    AttemptFilter, BacklogRow, BatchCounts, BatchFilter, EventFilter, Page, PageRequest,
};

use super::rows::BATCH_COLUMNS;
use super::{apps, batches, carve, rows, state, webhooks};

pub(super) fn event(db: &Connection, id: &EventId) -> Result<Event> {
    db.prepare_cached("SELECT * FROM hookbox_event WHERE id = ?1")?
        .query_row((id.to_string(),), |row| Ok(rows::event(row)))
        .optional()?
        .unwrap_or(Err(Error::EventNotFound(*id)))
}

pub(super) fn events(
    db: &Connection,
    app: &AppId,
    filter: &EventFilter,
    page: &PageRequest,
) -> Result<Page<Event>> {
    apps::state(db, app)?;
    let before = page.cursor_number()?.unwrap_or(i64::MAX);
    let limit = page.limit() + 1;
    let mut statement = db.prepare_cached(
        "SELECT * FROM hookbox_event WHERE app_id = ?1 AND position < ?2
             AND (?3 IS NULL OR type = ?3)
         ORDER BY position DESC LIMIT ?4",
    )?;
    let event_type = filter.event_type.as_ref().map(EventType::as_str);
    let mut found = statement.query((app.as_str(), before, event_type, limit))?;
    let mut items = Vec::new();
    while let Some(row) = found.next()? {
        let event = rows::event(row)?;
        items.push((event.position.to_string(), event));
    }
    Ok(Page::from_rows(items, page.limit()))
}

pub(super) fn list_batches(
    db: &Connection,
    app: &AppId,
    filter: &BatchFilter,
    page: &PageRequest,
) -> Result<Page<Batch>> {
    let webhook_no = webhook_number(db, app, filter.webhook.as_ref())?;
    let condition = if webhook_no.is_some() {
        "b.webhook_no = ?1"
    } else {
        "?1 IS NULL"
    };
    let mut statement = db.prepare_cached(&format!(
        "SELECT {BATCH_COLUMNS} FROM hookbox_batch b JOIN hookbox_webhook w ON w.no = b.webhook_no
         WHERE {condition} AND w.app_id = ?2 AND b.no < ?3 AND (?4 IS NULL OR b.status = ?4)
         ORDER BY b.no DESC LIMIT ?5"
    ))?;
    let mut found = statement.query((
        webhook_no,
        app.as_str(),
        page.cursor_number()?.unwrap_or(i64::MAX),
        filter.status.map(BatchStatus::as_str),
        page.limit() + 1,
    ))?;
    let mut items = Vec::new();
    while let Some(row) = found.next()? {
        items.push((row.get::<_, i64>("no")?.to_string(), rows::batch(row)?));
    }
    Ok(Page::from_rows(items, page.limit()))
}

pub(super) fn list_attempts(
    db: &Connection,
    app: &AppId,
    filter: &AttemptFilter,
    page: &PageRequest,
) -> Result<Page<Attempt>> {
    let webhook_no = webhook_number(db, app, filter.webhook.as_ref())?;
    let batch_no = match &filter.batch {
        Some(id) => Some(batches::get(db, app, id)?.0),
        None => None,
    };
    // The narrowest index that the filter allows.
    let condition = match (batch_no, webhook_no) {
        (Some(_), _) => "a.batch_no = ?1 AND (?2 IS NULL OR a.webhook_no = ?2)",
        (None, Some(_)) => "?1 IS NULL AND a.webhook_no = ?2",
        (None, None) => "?1 IS NULL AND ?2 IS NULL",
    };
    let mut statement = db.prepare_cached(&format!(
        "SELECT a.*, b.id AS batch_id, w.id AS webhook_id FROM hookbox_attempt a
         JOIN hookbox_batch b ON b.no = a.batch_no JOIN hookbox_webhook w ON w.no = a.webhook_no
         WHERE {condition} AND w.app_id = ?3 AND a.no < ?4 ORDER BY a.no DESC LIMIT ?5"
    ))?;
    let mut found = statement.query((
        batch_no,
        webhook_no,
        app.as_str(),
        page.cursor_number()?.unwrap_or(i64::MAX),
        page.limit() + 1,
    ))?;
    let mut items = Vec::new();
    while let Some(row) = found.next()? {
        items.push((row.get::<_, i64>("no")?.to_string(), rows::attempt(row)?));
    }
    Ok(Page::from_rows(items, page.limit()))
}

fn webhook_number(db: &Connection, app: &AppId, id: Option<&WebhookId>) -> Result<Option<i64>> {
    match id {
        Some(id) => webhooks::number(db, app, id).map(Some),
        None => apps::state(db, app).map(|_| None),
    }
}

pub(super) fn backlog(db: &Connection, app: &AppId, webhook: &WebhookId) -> Result<BacklogRow> {
    let no = webhooks::number(db, app, webhook)?;
    let state = state::load(db, no)?;
    let (events_owed, oldest) =
        carve::count_owed(db, no, app, state.cursor, BacklogRow::COUNT_MAX)?;
    let count = |status: BatchStatus| -> Result<u64> {
        Ok(db
            .prepare_cached(
                "SELECT count(*) FROM hookbox_batch WHERE webhook_no = ?1 AND status = ?2
                     AND status IN ('waiting', 'leased', 'parked', 'exhausted')",
            )?
            .query_row((no, status.as_str()), |row| row.get(0))?)
    };
    Ok(BacklogRow {
        webhook_id: webhook.clone(),
        health: state.health,
        events_owed,
        oldest_owed_at: oldest.map(Timestamp::from_millis),
        batches: BatchCounts {
            waiting: count(BatchStatus::Waiting)?,
            leased: count(BatchStatus::Leased)?,
            parked: count(BatchStatus::Parked)?,
            exhausted: count(BatchStatus::Exhausted)?,
        },
        next_due: state.due_at,
    })
}

/// Webhooks with a subscription that covers the event, and a cursor that has not reached it.
pub(super) fn awaited_by(db: &Connection, event: &Event) -> Result<Vec<WebhookId>> {
    let mut statement = db.prepare_cached(
        "SELECT DISTINCT w.id FROM hookbox_subscription u
         JOIN hookbox_webhook_state s ON s.webhook_no = u.webhook_no
         JOIN hookbox_webhook w ON w.no = u.webhook_no
         WHERE u.app_id = ?1 AND u.type IN (?2, '*') AND ?3 > s.cursor AND ?3 > u.from_position
             AND (u.until_position IS NULL OR ?3 <= u.until_position)
             AND (u.environment IS NULL OR u.environment IS ?4)
         ORDER BY w.no LIMIT 100",
    )?;
    let environment = event
        .environment
        .as_ref()
        .map(crate::model::Environment::as_str);
    let event_type = event.event_type.as_str();
    let parameters = (
        event.app_id.as_str(),
        event_type,
        event.position,
        environment,
    );
    let mut found = statement.query(parameters)?;
    let mut ids = Vec::new();
    while let Some(row) = found.next()? {
        ids.push(rows::parsed(row, "id")?);
    }
    Ok(ids)
}

/// Batches of the event's app that hold it.
pub(super) fn batches_of(db: &Connection, event: &Event) -> Result<Vec<Batch>> {
    Ok(batches::select(
        db,
        "w.app_id = ?1 AND ?2 BETWEEN b.first_position AND b.last_position AND EXISTS (
             SELECT 1 FROM json_each(b.positions) r
             WHERE ?2 BETWEEN json_extract(r.value, '$[0]') AND json_extract(r.value, '$[1]'))
         ORDER BY b.no",
        (event.app_id.as_str(), event.position),
    )?
    .into_iter()
    .map(|(_, batch)| batch)
    .collect())
}
