//! Webhooks: registering, changing, activating.

use crate::error::{Error, Result};
use crate::model::{
    App, AppId, EventType, Events, NewWebhook, Profile, Secret, SignatureScheme, Timestamp,
    Verification, Webhook, WebhookId, WebhookSecrets, WebhookUpdate,
};
use crate::registry::{
    check_overrides, check_secrets, check_webhook_text, parse_url, prove_ownership,
};
use crate::signing::{StandardSecret, generate_fingerprint_key, open_secrets, secrets_context};
use crate::storage::{EditWebhook, Page, PageRequest, StoredWebhook, WebhookFilter};

use super::{Hookbox, app_id};

impl Hookbox {
    /// Registers a webhook. It is inactive until [`Hookbox::activate`] (except under a profile
    /// without verification), and is owed what is emitted from then on.
    ///
    /// # Errors
    /// Checked in this order: [`Error::AppNotFound`], [`Error::SessionDisabled`],
    /// [`Error::InvalidRequest`], [`Error::InvalidWebhookEvent`], [`Error::WebhookInvalidUrl`].
    pub fn create_webhook(&self, app: &str, new: NewWebhook) -> Result<Webhook> {
        let app = self.storage.get_app(&app_id(app)?)?;
        if app.state == crate::model::AppState::Disabled {
            return Err(Error::SessionDisabled(app.id.clone()));
        }
        let profile = &app.profile;
        let secrets = WebhookSecrets {
            verification_token: new.verification_token,
            signing: self.first_secrets(profile, new.signing_secret)?,
            basic_auth: new.basic_auth,
            headers: new.headers,
        };
        check_secrets(&secrets)?;
        check_webhook_text(&new.description)?;
        check_overrides(&new.overrides)?;
        let events = new.events.map_or_else(
            || {
                if profile.subscribe_all_by_default {
                    Events::All
                } else {
                    Events::Only(Vec::new())
                }
            },
            without_duplicates,
        );
        self.check_events(&events, &[])?;
        let url = parse_url(&new.url, profile, &self.options.addresses)?;
        let now = self.now();
        let id = WebhookId::new(profile.webhook_ids, now, self.options.random.bits()?);
        let webhook = Webhook {
            id,
            app_id: app.id.clone(),
            url,
            events,
            verified: profile.verification == Verification::None,
            enabled: new.enabled,
            description: new.description,
            environment: new.environment,
            overrides: new.overrides,
            header_names: header_names(&secrets),
            has_basic_auth: secrets.basic_auth.is_some(),
            last_http_code: None,
            created_at: now,
            updated_at: now,
            last_enabled_at: new.enabled.then_some(now),
            last_disabled_at: (!new.enabled).then_some(now),
        };
        let sealed = self.seal(&webhook.app_id, &webhook.id, &secrets)?;
        let stored = StoredWebhook {
            webhook: webhook.clone(),
            sealed,
        };
        self.storage.create_webhook(stored)?;
        Ok(webhook)
    }

    /// Holds a URL against the rules for an app's webhooks.
    pub(crate) fn check_url(&self, app: &App, url: &str) -> Result<()> {
        parse_url(url, &app.profile, &self.options.addresses).map(|_| ())
    }

    /// Reads a webhook.
    ///
    /// # Errors
    /// [`Error::AppNotFound`], [`Error::WebhookNotFound`].
    pub fn webhook(&self, app: &str, id: &WebhookId) -> Result<Webhook> {
        Ok(self.storage.get_webhook(&app_id(app)?, id)?.webhook.clone())
    }

    /// Lists an app's webhooks in order of registration.
    ///
    /// # Errors
    /// [`Error::AppNotFound`].
    pub fn webhooks(
        &self,
        app: &str,
        filter: WebhookFilter,
        page: PageRequest,
    ) -> Result<Page<Webhook>> {
        self.storage.list_webhooks(&app_id(app)?, filter, page)
    }

