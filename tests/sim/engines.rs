//! The storages that a run can be over. Another engine is another variant here, and nothing else.

use std::path::Path;
use std::sync::Arc;

use hookbox::storage::Storage;
use hookbox::storage::kv::{KvStorage, MemoryStore};
use hookbox::storage::sqlite::SqliteStorage;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    Memory,
    Sqlite,
}

impl Engine {
    pub const ALL: [Self; 2] = [Self::Memory, Self::Sqlite];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Sqlite => "sqlite",
        }
    }

    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|engine| engine.name() == name)
    }

    /// Which engine a seed is for, unless one was asked for: most are over the fastest.
    pub const fn of_seed(seed: u64) -> Self {
        if seed % 10 == 9 {
            Self::Sqlite
        } else {
            Self::Memory
        }
    }
}

/// Where the boxes of one run keep their data: it outlives each of them.
#[derive(Debug)]
pub enum Store {
    Memory(Arc<MemoryStore>),
    Sqlite(tempfile::TempDir),
}

impl Store {
    pub fn new(engine: Engine) -> Self {
        match engine {
            Engine::Memory => Self::Memory(Arc::default()),
            Engine::Sqlite => Self::Sqlite(folder()),
        }
    }

    /// Opens the data once more, as another process would.
    pub fn open(&self) -> Arc<dyn Storage> {
        match self {
            Self::Memory(store) => Arc::new(KvStorage::open(store.clone()).unwrap()),
            Self::Sqlite(folder) => {
                Arc::new(SqliteStorage::open(&folder.path().join("box.db"), None).unwrap())
            }
        }
    }

    /// Whether the engine notices by itself what other boxes write.
    pub const fn sees_others(&self) -> bool {
        matches!(self, Self::Sqlite(_))
    }
}

/// In memory where there is such a place: a run is about the order of things, not about the disk.
fn folder() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() {
        tempfile::tempdir_in(memory).unwrap()
    } else {
        tempfile::tempdir().unwrap()
    }
}
