//! Keys of the management API.

use crate::error::Result;
use crate::model::{ApiKey, ApiKeyId, AppId, Timestamp};
use crate::storage::{ApiKeyFilter, StoredApiKey};

use super::codec::{Decoder, Encoder, bad_row};
use super::keys::{Key, Kind, text_at};
use super::session::KvTables;

fn key_of(id: &ApiKeyId) -> Key {
    Key::new(Kind::ApiKey).text(&id.to_string())
}

fn value(stored: &StoredApiKey) -> Vec<u8> {
    let key = &stored.key;
    Encoder::default()
        .bytes(&stored.digest)
        .option(key.scope.as_ref(), |to, app| to.text(app.as_str()))
        .flag(key.read_only)
        .count(key.requests_per_second.into())
        .time(key.created_at)
        .option(key.expires_at, Encoder::time)
        .option(key.revoked_at, Encoder::time)
        .option(key.last_used_at, Encoder::time)
        .text(&key.name)
        .0
}

pub(super) fn parse(key: &[u8], value: &[u8]) -> Result<StoredApiKey> {
    let id = ApiKeyId::parse(text_at(key, 1)?.0).map_err(|error| bad_row("an API key", error))?;
    let mut read = Decoder::new("an API key", value);
    let digest = read.bytes()?.try_into().map_err(|error| read.bad(error))?;
    let key = ApiKey {
        id,
        scope: read.option(Decoder::parsed)?,
        read_only: read.flag()?,
        requests_per_second: read.small()?,
        created_at: read.time()?,
        expires_at: read.option(Decoder::time)?,
        revoked_at: read.option(Decoder::time)?,
        last_used_at: read.option(Decoder::time)?,
        name: read.text()?.to_owned(),
    };
    read.end()?;
    Ok(StoredApiKey { key, digest })
}

pub(super) fn insert(tables: &KvTables<'_>, stored: &StoredApiKey) -> Result<()> {
    tables.put(&key_of(&stored.key.id), &value(stored))
}

pub(super) fn get(tables: &KvTables<'_>, id: &ApiKeyId) -> Result<Option<StoredApiKey>> {
    let key = key_of(id);
    let found = tables.get(&key)?;
    found.map(|value| parse(&key.0, &value)).transpose()
}

pub(super) fn list(
    tables: &KvTables<'_>,
    filter: &ApiKeyFilter,
    after: &str,
    limit: usize,
) -> Result<Vec<ApiKey>> {
    let range = Key::new(Kind::ApiKey).texts_after(after);
    tables.collect(&range, false, limit, |key, value| {
        let key = parse(key, value)?.key;
        let matches = filter.scope.is_none() || filter.scope == key.scope;
        Ok(matches.then_some(key))
    })
}

pub(super) fn revoke(tables: &KvTables<'_>, id: &ApiKeyId, at: Timestamp) -> Result<()> {
    change(tables, id, |key| {
        key.revoked_at.get_or_insert(at);
    })
}

pub(super) fn note_use(tables: &KvTables<'_>, id: &ApiKeyId, at: Timestamp) -> Result<()> {
    change(tables, id, |key| {
        key.last_used_at = key.last_used_at.max(Some(at));
    })
}

fn change(tables: &KvTables<'_>, id: &ApiKeyId, change: impl FnOnce(&mut ApiKey)) -> Result<()> {
    if let Some(mut stored) = get(tables, id)? {
        change(&mut stored.key);
        insert(tables, &stored)?;
    }
    Ok(())
}

/// Reads all of them: they are few, and an app is rarely deleted. One that cannot be read is
/// somebody else's, and stays for `check` to find.
pub(super) fn delete_of_app(tables: &KvTables<'_>, app: &AppId) -> Result<()> {
    let range = Key::new(Kind::ApiKey).all();
    let of_app = tables.collect(&range, false, usize::MAX, |key, value| {
        let is_its = parse(key, value).is_ok_and(|stored| stored.key.scope.as_ref() == Some(app));
        Ok(is_its.then(|| Key(key.to_vec())))
    })?;
    for key in of_app {
        tables.delete(&key)?;
    }
    Ok(())
}
