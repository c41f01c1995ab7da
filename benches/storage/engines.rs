//! The storages that are measured, each in a place of its own that is removed afterwards.

use std::sync::Arc;

use hookbox::storage::Storage;
use hookbox::storage::kv::{KvStorage, MemoryStore};
use hookbox::storage::sqlite::SqliteStorage;

/// A storage to measure.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    Sqlite,
    Memory,
    #[cfg(feature = "redb")]
    Redb,
}

impl Engine {
    /// Those that can be measured here.
    pub fn all() -> Vec<Self> {
        vec![
            Self::Sqlite,
            Self::Memory,
            #[cfg(feature = "redb")]
            Self::Redb,
        ]
    }

    pub const fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Memory => "memory",
            #[cfg(feature = "redb")]
            Self::Redb => "redb",
        }
    }
}

/// Where one measurement's data is.
pub struct Place {
    engine: Engine,
    folder: tempfile::TempDir,
    /// What has no file lasts as long as its place.
    memory: Arc<MemoryStore>,
}

impl Place {
    pub fn new(engine: Engine) -> Self {
        // Beside the build, not in /tmp: that may be no disk at all.
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        Self {
            engine,
            folder,
            memory: Arc::default(),
        }
    }

    pub fn open(&self) -> Arc<dyn Storage> {
        match self.engine {
            Engine::Sqlite => {
                let path = self.folder.path().join("box.db");
                Arc::new(SqliteStorage::open(&path, None).unwrap())
            }
            Engine::Memory => Arc::new(KvStorage::open(self.memory.clone()).unwrap()),
            #[cfg(feature = "redb")]
            Engine::Redb => {
                let path = self.folder.path().join("box.redb");
                Arc::new(KvStorage::open_redb(&path).unwrap())
            }
        }
    }
}

/// This process's resident memory.
pub fn resident_mb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().nth(1));
    kilobytes.and_then(|text| text.parse().ok()).unwrap_or(0) / 1024
}
