//! Webhooks, and the log positions between which each is owed what.

use rusqlite::{Connection, OptionalExtension};

use crate::error::Result;
use crate::model::{AppId, Environment, Event, Position, Webhook, WebhookId};
use crate::storage::tables::{Numbered, Subscription};
use crate::storage::{StoredWebhook, WebhookFilter};

use super::apps::registry_changed;
use super::rows::{self, millis, to_json};

/// The columns that [`rows::webhook`] reads.
const SELECT: &str = "SELECT w.*, s.last_http_code, s.last_http_code_at
     FROM hookbox_webhook w JOIN hookbox_webhook_state s ON s.webhook_no = w.no";

pub(super) fn insert(db: &Connection, stored: &StoredWebhook, cursor: Position) -> Result<i64> {
    registry_changed(db)?;
    let webhook = &stored.webhook;
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
    db.execute(
        "INSERT INTO hookbox_webhook_state (webhook_no, app_id, cursor) VALUES (?1, ?2, ?3)",
        (no, webhook.app_id.as_str(), cursor),
    )?;
    Ok(no)
}

pub(super) fn number(db: &Connection, app: &AppId, id: &WebhookId) -> Result<Option<i64>> {
    Ok(db
        .prepare_cached("SELECT no FROM hookbox_webhook WHERE id = ?1 AND app_id = ?2")?
        .query_row((id.as_str(), app.as_str()), |row| row.get(0))
        .optional()?)
}

pub(super) fn get(db: &Connection, no: i64) -> Result<StoredWebhook> {
    db.prepare_cached(&format!("{SELECT} WHERE w.no = ?1"))?
        .query_row((no,), |row| Ok(rows::webhook(row)))?
}

pub(super) fn version(db: &Connection, no: i64) -> Result<i64> {
    Ok(db
        .prepare_cached("SELECT version FROM hookbox_webhook WHERE no = ?1")?
        .query_row((no,), |row| row.get(0))?)
}

pub(super) fn list(
    db: &Connection,
    app: &AppId,
    filter: &WebhookFilter,
    after: i64,
    limit: usize,
) -> Result<Vec<Numbered<Webhook>>> {
    let mut statement = db.prepare_cached(&format!(
        "{SELECT} WHERE w.app_id = ?1 AND w.no > ?2
             AND (?3 IS NULL OR w.enabled = ?3) AND (?4 IS NULL OR w.environment = ?4)
         ORDER BY w.no LIMIT ?5"
    ))?;
    let mut found = statement.query((
        app.as_str(),
        after,
        filter.enabled,
        filter.environment.as_ref().map(Environment::as_str),
        limit,
    ))?;
    let mut list = Vec::new();
    while let Some(row) = found.next()? {
        list.push(Numbered {
            no: row.get("no")?,
            row: rows::webhook(row)?.webhook,
        });
    }
    Ok(list)
}

pub(super) fn update(db: &Connection, no: i64, after: &StoredWebhook) -> Result<()> {
    registry_changed(db)?;
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
    Ok(())
}

pub(super) fn delete(db: &Connection, no: i64) -> Result<()> {
    registry_changed(db)?;
    // Attempts, subscriptions and the rest go with it by their foreign keys.
    db.execute("DELETE FROM hookbox_webhook WHERE no = ?1", (no,))?;
    Ok(())
}

pub(super) fn subscriptions(db: &Connection, no: i64) -> Result<Vec<Subscription>> {
    let mut statement = db.prepare_cached(
        "SELECT type, from_position, until_position, environment FROM hookbox_subscription
         WHERE webhook_no = ?1 ORDER BY type, from_position",
    )?;
    let mut found = statement.query((no,))?;
    let mut subscriptions = Vec::new();
    while let Some(row) = found.next()? {
        subscriptions.push(Subscription {
            event_type: row.get(0)?,
            from: row.get(1)?,
            until: row.get(2)?,
            environment: rows::named_or_null(row, "environment")?,
        });
    }
    Ok(subscriptions)
}

pub(super) fn replace_subscriptions(
    db: &Connection,
    app: &AppId,
    no: i64,
    subscriptions: &[Subscription],
) -> Result<()> {
    db.execute(
        "DELETE FROM hookbox_subscription WHERE webhook_no = ?1",
        (no,),
    )?;
    let mut insert = db.prepare_cached(
        "INSERT INTO hookbox_subscription
             (webhook_no, type, from_position, until_position, environment, app_id)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?;
    for held in subscriptions {
        insert.execute((
            no,
            &held.event_type,
            held.from,
            held.until,
            held.environment.as_ref().map(Environment::as_str),
            app.as_str(),
        ))?;
    }
    Ok(())
}

pub(super) fn delete_passed_subscriptions(db: &Connection) -> Result<()> {
    db.execute(
        "DELETE FROM hookbox_subscription WHERE until_position <=
             (SELECT cursor FROM hookbox_webhook_state s
              WHERE s.webhook_no = hookbox_subscription.webhook_no)",
        (),
    )?;
    Ok(())
}

/// Webhooks with a subscription that covers the event, and a cursor that has not reached it.
pub(super) fn awaited_by(db: &Connection, event: &Event, limit: usize) -> Result<Vec<WebhookId>> {
    let mut statement = db.prepare_cached(
        "SELECT DISTINCT w.id FROM hookbox_subscription u
         JOIN hookbox_webhook_state s ON s.webhook_no = u.webhook_no
         JOIN hookbox_webhook w ON w.no = u.webhook_no
         WHERE u.app_id = ?1 AND u.type IN (?2, '*') AND ?3 > s.cursor AND ?3 > u.from_position
             AND (u.until_position IS NULL OR ?3 <= u.until_position)
             AND (u.environment IS NULL OR u.environment IS ?4)
         ORDER BY w.no LIMIT ?5",
    )?;
    let environment = event.environment.as_ref().map(Environment::as_str);
    let event_type = event.event_type.as_str();
    let parameters = (
        event.app_id.as_str(),
        event_type,
        event.position,
        environment,
        limit,
    );
    let mut found = statement.query(parameters)?;
    let mut ids = Vec::new();
    while let Some(row) = found.next()? {
        ids.push(rows::parsed(row, "id")?);
    }
    Ok(ids)
}
