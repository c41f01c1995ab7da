//! From a request to a response: the route, the key, the checks that every route shares.
//!
//! In this order: path (404), method (405), key (401, 429, 503), what the key is for (403, or 404 for
//! an app that is not its own), size (413), media type (415), and then what the handler checks.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use crate::clock::{Random, SystemRandom};
use crate::error::Error;
use crate::hookbox::Hookbox;
use crate::model::excerpt;

use super::access::{Access, Authorizer, Denied, Grant, Scope};
use super::call::{Call, no_content};
use super::fault::Fault;
use super::route::{Body, Needs, Params, Route, allow};
use super::target::Target;
use super::{Request, Response, fingerprint, jwks, own, prelude};

/// Which vendor's API is mounted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// `/v2/session/apps/{appID}/webhooks…` (contracts.md §1.1).
    Prelude,
    /// `/webhooks…`, for the app of the key (contracts.md §2.1).
    Fingerprint,
}

/// The management API of a box: one vendor's, ours under `/hookbox/v1`, and the public key sets.
/// Thread-safe, and without a state of its own: make as many as there are dialects to serve.
#[derive(Debug, Clone)]
pub struct Api {
    hooks: Arc<Hookbox>,
    authorizer: Arc<dyn Authorizer>,
    dialect: Dialect,
}

/// Characters of a request id that is echoed.
const REQUEST_ID_CHARS_MAX: usize = 128;

impl Api {
    /// Bytes of the largest body that any route takes (1 MiB, for emitting; 64 KiB elsewhere). A
    /// server need not read more before it hands a request over.
    pub const BODY_BYTES_MAX: usize = own::EMIT_BYTES_MAX;

    /// An API over a box.
    #[must_use]
    pub fn new(hooks: Arc<Hookbox>, authorizer: Arc<dyn Authorizer>, dialect: Dialect) -> Self {
        Self {
            hooks,
            authorizer,
            dialect,
        }
    }

    /// Answers a request. It never panics: a panic on the way becomes a 500. Activating waits for the
    /// endpoint, up to the app's deadline (10 s by default); everything else for the storage alone.
    #[must_use]
    pub fn handle(&self, request: &Request) -> Response {
        let target = Target::parse(&request.target);
        // Nothing is left half-changed: the box's own locks outlive panics.
        let answered = catch_unwind(AssertUnwindSafe(|| self.answer(request, &target)));
        let answered = answered.unwrap_or_else(|_| Err(Fault::internal()));
        let mut response = answered.unwrap_or_else(|fault| self.render(&fault, &target));
        if request.method == "HEAD" {
            response.body.clear();
        }
        if let Some(id) = request_id(request) {
            response.headers.push(("x-request-id".to_owned(), id));
        }
        response
    }

    /// Method and path of every route, the parameters of a path in braces: for a host that lists them
    /// in a router of its own. `HEAD` and `OPTIONS` go with them.
    pub fn routes(dialect: Dialect) -> impl Iterator<Item = (&'static str, &'static str)> {
        tables(dialect)
            .into_iter()
            .flatten()
            .map(|route| (route.method.as_str(), route.path))
    }

    fn answer(&self, request: &Request, target: &Target<'_>) -> Result<Response, Fault> {
        if request.method == "OPTIONS" && request.target == "*" {
            let all = tables(self.dialect).into_iter().flatten();
            return Ok(options(allow(all)));
        }
        let (route, params) = match self.find(request, target)? {
            Found::Route(route, params) => (route, params),
            Found::Options(allow) => return Ok(options(allow)),
        };
        let grant = match route.needs {
            Needs::Nothing => None,
            _ => Some(
                self.authorizer
                    .authorize(request)
                    .map_err(|why| denied(&why))?,
            ),
        };
        if let Some(grant) = &grant {
            permit(route.needs, grant, &params)?;
        }
        if request.body.len() > route.body_bytes_max() {
            return Err(Fault::body_too_large(route.body_bytes_max()));
        }
        if matches!(route.body, Body::Json(_)) && !request.body.is_empty() && !is_json(request) {
            return Err(Fault::unsupported_media_type());
        }
        (route.handler)(&Call {
            hooks: &self.hooks,
            request,
            scope: grant.as_ref().map(|grant| &grant.scope),
            params: &params,
            query: target.query,
        })
    }

