//! PostgreSQL's rows, as the shared parsing of rows reads them.

use postgres::Row;
use postgres::types::{FromSql, Type};

use crate::error::{Error, Result};
use crate::model::Event;
use crate::storage::sql_rows::SqlRow;

pub(super) use crate::storage::sql_rows::{
    BATCH_COLUMNS, api_key, app, attempt, bad_row, batch, key, millis, mode, named_or_null, number,
    parsed, state, text, time, to_json, webhook,
};

/// A number of any width: what a column holds is the table's choice.
struct Integer(i64);

impl<'a> FromSql<'a> for Integer {
    fn from_sql(
        of: &Type,
        raw: &'a [u8],
    ) -> std::result::Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Self(match *of {
            Type::INT2 => i16::from_sql(of, raw)?.into(),
            Type::INT4 => i32::from_sql(of, raw)?.into(),
            _ => i64::from_sql(of, raw)?,
        }))
    }

    fn accepts(of: &Type) -> bool {
        [Type::INT2, Type::INT4, Type::INT8].contains(of)
    }
}

impl SqlRow for Row {
    fn text(&self, column: &str) -> Result<Option<&str>> {
        self.try_get(column).map_err(Error::from)
    }

    fn integer(&self, column: &str) -> Result<Option<i64>> {
        let value: Option<Integer> = self.try_get(column)?;
        Ok(value.map(|number| number.0))
    }

    fn flag(&self, column: &str) -> Result<bool> {
        self.try_get(column).map_err(Error::from)
    }

    fn bytes(&self, column: &str) -> Result<Vec<u8>> {
        self.try_get(column).map_err(Error::from)
    }
}

pub(super) fn event(row: &Row) -> Result<Event> {
    Ok(Event {
        id: parsed(row, "id")?,
        position: number(row, "position")?,
        app_id: parsed(row, "app_id")?,
        event_type: parsed(row, "type")?,
        payload: text(row, "payload")?.to_owned(),
        created_at: time(row, "created_at")?,
        idempotency_key: row.text("idempotency_key")?.map(str::to_owned),
        environment: named_or_null(row, "environment")?,
        mode: mode(row)?,
    })
}
