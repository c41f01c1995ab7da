//! The registry's rules: what may be registered, and how an endpoint proves its ownership.

mod activation;
mod checks;

pub(crate) use activation::prove_ownership;
pub(crate) use checks::{
    check_event, check_overrides, check_profile, check_secrets, check_webhook_text, parse_url,
};
