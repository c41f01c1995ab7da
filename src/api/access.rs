//! Who may do what: what an authorizer says of a request.

use std::fmt::Debug;
use std::time::Duration;

use crate::model::AppId;

use super::Request;

/// Decides who asks. [`super::Api`] asks it before anything else is looked at, for every route but
/// the public key sets. By default it is the box's own API keys; a host may bring its own.
pub trait Authorizer: Debug + Send + Sync {
    /// Says what the sender of this request may do.
    ///
    /// # Errors
    /// [`Denied`]: what to answer instead.
    fn authorize(&self, request: &Request) -> Result<Grant, Denied>;
}

/// What the sender of a request may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// Where.
    pub scope: Scope,
    /// What.
    pub access: Access,
}

/// Which apps a grant is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// One app. The others do not exist for it.
    App(AppId),
    /// Every app, and what belongs to none.
    All,
}

/// What a grant allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Looking only.
    ReadOnly,
    /// Everything.
    Full,
}

/// Why a request is refused before it is looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Denied {
    /// No key, or none that is valid now. Which of the two is nobody's business.
    Unauthorized,
    /// Too many requests: again after this time.
    RateLimited {
        /// How long to wait.
        retry_after: Duration,
    },
    /// It could not be found out: the storage failed.
    Unavailable,
}
