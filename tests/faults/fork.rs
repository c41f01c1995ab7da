//! Forks. A child that inherits an open box gets a clear error from every call, touches nothing,
//! and dropping the box there closes nothing: the parent goes on as if nothing had happened.

use std::time::Duration;

use hookbox::storage::PageRequest;
use hookbox::{Error, Hookbox};

use crate::box_of::*;
use crate::run::{Figures, Size, Watchdog, figure};
use crate::support::*;
use crate::system::in_a_fork;

pub fn part(size: Size) -> Figures {
    let _watchdog = Watchdog::new("fork", Duration::from_secs(120));
    let forks = size.pick(300, 20);
    let storages = [
        Kept::Sqlite,
        #[cfg(feature = "redb")]
        Kept::Redb,
    ];
    for kept in &storages {
        under_load(*kept, forks);
    }
    vec![figure("forks", forks * storages.len()), figure("lost", 0)]
}

fn under_load(kept: Kept, forks: usize) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("box");
    let receiver = Receiver::start();
    let hooks = kept.open(real_http(MovedClock::ahead(0)), &path).unwrap();
    hooks.create_app_with(new_app()).unwrap();
    let id = webhook(&hooks, &receiver.url).unwrap();
    hooks.start().unwrap();
    let mut slot = Some(hooks);
    for number in 0..forks {
        let hooks = slot.as_ref().unwrap();
        hooks.emit(APP, TYPE, payload(number as u64)).unwrap();
        // What the child takes and drops is its copy.
        let well = in_a_fork(|| slot.take().is_some_and(|hooks| all_refused(&hooks, &id)));
        assert!(well, "the child was not refused");
    }
    let hooks = slot.unwrap();
    assert!(hooks.wait_idle(Duration::from_secs(30)).is_some());
    hooks.stop(Duration::from_secs(5)).unwrap();
    assert_eq!(hooks.check().unwrap(), Vec::<String>::new());
    let stored = events(&hooks).unwrap();
    assert_eq!(stored.len(), forks);
    let mut came = 0;
    for request in receiver.deliveries() {
        let body: serde_json::Value = serde_json::from_slice(&request.body).unwrap();
        came += body["events"].as_array().unwrap().len();
    }
    assert_eq!(came, forks, "each exactly once");
}

/// Whether every call is refused.
fn all_refused(hooks: &Hookbox, webhook: &hookbox::model::WebhookId) -> bool {
    let page = PageRequest::default;
    let results = [
        hooks.emit(APP, TYPE, "1").map(drop),
        hooks
            .events(APP, hookbox::storage::EventFilter::default(), page())
            .map(drop),
        hooks.app(APP).map(drop),
        hooks.webhook(APP, webhook).map(drop),
        hooks.activate(APP, webhook).map(drop),
        hooks.backlog(APP, webhook).map(drop),
        hooks.keys(APP).map(drop),
        hooks.start(),
        hooks.stop(Duration::from_secs(60)),
        hooks.poll(START).map(drop),
        hooks.claim(1).map(drop),
        hooks.check().map(drop),
        hooks.stats().map(drop),
        hooks.storage().foreign_writes().map(drop),
        hooks.prune(START),
    ];
    results.iter().all(|result| *result == Err(Error::Forked))
}
