//! Emitting events.

use crate::error::{Error, Result};
use crate::model::{EventId, EventType, NewEvent};
use crate::registry::check_event;
use crate::storage::PreparedEvent;

use super::options::PAYLOAD_BYTES_MAX;
use super::{Hookbox, app_id};

/// Events in one call.
const EVENTS_MAX: usize = 10_000;

impl Hookbox {
    /// Emits one event: a type of the catalogue and one JSON text, which is stored and sent
    /// verbatim. When this returns, the event survives power loss.
    ///
    /// # Errors
    /// [`Error::AppNotFound`], [`Error::SessionDisabled`], [`Error::InvalidWebhookEvent`],
    /// [`Error::InvalidPayload`], [`Error::PayloadTooLarge`]: nothing is stored then. After
    /// [`crate::StorageFault::CommitUnknown`] it may be: emit again with the same idempotency key.
    pub fn emit(&self, app: &str, event_type: &str, payload: impl Into<String>) -> Result<EventId> {
        self.emit_event(app, NewEvent::new(EventType::parse(event_type)?, payload))
    }

    /// Emits one event with everything that can be said of it. With an idempotency key that was
    /// used before, the first event's id is returned and nothing is stored.
    ///
    /// # Errors
    /// As [`Hookbox::emit`].
    pub fn emit_event(&self, app: &str, event: NewEvent) -> Result<EventId> {
        let mut ids = self.emit_many(app, vec![event])?;
        ids.pop()
            .ok_or_else(|| Error::Internal("the storage gave no id".into()))
    }

    /// Emits up to 10 000 events in one commit, all or none. Returns their ids in order.
    ///
    /// # Errors
    /// As [`Hookbox::emit`]; [`Error::InvalidRequest`] for too many.
    pub fn emit_many(&self, app: &str, events: Vec<NewEvent>) -> Result<Vec<EventId>> {
        let app = app_id(app)?;
        let prepared = self.prepare(events)?;
        // Only these may have been stored before, under another id.
        let keyed: Vec<(usize, EventId)> = prepared
            .iter()
            .enumerate()
            .filter(|(_, event)| event.event.idempotency_key.is_some())
            .map(|(index, event)| (index, event.id))
            .collect();
        let begun = self.options.clock.monotonic();
        let emitted = self.storage.emit(&app, prepared);
        let took = self.options.clock.monotonic().duration_since(begun);
        let stored = |ids: &Vec<EventId>| {
            let before = keyed
                .iter()
                .filter(|(index, id)| ids.get(*index) != Some(id));
            ids.len() - before.count()
        };
        self.counters
            .emitted(took, emitted.as_ref().ok().map(stored));
        let ids = emitted?;
        self.wake();
        Ok(ids)
    }

    /// Emits events inside a transaction of the host's own, on its own connection to the box's
    /// file: they are emitted if and only if the host commits.
    ///
    /// Finish statements that write (an `INSERT … RETURNING` that is still being read, say) before
    /// this: it opens a savepoint, which SQLite refuses meanwhile.
    ///
    /// Do not call [`Hookbox::emit`] while the same thread holds a write transaction on this file: it
    /// would wait for itself, and fail with `storage_busy` after ten seconds.
    ///
    /// The box's engine notices within half a second of the commit; call [`Hookbox::wake`] after
    /// it for no delay at all.
    ///
    /// # Errors
    /// As [`Hookbox::emit`]; nothing was written then, and the transaction can go on.
    #[cfg(feature = "sqlite")]
    pub fn emit_in(
        &self,
        transaction: &rusqlite::Transaction<'_>,
        app: &str,
        events: Vec<NewEvent>,
    ) -> Result<Vec<EventId>> {
        self.emit_on(transaction, app, events)
    }

    /// As [`Hookbox::emit_in`], on a connection that has a transaction begun.
    #[cfg(feature = "sqlite")]
    pub(crate) fn emit_on(
        &self,
        connection: &rusqlite::Connection,
        app: &str,
        events: Vec<NewEvent>,
    ) -> Result<Vec<EventId>> {
        self.process.check()?;
        let app = app_id(app)?;
        let prepared = self.prepare(events)?;
        crate::storage::sqlite::SqliteStorage::emit_in(connection, &app, &prepared)
    }

    /// Emits events inside a transaction of the host's own, on its own connection to the box's
    /// PostgreSQL database: they are emitted if and only if the host commits. One statement.
    ///
    /// The engines of all processes are notified by the commit.
    ///
    /// # Errors
    /// As [`Hookbox::emit`]; nothing was written then, and, unless it is a storage error, the
    /// transaction can go on.
    #[cfg(feature = "postgres")]
    pub fn emit_in_postgres(
        &self,
        transaction: &mut postgres::Transaction<'_>,
        app: &str,
        events: Vec<NewEvent>,
    ) -> Result<Vec<EventId>> {
        let app = app_id(app)?;
        let prepared = self.prepare(events)?;
        crate::storage::postgres::PostgresStorage::emit_in(transaction, &app, &prepared)
    }

    fn prepare(&self, events: Vec<NewEvent>) -> Result<Vec<PreparedEvent>> {
        if events.len() > EVENTS_MAX {
            return Err(Error::invalid(
                "events",
                format!("must be at most {EVENTS_MAX} a call"),
            ));
        }
        let created_at = self.now();
        let limit = self.options.payload_bytes_max.unwrap_or(PAYLOAD_BYTES_MAX);
        // In one go: asking the system for each costs more than making the id.
        let mut random = vec![[0; 16]; events.len()];
        self.options.random.fill(random.as_flattened_mut())?;
        events
            .into_iter()
            .zip(random)
            .map(|(event, random)| {
                check_event(&event, limit)?;
                Ok(PreparedEvent {
                    id: EventId::new(created_at, u128::from_ne_bytes(random)),
                    created_at,
                    event,
                })
            })
            .collect()
    }
}
