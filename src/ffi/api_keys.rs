//! Keys of the management API.

use crate::model::{ApiKey, ApiKeyId, AppId, NewApiKey, Timestamp};
use crate::storage::{ApiKeyFilter, Page};

use super::apps::page_request;
use super::boundary::{Done, Output, optional_text, sized, text};
use super::error::hookbox_error;
use super::handle::{call, hookbox_box};
use super::status::hookbox_status;
use super::text::{Keep, give, give_texts, hookbox_str, hookbox_texts, page_parts, take_back};
use super::webhooks::millis;

/// What may be made as an API key. Clear it with zeros, set struct_size (HOOKBOX_NEW_API_KEY_INIT does
/// both): a key for every app, for everything, that never expires.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct hookbox_new_api_key {
    /// sizeof(hookbox_new_api_key).
    pub struct_size: u32,
    /// Requests a second in the long run: 1 to 10 000; 0 means 50. Twice as many may come at once.
    pub requests_per_second: u32,
    /// What it is for: at most 100 characters.
    pub name: hookbox_str,
    /// The one app it is for; empty: every app.
    pub app: hookbox_str,
    /// From when on it is refused, in Unix milliseconds; 0 for never.
    pub expires_at_ms: i64,
    /// Whether it is for looking only.
    pub read_only: bool,
}

const NEW_API_KEY_BYTES: usize = 56;
const _: () = assert!(size_of::<hookbox_new_api_key>() >= NEW_API_KEY_BYTES);

/// A key of the management API, without its secret part. Owned by the caller, or part of a page.
/// Immutable. Later versions may append members: do not copy it whole.
#[repr(C)]
#[derive(Debug)]
pub struct hookbox_api_key {
    /// Its id, "hbk_…": the public beginning of the key itself.
    pub id: hookbox_str,
    /// What it is for.
    pub name: hookbox_str,
    /// The one app it is for; empty: every app.
    pub app_id: hookbox_str,
    /// Whether it is for looking only.
    pub read_only: bool,
    /// Requests a second in the long run.
    pub requests_per_second: u32,
    /// When it was made, in Unix milliseconds.
    pub created_at_ms: i64,
    /// From when on it is refused, in Unix milliseconds; 0 for never.
    pub expires_at_ms: i64,
    /// When it was revoked, in Unix milliseconds; 0 when it was not.
    pub revoked_at_ms: i64,
    /// When it was used last, to the minute, in Unix milliseconds; 0 for never.
    pub last_used_at_ms: i64,
}

/// One page of a listing of API keys. Owned by the caller: free it with hookbox_api_key_page_free().
/// Immutable.
#[repr(C)]
#[derive(Debug)]
pub struct hookbox_api_key_page {
    /// The keys, the oldest first; revoked and expired ones stay listed.
    pub items: *const *const hookbox_api_key,
    /// How many.
    pub count: usize,
    /// For the next call; empty on the last page.
    pub next_cursor: hookbox_str,
}

fn view(key: &ApiKey, keep: &mut Keep) -> hookbox_api_key {
    hookbox_api_key {
        id: keep.text(key.id.to_string()),
        name: keep.text(&key.name),
        app_id: keep.optional(key.scope.as_ref().map(AppId::as_str)),
        read_only: key.read_only,
        requests_per_second: key.requests_per_second,
        created_at_ms: key.created_at.as_millis(),
        expires_at_ms: millis(key.expires_at),
        revoked_at_ms: millis(key.revoked_at),
        last_used_at_ms: millis(key.last_used_at),
    }
}

fn give_page(page: &Page<ApiKey>) -> *mut hookbox_api_key_page {
    let parts = page_parts(page, view);
    let page = hookbox_api_key_page {
        items: parts.items,
        count: parts.count,
        next_cursor: parts.next_cursor,
    };
    give(page, parts.keep)
}

unsafe fn new_api_key(given: *const hookbox_new_api_key) -> Done<NewApiKey> {
    // SAFETY: the caller of the exported function keeps what the header says.
    unsafe {
        let given = sized(given, NEW_API_KEY_BYTES, "new_api_key")?;
        let expires_at = Some(given.expires_at_ms).filter(|at| *at != 0);
        Ok(NewApiKey {
            name: text(given.name, "name")?.to_owned(),
            scope: optional_text(given.app, "app")?
                .map(AppId::parse)
                .transpose()?,
            read_only: given.read_only,
            expires_at: expires_at.map(Timestamp::from_millis),
            requests_per_second: match given.requests_per_second {
                0 => NewApiKey::REQUESTS_PER_SECOND,
                limit => limit,
            },
        })
    }
}

/// Makes an API key. `out_secret` gets the key itself as one text: the only copy, since the box keeps a
/// digest. `out_key` gets its record, and may be NULL.
///
/// Errors: HOOKBOX_INVALID_REQUEST, HOOKBOX_APP_NOT_FOUND.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hookbox_api_key_create(
    hooks: *mut hookbox_box,
    new_key: *const hookbox_new_api_key,
    out_secret: *mut *mut hookbox_texts,
    out_key: *mut *mut hookbox_api_key,
    error: *mut *mut hookbox_error,
) -> hookbox_status {
    // SAFETY: the caller keeps what the header says.
    unsafe {
        call(hooks, error, |hooks| {
            let secret = Output::new(out_secret, "out_secret")?;
            let out = Output::optional(out_key, "out_key")?;
            let created = hooks.create_api_key(new_api_key(new_key)?)?;
            if out.is_wanted() {
                let mut keep = Keep::default();
                out.set(give(view(&created.key, &mut keep), keep));
            }
            secret.set(give_texts([created.secret.expose()]));
            Ok(())
        })
    }
}

/// Lists API keys: those of one app, or all (empty); at most `limit` (1 to 1000; 0 means 100), after the
/// page that gave `cursor`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hookbox_api_key_list(
    hooks: *const hookbox_box,
    app: hookbox_str,
    cursor: hookbox_str,
    limit: usize,
    out_page: *mut *mut hookbox_api_key_page,
    error: *mut *mut hookbox_error,
) -> hookbox_status {
    // SAFETY: the caller keeps what the header says.
    unsafe {
        call(hooks, error, |hooks| {
            let out = Output::new(out_page, "out_page")?;
            let app = optional_text(app, "app")?;
            let filter = ApiKeyFilter {
                scope: app.map(AppId::parse).transpose()?,
            };
            out.set(give_page(
                &hooks.api_keys(filter, page_request(cursor, limit)?)?,
            ));
            Ok(())
        })
    }
}

/// Revokes an API key, for good. Revoking it again changes nothing.
///
/// Errors: HOOKBOX_API_KEY_NOT_FOUND.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hookbox_api_key_revoke(
    hooks: *mut hookbox_box,
    key: hookbox_str,
    error: *mut *mut hookbox_error,
) -> hookbox_status {
    // SAFETY: the caller keeps what the header says.
    unsafe {
        call(hooks, error, |hooks| {
            hooks.revoke_api_key(&ApiKeyId::parse(text(key, "key")?)?)?;
            Ok(())
        })
    }
}

/// Frees an API key's record that was given by itself. NULL is ignored.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hookbox_api_key_free(key: *mut hookbox_api_key) {
    // SAFETY: it came from `give`, and is not used again.
    unsafe { take_back(key) }
}

/// Frees a page and the records in it. NULL is ignored.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hookbox_api_key_page_free(page: *mut hookbox_api_key_page) {
    // SAFETY: it came from `give`, and is not used again.
    unsafe { take_back(page) }
}
