//! Our own operations under `/hookbox/v1`: what the vendors' APIs have no words for.

mod apps;
mod events;
mod keys;
mod records;

use serde::Serialize;

use super::Response;
use super::call::{Call, json};
use super::fault::{Fault, Violation};
use super::prelude::status_word;
use super::route::{Needs, Route};

pub(super) use events::BYTES_MAX as EMIT_BYTES_MAX;

pub(super) const TABLES: &[&[Route]] = &[
    apps::ROUTES,
    events::ROUTES,
    records::ROUTES,
    keys::ROUTES,
    &[
        Route::get("/hookbox/v1/stats", Needs::ReadAll, stats),
        Route::get("/hookbox/v1/openapi/{document}", Needs::Read, openapi),
    ],
];

/// The documents that `docs/openapi` holds, by the name they are served under.
const DOCUMENTS: [(&str, &str); 3] = [
    (
        "prelude.json",
        include_str!("../../../docs/openapi/prelude.json"),
    ),
    (
        "fingerprint.json",
        include_str!("../../../docs/openapi/fingerprint.json"),
    ),
    (
        "hookbox.json",
        include_str!("../../../docs/openapi/hookbox.json"),
    ),
];

fn stats(call: &Call<'_>) -> Result<Response, Fault> {
    json(200, &call.hooks.stats()?)
}

fn openapi(call: &Call<'_>) -> Result<Response, Fault> {
    let name = call.param("document");
    let found = DOCUMENTS.iter().find(|(document, _)| *document == name);
    let (_, text) = found.ok_or_else(Fault::no_such_path)?;
    Ok(Response {
        status: 200,
        headers: vec![("content-type".to_owned(), "application/json".to_owned())],
        body: text.as_bytes().to_vec(),
    })
}

/// The flat error of the Prelude dialect, with the violations where there are any.
#[derive(Serialize)]
struct Flat<'a> {
    code: &'a str,
    status: &'a str,
    message: &'a str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    violations: &'a [Violation],
}

/// A fault in the shape of our own operations.
pub(super) fn render(fault: &Fault) -> Result<Response, Fault> {
    json(
        fault.status,
        &Flat {
            code: fault.code,
            status: status_word(fault.status),
            message: &fault.message,
            violations: &fault.violations,
        },
    )
}