    fn find(&self, request: &Request, target: &Target<'_>) -> Result<Found, Fault> {
        let segments = target.segments.as_ref().ok_or_else(Fault::no_such_path)?;
        let here: Vec<(&Route, Params)> = tables(self.dialect)
            .into_iter()
            .flatten()
            .filter_map(|route| Some((route, route.matches(segments)?)))
            .collect();
        if here.is_empty() {
            return Err(Fault::no_such_path());
        }
        let allow = allow(here.iter().map(|(route, _)| *route));
        if request.method == "OPTIONS" {
            return Ok(Found::Options(allow));
        }
        let method = match request.method.as_str() {
            "HEAD" => "GET",
            other => other,
        };
        here.into_iter()
            .find(|(route, _)| route.method.as_str() == method)
            .map(|(route, params)| Found::Route(route, params))
            .ok_or_else(|| Fault::method_not_allowed(allow))
    }

    fn render(&self, fault: &Fault, target: &Target<'_>) -> Response {
        let first = target.segments.as_ref().and_then(|parts| parts.first());
        let is_ours = first.is_some_and(|part| part == "hookbox");
        let rendered = match self.dialect {
            _ if is_ours => own::render(fault),
            Dialect::Prelude => prelude::render(fault),
            Dialect::Fingerprint => fingerprint::render(fault),
        };
        let mut response = rendered.unwrap_or_else(|fault| Response {
            status: fault.status,
            headers: Vec::new(),
            body: Vec::new(),
        });
        let headers = fault.headers.iter();
        let headers = headers.map(|(name, value)| ((*name).to_owned(), value.clone()));
        response.headers.extend(headers);
        response
    }
}

/// What is at a path, for a method.
enum Found {
    Route(&'static Route, Params),
    /// `Allow`.
    Options(String),
}

fn tables(dialect: Dialect) -> Vec<&'static [Route]> {
    let vendor = match dialect {
        Dialect::Prelude => prelude::ROUTES,
        Dialect::Fingerprint => fingerprint::ROUTES,
    };
    [&[vendor, jwks::ROUTES], own::TABLES].concat()
}

fn options(allow: String) -> Response {
    let mut response = no_content();
    response.headers.push(("allow".to_owned(), allow));
    response
}

fn denied(denied: &Denied) -> Fault {
    match *denied {
        Denied::Unauthorized => Fault::unauthorized(),
        Denied::RateLimited { retry_after } => Fault::rate_limited(retry_after),
        Denied::Unavailable => Fault::unavailable(),
    }
}

/// What a key is for. An app that is not the key's own is answered as one that does not exist.
fn permit(needs: Needs, grant: &Grant, params: &Params) -> Result<(), Fault> {
    if matches!(needs, Needs::Write | Needs::WriteAll) && grant.access != Access::Full {
        return Err(Fault::forbidden("The API key may only read."));
    }
    let Scope::App(own) = &grant.scope else {
        return Ok(());
    };
    let named = params.get("app").or_else(|| params.get("appID"));
    if let Some(app) = named.filter(|app| *app != own.as_str()) {
        return Err(Error::AppNotFound(excerpt(app)).into());
    }
    if matches!(needs, Needs::ReadAll | Needs::WriteAll) {
        return Err(Fault::forbidden("This takes an API key for all apps."));
    }
    Ok(())
}

fn is_json(request: &Request) -> bool {
    let value = request.header("content-type").unwrap_or_default();
    let essence = value.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/json")
}

/// The request's own id where it can be one, else a fresh one; none where the system has no entropy
/// left to make one of.
fn request_id(request: &Request) -> Option<String> {
    let given = request.header("x-request-id").filter(|id| {
        (1..=REQUEST_ID_CHARS_MAX).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_graphic())
    });
    match given {
        Some(id) => Some(id.to_owned()),
        None => SystemRandom
            .bits()
            .ok()
            .map(|bits| format!("req_{bits:032x}")),
    }
}