    /// Changes a webhook. What it was owed before stays owed; what is emitted from now on is owed
    /// as the changed webhook is subscribed. A new URL un-verifies it, where the profile verifies.
    ///
    /// # Errors
    /// As [`Hookbox::create_webhook`], and [`Error::WebhookNotFound`].
    pub fn update_webhook(
        &self,
        app: &str,
        id: &WebhookId,
        update: WebhookUpdate,
    ) -> Result<Webhook> {
        let app = self.storage.get_app(&app_id(app)?)?;
        if app.state == crate::model::AppState::Disabled {
            return Err(Error::SessionDisabled(app.id.clone()));
        }
        let before = self.storage.get_webhook(&app.id, id)?;
        let mut secrets = open_secrets(&self.options.sealer, &before)?;
        if let Some(token) = update.verification_token {
            secrets.verification_token = token;
        }
        if let Some(headers) = update.headers {
            secrets.headers = headers;
        }
        if let Some(basic_auth) = update.basic_auth {
            secrets.basic_auth = basic_auth;
        }
        check_secrets(&secrets)?;
        update
            .description
            .as_deref()
            .map_or(Ok(()), check_webhook_text)?;
        update.overrides.as_ref().map_or(Ok(()), check_overrides)?;
        let events = update.events.map(without_duplicates);
        if let Some(events) = &events {
            let named: &[EventType] = match &before.webhook.events {
                Events::Only(types) => types,
                Events::All => &[],
            };
            self.check_events(events, named)?;
        }
        let url = update
            .url
            .map(|url| parse_url(&url, &app.profile, &self.options.addresses))
            .transpose()?;
        let sealed = self.seal(&app.id, id, &secrets)?;
        let (header_names, has_basic_auth) = (header_names(&secrets), secrets.basic_auth.is_some());
        let needs_proof = app.profile.verification != Verification::None;
        let now = self.now();
        self.edit(
            &app.id,
            id,
            Box::new(move |stored| {
                if stored.sealed != before.sealed {
                    return Err(changed_meanwhile());
                }
                stored.sealed.clone_from(&sealed);
                let webhook = &mut stored.webhook;
                webhook.header_names.clone_from(&header_names);
                webhook.has_basic_auth = has_basic_auth;
                if let Some(url) = url.as_ref().filter(|url| **url != webhook.url) {
                    webhook.url = url.clone();
                    webhook.verified &= !needs_proof;
                }
                if let Some(events) = &events {
                    webhook.events.clone_from(events);
                }
                if let Some(description) = &update.description {
                    webhook.description.clone_from(description);
                }
                if let Some(environment) = &update.environment {
                    webhook.environment.clone_from(environment);
                }
                if let Some(overrides) = &update.overrides {
                    webhook.overrides.clone_from(overrides);
                }
                if let Some(enabled) = update.enabled {
                    switch(webhook, enabled, now);
                }
                webhook.updated_at = now;
                Ok(())
            }),
        )
    }

    /// Deletes a webhook with its batches and attempts.
    ///
    /// # Errors
    /// [`Error::AppNotFound`], [`Error::SessionDisabled`], [`Error::WebhookNotFound`].
    pub fn delete_webhook(&self, app: &str, id: &WebhookId) -> Result<()> {
        self.storage.delete_webhook(&app_id(app)?, id)
    }

    /// Subscribes a webhook to one more event type, from now on. Twice is as good as once.
    ///
    /// # Errors
    /// As [`Hookbox::update_webhook`].
    pub fn add_event_type(&self, app: &str, id: &WebhookId, name: &EventType) -> Result<Webhook> {
        let (now, name) = (self.now(), name.clone());
        let known = self.storage.event_types()?.contains(&name);
        self.edit(
            &app_id(app)?,
            id,
            Box::new(move |stored| {
                match &mut stored.webhook.events {
                    Events::Only(types) if types.contains(&name) => {}
                    _ if !known => return Err(EventType::unknown(name.as_str())),
                    Events::All => {}
                    Events::Only(types) => {
                        types.push(name.clone());
                        stored.webhook.updated_at = now;
                    }
                }
                Ok(())
            }),
        )
    }

