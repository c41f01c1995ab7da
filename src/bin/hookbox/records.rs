//! Looking back and doing again: listings, `backlog`, `explain`, `resend`, `cancel`, `replay`.

use comfy_table::Table;
use hookbox::model::{Attempt, AttemptResult, Batch, BatchId, EventId, Timestamp, WebhookId};
use hookbox::storage::{AttemptFilter, BatchFilter, EventFilter, PageRequest};
use hookbox::{BatchStory, Hookbox};
use serde::Serialize;

use crate::args::{Global, ListArgs};
use crate::boxes;
use crate::failure::{Failure, Outcome};
use crate::output::{Output, cell, table, time};
use crate::views::{AttemptView, BacklogView, BatchView, EventView};
use crate::webhooks::{activity, all_of};

/// A filter that means nothing to a listing is refused rather than ignored.
fn refuse<T>(given: Option<&T>, flag: &str, listing: &str) -> Outcome {
    match given {
        Some(_) => Err(Failure::Usage(format!("{flag} is no filter of {listing}"))),
        None => Ok(()),
    }
}

fn request(args: &ListArgs) -> Outcome<PageRequest> {
    Ok(PageRequest::first(args.page.limit)?.after(args.page.cursor.clone()))
}

pub fn events(global: &Global, out: Output, args: ListArgs) -> Outcome {
    refuse(args.webhook.as_ref(), "--webhook", "events")?;
    refuse(args.batch.as_ref(), "--batch", "events")?;
    refuse(args.status.as_ref(), "--status", "events")?;
    let request = request(&args)?;
    let filter = EventFilter {
        event_type: args.event_type,
    };
    let page = boxes::read(global)?.events(&args.app, filter, request)?;
    let views: Vec<_> = page.items.iter().map(EventView::new).collect();
    out.page(&views, page.next_cursor.as_deref(), || {
        let mut rows = table(&["event", "type", "created", "payload"]);
        for event in &page.items {
            rows.add_row([
                event.id.to_string(),
                event.event_type.to_string(),
                event.created_at.to_string(),
                cell(&event.payload),
            ]);
        }
        rows
    })
}

pub fn batches(global: &Global, out: Output, args: ListArgs) -> Outcome {
    refuse(args.batch.as_ref(), "--batch", "batches")?;
    refuse(args.event_type.as_ref(), "--type", "batches")?;
    let request = request(&args)?;
    let filter = BatchFilter {
        webhook: args.webhook,
        status: args.status,
    };
    let page = boxes::read(global)?.batches(&args.app, filter, request)?;
    let views: Vec<_> = page.items.iter().map(BatchView::new).collect();
    out.page(&views, page.next_cursor.as_deref(), || {
        let mut rows = table(&[
            "batch",
            "webhook",
            "status",
            "events",
            "attempts",
            "due or ended",
        ]);
        for batch in &page.items {
            rows.add_row([
                batch.id.to_string(),
                batch.webhook_id.to_string(),
                batch.status.as_str().to_owned(),
                batch.positions.len().to_string(),
                batch.attempts.to_string(),
                time(batch.ended_at.or(batch.due_at)),
            ]);
        }
        rows
    })
}

pub fn attempts(global: &Global, out: Output, args: ListArgs) -> Outcome {
    refuse(args.status.as_ref(), "--status", "attempts")?;
    refuse(args.event_type.as_ref(), "--type", "attempts")?;
    let request = request(&args)?;
    let filter = AttemptFilter {
        webhook: args.webhook,
        batch: args.batch,
    };
    let page = boxes::read(global)?.attempts(&args.app, filter, request)?;
    let views: Vec<_> = page.items.iter().map(AttemptView::new).collect();
    out.page(&views, page.next_cursor.as_deref(), || {
        attempt_table(&page.items)
    })
}

pub fn attempt_table(attempts: &[Attempt]) -> Table {
    let mut rows = table(&["batch", "no", "started", "ms", "result", "answer"]);
    for attempt in attempts {
        let result = match attempt.result {
            AttemptResult::Status(status) => status.to_string(),
            AttemptResult::Failure(kind) => kind.as_str().to_owned(),
        };
        rows.add_row([
            attempt.batch_id.to_string(),
            attempt.number.to_string(),
            attempt.started_at.to_string(),
            attempt.duration_ms.to_string(),
            result,
            cell(&attempt.excerpt),
        ]);
    }
    rows
}

