//! Apps and the catalogue of event types.

use std::sync::Arc;

use crate::error::Result;
use crate::model::{
    App, AppId, AppState, EventType, KeyId, KeySize, Profile, Secret, SignatureScheme,
};
use crate::registry::check_profile;
use crate::storage::{Page, PageRequest};

use super::{Hookbox, app_id};

/// What may be created as an app.
#[derive(Debug, Clone)]
pub struct NewApp {
    /// 1 to 64 characters of `A-Z a-z 0-9 . _ -`, the first one alphanumeric.
    pub id: AppId,
    /// Which contract its webhooks follow; the Prelude profile by default.
    pub profile: Profile,
    /// Its first signing key, where the profile signs with one.
    pub key: NewKey,
}

/// Where a signing key comes from.
#[derive(Debug, Clone)]
pub enum NewKey {
    /// hookbox makes one.
    Generate(KeySize),
    /// The host has one: a PEM text, PKCS#8 or PKCS#1, of 2048 bits or more.
    Import {
        /// The PEM text.
        pem: Secret,
        /// Its id; a random UUID when `None`.
        kid: Option<KeyId>,
    },
}

impl NewApp {
    /// An app with the Prelude profile and a new 2048-bit key.
    #[must_use]
    pub fn new(id: AppId) -> Self {
        Self {
            id,
            profile: Profile::prelude(),
            key: NewKey::Generate(KeySize::Rsa2048),
        }
    }
}

impl Hookbox {
    /// Creates an app with the Prelude profile and a new 2048-bit signing key.
    ///
    /// # Errors
    /// [`crate::Error::AppExists`]; [`crate::Error::AppNotFound`] when the text cannot be an app's id.
    pub fn create_app(&self, id: &str) -> Result<App> {
        self.create_app_with(NewApp::new(app_id(id)?))
    }

    /// Creates an app.
    ///
    /// # Errors
    /// [`crate::Error::AppExists`]; [`crate::Error::InvalidRequest`] for a profile out of range;
    /// [`crate::Error::InvalidKey`].
    pub fn create_app_with(&self, new: NewApp) -> Result<App> {
        check_profile(&new.profile)?;
        let now = self.now();
        let keys = match new.profile.signature {
            SignatureScheme::RsaPss { .. } => vec![self.make_key(&new.id, &new.key, now)?],
            SignatureScheme::FingerprintHmac | SignatureScheme::StandardWebhooks => Vec::new(),
        };
        let app = App {
            id: new.id,
            state: AppState::Enabled,
            profile: new.profile,
            created_at: now,
        };
        self.storage.create_app(app.clone(), keys)?;
        self.keys.forget(&app.id);
        Ok(app)
    }

    /// Reads an app.
    ///
    /// # Errors
    /// [`crate::Error::AppNotFound`].
    pub fn app(&self, id: &str) -> Result<Arc<App>> {
        self.storage.get_app(&app_id(id)?)
    }

    /// Lists apps in order of id.
    ///
    /// # Errors
    /// Storage errors only.
    pub fn apps(&self, page: PageRequest) -> Result<Page<App>> {
        self.storage.list_apps(page)
    }

    /// Lets an app take events and changes again, and its deliveries go on.
    ///
    /// # Errors
    /// [`crate::Error::AppNotFound`].
    pub fn enable_app(&self, id: &str) -> Result<App> {
        let app = self
            .storage
            .set_app_state(&app_id(id)?, AppState::Enabled)?;
        self.wake();
        Ok(app)
    }

    /// Disables an app: emits and changes are refused with `session_disabled`, and its deliveries
    /// wait.
    ///
    /// # Errors
    /// [`crate::Error::AppNotFound`].
    pub fn disable_app(&self, id: &str) -> Result<App> {
        self.storage.set_app_state(&app_id(id)?, AppState::Disabled)
    }

    /// Deletes an app with everything of its: keys, webhooks, events, batches and attempts.
    ///
    /// # Errors
    /// [`crate::Error::AppNotFound`].
    pub fn delete_app(&self, id: &str) -> Result<()> {
        let id = app_id(id)?;
        self.storage.delete_app(&id)?;
        self.keys.forget(&id);
        Ok(())
    }

    /// The catalogue of event types, in order of name. By default the seven of the Prelude profile.
    ///
    /// # Errors
    /// Storage errors only.
    pub fn event_types(&self) -> Result<Vec<EventType>> {
        self.storage.event_types()
    }

    /// Adds event types to the catalogue.
    ///
    /// # Errors
    /// Storage errors only.
    pub fn add_event_types(&self, types: impl IntoIterator<Item = EventType>) -> Result<()> {
        self.storage
            .set_event_types(types.into_iter().collect(), false)
    }

    /// Makes these the whole catalogue. Events and subscriptions of other types stay as they are;
    /// new ones are refused.
    ///
    /// # Errors
    /// Storage errors only.
    pub fn replace_event_types(&self, types: impl IntoIterator<Item = EventType>) -> Result<()> {
        self.storage
            .set_event_types(types.into_iter().collect(), true)
    }
}
