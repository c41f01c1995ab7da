//! `webhook`: registering, changing, activating, secrets.

use hookbox::Hookbox;
use hookbox::model::{
    BasicAuth, Environment, Events, Header, NewWebhook, Ordering, Overrides, RateLimit,
    RetrySchedule, Secret, Webhook, WebhookUpdate,
};
use hookbox::storage::{PageRequest, WebhookFilter};
use serde::Serialize;

use crate::args::{Global, OrderingName, PageArgs, WebhookCommand, WebhookSettings};
use crate::boxes;
use crate::failure::{Failure, Outcome};
use crate::output::{Output, cell, table};
use crate::views::{Deleted, WebhookView, event_names};

/// Secrets, on request only.
#[derive(Serialize)]
struct Secrets<'a> {
    secrets: Vec<&'a str>,
}

pub fn webhook(global: &Global, out: Output, command: WebhookCommand) -> Outcome {
    use WebhookCommand as Do;
    match command {
        Do::Create {
            app,
            url,
            token,
            settings,
        } => {
            let new = new_webhook(url, token, settings)?;
            show(out, &boxes::change(global)?.create_webhook(&app, new)?)
        }
        Do::List { app, page } => list(&boxes::read(global)?, out, &app, page),
        Do::Get { app, id } => show(out, &boxes::read(global)?.webhook(&app, &id)?),
        update @ Do::Update { .. } => change(global, out, update),
        Do::Delete { app, id } => {
            boxes::change(global)?.delete_webhook(&app, &id)?;
            out.result(
                &Deleted {
                    deleted: id.as_str(),
                },
                || format!("Webhook {id} is deleted."),
            )
        }
        Do::Activate { app, id } => show(out, &boxes::change(global)?.activate(&app, &id)?),
        Do::Verify { app, id } => show(out, &boxes::change(global)?.verify(&app, &id)?),
        Do::Deactivate { app, id } => show(out, &boxes::change(global)?.deactivate(&app, &id)?),
        Do::AddEvent {
            app,
            id,
            event_type,
        } => show(
            out,
            &boxes::change(global)?.add_event_type(&app, &id, &event_type)?,
        ),
        Do::RemoveEvent {
            app,
            id,
            event_type,
        } => show(
            out,
            &boxes::change(global)?.remove_event_type(&app, &id, &event_type)?,
        ),
        Do::Secret { app, id } => {
            show_secrets(out, &boxes::read(global)?.signing_secrets(&app, &id)?)
        }
        Do::RollSecret {
            app,
            id,
            keep_previous,
        } => {
            let hooks = boxes::change(global)?;
            show_secrets(
                out,
                &[hooks.roll_signing_secret(&app, &id, None, keep_previous)?],
            )
        }
    }
}

fn new_webhook(url: String, token: String, settings: WebhookSettings) -> Outcome<NewWebhook> {
    let mut new = NewWebhook::new(url).token(token);
    new.overrides = overrides(Overrides::default(), &settings);
    new.headers = settings
        .header
        .iter()
        .map(|text| header(text))
        .collect::<Result<_, _>>()?;
    new.basic_auth = settings.basic_auth.as_deref().map(basic_auth).transpose()?;
    new.environment = settings
        .environment
        .as_deref()
        .map(Environment::parse)
        .transpose()?;
    new.events = events(settings.event, settings.all_events);
    new.description = settings.description.unwrap_or_default();
    Ok(new)
}

fn change(global: &Global, out: Output, command: WebhookCommand) -> Outcome {
    let WebhookCommand::Update {
        app,
        id,
        url,
        token,
        no_environment,
        no_basic_auth,
        no_headers,
        reset_overrides,
        settings,
    } = command
    else {
        return Err(Failure::Usage("not an update".into()));
    };
    let hooks = boxes::change(global)?;
    // The library replaces the overrides as a whole; the shell changes those that were named.
    let before = hooks.webhook(&app, &id)?.overrides;
    let base = if reset_overrides {
        Overrides::default()
    } else {
        before.clone()
    };
    let after = overrides(base, &settings);
    let headers: Vec<Header> = settings
        .header
        .iter()
        .map(|text| header(text))
        .collect::<Result<_, _>>()?;
    let environment = settings
        .environment
        .as_deref()
        .map(Environment::parse)
        .transpose()?;
    let credentials = settings.basic_auth.as_deref().map(basic_auth).transpose()?;
    let update = WebhookUpdate {
        url,
        verification_token: token.map(Secret::new),
        events: events(settings.event, settings.all_events),
        description: settings.description,
        environment: (no_environment || environment.is_some()).then_some(environment),
        headers: (no_headers || !headers.is_empty()).then_some(headers),
        basic_auth: (no_basic_auth || credentials.is_some()).then_some(credentials),
        overrides: (after != before).then_some(after),
        ..WebhookUpdate::default()
    };
    show(out, &hooks.update_webhook(&app, &id, update)?)
}

