//! What the claiming side keeps in memory: apps and webhooks as parsed, and two hints. All of it
//! can be lost at any time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use rusqlite::{Connection, OptionalExtension};

use crate::error::{Error, Result};
use crate::model::{App, AppId, DeliveryPolicy, Timestamp};
use crate::storage::StoredWebhook;

use super::commit::lock;
use super::{apps, webhooks};

/// Entries kept before the cache starts anew.
const ENTRIES_MAX: usize = 20_000;

#[derive(Default)]
pub(super) struct Cache {
    parsed: Mutex<Parsed>,
    hints: Mutex<Hints>,
}

/// Apps and webhooks as parsed. A version is a random number that each change sets anew, so an
/// entry made in a transaction that was rolled back is never taken for a later change.
#[derive(Default)]
struct Parsed {
    apps: HashMap<String, (i64, Arc<App>)>,
    webhooks: HashMap<i64, ParsedWebhook>,
}

struct ParsedWebhook {
    version: i64,
    app_version: i64,
    webhook: Arc<StoredWebhook>,
    policy: Arc<DeliveryPolicy>,
}

#[derive(Default)]
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

    pub(super) fn app(&self, db: &Connection, id: &AppId) -> Result<Arc<App>> {
        let version: i64 = db
            .prepare_cached("SELECT version FROM hookbox_app WHERE id = ?1")?
            .query_row((id.as_str(),), |row| row.get(0))
            .optional()?
            .ok_or_else(|| Error::AppNotFound(id.to_string()))?;
        let mut parsed = lock(&self.parsed);
        if let Some((of, app)) = parsed.apps.get(id.as_str())
            && *of == version
        {
            return Ok(Arc::clone(app));
        }
        let app = Arc::new(apps::get(db, id)?);
        if parsed.apps.len() >= ENTRIES_MAX {
            parsed.apps.clear();
        }
        parsed
            .apps
            .insert(id.to_string(), (version, Arc::clone(&app)));
        Ok(app)
    }

    /// A webhook, and its app's policy under its overrides.
    pub(super) fn webhook(
        &self,
        db: &Connection,
        no: i64,
        app: &App,
    ) -> Result<(Arc<StoredWebhook>, Arc<DeliveryPolicy>)> {
        let (version, app_version): (i64, i64) = db
            .prepare_cached(
                "SELECT w.version, a.version FROM hookbox_webhook w
                 JOIN hookbox_app a ON a.id = w.app_id WHERE w.no = ?1",
            )?
            .query_row((no,), |row| Ok((row.get(0)?, row.get(1)?)))?;
        let mut parsed = lock(&self.parsed);
        if let Some(entry) = parsed.webhooks.get(&no)
            && (entry.version, entry.app_version) == (version, app_version)
        {
            return Ok((Arc::clone(&entry.webhook), Arc::clone(&entry.policy)));
        }
        let webhook = Arc::new(webhooks::by_number(db, no)?);
        let policy = Arc::new(app.profile.delivery.with(&webhook.webhook.overrides));
        if parsed.webhooks.len() >= ENTRIES_MAX {
            parsed.webhooks.clear();
        }
        let entry = ParsedWebhook {
            version,
            app_version,
            webhook: Arc::clone(&webhook),
            policy: Arc::clone(&policy),
        };
        parsed.webhooks.insert(no, entry);
        Ok((webhook, policy))
    }
}
