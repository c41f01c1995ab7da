//! The storages that are measured, each in a place of its own that is removed afterwards.

#[cfg(feature = "postgres")]
#[path = "../../tests/it/support/schema.rs"]
mod schema;

use std::sync::Arc;

use hookbox::storage::Storage;
use hookbox::storage::kv::{KvStorage, MemoryStore};
#[cfg(feature = "postgres")]
use hookbox::storage::postgres::{PostgresOptions, PostgresStorage};
use hookbox::storage::sqlite::SqliteStorage;
#[cfg(feature = "postgres")]
use schema::Schema;

/// A storage to measure.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    Sqlite,
    Memory,
    #[cfg(feature = "redb")]
    Redb,
    #[cfg(feature = "postgres")]
    Postgres,
}

impl Engine {
    /// Those that can be measured here.
    pub fn all() -> Vec<Self> {
        #[cfg(feature = "postgres")]
        let postgres = schema::server().map(|_| Self::Postgres);
        #[cfg(not(feature = "postgres"))]
        let postgres = None;
        let here = [
            Self::Sqlite,
            Self::Memory,
            #[cfg(feature = "redb")]
            Self::Redb,
        ];
        here.into_iter().chain(postgres).collect()
    }

    pub const fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Memory => "memory",
            #[cfg(feature = "redb")]
            Self::Redb => "redb",
            #[cfg(feature = "postgres")]
            Self::Postgres => "postgres",
        }
    }
}

/// Where one measurement's data is.
pub struct Place {
    engine: Engine,
    folder: tempfile::TempDir,
    /// What has no file lasts as long as its place.
    memory: Arc<MemoryStore>,
    #[cfg(feature = "postgres")]
    schema: Option<Schema>,
}

impl Place {
    pub fn new(engine: Engine) -> Self {
        // Beside the build, not in /tmp: that may be no disk at all.
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        Self {
            engine,
            folder,
            memory: Arc::default(),
            #[cfg(feature = "postgres")]
            schema: (engine == Engine::Postgres).then(Schema::new),
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
            #[cfg(feature = "postgres")]
            Engine::Postgres => {
                // A connection for each thread that is measured.
                let options = PostgresOptions {
                    pool_size: Some(16),
                    ..PostgresOptions::default()
                };
                let url = self.schema.as_ref().unwrap().url();
                Arc::new(PostgresStorage::open(&url, options).unwrap())
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
