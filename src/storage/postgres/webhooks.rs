//! Webhooks, and the log positions between which each is owed what.

use std::collections::HashMap;

use crate::error::Result;
use crate::model::{AppId, Environment, Event, Position, Webhook, WebhookId};
use crate::storage::tables::{Numbered, Subscription};
use crate::storage::{StoredWebhook, WebhookFilter};

use super::rows::{self, millis, number, parsed, text, to_json};
use super::session::{Db, limit};

/// The columns that [`rows::webhook`] reads.
const SELECT: &str = "SELECT w.*, s.last_http_code, s.last_http_code_at
     FROM hookbox_webhook w JOIN hookbox_webhook_state s ON s.webhook_no = w.no";

pub(super) fn insert(db: &Db<'_>, stored: &StoredWebhook, cursor: Position) -> Result<i64> {
    let webhook = &stored.webhook;
    let row = db.row(
        "INSERT INTO hookbox_webhook (id, app_id, url, events, verified, enabled, description,
             environment, overrides, header_names, has_basic_auth, sealed, created_at, updated_at,
             last_enabled_at, last_disabled_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
         RETURNING no",
        &[
            &webhook.id.as_str(),
            &webhook.app_id.as_str(),
            &webhook.url.as_str(),
            &to_json(&webhook.events)?,
            &webhook.verified,
            &webhook.enabled,
            &webhook.description,
            &webhook.environment.as_ref().map(Environment::as_str),
            &to_json(&webhook.overrides)?,
            &to_json(&webhook.header_names)?,
            &webhook.has_basic_auth,
            &stored.sealed,
            &webhook.created_at.as_millis(),
            &webhook.updated_at.as_millis(),
            &millis(webhook.last_enabled_at),
            &millis(webhook.last_disabled_at),
        ],
    )?;
    let no: i64 = number(&row, "no")?;
    db.execute(
        "INSERT INTO hookbox_webhook_state (webhook_no, app_id, cursor) VALUES ($1, $2, $3)",
        &[&no, &webhook.app_id.as_str(), &cursor],
    )?;
    Ok(no)
}

pub(super) fn find(db: &Db<'_>, app: &AppId, id: &WebhookId) -> Result<Option<i64>> {
    let sql = "SELECT no FROM hookbox_webhook WHERE id = $1 AND app_id = $2";
    let found = db.row_or_none(sql, &[&id.as_str(), &app.as_str()])?;
    found.map(|row| number(&row, "no")).transpose()
}

pub(super) fn get(db: &Db<'_>, no: i64) -> Result<StoredWebhook> {
    rows::webhook(&db.row(&format!("{SELECT} WHERE w.no = $1"), &[&no])?)
}

pub(super) fn version(db: &Db<'_>, no: i64) -> Result<i64> {
    let sql = "SELECT version FROM hookbox_webhook WHERE no = $1";
    number(&db.row(sql, &[&no])?, "version")
}

pub(super) fn list(
    db: &Db<'_>,
    app: &AppId,
    filter: &WebhookFilter,
    after: i64,
    max: usize,
) -> Result<Vec<Numbered<Webhook>>> {
    let found = db.query(
        &format!(
            "{SELECT} WHERE w.app_id = $1 AND w.no > $2
                 AND ($3::BOOLEAN IS NULL OR w.enabled = $3)
                 AND ($4::TEXT IS NULL OR w.environment = $4)
             ORDER BY w.no LIMIT $5"
        ),
        &[
            &app.as_str(),
            &after,
            &filter.enabled,
            &filter.environment.as_ref().map(Environment::as_str),
            &limit(max),
        ],
    )?;
    let numbered = found.iter().map(|row| {
        Ok(Numbered {
            no: number(row, "no")?,
            row: rows::webhook(row)?.webhook,
        })
    });
    numbered.collect()
}

pub(super) fn update(db: &Db<'_>, no: i64, after: &StoredWebhook) -> Result<()> {
    let webhook = &after.webhook;
    db.execute(
        "UPDATE hookbox_webhook SET url = $2, events = $3, verified = $4, enabled = $5,
             description = $6, environment = $7, overrides = $8, header_names = $9,
             has_basic_auth = $10, sealed = $11, updated_at = $12, last_enabled_at = $13,
             last_disabled_at = $14, version = floor(random() * 9007199254740992)::BIGINT
         WHERE no = $1",
        &[
            &no,
            &webhook.url.as_str(),
            &to_json(&webhook.events)?,
            &webhook.verified,
            &webhook.enabled,
            &webhook.description,
            &webhook.environment.as_ref().map(Environment::as_str),
            &to_json(&webhook.overrides)?,
            &to_json(&webhook.header_names)?,
            &webhook.has_basic_auth,
            &after.sealed,
            &webhook.updated_at.as_millis(),
            &millis(webhook.last_enabled_at),
            &millis(webhook.last_disabled_at),
        ],
    )?;
    Ok(())
}

