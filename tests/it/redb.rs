//! The redb file.
//!
//! Goal: what was acknowledged is in the file, and a file that cannot be used says why. Method: a
//! child process killed at random moments, files that are locked, foreign or cut short.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use hookbox::model::{EventId, EventType, NewEvent};
use hookbox::storage::kv::KvStorage;
use hookbox::storage::{EventFilter, PageRequest};
use hookbox::{Hookbox, Options};

use super::support::*;

fn open(path: &Path) -> Hookbox {
    let options = Options::new().transport(FakeTransport::new());
    let storage = KvStorage::open_redb(path).unwrap();
    options.open_storage(Arc::new(storage)).unwrap()
}

/// A folder, and the path of a box in it that does not exist yet.
fn place() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("box.redb");
    (folder, path)
}

#[test]
fn what_a_killed_process_acknowledged_is_there() {
    const FILE: &str = "HOOKBOX_TEST_KILLED_REDB";
    if let Some(path) = std::env::var_os(FILE) {
        let hooks = open(Path::new(&path));
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    for _ in 0..100_000 {
                        let event = NewEvent::new(EventType::parse(TYPE).unwrap(), "1");
                        let ids = hooks.emit_many(APP, vec![event; 2]).unwrap();
                        println!("\nemitted {} {}", ids[0], ids[1]);
                    }
                });
            }
        });
        return;
    }
    let (_folder, path) = place();
    open(&path).create_app(APP).unwrap();
    let mut acknowledged = 0;
    for round in 0..10u64 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                "redb::what_a_killed_process_acknowledged_is_there",
                "--exact",
                "--nocapture",
            ])
            .env(FILE, &path)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap())
            .lines()
            .map_while(Result::ok);
        let mut ids = Vec::new();
        // Killed after some lines, and then at whatever it was doing.
        let killed_after = 1 + (round * 7919) % 60;
        for line in lines {
            let Some(pair) = line.strip_prefix("emitted ") else {
                continue;
            };
            // The last line may have been cut.
            ids.extend(pair.split(' ').filter_map(|id| EventId::parse(id).ok()));
            if ids.len() as u64 >= killed_after * 2 {
                child.kill().unwrap();
            }
        }
        child.wait().unwrap();
        assert!(ids.len() as u64 >= killed_after);
        let hooks = open(&path);
        for id in &ids {
            hooks.event(id).unwrap();
        }
        acknowledged += ids.len();
        let stored = hooks.stats().unwrap().last_position;
        assert!(
            stored % 2 == 0 && stored >= i64::try_from(acknowledged).unwrap(),
            "all or none"
        );
        assert_eq!(hooks.check().unwrap(), Vec::<String>::new());
    }
}

#[test]
fn a_file_that_is_open_elsewhere_says_so() {
    let (_folder, path) = place();
    let hooks = open(&path);
    for refused in [
        KvStorage::open_redb(&path),
        KvStorage::open_redb_read_only(&path),
    ] {
        let error = refused.unwrap_err();
        assert_eq!(error.code(), "storage_busy");
        assert!(error.to_string().contains("open elsewhere"), "{error}");
    }
    drop(hooks);
    let readers = [0; 2].map(|_| KvStorage::open_redb_read_only(&path).unwrap());
    assert_eq!(
        KvStorage::open_redb(&path).unwrap_err().code(),
        "storage_busy"
    );
    drop(readers);
    open(&path);
}

