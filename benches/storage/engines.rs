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
    #[cfg(feature = "postgres")]
    Postgres,
}

impl Engine {
    /// Those that can be measured here.
    pub fn all() -> Vec<Self> {
        #[cfg(feature = "postgres")]
        let postgres = postgres::server().map(|_| Self::Postgres);
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
    schema: Option<postgres::Schema>,
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
            schema: (engine == Engine::Postgres).then(postgres::Schema::new),
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
            Engine::Postgres => self.schema.as_ref().unwrap().open(),
        }
    }
}

/// A server that is there, and a schema in it for each place.
#[cfg(feature = "postgres")]
mod postgres {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

    use hookbox::storage::Storage;
    use hookbox::storage::postgres::{PostgresOptions, PostgresStorage};
    use postgres::{Client, NoTls};

    pub fn server() -> Option<String> {
        std::env::var("HOOKBOX_TEST_POSTGRES").ok()
    }

    pub struct Schema(String);

    impl Schema {
        pub fn new() -> Self {
            static NEXT: AtomicU32 = AtomicU32::new(0);
            let name = format!("b{}_{}", std::process::id(), NEXT.fetch_add(1, Relaxed));
            run(&format!("CREATE SCHEMA {name}"));
            Self(name)
        }

        pub fn open(&self) -> Arc<dyn Storage> {
            let url = server().unwrap();
            let and = if url.contains('?') { '&' } else { '?' };
            let url = format!("{url}{and}options=-csearch_path%3D{}", self.0);
            // One for each thread that is measured.
            let options = PostgresOptions {
                pool_size: Some(16),
                ..PostgresOptions::default()
            };
            Arc::new(PostgresStorage::open(&url, options).unwrap())
        }
    }

    impl Drop for Schema {
        fn drop(&mut self) {
            run(&format!("DROP SCHEMA {} CASCADE", self.0));
        }
    }

    fn run(sql: &str) {
        let mut client = Client::connect(&server().unwrap(), NoTls).unwrap();
        client.batch_execute(sql).unwrap();
    }
}

/// This process's resident memory.
pub fn resident_mb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().nth(1));
    kilobytes.and_then(|text| text.parse().ok()).unwrap_or(0) / 1024
}
