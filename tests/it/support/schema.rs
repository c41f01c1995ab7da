//! A schema of its own, for each test or run, in the server that `HOOKBOX_TEST_POSTGRES` names.
//!
//! The integration tests, the simulator and the bench of storages have this file as a module.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use postgres::{Client, NoTls};

/// The server's URL.
pub fn server() -> Option<String> {
    std::env::var("HOOKBOX_TEST_POSTGRES").ok()
}

/// Removed when it is dropped.
#[derive(Debug)]
pub struct Schema {
    server: String,
    name: String,
}

impl Schema {
    pub fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let server = server().unwrap_or_else(|| {
            panic!(
                "this needs PostgreSQL: run `export HOOKBOX_TEST_POSTGRES=\
                 $(tests/postgres/cluster start /tmp/hookbox-pg)` first, or tests/run"
            )
        });
        let name = format!("t{}_{}", std::process::id(), NEXT.fetch_add(1, Relaxed));
        let schema = Self { server, name };
        schema
            .server()
            .batch_execute(&format!("CREATE SCHEMA {}", schema.name))
            .unwrap();
        schema
    }

    /// The box's URL.
    pub fn url(&self) -> String {
        let and = if self.server.contains('?') { '&' } else { '?' };
        let (server, name) = (&self.server, &self.name);
        format!("{server}{and}options=-csearch_path%3D{name}")
    }

    /// A connection that does not find the schema.
    pub fn server(&self) -> Client {
        Client::connect(&self.server, NoTls).unwrap()
    }
}

impl Drop for Schema {
    fn drop(&mut self) {
        // A test that has crashed the server has said so already.
        if let Ok(mut client) = Client::connect(&self.server, NoTls) {
            let _ = client.batch_execute(&format!("DROP SCHEMA {} CASCADE", self.name));
        }
    }
}
