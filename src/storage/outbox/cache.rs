//! What the claiming side keeps in memory: apps and webhooks as parsed, and two hints. All of it
//! can be lost at any time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use crate::error::{Error, Result};
use crate::model::{App, AppId, DeliveryPolicy, Timestamp};
use crate::storage::StoredWebhook;
use crate::storage::tables::Tables;

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
    apps: HashMap<String, (i64, Arc<App>)>,
    webhooks: HashMap<i64, ParsedWebhook>,
}

#[derive(Debug)]
struct ParsedWebhook {
    version: i64,
    app: Arc<App>,
    webhook: Arc<StoredWebhook>,
    policy: Arc<DeliveryPolicy>,
}

#[derive(Debug, Default)]
struct Hints {
    /// The app at which the last claim ended: the next one goes on behind it.
    last_app: String,
    /// When the last claim was.
    last_claim: Option<Timestamp>,
}

impl Cache {
    pub(super) fn next_app(&self) -> String {
        lock(&self.hints).last_app.clone()
    }

    pub(super) fn set_next_app(&self, app: &str) {
        app.clone_into(&mut lock(&self.hints).last_app);
    }

    /// Whether the clock went back since the last claim, or there was none.
    pub(super) fn clock_was_set_back(&self, now: Timestamp) -> bool {
        lock(&self.hints)
            .last_claim
            .replace(now)
            .is_none_or(|last| now < last)
    }

    /// Looks at every timer again next time: what was done on the last look is undone.
    pub(super) fn forget_clock(&self) {
        lock(&self.hints).last_claim = None;
    }

    pub(super) fn app(&self, tables: &dyn Tables, id: &AppId) -> Result<Arc<App>> {
        let not_found = || Error::AppNotFound(id.to_string());
        let version = tables.app_version(id)?.ok_or_else(not_found)?;
        if let Some((of, app)) = lock(&self.parsed).apps.get(id.as_str())
            && *of == version
        {
            return Ok(Arc::clone(app));
        }
        let app = Arc::new(tables.app(id)?.ok_or_else(not_found)?);
        let mut parsed = lock(&self.parsed);
        if parsed.apps.len() >= ENTRIES_MAX {
            parsed.apps.clear();
        }
        let entry = (version, Arc::clone(&app));
        parsed.apps.insert(id.to_string(), entry);
        Ok(app)
    }

    /// A webhook, and its app's policy under its overrides. `app` is as [`Cache::app`] gave it.
    pub(super) fn webhook(
        &self,
        tables: &dyn Tables,
        no: i64,
        app: &Arc<App>,
    ) -> Result<(Arc<StoredWebhook>, Arc<DeliveryPolicy>)> {
        let version = tables.webhook_version(no)?;
        if let Some(entry) = lock(&self.parsed).webhooks.get(&no)
            && entry.version == version
            && Arc::ptr_eq(&entry.app, app)
        {
            return Ok((Arc::clone(&entry.webhook), Arc::clone(&entry.policy)));
        }
        let webhook = Arc::new(tables.webhook(no)?);
        let policy = Arc::new(app.profile.delivery.with(&webhook.webhook.overrides));
        let mut parsed = lock(&self.parsed);
        if parsed.webhooks.len() >= ENTRIES_MAX {
            parsed.webhooks.clear();
        }
        let entry = ParsedWebhook {
            version,
            app: Arc::clone(app),
            webhook: Arc::clone(&webhook),
            policy: Arc::clone(&policy),
        };
        parsed.webhooks.insert(no, entry);
        Ok((webhook, policy))
    }
}
