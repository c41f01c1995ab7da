//! The PostgreSQL storage: any number of processes on any number of machines share one database.
//! `0001_init.sql` is the schema; docs/postgres.md says how to set it up; each other file here is
//! one concern.

mod api_keys;
mod apps;
mod attempts;
mod batches;
mod connect;
mod emit;
mod entries;
mod error;
mod listen;
mod log;
mod marks;
mod memory;
mod migrate;
mod pool;
mod ready;
mod route;
mod rows;
mod session;
mod state;
mod tables;
mod transaction;
mod upkeep;
mod webhooks;
mod working;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::error::{Error, Result};
use crate::model::{AppId, EventId};
use crate::storage::tables::{Database, TableStorage, Tables};
use crate::storage::{PreparedEvent, StorageStats, Wake};
use connect::{Connector, check_server};
use error::{commit_error, is_lost, is_repeatable};
use listen::Listener;
use pool::Pool;
use session::{Session, untyped};
use transaction::{Purpose, RUNS_MAX, run};

/// Connections of a box, unless it was asked for others; one more listens for notifications.
const POOL_SIZE: usize = 8;

/// A box in a PostgreSQL database, which may hold the host's own tables as well.
pub type PostgresStorage = TableStorage<Postgres>;

/// The engine under [`PostgresStorage`].
#[derive(Debug)]
pub struct Postgres {
    pool: Pool,
    read_only: bool,
    listener: Mutex<Option<Listener>>,
}

/// How a box in PostgreSQL is opened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PostgresOptions {
    /// Connections that the box makes at most, beside the one that listens: 1 to 1000; 8 by default.
    /// A thread that finds none free waits for ten seconds, and fails with
    /// [`crate::StorageFault::Busy`] then.
    pub pool_size: Option<usize>,
    /// Bytes of a payload at most. The database keeps what was asked for last, for plain SQL too.
    pub payload_bytes_max: Option<usize>,
}

impl TableStorage<Postgres> {
    /// Opens a database for reading and writing; creates its schema where it is missing, and
    /// migrates an older one. `url` is `postgres://user:password@host:port/database?parameters`.
    ///
    /// # Errors
    /// [`Error::InvalidRequest`] for a URL or an option that cannot be used.
    /// [`crate::StorageFault::UnsupportedEngine`] for a server before PostgreSQL 13, or a database whose
    /// encoding is not UTF-8; [`crate::StorageFault::ReadOnly`] for a standby, and for a role without the
    /// rights; [`crate::StorageFault::NewerSchema`]; [`crate::StorageFault::Io`] when there is no connection.
    pub fn open(url: &str, options: PostgresOptions) -> Result<Self> {
        let size = options.pool_size.unwrap_or(POOL_SIZE);
        if !(1..=1000).contains(&size) {
            return Err(Error::invalid("pool_size", "must be 1 to 1000"));
        }
        let connector = Connector::parse(url)?;
        let mut session = connector.connect()?;
        check_server(&mut session, false)?;
        migrate::migrate(&mut session)?;
        if let Some(bytes) = options.payload_bytes_max {
            let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
            session.execute(
                "UPDATE hookbox_setting SET value = $1
                 WHERE name = 'payload_bytes_max' AND value <> $1",
                &[&bytes],
            )?;
        }
        Ok(Self::over(Postgres {
            pool: Pool::new(connector, size, session),
            read_only: false,
            listener: Mutex::default(),
        }))
    }

    /// Opens a database for reading only, a standby too: nothing is created, migrated or otherwise
    /// changed.
    ///
    /// # Errors
    /// As [`PostgresStorage::open`]; also when there is no box in the database, or an older one.
    pub fn open_read_only(url: &str) -> Result<Self> {
        let connector = Connector::parse(url)?;
        let mut session = connector.connect()?;
        check_server(&mut session, true)?;
        migrate::check(&mut session)?;
        Ok(Self::over(Postgres {
            pool: Pool::new(connector, POOL_SIZE, session),
            read_only: true,
            listener: Mutex::default(),
        }))
    }

    /// Bytes of a payload at most, as the database says.
    ///
    /// # Errors
    /// Storage errors only.
    pub fn payload_bytes_max(&self) -> Result<usize> {
        let sql = "SELECT value FROM hookbox_setting WHERE name = 'payload_bytes_max'";
        self.database
            .get()?
            .read_alone(|session| {
                let row = session.query(sql, &[])?.into_iter().next();
                row.map(|row| row.try_get::<_, i64>(0)).transpose()
            })
            .map(|bytes| {
                bytes
                    .and_then(|bytes| usize::try_from(bytes).ok())
                    .unwrap_or(0)
            })
    }

