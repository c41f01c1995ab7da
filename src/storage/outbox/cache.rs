//! What the claiming side keeps in memory: apps and webhooks as parsed, and two hints. All of it
//! can be lost at any time.

use std::collections::HashMap;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::model::{App, AppId, AppState, DeliveryPolicy, Timestamp};
use crate::storage::StoredWebhook;
use crate::storage::tables::{Subscription, Tables};
use crate::sync::Mutex;

use super::exchange::Exchange;
use super::lock;

/// Entries kept before the cache starts anew.
const ENTRIES_MAX: usize = 20_000;

#[derive(Debug, Default)]
pub(super) struct Cache {
    parsed: Mutex<Parsed>,
    hints: Mutex<Hints>,
}

/// Apps and webhooks as parsed. A version is a random number that each change sets anew, so an
/// entry made in a transaction that was rolled back is never taken for a later change.
#[derive(Debug, Default)]
struct Parsed {
    apps: HashMap<String, ParsedApp>,
    webhooks: HashMap<i64, ParsedWebhook>,
}

#[derive(Debug)]
struct ParsedApp {
    version: i64,
    /// The version of the whole registry when this was last seen to be current.
    registry: Option<i64>,
    app: Arc<App>,
}

#[derive(Debug)]
struct ParsedWebhook {
    version: i64,
    registry: Option<i64>,
    subject: Subject,
}

/// A webhook with all that decides about it.
#[derive(Debug, Clone)]
pub(super) struct Subject {
    pub(super) app: Arc<App>,
    pub(super) webhook: Arc<StoredWebhook>,
    /// The app's policy under the webhook's overrides.
    pub(super) policy: Arc<DeliveryPolicy>,
    /// What it is or was subscribed to. A span that its cursor has passed may be gone by now: it owes
    /// nothing.
    pub(super) subscriptions: Arc<[Subscription]>,
}

impl Subject {
    pub(super) fn may_send(&self) -> bool {
        self.app.state == AppState::Enabled && self.webhook.webhook.is_active()
    }
}

#[derive(Debug, Default)]
struct Hints {
    /// The app at which the last claim ended: the next one goes on behind it.
    last_app: String,
    /// When the last exchange was.
    last_exchange: Option<Timestamp>,
    /// The clock went back since the last claim.
    was_set_back: bool,
}

impl Cache {
    pub(super) fn next_app(&self) -> String {
        lock(&self.hints).last_app.clone()
    }

    pub(super) fn set_next_app(&self, app: &str) {
        app.clone_into(&mut lock(&self.hints).last_app);
    }

    /// There is an exchange at this time. One without a claim counts too: its results have set times.
    pub(super) fn saw(&self, now: Timestamp) {
        let mut hints = lock(&self.hints);
        let last = hints.last_exchange.replace(now);
        hints.was_set_back |= last.is_none_or(|last| now < last);
    }

    /// Whether the clock went back since this was last asked, or it was never asked.
    pub(super) fn clock_was_set_back(&self) -> bool {
        std::mem::take(&mut lock(&self.hints).was_set_back)
    }

    /// Looks at every timer again next time: what was done on the last look is undone.
    pub(super) fn forget_clock(&self) {
        lock(&self.hints).was_set_back = true;
    }

    /// An app, as its row says now.
    pub(super) fn app(
        &self,
        tables: &dyn Tables,
        registry: Option<i64>,
        id: &AppId,
    ) -> Result<Arc<App>> {
        let is_current = |seen: Option<i64>| registry.is_some() && seen == registry;
        if let Some(entry) = lock(&self.parsed).apps.get(id.as_str())
            && is_current(entry.registry)
        {
            return Ok(Arc::clone(&entry.app));
        }
        let not_found = || Error::AppNotFound(id.to_string());
        let version = tables.app_version(id)?.ok_or_else(not_found)?;
        if let Some(entry) = lock(&self.parsed).apps.get_mut(id.as_str())
            && entry.version == version
        {
            entry.registry = registry;
            return Ok(Arc::clone(&entry.app));
        }
        let app = Arc::new(tables.app(id)?.ok_or_else(not_found)?);
        let mut parsed = lock(&self.parsed);
        if parsed.apps.len() >= ENTRIES_MAX {
            parsed.apps.clear();
        }
        let entry = ParsedApp {
            version,
            registry,
            app: Arc::clone(&app),
        };
        parsed.apps.insert(id.to_string(), entry);
        Ok(app)
    }

    /// A webhook of an app, as their rows say now.
    pub(super) fn subject(&self, exchange: &Exchange<'_>, no: i64, app: &AppId) -> Result<Subject> {
        let (tables, registry) = (exchange.tables, exchange.registry());
        let is_current = |seen: Option<i64>| registry.is_some() && seen == registry;
        if let Some(entry) = lock(&self.parsed).webhooks.get(&no)
            && is_current(entry.registry)
        {
            return Ok(entry.subject.clone());
        }
        let app = self.app(tables, registry, app)?;
        let version = tables.webhook_version(no)?;
        if let Some(entry) = lock(&self.parsed).webhooks.get_mut(&no)
            && entry.version == version
            && Arc::ptr_eq(&entry.subject.app, &app)
        {
            entry.registry = registry;
            return Ok(entry.subject.clone());
        }
        let webhook = Arc::new(tables.webhook(no)?);
        let subject = Subject {
            policy: Arc::new(app.profile.delivery.with(&webhook.webhook.overrides)),
            subscriptions: tables.subscriptions(no)?.into(),
            app,
            webhook,
        };
        let mut parsed = lock(&self.parsed);
        if parsed.webhooks.len() >= ENTRIES_MAX {
            parsed.webhooks.clear();
        }
        let entry = ParsedWebhook {
            version,
            registry,
            subject: subject.clone(),
        };
        parsed.webhooks.insert(no, entry);
        Ok(subject)
    }
}
