//! A disk that fails: what the caller is told, and that the store finds its footing again.

use std::fs::OpenOptions;
use std::sync::Arc;
use std::sync::atomic::AtomicU8;

use redb::StorageBackend;
use redb::backends::FileBackend;

use super::*;
use crate::model::{AppId, AppState, EventId, EventType, NewEvent, Profile, Timestamp};
use crate::storage::kv::KvStorage;
use crate::storage::{PreparedEvent, Storage};

const WELL: u8 = 0;
const FULL: u8 = 1;
const NO_SYNC: u8 = 2;
const NO_WRITE: u8 = 3;

/// A file whose disk fails on demand.
#[derive(Debug)]
struct Disk {
    file: FileBackend,
    state: Arc<AtomicU8>,
}

impl Disk {
    fn fail(&self, when: u8, kind: io::ErrorKind) -> io::Result<()> {
        if self.state.load(SeqCst) == when {
            return Err(kind.into());
        }
        Ok(())
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.fail(FULL, io::ErrorKind::StorageFull)?;
        self.file.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.fail(NO_SYNC, io::ErrorKind::Other)?;
        self.file.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.fail(NO_WRITE, io::ErrorKind::Other)?;
        self.file.write(offset, data)
    }

    fn close(&self) -> io::Result<()> {
        self.file.close()
    }
}

fn disk(path: &Path, state: Arc<AtomicU8>) -> Disk {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    Disk {
        file: FileBackend::new(options.open(path).unwrap()).unwrap(),
        state,
    }
}

/// A store on a disk that fails on demand; once it was opened anew, on a well one.
fn failing(path: &Path) -> (Arc<RedbStore>, Arc<AtomicU8>) {
    let state = Arc::new(AtomicU8::new(WELL));
    let disk = disk(path, state.clone());
    let database = Builder::new().create_with_backend(disk).unwrap();
    let store = RedbStore {
        path: path.to_owned(),
        read_only: false,
        create: BY_PATH,
        opened: RwLock::new(Some(Opened::Whole(database))),
        failed: AtomicBool::new(false),
    };
    (Arc::new(store), state)
}

fn emit(storage: &KvStorage, n: u128, bytes: usize) -> Result<EventId> {
    let now = Timestamp::from_millis(1);
    let payload = format!("\"{}\"", "x".repeat(bytes));
    let event = PreparedEvent {
        id: EventId::new(now, n),
        created_at: now,
        event: NewEvent::new(EventType::parse("user.created").unwrap(), payload),
    };
    let ids = storage.emit(&AppId::parse("a").unwrap(), vec![event])?;
    Ok(ids[0])
}

fn create_app(storage: &KvStorage) {
    let app = crate::model::App {
        id: AppId::parse("a").unwrap(),
        state: AppState::Enabled,
        profile: Profile::prelude(),
        created_at: Timestamp::from_millis(1),
    };
    storage.create_app(app, Vec::new()).unwrap();
}

#[test]
fn after_a_failed_commit_the_file_is_opened_anew_and_nothing_acknowledged_is_lost() {
    for (failure, code) in [
        (NO_SYNC, "storage_commit_unknown"),
        (NO_WRITE, "storage_commit_unknown"),
        (FULL, "storage_full"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let (store, disk) = failing(&folder.path().join("a.redb"));
        let storage = KvStorage::open(store).unwrap();
        create_app(&storage);
        let first = emit(&storage, 1, 10).unwrap();
        disk.store(failure, SeqCst);
        // Large enough that the file must grow.
        let refused = emit(&storage, 2, 20_000_000).unwrap_err();
        assert_eq!(refused.code(), code, "{refused}");
        assert!(refused.is_retryable());
        let second = emit(&storage, 3, 10).unwrap();
        assert!(storage.get_event(&first).is_ok() && storage.get_event(&second).is_ok());
        assert_eq!(storage.check().unwrap(), Vec::<String>::new());
    }
}

/// redb remembers enough to begin transactions, and fails each that reads on.
#[test]
fn after_a_failed_read_the_next_reader_opens_the_file_anew() {
    let folder = tempfile::tempdir().unwrap();
    let (store, disk) = failing(&folder.path().join("a.redb"));
    let mut transaction = store.begin(true).unwrap();
    transaction.put(&[1], &[1]).unwrap();
    transaction.commit().unwrap();
    // What a reader meets whose page is not in memory.
    let told = store.error(StorageError::Io(io::ErrorKind::Other.into()));
    assert_eq!(told.code(), "storage_io");
    let reader = store.begin(false).unwrap();
    assert_eq!(reader.get(&[1]).unwrap(), Some(vec![1]));
    // It is no longer this disk.
    disk.store(NO_SYNC, SeqCst);
    let mut transaction = store.begin(true).unwrap();
    transaction.put(&[2], &[2]).unwrap();
    transaction.commit().unwrap();
}

/// A reader that began before the file was opened anew may fail, but it neither hangs nor lies.
#[test]
fn a_reader_that_outlives_the_file_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let (store, disk) = failing(&folder.path().join("a.redb"));
    let mut transaction = store.begin(true).unwrap();
    transaction.put(&[1], &[1]).unwrap();
    transaction.commit().unwrap();
    let reader = store.begin(false).unwrap();
    disk.store(NO_SYNC, SeqCst);
    let mut transaction = store.begin(true).unwrap();
    transaction.put(&[2], &[2]).unwrap();
    assert_eq!(
        transaction.commit().unwrap_err().code(),
        "storage_commit_unknown"
    );
    store.begin(true).unwrap().rollback();
    match reader.get(&[1]) {
        Ok(value) => assert_eq!(value, Some(vec![1])),
        Err(error) => assert_eq!(error.code(), "storage_io"),
    }
}

/// redb writes a file's first bytes last: without them it takes the file for somebody else's.
#[test]
fn a_creation_that_fails_leaves_nothing_in_the_way_of_the_next() {
    for failure in [FULL, NO_SYNC, NO_WRITE] {
        static FAILURE: AtomicU8 = AtomicU8::new(WELL);
        FAILURE.store(failure, SeqCst);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.redb");
        let refused = RedbStore::open_by(&path, |builder, path| {
            let state = Arc::new(AtomicU8::new(FAILURE.load(SeqCst)));
            builder.create_with_backend(disk(path, state))
        });
        let code = if failure == FULL {
            "storage_full"
        } else {
            "storage_io"
        };
        assert_eq!(refused.unwrap_err().code(), code);
        let files = || std::fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(files(), 0);
        RedbStore::open(&path).unwrap();
        assert_eq!(files(), 1);
    }
}
