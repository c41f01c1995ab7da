//! From rows to plain data. A row may be anybody's: every value is parsed, and what does not parse
//! is an error that names the column.

use std::str::FromStr;

use rusqlite::Row;
use serde::de::DeserializeOwned;

use crate::error::{Error, Result};
use crate::model::{
    App, AppState, Attempt, AttemptResult, Batch, BatchStatus, DeliveryMode, EndReason, Event,
    FailureKind, SigningKey, Timestamp, Webhook,
};
use crate::storage::{StoredKey, StoredWebhook};

use super::error::bad_row;

/// Reads a column and parses its text.
pub(super) fn parsed<T: FromStr<Err = Error>>(row: &Row<'_>, column: &str) -> Result<T> {
    let text: String = row.get(column)?;
    text.parse().map_err(|error| bad_row(column, error))
}

/// Reads a column of JSON.
pub(super) fn json<T: DeserializeOwned>(row: &Row<'_>, column: &str) -> Result<T> {
    let value = row.get_ref(column)?;
    let text = value.as_str().map_err(|error| bad_row(column, error))?;
    serde_json::from_str(text).map_err(|error| bad_row(column, error))
}

/// Reads a text column as one of an enum's names, where it is not NULL.
pub(super) fn named_or_null<T: DeserializeOwned>(row: &Row<'_>, column: &str) -> Result<Option<T>> {
    let Some(text) = row.get::<_, Option<String>>(column)? else {
        return Ok(None);
    };
    serde_json::from_value(serde_json::Value::String(text))
        .map(Some)
        .map_err(|error| bad_row(column, error))
}

fn named<T: DeserializeOwned>(row: &Row<'_>, column: &str) -> Result<T> {
    named_or_null(row, column)?.ok_or_else(|| bad_row(column, "must not be NULL"))
}

/// Writes a value as JSON.
pub(super) fn to_json<T: serde::Serialize>(value: &T) -> Result<String> {
    serde_json::to_string(value).map_err(|error| Error::Internal(error.to_string()))
}

pub(super) fn time(row: &Row<'_>, column: &str) -> Result<Timestamp> {
    Ok(Timestamp::from_millis(row.get(column)?))
}

pub(super) fn time_or_null(row: &Row<'_>, column: &str) -> Result<Option<Timestamp>> {
    Ok(row
        .get::<_, Option<i64>>(column)?
        .map(Timestamp::from_millis))
}

pub(super) fn millis(at: Option<Timestamp>) -> Option<i64> {
    at.map(Timestamp::as_millis)
}

pub(super) fn mode(row: &Row<'_>) -> Result<DeliveryMode> {
    Ok(if row.get::<_, i64>("at_most_once")? == 0 {
        DeliveryMode::AtLeastOnce
    } else {
        DeliveryMode::AtMostOnce
    })
}

pub(super) fn app(row: &Row<'_>) -> Result<App> {
    Ok(App {
        id: parsed(row, "id")?,
        state: if row.get("enabled")? {
            AppState::Enabled
        } else {
            AppState::Disabled
        },
        profile: json(row, "profile")?,
        created_at: time(row, "created_at")?,
    })
}

pub(super) fn key(row: &Row<'_>) -> Result<StoredKey> {
    let sealed: Vec<u8> = row.get("sealed")?;
    Ok(StoredKey {
        key: SigningKey {
            app_id: parsed(row, "app_id")?,
            kid: named(row, "kid")?,
            public: json(row, "public_jwk")?,
            has_private_part: !sealed.is_empty(),
            created_at: time(row, "created_at")?,
            signs_from: time(row, "signs_from")?,
            signs_until: time_or_null(row, "signs_until")?,
            published_until: time_or_null(row, "published_until")?,
        },
        sealed,
    })
}

/// Needs the columns of `hookbox_webhook` and the two `last_http_code` ones of its state.
pub(super) fn webhook(row: &Row<'_>) -> Result<StoredWebhook> {
    let code: Option<u16> = row.get("last_http_code")?;
    let url = serde_json::Value::String(row.get("url")?);
    Ok(StoredWebhook {
        webhook: Webhook {
            id: parsed(row, "id")?,
            app_id: parsed(row, "app_id")?,
            url: serde_json::from_value(url).map_err(|error| bad_row("url", error))?,
            events: json(row, "events")?,
            verified: row.get("verified")?,
            enabled: row.get("enabled")?,
            description: row.get("description")?,
            environment: named_or_null(row, "environment")?,
            overrides: json(row, "overrides")?,
            header_names: json(row, "header_names")?,
            has_basic_auth: row.get("has_basic_auth")?,
            last_http_code: code.zip(time_or_null(row, "last_http_code_at")?),
            created_at: time(row, "created_at")?,
            updated_at: time(row, "updated_at")?,
            last_enabled_at: time_or_null(row, "last_enabled_at")?,
            last_disabled_at: time_or_null(row, "last_disabled_at")?,
        },
        sealed: row.get("sealed")?,
    })
}

pub(super) fn event(row: &Row<'_>) -> Result<Event> {
    Ok(Event {
        id: parsed(row, "id")?,
        position: row.get("position")?,
        app_id: parsed(row, "app_id")?,
        event_type: parsed(row, "type")?,
        payload: row.get("payload")?,
        created_at: time(row, "created_at")?,
        idempotency_key: row.get("idempotency_key")?,
        environment: named_or_null(row, "environment")?,
        mode: mode(row)?,
    })
}

/// The columns that [`batch`] reads, of `hookbox_batch b JOIN hookbox_webhook w`.
pub(super) const BATCH_COLUMNS: &str =
    "b.no, b.id, w.app_id, w.id AS webhook_id, b.parent_id, b.positions, b.at_most_once, b.status,
     b.end_reason, b.created_at, b.attempts, b.failures, b.window_start, b.due_at, b.fence,
     b.ended_at";

pub(super) fn batch(row: &Row<'_>) -> Result<Batch> {
    let parent: Option<String> = row.get("parent_id")?;
    Ok(Batch {
        id: parsed(row, "id")?,
        app_id: parsed(row, "app_id")?,
        webhook_id: parsed(row, "webhook_id")?,
        positions: json(row, "positions")?,
        parent: parent
            .map(|text| text.parse().map_err(|error| bad_row("parent_id", error)))
            .transpose()?,
        mode: mode(row)?,
        status: named::<BatchStatus>(row, "status")?,
        end_reason: named_or_null::<EndReason>(row, "end_reason")?,
        created_at: time(row, "created_at")?,
        attempts: row.get("attempts")?,
        failures: row.get("failures")?,
        window_start: time_or_null(row, "window_start")?,
        due_at: time_or_null(row, "due_at")?,
        fence: row.get("fence")?,
        ended_at: time_or_null(row, "ended_at")?,
    })
}

/// Needs the columns of `hookbox_attempt`, `batch_id` and `webhook_id`.
pub(super) fn attempt(row: &Row<'_>) -> Result<Attempt> {
    let result = match row.get::<_, Option<u16>>("http_status")? {
        Some(status) => AttemptResult::Status(status),
        None => AttemptResult::Failure(named::<FailureKind>(row, "error")?),
    };
    Ok(Attempt {
        batch_id: parsed(row, "batch_id")?,
        webhook_id: parsed(row, "webhook_id")?,
        number: row.get("number")?,
        started_at: time(row, "started_at")?,
        duration_ms: row.get("duration_ms")?,
        result,
        excerpt: row.get("excerpt")?,
    })
}
