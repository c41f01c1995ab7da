//! One writer, group commit (design idea 4). What engines with one writer at a time share.
//!
//! Every durable write goes through [`CommitQueue::write`]. The first thread to come leads: it
//! takes all the writes that wait, runs them in one transaction with one fsync, hands each thread
//! its result, and passes the lead to the first of those who came meanwhile. There is no thread
//! of our own, and a single writer pays nothing for the queue.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, PoisonError};

use crate::error::{Error, Result, StorageFault};
use crate::sync::{Condvar, Mutex, MutexGuard};

/// An engine's writing end.
pub(super) trait Writer: Send + 'static {
    /// What writes work on, inside a transaction.
    type Inside<'a>;

    /// Runs `all` in one transaction. When it says true the transaction is committed, and synced;
    /// when it says false or fails, nothing that it wrote stays.
    fn transaction(&self, all: &mut dyn FnMut(&Self::Inside<'_>) -> Result<bool>) -> Result<()>;

    /// Runs a part of a transaction, which is undone by itself when it says false. An error is the
    /// whole transaction's.
    fn part(inside: &Self::Inside<'_>, part: &mut dyn FnMut() -> bool) -> Result<()>;
}

/// Makes a writer; again when the one before can no longer be trusted.
pub(super) type Connect<W> = Box<dyn Fn() -> Result<W> + Send + Sync>;

pub(super) struct CommitQueue<W> {
    waiting: Mutex<Waiting<W>>,
    /// `None` after a failed commit, until the next leader has made a new one.
    writer: Mutex<Option<W>>,
    connect: Connect<W>,
}

struct Waiting<W> {
    jobs: Vec<Box<dyn Job<W>>>,
    has_leader: bool,
}

/// One thread's write, as the leader sees it.
trait Job<W: Writer>: Send {
    /// Does the work, without handing out its result yet. False when it failed. Called again when the
    /// transaction has to be.
    fn run(&mut self, inside: &W::Inside<'_>) -> bool;
    /// Hands out the result: the work's own, unless the commit failed.
    fn finish(&mut self, commit: Result<()>);
    /// Makes the waiting thread the next leader.
    fn lead(&self);
}

struct Task<T, F> {
    work: F,
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

impl<W, T, F> Job<W> for Task<T, F>
where
    W: Writer,
    T: Send,
    F: Fn(&W::Inside<'_>) -> Result<T> + Send,
{
    fn run(&mut self, inside: &W::Inside<'_>) -> bool {
        let result = catch_unwind(AssertUnwindSafe(|| (self.work)(inside)))
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

impl<W: Writer> CommitQueue<W> {
    pub(super) fn new(connect: Connect<W>) -> Result<Self> {
        let writer = connect()?;
        Ok(Self {
            waiting: Mutex::new(Waiting {
                jobs: Vec::new(),
                has_leader: false,
            }),
            writer: Mutex::new(Some(writer)),
            connect,
        })
    }

    /// Runs `work` in a transaction that is committed, and synced, when this returns `Ok`. When
    /// `work` fails, what it wrote is undone and the writes of other threads are not disturbed; it may
    /// be called twice.
    pub(super) fn write<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: Fn(&W::Inside<'_>) -> Result<T> + Send + 'static,
    {
        let ticket = Arc::new(Ticket {
            state: Mutex::new(TicketState::Waiting),
            changed: Condvar::new(),
        });
        let must_lead = {
            let mut waiting = lock(&self.waiting);
            waiting.jobs.push(Box::new(Task {
                work,
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

    /// Runs something on the writer outside any transaction.
    #[cfg(feature = "sqlite")]
    pub(super) fn with_writer<T>(&self, work: impl FnOnce(&W) -> Result<T>) -> Result<T> {
        let mut writer = lock(&self.writer);
        work(self.connected(&mut writer)?)
    }

    fn lead(&self) {
        let mut writer = lock(&self.writer);
        // Taken only now: whoever came while the one before was committing joins this group.
        let mut jobs = std::mem::take(&mut lock(&self.waiting).jobs);
        // Caught: after a panic here nobody would lead, and every later write would wait for ever.
        let commit = catch_unwind(AssertUnwindSafe(|| {
            self.connected(&mut writer)
                .and_then(|writer| run_group(writer, &mut jobs))
        }))
        .unwrap_or_else(|_| {
            let message = "the store panicked";
            Err(Error::storage(StorageFault::CommitUnknown, message))
        });
        if let Err(Error::Storage {
            fault: StorageFault::CommitUnknown | StorageFault::Io,
            ..
        }) = commit
        {
            // After a failed sync this writer's view of the data cannot be trusted.
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

    fn connected<'a>(&self, writer: &'a mut Option<W>) -> Result<&'a W> {
        if writer.is_none() {
            *writer = Some((self.connect)()?);
        }
        writer
            .as_ref()
            .ok_or_else(|| Error::Internal("no writer".into()))
    }
}

/// Runs the jobs in one transaction. A job that fails is undone by itself: but undoing a part takes a
/// savepoint, and few jobs fail. So first all run in one go, and again as parts when one of them fails.
fn run_group<W: Writer>(writer: &W, jobs: &mut [Box<dyn Job<W>>]) -> Result<()> {
    let alone = jobs.len() == 1;
    let mut all_succeeded = true;
    writer.transaction(&mut |inside| {
        all_succeeded = jobs.iter_mut().all(|job| job.run(inside));
        Ok(all_succeeded)
    })?;
    if all_succeeded || alone {
        return Ok(());
    }
    writer.transaction(&mut |inside| {
        for job in jobs.iter_mut() {
            W::part(inside, &mut || job.run(inside))?;
        }
        Ok(true)
    })
}
