//! The Fingerprint dialect (contracts.md §2.1): its operations, its webhook, its errors. The app is the
//! key's own.

mod paging;

use serde::Serialize;

use crate::error::Error;
use crate::model::{
    App, AppState, Environment, Events, NewWebhook, Secret, Webhook, WebhookUpdate,
};
use crate::registry::check_webhook_text;
use crate::storage::{PageRequest, WebhookFilter};

use super::Response;
use super::call::{Call, json, no_content};
use super::fault::{Fault, Violation, reason_of};
use super::fields::Fields;
use super::route::{BODY_BYTES_MAX, Needs, Route};
use super::views::Rfc3339;

pub(super) const ROUTES: &[Route] = &[
    Route::get("/webhooks", Needs::Read, list),
    Route::post("/webhooks", Needs::Write, create).with_body(BODY_BYTES_MAX),
    Route::get("/webhooks/{id}", Needs::Read, get),
    Route::patch("/webhooks/{id}", Needs::Write, update).with_body(BODY_BYTES_MAX),
    Route::delete("/webhooks/{id}", Needs::Write, delete),
    Route::post("/webhooks/{id}/verification", Needs::Write, verify),
];

/// The versions of the contract. They do not differ in what it says of webhooks.
const VERSIONS: [&str; 2] = ["2024-05-20", "2025-11-20"];

const STATUSES: [(&str, bool); 2] = [("enabled", true), ("disabled", false)];

#[derive(Serialize)]
struct Entity<'a> {
    id: &'a str,
    description: &'a str,
    status: &'static str,
    verified: bool,
    environment: Option<&'a str>,
    url: &'a str,
    /// Whether it carries what only older webhooks of the vendor's do.
    legacy: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    signing_key: Option<&'a Secret>,
    basic_auth: Option<BasicAuth>,
    created_at: Rfc3339,
    last_enabled_at: Option<Rfc3339>,
    last_disabled_at: Option<Rfc3339>,
}

/// An object that says that there are credentials, and not which.
#[derive(Serialize)]
struct BasicAuth {}

#[derive(Serialize)]
struct Data<T> {
    data: T,
}

fn entity<'a>(webhook: &'a Webhook, signing_key: Option<&'a Secret>) -> Entity<'a> {
    Entity {
        id: webhook.id.as_str(),
        description: &webhook.description,
        status: if webhook.enabled {
            "enabled"
        } else {
            "disabled"
        },
        verified: webhook.verified,
        environment: webhook.environment.as_ref().map(Environment::as_str),
        url: webhook.url.as_str(),
        legacy: webhook.has_basic_auth,
        signing_key,
        basic_auth: webhook.has_basic_auth.then_some(BasicAuth {}),
        created_at: Rfc3339(webhook.created_at),
        last_enabled_at: webhook.last_enabled_at.map(Rfc3339),
        last_disabled_at: webhook.last_disabled_at.map(Rfc3339),
    }
}

fn answer(status: u16, webhook: &Webhook) -> Result<Response, Fault> {
    let data = entity(webhook, None);
    json(status, &Data { data })
}

/// The key's own app, if the request is for a version that we have.
fn app_of(call: &Call<'_>) -> Result<std::sync::Arc<App>, Fault> {
    let version = call.request.header("x-api-version");
    if !version.is_some_and(|version| VERSIONS.contains(&version)) {
        let message = format!("must be {} or {}", VERSIONS[0], VERSIONS[1]);
        return Err(Fault::invalid(vec![Violation::new(
            "X-API-Version",
            message,
        )]));
    }
    let Some(app) = call.app_of_key() else {
        return Err(Fault::forbidden(
            "This takes an API key of one app: it says which.",
        ));
    };
    let app = call.hooks.app(app.as_str())?;
    match app.state {
        AppState::Enabled => Ok(app),
        AppState::Disabled => Err(Error::SessionDisabled(app.id.clone()).into()),
    }
}

fn list(call: &Call<'_>) -> Result<Response, Fault> {
    let app = app_of(call)?;
    let mut query = call.query();
    let enabled = query.one_of("status", &STATUSES);
    let environment = query.parsed("environment", Environment::parse);
    let limit = query.limit(10, 100);
    let cursor = query.text("cursor");
    query.check()?;
    let filter = WebhookFilter {
        enabled,
        environment,
    };
    let read =
        |page: PageRequest| Ok(call.hooks.webhooks(app.id.as_str(), filter.clone(), page)?);
    let page = paging::read(&read, cursor.as_deref(), limit)?;
    let data = page.webhooks.iter().map(|webhook| entity(webhook, None));
    json(
        200,
        &Listing {
            data: data.collect(),
            metadata: Metadata {
                pagination: Pagination {
                    next_cursor: page.next_cursor,
                    prev_cursor: page.prev_cursor,
                },
            },
        },
    )
}

#[derive(Serialize)]
struct Listing<'a> {
    data: Vec<Entity<'a>>,
    metadata: Metadata,
}

#[derive(Serialize)]
struct Metadata {
    pagination: Pagination,
}

