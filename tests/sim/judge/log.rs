//! What was emitted, and who is owed it.

use hookbox::Error;
use hookbox::model::{BatchId, Envelope, EventId, NewEvent, Timestamp};
use hookbox::storage::{ClaimRequest, EventFilter, PageRequest};

use super::super::network::POISON;
use super::super::world::{TYPES, environment_index};
use super::{Event, Judge};

/// What came of a call that writes.
#[derive(Debug)]
pub enum Came<T> {
    Done(T),
    /// Refused by a rule: nothing was changed.
    Refused(Error),
    /// The storage failed: nothing was changed.
    Failed,
    /// The storage failed: whether anything was changed is unknown.
    Unknown,
}

impl Judge {
    /// Takes note of an emit: what it says must be what the log says. The keys are numbers.
    pub fn emitted(&mut self, app: usize, new: &[NewEvent], came: &Came<Vec<EventId>>) {
        let added = self.read_log(app);
        match came {
            Came::Done(ids) => {
                let fresh: Vec<EventId> =
                    added.iter().map(|event| self.events[*event].id).collect();
                let mut expected = Vec::new();
                for (one, id) in new.iter().zip(ids) {
                    let key = one
                        .idempotency_key
                        .as_ref()
                        .and_then(|key| key.parse().ok());
                    let first = key.map(|key| self.first_of((app, key), *id));
                    self.check("I2", first.is_none_or(|first| first == *id), || {
                        format!("the key of {first:?} gave {id}")
                    });
                    if !expected.contains(id) && fresh.contains(id) {
                        expected.push(*id);
                    }
                    let is_there = self.by_id.contains_key(id);
                    self.check("I1", is_there, || {
                        format!("{id} was emitted and is not there")
                    });
                }
                self.check("I2", expected == fresh, || {
                    format!("{ids:?} were emitted, {fresh:?} are new in the log")
                });
            }
            Came::Refused(_) | Came::Failed => {
                self.check("I2", added.is_empty(), || {
                    format!("an emit failed ({came:?}) and left {added:?}")
                });
            }
            Came::Unknown => {
                // Those whose key was known already are not stored again.
                let keys = new.iter().map(|one| one.idempotency_key.as_ref());
                let distinct: std::collections::BTreeSet<_> = keys.flatten().collect();
                let keyless = new
                    .iter()
                    .filter(|one| one.idempotency_key.is_none())
                    .count();
                let known = distinct
                    .iter()
                    .filter(|key| key.parse().is_ok_and(|key| self.is_known(&(app, key))))
                    .count();
                let all = keyless + distinct.len() - known;
                self.check("I2", added.is_empty() || added.len() == all, || {
                    format!("an emit of {all} left {}", added.len())
                });
                for event in &added {
                    let stored = self.oracle.get_event(&self.events[*event].id);
                    let key = stored.ok().and_then(|event| event.idempotency_key);
                    if let Some(key) = key.and_then(|key| key.parse().ok()) {
                        self.keys.insert((app, key), self.events[*event].id);
                    }
                }
            }
        }
    }

    /// The id that a key gives: the first one, as long as retention keeps its event.
    fn first_of(&mut self, key: (usize, u32), id: EventId) -> EventId {
        if !self.is_known(&key) {
            self.keys.insert(key, id);
        }
        self.keys[&key]
    }

    fn is_known(&self, key: &(usize, u32)) -> bool {
        let first = self.keys.get(key);
        first.is_some_and(|first| self.oracle.get_event(first).is_ok())
    }

    /// Reads what is new in the log of an app, and notes who is owed it.
    fn read_log(&mut self, app: usize) -> Vec<usize> {
        if self.apps[app].gone {
            return Vec::new();
        }
        self.route();
        let page = PageRequest::first(50).unwrap();
        let filter = EventFilter::default();
        let id = self.apps[app].id.clone();
        let mut rows = self.oracle.list_events(&id, filter, page).unwrap().items;
        rows.retain(|event| event.position > self.head);
        rows.reverse();
        let mut added = Vec::new();
        for row in rows {
            let index = self.events.len();
            let event = Event {
                id: row.id,
                app,
                event_type: TYPES
                    .iter()
                    .position(|name| *name == row.event_type.as_str())
                    .unwrap(),
                environment: environment_index(row.environment.as_ref()),
                at_most_once: row.mode == hookbox::model::DeliveryMode::AtMostOnce,
                created_at: row.created_at.to_string(),
                payload: row.payload,
            };
            self.head = row.position;
            self.by_position.insert(row.position, index);
            self.by_id.insert(row.id, index);
            self.owe(index, &event);
            self.events.push(event);
            self.figures.events += 1;
            added.push(index);
        }
        added
    }

    /// Gives what was emitted its place in the log, where that is done later. By a clock that is behind
    /// all timers, and with room for no batch: nothing else comes of it.
    fn route(&self) {
        if self.routes_later {
            let nothing = ClaimRequest::any(0);
            let then = Timestamp::from_millis(0);
            let routed = self.oracle.exchange(then, 0, Vec::new(), Some(nothing));
            routed.unwrap();
        }
    }

    fn owe(&mut self, index: usize, event: &Event) {
        for webhook in &mut self.webhooks {
            let hears = webhook.app == event.app
                && webhook.is_active()
                && webhook
                    .types
                    .as_ref()
                    .is_none_or(|types| types.contains(&event.event_type))
                && (webhook.environment == 0 || webhook.environment == event.environment);
            if hears {
                webhook.owed.insert(index);
                webhook.ever_owed.insert(index);
            }
        }
    }

    /// The body that a batch of these events has.
    pub fn body_of(&self, app: usize, events: &[usize]) -> String {
        let mut body = String::new();
        let batch = self.profile.envelope == Envelope::Batch;
        if batch {
            body += &format!("{{\"app_id\":\"{}\",\"events\":[", self.apps[app].id);
        }
        for (place, event) in events.iter().enumerate() {
            let event = &self.events[*event];
            let (name, payload, at) = (TYPES[event.event_type], &event.payload, &event.created_at);
            body += &match self.profile.envelope {
                Envelope::Batch => {
                    let comma = if place > 0 { "," } else { "" };
                    let id = event.id;
                    format!(
                        "{comma}{{\"id\":\"{id}\",\"type\":\"{name}\",\"payload\":{payload},\"created_at\":\"{at}\"}}"
                    )
                }
                Envelope::Payload => payload.clone(),
                Envelope::Standard => {
                    format!("{{\"type\":\"{name}\",\"timestamp\":\"{at}\",\"data\":{payload}}}")
                }
            };
        }
        if batch {
            body += "]}";
        }
        body
    }

    /// What `webhook-id` is: the batch, or its event where it holds but one.
    pub fn id_on_the_wire(&self, batch: BatchId) -> String {
        match (self.profile.envelope, self.batches[&batch].events.first()) {
            (Envelope::Payload | Envelope::Standard, Some(event)) => {
                self.events[*event].id.to_string()
            }
            _ => batch.to_string(),
        }
    }

    pub fn is_poison(&self, event: usize) -> bool {
        self.events[event].payload.contains(POISON)
    }
}
