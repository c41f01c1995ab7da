//! One writer, group commit (design idea 4).
//!
//! Every durable write goes through [`CommitQueue::write`]. The first thread to come leads: it
//! takes all the writes that wait, runs them in one transaction with one fsync, hands each thread
//! its result, and passes the lead to the first of those who came meanwhile. There is no thread
//! of our own, and a single writer pays nothing for the queue.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use rusqlite::Connection;

use crate::error::{Error, Result, StorageFault};

use super::error::commit_error;

/// Makes a connection; again when the one before can no longer be trusted.
pub(super) type Connect = Box<dyn Fn() -> Result<Connection> + Send + Sync>;

pub(super) struct CommitQueue {
    waiting: Mutex<Waiting>,
    /// `None` after a failed commit, until the next leader has made a new connection.
    writer: Mutex<Option<Connection>>,
    connect: Connect,
}

#[derive(Default)]
struct Waiting {
    jobs: Vec<Box<dyn Job>>,
    has_leader: bool,
}

/// One thread's write, as the leader sees it.
trait Job: Send {
    /// Does the work, without handing out its result yet. False when it failed.
    fn run(&mut self, connection: &Connection) -> bool;
    /// Hands out the result: the work's own, unless the commit failed.
    fn finish(&mut self, commit: Result<()>);
    /// Makes the waiting thread the next leader.
    fn lead(&self);
}

struct Task<T, F> {
    work: Option<F>,
    result: Option<Result<T>>,
    ticket: Arc<Ticket<T>>,
}

struct Ticket<T> {
    state: Mutex<TicketState<T>>,
    changed: Condvar,
}

enum TicketState<T> {
    Waiting,
    Lead,
    Done(Result<T>),
}

impl<T, F> Job for Task<T, F>
where
    T: Send,
    F: FnOnce(&Connection) -> Result<T> + Send,
{
    fn run(&mut self, connection: &Connection) -> bool {
        let Some(work) = self.work.take() else {
            return false;
        };
        let result = catch_unwind(AssertUnwindSafe(|| work(connection)))
            .unwrap_or_else(|_| Err(Error::Internal("a write panicked".into())));
        let succeeded = result.is_ok();
        self.result = Some(result);
        succeeded
    }

    fn finish(&mut self, commit: Result<()>) {
        let result = match (self.result.take(), commit) {
            (Some(Ok(value)), Ok(())) => Ok(value),
            (Some(Err(error)), _) | (_, Err(error)) => Err(error),
            (None, Ok(())) => Err(Error::Internal("a write was not run".into())),
        };
        self.ticket.set(TicketState::Done(result));
    }

    fn lead(&self) {
        self.ticket.set(TicketState::Lead);
    }
}

impl<T> Ticket<T> {
    fn set(&self, state: TicketState<T>) {
        *lock(&self.state) = state;
        self.changed.notify_one();
    }

    /// Waits until done (`Some`) or told to lead (`None`).
    fn wait(&self) -> Option<Result<T>> {
        let mut state = lock(&self.state);
        loop {
            match std::mem::replace(&mut *state, TicketState::Waiting) {
                TicketState::Done(result) => return Some(result),
                TicketState::Lead => return None,
                TicketState::Waiting => {
                    state = self
                        .changed
                        .wait(state)
                        .unwrap_or_else(PoisonError::into_inner);
                }
            }
        }
    }
}

