//! Webhooks, and the log positions between which each is owed what.

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension};

use crate::error::{Error, Result};
use crate::machine::{Input, step};
use crate::model::{
    AppId, BatchStatus, Environment, EventType, Events, Position, Timestamp, Webhook, WebhookId,
};
use crate::storage::{EditWebhook, Page, PageRequest, StoredWebhook, WebhookFilter};

use super::rows::{self, millis, to_json};
use super::{apps, batches, state};

/// The columns that [`rows::webhook`] reads.
const SELECT: &str = "SELECT w.*, s.last_http_code, s.last_http_code_at
     FROM hookbox_webhook w JOIN hookbox_webhook_state s ON s.webhook_no = w.no";

/// The subscription row that stands for every type.
pub(super) const ALL_TYPES: &str = "*";

pub(super) fn create(db: &Connection, stored: &StoredWebhook) -> Result<()> {
    let webhook = &stored.webhook;
    apps::require_enabled(db, &webhook.app_id)?;
    require_types(db, &webhook.events, &Events::Only(Vec::new()))?;
    db.execute(
        "INSERT INTO hookbox_webhook (id, app_id, url, events, verified, enabled, description,
             environment, overrides, header_names, has_basic_auth, sealed, created_at, updated_at,
             last_enabled_at, last_disabled_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)",
        rusqlite::params![
            webhook.id.as_str(),
            webhook.app_id.as_str(),
            webhook.url.as_str(),
            to_json(&webhook.events)?,
            webhook.verified,
            webhook.enabled,
            webhook.description,
            webhook.environment.as_ref().map(Environment::as_str),
            to_json(&webhook.overrides)?,
            to_json(&webhook.header_names)?,
            webhook.has_basic_auth,
            stored.sealed,
            webhook.created_at.as_millis(),
            webhook.updated_at.as_millis(),
            millis(webhook.last_enabled_at),
            millis(webhook.last_disabled_at),
        ],
    )?;
    let no = db.last_insert_rowid();
    let head = head(db)?;
    db.execute(
        "INSERT INTO hookbox_webhook_state (webhook_no, app_id, cursor) VALUES (?1, ?2, ?3)",
        (no, webhook.app_id.as_str(), head),
    )?;
    open_subscriptions(db, no, webhook, head)
}

/// The last position given: everything up to here is in the log, nothing after it.
pub(super) fn head(db: &Connection) -> Result<Position> {
    let seq: Option<Position> = db
        .prepare_cached("SELECT seq FROM sqlite_sequence WHERE name = 'hookbox_event'")?
        .query_row((), |row| row.get(0))
        .optional()?;
    Ok(seq.unwrap_or(0))
}

/// A webhook's row number.
pub(super) fn number(db: &Connection, app: &AppId, id: &WebhookId) -> Result<i64> {
    apps::state(db, app)?;
    db.prepare_cached("SELECT no FROM hookbox_webhook WHERE id = ?1 AND app_id = ?2")?
        .query_row((id.as_str(), app.as_str()), |row| row.get(0))
        .optional()?
        .ok_or_else(|| Error::WebhookNotFound(id.clone()))
}

pub(super) fn get(db: &Connection, app: &AppId, id: &WebhookId) -> Result<StoredWebhook> {
    by_number(db, number(db, app, id)?)
}

pub(super) fn by_number(db: &Connection, no: i64) -> Result<StoredWebhook> {
    db.prepare_cached(&format!("{SELECT} WHERE w.no = ?1"))?
        .query_row((no,), |row| Ok(rows::webhook(row)))?
}

pub(super) fn list(
    db: &Connection,
    app: &AppId,
    filter: &WebhookFilter,
    page: &PageRequest,
) -> Result<Page<Webhook>> {
    apps::state(db, app)?;
    let mut statement = db.prepare_cached(&format!(
        "{SELECT} WHERE w.app_id = ?1 AND w.no > ?2
             AND (?3 IS NULL OR w.enabled = ?3) AND (?4 IS NULL OR w.environment = ?4)
         ORDER BY w.no LIMIT ?5"
    ))?;
    let mut found = statement.query((
        app.as_str(),
        page.cursor_number()?.unwrap_or(0),
        filter.enabled,
        filter.environment.as_ref().map(Environment::as_str),
        page.limit() + 1,
    ))?;
    let mut items = Vec::new();
    while let Some(row) = found.next()? {
        items.push((
            row.get::<_, i64>("no")?.to_string(),
            rows::webhook(row)?.webhook,
        ));
    }
    Ok(Page::from_rows(items, page.limit()))
}

pub(super) fn edit(
    db: &Connection,
    app: &AppId,
    id: &WebhookId,
    edit: EditWebhook,
) -> Result<StoredWebhook> {
    let enabled = apps::require_enabled(db, app);
    let no = number(db, app, id).or_else(|error| enabled.clone().and(Err(error)))?;
    let before = by_number(db, no)?;
    let mut after = before.clone();
    edit(&mut after).or_else(|error| enabled.clone().and(Err(error)))?;
    let only_sealed_anew = after.webhook == before.webhook && after.sealed != before.sealed;
    if !only_sealed_anew {
        enabled?;
    }
    require_types(db, &after.webhook.events, &before.webhook.events)?;
    save(db, no, &before.webhook, &after)?;
    by_number(db, no)
}

