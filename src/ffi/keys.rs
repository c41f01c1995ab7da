//! Signing keys.

use std::time::Duration;

use crate::hookbox::Hookbox;
use crate::model::{KeyId, KeyPhase, SigningKey};

use super::apps::new_key;
use super::boundary::{Done, Output, text};
use super::error::hookbox_error;
use super::handle::{call, hookbox_box};
use super::status::hookbox_status;
use super::text::{Keep, give, give_texts, hookbox_str, hookbox_texts, take_back};
use super::webhooks::millis;

/// Published, not yet signing: receivers' caches get to know it.
pub const HOOKBOX_KEY_NEXT: i32 = 0;
/// Published and signing.
pub const HOOKBOX_KEY_ACTIVE: i32 = 1;
/// Published, no longer signing: what it signed can still be verified.
pub const HOOKBOX_KEY_RETIRED: i32 = 2;
/// No longer published.
pub const HOOKBOX_KEY_GONE: i32 = 3;

/// A signing key of an app, without its private part. Owned by the caller, or part of a list.
/// Immutable. Later versions may append members: do not copy it whole.
#[repr(C)]
#[derive(Debug)]
pub struct hookbox_key {
    /// Its id, as X-Webhook-Signature-Key-Id carries it.
    pub kid: hookbox_str,
    /// Its public part as a JSON Web Key.
    pub public_jwk: hookbox_str,
    /// What it is for now: HOOKBOX_KEY_NEXT, _ACTIVE, _RETIRED or _GONE.
    pub phase: i32,
    /// Whether the private part is in the box; else the host signs (hookbox_key_register_signer()).
    pub has_private_part: bool,
    /// Since when it is published, in Unix milliseconds.
    pub created_at_ms: i64,
    /// From when on it signs, in Unix milliseconds.
    pub signs_from_ms: i64,
    /// From when on it no longer signs, in Unix milliseconds; 0 when no key takes over yet.
    pub signs_until_ms: i64,
    /// From when on it is no longer published, in Unix milliseconds; 0 when that is not known yet.
    pub published_until_ms: i64,
}

/// A list of keys. Owned by the caller: free it with hookbox_key_list_free(). Immutable.
#[repr(C)]
#[derive(Debug)]
pub struct hookbox_key_list {
    /// The keys, oldest first.
    pub items: *const *const hookbox_key,
    /// How many.
    pub count: usize,
}

fn view(hooks: &Hookbox, key: &SigningKey, keep: &mut Keep) -> hookbox_key {
    hookbox_key {
        kid: keep.text(key.kid.as_str()),
        public_jwk: keep.text(serde_json::to_string(&key.public).unwrap_or_default()),
        phase: match key.phase(hooks.now()) {
            KeyPhase::Next => HOOKBOX_KEY_NEXT,
            KeyPhase::Active => HOOKBOX_KEY_ACTIVE,
            KeyPhase::Retired => HOOKBOX_KEY_RETIRED,
            KeyPhase::Gone => HOOKBOX_KEY_GONE,
        },
        has_private_part: key.has_private_part,
        created_at_ms: key.created_at.as_millis(),
        signs_from_ms: key.signs_from.as_millis(),
        signs_until_ms: millis(key.signs_until),
        published_until_ms: millis(key.published_until),
    }
}

/// Writes a key where it is wanted.
///
/// # Safety
/// As `Output::set` needs it.
pub(super) unsafe fn set(out: Output<*mut hookbox_key>, hooks: &Hookbox, key: &SigningKey) {
    if out.is_wanted() {
        let mut keep = Keep::default();
        // SAFETY: by the contract.
        unsafe { out.set(give(view(hooks, key, &mut keep), keep)) };
    }
}

/// The id of a key out of an argument.
///
/// # Safety
/// As `text` needs it.
pub(super) unsafe fn key_id(kid: hookbox_str) -> Done<KeyId> {
    // SAFETY: by the contract.
    Ok(KeyId::parse(unsafe { text(kid, "kid") }?)?)
}

