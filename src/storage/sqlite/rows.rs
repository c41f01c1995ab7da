//! SQLite's rows, as the shared parsing of rows reads them.

use rusqlite::Row;

use crate::error::{Error, Result};
use crate::storage::sql_rows::{SqlRow, bad_row};

pub(super) use crate::storage::sql_rows::{
    BATCH_COLUMNS, api_key, app, attempt, batch, event, key, millis, mode, named_or_null, parsed,
    state, to_json, webhook,
};

impl SqlRow for Row<'_> {
    fn text(&self, column: &str) -> Result<Option<&str>> {
        let value = self.get_ref(column)?.as_str_or_null();
        value.map_err(|error| bad_row(column, error))
    }

    fn integer(&self, column: &str) -> Result<Option<i64>> {
        self.get(column).map_err(Error::from)
    }

    fn flag(&self, column: &str) -> Result<bool> {
        Ok(self.get::<_, i64>(column)? != 0)
    }

    fn bytes(&self, column: &str) -> Result<Vec<u8>> {
        self.get(column).map_err(Error::from)
    }
}