/// Every state under our locks is whole between two statements, so a panic elsewhere in a holder
/// leaves nothing to fear.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl CommitQueue {
    pub(super) fn new(connect: Connect) -> Result<Self> {
        let writer = connect()?;
        Ok(Self {
            waiting: Mutex::default(),
            writer: Mutex::new(Some(writer)),
            connect,
        })
    }

    /// Runs `work` in a transaction that is committed, and synced, when this returns `Ok`. When
    /// `work` fails, what it wrote is undone and the writes of other threads are not disturbed.
    pub(super) fn write<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T> + Send + 'static,
    {
        let ticket = Arc::new(Ticket {
            state: Mutex::new(TicketState::Waiting),
            changed: Condvar::new(),
        });
        let must_lead = {
            let mut waiting = lock(&self.waiting);
            waiting.jobs.push(Box::new(Task {
                work: Some(work),
                result: None,
                ticket: Arc::clone(&ticket),
            }));
            !std::mem::replace(&mut waiting.has_leader, true)
        };
        if !must_lead && let Some(result) = ticket.wait() {
            return result;
        }
        self.lead();
        ticket
            .wait()
            .unwrap_or_else(|| Err(Error::Internal("the lead was passed twice".into())))
    }

    /// Runs something on the writer's connection outside any transaction.
    pub(super) fn with_writer<T>(&self, work: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        let mut writer = lock(&self.writer);
        work(self.connected(&mut writer)?)
    }

    fn lead(&self) {
        let mut writer = lock(&self.writer);
        // Taken only now: whoever came while the one before was committing joins this group.
        let mut jobs = std::mem::take(&mut lock(&self.waiting).jobs);
        let commit = self
            .connected(&mut writer)
            .and_then(|connection| run_group(connection, &mut jobs));
        if let Err(Error::Storage {
            fault: StorageFault::CommitUnknown | StorageFault::Io,
            ..
        }) = commit
        {
            // After a failed sync this connection's view of the log cannot be trusted.
            *writer = None;
        }
        drop(writer);
        for job in &mut jobs {
            job.finish(commit.clone());
        }
        let mut waiting = lock(&self.waiting);
        match waiting.jobs.first() {
            Some(next) => next.lead(),
            None => waiting.has_leader = false,
        }
    }

    fn connected<'a>(&self, writer: &'a mut Option<Connection>) -> Result<&'a Connection> {
        if writer.is_none() {
            *writer = Some((self.connect)()?);
        }
        writer
            .as_ref()
            .ok_or_else(|| Error::Internal("no writer".into()))
    }
}

/// Runs the jobs in one transaction. A job that fails is undone by itself.
fn run_group(connection: &Connection, jobs: &mut [Box<dyn Job>]) -> Result<()> {
    execute(connection, "BEGIN IMMEDIATE")?;
    let alone = jobs.len() == 1;
    for job in jobs.iter_mut() {
        let outcome = if alone {
            if job.run(connection) {
                Ok(())
            } else {
                execute(connection, "ROLLBACK")?;
                return Ok(());
            }
        } else {
            run_nested(connection, job.as_mut())
        };
        if let Err(error) = outcome {
            rollback(connection);
            return Err(error);
        }
        // Some errors (disk full, I/O) end the whole transaction by themselves.
        if connection.is_autocommit() {
            return Err(Error::storage(
                StorageFault::Io,
                "the transaction was rolled back",
            ));
        }
    }
    let committed = connection
        .prepare_cached("COMMIT")
        .and_then(|mut statement| statement.execute(()));
    match committed {
        Ok(_) => Ok(()),
        Err(error) => {
            rollback(connection);
            Err(commit_error(error))
        }
    }
}

/// Runs a part of a transaction that is undone by itself when it fails.
pub(super) fn nested<T>(db: &Connection, work: impl FnOnce() -> Result<T>) -> Result<T> {
    execute(db, "SAVEPOINT hookbox_part")?;
    let result = work();
    // Some errors (disk full, I/O) end the whole transaction by themselves.
    if !db.is_autocommit() {
        if result.is_err() {
            execute(db, "ROLLBACK TO hookbox_part")?;
        }
        execute(db, "RELEASE hookbox_part")?;
    }
    result
}

fn run_nested(connection: &Connection, job: &mut dyn Job) -> Result<()> {
    execute(connection, "SAVEPOINT hookbox_write")?;
    if !job.run(connection) && !connection.is_autocommit() {
        execute(connection, "ROLLBACK TO hookbox_write")?;
    }
    if connection.is_autocommit() {
        return Ok(());
    }
    execute(connection, "RELEASE hookbox_write")
}

fn execute(connection: &Connection, sql: &str) -> Result<()> {
    connection.prepare_cached(sql)?.execute(())?;
    Ok(())
}

fn rollback(connection: &Connection) {
    if !connection.is_autocommit() {
        // If even this fails the connection is dropped or the next BEGIN reports it.
        let _ = connection.execute_batch("ROLLBACK");
    }
}

#[cfg(test)]
#[path = "commit_tests.rs"]
mod tests;
