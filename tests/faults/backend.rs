//! A disk for redb that fails on demand: a file behind redb's own trait, as `vfs.rs` is for SQLite.
//! Nothing is synced here either.

use std::fs::OpenOptions;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hookbox::storage::kv::{KvStorage, RedbStore};
use redb::backends::FileBackend;
use redb::{Builder, Database, DatabaseError, StorageBackend, StorageError};

use crate::fault::Counter;
use crate::scenario::Engine;

pub const REDB: Engine = Engine {
    open: |options, path| {
        let store = RedbStore::over(path, create)?;
        options.open_storage(Arc::new(KvStorage::open(Arc::new(store))?))
    },
    // redb has no log to write back.
    checkpoint: |_| Ok(()),
    arm: |fault| counter().arm(fault),
    disarm: || counter().disarm(),
};

static COUNTER: Mutex<Counter> = Mutex::new(Counter::new());

fn counter() -> MutexGuard<'static, Counter> {
    COUNTER.lock().unwrap_or_else(PoisonError::into_inner)
}

fn create(builder: &Builder, path: &Path) -> Result<Database, DatabaseError> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    let opened = options.open(path).map_err(StorageError::Io)?;
    builder.create_with_backend(Disk(FileBackend::new(opened)?))
}

#[derive(Debug)]
struct Disk(FileBackend);

/// Counts an operation, which may have to fail.
fn count(writes: bool) -> io::Result<()> {
    match counter().count(writes) {
        None => Ok(()),
        Some(fault) if fault.full => Err(io::ErrorKind::StorageFull.into()),
        Some(_) => Err(io::Error::other("the disk failed")),
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        count(false)?;
        self.0.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        count(false)?;
        self.0.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        count(true)?;
        self.0.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        count(true)
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        count(true)?;
        self.0.write(offset, data)
    }

    fn close(&self) -> io::Result<()> {
        self.0.close()
    }
}
