//! What the reading methods of a storage take and give.

use serde::Serialize;

use crate::error::{Error, Result};
use crate::model::{
    ApiKey, AppId, BatchId, BatchStatus, Environment, EventType, Health, Timestamp, WebhookId,
};

/// Which part of a listing: at most `limit` rows, after the row a cursor names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageRequest {
    /// How many rows: 1 to 1000.
    limit: usize,
    /// The cursor that came with another page.
    cursor: Option<String>,
}

impl PageRequest {
    /// The first page of at most `limit` rows.
    ///
    /// # Errors
    /// [`Error::InvalidRequest`] unless `limit` is 1 to 1000.
    pub fn first(limit: usize) -> Result<Self> {
        if (1..=1000).contains(&limit) {
            Ok(Self {
                limit,
                cursor: None,
            })
        } else {
            Err(Error::invalid("limit", "must be 1 to 1000"))
        }
    }

    /// The page after the one that came with this cursor.
    #[must_use]
    pub fn after(mut self, cursor: Option<String>) -> Self {
        self.cursor = cursor;
        self
    }

    /// How many rows at most.
    #[must_use]
    pub const fn limit(&self) -> usize {
        self.limit
    }

    /// The cursor as a storage wrote it.
    #[must_use]
    pub fn cursor(&self) -> Option<&str> {
        self.cursor.as_deref()
    }

    /// The cursor as a number, for storages that write numbers.
    ///
    /// # Errors
    /// [`Error::InvalidRequest`] for a cursor that no storage wrote.
    pub fn cursor_number(&self) -> Result<Option<i64>> {
        self.cursor
            .as_deref()
            .map(|text| {
                text.parse()
                    .map_err(|_| Error::invalid("cursor", "is not one of ours"))
            })
            .transpose()
    }
}

impl Default for PageRequest {
    fn default() -> Self {
        Self {
            limit: 100,
            cursor: None,
        }
    }
}

/// One page of a listing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Page<T> {
    /// The rows.
    pub items: Vec<T>,
    /// For [`PageRequest::after`]; `None` on the last page.
    pub next_cursor: Option<String>,
}

impl<T> Page<T> {
    /// Builds a page from rows with their cursors, up to one more than its limit: that one says
    /// that there is a next page. For implementations of [`crate::storage::Storage`].
    #[must_use]
    pub fn from_rows(mut rows: Vec<(String, T)>, limit: usize) -> Self {
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next_cursor = rows
            .last()
            .filter(|_| more)
            .map(|(cursor, _)| cursor.clone());
        Self {
            items: rows.into_iter().map(|(_, item)| item).collect(),
            next_cursor,
        }
    }
}

/// An API key with the digest of its secret part.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredApiKey {
    /// The key.
    pub key: ApiKey,
    /// SHA-256 of its secret part.
    pub digest: [u8; 32],
}

/// A digest opens nothing, but it is nobody's business either.
impl std::fmt::Debug for StoredApiKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StoredApiKey")
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}

/// Which API keys.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ApiKeyFilter {
    /// Those for this app only, without those for every app.
    pub scope: Option<AppId>,
}

/// Which webhooks.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct WebhookFilter {
    /// By the operator's switch.
    pub enabled: Option<bool>,
    /// By environment.
    pub environment: Option<Environment>,
}

/// Which events.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EventFilter {
    /// By type.
    pub event_type: Option<EventType>,
}

/// Which batches.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BatchFilter {
    /// By webhook.
    pub webhook: Option<WebhookId>,
    /// By status.
    pub status: Option<BatchStatus>,
}

/// Which attempts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AttemptFilter {
    /// By webhook.
    pub webhook: Option<WebhookId>,
    /// By batch.
    pub batch: Option<BatchId>,
}

/// Where a webhook stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BacklogRow {
    /// The webhook.
    pub webhook_id: WebhookId,
    /// Its health.
    pub health: Health,
    /// Events owed that are in no batch yet; counted up to [`BacklogRow::COUNT_MAX`].
    pub events_owed: u64,
    /// When the oldest of them was emitted.
    pub oldest_owed_at: Option<Timestamp>,
    /// Batches by status: waiting, leased, parked and exhausted.
    pub batches: BatchCounts,
    /// When its next request is due, as far as it is known.
    pub next_due: Option<Timestamp>,
}

impl BacklogRow {
    /// Counting stops here: a backlog of millions must not make looking at it slow.
    pub const COUNT_MAX: u64 = 100_000;
}

/// How many unsettled batches a webhook has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct BatchCounts {
    /// For their next attempt.
    pub waiting: u64,
    /// Being sent.
    pub leased: u64,
    /// For re-activation.
    pub parked: u64,
    /// Given up, resendable.
    pub exhausted: u64,
}

/// Sizes of a storage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct StorageStats {
    /// The last log position given.
    pub last_position: i64,
    /// Bytes of the database.
    pub bytes: u64,
    /// Bytes of the write-ahead log, where there is one.
    pub wal_bytes: u64,
}
