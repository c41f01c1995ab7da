//! Who answers the management API's requests: the library's own API, with the box's API keys.

use std::sync::Arc;

use hookbox::Hookbox;
use hookbox::api::{Api, ApiKeys, Dialect};

use super::args::Contract;
use super::server::Handler;

/// The handler of a box in a vendor's contract.
pub fn routes(hooks: &Arc<Hookbox>, contract: Contract) -> Handler {
    let dialect = match contract {
        Contract::Prelude => Dialect::Prelude,
        Contract::Fingerprint => Dialect::Fingerprint,
    };
    let keys = Arc::new(ApiKeys::new(Arc::clone(hooks)));
    let api = Api::new(Arc::clone(hooks), keys, dialect);
    Arc::new(move |request| api.handle(request))
}