#[derive(Serialize)]
struct Pagination {
    next_cursor: Option<String>,
    prev_cursor: Option<String>,
}

fn get(call: &Call<'_>) -> Result<Response, Fault> {
    let app = app_of(call)?;
    answer(
        200,
        &call
            .hooks
            .webhook(app.id.as_str(), &call.webhook_id("id")?)?,
    )
}

/// The members that create and update have in common.
struct Given {
    url: Option<String>,
    description: Option<String>,
    enabled: Option<bool>,
    environment: Option<Change>,
}

/// What to make of the environment.
enum Change {
    /// Every one.
    All,
    This(Environment),
}

impl Change {
    fn into_environment(self) -> Option<Environment> {
        match self {
            Self::All => None,
            Self::This(environment) => Some(environment),
        }
    }
}

/// Reads and checks them all, so that everything that is wrong is told at once.
fn given(call: &Call<'_>, app: &App, url_is_required: bool) -> Result<Given, Fault> {
    let mut fields = Fields::parse(&call.request.body)?;
    let rule = "must be a string";
    let url = if url_is_required {
        fields.required::<String>("url", rule)
    } else {
        fields.optional("url", rule)
    };
    if let Some(url) = &url {
        fields.parsed("url", call.hooks.check_url(app, url));
    }
    let description = fields.optional::<String>("description", rule);
    if let Some(description) = &description {
        fields.parsed("description", check_webhook_text(description));
    }
    let status_rule = "must be `enabled` or `disabled`";
    let status = fields.optional::<String>("status", status_rule);
    let enabled = status.and_then(|status| {
        let found = STATUSES.iter().find(|(word, _)| *word == status);
        if found.is_none() {
            fields.refuse("status", status_rule);
        }
        found.map(|(_, enabled)| *enabled)
    });
    let environment = fields.optional::<Option<String>>("environment", "must be a string or null");
    let environment = environment.and_then(|name| match name {
        None => Some(Change::All),
        Some(name) => fields
            .parsed("environment", Environment::parse(&name))
            .map(Change::This),
    });
    match fields.violations() {
        none if none.is_empty() => Ok(Given {
            url,
            description,
            enabled,
            environment,
        }),
        violations => Err(unprocessable(violations)),
    }
}

fn create(call: &Call<'_>) -> Result<Response, Fault> {
    let app = app_of(call)?;
    let given = given(call, &app, true)?;
    let new = NewWebhook {
        events: Some(Events::All),
        description: given.description.unwrap_or_default(),
        enabled: given.enabled.unwrap_or(true),
        environment: given.environment.and_then(Change::into_environment),
        ..NewWebhook::new(given.url.unwrap_or_default())
    };
    let webhook = call
        .hooks
        .create_webhook(app.id.as_str(), new)
        .map_err(refused)?;
    let keys = call.hooks.signing_secrets(app.id.as_str(), &webhook.id)?;
    let data = entity(&webhook, keys.first());
    json(201, &Data { data })
}

fn update(call: &Call<'_>) -> Result<Response, Fault> {
    let app = app_of(call)?;
    let id = call.webhook_id("id")?;
    call.hooks.webhook(app.id.as_str(), &id)?;
    let given = given(call, &app, false)?;
    let update = WebhookUpdate {
        url: given.url,
        description: given.description,
        enabled: given.enabled,
        environment: given.environment.map(Change::into_environment),
        ..WebhookUpdate::default()
    };
    let updated = call.hooks.update_webhook(app.id.as_str(), &id, update);
    answer(200, &updated.map_err(refused)?)
}

fn delete(call: &Call<'_>) -> Result<Response, Fault> {
    let app = app_of(call)?;
    let id = call.webhook_id("id")?;
    call.hooks.delete_webhook(app.id.as_str(), &id)?;
    Ok(no_content())
}

fn verify(call: &Call<'_>) -> Result<Response, Fault> {
    let app = app_of(call)?;
    let id = call.webhook_id("id")?;
    answer(200, &call.hooks.verify(app.id.as_str(), &id)?)
}

/// What the box refuses of a field is 422 here, not 400.
fn refused(error: Error) -> Fault {
    match &error {
        Error::InvalidRequest { property, message } => {
            unprocessable(vec![Violation::new(property, message)])
        }
        Error::WebhookInvalidUrl { .. } => {
            unprocessable(vec![Violation::new("url", reason_of(&error))])
        }
        _ => error.into(),
    }
}

fn unprocessable(violations: Vec<Violation>) -> Fault {
    Fault {
        status: 422,
        code: "validation_failed",
        ..Fault::invalid(violations)
    }
}

#[derive(Serialize)]
struct Wrapped<'a> {
    error: Inner<'a>,
}

#[derive(Serialize)]
struct Inner<'a> {
    message: &'a str,
    code: &'a str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    violations: &'a [Violation],
}

/// A fault in this dialect's shape.
pub(super) fn render(fault: &Fault) -> Result<Response, Fault> {
    json(
        fault.status,
        &Wrapped {
            error: Inner {
                message: &fault.message,
                code: fault.code,
                violations: &fault.violations,
            },
        },
    )
}
