//! The server: what is refused, what is survived.

use std::process::Command;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use hookbox::model::{EventType, NewEvent};
use hookbox::storage::Storage;
use hookbox::storage::postgres::{PostgresOptions, PostgresStorage};
use hookbox::{Error, Hookbox, Options, StorageFault};

use crate::support::*;

/// A cluster of its own: what restarts it disturbs no other test.
pub struct Cluster {
    folder: tempfile::TempDir,
}

impl Cluster {
    pub fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        // The server's user must get to what is in it.
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let open = std::fs::Permissions::from_mode(0o755);
            std::fs::set_permissions(folder.path(), open).unwrap();
        }
        let cluster = Self { folder };
        cluster.command("start");
        cluster
    }

    pub fn restart(&self) {
        self.command("restart");
    }

    pub fn crash(&self) {
        self.command("crash");
    }

    pub fn url(&self) -> String {
        self.command("url").trim().to_owned()
    }

    fn command(&self, command: &str) -> String {
        let script = format!("{}/tests/postgres/cluster", env!("CARGO_MANIFEST_DIR"));
        let folder = self.folder.path().join("cluster");
        let output = Command::new(script)
            .arg(command)
            .arg(folder)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "cluster {command}: {said}");
        String::from_utf8(output.stdout).unwrap()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.command("stop");
    }
}

fn event() -> NewEvent {
    NewEvent::new(EventType::parse(TYPE).unwrap(), "1")
}

fn fault(error: &Error) -> StorageFault {
    match error {
        Error::Storage { fault, .. } => *fault,
        other => panic!("{other:?}"),
    }
}

fn open(url: &str) -> hookbox::Result<Hookbox> {
    Options::new().transport(FakeTransport::new()).open(url)
}

#[test]
fn many_that_open_an_empty_database_at_once_all_succeed() {
    let schema = Schema::new();
    let url = schema.url();
    std::thread::scope(|scope| {
        let opening: Vec<_> = (0..6).map(|_| scope.spawn(|| open(&url))).collect();
        for one in opening {
            one.join().unwrap().unwrap();
        }
    });
    let sql = "SELECT count(*) FROM hookbox_migration";
    let count: i64 = schema.client().query_one(sql, &[]).unwrap().get(0);
    assert_eq!(count, 1);
}

#[test]
fn what_cannot_be_used_is_refused_with_a_reason() {
    let schema = Schema::new();
    let url = schema.url();
    let refused = |url: &str| fault(&open(url).unwrap_err());
    let read_only = || {
        Options::new()
            .transport(FakeTransport::new())
            .open_read_only(&url)
    };
    assert_eq!(
        fault(&read_only().unwrap_err()),
        StorageFault::Corrupt,
        "no box is there"
    );
    // A role that may do nothing in the schema.
    let mut admin = schema.server();
    let name = url.rsplit("%3D").next().unwrap().to_owned();
    let role = format!("{name}_guest");
    let encoding = format!("{name}_latin");
    admin
        .batch_execute(&format!(
            "CREATE ROLE {role} LOGIN PASSWORD 'hunter2'; GRANT USAGE ON SCHEMA {name} TO {role}"
        ))
        .unwrap();
    admin
        .batch_execute(&format!(
            "CREATE DATABASE {encoding} ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0"
        ))
        .unwrap();
    let guest = url.replace("hookbox:hookbox@", &format!("{role}:hunter2@"));
    let error = open(&guest).unwrap_err();
    assert_eq!(fault(&error), StorageFault::ReadOnly, "{error}");
    let wrong = guest.replace("hunter2", "hunter3");
    let error = open(&wrong).unwrap_err();
    assert!(!format!("{error} {error:?}").contains("hunter"), "{error}");
    let latin = url.replace("/postgres?", &format!("/{encoding}?"));
    let error = open(&latin).unwrap_err();
    assert_eq!(fault(&error), StorageFault::UnsupportedEngine);
    assert!(error.to_string().contains("UTF8"), "{error}");
    let standby = url.replace(
        "options=",
        "options=-cdefault_transaction_read_only%3Don%20",
    );
    assert_eq!(refused(&standby), StorageFault::ReadOnly);
    let nowhere = url.replace(&name, "no_such_schema");
    assert_eq!(refused(&nowhere), StorageFault::UnsupportedEngine);
    let shut = "postgres://a:hunter2@127.0.0.1:1/b";
    let error = open(shut).unwrap_err();
    assert_eq!(fault(&error), StorageFault::Io);
    assert!(!format!("{error:?}").contains("hunter2"));
    for sql in [
        format!("DROP DATABASE {encoding}"),
        format!("DROP OWNED BY {role}"),
        format!("DROP ROLE {role}"),
    ] {
        admin.batch_execute(&sql).unwrap();
    }

    let hooks = open(&url).unwrap();
    hooks.create_app(APP).unwrap();
    assert!(!format!("{hooks:?}").contains("hookbox@"), "no password");
    let reader = read_only().unwrap();
    assert_eq!(reader.emit(APP, TYPE, "1").unwrap_err(), Error::ReadOnly);
    assert_eq!(reader.start().unwrap_err(), Error::ReadOnly);
    assert!(reader.app(APP).is_ok());
    let newer = "INSERT INTO hookbox_migration (version, library) VALUES (999, '9.9')";
    schema.client().execute(newer, &[]).unwrap();
    assert_eq!(refused(&url), StorageFault::NewerSchema);
}