pub(super) fn delete(db: &Db<'_>, no: i64) -> Result<()> {
    // Its state, subscriptions and replays go with it by their foreign keys.
    for sql in [
        "DELETE FROM hookbox_attempt WHERE webhook_no = $1",
        "DELETE FROM hookbox_batch WHERE webhook_no = $1",
        "DELETE FROM hookbox_webhook WHERE no = $1",
    ] {
        db.execute(sql, &[&no])?;
    }
    Ok(())
}

/// The subscriptions of these webhooks; what cannot be read is that webhook's own error.
pub(super) fn subscriptions(
    db: &Db<'_>,
    webhooks: &[i64],
) -> Result<HashMap<i64, Result<Vec<Subscription>>>> {
    let found = db.query(
        "SELECT webhook_no, type, from_position, until_position, environment
         FROM hookbox_subscription
         WHERE webhook_no = ANY ($1) ORDER BY webhook_no, type, from_position",
        &[&webhooks],
    )?;
    let mut all: HashMap<i64, Result<Vec<Subscription>>> =
        webhooks.iter().map(|no| (*no, Ok(Vec::new()))).collect();
    for row in &found {
        let of_webhook = all.entry(number(row, "webhook_no")?);
        let list = of_webhook.or_insert_with(|| Ok(Vec::new()));
        match (list.as_mut(), subscription(row)) {
            (Ok(list), Ok(held)) => list.push(held),
            (Ok(_), Err(error)) => *list = Err(error),
            (Err(_), _) => {}
        }
    }
    Ok(all)
}

fn subscription(row: &postgres::Row) -> Result<Subscription> {
    Ok(Subscription {
        event_type: text(row, "type")?.to_owned(),
        from: number(row, "from_position")?,
        until: row.try_get("until_position")?,
        environment: rows::named_or_null(row, "environment")?,
    })
}

pub(super) fn replace_subscriptions(
    db: &Db<'_>,
    app: &AppId,
    no: i64,
    subscriptions: &[Subscription],
) -> Result<()> {
    let sql = "DELETE FROM hookbox_subscription WHERE webhook_no = $1";
    db.execute(sql, &[&no])?;
    for held in subscriptions {
        db.execute(
            "INSERT INTO hookbox_subscription
                 (webhook_no, type, from_position, until_position, environment, app_id)
             VALUES ($1, $2, $3, $4, $5, $6)",
            &[
                &no,
                &held.event_type,
                &held.from,
                &held.until,
                &held.environment.as_ref().map(Environment::as_str),
                &app.as_str(),
            ],
        )?;
    }
    Ok(())
}

pub(super) fn delete_passed_subscriptions(db: &Db<'_>) -> Result<()> {
    db.execute(
        "DELETE FROM hookbox_subscription u USING hookbox_webhook_state s
         WHERE s.webhook_no = u.webhook_no AND u.until_position <= s.cursor",
        &[],
    )?;
    Ok(())
}

/// Webhooks with a subscription that covers the event, and a cursor that has not reached it.
pub(super) fn awaited_by(db: &Db<'_>, event: &Event, max: usize) -> Result<Vec<WebhookId>> {
    let found = db.query(
        "SELECT DISTINCT w.no, w.id FROM hookbox_subscription u
         JOIN hookbox_webhook_state s ON s.webhook_no = u.webhook_no
         JOIN hookbox_webhook w ON w.no = u.webhook_no
         WHERE u.app_id = $1 AND u.type IN ($2, '*') AND $3 > s.cursor AND $3 > u.from_position
             AND (u.until_position IS NULL OR $3 <= u.until_position)
             AND (u.environment IS NULL OR u.environment = $4)
         ORDER BY w.no LIMIT $5",
        &[
            &event.app_id.as_str(),
            &event.event_type.as_str(),
            &event.position,
            &event.environment.as_ref().map(Environment::as_str),
            &limit(max),
        ],
    )?;
    found.iter().map(|row| parsed(row, "id")).collect()
}
