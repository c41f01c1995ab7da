//! The conformance suite over SQLite, and the suite itself put to the test.
//!
//! Goal: SQLite keeps every promise; and no check is blind: for each there is a storage that breaks its
//! promise in a way that a real one might, and the check notices.

use std::sync::Arc;

use hookbox::storage::conformance::{self, Place};
use hookbox::storage::sqlite::SqliteStorage;

/// A new file.
fn sqlite() -> Place {
    let folder = tempfile::tempdir().unwrap();
    Place::new(move || {
        let storage = SqliteStorage::open(&folder.path().join("box.db"), None)?;
        Ok(Arc::new(storage))
    })
}

#[test]
fn sqlite_keeps_every_promise() {
    conformance::run(sqlite);
}