pub fn backlog(global: &Global, out: Output, app: &str) -> Outcome {
    let hooks = boxes::read(global)?;
    let webhooks = all_of(&hooks, app)?;
    let rows = webhooks
        .iter()
        .map(|webhook| hooks.backlog(app, &webhook.id));
    let rows = rows.collect::<hookbox::Result<Vec<_>>>()?;
    let pairs = || webhooks.iter().zip(&rows);
    let views: Vec<_> = pairs()
        .map(|(webhook, row)| BacklogView::new(webhook, row))
        .collect();
    out.page(&views, None, || {
        let heads = [
            "webhook",
            "active",
            "owed",
            "waiting",
            "leased",
            "parked",
            "exhausted",
            "failures",
            "next due",
        ];
        let mut shown = table(&heads);
        for (webhook, row) in pairs() {
            shown.add_row([
                webhook.id.to_string(),
                activity(webhook).to_owned(),
                row.events_owed.to_string(),
                row.batches.waiting.to_string(),
                row.batches.leased.to_string(),
                row.batches.parked.to_string(),
                row.batches.exhausted.to_string(),
                row.health.consecutive_failures.to_string(),
                time(row.next_due),
            ]);
        }
        shown
    })
}

#[derive(Serialize)]
struct StoryView<'a> {
    batch: BatchView<'a>,
    attempts: Vec<AttemptView<'a>>,
    sentences: &'a [String],
}

impl<'a> StoryView<'a> {
    fn new(story: &'a BatchStory) -> Self {
        Self {
            batch: BatchView::new(&story.batch),
            attempts: story.attempts.iter().map(AttemptView::new).collect(),
            sentences: &story.sentences,
        }
    }
}

#[derive(Serialize)]
struct EventStoryView<'a> {
    event: EventView<'a>,
    batches: Vec<StoryView<'a>>,
    sentences: &'a [String],
}

/// The id's prefix says what it names.
pub fn explain(global: &Global, out: Output, id: &str) -> Outcome {
    if id.starts_with("bat_") {
        let id = BatchId::parse(id)?;
        return explain_batch(&boxes::read(global)?, out, &id);
    }
    if !id.starts_with("evt_") {
        return Err(Failure::Usage(format!(
            "`{}` is neither evt_… nor bat_…",
            cell(id)
        )));
    }
    let id = EventId::parse(id)?;
    let story = boxes::read(global)?.explain_event(&id)?;
    let view = EventStoryView {
        event: EventView::new(&story.event),
        batches: story.batches.iter().map(StoryView::new).collect(),
        sentences: &story.sentences,
    };
    out.result(&view, || {
        let batches = story.batches.iter().flat_map(|batch| &batch.sentences);
        tell(story.sentences.iter().chain(batches))
    })
}

pub fn explain_batch(hooks: &Hookbox, out: Output, id: &BatchId) -> Outcome {
    let story = hooks.explain_batch(id)?;
    out.result(&StoryView::new(&story), || tell(story.sentences.iter()))
}

/// A sentence a line. They quote what endpoints answered.
fn tell<'a>(sentences: impl Iterator<Item = &'a String>) -> String {
    let lines: Vec<String> = sentences
        .map(|text| {
            text.chars()
                .map(|c| if c.is_control() { ' ' } else { c })
                .collect()
        })
        .collect();
    lines.join("\n")
}

pub fn resend(global: &Global, out: Output, app: &str, id: &BatchId) -> Outcome {
    show(out, &boxes::change(global)?.resend(app, id)?)
}

pub fn cancel(global: &Global, out: Output, app: &str, id: &BatchId) -> Outcome {
    show(out, &boxes::change(global)?.cancel(app, id)?)
}

fn show(out: Output, batch: &Batch) -> Outcome {
    out.result(&BatchView::new(batch), || {
        format!("Batch {} is {}.", batch.id, batch.status.as_str())
    })
}

#[derive(Serialize)]
struct Replayed {
    positions: u64,
    since: String,
}

pub fn replay(
    global: &Global,
    out: Output,
    app: &str,
    id: &WebhookId,
    since: Timestamp,
) -> Outcome {
    let positions = boxes::change(global)?.replay(app, id, since)?;
    out.result(
        &Replayed {
            positions,
            since: since.to_string(),
        },
        || format!("{positions} log positions since {since} will be looked at for {id}."),
    )
}
