//! [`Tables`] over one connection: which query is where.

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

use super::memory::Held;
use super::working::PgTables;
use super::{
    api_keys, apps, attempts, batches, emit, entries, log, ready, route, state, upkeep, webhooks,
};

impl Tables for PgTables<'_> {
    fn nested(&self, work: &mut dyn FnMut() -> Result<()>) -> Result<()> {
        self.part(work)
    }

    fn lock_log(&self) -> Result<()> {
        route::lock_log(self.afresh()?, &self.marks)
    }

    fn lock_app(&self, app: &AppId) -> Result<()> {
        apps::lock(&self.db, app)
    }

    fn lock_webhook(&self, webhook_no: i64) -> Result<()> {
        let db = self.afresh()?;
        self.locked(state::lock(db, &self.marks, webhook_no)?);
        Ok(())
    }

    fn lock_webhooks_of(&self, batches: &[BatchId]) -> Result<()> {
        self.lock_of_batches(batches)
    }

    fn insert_app(&self, app: &App) -> Result<bool> {
        apps::insert(&self.db, app)
    }

    fn app(&self, id: &AppId) -> Result<Option<App>> {
        apps::get(&self.db, id)
    }

    fn app_state(&self, id: &AppId) -> Result<Option<AppState>> {
        apps::state(&self.db, id)
    }

    fn app_version(&self, id: &AppId) -> Result<Option<i64>> {
        self.version_of_app(id)
    }

    fn apps(&self, after: &str, limit: usize) -> Result<Vec<App>> {
        apps::list(&self.db, after, limit)
    }

    fn set_app_state(&self, id: &AppId, state: AppState, ready: bool) -> Result<()> {
        apps::set_state(self.afresh()?, id, state, ready)
    }

    fn delete_of_app(&self, id: &AppId, limit: usize) -> Result<bool> {
        apps::delete_slice(self.afresh()?, id, limit)
    }

    fn event_types(&self) -> Result<Vec<EventType>> {
        apps::event_types(&self.db)
    }

    fn has_event_type(&self, name: &EventType) -> Result<bool> {
        apps::has_event_type(&self.db, name)
    }

    fn set_event_types(&self, types: &[EventType], replace: bool) -> Result<()> {
        apps::set_event_types(&self.db, types, replace)
    }

    fn keys(&self, app: &AppId) -> Result<Vec<StoredKey>> {
        apps::keys(&self.db, app)
    }

    fn replace_keys(&self, app: &AppId, keys: &[StoredKey]) -> Result<()> {
        apps::replace_keys(&self.db, app, keys)
    }

    fn delete_expired_keys(&self, now: Timestamp) -> Result<()> {
        apps::delete_expired_keys(&self.db, now)
    }

    fn insert_api_key(&self, key: &StoredApiKey) -> Result<()> {
        api_keys::insert(&self.db, key)
    }

    fn api_key(&self, id: &ApiKeyId) -> Result<Option<StoredApiKey>> {
        api_keys::get(&self.db, id)
    }

    fn api_keys(&self, filter: &ApiKeyFilter, after: &str, limit: usize) -> Result<Vec<ApiKey>> {
        api_keys::list(&self.db, filter, after, limit)
    }

    fn revoke_api_key(&self, id: &ApiKeyId, at: Timestamp) -> Result<()> {
        api_keys::revoke(&self.db, id, at)
    }

    fn note_api_key_use(&self, id: &ApiKeyId, at: Timestamp) -> Result<()> {
        api_keys::note_use(&self.db, id, at)
    }

    fn insert_webhook(&self, webhook: &StoredWebhook, cursor: Position) -> Result<i64> {
        webhooks::insert(self.afresh()?, webhook, cursor)
    }

    fn webhook_no(&self, app: &AppId, id: &WebhookId) -> Result<Option<i64>> {
        webhooks::find(&self.db, app, id)
    }

    fn webhook(&self, no: i64) -> Result<StoredWebhook> {
        webhooks::get(self.written()?, no)
    }

    fn webhook_version(&self, no: i64) -> Result<i64> {
        self.version_of_webhook(no)
    }

    fn webhooks(
        &self,
        app: &AppId,
        filter: &WebhookFilter,
        after: i64,
        limit: usize,
    ) -> Result<Vec<Numbered<Webhook>>> {
        webhooks::list(self.written()?, app, filter, after, limit)
    }

    fn update_webhook(&self, no: i64, webhook: &StoredWebhook) -> Result<()> {
        webhooks::update(self.afresh()?, no, webhook)
    }

    fn delete_webhook(&self, no: i64) -> Result<()> {
        webhooks::delete(self.afresh()?, no)
    }

    fn subscriptions(&self, webhook_no: i64) -> Result<Vec<Subscription>> {
        self.subscriptions_of(webhook_no)
    }

    fn replace_subscriptions(
        &self,
        app: &AppId,
        webhook_no: i64,
        subscriptions: &[Subscription],
    ) -> Result<()> {
        webhooks::replace_subscriptions(self.afresh()?, app, webhook_no, subscriptions)
    }

    fn delete_passed_subscriptions(&self) -> Result<()> {
        webhooks::delete_passed_subscriptions(self.written()?)
    }

    fn awaited_by(&self, event: &Event, limit: usize) -> Result<Vec<WebhookId>> {
        webhooks::awaited_by(self.written()?, event, limit)
    }

    fn state(&self, webhook_no: i64) -> Result<WebhookState> {
        self.state_of(webhook_no)
    }

    fn save_state(&self, state: &WebhookState) -> Result<()> {
        self.marks.saved(state);
        self.pend(|memory| memory.save_state(state))
    }

    fn look_later(&self, webhook_no: i64, at: Timestamp) -> Result<()> {
        state::look_later(self.afresh()?, webhook_no, at)
    }

    fn mark_backlog(
        &self,
        app: &str,
        event_type: &str,
        last: Position,
        now: Timestamp,
    ) -> Result<()> {
        state::mark_backlog(self.afresh()?, app, event_type, last, now)
    }

    fn wake_timers(&self, now: Option<Timestamp>, limit: usize) -> Result<usize> {
        ready::wake_timers(self.afresh()?, now, limit)
    }

    fn next_timer(&self) -> Result<Option<Timestamp>> {
        ready::next_timer(self.written()?)
    }

    fn ready_apps(&self, class: Class, limit: usize, start: &str) -> Result<Vec<String>> {
        ready::apps(self.written()?, &self.held_apps, class, limit, start)
    }

    fn ready_webhooks(&self, class: Class, app: &str, limit: usize) -> Result<Vec<i64>> {
        let (db, held) = (self.written()?, &self.held_apps);
        let found = ready::webhooks(db, &self.marks, held, class, app, limit)?;
        Ok(self.locked(found))
    }

    fn replay(&self, webhook_no: i64) -> Result<Option<Replay>> {
        let none = |held: &mut Held| (!held.may_have_replays).then_some(());
        match self.remembered(webhook_no, none)? {
            Some(()) => Ok(None),
            None => state::replay(&self.db, webhook_no),
        }
    }

    fn insert_replay(&self, webhook_no: i64, cursor: Position, until: Position) -> Result<()> {
        state::insert_replay(self.afresh()?, webhook_no, cursor, until)
    }

    fn save_replay(&self, _webhook_no: i64, replay: Replay) -> Result<()> {
        state::save_replay(&self.db, replay)
    }

    fn append(&self, app: &AppId, events: &[PreparedEvent]) -> Result<Vec<EventId>> {
        let run = &mut |sql: &str, values: &[emit::Typed<'_>]| self.db.query_typed(sql, values);
        emit::emit(run, app, events)
    }

    fn head(&self) -> Result<Position> {
        let known = self.memory.borrow().head;
        known.map_or_else(|| log::head(&self.db), Ok)
    }

    fn unrouted(&self, limit: usize) -> Result<Unrouted> {
        route::unrouted(self.afresh()?, &self.marks, limit)
    }

    fn set_routed(&self, until: Position) -> Result<()> {
        log::set_routed(&self.db, until)
    }

    fn routed(&self) -> Result<Position> {
        log::routed(&self.db)
    }

    fn types_of(&self, app: &AppId) -> Result<Vec<String>> {
        entries::types_of(&self.db, app)
    }

    fn entries(&self, app: &AppId, spans: &[Span], limit: usize) -> Result<Vec<Entry>> {
        entries::merge(&self.db, app, spans, limit)
    }

    fn count_entries(
        &self,
        app: &AppId,
        span: &Span,
        limit: u64,
    ) -> Result<(u64, Option<Position>)> {
        entries::count(&self.db, app, span, limit)
    }

    fn count_positions(&self, positions: &Positions) -> Result<usize> {
        log::count(&self.db, positions)
    }

    fn events_at(&self, positions: &Positions) -> Result<Vec<Event>> {
        log::read(&self.db, positions)
    }

    fn first_event_after(&self, position: Position) -> Result<Option<(Position, Timestamp)>> {
        let found = log::after(&self.db, position, Position::MAX, 1)?;
        Ok(found.first().copied())
    }

    fn event(&self, id: &EventId) -> Result<Option<Event>> {
        log::event(&self.db, id)
    }

    fn events(
        &self,
        app: &AppId,
        event_type: Option<&EventType>,
        before: Position,
        limit: usize,
    ) -> Result<Vec<Event>> {
        log::list(&self.db, app, event_type, before, limit)
    }

    fn insert_batch(&self, webhook_no: i64, batch: &Batch) -> Result<i64> {
        self.add_batch(webhook_no, batch)
    }

    fn update_batch(&self, row: &BatchRow) -> Result<()> {
        self.pend(|memory| memory.update_batch(row))
    }

    fn batch(&self, id: &BatchId) -> Result<Option<BatchRow>> {
        self.find_batch(id)
    }

    fn in_flight(&self, webhook_no: i64) -> Result<InFlight> {
        self.in_flight_of(webhook_no)
    }

    fn unsettled(
        &self,
        webhook_no: i64,
        status: BatchStatus,
        order: Ordering,
        limit: usize,
    ) -> Result<Vec<BatchRow>> {
        batches::unsettled(self.written()?, webhook_no, status, order, limit)
    }

    fn earliest(
        &self,
        webhook_no: i64,
        status: BatchStatus,
        order: Ordering,
    ) -> Result<Option<Timestamp>> {
        self.earliest_of(webhook_no, status, order)
    }

    fn bring_near(&self, webhook_no: i64, far: Timestamp, now: Timestamp) -> Result<()> {
        self.bring_batches_near(webhook_no, far, now)
    }

    fn count_unsettled(&self, webhook_no: i64, status: BatchStatus) -> Result<u64> {
        batches::count_unsettled(self.written()?, webhook_no, status)
    }

    fn batches(
        &self,
        of: OfWebhook<'_>,
        status: Option<BatchStatus>,
        before: i64,
        limit: usize,
    ) -> Result<Vec<BatchRow>> {
        batches::list(self.written()?, of, status, before, limit)
    }

    fn batches_holding(&self, app: &AppId, position: Position) -> Result<Vec<Batch>> {
        batches::holding(self.written()?, app, position)
    }

    fn insert_attempt(&self, batch_no: i64, webhook_no: i64, attempt: &Attempt) -> Result<()> {
        self.add_attempt(batch_no, webhook_no, attempt)
    }

    fn attempts(
        &self,
        of: OfWebhook<'_>,
        batch_no: Option<i64>,
        before: i64,
        limit: usize,
    ) -> Result<Vec<Numbered<Attempt>>> {
        attempts::list(self.written()?, of, batch_no, before, limit)
    }

    fn batches_after(&self, no: i64, limit: usize) -> Result<Vec<OldBatch>> {
        upkeep::batches_after(self.written()?, no, limit)
    }

    fn delete_batch(&self, no: i64) -> Result<()> {
        self.pend(|memory| memory.pending.deleted_batches.push(no))
    }

    fn events_after(
        &self,
        position: Position,
        until: Position,
        limit: usize,
    ) -> Result<Vec<(Position, Timestamp)>> {
        log::after(&self.db, position, until, limit)
    }

    fn still_owed(&self, first: Position, last: Position) -> Result<BTreeSet<Position>> {
        upkeep::still_owed(self.written()?, first, last)
    }

    fn delete_events(&self, first: Position, last: Position) -> Result<()> {
        self.pend(|memory| memory.pending.deleted_events.extend(first..=last))
    }

    fn contradictions(&self) -> Result<Vec<String>> {
        upkeep::contradictions(self.written()?)
    }
}
