//! For each check, a storage that breaks its promise as a real one might.

mod api_keys;
mod delivery;
mod log;
mod records;

use hookbox::model::{AppId, BatchStatus};
use hookbox::storage::{BatchFilter, PageRequest, Storage};

use crate::support::Hooks;

/// How a storage is broken.
pub struct Breaker {
    /// The check that must notice.
    pub check: &'static str,
    /// What the storage does instead of what was promised.
    pub how: &'static str,
    /// The calls it does otherwise, given which opening of the place it is, from 1.
    pub hooks: fn(usize) -> Hooks,
}

pub fn all() -> impl Iterator<Item = &'static Breaker> {
    [
        log::BREAKERS,
        delivery::BREAKERS,
        records::BREAKERS,
        api_keys::BREAKERS,
    ]
    .into_iter()
    .flatten()
}

/// Every app.
fn apps(storage: &dyn Storage) -> Vec<AppId> {
    let page = storage.list_apps(PageRequest::default()).unwrap();
    page.items.into_iter().map(|app| app.id).collect()
}

/// The batches of an app in these states.
fn batches(storage: &dyn Storage, app: &AppId, of: &[BatchStatus]) -> Vec<hookbox::model::Batch> {
    let page = PageRequest::first(1000).unwrap();
    let page = storage.list_batches(app, BatchFilter::default(), page);
    let batches = page.unwrap().items.into_iter();
    batches.filter(|batch| of.contains(&batch.status)).collect()
}
