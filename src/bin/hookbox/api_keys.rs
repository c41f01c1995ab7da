//! `api-key`: the keys of the management API.

use hookbox::clock::{Clock, SystemClock};
use hookbox::model::{ApiKey, AppId, NewApiKey, Timestamp};
use hookbox::storage::{ApiKeyFilter, PageRequest};
use serde::Serialize;

use crate::args::{ApiKeyCommand, Global};
use crate::boxes;
use crate::failure::Outcome;
use crate::output::{Output, cell, table, table_text, time, warn};
use crate::views::Rfc3339;

/// The JSON shape of a key (docs/shell.md).
#[derive(Serialize)]
struct ApiKeyView<'a> {
    id: String,
    name: &'a str,
    scope: Option<&'a str>,
    read_only: bool,
    requests_per_second: u32,
    state: &'static str,
    created_at: Rfc3339,
    expires_at: Option<Rfc3339>,
    revoked_at: Option<Rfc3339>,
    last_used_at: Option<Rfc3339>,
}

/// The same with the key itself: when it is made, and never again.
#[derive(Serialize)]
struct CreatedView<'a> {
    #[serde(flatten)]
    record: ApiKeyView<'a>,
    key: &'a str,
}

impl<'a> ApiKeyView<'a> {
    fn new(key: &'a ApiKey, now: Timestamp) -> Self {
        Self {
            id: key.id.to_string(),
            name: &key.name,
            scope: key.scope.as_ref().map(AppId::as_str),
            read_only: key.read_only,
            requests_per_second: key.requests_per_second,
            state: state(key, now),
            created_at: Rfc3339(key.created_at),
            expires_at: key.expires_at.map(Rfc3339),
            revoked_at: key.revoked_at.map(Rfc3339),
            last_used_at: key.last_used_at.map(Rfc3339),
        }
    }
}

pub fn api_key(global: &Global, out: Output, command: ApiKeyCommand) -> Outcome {
    let now = SystemClock.now();
    match command {
        ApiKeyCommand::Create {
            name,
            app,
            read_only,
            expires,
            rate,
        } => {
            let created = boxes::change(global)?.create_api_key(NewApiKey {
                name,
                scope: app,
                read_only,
                expires_at: expires,
                requests_per_second: rate,
            })?;
            let view = CreatedView {
                record: ApiKeyView::new(&created.key, now),
                key: created.secret.expose(),
            };
            // Alone on standard output, so that a script can take it.
            out.result(&view, || view.key.to_owned())?;
            if !out.json {
                let id = created.key.id;
                warn(&format!(
                    "Keep it now, it is not shown again. Its id is {id}."
                ));
            }
            Ok(())
        }
        ApiKeyCommand::List { app, page } => {
            let request = PageRequest::first(page.limit)?.after(page.cursor);
            let filter = ApiKeyFilter { scope: app };
            let keys = boxes::read(global)?.api_keys(filter, request)?;
            let views = keys.items.iter().map(|key| ApiKeyView::new(key, now));
            let views: Vec<_> = views.collect();
            out.page(&views, keys.next_cursor.as_deref(), || {
                rows(&keys.items, now)
            })
        }
        ApiKeyCommand::Revoke { id } => {
            let key = boxes::change(global)?.revoke_api_key(&id)?;
            out.result(&ApiKeyView::new(&key, now), || {
                table_text(&rows(std::slice::from_ref(&key), now))
            })
        }
    }
}

fn rows(keys: &[ApiKey], now: Timestamp) -> comfy_table::Table {
    let heads = [
        "id",
        "name",
        "for",
        "access",
        "state",
        "expires",
        "last used",
    ];
    let mut rows = table(&heads);
    for key in keys {
        let scope = key.scope.as_ref().map_or("all apps", AppId::as_str);
        let access = if key.read_only { "read only" } else { "full" };
        rows.add_row([
            key.id.to_string(),
            cell(&key.name),
            scope.to_owned(),
            access.to_owned(),
            state(key, now).to_owned(),
            time(key.expires_at),
            time(key.last_used_at),
        ]);
    }
    rows
}

fn state(key: &ApiKey, now: Timestamp) -> &'static str {
    if key.is_valid(now) {
        "valid"
    } else if key.revoked_at.is_some() {
        "revoked"
    } else {
        "expired"
    }
}
