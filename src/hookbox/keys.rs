//! Signing keys.

use std::sync::Arc;
use std::time::Duration;

use crate::error::{Error, Result};
use crate::model::{AppId, Jwk, JwkSet, KeyId, Notice, SigningKey, Timestamp, WebhookId};
use crate::signing::{Signer, secrets_context};
use crate::storage::{PageRequest, StoredKey, StoredWebhook, WebhookFilter};

use super::{Hookbox, NewKey, app_id};

impl Hookbox {
    /// Publishes a new key now, which takes over signing after the lead time
    /// ([`super::Options::key_rotation`]); the one before stays published for the overlap.
    ///
    /// # Errors
    /// [`crate::Error::AppNotFound`], [`crate::Error::InvalidKey`].
    pub fn rotate_key(&self, app: &str, new: &NewKey) -> Result<SigningKey> {
        self.rotate_key_after(app, new, self.options.key_lead)
    }

    /// As [`Hookbox::rotate_key`], with a lead time of its own; none makes it sign at once.
    ///
    /// # Errors
    /// As [`Hookbox::rotate_key`].
    pub fn rotate_key_after(&self, app: &str, new: &NewKey, lead: Duration) -> Result<SigningKey> {
        let app = app_id(app)?;
        let now = self.now();
        // Before the key is made: making one takes a while.
        self.storage.get_app(&app)?;
        let stored = self.make_key(&app, new, now)?;
        self.take_over(stored, now, lead)
    }

    /// As [`Hookbox::rotate_key_after`], for a key whose private part stays with the host (an
    /// HSM): `public` is published, and `signer` signs. Register the signer again after each open
    /// with [`Hookbox::register_signer`].
    ///
    /// # Errors
    /// As [`Hookbox::rotate_key`].
    pub fn rotate_to_signer(
        &self,
        app: &str,
        public: &Jwk,
        signer: Arc<dyn Signer>,
        lead: Duration,
    ) -> Result<SigningKey> {
        let app_id = app_id(app)?;
        let now = self.now();
        let kid = KeyId::parse(&public.kid)?;
        let public = crate::signing::RsaPublicKey::from_jwk(public)?.to_jwk(&kid);
        let key = SigningKey {
            app_id: app_id.clone(),
            kid: kid.clone(),
            public,
            has_private_part: false,
            created_at: now,
            signs_from: now,
            signs_until: None,
            published_until: None,
        };
        let stored = StoredKey {
            key,
            sealed: Vec::new(),
        };
        let key = self.take_over(stored, now, lead)?;
        self.keys.use_external(&app_id, &kid, signer);
        Ok(key)
    }

    /// Signs with the host's own signer for a key that was added by [`Hookbox::rotate_to_signer`].
    /// Until it is registered, deliveries of that app wait.
    ///
    /// # Errors
    /// [`crate::Error::AppNotFound`] when the text cannot be an app's id.
    pub fn register_signer(&self, app: &str, kid: &KeyId, signer: Arc<dyn Signer>) -> Result<()> {
        self.keys.use_external(&app_id(app)?, kid, signer);
        Ok(())
    }

    /// Retires a key: it signs no more, and is published for `overlap` more. With an overlap of zero
    /// it is revoked.
    ///
    /// # Errors
    /// [`crate::Error::KeyNotFound`]; [`crate::Error::InvalidRequest`] when no other key could sign.
    pub fn retire_key(&self, app: &str, kid: &KeyId, overlap: Duration) -> Result<SigningKey> {
        self.keys.retire(&app_id(app)?, kid, self.now(), overlap)
    }

    /// An app's keys, oldest first.
    ///
    /// # Errors
    /// [`crate::Error::AppNotFound`].
    pub fn keys(&self, app: &str) -> Result<Vec<SigningKey>> {
        self.keys.list(&app_id(app)?)
    }

    /// The JWK set to publish for an app's receivers: the keys that will sign, that sign, and that
    /// signed until lately.
    ///
    /// # Errors
    /// [`crate::Error::AppNotFound`].
    pub fn jwks(&self, app: &str) -> Result<JwkSet> {
        self.keys.published(&app_id(app)?, self.now())
    }

    /// Seals every private key, token and secret anew that is not sealed with the current
    /// key-encryption key: after one was given for the first time, changed, or taken away
    /// ([`super::Options::key_encryption_key`]). Returns how many values were sealed anew. May be
    /// interrupted, and called again. What the file held before may linger in its free pages: make a
    /// compact copy ([`Hookbox::backup`]) and go on with that one to be rid of it.
    ///
    /// # Errors
    /// [`crate::Error::SealBroken`] for a value that none of the keys opens; storage errors.
    pub fn reseal(&self) -> Result<usize> {
        let mut count = 0;
        let mut apps = PageRequest::default();
        loop {
            let page = self.storage.list_apps(apps.clone())?;
            for app in &page.items {
                // An app that was deleted meanwhile has nothing left to seal.
                match self.reseal_app(&app.id) {
                    Err(Error::AppNotFound(_)) => {}
                    resealed => count += resealed?,
                }
            }
            if page.next_cursor.is_none() {
                return Ok(count);
            }
            apps = apps.after(page.next_cursor);
        }
    }

    fn reseal_app(&self, app: &AppId) -> Result<usize> {
        let mut count = self.keys.reseal(app)?;
        let mut webhooks = PageRequest::default();
        loop {
            let filter = WebhookFilter::default();
            let page = self.storage.list_webhooks(app, filter, webhooks.clone())?;
            for webhook in &page.items {
                match self.reseal_webhook(app, &webhook.id) {
                    Err(Error::WebhookNotFound(_)) => {}
                    resealed => count += usize::from(resealed?),
                }
            }
            if page.next_cursor.is_none() {
                return Ok(count);
            }
            webhooks = webhooks.after(page.next_cursor);
        }
    }

    fn reseal_webhook(&self, app: &AppId, id: &WebhookId) -> Result<bool> {
        let sealer = self.options.sealer.clone();
        let is_current = || -> Result<bool> {
            Ok(self
                .options
                .sealer
                .is_current(&self.storage.get_webhook(app, id)?.sealed))
        };
        if is_current()? {
            return Ok(false);
        }
        let random = Arc::clone(&self.options.random);
        let context = secrets_context(app, id);
        let edit = move |stored: &mut StoredWebhook| {
            let anew = sealer.reseal(random.as_ref(), &context, &stored.sealed)?;
            stored.sealed = anew.unwrap_or_else(|| std::mem::take(&mut stored.sealed));
            Ok(())
        };
        match self.storage.edit_webhook(app, id, Box::new(edit)) {
            // Somebody else sealed it first, and there was nothing left to change.
            Err(Error::SessionDisabled(_)) if is_current()? => Ok(false),
            edited => edited.map(|_| true),
        }
    }

    pub(super) fn make_key(&self, app: &AppId, new: &NewKey, now: Timestamp) -> Result<StoredKey> {
        match new {
            NewKey::Generate(size) => self.keys.generate(app, *size, now),
            NewKey::Import { pem, kid } => self.keys.import(app, kid.clone(), pem.expose(), now),
        }
    }

    fn take_over(&self, new: StoredKey, now: Timestamp, lead: Duration) -> Result<SigningKey> {
        let key = self.keys.rotate(new, now, lead, self.options.key_overlap)?;
        self.parts().notify(&Notice::KeyRotated {
            app_id: key.app_id.clone(),
            kid: key.kid.to_string(),
            signs_from: key.signs_from,
        });
        Ok(key)
    }
}
