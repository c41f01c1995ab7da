//! The app's keys as stored, and the signer to use now.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::clock::Random;
use crate::error::{Error, Result};
use crate::model::{AppId, JwkSet, KeyId, KeySize, SigningKey, Timestamp};
use crate::storage::{Storage, StoredKey};

use super::{AwsSigner, RsaPrivateKey, Sealer, Signer, keyring};

/// For how long an app's key list is used without reading it again. Another process's change is
/// seen after this; it is far shorter than any lead time.
const LIST_AGE_MAX: Duration = Duration::from_secs(5);

/// Signers and key lists kept in memory before the cache starts anew.
const CACHED_MAX: usize = 10_000;

/// An app's signing keys, by way of the storage; keeps ready signers in memory.
#[derive(Debug)]
pub(crate) struct KeyStore {
    storage: Arc<dyn Storage>,
    sealer: Arc<Sealer>,
    random: Arc<dyn Random>,
    cached: Mutex<Cached>,
}

#[derive(Debug, Default)]
struct Cached {
    lists: HashMap<AppId, (Timestamp, Arc<Vec<SigningKey>>)>,
    signers: HashMap<(AppId, KeyId), Arc<dyn Signer>>,
    /// Signers of the host's own (an HSM), for keys whose private part is not in the box.
    external: HashMap<(AppId, KeyId), Arc<dyn Signer>>,
}

impl KeyStore {
    /// Over a storage.
    pub(crate) fn new(
        storage: Arc<dyn Storage>,
        sealer: Arc<Sealer>,
        random: Arc<dyn Random>,
    ) -> Self {
        Self {
            storage,
            sealer,
            random,
            cached: Mutex::default(),
        }
    }

    /// A new key, sealed, that signs from `now` on: an app's first.
    pub(crate) fn generate(&self, app: &AppId, size: KeySize, now: Timestamp) -> Result<StoredKey> {
        self.seal(
            app,
            KeyId::random(self.random.bits()?),
            &RsaPrivateKey::generate(size)?,
            now,
        )
    }

    /// A key of the host's own, sealed, that signs from `now` on.
    pub(crate) fn import(
        &self,
        app: &AppId,
        kid: Option<KeyId>,
        pem: &str,
        now: Timestamp,
    ) -> Result<StoredKey> {
        let kid = match kid {
            Some(kid) => kid,
            None => KeyId::random(self.random.bits()?),
        };
        self.seal(app, kid, &RsaPrivateKey::from_pem(pem)?, now)
    }

    fn seal(
        &self,
        app: &AppId,
        kid: KeyId,
        private: &RsaPrivateKey,
        now: Timestamp,
    ) -> Result<StoredKey> {
        let der = private.to_pkcs8_der()?;
        let sealed = self
            .sealer
            .seal(self.random.as_ref(), &context(app, &kid), &der)?;
        Ok(StoredKey {
            key: SigningKey {
                app_id: app.clone(),
                public: private.public_jwk(&kid),
                kid,
                has_private_part: true,
                created_at: now,
                signs_from: now,
                signs_until: None,
                published_until: None,
            },
            sealed,
        })
    }

    /// Makes a key take over after `lead`; see [`keyring::rotate`].
    pub(crate) fn rotate(
        &self,
        new: StoredKey,
        now: Timestamp,
        lead: Duration,
        overlap: Duration,
    ) -> Result<SigningKey> {
        let (app, kid) = (new.key.app_id.clone(), new.key.kid.clone());
        let keys = self.edit(&app, move |stored| {
            let StoredKey { key, sealed } = new.clone();
            let kid = key.kid.clone();
            let list: Vec<SigningKey> = stored.iter().map(|one| one.key.clone()).collect();
            for changed in keyring::rotate(&list, key, now, lead, overlap)? {
                if changed.kid == kid {
                    stored.push(StoredKey {
                        key: changed,
                        sealed: sealed.clone(),
                    });
                } else {
                    replace(stored, changed);
                }
            }
            Ok(())
        })?;
        find(&keys, &kid)
    }

    /// Retires a key; see [`keyring::retire`].
    pub(crate) fn retire(
        &self,
        app: &AppId,
        kid: &KeyId,
        now: Timestamp,
        overlap: Duration,
    ) -> Result<SigningKey> {
        let wanted = kid.clone();
        let keys = self.edit(app, move |stored| {
            let list: Vec<SigningKey> = stored.iter().map(|one| one.key.clone()).collect();
            for changed in keyring::retire(&list, &wanted, now, overlap)? {
                replace(stored, changed);
            }
            Ok(())
        })?;
        find(&keys, kid)
    }

    fn edit(
        &self,
        app: &AppId,
        edit: impl Fn(&mut Vec<StoredKey>) -> Result<()> + Send + 'static,
    ) -> Result<Vec<SigningKey>> {
        let stored = self.storage.edit_keys(app, Box::new(edit))?;
        self.forget(app);
        Ok(stored.into_iter().map(|one| one.key).collect())
    }

