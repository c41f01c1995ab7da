//! Giving positions to what has committed.
//!
//! Numbers of `hookbox_event` are taken before the commit, so a lower one may appear after a higher
//! one. Routing reads on from the last number seen, and notes the holes between those it finds as
//! gaps: numbers of transactions that have not committed, or never will. Later it looks there
//! again. So nobody waits for a transaction that stays open, and its events get their positions, at
//! the end of the log, when it has committed. Who holds the lock 'routing' does this, one at a time.

use crate::error::Result;
use crate::model::Position;
use crate::storage::tables::Unrouted;

use super::marks::Marks;
use super::rows::{number, text};
use super::session::{Db, limit};
use super::state;

/// Gaps younger than this are looked at each time: most transactions are short.
const YOUNG_MS: i64 = 2_000;

/// The older ones are looked at when nothing new has come, and while it comes, this often.
const LOOK_EVERY_MS: i64 = 1_000;

/// A gap's horizon is noted at this age. A transaction takes a number a moment before it is counted
/// among the running ones; by now it has been.
const SETTLED_MS: i64 = 60_000;

/// Rows given positions at once by who must have them all.
const SLICE: usize = 20_000;

/// How far routing is, with the server's clock and which transactions are running.
#[derive(Debug)]
struct Head {
    seen: i64,
    last: Position,
    routed: Position,
    gaps_seen_at: i64,
    now: i64,
    /// Every transaction before this number has ended.
    ended_before: i64,
    /// No transaction has this number yet.
    next: i64,
}

/// Locks the log for who changes what is owed, and gives positions to all that has committed.
pub(super) fn lock_log(db: &Db<'_>, marks: &Marks) -> Result<()> {
    db.query(
        "SELECT 1 FROM hookbox_lock WHERE name = 'routing' FOR UPDATE",
        &[],
    )?;
    let mut head = lock_head(db)?;
    while give_positions(db, marks, &mut head, SLICE, true)? {}
    Ok(())
}

/// New log entries that no webhook has been told of. While somebody else is routing there are none.
pub(super) fn unrouted(db: &Db<'_>, marks: &Marks, max: usize) -> Result<Unrouted> {
    let todo = look(db)?;
    if todo.has_marks {
        state::mark_noted(db)?;
    }
    if !todo.has_work {
        return Ok(Unrouted::default());
    }
    let lock = "SELECT 1 FROM hookbox_lock WHERE name = 'routing' FOR UPDATE SKIP LOCKED";
    if db.row_or_none(lock, &[])?.is_none() {
        // Who routes may have looked before these came: look again when it is done.
        return Ok(Unrouted {
            more: todo.has_news,
            ..Unrouted::default()
        });
    }
    let mut head = lock_head(db)?;
    let more = give_positions(db, marks, &mut head, max, false)?;
    let until = head.last.min(head.routed.saturating_add(limit(max)));
    if until == head.routed {
        return Ok(Unrouted::default());
    }
    let found = db.query(
        "SELECT app_id, type, max(position) AS last FROM hookbox_log
         WHERE position > $1 AND position <= $2 GROUP BY app_id, type",
        &[&head.routed, &until],
    )?;
    let last = found.iter().map(|row| {
        let (app, event_type) = (text(row, "app_id")?, text(row, "type")?);
        Ok((app.to_owned(), event_type.to_owned(), number(row, "last")?))
    });
    Ok(Unrouted {
        last: last.collect::<Result<_>>()?,
        until: Some(until),
        more: more || until < head.last,
    })
}

/// What there is to do.
struct Look {
    /// Something to route, or gaps to look into.
    has_work: bool,
    /// Events beyond the last number seen.
    has_news: bool,
    /// Webhooks to be marked.
    has_marks: bool,
}

