//! Attempts.

use crate::error::Result;
use crate::model::{Attempt, AttemptResult};
use crate::storage::tables::{Numbered, OfWebhook};

use super::memory::NewAttempt;
use super::rows::{self, number};
use super::session::{Db, limit};

pub(super) fn insert(db: &Db<'_>, attempts: &[NewAttempt]) -> Result<()> {
    fn column<T>(attempts: &[NewAttempt], value: impl Fn(&NewAttempt) -> T) -> Vec<T> {
        attempts.iter().map(value).collect()
    }
    let status = |one: &NewAttempt| match one.attempt.result {
        AttemptResult::Status(status) => Some(i32::from(status)),
        AttemptResult::Failure(_) => None,
    };
    let error = |one: &NewAttempt| match one.attempt.result {
        AttemptResult::Status(_) => None,
        AttemptResult::Failure(kind) => Some(kind.as_str()),
    };
    let millis = |one: &NewAttempt| i64::try_from(one.attempt.duration_ms).unwrap_or(i64::MAX);
    db.execute(
        "INSERT INTO hookbox_attempt (batch_no, webhook_no, number, started_at, duration_ms,
             http_status, error, excerpt)
         SELECT batch_no, webhook_no, number, started_at, duration_ms, http_status, error, excerpt
         FROM unnest($1::BIGINT[], $2::BIGINT[], $3::BIGINT[], $4::BIGINT[], $5::BIGINT[],
             $6::INTEGER[], $7::TEXT[], $8::TEXT[]) WITH ORDINALITY
             AS v (batch_no, webhook_no, number, started_at, duration_ms, http_status, error,
                   excerpt, n)
         ORDER BY n",
        &[
            &column(attempts, |one| one.batch_no),
            &column(attempts, |one| one.webhook_no),
            &column(attempts, |one| i64::from(one.attempt.number)),
            &column(attempts, |one| one.attempt.started_at.as_millis()),
            &column(attempts, millis),
            &column(attempts, status),
            &column(attempts, error),
            &column(attempts, |one| storable(&one.attempt.excerpt)),
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
