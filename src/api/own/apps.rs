//! Apps. Making, switching and deleting them takes a key for all apps.

use crate::hookbox::{NewApp, NewKey};
use crate::model::{AppId, KeySize, Profile};

use super::super::Response;
use super::super::call::{Call, json, no_content};
use super::super::fault::Fault;
use super::super::fields::Fields;
use super::super::route::{BODY_BYTES_MAX, Needs, Route};
use super::super::views::{AppView, Listing};

pub(super) const ROUTES: &[Route] = &[
    Route::get("/hookbox/v1/apps", Needs::Read, list),
    Route::post("/hookbox/v1/apps", Needs::WriteAll, create).with_body(BODY_BYTES_MAX),
    Route::get("/hookbox/v1/apps/{app}", Needs::Read, get),
    Route::delete("/hookbox/v1/apps/{app}", Needs::WriteAll, delete),
    Route::post("/hookbox/v1/apps/{app}/enable", Needs::WriteAll, enable),
    Route::post("/hookbox/v1/apps/{app}/disable", Needs::WriteAll, disable),
];

/// A key of one app sees that one.
fn list(call: &Call<'_>) -> Result<Response, Fault> {
    let page = call.query().page()?;
    if let Some(own) = call.app_of_key() {
        let app = call.hooks.app(own.as_str())?;
        return json(200, &Listing::new(vec![AppView::new(&app)], None));
    }
    let page = call.hooks.apps(page)?;
    let views = page.items.iter().map(AppView::new).collect();
    json(200, &Listing::new(views, page.next_cursor))
}

fn create(call: &Call<'_>) -> Result<Response, Fault> {
    let mut fields = Fields::parse(&call.request.body)?;
    let id = fields.required::<String>("id", "must be a string");
    let id = id.and_then(|id| {
        let parsed = AppId::parse(&id);
        if parsed.is_err() {
            let rule =
                "must be 1 to 64 characters of A-Z a-z 0-9 . _ -, the first one alphanumeric";
            fields.refuse("id", rule);
        }
        parsed.ok()
    });
    let profile_rule = "must be `prelude`, `fingerprint` or `standard_webhooks`";
    let profile = fields.optional::<String>("profile", profile_rule);
    let profile = profile.map_or_else(|| Some(Profile::default()), |name| Profile::by_name(&name));
    if profile.is_none() {
        fields.refuse("profile", profile_rule);
    }
    let size = key_size(&mut fields);
    fields.check()?;
    let (Some(id), Some(profile)) = (id, profile) else {
        return Err(fields.fault());
    };
    let app = call.hooks.create_app_with(NewApp {
        id,
        profile,
        key: NewKey::Generate(size),
    })?;
    json(201, &AppView::new(&app))
}

/// `key_bits`, 2048 by default.
pub(super) fn key_size(fields: &mut Fields<'_>) -> KeySize {
    let Some(bits) = fields.whole("key_bits", 4096) else {
        return KeySize::default();
    };
    KeySize::from_bits(bits as usize).unwrap_or_else(|_| {
        fields.refuse("key_bits", "must be 2048, 3072 or 4096");
        KeySize::default()
    })
}

fn get(call: &Call<'_>) -> Result<Response, Fault> {
    json(200, &AppView::new(&*call.hooks.app(call.param("app"))?))
}

fn delete(call: &Call<'_>) -> Result<Response, Fault> {
    call.hooks.delete_app(call.param("app"))?;
    Ok(no_content())
}

fn enable(call: &Call<'_>) -> Result<Response, Fault> {
    json(
        200,
        &AppView::new(&call.hooks.enable_app(call.param("app"))?),
    )
}

fn disable(call: &Call<'_>) -> Result<Response, Fault> {
    json(
        200,
        &AppView::new(&call.hooks.disable_app(call.param("app"))?),
    )
}
