//! Webhooks, and the log positions between which each is owed what.

use std::collections::BTreeSet;

use crate::error::Result;
use crate::model::{AppId, Event, Position, Webhook, WebhookId};
use crate::storage::tables::{Numbered, Subscription};
use crate::storage::{StoredWebhook, WebhookFilter};

use super::apps::new_version;
use super::codec::{Decoder, Encoder, bad_row};
use super::keys::{Key, Kind, last_number, second_last_number, text_at};
use super::session::{IndexEntry, KvTables};
use super::{batches, rows, state};

fn webhook_key(no: i64) -> Key {
    Key::new(Kind::Webhook).number(no)
}

pub(super) fn indexes(no: i64, app: &str, id: &str) -> Vec<IndexEntry> {
    let by_id = Encoder::default().number(no).text(app);
    vec![
        (Key::new(Kind::WebhookById).text(id), by_id.0),
        (
            Key::new(Kind::WebhookOfApp).text(app).number(no),
            Vec::new(),
        ),
    ]
}

pub(super) fn subscription_index(app: &str, no: i64, held: &Subscription) -> IndexEntry {
    let key = Key::new(Kind::SubscriptionOfType)
        .text(app)
        .text(&held.event_type)
        .number(no)
        .number(held.from);
    (key, rows::subscription_value(held))
}

pub(super) fn insert(
    tables: &KvTables<'_>,
    stored: &StoredWebhook,
    cursor: Position,
) -> Result<i64> {
    let webhook = &stored.webhook;
    let new = |no| indexes(no, webhook.app_id.as_str(), webhook.id.as_str());
    if tables.has(&new(0)[0].0)? {
        return Err(bad_row("a webhook", "there is one with this id already"));
    }
    let no = tables.next_no("webhook")?;
    tables.put(
        &webhook_key(no),
        &rows::webhook_value(stored, new_version()?)?,
    )?;
    tables.reindex(&[], &new(no))?;
    state::insert(tables, no, &webhook.app_id, cursor)?;
    Ok(no)
}

pub(super) fn number(tables: &KvTables<'_>, app: &AppId, id: &WebhookId) -> Result<Option<i64>> {
    let Some(value) = tables.get(&Key::new(Kind::WebhookById).text(id.as_str()))? else {
        return Ok(None);
    };
    let mut read = Decoder::new("a webhook's number", &value);
    let (no, of) = (read.number()?, read.text()?);
    Ok((of == app.as_str()).then_some(no))
}

/// The numbers of an app's webhooks.
pub(super) fn of_app(tables: &KvTables<'_>, app: &AppId) -> Result<Vec<i64>> {
    let range = Key::new(Kind::WebhookOfApp).text(app.as_str()).all();
    tables.collect(&range, false, usize::MAX, |key, _| {
        last_number(key).map(Some)
    })
}

fn value(tables: &KvTables<'_>, no: i64) -> Result<Vec<u8>> {
    tables
        .get(&webhook_key(no))?
        .ok_or_else(|| bad_row("a webhook", format!("number {no} is missing")))
}

pub(super) fn get(tables: &KvTables<'_>, no: i64) -> Result<StoredWebhook> {
    let mut stored = rows::webhook(&value(tables, no)?)?;
    stored.webhook.last_http_code = state::load(tables, no)?.last_http_code;
    Ok(stored)
}

pub(super) fn version(tables: &KvTables<'_>, no: i64) -> Result<i64> {
    rows::webhook_version(&value(tables, no)?)
}

pub(super) fn list(
    tables: &KvTables<'_>,
    app: &AppId,
    filter: &WebhookFilter,
    after: i64,
    limit: usize,
) -> Result<Vec<Numbered<Webhook>>> {
    let of_app = Key::new(Kind::WebhookOfApp).text(app.as_str());
    let (mut list, mut after) = (Vec::new(), after);
    loop {
        let keys = tables.keys(&of_app.clone().numbers(after, i64::MAX), limit)?;
        for key in &keys {
            after = last_number(&key.0)?;
            let row = get(tables, after)?.webhook;
            let of_environment = |wanted| row.environment.as_ref() == Some(wanted);
            if filter.enabled.is_none_or(|enabled| row.enabled == enabled)
                && filter.environment.as_ref().is_none_or(of_environment)
            {
                list.push(Numbered { no: after, row });
            }
            if list.len() >= limit {
                return Ok(list);
            }
        }
        if keys.len() < limit {
            return Ok(list);
        }
    }
}

