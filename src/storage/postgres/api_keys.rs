//! Keys of the management API.

use crate::error::Result;
use crate::model::{ApiKey, ApiKeyId, AppId, Timestamp};
use crate::storage::{ApiKeyFilter, StoredApiKey};

use super::rows::{self, millis};
use super::session::{Db, limit};

pub(super) fn insert(db: &Db<'_>, stored: &StoredApiKey) -> Result<()> {
    let key = &stored.key;
    db.execute(
        "INSERT INTO hookbox_api_key (id, digest, name, app_id, read_only, requests_per_second,
             created_at, expires_at, revoked_at, last_used_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        &[
            &key.id.to_string(),
            &stored.digest.as_slice(),
            &key.name,
            &key.scope.as_ref().map(AppId::as_str),
            &key.read_only,
            &i64::from(key.requests_per_second),
            &key.created_at.as_millis(),
            &millis(key.expires_at),
            &millis(key.revoked_at),
            &millis(key.last_used_at),
        ],
    )?;
    Ok(())
}

pub(super) fn get(db: &Db<'_>, id: &ApiKeyId) -> Result<Option<StoredApiKey>> {
    let sql = "SELECT * FROM hookbox_api_key WHERE id = $1";
    let found = db.row_or_none(sql, &[&id.to_string()])?;
    found.map(|row| rows::api_key(&row)).transpose()
}

pub(super) fn list(
    db: &Db<'_>,
    filter: &ApiKeyFilter,
    after: &str,
    max: usize,
) -> Result<Vec<ApiKey>> {
    let sql = "SELECT * FROM hookbox_api_key
         WHERE id > $1 AND ($2::TEXT IS NULL OR app_id = $2::TEXT) ORDER BY id LIMIT $3";
    let scope = filter.scope.as_ref().map(AppId::as_str);
    let found = db.query(sql, &[&after, &scope, &limit(max)])?;
    let keys = found.iter().map(rows::api_key);
    keys.map(|stored| stored.map(|stored| stored.key)).collect()
}

pub(super) fn revoke(db: &Db<'_>, id: &ApiKeyId, at: Timestamp) -> Result<()> {
    let sql = "UPDATE hookbox_api_key SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL";
    db.execute(sql, &[&id.to_string(), &at.as_millis()])?;
    Ok(())
}

pub(super) fn note_use(db: &Db<'_>, id: &ApiKeyId, at: Timestamp) -> Result<()> {
    let sql = "UPDATE hookbox_api_key SET last_used_at = $2
         WHERE id = $1 AND coalesce(last_used_at < $2, TRUE)";
    db.execute(sql, &[&id.to_string(), &at.as_millis()])?;
    Ok(())
}

pub(super) fn delete_of_app(db: &Db<'_>, app: &AppId) -> Result<()> {
    let sql = "DELETE FROM hookbox_api_key WHERE app_id = $1";
    db.execute(sql, &[&app.as_str()])?;
    Ok(())
}
