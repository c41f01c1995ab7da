//! One connection with its prepared statements, and the queries of one transaction on it.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::fmt::Debug;

use postgres::fallible_iterator::FallibleIterator as _;
use postgres::types::ToSql;
use postgres::{Client, Row, Statement};

use crate::error::{Error, Result};

use super::emit::Typed;
use super::error::{is_lost, is_repeatable};
use super::rows::bad_row;

/// What a statement is given, in order.
pub(super) type Values<'a> = &'a [&'a (dyn ToSql + Sync)];

pub(super) struct Session {
    pub(super) client: Client,
    /// By their text: parsed and planned once for each connection.
    statements: HashMap<String, Statement>,
}

impl Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").finish_non_exhaustive()
    }
}

impl Session {
    pub(super) fn new(client: Client) -> Self {
        Self {
            client,
            statements: HashMap::new(),
        }
    }

    /// Whether the server has closed the connection meanwhile, as far as it has said so: reads what
    /// has arrived, asks nothing.
    pub(super) fn is_stale(&mut self) -> bool {
        self.client.notifications().iter().next().is_err() || self.client.is_closed()
    }

    pub(super) fn query(
        &mut self,
        sql: &str,
        values: Values<'_>,
    ) -> std::result::Result<Vec<Row>, postgres::Error> {
        let statement = self.prepared(sql)?;
        self.client.query(&statement, values)
    }

    pub(super) fn execute(
        &mut self,
        sql: &str,
        values: Values<'_>,
    ) -> std::result::Result<u64, postgres::Error> {
        let statement = self.prepared(sql)?;
        self.client.execute(&statement, values)
    }

    fn prepared(&mut self, sql: &str) -> std::result::Result<Statement, postgres::Error> {
        if let Some(statement) = self.statements.get(sql) {
            return Ok(statement.clone());
        }
        let statement = self.client.prepare(sql)?;
        self.statements.insert(sql.to_owned(), statement.clone());
        Ok(statement)
    }
}

/// What a failed statement means for the transaction it was in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Failure {
    /// It may succeed when it is run again.
    Repeatable,
    /// The connection is gone, and with it the transaction.
    Lost,
}

/// A connection inside a transaction.
pub(super) struct Db<'a> {
    session: RefCell<&'a mut Session>,
    failure: Cell<Option<Failure>>,
    /// Whether a statement failed: until a rollback the server takes no other, and would answer COMMIT
    /// with a rollback, without an error.
    aborted: Cell<bool>,
}

impl<'a> Db<'a> {
    pub(super) fn new(session: &'a mut Session) -> Self {
        Self {
            session: RefCell::new(session),
            failure: Cell::new(None),
            aborted: Cell::new(false),
        }
    }

    /// The last failure that concerns the transaction as a whole.
    pub(super) fn failure(&self) -> Option<Failure> {
        self.failure.get()
    }

    pub(super) fn query(&self, sql: &str, values: Values<'_>) -> Result<Vec<Row>> {
        let found = self.session.borrow_mut().query(sql, values);
        found.map_err(|error| self.noted(error))
    }

    pub(super) fn execute(&self, sql: &str, values: Values<'_>) -> Result<u64> {
        let done = self.session.borrow_mut().execute(sql, values);
        done.map_err(|error| self.noted(error))
    }

    /// As [`Db::query`], for values that come with their types.
    pub(super) fn query_typed(&self, sql: &str, values: &[Typed<'_>]) -> Result<Vec<Row>> {
        self.query(sql, &untyped(values))
    }

    /// At most one row.
    pub(super) fn row_or_none(&self, sql: &str, values: Values<'_>) -> Result<Option<Row>> {
        Ok(self.query(sql, values)?.into_iter().next())
    }

    /// The one row that there must be.
    pub(super) fn row(&self, sql: &str, values: Values<'_>) -> Result<Row> {
        self.row_or_none(sql, values)?
            .ok_or_else(|| bad_row("a row", "is missing where there must be one"))
    }

    /// Statements without values or results, such as BEGIN.
    pub(super) fn command(&self, sql: &str) -> Result<()> {
        let done = self.session.borrow_mut().client.batch_execute(sql);
        done.map_err(|error| self.noted(error))
    }

    /// Undoes what was done since a savepoint.
    pub(super) fn roll_back_to(&self, savepoint: &str) -> Result<()> {
        self.command(&format!("ROLLBACK TO {savepoint}"))?;
        self.aborted.set(false);
        Ok(())
    }

    /// As [`Db::command`], for COMMIT.
    pub(super) fn commit(&self) -> Result<()> {
        if self.aborted.get() {
            let message = "a failed statement was passed over";
            return Err(Error::Internal(message.to_owned()));
        }
        let done = self.session.borrow_mut().client.batch_execute("COMMIT");
        done.map_err(|error| {
            self.note(&error);
            super::error::commit_error(error)
        })
    }

    fn noted(&self, error: postgres::Error) -> Error {
        self.note(&error);
        Error::from(error)
    }

    fn note(&self, error: &postgres::Error) {
        self.aborted.set(true);
        if is_lost(error) {
            self.failure.set(Some(Failure::Lost));
        } else if is_repeatable(error) {
            self.failure.set(Some(Failure::Repeatable));
        }
    }
}

/// A prepared statement knows the types.
pub(super) fn untyped<'a>(values: &[Typed<'a>]) -> Vec<&'a (dyn ToSql + Sync)> {
    values.iter().map(|(value, _)| *value).collect()
}

/// A number of rows as PostgreSQL takes it.
pub(super) fn limit(rows: usize) -> i64 {
    i64::try_from(rows).unwrap_or(i64::MAX)
}
