//! The registry's rules: what may be registered, how an endpoint proves its ownership, and what an
//! API key is.

mod activation;
mod api_keys;
mod checks;

pub(crate) use activation::prove_ownership;
pub(crate) use api_keys::{PresentedApiKey, SECRET_BYTES, check_new_api_key, write_api_key};
pub(crate) use checks::{
    check_event, check_overrides, check_profile, check_secrets, check_webhook_text, parse_url,
};