pub(super) fn update(tables: &KvTables<'_>, no: i64, after: &StoredWebhook) -> Result<()> {
    let before = rows::webhook(&value(tables, no)?)?.webhook;
    let mut stored = after.clone();
    stored.webhook.id = before.id;
    stored.webhook.app_id = before.app_id;
    stored.webhook.created_at = before.created_at;
    tables.put(
        &webhook_key(no),
        &rows::webhook_value(&stored, new_version()?)?,
    )
}

pub(super) fn delete(tables: &KvTables<'_>, no: i64) -> Result<()> {
    let range = Key::new(Kind::BatchOfWebhook).number(no).all();
    for key in tables.keys(&range, usize::MAX)? {
        batches::delete(tables, last_number(&key.0)?)?;
    }
    let webhook = rows::webhook(&value(tables, no)?)?.webhook;
    let app = webhook.app_id.as_str();
    replace_subscriptions(tables, &webhook.app_id, no, &[])?;
    state::delete(tables, no)?;
    tables.delete_all(&Key::new(Kind::Replay).number(no).all())?;
    tables.reindex(&indexes(no, app, webhook.id.as_str()), &[])?;
    tables.delete(&webhook_key(no))
}

pub(super) fn subscriptions(tables: &KvTables<'_>, no: i64) -> Result<Vec<Subscription>> {
    let range = Key::new(Kind::Subscription).number(no).all();
    tables.collect(&range, false, usize::MAX, |key, value| {
        let (event_type, _) = text_at(key, 9)?;
        rows::subscription(event_type, last_number(key)?, value).map(Some)
    })
}

fn subscription_key(no: i64, held: &Subscription) -> Key {
    Key::new(Kind::Subscription)
        .number(no)
        .text(&held.event_type)
        .number(held.from)
}

pub(super) fn replace_subscriptions(
    tables: &KvTables<'_>,
    app: &AppId,
    no: i64,
    new: &[Subscription],
) -> Result<()> {
    let entries = |all: &[Subscription]| -> Vec<IndexEntry> {
        all.iter()
            .flat_map(|held| {
                let row = (subscription_key(no, held), rows::subscription_value(held));
                [row, subscription_index(app.as_str(), no, held)]
            })
            .collect()
    };
    tables.reindex(&entries(&subscriptions(tables, no)?), &entries(new))
}

pub(super) fn delete_passed_subscriptions(tables: &KvTables<'_>) -> Result<()> {
    let range = Key::new(Kind::Subscription).all();
    let closed: BTreeSet<i64> = tables
        .collect(&range, false, usize::MAX, |key, value| {
            let (event_type, _) = text_at(key, 9)?;
            let held = rows::subscription(event_type, last_number(key)?, value)?;
            let no = last_number(key.get(..9).unwrap_or_default())?;
            Ok(held.until.map(|_| no))
        })?
        .into_iter()
        .collect();
    for no in closed {
        let state = state::load(tables, no)?;
        let mut held = subscriptions(tables, no)?;
        held.retain(|held| held.until.is_none_or(|until| until > state.cursor));
        replace_subscriptions(tables, &state.app_id, no, &held)?;
    }
    Ok(())
}

/// The webhooks of an app with a subscription to a type or to all types that `covers`. One that
/// somebody spoiled is among them: a look at the webhook itself finds out.
pub(super) fn subscribed(
    tables: &KvTables<'_>,
    app: &str,
    event_type: &str,
    covers: impl Fn(&Subscription) -> bool,
) -> Result<BTreeSet<i64>> {
    let mut numbers = BTreeSet::new();
    for name in [event_type, Subscription::ALL_TYPES] {
        let range = Key::new(Kind::SubscriptionOfType)
            .text(app)
            .text(name)
            .all();
        let found = tables.collect(&range, false, usize::MAX, |key, value| {
            let held = rows::subscription(name, last_number(key)?, value);
            let no = second_last_number(key)?;
            Ok(held.map_or(true, |held| covers(&held)).then_some(no))
        })?;
        numbers.extend(found);
    }
    Ok(numbers)
}

/// Webhooks with a subscription that covers the event, and a cursor that has not reached it.
pub(super) fn awaited_by(
    tables: &KvTables<'_>,
    event: &Event,
    limit: usize,
) -> Result<Vec<WebhookId>> {
    let position = event.position;
    let covers = |held: &Subscription| {
        position > held.from
            && held.until.is_none_or(|until| position <= until)
            && (held.environment.is_none() || held.environment == event.environment)
    };
    let app = event.app_id.as_str();
    let mut ids = Vec::new();
    for no in subscribed(tables, app, event.event_type.as_str(), covers)? {
        if ids.len() < limit && position > state::load(tables, no)?.cursor {
            ids.push(rows::webhook(&value(tables, no)?)?.webhook.id);
        }
    }
    Ok(ids)
}
