//! Which of an app's keys signs, which are published, and how one follows the other
//! (contracts.md §1.4, reliability.md §4.3).
//!
//! The keys that are not retired form a *chain*: each signs until the next one starts, and the last
//! one without end. So at every moment exactly one key signs, and it is published. All functions
//! are pure; those that change keys return the changed ones, to be stored in one transaction.

use std::time::Duration;

use crate::error::{Error, Result};
use crate::model::{JwkSet, KeyId, KeyPhase, SigningKey, Timestamp};

/// The key that signs at `now`: the active one that started last.
#[must_use]
pub fn signing_key(keys: &[SigningKey], now: Timestamp) -> Option<&SigningKey> {
    keys.iter()
        .filter(|key| key.created_at <= now && key.phase(now) == KeyPhase::Active)
        .max_by_key(|key| (key.signs_from, key.created_at, &key.kid))
}

/// The key that stands in where none signs at `now`: the one that will sign first. It is published.
/// That comes of a clock that was set back behind the keys; deliveries need not wait until it gets
/// there.
#[must_use]
pub fn stand_in(keys: &[SigningKey], now: Timestamp) -> Option<&SigningKey> {
    keys.iter()
        .filter(|key| is_live(key, now))
        .min_by_key(|key| (key.signs_from, key.created_at, &key.kid))
}

/// The app's JWK set at `now`: the keys that will sign, that sign, and that signed until lately.
#[must_use]
pub fn published(keys: &[SigningKey], now: Timestamp) -> JwkSet {
    let shown = keys.iter().filter(|key| key.phase(now) != KeyPhase::Gone);
    JwkSet {
        keys: shown.map(|key| key.public.clone()).collect(),
    }
}

/// Adds a key that takes over. It is published now and signs `lead` later, so that receivers'
/// caches know it by then; the app's first key signs at once. The keys before it sign until then,
/// and stay published for `overlap` more, so that what they signed can be verified.
///
/// Since batches are signed when they are sent, `overlap` need only cover what may be under way
/// and the receivers' own queues. A key that waited for a later time than the new one's never
/// signs. `new`'s own times are ignored. Returns the changed keys, the new one last.
///
/// # Errors
/// [`Error::InvalidKey`] when the app has a key with this kid already.
pub fn rotate(
    keys: &[SigningKey],
    mut new: SigningKey,
    now: Timestamp,
    lead: Duration,
    overlap: Duration,
) -> Result<Vec<SigningKey>> {
    if keys.iter().any(|key| key.kid == new.kid) {
        return Err(Error::InvalidKey(format!(
            "the app has a key with the kid `{}` already",
            new.kid
        )));
    }
    let mut after: Vec<SigningKey> = keys.to_vec();
    new.created_at = now;
    new.signs_from = if keys.iter().any(|key| is_live(key, now)) {
        now.plus(lead)
    } else {
        now
    };
    new.signs_until = None;
    new.published_until = None;
    for key in &mut after {
        if key.phase(now) == KeyPhase::Next && key.signs_from >= new.signs_from {
            stop(key, now, overlap);
        }
    }
    after.push(new);
    relink(&mut after, now, overlap);
    Ok(changed(keys, after))
}

/// Retires a key: it signs no more from now on and is published for `overlap` more. With an
/// overlap of zero that is a revocation: receivers refuse what it signed as soon as they fetch the
/// JWK set again.
///
/// When it is the one that signs, the next key of the chain signs at once, before the end of its
/// lead time. It is published already (every key is, from its creation); a receiver that has not
/// fetched it yet refuses what it signs until it does, and the retries bridge that. When it had not
/// begun to sign, the key before it goes on in its place. A key that was retired before may be
/// unpublished sooner, never later.
///
/// Returns the changed keys.
///
/// # Errors
/// [`Error::KeyNotFound`] when there is no such key, or it is gone already;
/// [`Error::InvalidRequest`] when no other key could sign in its place: rotate first.
pub fn retire(
    keys: &[SigningKey],
    kid: &KeyId,
    now: Timestamp,
    overlap: Duration,
) -> Result<Vec<SigningKey>> {
    let mut after: Vec<SigningKey> = keys.to_vec();
    let key = after
        .iter_mut()
        .find(|key| key.kid == *kid && key.phase(now) != KeyPhase::Gone)
        .ok_or_else(|| Error::KeyNotFound(kid.to_string()))?;
    let was_live = is_live(key, now);
    stop(key, now, overlap);
    if was_live {
        if !after.iter().any(|key| is_live(key, now)) {
            return Err(Error::invalid(
                "kid",
                "is the only key that can sign: rotate to a new key first",
            ));
        }
        relink(&mut after, now, overlap);
    }
    Ok(changed(keys, after))
}

/// Whether a key signs, or will: whether it belongs to the chain.
fn is_live(key: &SigningKey, now: Timestamp) -> bool {
    matches!(key.phase(now), KeyPhase::Next | KeyPhase::Active)
}

/// Ends a key's signing, at once. Never lengthens anything.
fn stop(key: &mut SigningKey, now: Timestamp, overlap: Duration) {
    let earliest = |limit: Option<Timestamp>, at| Some(limit.map_or(at, |limit| limit.min(at)));
    key.signs_until = earliest(key.signs_until, now);
    key.published_until = earliest(key.published_until, now.plus(overlap));
}

/// Makes a chain of the live keys: each signs until the next one starts, the first one already.
fn relink(keys: &mut [SigningKey], now: Timestamp, overlap: Duration) {
    let mut chain: Vec<&mut SigningKey> = keys.iter_mut().filter(|key| is_live(key, now)).collect();
    // Stable: of keys that start at the same moment the one added last takes over.
    chain.sort_by_key(|key| (key.signs_from, key.created_at));
    if let Some(first) = chain.first_mut() {
        first.signs_from = first.signs_from.min(now);
    }
    let starts: Vec<Timestamp> = chain.iter().map(|key| key.signs_from).collect();
    for (index, key) in chain.into_iter().enumerate() {
        let until = starts.get(index + 1).copied();
        if key.signs_until == until {
            continue;
        }
        // A key that was to be published for some time after its end still is, after its new end.
        let tail = match (key.signs_until, key.published_until) {
            (Some(end), Some(gone)) => gone.since(end),
            _ => overlap,
        };
        key.signs_until = until;
        key.published_until = until.map(|end| end.max(now).plus(tail));
    }
}

fn changed(before: &[SigningKey], after: Vec<SigningKey>) -> Vec<SigningKey> {
    after
        .into_iter()
        .filter(|key| !before.contains(key))
        .collect()
}