#[test]
fn a_connection_that_the_server_ends_is_replaced() {
    let schema = Schema::new();
    let url = format!("{}&application_name=ended", schema.url());
    let hooks = open(&url).unwrap();
    hooks.create_app(APP).unwrap();
    let mut server = schema.server();
    // Returns when they are gone: until then the server may still take a statement, or not. What wakes other
    // boxes may connect meanwhile.
    let mut end_all = || {
        let end = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
                   WHERE application_name = 'ended'";
        let mut ended = 0;
        loop {
            let left: i64 = server.query_one(end, &[]).unwrap().get(0);
            if left == 0 {
                return ended;
            }
            ended += left;
        }
    };
    for _ in 0..20 {
        assert!(end_all() > 0);
        hooks.emit(APP, TYPE, "1").unwrap();
        end_all();
        hooks.app(APP).unwrap();
        end_all();
        hooks.poll(START).unwrap();
    }
    let sql = "SELECT count(*) FROM hookbox_event";
    let count: i64 = schema.client().query_one(sql, &[]).unwrap().get(0);
    assert_eq!(count, 20, "each once");
}

#[test]
fn a_server_that_restarts_or_crashes_loses_nothing_acknowledged() {
    let cluster = Cluster::start();
    let hooks = open(&cluster.url()).unwrap();
    hooks.create_app(APP).unwrap();
    for round in 0..3 {
        let key = |n: i32| event().key(format!("{round} {n}"));
        let first = hooks.emit_event(APP, key(1)).unwrap();
        if round == 1 {
            cluster.crash();
        } else {
            cluster.restart();
        }
        // What was in the air is repeated with its key; what was idle is replaced unseen.
        let again = (0..10).find_map(|_| hooks.emit_event(APP, key(1)).ok());
        assert_eq!(again, Some(first));
        hooks.emit_event(APP, key(2)).unwrap();
    }
    let page = hookbox::storage::PageRequest::default();
    hooks.poll(START).unwrap();
    let events = hooks
        .events(APP, hookbox::storage::EventFilter::default(), page)
        .unwrap();
    assert_eq!(events.items.len(), 6);
    assert_eq!(hooks.check().unwrap(), Vec::<String>::new());
}

