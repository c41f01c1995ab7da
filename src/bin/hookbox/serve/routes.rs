//! Who answers the management API's requests.

use std::sync::Arc;

use hookbox::Hookbox;
use hookbox::api::Response;

use super::args::Contract;
use super::server::Handler;

/// The handler of a box in a vendor's contract. This build has no routes yet, and says so: 501.
pub fn routes(_hooks: &Arc<Hookbox>, contract: Contract) -> Handler {
    let name = match contract {
        Contract::Prelude => "prelude",
        Contract::Fingerprint => "fingerprint",
    };
    let body = format!(
        "{{\"code\":\"not_implemented\",\"message\":\"this build has no routes of the profile {name}\"}}"
    );
    Arc::new(move |_request| Response {
        status: 501,
        headers: vec![("content-type".into(), "application/json".into())],
        body: body.clone().into_bytes(),
    })
}
