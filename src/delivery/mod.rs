//! Delivery: from claimed batches to signed requests and back to settled results.

mod body;
mod contents;
mod courier;
mod crew;
mod dispatcher;
mod engine;
mod inbox;
mod senders;
#[cfg(feature = "testing")]
mod stepped;

pub(crate) use courier::Courier;
pub(crate) use engine::Engine;
pub use inbox::Idle;
pub(crate) use inbox::Inbox;
pub(crate) use senders::on_our_thread;
#[cfg(feature = "testing")]
pub use stepped::{SteppedEngine, SteppedRequest};

use std::sync::Arc;
use std::time::Duration;

use crate::clock::{Clock, Random};
use crate::metrics::Counters;
use crate::model::{Class, Notice};
use crate::storage::Storage;

/// A host's callback for operational notices.
pub type OnNotice = Arc<dyn Fn(&Notice) + Send + Sync>;

/// How the engine works.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EngineSettings {
    /// Sender threads for a class of webhooks that are busy at once ([`EngineSettings::senders`]).
    pub(crate) workers: usize,
    /// More of them in all, whose request has been out for a while.
    pub(crate) slow_max: usize,
    /// Ended batches and events older than this are deleted; `None` keeps them.
    pub(crate) retention: Option<Duration>,
}

impl EngineSettings {
    /// How many senders of a class may be busy at once. Failing webhooks get one probe at a time and
    /// then wait: a quarter does.
    pub(crate) const fn senders(&self, class: Class) -> usize {
        match class {
            Class::Well | Class::Untried => self.workers,
            Class::Failing => self.workers.div_ceil(4),
        }
    }
}

/// What the engine works with.
#[derive(Clone)]
pub(crate) struct EngineParts {
    pub(crate) storage: Arc<dyn Storage>,
    pub(crate) courier: Arc<Courier>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn Random>,
    pub(crate) on_notice: Option<OnNotice>,
    pub(crate) inbox: Arc<Inbox>,
    pub(crate) counters: Arc<Counters>,
    pub(crate) settings: EngineSettings,
}

impl EngineParts {
    /// Hands a notice to the host. Its panic is its own affair.
    pub(crate) fn notify(&self, notice: &Notice) {
        if let Some(on_notice) = &self.on_notice {
            let call = std::panic::AssertUnwindSafe(|| on_notice(notice));
            let _ = std::panic::catch_unwind(call);
        }
    }
}
