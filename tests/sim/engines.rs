//! The storages that a run can be over. Another engine is another variant here, and nothing else.

#[cfg(feature = "postgres")]
#[path = "../it/support/schema.rs"]
mod schema;

use std::path::Path;
use std::sync::Arc;

use hookbox::storage::Storage;
#[cfg(feature = "redb")]
use hookbox::storage::kv::RedbStore;
use hookbox::storage::kv::{KvStorage, MemoryStore};
#[cfg(feature = "postgres")]
use hookbox::storage::postgres::{PostgresOptions, PostgresStorage};
use hookbox::storage::sqlite::SqliteStorage;
#[cfg(feature = "postgres")]
use schema::Schema;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    Memory,
    Sqlite,
    #[cfg(feature = "redb")]
    Redb,
    /// Only where it is asked for, and `HOOKBOX_TEST_POSTGRES` names a server.
    #[cfg(feature = "postgres")]
    Postgres,
}

impl Engine {
    const ALL: &[Self] = &[
        Self::Memory,
        Self::Sqlite,
        #[cfg(feature = "redb")]
        Self::Redb,
        #[cfg(feature = "postgres")]
        Self::Postgres,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Sqlite => "sqlite",
            #[cfg(feature = "redb")]
            Self::Redb => "redb",
            #[cfg(feature = "postgres")]
            Self::Postgres => "postgres",
        }
    }

    /// An engine that can be run over here.
    pub fn by_name(name: &str) -> Option<Self> {
        let mut all = Self::ALL.iter().copied();
        all.find(|engine| engine.name() == name && engine.is_here())
    }

    fn is_here(self) -> bool {
        match self {
            #[cfg(feature = "postgres")]
            Self::Postgres => schema::server().is_some(),
            _ => true,
        }
    }

    /// Which engine a seed is for, unless one was asked for: most are over the fastest.
    pub const fn of_seed(seed: u64) -> Self {
        match seed % 20 {
            9 | 19 => Self::Sqlite,
            #[cfg(feature = "redb")]
            13 => Self::Redb,
            _ => Self::Memory,
        }
    }
}

/// Where the boxes of one run keep their data: it outlives each of them.
#[derive(Debug)]
pub enum Store {
    Memory(Arc<MemoryStore>),
    Sqlite(tempfile::TempDir),
    /// A redb file can be open only once: all boxes of the run share it.
    #[cfg(feature = "redb")]
    Redb(Arc<RedbStore>, tempfile::TempDir),
    #[cfg(feature = "postgres")]
    Postgres(Schema),
}

impl Store {
    pub fn new(engine: Engine) -> Self {
        match engine {
            Engine::Memory => Self::Memory(Arc::default()),
            Engine::Sqlite => Self::Sqlite(folder()),
            #[cfg(feature = "redb")]
            Engine::Redb => {
                let folder = folder();
                let store = RedbStore::open(&folder.path().join("box.redb")).unwrap();
                Self::Redb(Arc::new(store), folder)
            }
            #[cfg(feature = "postgres")]
            Engine::Postgres => Self::Postgres(Schema::new()),
        }
    }

    /// Opens the data once more, as another process would.
    pub fn open(&self) -> Arc<dyn Storage> {
        match self {
            Self::Memory(store) => Arc::new(KvStorage::open(store.clone()).unwrap()),
            Self::Sqlite(folder) => {
                Arc::new(SqliteStorage::open(&folder.path().join("box.db"), None).unwrap())
            }
            #[cfg(feature = "redb")]
            Self::Redb(store, _folder) => Arc::new(KvStorage::open(store.clone()).unwrap()),
            #[cfg(feature = "postgres")]
            Self::Postgres(schema) => {
                // A box of a run does one thing at a time.
                let options = PostgresOptions {
                    pool_size: Some(1),
                    ..PostgresOptions::default()
                };
                Arc::new(PostgresStorage::open(&schema.url(), options).unwrap())
            }
        }
    }

    /// Whether the engine notices by itself what other boxes write. PostgreSQL notices what its server
    /// does by itself as well, which is not the same each time that a seed is run.
    pub const fn sees_others(&self) -> bool {
        matches!(self, Self::Sqlite(_))
    }

    /// Whether an event has no place in the log until somebody routes it.
    pub const fn routes_later(&self) -> bool {
        match self {
            #[cfg(feature = "postgres")]
            Self::Postgres(_) => true,
            _ => false,
        }
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