#[cfg(unix)]
#[test]
fn a_new_file_is_its_owners_only() {
    use std::os::unix::fs::PermissionsExt;
    let (folder, path) = place();
    let hooks = open(&path);
    let copy = folder.path().join("copy.redb");
    hooks.backup(&copy).unwrap();
    for file in [path, copy] {
        let mode = std::fs::metadata(file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}

#[test]
fn a_file_that_is_no_box_is_refused_and_left_alone() {
    let (folder, path) = place();
    std::fs::write(&path, "this is a letter, not a database\n".repeat(200)).unwrap();
    let before = std::fs::read(&path).unwrap();
    for refused in [
        KvStorage::open_redb(&path),
        KvStorage::open_redb_read_only(&path),
    ] {
        assert_eq!(refused.unwrap_err().code(), "storage_corrupt");
    }
    assert_eq!(std::fs::read(&path).unwrap(), before);
    let missing = folder.path().join("missing.redb");
    assert!(KvStorage::open_redb_read_only(&missing).is_err() && !missing.exists());
    let nowhere = folder.path().join("no/such/folder.redb");
    assert_eq!(
        KvStorage::open_redb(&nowhere).unwrap_err().code(),
        "storage_io"
    );
}

#[test]
fn reading_only_sees_everything_and_writes_nothing() {
    let (_folder, path) = place();
    let hooks = open(&path);
    hooks.create_app(APP).unwrap();
    let id = hooks.emit(APP, TYPE, "1").unwrap();
    drop(hooks);
    let before = std::fs::read(&path).unwrap();
    let storage = KvStorage::open_redb_read_only(&path).unwrap();
    let options = Options::new().transport(FakeTransport::new());
    let hooks = options.open_storage(Arc::new(storage)).unwrap();
    assert_eq!(hooks.event(&id).unwrap().payload, "1");
    assert_eq!(hooks.emit(APP, TYPE, "1").unwrap_err().code(), "read_only");
    drop(hooks);
    assert_eq!(std::fs::read(&path).unwrap(), before);
}

#[test]
fn a_copy_made_while_in_use_is_whole() {
    let (folder, path) = place();
    let hooks = open(&path);
    hooks.create_app(APP).unwrap();
    let id = hooks.emit(APP, TYPE, "1").unwrap();
    let copy = folder.path().join("copy.redb");
    hooks.backup(&copy).unwrap();
    assert_eq!(hooks.backup(&copy).unwrap_err().code(), "invalid_request");
    hooks.emit(APP, TYPE, "2").unwrap();
    let copied = open(&copy);
    assert_eq!(copied.event(&id).unwrap().payload, "1");
    assert_eq!(copied.stats().unwrap().last_position, 1);
    assert_eq!(copied.check().unwrap(), Vec::<String>::new());
}

fn large_file(path: &Path) -> Vec<u8> {
    let hooks = open(path);
    hooks.create_app(APP).unwrap();
    for n in 0..50 {
        let payload = format!("\"{}\"", "x".repeat(n * 400));
        hooks.emit(APP, TYPE, payload).unwrap();
    }
    drop(hooks);
    std::fs::read(path).unwrap()
}

#[test]
fn a_file_cut_short_is_refused() {
    let (_folder, path) = place();
    let whole = large_file(&path);
    for part in 1..8 {
        std::fs::write(&path, &whole[..whole.len() * part / 8]).unwrap();
        let refused = KvStorage::open_redb(&path).map(drop).unwrap_err();
        assert_eq!(refused.code(), "storage_corrupt", "{part}: {refused}");
    }
}

/// It is refused, or says what is wrong, or the damage is where nothing is; nothing panics.
#[test]
fn a_file_with_overwritten_pages_harms_nobody() {
    let (_folder, path) = place();
    let whole = large_file(&path);
    let mut noticed = 0;
    for page in (0..whole.len() / 4096).step_by(3) {
        let mut damaged = whole.clone();
        for byte in &mut damaged[page * 4096 + 16..(page + 1) * 4096] {
            *byte ^= 0x5a;
        }
        std::fs::write(&path, &damaged).unwrap();
        let Ok(storage) = KvStorage::open_redb(&path) else {
            noticed += 1;
            continue;
        };
        let options = Options::new().transport(FakeTransport::new());
        let hooks = options.open_storage(Arc::new(storage)).unwrap();
        noticed += usize::from(!matches!(hooks.check(), Ok(wrong) if wrong.is_empty()));
        let _ = hooks.events(APP, EventFilter::default(), PageRequest::default());
        let _ = hooks.emit(APP, TYPE, "1");
    }
    assert!(noticed > 10, "{noticed}");
}
