//! Keys that say what they are for: `<full|read> <app|*>`, written with a dash; and two that fail.

use std::time::Duration;

use hookbox::api::{Access, Authorizer, Denied, Grant, Request, Scope};

#[derive(Debug)]
pub struct NamedKeys;

impl Authorizer for NamedKeys {
    fn authorize(&self, request: &Request) -> Result<Grant, Denied> {
        let value = request.header("authorization").unwrap_or_default();
        let key = value.strip_prefix("Bearer ").ok_or(Denied::Unauthorized)?;
        let (access, app) = match key.split_once('-') {
            Some(("full", app)) => (Access::Full, app),
            Some(("read", app)) => (Access::ReadOnly, app),
            Some(("limited", _)) => {
                let retry_after = Duration::from_millis(1500);
                return Err(Denied::RateLimited { retry_after });
            }
            Some(("broken", _)) => return Err(Denied::Unavailable),
            _ => return Err(Denied::Unauthorized),
        };
        let scope = match app {
            "*" => Scope::All,
            app => Scope::App(app.parse().map_err(|_| Denied::Unauthorized)?),
        };
        Ok(Grant { scope, access })
    }
}
