//! Webhooks, and the log positions between which each is owed what.

use std::collections::BTreeSet;

use crate::error::{Error, Result};
use crate::machine::{Input, step};
use crate::model::{
    AppId, BatchStatus, Class, Environment, EventType, Events, Ordering, Position, Profile,
    Timestamp, Webhook, WebhookId,
};
use crate::storage::tables::{Subscription, Tables};
use crate::storage::{EditWebhook, Page, PageRequest, StoredWebhook, WebhookFilter};

use super::{apps, schedule};

pub(super) fn create(tables: &dyn Tables, stored: &StoredWebhook) -> Result<()> {
    let webhook = &stored.webhook;
    apps::require_enabled(tables, &webhook.app_id)?;
    require_types(tables, &webhook.events, &Events::Only(Vec::new()))?;
    tables.lock_log()?;
    let head = tables.head()?;
    let no = tables.insert_webhook(stored, head)?;
    tables.replace_subscriptions(&webhook.app_id, no, &opened(webhook, head))
}

/// A webhook's row number.
pub(super) fn number(tables: &dyn Tables, app: &AppId, id: &WebhookId) -> Result<i64> {
    apps::state(tables, app)?;
    tables
        .webhook_no(app, id)?
        .ok_or_else(|| Error::WebhookNotFound(id.clone()))
}

pub(super) fn get(tables: &dyn Tables, app: &AppId, id: &WebhookId) -> Result<StoredWebhook> {
    tables.webhook(number(tables, app, id)?)
}

pub(super) fn list(
    tables: &dyn Tables,
    app: &AppId,
    filter: &WebhookFilter,
    page: &PageRequest,
) -> Result<Page<Webhook>> {
    apps::state(tables, app)?;
    let after = page.cursor_number()?.unwrap_or(0);
    let found = tables.webhooks(app, filter, after, page.limit() + 1)?;
    let rows = found.into_iter().map(|one| (one.no.to_string(), one.row));
    Ok(Page::from_rows(rows.collect(), page.limit()))
}

pub(super) fn edit(
    tables: &dyn Tables,
    app: &AppId,
    id: &WebhookId,
    edit: &EditWebhook,
) -> Result<StoredWebhook> {
    let enabled = apps::require_enabled(tables, app);
    let no = number(tables, app, id).or_else(|error| enabled.clone().and(Err(error)))?;
    tables.lock_log()?;
    tables.lock_webhook(no)?;
    let before = tables.webhook(no)?;
    let mut after = before.clone();
    edit(&mut after).or_else(|error| enabled.clone().and(Err(error)))?;
    let only_sealed_anew = after.webhook == before.webhook && after.sealed != before.sealed;
    if !only_sealed_anew {
        enabled?;
    }
    require_types(tables, &after.webhook.events, &before.webhook.events)?;
    save(tables, no, &before.webhook, &after)?;
    tables.webhook(no)
}

pub(super) fn delete(tables: &dyn Tables, app: &AppId, id: &WebhookId) -> Result<()> {
    apps::require_enabled(tables, app)?;
    let no = number(tables, app, id)?;
    tables.lock_webhook(no)?;
    tables.delete_webhook(no)
}

/// Stores a changed webhook, and brings its subscriptions and batches in step. The log and the
/// webhook are locked.
pub(super) fn save(
    tables: &dyn Tables,
    no: i64,
    before: &Webhook,
    after: &StoredWebhook,
) -> Result<()> {
    let webhook = &after.webhook;
    tables.update_webhook(no, after)?;
    match (before.is_active(), webhook.is_active()) {
        (true, false) => each_batch(
            tables,
            no,
            BatchStatus::Waiting,
            Input::Park,
            webhook.updated_at,
        )?,
        (false, true) => each_batch(
            tables,
            no,
            BatchStatus::Parked,
            Input::Unpark,
            webhook.updated_at,
        )?,
        _ => {}
    }
    let mut state = tables.state(no)?;
    if heard(before) != heard(webhook) {
        let head = tables.head()?;
        let mut spans = tables.subscriptions(no)?;
        close(&mut spans, head, state.cursor);
        // What was owed may not be routed yet; closing must not hide it.
        state.has_backlog |= !spans.is_empty();
        spans.extend(opened(webhook, head));
        tables.replace_subscriptions(&webhook.app_id, no, &spans)?;
    }
    if webhook.is_active() && !before.is_active() {
        state.health.reset();
        state.class = Class::Untried;
    }
    schedule::mark(&mut state);
    tables.save_state(&state)
}

/// What an active webhook hears: types and environment.
fn heard(webhook: &Webhook) -> (BTreeSet<String>, Option<&str>) {
    let types = match &webhook.events {
        _ if !webhook.is_active() => BTreeSet::new(),
        Events::All => BTreeSet::from([Subscription::ALL_TYPES.to_owned()]),
        Events::Only(types) => types.iter().map(ToString::to_string).collect(),
    };
    let environment = webhook.environment.as_ref().map(Environment::as_str);
    (types, environment)
}

/// Types newly named must be in the catalogue; those named before may have left it since.
fn require_types(tables: &dyn Tables, after: &Events, before: &Events) -> Result<()> {
    let known: &[EventType] = match before {
        Events::Only(types) => types,
        Events::All => &[],
    };
    match after {
        Events::All => Ok(()),
        Events::Only(types) => types
            .iter()
            .filter(|name| !known.contains(name))
            .try_for_each(|name| apps::require_event_type(tables, name)),
    }
}

/// The subscriptions of a webhook as it is, from a position on.
fn opened(webhook: &Webhook, head: Position) -> Vec<Subscription> {
    let (types, _) = heard(webhook);
    let open = |event_type| Subscription {
        event_type,
        from: head,
        until: None,
        environment: webhook.environment.clone(),
    };
    types.into_iter().map(open).collect()
}

/// Ends what is open at `head`. Spans that hold no position, and closed ones that the cursor has
/// passed, are dropped: they owe nothing.
fn close(subscriptions: &mut Vec<Subscription>, head: Position, cursor: Position) {
    subscriptions.retain_mut(|held| {
        let until = *held.until.get_or_insert(head);
        until > held.from.max(cursor)
    });
}

fn each_batch(
    tables: &dyn Tables,
    no: i64,
    status: BatchStatus,
    input: Input,
    now: Timestamp,
) -> Result<()> {
    // Neither input looks at the policy.
    let policy = Profile::default().delivery;
    for mut row in tables.unsettled(no, status, Ordering::None, usize::MAX)? {
        // The status was just selected: the machine takes the input.
        if step(&mut row.batch, input, now, &policy, 0).is_ok() {
            tables.update_batch(&row)?;
        }
    }
    Ok(())
}
