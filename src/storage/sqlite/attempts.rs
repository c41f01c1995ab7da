//! Attempts.

use rusqlite::Connection;

use crate::error::Result;
use crate::model::{Attempt, AttemptResult};
use crate::storage::tables::{Numbered, OfWebhook};

use super::rows;

pub(super) fn insert(
    db: &Connection,
    batch_no: i64,
    webhook_no: i64,
    attempt: &Attempt,
) -> Result<()> {
    let (status, error) = match attempt.result {
        AttemptResult::Status(status) => (Some(status), None),
        AttemptResult::Failure(kind) => (None, Some(kind.as_str())),
    };
    db.prepare_cached(
        "INSERT INTO hookbox_attempt (batch_no, webhook_no, number, started_at, duration_ms,
             http_status, error, excerpt)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?
    .execute((
        batch_no,
        webhook_no,
        attempt.number,
        attempt.started_at.as_millis(),
        i64::try_from(attempt.duration_ms).unwrap_or(i64::MAX),
        status,
        error,
        &attempt.excerpt,
    ))?;
    Ok(())
}

pub(super) fn list(
    db: &Connection,
    of: OfWebhook<'_>,
    batch_no: Option<i64>,
    before: i64,
    limit: usize,
) -> Result<Vec<Numbered<Attempt>>> {
    // The narrowest index that the filter allows.
    let condition = match (batch_no, of.webhook_no) {
        (Some(_), _) => "a.batch_no = ?1 AND (?2 IS NULL OR a.webhook_no = ?2)",
        (None, Some(_)) => "?1 IS NULL AND a.webhook_no = ?2",
        (None, None) => "?1 IS NULL AND ?2 IS NULL",
    };
    let mut statement = db.prepare_cached(&format!(
        "SELECT a.*, b.id AS batch_id, w.id AS webhook_id FROM hookbox_attempt a
         JOIN hookbox_batch b ON b.no = a.batch_no JOIN hookbox_webhook w ON w.no = a.webhook_no
         WHERE {condition} AND w.app_id = ?3 AND a.no < ?4 ORDER BY a.no DESC LIMIT ?5"
    ))?;
    let mut found = statement.query((batch_no, of.webhook_no, of.app.as_str(), before, limit))?;
    let mut attempts = Vec::new();
    while let Some(row) = found.next()? {
        attempts.push(Numbered {
            no: row.get("no")?,
            row: rows::attempt(row)?,
        });
    }
    Ok(attempts)
}
