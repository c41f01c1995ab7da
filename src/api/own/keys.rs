//! Signing keys. A private part never comes or goes this way: to import one, use the shell or the
//! library.

use std::time::Duration;

use crate::hookbox::NewKey;

use super::super::Response;
use super::super::call::{Call, json};
use super::super::fault::Fault;
use super::super::fields::Fields;
use super::super::route::{BODY_BYTES_MAX, Needs, Route};
use super::super::views::{KeyView, Listing};
use super::apps::key_size;

pub(super) const ROUTES: &[Route] = &[
    Route::get("/hookbox/v1/apps/{app}/keys", Needs::Read, list),
    Route::post("/hookbox/v1/apps/{app}/keys", Needs::Write, rotate).with_body(BODY_BYTES_MAX),
    Route::post(
        "/hookbox/v1/apps/{app}/keys/{kid}/retire",
        Needs::Write,
        retire,
    )
    .with_body(BODY_BYTES_MAX),
];

/// All of them: an app has few.
fn list(call: &Call<'_>) -> Result<Response, Fault> {
    let keys = call.hooks.keys(call.param("app"))?;
    let now = call.hooks.now();
    let views = keys.iter().map(|key| KeyView::new(key, now)).collect();
    json(200, &Listing::new(views, None))
}

/// `{"key_bits", "lead_seconds"}`, each with a default.
fn rotate(call: &Call<'_>) -> Result<Response, Fault> {
    let app = call.hooks.app(call.param("app"))?;
    let mut fields = Fields::parse(&call.request.body)?;
    let new = NewKey::Generate(key_size(&mut fields));
    let lead = seconds(&mut fields, "lead_seconds");
    fields.check()?;
    let key = match lead {
        Some(lead) => call.hooks.rotate_key_after(app.id.as_str(), &new, lead)?,
        None => call.hooks.rotate_key(app.id.as_str(), &new)?,
    };
    json(201, &KeyView::new(&key, call.hooks.now()))
}

/// `{"overlap_seconds"}`: how long it stays published. With 0 it is revoked.
fn retire(call: &Call<'_>) -> Result<Response, Fault> {
    let app = call.hooks.app(call.param("app"))?;
    let kid = call.key_id()?;
    let mut fields = Fields::parse(&call.request.body)?;
    let name = "overlap_seconds";
    let Some(overlap) = seconds(&mut fields, name) else {
        if fields.verbatim(name).is_none() {
            fields.refuse(name, "is missing: it must be a whole number");
        }
        return Err(fields.fault());
    };
    let key = call.hooks.retire_key(app.id.as_str(), &kid, overlap)?;
    json(200, &KeyView::new(&key, call.hooks.now()))
}

/// Ten years and more are as good as for ever.
const SECONDS_MAX: u32 = 315_360_000;

fn seconds(fields: &mut Fields<'_>, name: &str) -> Option<Duration> {
    let seconds = fields.whole(name, SECONDS_MAX)?;
    Some(Duration::from_secs(seconds.into()))
}
