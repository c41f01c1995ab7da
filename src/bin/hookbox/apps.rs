//! `app`, `event-type`, `key` and `jwks`.

use std::path::Path;

use hookbox::clock::{Clock as _, SystemClock};
use hookbox::model::{App, AppId, EventType, KeyId, Profile, Secret, SigningKey};
use hookbox::storage::PageRequest;
use hookbox::{NewApp, NewKey};
use serde::Serialize;

use crate::args::{AppCommand, EventTypeCommand, Global, KeyCommand, ProfileName};
use crate::boxes;
use crate::failure::{Failure, Outcome};
use crate::output::{Output, table, time};
use crate::views::{AppView, Deleted, KeyView};

pub fn app(global: &Global, out: Output, command: AppCommand) -> Outcome {
    match command {
        AppCommand::Create {
            app,
            profile,
            key_bits,
            import_key,
            kid,
        } => {
            let mut new = NewApp::new(AppId::parse(&app)?);
            new.profile = profile_of(profile);
            if profile != ProfileName::Prelude && (key_bits.is_some() || import_key.is_some()) {
                let message = "--key-bits and --import-key are for the profile prelude: the others \
                    sign with a secret of each webhook";
                return Err(Failure::Usage(message.into()));
            }
            if let Some(pem) = import_key {
                new.key = read_key(&pem, kid)?;
            } else if let Some(size) = key_bits {
                new.key = NewKey::Generate(size);
            }
            let created = boxes::create(global)?.create_app_with(new)?;
            show(out, &created)
        }
        AppCommand::List(page) => {
            let request = PageRequest::first(page.limit)?.after(page.cursor);
            let apps = boxes::read(global)?.apps(request)?;
            let views: Vec<_> = apps.items.iter().map(AppView::new).collect();
            out.page(&views, apps.next_cursor.as_deref(), || {
                let mut rows = table(&["app", "state", "profile", "created"]);
                for app in &apps.items {
                    rows.add_row([
                        app.id.to_string(),
                        state(app).to_owned(),
                        app.profile.name.clone(),
                        app.created_at.to_string(),
                    ]);
                }
                rows
            })
        }
        AppCommand::Enable { app } => show(out, &boxes::change(global)?.enable_app(&app)?),
        AppCommand::Disable { app } => show(out, &boxes::change(global)?.disable_app(&app)?),
        AppCommand::Delete { app } => {
            boxes::change(global)?.delete_app(&app)?;
            out.result(&Deleted { deleted: &app }, || {
                format!("App {app} is deleted.")
            })
        }
    }
}

fn profile_of(name: ProfileName) -> Profile {
    match name {
        ProfileName::Prelude => Profile::prelude(),
        ProfileName::Fingerprint => Profile::fingerprint(),
        ProfileName::StandardWebhooks => Profile::standard_webhooks(),
    }
}

fn show(out: Output, app: &App) -> Outcome {
    out.result(&AppView::new(app), || {
        format!(
            "App {} is {} (profile {}).",
            app.id,
            state(app),
            app.profile.name
        )
    })
}

const fn state(app: &App) -> &'static str {
    match app.state {
        hookbox::model::AppState::Enabled => "enabled",
        hookbox::model::AppState::Disabled => "disabled",
    }
}

#[derive(Serialize)]
struct Catalogue {
    items: Vec<EventType>,
    next_cursor: Option<String>,
}

pub fn event_type(global: &Global, out: Output, command: EventTypeCommand) -> Outcome {
    let hooks = match command {
        EventTypeCommand::List => boxes::read(global)?,
        EventTypeCommand::Add { types } => {
            let hooks = boxes::create(global)?;
            hooks.add_event_types(types)?;
            hooks
        }
        EventTypeCommand::Replace { types } => {
            let hooks = boxes::create(global)?;
            hooks.replace_event_types(types)?;
            hooks
        }
    };
    let catalogue = Catalogue {
        items: hooks.event_types()?,
        next_cursor: None,
    };
    out.result(&catalogue, || {
        let names: Vec<_> = catalogue.items.iter().map(EventType::as_str).collect();
        names.join("\n")
    })
}

pub fn key(global: &Global, out: Output, command: KeyCommand) -> Outcome {
    match command {
        KeyCommand::List { app } => {
            let keys = boxes::read(global)?.keys(&app)?;
            let now = SystemClock.now();
            let views: Vec<_> = keys.iter().map(|key| KeyView::new(key, now)).collect();
            out.page(&views, None, || key_table(&keys))
        }
        KeyCommand::Rotate { app, bits, lead } => {
            let key =
                boxes::change(global)?.rotate_key_after(&app, &NewKey::Generate(bits), lead)?;
            show_key(out, &key)
        }
        KeyCommand::Import {
            app,
            pem,
            kid,
            lead,
        } => {
            let new = read_key(&pem, kid)?;
            show_key(
                out,
                &boxes::change(global)?.rotate_key_after(&app, &new, lead)?,
            )
        }
        KeyCommand::Retire { app, kid, overlap } => show_key(
            out,
            &boxes::change(global)?.retire_key(&app, &kid, overlap)?,
        ),
    }
}

fn read_key(path: &Path, kid: Option<KeyId>) -> Outcome<NewKey> {
    let pem = std::fs::read_to_string(path).map_err(|error| Failure::file(path, &error))?;
    Ok(NewKey::Import {
        pem: Secret::new(pem),
        kid,
    })
}

fn show_key(out: Output, key: &SigningKey) -> Outcome {
    out.result(&KeyView::new(key, SystemClock.now()), || {
        crate::output::table_text(&key_table(std::slice::from_ref(key)))
    })
}

fn key_table(keys: &[SigningKey]) -> comfy_table::Table {
    let now = SystemClock.now();
    let mut rows = table(&[
        "kid",
        "phase",
        "signs from",
        "signs until",
        "published until",
    ]);
    for key in keys {
        let phase = format!("{:?}", key.phase(now)).to_lowercase();
        rows.add_row([
            key.kid.to_string(),
            phase,
            key.signs_from.to_string(),
            time(key.signs_until),
            time(key.published_until),
        ]);
    }
    rows
}

/// The JWK set is JSON with or without `--json`: it is made to be published as it is.
pub fn jwks(global: &Global, app: &str) -> Outcome {
    let set = boxes::read(global)?.jwks(app)?;
    Output { json: true }.result(&set, String::new)
}