pub(super) fn delete(db: &Connection, app: &AppId, id: &WebhookId) -> Result<()> {
    apps::require_enabled(db, app)?;
    let no = number(db, app, id)?;
    // Attempts, subscriptions and the rest go with it by their foreign keys.
    db.execute("DELETE FROM hookbox_webhook WHERE no = ?1", (no,))?;
    Ok(())
}

/// Stores a changed webhook, and brings its subscriptions and batches in step.
pub(super) fn save(
    db: &Connection,
    no: i64,
    before: &Webhook,
    after: &StoredWebhook,
) -> Result<()> {
    let webhook = &after.webhook;
    db.execute(
        "UPDATE hookbox_webhook SET url = ?2, events = ?3, verified = ?4, enabled = ?5,
             description = ?6, environment = ?7, overrides = ?8, header_names = ?9,
             has_basic_auth = ?10, sealed = ?11, updated_at = ?12, last_enabled_at = ?13,
             last_disabled_at = ?14, version = random()
         WHERE no = ?1",
        rusqlite::params![
            no,
            webhook.url.as_str(),
            to_json(&webhook.events)?,
            webhook.verified,
            webhook.enabled,
            webhook.description,
            webhook.environment.as_ref().map(Environment::as_str),
            to_json(&webhook.overrides)?,
            to_json(&webhook.header_names)?,
            webhook.has_basic_auth,
            after.sealed,
            webhook.updated_at.as_millis(),
            millis(webhook.last_enabled_at),
            millis(webhook.last_disabled_at),
        ],
    )?;
    let hears = |webhook: &Webhook| {
        let types = webhook.is_active().then(|| type_names(&webhook.events));
        (types.unwrap_or_default(), webhook.environment.clone())
    };
    if hears(before) != hears(webhook) {
        let head = head(db)?;
        close_subscriptions(db, no, head)?;
        open_subscriptions(db, no, webhook, head)?;
    }
    match (before.is_active(), webhook.is_active()) {
        (true, false) => park(db, no, webhook.updated_at),
        (false, true) => unpark(db, no, webhook.updated_at),
        _ => state::look_again(db, no),
    }
}

fn type_names(events: &Events) -> BTreeSet<String> {
    match events {
        Events::All => BTreeSet::from([ALL_TYPES.to_owned()]),
        Events::Only(types) => types.iter().map(ToString::to_string).collect(),
    }
}

/// Types newly named must be in the catalogue; those named before may have left it since.
fn require_types(db: &Connection, after: &Events, before: &Events) -> Result<()> {
    let known: &[EventType] = match before {
        Events::Only(types) => types,
        Events::All => &[],
    };
    match after {
        Events::All => Ok(()),
        Events::Only(types) => types
            .iter()
            .filter(|name| !known.contains(name))
            .try_for_each(|name| apps::require_event_type(db, name)),
    }
}

fn open_subscriptions(db: &Connection, no: i64, webhook: &Webhook, head: Position) -> Result<()> {
    if !webhook.is_active() {
        return Ok(());
    }
    for name in type_names(&webhook.events) {
        db.prepare_cached(
            "INSERT INTO hookbox_subscription
                 (webhook_no, type, from_position, environment, app_id)
             VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute((
            no,
            name,
            head,
            webhook.environment.as_ref().map(Environment::as_str),
            webhook.app_id.as_str(),
        ))?;
    }
    Ok(())
}

/// Ends what is open at `head`. Spans that hold no position, and closed ones that the cursor has
/// passed, are dropped: they owe nothing.
fn close_subscriptions(db: &Connection, no: i64, head: Position) -> Result<()> {
    db.execute(
        "UPDATE hookbox_subscription SET until_position = ?2
         WHERE webhook_no = ?1 AND until_position IS NULL",
        (no, head),
    )?;
    db.execute(
        "DELETE FROM hookbox_subscription
         WHERE webhook_no = ?1 AND until_position <= max(from_position,
             (SELECT cursor FROM hookbox_webhook_state WHERE webhook_no = ?1))",
        (no,),
    )?;
    // What was owed may not be routed yet; closing must not hide it.
    db.execute(
        "UPDATE hookbox_webhook_state SET has_backlog = 1
         WHERE webhook_no = ?1
             AND EXISTS (SELECT 1 FROM hookbox_subscription WHERE webhook_no = ?1)",
        (no,),
    )?;
    Ok(())
}

fn park(db: &Connection, no: i64, now: Timestamp) -> Result<()> {
    each_batch(db, no, BatchStatus::Waiting, Input::Park, now)?;
    state::look_again(db, no)
}

fn unpark(db: &Connection, no: i64, now: Timestamp) -> Result<()> {
    each_batch(db, no, BatchStatus::Parked, Input::Unpark, now)?;
    let mut webhook_state = state::load(db, no)?;
    webhook_state.health.reset();
    webhook_state.failing = false;
    state::save(db, &webhook_state)?;
    state::look_again(db, no)
}

fn each_batch(
    db: &Connection,
    no: i64,
    status: BatchStatus,
    input: Input,
    now: Timestamp,
) -> Result<()> {
    let policy = crate::model::Profile::default().delivery;
    for (batch_no, mut batch) in batches::unsettled(db, no, status)? {
        // Neither input looks at the policy, and the status was just selected.
        if step(&mut batch, input, now, &policy, 0).is_ok() {
            batches::update(db, batch_no, &batch)?;
        }
    }
    Ok(())
}
