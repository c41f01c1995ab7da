//! SQLite's rows, as the shared parsing of rows reads them.

use rusqlite::Row;

use crate::error::{Error, Result};
use crate::model::{DeliveryMode, Environment, Event, Timestamp};
use crate::storage::sql_rows::{SqlRow, bad_row};

use super::checksum::{EventRow, checksum};

pub(super) use crate::storage::sql_rows::{
    BATCH_COLUMNS, api_key, app, attempt, batch, key, millis, mode, named_or_null, parsed, state,
    to_json, webhook,
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

/// The columns that [`event`] reads. It knows them by their numbers: a batch has many events, and names
/// would be looked up anew in each row.
pub(super) const EVENT_COLUMNS: &str =
    "position, id, app_id, type, created_at, idempotency_key, environment,
     at_most_once, payload, checksum";

/// An event, as it was emitted.
///
/// # Errors
/// [`crate::StorageFault::BadRow`] when its row does not parse, or has changed since.
pub(super) fn event(row: &Row<'_>) -> Result<Event> {
    let any = |number: usize, name| {
        let value = row.get_ref(number)?.as_str_or_null();
        value.map_err(|error| bad_row(name, error))
    };
    let text = |number, name| any(number, name)?.ok_or_else(|| bad_row(name, "must not be NULL"));
    let kept = EventRow {
        id: text(1, "id")?,
        app: text(2, "app_id")?,
        event_type: text(3, "type")?,
        created_at: row.get(4)?,
        idempotency_key: any(5, "idempotency_key")?,
        environment: any(6, "environment")?,
        at_most_once: row.get::<_, i64>(7)? != 0,
        payload: text(8, "payload")?,
    };
    let sum: Option<i64> = row.get(9)?;
    if sum.is_some_and(|sum| sum != i64::from(checksum(&kept))) {
        let why = "the event is not as it was emitted: the file is damaged, restore a backup";
        return Err(bad_row(kept.id, why));
    }
    let environment = kept.environment.map(Environment::parse).transpose();
    Ok(Event {
        id: kept.id.parse().map_err(|error| bad_row("id", error))?,
        position: row.get(0)?,
        app_id: kept.app.parse().map_err(|error| bad_row("app_id", error))?,
        event_type: kept
            .event_type
            .parse()
            .map_err(|error| bad_row("type", error))?,
        payload: kept.payload.to_owned(),
        created_at: Timestamp::from_millis(kept.created_at),
        idempotency_key: kept.idempotency_key.map(str::to_owned),
        environment: environment.map_err(|error| bad_row("environment", error))?,
        mode: DeliveryMode::of(kept.at_most_once),
    })
}