    /// Appends events inside a transaction of the host's own, on the host's own connection to the
    /// same database: they are emitted if and only if the host commits. One statement, one round trip.
    ///
    /// # Errors
    /// As [`crate::storage::Storage::emit`]. After one that is not a storage error nothing was
    /// written, and the transaction can go on.
    pub fn emit_in(
        transaction: &mut postgres::Transaction<'_>,
        app: &AppId,
        events: &[PreparedEvent],
    ) -> Result<Vec<EventId>> {
        // Not prepared: a statement of ours has no business in the host's connection.
        let run = &mut |sql: &str, values: &[emit::Typed<'_>]| {
            transaction.query_typed(sql, values).map_err(Error::from)
        };
        emit::emit(run, app, events)
    }
}

/// Every state under our locks is whole between two statements.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Postgres {
    /// Runs statements that commit by themselves. What a lost connection means is for the caller.
    fn alone<T>(
        &self,
        work: impl FnOnce(&mut Session) -> std::result::Result<T, postgres::Error>,
    ) -> Result<std::result::Result<T, postgres::Error>> {
        let mut session = self.pool.get()?;
        let result = work(&mut session);
        match &result {
            Err(error) if is_lost(error) => self.pool.discard(session),
            _ => self.pool.put_back(session),
        }
        Ok(result)
    }

    /// Runs one query by itself; once more when the connection was lost.
    fn read_alone<T>(
        &self,
        work: impl Fn(&mut Session) -> std::result::Result<T, postgres::Error>,
    ) -> Result<T> {
        match self.alone(&work)? {
            Err(error) if is_lost(&error) => self.alone(&work)?.map_err(Error::from),
            other => other.map_err(Error::from),
        }
    }

    fn wake(&self) {
        if let Some(listener) = lock(&self.listener).as_ref() {
            listener.wake();
        }
    }
}

impl Database for Postgres {
    fn write<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: Fn(&dyn Tables) -> Result<T> + Send + 'static,
    {
        if self.read_only {
            return Err(Error::ReadOnly);
        }
        let (value, look_again) = run(&self.pool, Purpose::Write, |tables| work(tables))?;
        if look_again {
            self.wake();
        }
        Ok(value)
    }

    fn read<T>(&self, work: impl Fn(&dyn Tables) -> Result<T>) -> Result<T> {
        let (value, _) = run(&self.pool, Purpose::Read, |tables| work(tables))?;
        Ok(value)
    }

    fn emit(&self, app: &AppId, events: Vec<PreparedEvent>) -> Result<Vec<EventId>> {
        if self.read_only {
            return Err(Error::ReadOnly);
        }
        let run = &mut |sql: &str, values: &[emit::Typed<'_>]| {
            let statement = || self.alone(|session| session.query(sql, &untyped(values)));
            let mut runs = 1;
            loop {
                match statement()? {
                    // A deadlock with somebody who emits the same keys in another order; or the server
                    // ended the connection, and said so, before it took the statement.
                    Err(error)
                        if runs < RUNS_MAX
                            && (is_repeatable(&error)
                                || (is_lost(&error) && error.code().is_some())) =>
                    {
                        runs += 1;
                    }
                    other => return other.map_err(commit_error),
                }
            }
        };
        let ids = emit::emit(run, app, &events)?;
        if let Some(listener) = lock(&self.listener).as_ref() {
            listener.tell_others();
        }
        Ok(ids)
    }

    fn is_read_only(&self) -> bool {
        self.read_only
    }

    fn foreign_writes(&self) -> Result<i64> {
        // Which transactions are running: another number whenever one that writes has begun or ended.
        let sql = "SELECT hashtextextended(txid_current_snapshot()::TEXT, 0)";
        self.read_alone(|session| {
            let row = session.query(sql, &[])?.into_iter().next();
            row.map_or(Ok(0), |row| row.try_get(0))
        })
    }

    fn on_foreign_write(&self, wake: Wake) {
        if !self.read_only {
            let connector = self.pool.connector().clone();
            *lock(&self.listener) = Listener::start(connector, Arc::from(wake));
        }
    }

    fn check(&self) -> Result<Vec<String>> {
        run(&self.pool, Purpose::Read, |tables| {
            upkeep::check(&tables.db)
        })
        .map(|(wrong, _)| wrong)
    }

    fn stats(&self) -> Result<StorageStats> {
        run(&self.pool, Purpose::Read, |tables| {
            upkeep::stats(&tables.db)
        })
        .map(|(stats, _)| stats)
    }
}
