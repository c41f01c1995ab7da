//! The public key sets, which need no key (contracts.md §1.1, last row).

use super::Response;
use super::call::{Call, json};
use super::fault::Fault;
use super::route::{Needs, Route};

pub(super) const ROUTES: &[Route] = &[
    Route::get(
        "/v2/session/apps/{appID}/jwks.json",
        Needs::Nothing,
        of_path,
    ),
    Route::get("/.well-known/jwks.json", Needs::Nothing, of_host),
];

/// Far below the time that a new key is published before it signs (an hour by default).
const MAX_AGE: &str = "public, max-age=300";

fn of_path(call: &Call<'_>) -> Result<Response, Fault> {
    answer(call, call.param("appID"))
}

/// The app's own host: its first label is the app's id, as at the vendor's.
fn of_host(call: &Call<'_>) -> Result<Response, Fault> {
    let host = call.request.header("host").unwrap_or_default();
    answer(call, host.split(['.', ':']).next().unwrap_or_default())
}

/// Also of a disabled app: what it sent before must stay verifiable.
fn answer(call: &Call<'_>, app: &str) -> Result<Response, Fault> {
    let mut response = json(200, &call.hooks.jwks(app)?)?;
    response.headers.retain(|(name, _)| name != "cache-control");
    let cache = ("cache-control".to_owned(), MAX_AGE.to_owned());
    response.headers.push(cache);
    Ok(response)
}
