//! What may be registered as a webhook, and changed in one.

use crate::model::{
    BasicAuth, Environment, Events, Header, NewWebhook, Overrides, Secret, WebhookUpdate,
};

use super::apps::event_types;
use super::boundary::{Done, not_one_of, optional_text, sized, slice, text};
use super::error::Failure;
use super::text::{hookbox_pair, hookbox_str};

/// As the profile has it: all event types, or none.
pub const HOOKBOX_EVENTS_DEFAULT: i32 = 0;
/// Every event of the app.
pub const HOOKBOX_EVENTS_ALL: i32 = 1;
/// Those in hookbox_webhook_config.event_types.
pub const HOOKBOX_EVENTS_ONLY: i32 = 2;

/// What hookbox_webhook_update() takes from a configuration: its url. A new one un-verifies the webhook.
pub const HOOKBOX_WEBHOOK_URL: u32 = 1;
/// Its verification_token.
pub const HOOKBOX_WEBHOOK_TOKEN: u32 = 2;
/// Its events and event_types.
pub const HOOKBOX_WEBHOOK_EVENTS: u32 = 4;
/// Its description.
pub const HOOKBOX_WEBHOOK_DESCRIPTION: u32 = 8;
/// Its disabled.
pub const HOOKBOX_WEBHOOK_ENABLED: u32 = 16;
/// Its environment; empty hears all.
pub const HOOKBOX_WEBHOOK_ENVIRONMENT: u32 = 32;
/// Its headers, all of them.
pub const HOOKBOX_WEBHOOK_HEADERS: u32 = 64;
/// Its username and password; empty ones remove basic authentication.
pub const HOOKBOX_WEBHOOK_BASIC_AUTH: u32 = 128;
/// Its overrides, all of them.
pub const HOOKBOX_WEBHOOK_OVERRIDES: u32 = 256;
const ALL_FIELDS: u32 = 511;

/// How a webhook is to be. Clear it with zeros, set struct_size (HOOKBOX_WEBHOOK_CONFIG_INIT does
/// both), and then what is to differ.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct hookbox_webhook_config {
    /// sizeof(hookbox_webhook_config).
    pub struct_size: u32,
    /// Which event types: HOOKBOX_EVENTS_DEFAULT, _ALL or _ONLY.
    pub events: i32,
    /// An absolute URL of at most 2048 characters, inside the box's address policy.
    pub url: hookbox_str,
    /// At most 100 characters, sent with the activation challenge, so that the endpoint knows who asks.
    pub verification_token: hookbox_str,
    /// The event types of HOOKBOX_EVENTS_ONLY; none at all is allowed and hears nothing.
    pub event_types: *const hookbox_str,
    /// How many.
    pub event_type_count: usize,
    /// For people, at most 1024 bytes.
    pub description: hookbox_str,
    /// Only events of this environment are owed; empty hears all.
    pub environment: hookbox_str,
    /// Custom headers, sent with every delivery: at most 32, none of those that hookbox or HTTP
    /// itself sets. Values are kept as secrets.
    pub headers: *const hookbox_pair,
    /// How many.
    pub header_count: usize,
    /// Basic authentication (RFC 7617): a username without colon; empty for none.
    pub username: hookbox_str,
    /// Its password.
    pub password: hookbox_str,
    /// The secret to sign with, for profiles that sign with one; empty: hookbox makes one. (Updates
    /// leave it alone: hookbox_webhook_roll_signing_secret().)
    pub signing_secret: hookbox_str,
    /// Settings that replace those of the app's profile, as a JSON object; empty for none: "timeout"
    /// (ms), "concurrency", "rate_limit" (requests a second), "retry" (as in a profile), "ordering"
    /// ("none" or "fifo").
    pub overrides: hookbox_str,
    /// The operator's switch: true registers it switched off.
    pub disabled: bool,
}

const CONFIG_BYTES: usize = 176;
const _: () = assert!(size_of::<hookbox_webhook_config>() >= CONFIG_BYTES);

/// A configuration as it was given.
///
/// # Safety
/// As `sized` needs it; each member as its type demands.
pub(super) unsafe fn new_webhook(config: *const hookbox_webhook_config) -> Done<NewWebhook> {
    // SAFETY: by the contract.
    unsafe {
        let config = sized(config, CONFIG_BYTES, "config")?;
        let signing_secret = optional_text(config.signing_secret, "signing_secret")?;
        Ok(NewWebhook {
            url: text(config.url, "url")?.to_owned(),
            verification_token: Secret::new(text(config.verification_token, "verification_token")?),
            events: events(&config)?,
            description: text(config.description, "description")?.to_owned(),
            enabled: !config.disabled,
            environment: environment(&config)?,
            headers: headers(&config)?,
            basic_auth: basic_auth(&config)?,
            signing_secret: signing_secret.map(Secret::new),
            overrides: overrides(&config)?,
        })
    }
}

