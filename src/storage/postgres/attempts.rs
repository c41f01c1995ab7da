//! Attempts.

use crate::error::Result;
use crate::model::{Attempt, AttemptResult};
use crate::storage::tables::{Numbered, OfWebhook};

use super::rows::{self, number};
use super::session::{Db, limit};

pub(super) fn insert(db: &Db<'_>, batch_no: i64, webhook_no: i64, attempt: &Attempt) -> Result<()> {
    let (status, error) = match attempt.result {
        AttemptResult::Status(status) => (Some(i32::from(status)), None),
        AttemptResult::Failure(kind) => (None, Some(kind.as_str())),
    };
    db.execute(
        "INSERT INTO hookbox_attempt (batch_no, webhook_no, number, started_at, duration_ms,
             http_status, error, excerpt)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        &[
            &batch_no,
            &webhook_no,
            &i64::from(attempt.number),
            &attempt.started_at.as_millis(),
            &i64::try_from(attempt.duration_ms).unwrap_or(i64::MAX),
            &status,
            &error,
            &storable(&attempt.excerpt),
        ],
    )?;
    Ok(())
}

/// What a receiver answered may hold U+0000, which PostgreSQL cannot store: it must not hold up the
/// result.
fn storable(excerpt: &str) -> String {
    excerpt.replace('\0', "\u{FFFD}")
}

pub(super) fn list(
    db: &Db<'_>,
    of: OfWebhook<'_>,
    batch_no: Option<i64>,
    before: i64,
    max: usize,
) -> Result<Vec<Numbered<Attempt>>> {
    // The narrowest index that the filter allows.
    let condition = match (batch_no, of.webhook_no) {
        (Some(_), _) => "a.batch_no = $1 AND ($2::BIGINT IS NULL OR a.webhook_no = $2)",
        (None, Some(_)) => "$1::BIGINT IS NULL AND a.webhook_no = $2",
        (None, None) => "$1::BIGINT IS NULL AND $2::BIGINT IS NULL",
    };
    let found = db.query(
        &format!(
            "SELECT a.*, b.id AS batch_id, w.id AS webhook_id FROM hookbox_attempt a
             JOIN hookbox_batch b ON b.no = a.batch_no JOIN hookbox_webhook w ON w.no = a.webhook_no
             WHERE {condition} AND w.app_id = $3 AND a.no < $4 ORDER BY a.no DESC LIMIT $5"
        ),
        &[
            &batch_no,
            &of.webhook_no,
            &of.app.as_str(),
            &before,
            &limit(max),
        ],
    )?;
    let numbered = found.iter().map(|row| {
        Ok(Numbered {
            no: number(row, "no")?,
            row: rows::attempt(row)?,
        })
    });
    numbered.collect()
}
