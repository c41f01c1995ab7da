//! Pages in both directions, over a storage that reads in one.
//!
//! A cursor is `n` (the page after) or `b` (the page before) and a cursor of the storage's. Going back
//! counts from the start: it costs one read of a thousand webhooks for each thousand that come before.

use crate::model::Webhook;
use crate::storage::{Page, PageRequest};

use super::{Fault, Violation};

/// A page, and the way from it.
#[derive(Debug)]
pub(super) struct Found {
    pub webhooks: Vec<Webhook>,
    pub next_cursor: Option<String>,
    pub prev_cursor: Option<String>,
}

/// Reads a page of the storage's.
type Read<'a> = dyn Fn(PageRequest) -> Result<Page<Webhook>, Fault> + 'a;

/// Rows of the largest page that a storage reads.
const ROWS_MAX: usize = 1000;

/// Reads the page that a cursor names, or the first.
///
/// # Errors
/// 400 for a cursor that is none of ours; what `read` gives.
pub(super) fn read(read: &Read<'_>, cursor: Option<&str>, limit: usize) -> Result<Found, Fault> {
    let (start, limit) = match cursor.map(|text| text.split_at_checked(1)) {
        None => (None, limit),
        Some(Some(("n", after))) => (Some(after.to_owned()), limit),
        Some(Some(("b", before))) => page_before(read, before, limit)?,
        Some(_) => {
            let violation = Violation::new("cursor", "is not one of ours");
            return Err(Fault::invalid(vec![violation]));
        }
    };
    let page = read(PageRequest::first(limit)?.after(start.clone()))?;
    Ok(Found {
        webhooks: page.items,
        next_cursor: page.next_cursor.map(|cursor| format!("n{cursor}")),
        prev_cursor: start.map(|cursor| format!("b{cursor}")),
    })
}

/// The start and size of the page that ends where the one after `before` begins.
fn page_before(
    read: &Read<'_>,
    before: &str,
    limit: usize,
) -> Result<(Option<String>, usize), Fault> {
    let next = read(PageRequest::first(1)?.after(Some(before.to_owned())))?;
    let next = next.items.first().map(|webhook| webhook.id.clone());
    let (mut count, mut page) = (0, PageRequest::first(ROWS_MAX)?);
    loop {
        let found = read(page.clone())?;
        let place = found
            .items
            .iter()
            .position(|row| Some(&row.id) == next.as_ref());
        count += place.unwrap_or(found.items.len());
        if place.is_some() || found.next_cursor.is_none() {
            break;
        }
        page = page.after(found.next_cursor);
    }
    let mut skip = count.saturating_sub(limit);
    let mut start = None;
    while skip > 0 {
        let rows = skip.min(ROWS_MAX);
        start = read(PageRequest::first(rows)?.after(start))?.next_cursor;
        skip -= rows;
    }
    // At the start, no more than what comes before; a page has at least one row.
    Ok((start, limit.min(count).max(1)))
}