    /// Seals an app's private keys anew where they are not sealed as they would be now; returns how
    /// many.
    pub(crate) fn reseal(&self, app: &AppId) -> Result<usize> {
        let stale = |stored: &&StoredKey| {
            !stored.sealed.is_empty() && !self.sealer.is_current(&stored.sealed)
        };
        let count = self.storage.keys(app)?.iter().filter(stale).count();
        if count > 0 {
            let (app_id, sealer) = (app.clone(), Arc::clone(&self.sealer));
            let random = Arc::clone(&self.random);
            self.edit(app, move |keys| {
                for stored in keys.iter_mut().filter(|stored| !stored.sealed.is_empty()) {
                    let context = context(&app_id, &stored.key.kid);
                    let anew = sealer.reseal(random.as_ref(), &context, &stored.sealed)?;
                    stored.sealed = anew.unwrap_or_else(|| std::mem::take(&mut stored.sealed));
                }
                Ok(())
            })?;
        }
        Ok(count)
    }

    /// Drops what is cached of an app.
    pub(crate) fn forget(&self, app: &AppId) {
        let mut cached = self.lock();
        cached.lists.remove(app);
        cached.signers.retain(|(of, _), _| of != app);
    }

    /// Signs with the host's own signer for this key.
    pub(crate) fn use_external(&self, app: &AppId, kid: &KeyId, signer: Arc<dyn Signer>) {
        self.lock()
            .external
            .insert((app.clone(), kid.clone()), signer);
    }

    /// All keys, oldest first.
    pub(crate) fn list(&self, app: &AppId) -> Result<Vec<SigningKey>> {
        Ok(self
            .storage
            .keys(app)?
            .into_iter()
            .map(|stored| stored.key)
            .collect())
    }

    /// The app's JWK set at `now`.
    pub(crate) fn published(&self, app: &AppId, now: Timestamp) -> Result<JwkSet> {
        Ok(keyring::published(&self.list(app)?, now))
    }

    /// The key that signs at `now`, ready to sign.
    ///
    /// # Errors
    /// [`Error::KeyUnavailable`] when there is none, or its private part cannot be used here.
    pub(crate) fn signer(&self, app: &AppId, now: Timestamp) -> Result<(KeyId, Arc<dyn Signer>)> {
        let keys = self.cached_list(app, now)?;
        let key = keyring::signing_key(&keys, now)
            .or_else(|| keyring::stand_in(&keys, now))
            .ok_or_else(|| Error::KeyUnavailable(format!("the app `{app}` has no signing key")))?;
        let index = (app.clone(), key.kid.clone());
        {
            let cached = self.lock();
            let ready = if key.has_private_part {
                cached.signers.get(&index)
            } else {
                cached.external.get(&index)
            };
            if let Some(signer) = ready {
                return Ok((index.1, Arc::clone(signer)));
            }
        }
        let sealed = self.storage.sealed_key(app, &key.kid)?;
        if sealed.is_empty() {
            return Err(Error::KeyUnavailable(format!(
                "the private part of `{}` is not in the box, and the host registered no signer for it",
                key.kid
            )));
        }
        let der = self.sealer.open(&context(app, &key.kid), &sealed)?;
        let signer: Arc<dyn Signer> =
            Arc::new(AwsSigner::new(&RsaPrivateKey::from_pkcs8_der(&der)?)?);
        let mut cached = self.lock();
        if cached.signers.len() >= CACHED_MAX {
            cached.signers.clear();
        }
        cached.signers.insert(index.clone(), Arc::clone(&signer));
        Ok((index.1, signer))
    }

    fn cached_list(&self, app: &AppId, now: Timestamp) -> Result<Arc<Vec<SigningKey>>> {
        if let Some((read_at, keys)) = self.lock().lists.get(app)
            && *read_at <= now
            && now.since(*read_at) < LIST_AGE_MAX
        {
            return Ok(Arc::clone(keys));
        }
        let keys = Arc::new(self.list(app)?);
        let mut cached = self.lock();
        if cached.lists.len() >= CACHED_MAX {
            cached.lists.clear();
        }
        cached.lists.insert(app.clone(), (now, Arc::clone(&keys)));
        Ok(keys)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Cached> {
        self.cached.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a sealed private key is bound to: it opens in no other row.
fn context(app: &AppId, kid: &KeyId) -> String {
    format!("hookbox key {app} {kid}")
}

fn replace(stored: &mut [StoredKey], changed: SigningKey) {
    if let Some(one) = stored.iter_mut().find(|one| one.key.kid == changed.kid) {
        one.key = changed;
    }
}

fn find(keys: &[SigningKey], kid: &KeyId) -> Result<SigningKey> {
    keys.iter()
        .find(|key| key.kid == *kid)
        .cloned()
        .ok_or_else(|| Error::KeyNotFound(kid.to_string()))
}
