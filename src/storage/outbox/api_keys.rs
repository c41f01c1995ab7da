//! Keys of the management API.

use crate::error::{Error, Result};
use crate::model::{ApiKey, ApiKeyId, Timestamp};
use crate::storage::tables::Tables;
use crate::storage::{ApiKeyFilter, Page, PageRequest, StoredApiKey};

use super::apps;

pub(super) fn create(tables: &dyn Tables, stored: &StoredApiKey) -> Result<()> {
    if let Some(app) = &stored.key.scope {
        tables.lock_app(app)?;
        apps::state(tables, app)?;
    }
    tables.insert_api_key(stored)
}

pub(super) fn get(tables: &dyn Tables, id: &ApiKeyId) -> Result<StoredApiKey> {
    tables.api_key(id)?.ok_or(Error::ApiKeyNotFound(*id))
}

pub(super) fn list(
    tables: &dyn Tables,
    filter: &ApiKeyFilter,
    page: &PageRequest,
) -> Result<Page<ApiKey>> {
    let after = match page.cursor() {
        Some(text) => ApiKeyId::parse(text)
            .map_err(|_| Error::invalid("cursor", "is not one of ours"))?
            .to_string(),
        None => String::new(),
    };
    let keys = tables.api_keys(filter, &after, page.limit() + 1)?;
    let rows = keys.into_iter().map(|key| (key.id.to_string(), key));
    Ok(Page::from_rows(rows.collect(), page.limit()))
}

pub(super) fn revoke(tables: &dyn Tables, id: &ApiKeyId, now: Timestamp) -> Result<ApiKey> {
    tables.revoke_api_key(id, now)?;
    get(tables, id).map(|stored| stored.key)
}
