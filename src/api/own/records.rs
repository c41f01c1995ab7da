//! Batches, attempts, the backlog, and doing again.

use serde::Serialize;

use crate::error::Error;
use crate::model::{Batch, BatchId, BatchStatus, Timestamp, WebhookId};
use crate::storage::{AttemptFilter, BatchFilter, WebhookFilter};

use super::super::Response;
use super::super::call::{Call, json};
use super::super::fault::Fault;
use super::super::fields::Fields;
use super::super::route::{BODY_BYTES_MAX, Needs, Route};
use super::super::views::{AttemptView, BacklogView, BatchStoryView, BatchView, Listing, Rfc3339};

pub(super) const ROUTES: &[Route] = &[
    Route::get("/hookbox/v1/apps/{app}/batches", Needs::Read, batches),
    Route::get("/hookbox/v1/apps/{app}/batches/{batch}", Needs::Read, batch),
    Route::get(
        "/hookbox/v1/apps/{app}/batches/{batch}/explain",
        Needs::Read,
        explain,
    ),
    Route::post(
        "/hookbox/v1/apps/{app}/batches/{batch}/resend",
        Needs::Write,
        resend,
    ),
    Route::post(
        "/hookbox/v1/apps/{app}/batches/{batch}/cancel",
        Needs::Write,
        cancel,
    ),
    Route::get("/hookbox/v1/apps/{app}/attempts", Needs::Read, attempts),
    Route::get("/hookbox/v1/apps/{app}/backlog", Needs::Read, backlogs),
    Route::get(
        "/hookbox/v1/apps/{app}/webhooks/{webhook}/backlog",
        Needs::Read,
        backlog,
    ),
    Route::post(
        "/hookbox/v1/apps/{app}/webhooks/{webhook}/replay",
        Needs::Write,
        replay,
    )
    .with_body(BODY_BYTES_MAX),
];

fn batches(call: &Call<'_>) -> Result<Response, Fault> {
    let mut query = call.query();
    let statuses = BatchStatus::ALL.map(|status| (status.as_str(), status));
    let filter = BatchFilter {
        webhook: query.parsed("webhook", WebhookId::parse),
        status: query.one_of("status", &statuses),
    };
    let page = query.page()?;
    let page = call.hooks.batches(call.param("app"), filter, page)?;
    let views = page.items.iter().map(BatchView::new).collect();
    json(200, &Listing::new(views, page.next_cursor))
}

/// The batch in the path, if it is the app's.
fn batch_of(call: &Call<'_>) -> Result<Batch, Fault> {
    let app = call.hooks.app(call.param("app"))?;
    let batch = call.hooks.batch(&call.batch_id()?)?;
    if batch.app_id != app.id {
        return Err(Error::BatchNotFound(batch.id).into());
    }
    Ok(batch)
}

fn batch(call: &Call<'_>) -> Result<Response, Fault> {
    json(200, &BatchView::new(&batch_of(call)?))
}

fn explain(call: &Call<'_>) -> Result<Response, Fault> {
    let batch = batch_of(call)?;
    let story = call.hooks.explain_batch(&batch.id)?;
    json(200, &BatchStoryView::new(&story))
}

fn resend(call: &Call<'_>) -> Result<Response, Fault> {
    let id = batch_of(call)?.id;
    let batch = call.hooks.resend(call.param("app"), &id)?;
    json(200, &BatchView::new(&batch))
}

fn cancel(call: &Call<'_>) -> Result<Response, Fault> {
    let id = batch_of(call)?.id;
    let batch = call.hooks.cancel(call.param("app"), &id)?;
    json(200, &BatchView::new(&batch))
}

fn attempts(call: &Call<'_>) -> Result<Response, Fault> {
    let mut query = call.query();
    let filter = AttemptFilter {
        webhook: query.parsed("webhook", WebhookId::parse),
        batch: query.parsed("batch", BatchId::parse),
    };
    let page = query.page()?;
    let page = call.hooks.attempts(call.param("app"), filter, page)?;
    let views = page.items.iter().map(AttemptView::new).collect();
    json(200, &Listing::new(views, page.next_cursor))
}

/// Where each webhook stands, in order of registration.
fn backlogs(call: &Call<'_>) -> Result<Response, Fault> {
    let app = call.param("app");
    let page = call.query().page()?;
    let page = call.hooks.webhooks(app, WebhookFilter::default(), page)?;
    let mut views = Vec::new();
    for webhook in &page.items {
        match call.hooks.backlog(app, &webhook.id) {
            Ok(row) => views.push(BacklogView::new(webhook, &row)),
            // Deleted since it was listed.
            Err(Error::WebhookNotFound(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    json(200, &Listing::new(views, page.next_cursor))
}

fn backlog(call: &Call<'_>) -> Result<Response, Fault> {
    let app = call.hooks.app(call.param("app"))?;
    let id = call.webhook_id("webhook")?;
    let webhook = call.hooks.webhook(app.id.as_str(), &id)?;
    let row = call.hooks.backlog(app.id.as_str(), &id)?;
    json(200, &BacklogView::new(&webhook, &row))
}

#[derive(Serialize)]
struct Replayed {
    positions: u64,
    since: Rfc3339,
}

fn replay(call: &Call<'_>) -> Result<Response, Fault> {
    let app = call.hooks.app(call.param("app"))?;
    let id = call.webhook_id("webhook")?;
    let mut fields = Fields::parse(&call.request.body)?;
    let since = fields.required::<String>("since", "must be a string");
    let since = since.and_then(|text| fields.parsed("since", text.parse::<Timestamp>()));
    let Some(since) = since else {
        return Err(fields.fault());
    };
    let positions = call.hooks.replay(app.id.as_str(), &id, since)?;
    json(
        200,
        &Replayed {
            positions,
            since: Rfc3339(since),
        },
    )
}
