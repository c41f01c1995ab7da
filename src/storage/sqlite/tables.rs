//! [`Tables`] over one connection: which query is where.

use std::collections::BTreeSet;

use rusqlite::Connection;

use crate::error::Result;
use crate::machine::InFlight;
use crate::model::{
    ApiKey, ApiKeyId, App, AppId, AppState, Attempt, Batch, BatchId, BatchStatus, Class, Event,
    EventId, EventType, Ordering, Position, Positions, Timestamp, Webhook, WebhookId,
};
use crate::storage::tables::{
    BatchRow, Entry, Numbered, OfWebhook, OldBatch, Replay, Span, Subscription, Tables, Unrouted,
    WebhookState,
};
use crate::storage::{
    ApiKeyFilter, PreparedEvent, StoredApiKey, StoredKey, StoredWebhook, WebhookFilter,
};

use super::writer::nested;
use super::{api_keys, apps, attempts, batches, entries, log, ready, state, upkeep, webhooks};

/// The tables as a connection sees them in its transaction.
pub(super) struct SqliteTables<'a>(pub(super) &'a Connection);

impl Tables for SqliteTables<'_> {
    fn nested(&self, work: &mut dyn FnMut() -> Result<()>) -> Result<()> {
        nested(self.0, work)
    }

    fn registry_version(&self) -> Result<Option<i64>> {
        apps::registry_version(self.0).map(Some)
    }

    fn insert_app(&self, app: &App) -> Result<bool> {
        apps::insert(self.0, app)
    }

    fn app(&self, id: &AppId) -> Result<Option<App>> {
        apps::get(self.0, id)
    }

    fn app_state(&self, id: &AppId) -> Result<Option<AppState>> {
        apps::state(self.0, id)
    }

    fn app_version(&self, id: &AppId) -> Result<Option<i64>> {
        apps::version(self.0, id)
    }

    fn apps(&self, after: &str, limit: usize) -> Result<Vec<App>> {
        apps::list(self.0, after, limit)
    }

    fn set_app_state(&self, id: &AppId, state: AppState, ready: bool) -> Result<()> {
        apps::set_state(self.0, id, state, ready)
    }

    fn delete_of_app(&self, id: &AppId, limit: usize) -> Result<bool> {
        apps::delete_slice(self.0, id, limit)
    }

    fn event_types(&self) -> Result<Vec<EventType>> {
        apps::event_types(self.0)
    }

    fn has_event_type(&self, name: &EventType) -> Result<bool> {
        apps::has_event_type(self.0, name)
    }

    fn set_event_types(&self, types: &[EventType], replace: bool) -> Result<()> {
        apps::set_event_types(self.0, types, replace)
    }

    fn keys(&self, app: &AppId) -> Result<Vec<StoredKey>> {
        apps::keys(self.0, app)
    }

    fn replace_keys(&self, app: &AppId, keys: &[StoredKey]) -> Result<()> {
        apps::replace_keys(self.0, app, keys)
    }

    fn delete_expired_keys(&self, now: Timestamp) -> Result<()> {
        apps::delete_expired_keys(self.0, now)
    }

    fn insert_api_key(&self, key: &StoredApiKey) -> Result<()> {
        api_keys::insert(self.0, key)
    }

    fn api_key(&self, id: &ApiKeyId) -> Result<Option<StoredApiKey>> {
        api_keys::get(self.0, id)
    }

    fn api_keys(&self, filter: &ApiKeyFilter, after: &str, limit: usize) -> Result<Vec<ApiKey>> {
        api_keys::list(self.0, filter, after, limit)
    }

    fn revoke_api_key(&self, id: &ApiKeyId, at: Timestamp) -> Result<()> {
        api_keys::revoke(self.0, id, at)
    }

    fn note_api_key_use(&self, id: &ApiKeyId, at: Timestamp) -> Result<()> {
        api_keys::note_use(self.0, id, at)
    }

    fn insert_webhook(&self, webhook: &StoredWebhook, cursor: Position) -> Result<i64> {
        webhooks::insert(self.0, webhook, cursor)
    }

    fn webhook_no(&self, app: &AppId, id: &WebhookId) -> Result<Option<i64>> {
        webhooks::number(self.0, app, id)
    }

    fn webhook(&self, no: i64) -> Result<StoredWebhook> {
        webhooks::get(self.0, no)
    }

    fn webhook_version(&self, no: i64) -> Result<i64> {
        webhooks::version(self.0, no)
    }

    fn webhooks(
        &self,
        app: &AppId,
        filter: &WebhookFilter,
        after: i64,
        limit: usize,
    ) -> Result<Vec<Numbered<Webhook>>> {
        webhooks::list(self.0, app, filter, after, limit)
    }

    fn update_webhook(&self, no: i64, webhook: &StoredWebhook) -> Result<()> {
        webhooks::update(self.0, no, webhook)
    }

    fn delete_webhook(&self, no: i64) -> Result<()> {
        webhooks::delete(self.0, no)
    }

    fn subscriptions(&self, webhook_no: i64) -> Result<Vec<Subscription>> {
        webhooks::subscriptions(self.0, webhook_no)
    }

    fn replace_subscriptions(
        &self,
        app: &AppId,
        webhook_no: i64,
        subscriptions: &[Subscription],
    ) -> Result<()> {
        webhooks::replace_subscriptions(self.0, app, webhook_no, subscriptions)
    }

    fn delete_passed_subscriptions(&self) -> Result<()> {
        webhooks::delete_passed_subscriptions(self.0)
    }

    fn awaited_by(&self, event: &Event, limit: usize) -> Result<Vec<WebhookId>> {
        webhooks::awaited_by(self.0, event, limit)
    }

    fn state(&self, webhook_no: i64) -> Result<WebhookState> {
        state::load(self.0, webhook_no)
    }

    fn save_state(&self, state: &WebhookState) -> Result<()> {
        state::save(self.0, state)
    }

    fn look_later(&self, webhook_no: i64, at: Timestamp) -> Result<()> {
        state::look_later(self.0, webhook_no, at)
    }

    fn mark_backlog(
        &self,
        app: &str,
        event_type: &str,
        last: Position,
        now: Timestamp,
    ) -> Result<()> {
        state::mark_backlog(self.0, app, event_type, last, now)
    }

    fn wake_timers(&self, now: Option<Timestamp>, limit: usize) -> Result<usize> {
        ready::wake_timers(self.0, now, limit)
    }

    fn next_timer(&self) -> Result<Option<Timestamp>> {
        ready::next_timer(self.0)
    }

    fn ready_apps(&self, class: Class, limit: usize, start: &str) -> Result<Vec<String>> {
        ready::apps(self.0, class, limit, start)
    }

    fn ready_webhooks(&self, class: Class, app: &str, limit: usize) -> Result<Vec<i64>> {
        ready::webhooks(self.0, class, app, limit)
    }

    fn replay(&self, webhook_no: i64) -> Result<Option<Replay>> {
        state::replay(self.0, webhook_no)
    }

    fn insert_replay(&self, webhook_no: i64, cursor: Position, until: Position) -> Result<()> {
        state::insert_replay(self.0, webhook_no, cursor, until)
    }

    fn save_replay(&self, _webhook_no: i64, replay: Replay) -> Result<()> {
        state::save_replay(self.0, replay)
    }

    fn append(&self, app: &AppId, events: &[PreparedEvent]) -> Result<Vec<EventId>> {
        log::append(self.0, app, events)
    }

    fn head(&self) -> Result<Position> {
        log::head(self.0)
    }

    fn unrouted(&self, limit: usize) -> Result<Unrouted> {
        log::unrouted(self.0, limit)
    }

    fn set_routed(&self, until: Position) -> Result<()> {
        log::set_routed(self.0, until)
    }

    fn routed(&self) -> Result<Position> {
        log::routed(self.0)
    }

    fn types_of(&self, app: &AppId) -> Result<Vec<String>> {
        entries::types_of(self.0, app)
    }

    fn entries(&self, app: &AppId, spans: &[Span], limit: usize) -> Result<Vec<Entry>> {
        entries::merge(self.0, app, spans, limit)
    }

    fn count_entries(
        &self,
        app: &AppId,
        span: &Span,
        limit: u64,
    ) -> Result<(u64, Option<Position>)> {
        entries::count(self.0, app, span, limit)
    }

    fn count_positions(&self, positions: &Positions) -> Result<usize> {
        log::count(self.0, positions)
    }

    fn events_at(&self, positions: &Positions) -> Result<Vec<Event>> {
        log::read(self.0, positions)
    }

    fn first_event_after(&self, position: Position) -> Result<Option<(Position, Timestamp)>> {
        let found = log::after(self.0, position, Position::MAX, 1)?;
        Ok(found.first().copied())
    }

    fn event(&self, id: &EventId) -> Result<Option<Event>> {
        log::event(self.0, id)
    }

    fn events(
        &self,
        app: &AppId,
        event_type: Option<&EventType>,
        before: Position,
        limit: usize,
    ) -> Result<Vec<Event>> {
        log::list(self.0, app, event_type, before, limit)
    }

    fn insert_batch(&self, webhook_no: i64, batch: &Batch) -> Result<i64> {
        batches::insert(self.0, webhook_no, batch)
    }

    fn update_batch(&self, row: &BatchRow) -> Result<()> {
        batches::update(self.0, row)
    }

    fn batch(&self, id: &BatchId) -> Result<Option<BatchRow>> {
        batches::find(self.0, id)
    }

    fn in_flight(&self, webhook_no: i64) -> Result<InFlight> {
        batches::in_flight(self.0, webhook_no)
    }

    fn unsettled(
        &self,
        webhook_no: i64,
        status: BatchStatus,
        order: Ordering,
        limit: usize,
    ) -> Result<Vec<BatchRow>> {
        batches::unsettled(self.0, webhook_no, status, order, limit)
    }

    fn earliest(
        &self,
        webhook_no: i64,
        status: BatchStatus,
        order: Ordering,
    ) -> Result<Option<Timestamp>> {
        batches::earliest(self.0, webhook_no, status, order)
    }

    fn bring_near(&self, webhook_no: i64, far: Timestamp, now: Timestamp) -> Result<()> {
        batches::bring_near(self.0, webhook_no, far, now)
    }

    fn count_unsettled(&self, webhook_no: i64, status: BatchStatus) -> Result<u64> {
        batches::count_unsettled(self.0, webhook_no, status)
    }

    fn batches(
        &self,
        of: OfWebhook<'_>,
        status: Option<BatchStatus>,
        before: i64,
        limit: usize,
    ) -> Result<Vec<BatchRow>> {
        batches::list(self.0, of, status, before, limit)
    }

    fn batches_holding(&self, app: &AppId, position: Position) -> Result<Vec<Batch>> {
        batches::holding(self.0, app, position)
    }

    fn insert_attempt(&self, batch_no: i64, webhook_no: i64, attempt: &Attempt) -> Result<()> {
        attempts::insert(self.0, batch_no, webhook_no, attempt)
    }

    fn attempts(
        &self,
        of: OfWebhook<'_>,
        batch_no: Option<i64>,
        before: i64,
        limit: usize,
    ) -> Result<Vec<Numbered<Attempt>>> {
        attempts::list(self.0, of, batch_no, before, limit)
    }

    fn batches_after(&self, no: i64, limit: usize) -> Result<Vec<OldBatch>> {
        upkeep::batches_after(self.0, no, limit)
    }

    fn delete_batch(&self, no: i64) -> Result<()> {
        upkeep::delete_batch(self.0, no)
    }

    fn events_after(
        &self,
        position: Position,
        until: Position,
        limit: usize,
    ) -> Result<Vec<(Position, Timestamp)>> {
        log::after(self.0, position, until, limit)
    }

    fn still_owed(&self, first: Position, last: Position) -> Result<BTreeSet<Position>> {
        upkeep::still_owed(self.0, first, last)
    }

    fn delete_events(&self, first: Position, last: Position) -> Result<()> {
        upkeep::delete_events(self.0, first, last)
    }

    fn contradictions(&self) -> Result<Vec<String>> {
        upkeep::contradictions(self.0)
    }
}
