//! From SQL rows to plain data, for the engines that keep the tables of docs/schema.md. A row may be
//! anybody's: every value is parsed, and what does not parse is an error that names the column.

use std::str::FromStr;

use serde::de::DeserializeOwned;

use crate::error::{Error, Result, StorageFault};
use crate::model::{
    ApiKey, App, AppState, Attempt, AttemptResult, Batch, BatchStatus, Class, DeliveryMode,
    EndReason, FailureKind, Health, SigningKey, Timestamp, Webhook,
};
use crate::storage::tables::WebhookState;
use crate::storage::{StoredApiKey, StoredKey, StoredWebhook};

/// A row as an engine's client gives it: columns by name. A column that is missing, or of another
/// type, is a bad row.
pub(super) trait SqlRow {
    fn text(&self, column: &str) -> Result<Option<&str>>;
    fn integer(&self, column: &str) -> Result<Option<i64>>;
    fn flag(&self, column: &str) -> Result<bool>;
    fn bytes(&self, column: &str) -> Result<Vec<u8>>;
}

/// A stored value that hookbox would not have written.
pub(super) fn bad_row(what: &str, why: impl std::fmt::Display) -> Error {
    Error::storage(StorageFault::BadRow, format!("{what}: {why}"))
}

fn present<T>(value: Option<T>, column: &str) -> Result<T> {
    value.ok_or_else(|| bad_row(column, "must not be NULL"))
}

pub(super) fn text<'a>(row: &'a impl SqlRow, column: &str) -> Result<&'a str> {
    present(row.text(column)?, column)
}

/// Reads a number that fits its type.
pub(super) fn number<T: TryFrom<i64>>(row: &impl SqlRow, column: &str) -> Result<T> {
    number_or_null(row, column).and_then(|value| present(value, column))
}

fn number_or_null<T: TryFrom<i64>>(row: &impl SqlRow, column: &str) -> Result<Option<T>> {
    let fitting = |value| T::try_from(value).map_err(|_| bad_row(column, "is out of range"));
    row.integer(column)?.map(fitting).transpose()
}

/// Reads a column and parses its text.
pub(super) fn parsed<T: FromStr<Err = Error>>(row: &impl SqlRow, column: &str) -> Result<T> {
    let parse = |text: &str| text.parse().map_err(|error| bad_row(column, error));
    text(row, column).and_then(parse)
}

/// Reads a column of JSON.
pub(super) fn json<T: DeserializeOwned>(row: &impl SqlRow, column: &str) -> Result<T> {
    serde_json::from_str(text(row, column)?).map_err(|error| bad_row(column, error))
}

/// Reads a text column as one of an enum's names, where it is not NULL.
pub(super) fn named_or_null<T: DeserializeOwned>(
    row: &impl SqlRow,
    column: &str,
) -> Result<Option<T>> {
    let Some(text) = row.text(column)? else {
        return Ok(None);
    };
    serde_json::from_value(serde_json::Value::String(text.to_owned()))
        .map(Some)
        .map_err(|error| bad_row(column, error))
}

fn named<T: DeserializeOwned>(row: &impl SqlRow, column: &str) -> Result<T> {
    present(named_or_null(row, column)?, column)
}

/// Writes a value as JSON.
pub(super) fn to_json<T: serde::Serialize>(value: &T) -> Result<String> {
    serde_json::to_string(value).map_err(|error| Error::Internal(error.to_string()))
}

pub(super) fn time(row: &impl SqlRow, column: &str) -> Result<Timestamp> {
    number(row, column).map(Timestamp::from_millis)
}

fn time_or_null(row: &impl SqlRow, column: &str) -> Result<Option<Timestamp>> {
    Ok(row.integer(column)?.map(Timestamp::from_millis))
}

pub(super) fn millis(at: Option<Timestamp>) -> Option<i64> {
    at.map(Timestamp::as_millis)
}

pub(super) fn mode(row: &impl SqlRow) -> Result<DeliveryMode> {
    row.flag("at_most_once").map(DeliveryMode::of)
}

pub(super) fn app(row: &impl SqlRow) -> Result<App> {
    Ok(App {
        id: parsed(row, "id")?,
        state: if row.flag("enabled")? {
            AppState::Enabled
        } else {
            AppState::Disabled
        },
        profile: json(row, "profile")?,
        created_at: time(row, "created_at")?,
    })
}

