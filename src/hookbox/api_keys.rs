//! Keys of the management API.

use zeroize::Zeroizing;

use crate::error::{Error, Result};
use crate::model::{ApiKey, ApiKeyId, CreatedApiKey, NewApiKey};
use crate::registry::{PresentedApiKey, SECRET_BYTES, check_new_api_key, write_api_key};
use crate::storage::{ApiKeyFilter, Page, PageRequest, StoredApiKey};

use super::Hookbox;

impl Hookbox {
    /// Makes an API key. What comes back is the only copy of it: the box keeps a digest.
    ///
    /// # Errors
    /// [`crate::Error::InvalidRequest`] for a value out of the range that [`NewApiKey`] gives;
    /// [`crate::Error::AppNotFound`] where the app that it is for is not there.
    pub fn create_api_key(&self, new: NewApiKey) -> Result<CreatedApiKey> {
        let now = self.now();
        check_new_api_key(&new, now)?;
        let random = &self.options.random;
        let id = ApiKeyId::new(now, random.bits()?);
        let mut secret = Zeroizing::new([0; SECRET_BYTES]);
        random.fill(secret.as_mut_slice())?;
        let (secret, digest) = write_api_key(id, &secret);
        let key = ApiKey {
            id,
            name: new.name,
            scope: new.scope,
            read_only: new.read_only,
            requests_per_second: new.requests_per_second,
            created_at: now,
            expires_at: new.expires_at,
            revoked_at: None,
            last_used_at: None,
        };
        let stored = StoredApiKey { key, digest };
        self.storage.create_api_key(stored.clone())?;
        let key = stored.key;
        Ok(CreatedApiKey { key, secret })
    }

    /// Lists API keys, the oldest first; revoked and expired ones stay listed.
    ///
    /// # Errors
    /// [`crate::Error::InvalidRequest`] for a cursor that is not one of ours; storage errors.
    pub fn api_keys(&self, filter: ApiKeyFilter, page: PageRequest) -> Result<Page<ApiKey>> {
        self.storage.list_api_keys(filter, page)
    }

    /// Revokes an API key, for good: every process that shares the box refuses it from its next
    /// request on. Revoking it again changes nothing.
    ///
    /// # Errors
    /// [`crate::Error::ApiKeyNotFound`].
    pub fn revoke_api_key(&self, id: &ApiKeyId) -> Result<ApiKey> {
        self.storage.revoke_api_key(id, self.now())
    }

    /// The API key that a text is, if it is one and is valid now: neither revoked nor expired. For
    /// authorizers of a host's own; it counts no requests and notes no use.
    ///
    /// # Errors
    /// Storage errors only.
    pub fn check_api_key(&self, text: &str) -> Result<Option<ApiKey>> {
        let Some(presented) = PresentedApiKey::parse(text) else {
            return Ok(None);
        };
        let stored = match self.storage.get_api_key(&presented.id) {
            Err(Error::ApiKeyNotFound(_)) => None,
            found => Some(found?),
        };
        let is_it = presented.is(stored.as_ref());
        let key = stored.filter(|_| is_it).map(|stored| stored.key);
        Ok(key.filter(|key| key.is_valid(self.now())))
    }
}
