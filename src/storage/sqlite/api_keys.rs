//! Keys of the management API.

use rusqlite::{Connection, OptionalExtension};

use crate::error::Result;
use crate::model::{ApiKey, ApiKeyId, AppId, Timestamp};
use crate::storage::{ApiKeyFilter, StoredApiKey};

use super::rows::{self, millis};

pub(super) fn insert(db: &Connection, stored: &StoredApiKey) -> Result<()> {
    let key = &stored.key;
    db.prepare_cached(
        "INSERT INTO hookbox_api_key (id, digest, name, app_id, read_only, requests_per_second,
             created_at, expires_at, revoked_at, last_used_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    )?
    .execute((
        key.id.to_string(),
        stored.digest,
        &key.name,
        key.scope.as_ref().map(AppId::as_str),
        key.read_only,
        key.requests_per_second,
        key.created_at.as_millis(),
        millis(key.expires_at),
        millis(key.revoked_at),
        millis(key.last_used_at),
    ))?;
    Ok(())
}

pub(super) fn get(db: &Connection, id: &ApiKeyId) -> Result<Option<StoredApiKey>> {
    db.prepare_cached("SELECT * FROM hookbox_api_key WHERE id = ?1")?
        .query_row((id.to_string(),), |row| Ok(rows::api_key(row)))
        .optional()?
        .transpose()
}

pub(super) fn list(
    db: &Connection,
    filter: &ApiKeyFilter,
    after: &str,
    limit: usize,
) -> Result<Vec<ApiKey>> {
    let mut statement = db.prepare_cached(
        "SELECT * FROM hookbox_api_key WHERE id > ?1 AND (?2 IS NULL OR app_id = ?2)
         ORDER BY id LIMIT ?3",
    )?;
    let scope = filter.scope.as_ref().map(AppId::as_str);
    let mut found = statement.query((after, scope, limit))?;
    let mut keys = Vec::new();
    while let Some(row) = found.next()? {
        keys.push(rows::api_key(row)?.key);
    }
    Ok(keys)
}

pub(super) fn revoke(db: &Connection, id: &ApiKeyId, at: Timestamp) -> Result<()> {
    db.prepare_cached(
        "UPDATE hookbox_api_key SET revoked_at = ?2 WHERE id = ?1 AND revoked_at IS NULL",
    )?
    .execute((id.to_string(), at.as_millis()))?;
    Ok(())
}

pub(super) fn note_use(db: &Connection, id: &ApiKeyId, at: Timestamp) -> Result<()> {
    db.prepare_cached(
        "UPDATE hookbox_api_key SET last_used_at = ?2
         WHERE id = ?1 AND coalesce(last_used_at < ?2, TRUE)",
    )?
    .execute((id.to_string(), at.as_millis()))?;
    Ok(())
}

pub(super) fn delete_of_app(db: &Connection, app: &AppId) -> Result<()> {
    db.prepare_cached("DELETE FROM hookbox_api_key WHERE app_id = ?1")?
        .execute((app.as_str(),))?;
    Ok(())
}