    /// Unsubscribes a webhook from an event type, from now on; what it was owed stays owed. Removing
    /// what is not there is no error.
    ///
    /// # Errors
    /// As [`Hookbox::update_webhook`]; [`Error::InvalidRequest`] for a webhook that hears all types.
    pub fn remove_event_type(
        &self,
        app: &str,
        id: &WebhookId,
        name: &EventType,
    ) -> Result<Webhook> {
        let (now, name) = (self.now(), name.clone());
        self.edit(
            &app_id(app)?,
            id,
            Box::new(move |stored| {
                let Events::Only(types) = &mut stored.webhook.events else {
                    let message = "are all: set a list instead of removing one";
                    return Err(Error::invalid("events", message));
                };
                let before = types.len();
                types.retain(|kept| *kept != name);
                if types.len() != before {
                    stored.webhook.updated_at = now;
                }
                Ok(())
            }),
        )
    }

    /// Asks the endpoint to prove its ownership, and makes the webhook active: verified and enabled.
    /// What waited for it goes out again. On failure nothing changes.
    ///
    /// # Errors
    /// [`Error::WebhookActivationFailed`], saying what the endpoint did;
    /// [`Error::AppNotFound`], [`Error::SessionDisabled`], [`Error::WebhookNotFound`].
    pub fn activate(&self, app: &str, id: &WebhookId) -> Result<Webhook> {
        self.prove(app, id, true)
    }

    /// As [`Hookbox::activate`], but leaves the operator's switch as it is (Fingerprint's
    /// verification call).
    ///
    /// # Errors
    /// As [`Hookbox::activate`].
    pub fn verify(&self, app: &str, id: &WebhookId) -> Result<Webhook> {
        self.prove(app, id, false)
    }

    fn prove(&self, app: &str, id: &WebhookId, enable: bool) -> Result<Webhook> {
        let app = self.storage.get_app(&app_id(app)?)?;
        if app.state == crate::model::AppState::Disabled {
            return Err(Error::SessionDisabled(app.id.clone()));
        }
        let before = self.storage.get_webhook(&app.id, id)?;
        let secrets = open_secrets(&self.options.sealer, &before)?;
        prove_ownership(
            &app,
            &before.webhook,
            &secrets,
            self.courier().transport.as_ref(),
            &self.keys,
            self.options.random.as_ref(),
            self.now(),
        )?;
        let now = self.now();
        self.edit(
            &app.id,
            id,
            Box::new(move |stored| {
                // The proof is for the URL and token that were asked.
                if stored.webhook.url != before.webhook.url || stored.sealed != before.sealed {
                    return Err(Error::WebhookActivationFailed {
                        reason: "the webhook was changed while its endpoint was asked; try again"
                            .into(),
                    });
                }
                stored.webhook.verified = true;
                if enable {
                    switch(&mut stored.webhook, true, now);
                }
                stored.webhook.updated_at = now;
                Ok(())
            }),
        )
    }

    /// Switches a webhook off. It is not owed what is emitted from now on; what it was owed waits.
    ///
    /// # Errors
    /// [`Error::AppNotFound`], [`Error::SessionDisabled`], [`Error::WebhookNotFound`].
    pub fn deactivate(&self, app: &str, id: &WebhookId) -> Result<Webhook> {
        let now = self.now();
        self.edit(
            &app_id(app)?,
            id,
            Box::new(move |stored| {
                switch(&mut stored.webhook, false, now);
                stored.webhook.updated_at = now;
                Ok(())
            }),
        )
    }

    /// The secrets a webhook's deliveries are signed with, the current one first; none under a
    /// profile that signs with the app's key. Hand them to the receiver's owner only.
    ///
    /// # Errors
    /// [`Error::WebhookNotFound`], [`Error::SealBroken`].
    pub fn signing_secrets(&self, app: &str, id: &WebhookId) -> Result<Vec<Secret>> {
        let stored = self.storage.get_webhook(&app_id(app)?, id)?;
        Ok(open_secrets(&self.options.sealer, &stored)?.signing.clone())
    }