pub(super) fn key(row: &impl SqlRow) -> Result<StoredKey> {
    let sealed = row.bytes("sealed")?;
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

pub(super) fn api_key(row: &impl SqlRow) -> Result<StoredApiKey> {
    let app = row.text("app_id")?;
    let digest = row.bytes("digest")?.try_into();
    Ok(StoredApiKey {
        digest: digest.map_err(|_| bad_row("digest", "must have 32 bytes"))?,
        key: ApiKey {
            id: parsed(row, "id")?,
            name: text(row, "name")?.to_owned(),
            scope: app
                .map(|text| text.parse().map_err(|error| bad_row("app_id", error)))
                .transpose()?,
            read_only: row.flag("read_only")?,
            requests_per_second: number(row, "requests_per_second")?,
            created_at: time(row, "created_at")?,
            expires_at: time_or_null(row, "expires_at")?,
            revoked_at: time_or_null(row, "revoked_at")?,
            last_used_at: time_or_null(row, "last_used_at")?,
        },
    })
}

/// Needs the columns of `hookbox_webhook` and the two `last_http_code` ones of its state.
pub(super) fn webhook(row: &impl SqlRow) -> Result<StoredWebhook> {
    Ok(StoredWebhook {
        webhook: Webhook {
            id: parsed(row, "id")?,
            app_id: parsed(row, "app_id")?,
            url: named(row, "url")?,
            events: json(row, "events")?,
            verified: row.flag("verified")?,
            enabled: row.flag("enabled")?,
            description: text(row, "description")?.to_owned(),
            environment: named_or_null(row, "environment")?,
            overrides: json(row, "overrides")?,
            header_names: json(row, "header_names")?,
            has_basic_auth: row.flag("has_basic_auth")?,
            last_http_code: last_http_code(row)?,
            created_at: time(row, "created_at")?,
            updated_at: time(row, "updated_at")?,
            last_enabled_at: time_or_null(row, "last_enabled_at")?,
            last_disabled_at: time_or_null(row, "last_disabled_at")?,
        },
        sealed: row.bytes("sealed")?,
    })
}

fn class(row: &impl SqlRow) -> Result<Class> {
    let class = Class::from_index(number(row, "class")?);
    class.ok_or_else(|| bad_row("class", "is none of ours"))
}

fn last_http_code(row: &impl SqlRow) -> Result<Option<(u16, Timestamp)>> {
    let code = number_or_null(row, "last_http_code")?;
    Ok(code.zip(time_or_null(row, "last_http_code_at")?))
}

/// Needs the columns of `hookbox_webhook_state`.
pub(super) fn state(row: &impl SqlRow) -> Result<WebhookState> {
    Ok(WebhookState {
        webhook_no: number(row, "webhook_no")?,
        app_id: parsed(row, "app_id")?,
        cursor: number(row, "cursor")?,
        has_backlog: row.flag("has_backlog")?,
        ready: row.flag("ready")?,
        due_at: time_or_null(row, "due_at")?,
        class: class(row)?,
        health: json::<Health>(row, "health")?,
        last_http_code: last_http_code(row)?,
    })
}

/// The columns that [`batch`] reads, of `hookbox_batch b JOIN hookbox_webhook w`.
pub(super) const BATCH_COLUMNS: &str =
    "b.no, b.id, w.app_id, w.id AS webhook_id, b.parent_id, b.positions, b.at_most_once, b.status,
     b.end_reason, b.created_at, b.attempts, b.failures, b.window_start, b.due_at, b.fence,
     b.ended_at";

pub(super) fn batch(row: &impl SqlRow) -> Result<Batch> {
    let parent = row.text("parent_id")?;
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
        attempts: number(row, "attempts")?,
        failures: number(row, "failures")?,
        window_start: time_or_null(row, "window_start")?,
        due_at: time_or_null(row, "due_at")?,
        fence: number(row, "fence")?,
        ended_at: time_or_null(row, "ended_at")?,
    })
}

/// Needs the columns of `hookbox_attempt`, `batch_id` and `webhook_id`.
pub(super) fn attempt(row: &impl SqlRow) -> Result<Attempt> {
    let result = match number_or_null(row, "http_status")? {
        Some(status) => AttemptResult::Status(status),
        None => AttemptResult::Failure(named::<FailureKind>(row, "error")?),
    };
    Ok(Attempt {
        batch_id: parsed(row, "batch_id")?,
        webhook_id: parsed(row, "webhook_id")?,
        number: number(row, "number")?,
        started_at: time(row, "started_at")?,
        duration_ms: number(row, "duration_ms")?,
        result,
        excerpt: text(row, "excerpt")?.to_owned(),
    })
}
