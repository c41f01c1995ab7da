//! Carving: taking the next events owed to a webhook out of the log, as one frozen batch.

use crate::error::Result;
use crate::machine::Carver;
use crate::model::{
    AppId, DeliveryMode, DeliveryPolicy, Events, Position, Positions, Timestamp, Webhook,
};
use crate::storage::tables::{Span, Subscription, Tables};

use super::cache::Subject;
use super::exchange::Exchange;

/// Entries looked at for one batch; those of other environments are passed over.
const ENTRIES_MAX: usize = 10_000;

/// What was carved, and up to where everything owed is taken now.
pub(super) struct Carved {
    pub(super) batch: Option<(Positions, DeliveryMode)>,
    pub(super) cursor: Position,
    /// Whether there may be more after the cursor: the batch is as large as it can be.
    pub(super) more: bool,
}

/// Carves what the webhook's subscriptions owe it after `cursor`.
pub(super) fn carve_owed(
    exchange: &Exchange<'_>,
    subject: &Subject,
    cursor: Position,
) -> Result<Carved> {
    let (tables, head) = (exchange.tables, exchange.head()?);
    let app = &subject.app.id;
    let spans = owed_spans(tables, &subject.subscriptions, app, cursor, head)?;
    carve(tables, app, spans, cursor, head, &subject.policy)
}

/// Carves what a replay owes after `cursor`: every type and the environment of the webhook as it
/// is subscribed now.
pub(super) fn carve_replay(
    tables: &dyn Tables,
    webhook: &Webhook,
    cursor: Position,
    until: Position,
    policy: &DeliveryPolicy,
) -> Result<Carved> {
    let types = match &webhook.events {
        Events::All => tables.types_of(&webhook.app_id)?,
        Events::Only(types) => types.iter().map(ToString::to_string).collect(),
    };
    let span_of = |event_type| Span {
        event_type,
        from: cursor,
        until,
        environment: webhook.environment.clone(),
    };
    let spans = types.into_iter().map(span_of).collect();
    carve(tables, &webhook.app_id, spans, cursor, until, policy)
}

/// How many events a webhook is owed that are in no batch, up to a limit, and when the first of
/// them was emitted.
pub(super) fn count_owed(
    tables: &dyn Tables,
    webhook_no: i64,
    app: &AppId,
    cursor: Position,
    limit: u64,
) -> Result<(u64, Option<Timestamp>)> {
    let head = tables.head()?;
    let (mut count, mut oldest) = (0, None::<Position>);
    let subscriptions = tables.subscriptions(webhook_no)?;
    for span in owed_spans(tables, &subscriptions, app, cursor, head)? {
        let (number, first) = tables.count_entries(app, &span, limit)?;
        count += number;
        oldest = [oldest, first].into_iter().flatten().min();
    }
    let since = match oldest {
        Some(position) => tables.first_event_after(position - 1)?.map(|(_, at)| at),
        None => None,
    };
    Ok((count.min(limit), since))
}

/// The spans of a webhook's subscriptions that lie after its cursor; those for all types are
/// spelled out.
fn owed_spans(
    tables: &dyn Tables,
    subscriptions: &[Subscription],
    app: &AppId,
    cursor: Position,
    head: Position,
) -> Result<Vec<Span>> {
    let mut spans = Vec::new();
    for held in subscriptions {
        let (from, until) = (held.from.max(cursor), held.until.unwrap_or(head));
        if until <= from {
            continue;
        }
        let types = if held.event_type == Subscription::ALL_TYPES {
            tables.types_of(app)?
        } else {
            vec![held.event_type.clone()]
        };
        for event_type in types {
            spans.push(Span {
                event_type,
                from,
                until,
                environment: held.environment.clone(),
            });
        }
    }
    Ok(spans)
}

/// Fills one batch from the spans, in order of position.
fn carve(
    tables: &dyn Tables,
    app: &AppId,
    mut spans: Vec<Span>,
    cursor: Position,
    head: Position,
    policy: &DeliveryPolicy,
) -> Result<Carved> {
    // One more than fits says that there is more.
    let chunk = usize::try_from(policy.batch_events_max).map_or(ENTRIES_MAX, |max| max + 1);
    let mut carver = Carver::new(policy);
    let mut taken = cursor;
    let mut looked_at = 0;
    let more = 'carving: loop {
        let entries = tables.entries(app, &spans, chunk)?;
        let was_last = entries.len() < chunk;
        for entry in entries {
            looked_at += 1;
            // Spans do not overlap, unless somebody spoiled them: no position is taken twice.
            if entry.position <= taken {
                continue;
            }
            if looked_at > ENTRIES_MAX
                || (entry.matches && !carver.offer(entry.position, entry.bytes, entry.mode))
            {
                break 'carving true;
            }
            taken = entry.position;
            if carver.is_full() {
                break 'carving true;
            }
        }
        if was_last {
            break false;
        }
        for span in &mut spans {
            span.from = span.from.max(taken);
        }
        spans.retain(|span| span.until > span.from);
    };
    Ok(Carved {
        batch: carver.finish(),
        cursor: if more { taken } else { head },
        more,
    })
}