    /// Makes a new signing secret the current one (`None` generates it) and returns it. With
    /// `keep_previous` deliveries carry a signature of each until the next call.
    ///
    /// # Errors
    /// [`Error::InvalidKey`]; [`Error::Unsupported`] where the profile signs with the app's key.
    pub fn roll_signing_secret(
        &self,
        app: &str,
        id: &WebhookId,
        new: Option<Secret>,
        keep_previous: bool,
    ) -> Result<Secret> {
        let app = self.storage.get_app(&app_id(app)?)?;
        let before = self.storage.get_webhook(&app.id, id)?;
        let mut secrets = open_secrets(&self.options.sealer, &before)?;
        let Some(current) = self.first_secrets(&app.profile, new)?.pop() else {
            let message = "this app signs with its key: rotate that instead";
            return Err(Error::Unsupported(message.into()));
        };
        secrets.signing.insert(0, current.clone());
        secrets.signing.truncate(if keep_previous { 2 } else { 1 });
        let sealed = self.seal(&app.id, id, &secrets)?;
        let now = self.now();
        self.edit(
            &app.id,
            id,
            Box::new(move |stored| {
                if stored.sealed != before.sealed {
                    return Err(changed_meanwhile());
                }
                stored.sealed.clone_from(&sealed);
                stored.webhook.updated_at = now;
                Ok(())
            }),
        )?;
        Ok(current)
    }

    fn edit(&self, app: &AppId, id: &WebhookId, edit: EditWebhook) -> Result<Webhook> {
        let stored = self.storage.edit_webhook(app, id, edit)?;
        self.wake();
        Ok(stored.webhook)
    }

    fn seal(&self, app: &AppId, id: &WebhookId, secrets: &WebhookSecrets) -> Result<Vec<u8>> {
        let plain = serde_json::to_vec(secrets).map(zeroize::Zeroizing::new);
        let plain = plain.map_err(|_| Error::Internal("secrets do not serialise".into()))?;
        let random = self.options.random.as_ref();
        self.options
            .sealer
            .seal(random, &secrets_context(app, id), &plain)
    }

    /// The secret a new webhook signs with: the host's, or a generated one, where the profile signs
    /// with one.
    fn first_secrets(&self, profile: &Profile, given: Option<Secret>) -> Result<Vec<Secret>> {
        let random = self.options.random.as_ref();
        match profile.signature {
            SignatureScheme::RsaPss { .. } => Ok(Vec::new()),
            SignatureScheme::FingerprintHmac => {
                let secret = given.map_or_else(|| generate_fingerprint_key(random), Ok)?;
                if !(16..=256).contains(&secret.expose().len()) {
                    return Err(Error::InvalidKey(
                        "a signing key has 16 to 256 bytes".into(),
                    ));
                }
                Ok(vec![secret])
            }
            SignatureScheme::StandardWebhooks => {
                let secret = match given {
                    Some(secret) => StandardSecret::parse(&secret)?,
                    None => StandardSecret::generate(random)?,
                };
                Ok(vec![secret.to_secret()])
            }
        }
    }

    /// Event names come before the URL in the order of faults, so they are looked up early; the
    /// storage checks them again inside its transaction. Types that a webhook named before may have
    /// left the catalogue since.
    fn check_events(&self, events: &Events, named_before: &[EventType]) -> Result<()> {
        let Events::Only(types) = events else {
            return Ok(());
        };
        let known = self.storage.event_types()?;
        let is_unknown = |name: &&EventType| !known.contains(name) && !named_before.contains(name);
        match types.iter().find(is_unknown) {
            Some(unknown) => Err(EventType::unknown(unknown.as_str())),
            None => Ok(()),
        }
    }
}

fn without_duplicates(events: Events) -> Events {
    match events {
        Events::All => Events::All,
        Events::Only(types) => Events::only(types),
    }
}

fn header_names(secrets: &WebhookSecrets) -> Vec<String> {
    secrets
        .headers
        .iter()
        .map(|header| header.name.clone())
        .collect()
}

fn switch(webhook: &mut Webhook, enabled: bool, now: Timestamp) {
    if webhook.enabled != enabled {
        webhook.enabled = enabled;
        if enabled {
            webhook.last_enabled_at = Some(now);
        } else {
            webhook.last_disabled_at = Some(now);
        }
    }
}

fn changed_meanwhile() -> Error {
    Error::invalid(
        "webhook",
        "was changed by somebody else at the same time; try again",
    )
}