/// Two transactions that wait for each other: the server ends one, which is run again.
#[test]
fn a_deadlock_is_resolved_by_running_again() {
    let bench = Bench::over(Engine::Postgres, |options| options);
    let mut client = bench.schema.as_ref().unwrap().client();
    let webhook = bench.webhook("a");
    let app = APP.parse().unwrap();
    client
        .batch_execute("SET deadlock_timeout = '10s'")
        .unwrap();
    let mut foreign = client.transaction().unwrap();
    foreign
        .execute("SELECT 1 FROM hookbox_webhook_state FOR UPDATE", &[])
        .unwrap();
    let runs = Arc::new(Mutex::new(0));
    std::thread::scope(|scope| {
        let counted = runs.clone();
        let storage = bench.hooks.storage();
        let editing = scope.spawn(move || {
            // Takes the log's lock, and waits for the webhook then.
            storage.edit_webhook(
                &app,
                &webhook,
                Box::new(move |stored| {
                    *counted.lock().unwrap() += 1;
                    stored.webhook.description = "changed".into();
                    Ok(())
                }),
            )
        });
        // Waits until it does.
        let waits = "SELECT count(*) FROM pg_locks WHERE NOT granted";
        while foreign.query_one(waits, &[]).unwrap().get::<_, i64>(0) == 0 {
            std::thread::yield_now();
        }
        let locked = foreign.execute("SELECT 1 FROM hookbox_lock FOR UPDATE", &[]);
        locked.unwrap();
        foreign.commit().unwrap();
        editing.join().unwrap().unwrap();
    });
    assert_eq!(
        *runs.lock().unwrap(),
        1,
        "the first run ended before it came to the edit"
    );
}

#[test]
fn a_pool_that_is_exhausted_is_waited_for() {
    let schema = Schema::new();
    let options = PostgresOptions {
        pool_size: Some(1),
        ..PostgresOptions::default()
    };
    let storage = Arc::new(PostgresStorage::open(&schema.url(), options).unwrap());
    let hooks = Options::new()
        .transport(FakeTransport::new())
        .open_storage(storage)
        .unwrap();
    hooks.create_app(APP).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..10 {
                    hooks.emit(APP, TYPE, "1").unwrap();
                }
            });
        }
    });
    let sql = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'hookbox' AND query LIKE '%hookbox_event%'";
    assert!(
        schema
            .server()
            .query_one(sql, &[])
            .unwrap()
            .get::<_, i64>(0)
            >= 1
    );
    for size in [0, 1001] {
        let options = PostgresOptions {
            pool_size: Some(size),
            ..PostgresOptions::default()
        };
        let error = PostgresStorage::open(&schema.url(), options).unwrap_err();
        assert_eq!(error.code(), "invalid_request");
    }
}

/// The engine hears of a commit by the host, and of another process's emits.
#[test]
fn a_commit_elsewhere_wakes_the_engine() {
    let schema = Schema::new();
    let storage = PostgresStorage::open(&schema.url(), PostgresOptions::default()).unwrap();
    let woken = Arc::new((Mutex::new(0), Condvar::new()));
    let of_callback = woken.clone();
    storage.on_foreign_write(Box::new(move || {
        *of_callback.0.lock().unwrap() += 1;
        of_callback.1.notify_all();
    }));
    let wait = |beyond: i32| {
        let patience = Duration::from_secs(20);
        let count = woken.0.lock().unwrap();
        let (count, waited) = woken
            .1
            .wait_timeout_while(count, patience, |count| *count <= beyond)
            .unwrap();
        assert!(!waited.timed_out());
        *count
    };
    // It calls once when it begins to listen.
    let mut count = wait(0);
    let other = open(&schema.url()).unwrap();
    other.create_app(APP).unwrap();
    let mut client = schema.client();
    for _ in 0..3 {
        let mut host = client.transaction().unwrap();
        other
            .emit_in_postgres(&mut host, APP, vec![event()])
            .unwrap();
        host.commit().unwrap();
        count = wait(count);
        other.emit(APP, TYPE, "1").unwrap();
        count = wait(count);
    }
    let before = storage.foreign_writes().unwrap();
    other.emit(APP, TYPE, "1").unwrap();
    assert_ne!(storage.foreign_writes().unwrap(), before);
}