/// The fields of a configuration that are to be changed.
///
/// # Safety
/// As [`new_webhook`].
pub(super) unsafe fn update(
    fields: u32,
    config: *const hookbox_webhook_config,
) -> Done<WebhookUpdate> {
    if fields & !ALL_FIELDS != 0 {
        let message = format!("`fields` has bits that mean nothing: {fields:#x}");
        return Err(Failure::Argument(message));
    }
    let wants = |field: u32| fields & field != 0;
    // SAFETY: by the contract.
    unsafe {
        let config = sized(config, CONFIG_BYTES, "config")?;
        let mut update = WebhookUpdate::default();
        if wants(HOOKBOX_WEBHOOK_URL) {
            update.url = Some(text(config.url, "url")?.to_owned());
        }
        if wants(HOOKBOX_WEBHOOK_TOKEN) {
            let token = text(config.verification_token, "verification_token")?;
            update.verification_token = Some(Secret::new(token));
        }
        if wants(HOOKBOX_WEBHOOK_EVENTS) {
            let message = "must be HOOKBOX_EVENTS_ALL or HOOKBOX_EVENTS_ONLY to be changed";
            let missing = || crate::error::Error::invalid("events", message);
            update.events = Some(events(&config)?.ok_or_else(missing)?);
        }
        if wants(HOOKBOX_WEBHOOK_DESCRIPTION) {
            update.description = Some(text(config.description, "description")?.to_owned());
        }
        if wants(HOOKBOX_WEBHOOK_ENABLED) {
            update.enabled = Some(!config.disabled);
        }
        if wants(HOOKBOX_WEBHOOK_ENVIRONMENT) {
            update.environment = Some(environment(&config)?);
        }
        if wants(HOOKBOX_WEBHOOK_HEADERS) {
            update.headers = Some(headers(&config)?);
        }
        if wants(HOOKBOX_WEBHOOK_BASIC_AUTH) {
            update.basic_auth = Some(basic_auth(&config)?);
        }
        if wants(HOOKBOX_WEBHOOK_OVERRIDES) {
            update.overrides = Some(overrides(&config)?);
        }
        Ok(update)
    }
}

unsafe fn events(config: &hookbox_webhook_config) -> Done<Option<Events>> {
    Ok(match config.events {
        HOOKBOX_EVENTS_DEFAULT => None,
        HOOKBOX_EVENTS_ALL => Some(Events::All),
        // SAFETY: by the contract of `new_webhook`.
        HOOKBOX_EVENTS_ONLY => Some(Events::only(unsafe {
            event_types(config.event_types, config.event_type_count)
        }?)),
        other => return Err(not_one_of("config.events", other)),
    })
}

unsafe fn environment(config: &hookbox_webhook_config) -> Done<Option<Environment>> {
    // SAFETY: by the contract of `new_webhook`.
    let name = unsafe { optional_text(config.environment, "environment") }?;
    Ok(name.map(Environment::parse).transpose()?)
}

unsafe fn headers(config: &hookbox_webhook_config) -> Done<Vec<Header>> {
    // SAFETY: by the contract of `new_webhook`.
    unsafe {
        let pairs = slice(config.headers, config.header_count, "headers")?;
        let header = |pair: &hookbox_pair| -> Done<Header> {
            Ok(Header {
                name: text(pair.name, "headers.name")?.to_owned(),
                value: Secret::new(text(pair.value, "headers.value")?),
            })
        };
        pairs.iter().map(header).collect()
    }
}

unsafe fn basic_auth(config: &hookbox_webhook_config) -> Done<Option<BasicAuth>> {
    // SAFETY: by the contract of `new_webhook`.
    let (username, password) = unsafe {
        (
            text(config.username, "username")?,
            text(config.password, "password")?,
        )
    };
    if username.is_empty() && password.is_empty() {
        return Ok(None);
    }
    Ok(Some(BasicAuth {
        username: username.to_owned(),
        password: Secret::new(password),
    }))
}

unsafe fn overrides(config: &hookbox_webhook_config) -> Done<Overrides> {
    // SAFETY: by the contract of `new_webhook`.
    let Some(json) = unsafe { optional_text(config.overrides, "overrides") }? else {
        return Ok(Overrides::default());
    };
    serde_json::from_str(json).map_err(|error| {
        let message = format!("are not a JSON object of known settings: {error}");
        crate::error::Error::invalid("overrides", message).into()
    })
}
