//! The default authorizer: the box's own API keys, sent as `Authorization: Bearer hbk_…` (RFC 6750).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::Hookbox;
use crate::model::{ApiKey, ApiKeyId, Timestamp};

use super::bucket::{Bucket, Rate};
use super::{Access, Authorizer, Denied, Grant, Request, Scope};

/// A key's use is noted once in this time: one write, not one for each request.
const NOTED_EVERY: Duration = Duration::from_secs(60);

/// Keys whose requests are counted at once. Whoever has not asked for longest is forgotten first,
/// whose bucket is full again anyway unless ten thousand others asked within two seconds.
const COUNTED_MAX: usize = 10_000;

/// What is presented and is no valid key, from everybody together. Beyond it the answer is "too many
/// requests".
const WRONG: Rate = Rate {
    per_second: 10,
    burst: 50,
};

/// The box's own API keys. Without any, nobody is let in.
///
/// Each request reads its key's record anew, by its id, so that one revoked in another process is
/// refused at once. Each key has a token bucket, and what is no valid key has one for all together:
/// it is taken from only after a key was found to be wrong, so strangers can neither use up a holder's
/// requests nor lock a holder out. The counts are this value's own: share one for a whole process;
/// several processes count for themselves.
#[derive(Debug)]
pub struct ApiKeys {
    hooks: Arc<Hookbox>,
    counts: Mutex<Counts>,
}

#[derive(Debug)]
struct Counts {
    by_key: HashMap<ApiKeyId, Count>,
    wrong: Bucket,
}

#[derive(Debug)]
struct Count {
    bucket: Bucket,
    /// When its use was last noted, or should have been: one that could not be is not tried again
    /// at once.
    noted_at: Option<Timestamp>,
}

impl ApiKeys {
    /// The keys of a box.
    #[must_use]
    pub fn new(hooks: Arc<Hookbox>) -> Self {
        let wrong = Bucket::full(WRONG, hooks.now());
        Self {
            hooks,
            counts: Mutex::new(Counts {
                by_key: HashMap::new(),
                wrong,
            }),
        }
    }

    /// Every state under the lock is whole, so a panic in a holder leaves nothing to fear.
    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that a key was used. A storage that takes no writes refuses nobody who only looks, so
    /// an error is passed over here: the next minute tries again.
    fn note_use(&self, key: &ApiKey, now: Timestamp) {
        let storage = self.hooks.storage();
        if !storage.is_read_only() {
            let _ = storage.note_api_key_use(&key.id, now);
        }
    }
}

impl Authorizer for ApiKeys {
    fn authorize(&self, request: &Request) -> Result<Grant, Denied> {
        let authorization = authorization(request).ok_or(Denied::Unauthorized)?;
        let found = match bearer(authorization) {
            Some(text) => self.hooks.check_api_key(text),
            None => Ok(None),
        };
        let found = found.map_err(|_| Denied::Unavailable)?;
        let now = self.hooks.now();
        let Some(key) = found else {
            return Err(self.counts().refuse(now));
        };
        if self.counts().count(&key, now)? {
            self.note_use(&key, now);
        }
        Ok(Grant {
            access: if key.read_only {
                Access::ReadOnly
            } else {
                Access::Full
            },
            scope: key.scope.map_or(Scope::All, Scope::App),
        })
    }
}

impl Counts {
    /// What is answered to a key that is wrong.
    fn refuse(&mut self, now: Timestamp) -> Denied {
        match self.wrong.take(WRONG, now) {
            Ok(()) => Denied::Unauthorized,
            Err(retry_after) => Denied::RateLimited { retry_after },
        }
    }

    /// Counts a request; says whether the use of its key is to be noted.
    fn count(&mut self, key: &ApiKey, now: Timestamp) -> Result<bool, Denied> {
        if self.by_key.len() >= COUNTED_MAX && !self.by_key.contains_key(&key.id) {
            self.forget_one();
        }
        let rate = Rate {
            per_second: key.requests_per_second,
            burst: key.requests_per_second.saturating_mul(2),
        };
        let count = self.by_key.entry(key.id).or_insert_with(|| Count {
            bucket: Bucket::full(rate, now),
            noted_at: None,
        });
        let taken = count.bucket.take(rate, now);
        taken.map_err(|retry_after| Denied::RateLimited { retry_after })?;
        // Another process may have noted it.
        let is_due = is_old(key.last_used_at, now) && is_old(count.noted_at, now);
        if is_due {
            count.noted_at = Some(now);
        }
        Ok(is_due)
    }

    fn forget_one(&mut self) {
        let oldest = self
            .by_key
            .iter()
            .min_by_key(|(_, count)| count.bucket.used_at());
        if let Some(id) = oldest.map(|(id, _)| *id) {
            self.by_key.remove(&id);
        }
    }
}

/// Whether a use was noted too long ago; one in the future was noted by a clock that was ahead.
fn is_old(noted_at: Option<Timestamp>, now: Timestamp) -> bool {
    noted_at.is_none_or(|at| now < at || now.since(at) >= NOTED_EVERY)
}

/// The request's `Authorization`. Two of them are refused like none: who checks one and who acts on the
/// other must not differ.
fn authorization(request: &Request) -> Option<&str> {
    let mut found = request
        .headers
        .iter()
        .filter(|(name, _)| name.eq_ignore_ascii_case("authorization"));
    let (_, value) = found.next()?;
    found.next().is_none().then_some(value)
}

/// What follows `Bearer`, a name in any case (RFC 9110, section 11.1), and spaces.
fn bearer(authorization: &str) -> Option<&str> {
    let (scheme, rest) = authorization.trim().split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("bearer")
        .then(|| rest.trim_start_matches(' '))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Timestamp {
        Timestamp::default().plus(Duration::from_millis(millis))
    }

    fn key(number: u64) -> ApiKey {
        ApiKey {
            id: ApiKeyId::new(at(0), number.into()),
            name: String::new(),
            scope: None,
            read_only: false,
            requests_per_second: 1,
            created_at: at(0),
            expires_at: None,
            revoked_at: None,
            last_used_at: None,
        }
    }

    #[test]
    fn memory_is_bounded_and_forgets_the_longest_silent() {
        let mut counts = Counts {
            by_key: HashMap::new(),
            wrong: Bucket::full(WRONG, at(0)),
        };
        let max = u64::try_from(COUNTED_MAX).unwrap();
        for number in 0..max + 100 {
            counts.count(&key(number), at(number)).unwrap();
        }
        assert_eq!(counts.by_key.len(), COUNTED_MAX);
        assert!(!counts.by_key.contains_key(&key(99).id));
        assert!(counts.by_key.contains_key(&key(100).id));
    }

    #[test]
    fn bearer_is_read_as_the_rfcs_write_it() {
        for text in ["Bearer abc", "bearer abc", "BEARER   abc", " Bearer abc "] {
            assert_eq!(bearer(text), Some("abc"), "{text}");
        }
        for text in ["", "abc", "Bearer", "Basic abc", "Bearerabc", "Bearer\tabc"] {
            assert_eq!(bearer(text), None, "{text}");
        }
    }
}
