//! Files as somebody may leave them: read-only, removed, replaced.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use hookbox::model::EventId;
use hookbox::{Error, Hookbox, Options};

use crate::box_of::*;
use crate::run::{Figures, Size, Watchdog, figure};
use crate::support::*;
use crate::system;

const EVENTS: u64 = 20;

pub fn part(_: Size) -> Figures {
    let _watchdog = Watchdog::new("files", Duration::from_secs(120));
    let cases: [fn(); 8] = [
        read_only_file,
        read_only_folder,
        no_log,
        no_shared_memory,
        removed_while_open,
        garbage,
        a_folder_in_its_place,
        nothing_in_it,
    ];
    for case in cases {
        case();
    }
    vec![figure("cases", cases.len())]
}

fn open(path: &Path) -> hookbox::Result<Hookbox> {
    Options::new().transport(FakeTransport::new()).open(path)
}

/// A box that was not closed: its log is still beside it. Returns the ids in order.
fn left_open(path: &Path) -> Vec<EventId> {
    let hooks = open(path).unwrap();
    hooks.create_app_with(new_app()).unwrap();
    let ids = (0..EVENTS).map(|n| hooks.emit(APP, TYPE, payload(n)).unwrap());
    let ids = ids.collect();
    // As a crash would: nothing is closed.
    std::mem::forget(hooks);
    ids
}

/// A copy of the files that a crash left, so that no open connection is in the way.
fn crashed(folder: &Path) -> Vec<EventId> {
    let elsewhere = tempfile::tempdir().unwrap();
    let ids = left_open(&elsewhere.path().join("box.db"));
    for name in ["box.db", "box.db-wal", "box.db-shm"] {
        std::fs::copy(elsewhere.path().join(name), folder.join(name)).unwrap();
    }
    ids
}

/// The events that are there are the first of those emitted, each as it was.
fn is_prefix(hooks: &Hookbox, ids: &[EventId]) -> usize {
    let found = match events(hooks) {
        Ok(found) => found,
        Err(Error::AppNotFound(_)) => return 0,
        Err(error) => panic!("{error}"),
    };
    for (number, id) in ids.iter().enumerate().take(found.len()) {
        assert_eq!(found[id].payload, payload(number as u64));
    }
    found.len()
}

fn read_only_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("box.db");
    drop(open(&path).unwrap());
    std::fs::set_permissions(folder.path(), Permissions::from_mode(0o777)).unwrap();
    std::fs::set_permissions(&path, Permissions::from_mode(0o444)).unwrap();
    system::as_a_user(|| {
        assert_eq!(open(&path).unwrap_err().code(), "storage_read_only");
    });
}

fn read_only_folder() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("box.db");
    std::fs::set_permissions(folder.path(), Permissions::from_mode(0o555)).unwrap();
    system::as_a_user(|| {
        assert_eq!(open(&path).unwrap_err().code(), "storage_read_only");
        assert!(!path.exists());
    });
    std::fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
}

fn no_log() {
    let folder = tempfile::tempdir().unwrap();
    let ids = crashed(folder.path());
    std::fs::remove_file(folder.path().join("box.db-wal")).unwrap();
    // All of it was in the log: what is left is an older, whole box, or an empty file that becomes one.
    let hooks = open(&folder.path().join("box.db")).unwrap();
    assert_eq!(hooks.check().unwrap(), Vec::<String>::new());
    assert!(is_prefix(&hooks, &ids) <= ids.len());
}

fn no_shared_memory() {
    let folder = tempfile::tempdir().unwrap();
    let ids = crashed(folder.path());
    std::fs::remove_file(folder.path().join("box.db-shm")).unwrap();
    let hooks = open(&folder.path().join("box.db")).unwrap();
    assert_eq!(is_prefix(&hooks, &ids), ids.len());
}

/// Somebody removes the files under an open box: it goes on or says so, and the next box is whole.
fn removed_while_open() {
    for name in ["box.db-wal", "box.db-shm", "box.db"] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("box.db");
        let hooks = open(&path).unwrap();
        hooks.create_app_with(new_app()).unwrap();
        std::fs::remove_file(folder.path().join(name)).unwrap();
        for number in 0..EVENTS {
            if let Err(error) = hooks.emit(APP, TYPE, payload(number)) {
                assert!(matches!(error, Error::Storage { .. }), "{name}: {error:?}");
            }
        }
        drop(hooks);
        match open(&path) {
            Ok(hooks) => assert_eq!(hooks.check().unwrap(), Vec::<String>::new(), "{name}"),
            Err(error) => assert!(matches!(error, Error::Storage { .. }), "{name}: {error:?}"),
        }
    }
}

fn garbage() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("box.db");
    let ids = crashed(folder.path());
    let letter = "this is a letter, not a database\n".repeat(500);
    std::fs::write(&path, &letter).unwrap();
    // The log has every page of the box: with it beside the letter nothing is missing.
    assert_eq!(is_prefix(&open(&path).unwrap(), &ids), ids.len());
    for name in ["box.db-wal", "box.db-shm"] {
        let _ = std::fs::remove_file(folder.path().join(name));
    }
    std::fs::write(&path, &letter).unwrap();
    let before = std::fs::read(&path).unwrap();
    assert_eq!(open(&path).unwrap_err().code(), "storage_corrupt");
    assert_eq!(std::fs::read(&path).unwrap(), before, "it is left alone");
}

fn a_folder_in_its_place() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(open(folder.path()).unwrap_err().code(), "storage_io");
    let nowhere = folder.path().join("no/such/folder/box.db");
    assert_eq!(open(&nowhere).unwrap_err().code(), "storage_io");
}

fn nothing_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("box.db");
    std::fs::write(&path, "").unwrap();
    let hooks = open(&path).unwrap();
    assert_eq!(hooks.check().unwrap(), Vec::<String>::new());
}
