//! The conformance suite over SQLite, and the suite itself put to the test.
//!
//! Goal: SQLite keeps every promise; and no check is blind: for each there is a storage that breaks its
//! promise in a way that a real one might, and the check notices.

mod breakers;
mod processes;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, Weak};

use hookbox::storage::conformance::{self, Place};
use hookbox::storage::kv::{KvStorage, MemoryStore};
use hookbox::storage::sqlite::SqliteStorage;
use hookbox::{Error, StorageFault};

use super::support::{Hooks, Wrapped};

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

#[test]
fn memory_keeps_every_promise() {
    conformance::run(|| {
        let store = Arc::new(MemoryStore::default());
        // It lasts as long as the test keeps it; two handles would not know of each other's writes.
        Place::new(move || Ok(Arc::new(KvStorage::open(store.clone())?))).one_at_a_time()
    });
}

#[cfg(feature = "redb")]
#[test]
fn redb_keeps_every_promise() {
    conformance::run(|| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("box.redb");
        Place::new(move || {
            let _ = &folder;
            Ok(Arc::new(KvStorage::open_redb(&path)?))
        })
        .one_at_a_time()
    });
}

#[cfg(feature = "postgres")]
#[test]
fn postgres_keeps_every_promise() {
    use hookbox::storage::postgres::{PostgresOptions, PostgresStorage};
    conformance::run(|| {
        let schema = super::support::Schema::new();
        Place::new(move || {
            let storage = PostgresStorage::open(&schema.url(), PostgresOptions::default())?;
            Ok(Arc::new(storage))
        })
    });
}

/// The same, broken.
fn broken(hooks: fn(usize) -> Hooks) -> Place {
    let folder = tempfile::tempdir().unwrap();
    let openings = AtomicUsize::new(0);
    Place::new(move || {
        let inner = SqliteStorage::open(&folder.path().join("box.db"), None)?;
        let opening = openings.fetch_add(1, SeqCst) + 1;
        Ok(Arc::new(Wrapped::new(Arc::new(inner), hooks(opening))))
    })
}

#[test]
fn every_check_notices_a_broken_storage() {
    let mut unbroken: BTreeSet<&str> = conformance::checks()
        .iter()
        .map(|check| check.name)
        .collect();
    assert_eq!(unbroken.len(), conformance::checks().len(), "one name each");
    let mut unnoticed = Vec::new();
    for breaker in breakers::all() {
        let check = conformance::checks()
            .iter()
            .find(|check| check.name == breaker.check)
            .unwrap_or_else(|| panic!("there is no check {}", breaker.check));
        unbroken.remove(check.name);
        match check.run(&broken(breaker.hooks)) {
            Ok(()) => unnoticed.push((check.name, breaker.how)),
            Err(sentence) => {
                let due = format!("{}: {} But ", check.name, check.promise);
                let seen = sentence.strip_prefix(&due).unwrap();
                assert!(!seen.contains("panicked"), "{sentence}");
                println!("{}\n    {}\n    {seen}", check.name, breaker.how);
            }
        }
    }
    assert_eq!(unnoticed, [], "these storages passed");
    assert_eq!(unbroken, BTreeSet::new(), "nobody breaks these");
}

/// An implementer sees everything at once.
#[test]
fn a_run_names_everything_that_is_broken() {
    let run = || {
        conformance::run(|| {
            broken(|_| Hooks {
                check: Some(Box::new(|_| Ok(vec!["odd".into()]))),
                backup: Some(Box::new(|_, _| Ok(()))),
                ..Hooks::default()
            })
        });
    };
    let panic = std::panic::catch_unwind(run).unwrap_err();
    let text = panic.downcast_ref::<String>().unwrap();
    for name in [
        "a_healthy_storage_finds_nothing_wrong: ",
        "a_copy_overwrites_nothing: ",
    ] {
        assert!(text.contains(name), "{text}");
    }
}

/// A file that cannot be opened while it is open, and one that cannot be opened again.
#[test]
fn what_a_place_cannot_do_is_not_asked_of_it() {
    conformance::run(|| {
        let folder = tempfile::tempdir().unwrap();
        let open = Mutex::new(Weak::<SqliteStorage>::new());
        let place = Place::new(move || {
            let mut open = open.lock().unwrap();
            if open.strong_count() > 0 {
                return Err(Error::storage(StorageFault::Busy, "it is open already"));
            }
            let storage = SqliteStorage::open(&folder.path().join("box.db"), None)?;
            let storage = Arc::new(storage);
            *open = Arc::downgrade(&storage);
            Ok(storage)
        });
        place.one_at_a_time()
    });
    conformance::run(|| {
        let folder = tempfile::tempdir().unwrap();
        let place = Place::new(move || {
            let path = folder.path().join("box.db");
            if path.exists() {
                return Err(Error::storage(StorageFault::Io, "it was opened before"));
            }
            Ok(Arc::new(SqliteStorage::open(&path, None)?))
        });
        place.forgets()
    });
}