/// Looks only, so that an idle box writes nothing.
fn look(db: &Db<'_>) -> Result<Look> {
    let row = db.row(
        "SELECT h.last_position > h.routed_position
                 OR EXISTS (SELECT 1 FROM hookbox_gap) AS old,
             EXISTS (SELECT 1 FROM hookbox_event WHERE seq > h.seen_seq) AS news,
             EXISTS (SELECT 1 FROM hookbox_mark) AS marks
         FROM hookbox_log_head h WHERE h.no = 1",
        &[],
    )?;
    let has_news: bool = row.try_get("news")?;
    Ok(Look {
        has_work: has_news || row.try_get("old")?,
        has_news,
        has_marks: row.try_get("marks")?,
    })
}

/// Waits for those who hold the head to save what they have looked at; they hold it for a moment.
fn lock_head(db: &Db<'_>) -> Result<Head> {
    let row = db.row(
        "SELECT seen_seq, last_position, routed_position, gaps_seen_at FROM hookbox_log_head
         WHERE no = 1 FOR UPDATE",
        &[],
    )?;
    // By itself, and before anything is looked for: what has ended by now can be seen from now on.
    let running = db.row(
        "SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::BIGINT AS now,
                txid_snapshot_xmin(txid_current_snapshot()) AS ended_before,
                txid_snapshot_xmax(txid_current_snapshot()) AS next",
        &[],
    )?;
    Ok(Head {
        seen: number(&row, "seen_seq")?,
        last: number(&row, "last_position")?,
        routed: number(&row, "routed_position")?,
        gaps_seen_at: number(&row, "gaps_seen_at")?,
        now: number(&running, "now")?,
        ended_before: number(&running, "ended_before")?,
        next: number(&running, "next")?,
    })
}

/// Gives positions to at most about `max` events; whether there are more. The head is locked.
fn give_positions(
    db: &Db<'_>,
    marks: &Marks,
    head: &mut Head,
    max: usize,
    all: bool,
) -> Result<bool> {
    let before = head.last;
    let fresh = db.query(
        "INSERT INTO hookbox_log (position, event_seq, app_id, type, created_at, environment,
             at_most_once, bytes)
         SELECT $2 + row_number() OVER (ORDER BY seq), seq, app_id, type, created_at, environment,
             at_most_once, octet_length(payload)
         FROM (SELECT * FROM hookbox_event WHERE seq > $1 ORDER BY seq LIMIT $3) e
         ORDER BY seq
         RETURNING event_seq",
        &[&head.seen, &head.last, &limit(max)],
    )?;
    let fresh = seqs(&fresh)?;
    head.last += limit(fresh.len());
    let last_seen = fresh.last().copied().unwrap_or(head.seen);
    let sweeps =
        all || fresh.is_empty() || !(0..LOOK_EVERY_MS).contains(&(head.now - head.gaps_seen_at));
    let late = look_into_gaps(db, head, max, sweeps)?;
    head.last += limit(late.len());
    let found_all = late.len() < max;
    close_gaps(db, head, &late, sweeps && found_all)?;
    open_gaps(db, &holes(head.seen + 1, last_seen, &fresh), head.now, None)?;
    if sweeps {
        head.gaps_seen_at = head.now;
    }
    if head.last > before || sweeps {
        db.execute(
            "UPDATE hookbox_log_head SET seen_seq = $1, last_position = $2, gaps_seen_at = $3
             WHERE no = 1",
            &[&last_seen, &head.last, &head.gaps_seen_at],
        )?;
    }
    head.seen = last_seen;
    marks.routed(before, head.last);
    Ok(fresh.len() == max || !found_all)
}

/// Gives positions to what has appeared in gaps: the young ones, or all of them.
fn look_into_gaps(db: &Db<'_>, head: &Head, max: usize, all: bool) -> Result<Vec<i64>> {
    let young = if all { 0 } else { head.now - YOUNG_MS };
    let found = db.query(
        "INSERT INTO hookbox_log (position, event_seq, app_id, type, created_at, environment,
             at_most_once, bytes)
         SELECT $1 + row_number() OVER (ORDER BY e.seq), e.seq, e.app_id, e.type, e.created_at,
             e.environment, e.at_most_once, octet_length(e.payload)
         FROM hookbox_gap g CROSS JOIN LATERAL (
             SELECT * FROM hookbox_event WHERE seq BETWEEN g.first_seq AND g.last_seq
             ORDER BY seq LIMIT $3) e
         WHERE g.noted_at > $2
         ORDER BY e.seq LIMIT $3
         RETURNING event_seq",
        &[&head.last, &young, &limit(max)],
    )?;
    seqs(&found)
}

