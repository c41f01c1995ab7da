//! What a handler is given, and what it answers with.

use serde::Serialize;

use crate::hookbox::Hookbox;
use crate::model::{AppId, BatchId, EventId, KeyId, WebhookId, excerpt};

use super::fault::Fault;
use super::query::Query;
use super::route::Params;
use super::{Request, Response, Scope};

/// One request that may be done: its route is known, and its key is good for it.
#[derive(Debug)]
pub(super) struct Call<'a> {
    pub hooks: &'a Hookbox,
    pub request: &'a Request,
    /// Which apps the key is for; `None` where no key is needed.
    pub scope: Option<&'a Scope>,
    pub params: &'a Params,
    /// The query as it came.
    pub query: &'a str,
}

impl Call<'_> {
    /// A parameter of the path.
    pub fn param(&self, name: &str) -> &str {
        self.params.get(name).unwrap_or_default()
    }

    pub fn query(&self) -> Query {
        Query::parse(self.query)
    }

    /// The one app that the key is for.
    pub fn app_of_key(&self) -> Option<&AppId> {
        match self.scope {
            Some(Scope::App(app)) => Some(app),
            Some(Scope::All) | None => None,
        }
    }

    /// The webhook's id in the path.
    ///
    /// # Errors
    /// 404 for a text that is no webhook's id.
    pub fn webhook_id(&self, name: &str) -> Result<WebhookId, Fault> {
        let text = self.param(name);
        WebhookId::parse(text).map_err(|_| missing("webhook_not_found", "webhook", text))
    }

    /// The event's id in the path.
    ///
    /// # Errors
    /// 404 for a text that is no event's id.
    pub fn event_id(&self) -> Result<EventId, Fault> {
        let text = self.param("event");
        EventId::parse(text).map_err(|_| missing("event_not_found", "event", text))
    }

    /// The batch's id in the path.
    ///
    /// # Errors
    /// 404 for a text that is no batch's id.
    pub fn batch_id(&self) -> Result<BatchId, Fault> {
        let text = self.param("batch");
        BatchId::parse(text).map_err(|_| missing("batch_not_found", "batch", text))
    }

    /// The signing key's id in the path.
    ///
    /// # Errors
    /// 404 for a text that is no key's id.
    pub fn key_id(&self) -> Result<KeyId, Fault> {
        let text = self.param("kid");
        KeyId::parse(text).map_err(|_| missing("key_not_found", "signing key", text))
    }
}

/// What cannot be an id is nobody's: answered as [`crate::Error`] words one that is not found.
fn missing(code: &'static str, what: &str, text: &str) -> Fault {
    Fault::not_found(
        code,
        format!("The {what} was not found: `{}`.", excerpt(text)),
    )
}

/// A JSON answer. No cache may keep it: it is for the holder of one key.
///
/// # Errors
/// 500 for a value that does not serialise.
pub(super) fn json(status: u16, value: &impl Serialize) -> Result<Response, Fault> {
    let body = serde_json::to_vec(value).map_err(|_| Fault::internal())?;
    Ok(Response {
        status,
        headers: vec![
            ("content-type".to_owned(), "application/json".to_owned()),
            ("cache-control".to_owned(), "no-store".to_owned()),
        ],
        body,
    })
}

/// 204.
pub(super) const fn no_content() -> Response {
    Response {
        status: 204,
        headers: Vec::new(),
        body: Vec::new(),
    }
}
