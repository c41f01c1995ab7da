//! [`Tables`] over one transaction of a store: which query is where.

use std::collections::BTreeSet;

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

use super::session::KvTables;
use super::{api_keys, apps, batches, check, entries, log, retention, state, webhooks};

impl Tables for KvTables<'_> {
    fn nested(&self, work: &mut dyn FnMut() -> Result<()>) -> Result<()> {
        let mut result = Ok(());
        self.part(&mut || {
            result = work();
            result.is_ok()
        })?;
        result
    }

    fn insert_app(&self, app: &App) -> Result<bool> {
        apps::insert(self, app)
    }

    fn app(&self, id: &AppId) -> Result<Option<App>> {
        apps::get(self, id)
    }

    fn app_state(&self, id: &AppId) -> Result<Option<AppState>> {
        Ok(apps::head(self, id)?.map(|head| head.state))
    }

    fn app_version(&self, id: &AppId) -> Result<Option<i64>> {
        Ok(apps::head(self, id)?.map(|head| head.version))
    }

    fn apps(&self, after: &str, limit: usize) -> Result<Vec<App>> {
        apps::list(self, after, limit)
    }

    fn set_app_state(&self, id: &AppId, state: AppState, ready: bool) -> Result<()> {
        apps::set_state(self, id, state, ready)
    }

    fn delete_of_app(&self, id: &AppId, limit: usize) -> Result<bool> {
        apps::delete_slice(self, id, limit)
    }

    fn event_types(&self) -> Result<Vec<EventType>> {
        apps::event_types(self)
    }

    fn has_event_type(&self, name: &EventType) -> Result<bool> {
        apps::has_event_type(self, name)
    }

    fn set_event_types(&self, types: &[EventType], replace: bool) -> Result<()> {
        apps::set_event_types(self, types, replace)
    }

    fn keys(&self, app: &AppId) -> Result<Vec<StoredKey>> {
        apps::keys(self, app)
    }

    fn replace_keys(&self, app: &AppId, keys: &[StoredKey]) -> Result<()> {
        apps::replace_keys(self, app, keys)
    }

    fn delete_expired_keys(&self, now: Timestamp) -> Result<()> {
        apps::delete_expired_keys(self, now)
    }

    fn insert_api_key(&self, key: &StoredApiKey) -> Result<()> {
        api_keys::insert(self, key)
    }

    fn api_key(&self, id: &ApiKeyId) -> Result<Option<StoredApiKey>> {
        api_keys::get(self, id)
    }

    fn api_keys(&self, filter: &ApiKeyFilter, after: &str, limit: usize) -> Result<Vec<ApiKey>> {
        api_keys::list(self, filter, after, limit)
    }

    fn revoke_api_key(&self, id: &ApiKeyId, at: Timestamp) -> Result<()> {
        api_keys::revoke(self, id, at)
    }

    fn note_api_key_use(&self, id: &ApiKeyId, at: Timestamp) -> Result<()> {
        api_keys::note_use(self, id, at)
    }

    fn insert_webhook(&self, webhook: &StoredWebhook, cursor: Position) -> Result<i64> {
        webhooks::insert(self, webhook, cursor)
    }

    fn webhook_no(&self, app: &AppId, id: &WebhookId) -> Result<Option<i64>> {
        webhooks::number(self, app, id)
    }

    fn webhook(&self, no: i64) -> Result<StoredWebhook> {
        webhooks::get(self, no)
    }

    fn webhook_version(&self, no: i64) -> Result<i64> {
        webhooks::version(self, no)
    }

    fn webhooks(
        &self,
        app: &AppId,
        filter: &WebhookFilter,
        after: i64,
        limit: usize,
    ) -> Result<Vec<Numbered<Webhook>>> {
        webhooks::list(self, app, filter, after, limit)
    }

    fn update_webhook(&self, no: i64, webhook: &StoredWebhook) -> Result<()> {
        webhooks::update(self, no, webhook)
    }

    fn delete_webhook(&self, no: i64) -> Result<()> {
        webhooks::delete(self, no)
    }

    fn subscriptions(&self, webhook_no: i64) -> Result<Vec<Subscription>> {
        webhooks::subscriptions(self, webhook_no)
    }

    fn replace_subscriptions(
        &self,
        app: &AppId,
        webhook_no: i64,
        subscriptions: &[Subscription],
    ) -> Result<()> {
        webhooks::replace_subscriptions(self, app, webhook_no, subscriptions)
    }

    fn delete_passed_subscriptions(&self) -> Result<()> {
        webhooks::delete_passed_subscriptions(self)
    }

    fn awaited_by(&self, event: &Event, limit: usize) -> Result<Vec<WebhookId>> {
        webhooks::awaited_by(self, event, limit)
    }

    fn state(&self, webhook_no: i64) -> Result<WebhookState> {
        state::load(self, webhook_no)
    }

    fn save_state(&self, state: &WebhookState) -> Result<()> {
        state::save(self, state)
    }

    fn look_later(&self, webhook_no: i64, at: Timestamp) -> Result<()> {
        state::look_later(self, webhook_no, at)
    }

    fn mark_backlog(
        &self,
        app: &str,
        event_type: &str,
        last: Position,
        now: Timestamp,
    ) -> Result<()> {
        state::mark_backlog(self, app, event_type, last, now)
    }

    fn wake_timers(&self, now: Option<Timestamp>, limit: usize) -> Result<usize> {
        state::wake_timers(self, now, limit)
    }

    fn next_timer(&self) -> Result<Option<Timestamp>> {
        state::next_timer(self)
    }

    fn ready_apps(&self, class: Class, limit: usize, start: &str) -> Result<Vec<String>> {
        state::ready_apps(self, class, limit, start)
    }

    fn ready_webhooks(&self, class: Class, app: &str, limit: usize) -> Result<Vec<i64>> {
        state::ready_webhooks(self, class, app, limit)
    }

    fn replay(&self, webhook_no: i64) -> Result<Option<Replay>> {
        state::replay(self, webhook_no)
    }

    fn insert_replay(&self, webhook_no: i64, cursor: Position, until: Position) -> Result<()> {
        state::insert_replay(self, webhook_no, cursor, until)
    }

    fn save_replay(&self, webhook_no: i64, replay: Replay) -> Result<()> {
        state::save_replay(self, webhook_no, replay)
    }

    fn append(&self, app: &AppId, events: &[PreparedEvent]) -> Result<Vec<EventId>> {
        log::append(self, app, events)
    }

    fn head(&self) -> Result<Position> {
        log::head(self)
    }

    fn unrouted(&self, limit: usize) -> Result<Unrouted> {
        log::unrouted(self, limit)
    }

    fn set_routed(&self, until: Position) -> Result<()> {
        self.set("routed", until)
    }

    fn routed(&self) -> Result<Position> {
        self.setting("routed")
    }

    fn types_of(&self, app: &AppId) -> Result<Vec<String>> {
        entries::types_of(self, app.as_str())
    }

    fn entries(&self, app: &AppId, spans: &[Span], limit: usize) -> Result<Vec<Entry>> {
        entries::merge(self, app, spans, limit)
    }

    fn count_entries(
        &self,
        app: &AppId,
        span: &Span,
        limit: u64,
    ) -> Result<(u64, Option<Position>)> {
        entries::count(self, app, span, limit)
    }

    fn count_positions(&self, positions: &Positions) -> Result<usize> {
        log::count(self, positions)
    }

    fn events_at(&self, positions: &Positions) -> Result<Vec<Event>> {
        log::read(self, positions)
    }

    fn first_event_after(&self, position: Position) -> Result<Option<(Position, Timestamp)>> {
        let found = log::after(self, position, Position::MAX, 1)?;
        Ok(found.first().copied())
    }

    fn event(&self, id: &EventId) -> Result<Option<Event>> {
        log::find(self, id)
    }

    fn events(
        &self,
        app: &AppId,
        event_type: Option<&EventType>,
        before: Position,
        limit: usize,
    ) -> Result<Vec<Event>> {
        log::list(self, app, event_type, before, limit)
    }

    fn insert_batch(&self, webhook_no: i64, batch: &Batch) -> Result<i64> {
        batches::insert(self, webhook_no, batch)
    }

    fn update_batch(&self, row: &BatchRow) -> Result<()> {
        batches::update(self, row)
    }

    fn batch(&self, id: &BatchId) -> Result<Option<BatchRow>> {
        batches::find(self, id)
    }

    fn in_flight(&self, webhook_no: i64) -> Result<InFlight> {
        batches::in_flight(self, webhook_no)
    }

    fn unsettled(
        &self,
        webhook_no: i64,
        status: BatchStatus,
        order: Ordering,
        limit: usize,
    ) -> Result<Vec<BatchRow>> {
        batches::unsettled(self, webhook_no, status, order, limit)
    }

    fn earliest(
        &self,
        webhook_no: i64,
        status: BatchStatus,
        order: Ordering,
    ) -> Result<Option<Timestamp>> {
        batches::earliest(self, webhook_no, status, order)
    }

    fn bring_near(&self, webhook_no: i64, far: Timestamp, now: Timestamp) -> Result<()> {
        batches::bring_near(self, webhook_no, far, now)
    }

    fn count_unsettled(&self, webhook_no: i64, status: BatchStatus) -> Result<u64> {
        batches::count_unsettled(self, webhook_no, status)
    }

    fn batches(
        &self,
        of: OfWebhook<'_>,
        status: Option<BatchStatus>,
        before: i64,
        limit: usize,
    ) -> Result<Vec<BatchRow>> {
        batches::list(self, of, status, before, limit)
    }

    fn batches_holding(&self, app: &AppId, position: Position) -> Result<Vec<Batch>> {
        batches::holding(self, app, position)
    }

    fn insert_attempt(&self, batch_no: i64, webhook_no: i64, attempt: &Attempt) -> Result<()> {
        batches::insert_attempt(self, batch_no, webhook_no, attempt)
    }

    fn attempts(
        &self,
        of: OfWebhook<'_>,
        batch_no: Option<i64>,
        before: i64,
        limit: usize,
    ) -> Result<Vec<Numbered<Attempt>>> {
        batches::attempts(self, of, batch_no, before, limit)
    }

    fn batches_after(&self, no: i64, limit: usize) -> Result<Vec<OldBatch>> {
        batches::after(self, no, limit)
    }

    fn delete_batch(&self, no: i64) -> Result<()> {
        batches::delete(self, no)
    }

    fn events_after(
        &self,
        position: Position,
        until: Position,
        limit: usize,
    ) -> Result<Vec<(Position, Timestamp)>> {
        log::after(self, position, until, limit)
    }

    fn still_owed(&self, first: Position, last: Position) -> Result<BTreeSet<Position>> {
        retention::still_owed(self, first, last)
    }

    fn delete_events(&self, first: Position, last: Position) -> Result<()> {
        (first..=last).try_for_each(|position| log::delete(self, position))
    }

    fn contradictions(&self) -> Result<Vec<String>> {
        check::contradictions(self)
    }
}