/// Takes what was found out of the gaps. When all of them were looked into: forgets those in which
/// nothing can appear any more, and notes the horizon of those that have come of age.
fn close_gaps(db: &Db<'_>, head: &Head, found: &[i64], looked_into_all: bool) -> Result<()> {
    if !found.is_empty() {
        let touched = db.query(
            "DELETE FROM hookbox_gap g WHERE g.first_seq IN (
                 SELECT (SELECT first_seq FROM hookbox_gap
                         WHERE first_seq <= s.seq ORDER BY first_seq DESC LIMIT 1)
                 FROM unnest($1::BIGINT[]) AS s (seq))
             RETURNING first_seq, last_seq, noted_at, horizon",
            &[&found],
        )?;
        for row in &touched {
            let left = holes(number(row, "first_seq")?, number(row, "last_seq")?, found);
            open_gaps(db, &left, number(row, "noted_at")?, row.try_get("horizon")?)?;
        }
    }
    if looked_into_all {
        let sql = "DELETE FROM hookbox_gap WHERE horizon <= $1";
        db.execute(sql, &[&head.ended_before])?;
        // A horizon that lies ahead was noted on another server, of which this one is a copy.
        db.execute(
            "UPDATE hookbox_gap SET horizon = $1
             WHERE horizon > $1 OR horizon IS NULL AND noted_at <= $2",
            &[&head.next, &(head.now - SETTLED_MS)],
        )?;
    }
    Ok(())
}

fn open_gaps(
    db: &Db<'_>,
    ranges: &[(i64, i64)],
    noted_at: i64,
    horizon: Option<i64>,
) -> Result<()> {
    if ranges.is_empty() {
        return Ok(());
    }
    let (first, last): (Vec<i64>, Vec<i64>) = ranges.iter().copied().unzip();
    db.execute(
        "INSERT INTO hookbox_gap (first_seq, last_seq, noted_at, horizon)
         SELECT first_seq, last_seq, $3::BIGINT, $4::BIGINT
         FROM unnest($1::BIGINT[], $2::BIGINT[]) AS r (first_seq, last_seq)",
        &[&first, &last, &noted_at, &horizon],
    )?;
    Ok(())
}

fn seqs(rows: &[postgres::Row]) -> Result<Vec<i64>> {
    let mut seqs = rows
        .iter()
        .map(|row| number(row, "event_seq"))
        .collect::<Result<Vec<i64>>>()?;
    seqs.sort_unstable();
    Ok(seqs)
}

/// The ranges of `first..=last` that the ascending numbers leave out.
fn holes(first: i64, last: i64, found: &[i64]) -> Vec<(i64, i64)> {
    let mut ranges = Vec::new();
    let mut next = first;
    for seq in found
        .iter()
        .copied()
        .filter(|seq| (first..=last).contains(seq))
    {
        if seq > next {
            ranges.push((next, seq - 1));
        }
        next = seq + 1;
    }
    if next <= last {
        ranges.push((next, last));
    }
    ranges
}

#[cfg(test)]
mod tests {
    use super::holes;

    #[test]
    fn holes_are_what_is_left_out() {
        for (first, last, found, expected) in [
            (1, 5, vec![], vec![(1, 5)]),
            (1, 5, vec![1, 2, 3, 4, 5], vec![]),
            (1, 5, vec![1, 5], vec![(2, 4)]),
            (1, 5, vec![3], vec![(1, 2), (4, 5)]),
            (3, 4, vec![1, 2, 5, 9], vec![(3, 4)]),
            (6, 5, vec![1, 5], vec![]),
            (7, 9, vec![8], vec![(7, 7), (9, 9)]),
        ] {
            assert_eq!(
                holes(first, last, &found),
                expected,
                "{first}..={last}: {found:?}"
            );
        }
    }
}