/// Publishes a new key now, which takes over signing after `lead_ms` (0: at once); the one before stays
/// published for the overlap of the options. hookbox makes the key (`bits`: 2048, 3072 or 4096; 0 means
/// 2048) under a random id, or takes the PEM text given under the id `kid` (empty: a random one). `out_key`
/// may be NULL.
///
/// Errors: HOOKBOX_APP_NOT_FOUND, HOOKBOX_INVALID_KEY.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hookbox_key_rotate(
    hooks: *mut hookbox_box,
    app: hookbox_str,
    bits: u32,
    pem: hookbox_str,
    kid: hookbox_str,
    lead_ms: u64,
    out_key: *mut *mut hookbox_key,
    error: *mut *mut hookbox_error,
) -> hookbox_status {
    // SAFETY: the caller keeps what the header says.
    unsafe {
        call(hooks, error, |hooks| {
            let out = Output::optional(out_key, "out_key")?;
            let new = new_key(bits, pem, kid)?;
            let lead = Duration::from_millis(lead_ms);
            let key = hooks.rotate_key_after(text(app, "app")?, &new, lead)?;
            set(out, hooks, &key);
            Ok(())
        })
    }
}

/// Retires a key: it signs no more, and is published for `overlap_ms` more. With 0 it is revoked.
/// `out_key` may be NULL.
///
/// Errors: HOOKBOX_KEY_NOT_FOUND; HOOKBOX_INVALID_REQUEST when no other key could sign.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hookbox_key_retire(
    hooks: *mut hookbox_box,
    app: hookbox_str,
    kid: hookbox_str,
    overlap_ms: u64,
    out_key: *mut *mut hookbox_key,
    error: *mut *mut hookbox_error,
) -> hookbox_status {
    // SAFETY: the caller keeps what the header says.
    unsafe {
        call(hooks, error, |hooks| {
            let out = Output::optional(out_key, "out_key")?;
            let overlap = Duration::from_millis(overlap_ms);
            let key = hooks.retire_key(text(app, "app")?, &key_id(kid)?, overlap)?;
            set(out, hooks, &key);
            Ok(())
        })
    }
}

/// Lists an app's keys. Free the list with hookbox_key_list_free().
///
/// Errors: HOOKBOX_APP_NOT_FOUND.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hookbox_keys(
    hooks: *const hookbox_box,
    app: hookbox_str,
    out_list: *mut *mut hookbox_key_list,
    error: *mut *mut hookbox_error,
) -> hookbox_status {
    // SAFETY: the caller keeps what the header says.
    unsafe {
        call(hooks, error, |hooks| {
            let out = Output::new(out_list, "out_list")?;
            let mut keep = Keep::default();
            let keys = hooks.keys(text(app, "app")?)?;
            let views = keys.iter().map(|key| view(hooks, key, &mut keep)).collect();
            let (items, count) = keep.records(views);
            out.set(give(hookbox_key_list { items, count }, keep));
            Ok(())
        })
    }
}

/// The JWK set to publish for an app's receivers, as one JSON text: the keys that will sign, that sign,
/// and that signed until lately. Free it with hookbox_texts_free().
///
/// Errors: HOOKBOX_APP_NOT_FOUND.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hookbox_jwks(
    hooks: *const hookbox_box,
    app: hookbox_str,
    out_json: *mut *mut hookbox_texts,
    error: *mut *mut hookbox_error,
) -> hookbox_status {
    // SAFETY: the caller keeps what the header says.
    unsafe {
        call(hooks, error, |hooks| {
            let out = Output::new(out_json, "out_json")?;
            let set = hooks.jwks(text(app, "app")?)?;
            out.set(give_texts(
                [serde_json::to_string(&set).unwrap_or_default()],
            ));
            Ok(())
        })
    }
}

/// Seals every private key, token and secret anew that is not sealed with the current key-encryption
/// key (hookbox_options_set_key_encryption_key()). `out_count`, which may be NULL, gets how many values
/// that were. May be interrupted, and called again.
///
/// Errors: HOOKBOX_SEAL_BROKEN for a value that none of the keys opens.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hookbox_keys_reseal(
    hooks: *mut hookbox_box,
    out_count: *mut usize,
    error: *mut *mut hookbox_error,
) -> hookbox_status {
    // SAFETY: the caller keeps what the header says.
    unsafe {
        call(hooks, error, |hooks| {
            let out = Output::optional(out_count, "out_count")?;
            out.set(hooks.reseal()?);
            Ok(())
        })
    }
}

/// Frees a key that was given by itself. NULL is ignored.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hookbox_key_free(key: *mut hookbox_key) {
    // SAFETY: it came from `give`, and is not used again.
    unsafe { take_back(key) }
}

/// Frees a list and the keys in it. NULL is ignored.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hookbox_key_list_free(list: *mut hookbox_key_list) {
    // SAFETY: it came from `give`, and is not used again.
    unsafe { take_back(list) }
}