fn overrides(mut base: Overrides, settings: &WebhookSettings) -> Overrides {
    base.timeout = settings.timeout.or(base.timeout);
    base.concurrency = settings.concurrency.or(base.concurrency);
    base.rate_limit = settings
        .rate
        .map(|per_second| RateLimit { per_second })
        .or(base.rate_limit);
    if let Some(waits) = &settings.retry {
        base.retry = Some(RetrySchedule::Waits(waits.0.clone()));
    }
    match settings.ordering {
        Some(OrderingName::Fifo) => base.ordering = Ordering::Fifo,
        Some(OrderingName::None) => base.ordering = Ordering::None,
        None => {}
    }
    base
}

fn events(named: Option<Vec<hookbox::model::EventType>>, all: bool) -> Option<Events> {
    if all {
        Some(Events::All)
    } else {
        named.map(Events::only)
    }
}

/// The value is a secret: an error must not repeat it.
fn header(text: &str) -> Outcome<Header> {
    let (name, value) = text
        .split_once(':')
        .ok_or_else(|| Failure::Usage("--header takes 'Name: value'".into()))?;
    Ok(Header {
        name: name.trim().to_owned(),
        value: Secret::new(value.trim()),
    })
}

fn basic_auth(text: &str) -> Outcome<BasicAuth> {
    let (username, password) = text
        .split_once(':')
        .ok_or_else(|| Failure::Usage("--basic-auth takes USER:PASS".into()))?;
    Ok(BasicAuth {
        username: username.to_owned(),
        password: Secret::new(password),
    })
}

fn list(hooks: &Hookbox, out: Output, app: &str, page: PageArgs) -> Outcome {
    let request = PageRequest::first(page.limit)?.after(page.cursor);
    let webhooks = hooks.webhooks(app, WebhookFilter::default(), request)?;
    let views: Vec<_> = webhooks.items.iter().map(WebhookView::new).collect();
    out.page(&views, webhooks.next_cursor.as_deref(), || {
        let mut rows = table(&["webhook", "active", "last", "events", "url"]);
        for webhook in &webhooks.items {
            rows.add_row([
                webhook.id.to_string(),
                activity(webhook).to_owned(),
                webhook
                    .last_http_code
                    .map_or_else(|| "-".into(), |(code, _)| code.to_string()),
                cell(&event_names(&webhook.events).join(" ")),
                cell(webhook.url.as_str()),
            ]);
        }
        rows
    })
}

/// Whether it is active; if not, for want of what.
pub const fn activity(webhook: &Webhook) -> &'static str {
    match (webhook.verified, webhook.enabled) {
        (true, true) => "yes",
        (false, true) => "no: unverified",
        (_, false) => "no: off",
    }
}

fn show(out: Output, webhook: &Webhook) -> Outcome {
    out.result(&WebhookView::new(webhook), || {
        let last = webhook
            .last_http_code
            .map_or_else(|| "none yet".into(), |(code, at)| format!("{code} at {at}"));
        let mut rows = vec![
            ("webhook", webhook.id.to_string()),
            ("url", webhook.url.as_str().to_owned()),
            ("active", activity(webhook).to_owned()),
            ("events", event_names(&webhook.events).join(" ")),
            ("last answer", last),
            ("created", webhook.created_at.to_string()),
            ("updated", webhook.updated_at.to_string()),
        ];
        if !webhook.description.is_empty() {
            rows.push((
                "description",
                webhook.description.escape_default().to_string(),
            ));
        }
        if let Some(environment) = &webhook.environment {
            rows.push(("environment", environment.as_str().to_owned()));
        }
        if !webhook.header_names.is_empty() {
            rows.push(("headers", webhook.header_names.join(" ")));
        }
        if webhook.has_basic_auth {
            rows.push(("basic auth", "set".to_owned()));
        }
        if webhook.overrides != Overrides::default() {
            let text = serde_json::to_string(&webhook.overrides).unwrap_or_default();
            rows.push(("overrides", text));
        }
        let lines: Vec<_> = rows
            .into_iter()
            .map(|(name, value)| format!("{name:<12} {value}"))
            .collect();
        lines.join("\n")
    })
}

fn show_secrets(out: Output, secrets: &[Secret]) -> Outcome {
    let shown = Secrets {
        secrets: secrets.iter().map(Secret::expose).collect(),
    };
    out.result(&shown, || {
        if shown.secrets.is_empty() {
            "(none: this app signs with its key, see `hookbox jwks`)".to_owned()
        } else {
            shown.secrets.join("\n")
        }
    })
}

/// Every webhook of an app, page by page.
pub fn all_of(hooks: &Hookbox, app: &str) -> Outcome<Vec<Webhook>> {
    let mut all = Vec::new();
    let mut cursor = None;
    loop {
        let request = PageRequest::first(1000)?.after(cursor);
        let page = hooks.webhooks(app, WebhookFilter::default(), request)?;
        all.extend(page.items);
        cursor = page.next_cursor;
        if cursor.is_none() {
            return Ok(all);
        }
    }
}
