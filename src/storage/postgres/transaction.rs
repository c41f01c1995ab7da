//! Running work in transactions, again where the server asks for it or the connection is lost.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use crate::error::{Error, Result, StorageFault};

use super::pool::Pool;
use super::session::{Db, Failure};
use super::working::PgTables;

/// How often a transaction is run at most.
pub(super) const RUNS_MAX: u32 = 6;

/// Between two runs, doubling: whoever won the deadlock gets to its end.
const PAUSE: Duration = Duration::from_millis(4);

/// What a transaction is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Reads that see one moment.
    Read,
    /// Changes. Each statement sees what is committed when it begins; what must hold still is locked.
    Write,
}

/// Runs `work` in one transaction. Returns what it returned, and whether somebody should look for
/// work again at once.
pub(super) fn run<T>(
    pool: &Pool,
    purpose: Purpose,
    work: impl Fn(&PgTables<'_>) -> Result<T>,
) -> Result<(T, bool)> {
    let mut runs = 1;
    loop {
        let (result, failure) = run_once(pool, purpose, &work);
        let error = match result {
            Ok(done) => return Ok(done),
            Err(error) => error,
        };
        // Nothing of it was committed, unless the connection was lost while it was.
        let Some(failure) = failure.filter(|_| !is_unknown(&error)) else {
            return Err(error);
        };
        if runs == RUNS_MAX {
            return Err(give_up(&error));
        }
        if failure == Failure::Repeatable {
            std::thread::park_timeout(PAUSE * (1 << runs));
        }
        runs += 1;
    }
}

fn run_once<T>(
    pool: &Pool,
    purpose: Purpose,
    work: &impl Fn(&PgTables<'_>) -> Result<T>,
) -> (Result<(T, bool)>, Option<Failure>) {
    let mut session = match pool.get() {
        Ok(session) => session,
        Err(error) => return (Err(error), None),
    };
    let tables = PgTables::new(Db::new(&mut session));
    let result = in_transaction(&tables, purpose, work);
    let mut failure = tables.db.failure();
    if result.is_err() && failure != Some(Failure::Lost) && tables.db.command("ROLLBACK").is_err() {
        failure = Some(Failure::Lost);
    }
    drop(tables);
    if failure == Some(Failure::Lost) {
        pool.discard(session);
    } else {
        pool.put_back(session);
    }
    (result, failure)
}

fn in_transaction<T>(
    tables: &PgTables<'_>,
    purpose: Purpose,
    work: &impl Fn(&PgTables<'_>) -> Result<T>,
) -> Result<(T, bool)> {
    tables.db.command(match purpose {
        Purpose::Read => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
        Purpose::Write => "BEGIN",
    })?;
    let value = catch_unwind(AssertUnwindSafe(|| work(tables)))
        .unwrap_or_else(|_| Err(Error::Internal("a piece of work panicked".into())))?;
    let look_again = tables.finish()?;
    tables.db.commit()?;
    Ok((value, look_again))
}

fn is_unknown(error: &Error) -> bool {
    let unknown = StorageFault::CommitUnknown;
    matches!(error, Error::Storage { fault, .. } if *fault == unknown)
}

fn give_up(error: &Error) -> Error {
    match error {
        Error::Storage { fault, message } => Error::storage(
            *fault,
            format!("given up after {RUNS_MAX} runs of the transaction: {message}"),
        ),
        other => other.clone(),
    }
}
