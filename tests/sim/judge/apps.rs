//! Apps that come and go, and the catalogue of event types.

use std::collections::BTreeSet;

use hookbox::model::{AppState, BatchId};

use super::super::figures::Mark;
use super::super::world::TYPES;
use super::Judge;
use super::log::Came;

/// What must be so after a call that sets it: what was asked for, what was before, or either.
fn expected<T, V>(came: &Came<T>, wanted: V, before: V) -> Option<V> {
    match came {
        Came::Done(_) => Some(wanted),
        Came::Refused(_) | Came::Failed => Some(before),
        Came::Unknown => None,
    }
}

impl Judge {
    /// An app was to be deleted.
    pub fn deleted_app<T>(&mut self, app: usize, came: &Came<T>) {
        let id = self.apps[app].id.clone();
        let is_there = self.oracle.get_app(&id).is_ok();
        let expected = expected(came, false, true);
        self.check(
            "I16",
            expected.is_none_or(|there| there == is_there),
            || format!("the app {id} was to be deleted, and is there: {is_there}"),
        );
        if is_there {
            return;
        }
        self.mark(Mark::AppDeleted);
        let now = self.truth.now();
        let row = &mut self.apps[app];
        (row.gone, row.enabled) = (true, false);
        row.keys.push((now, Vec::new()));
        for index in 0..self.webhooks.len() {
            if self.webhooks[index].app != app || self.webhooks[index].deleted {
                continue;
            }
            let flies = |id: &BatchId| self.flying.contains_key(id);
            if self.batches_of(index).iter().any(flies) {
                self.mark(Mark::AppDeletedInFlight);
            }
            self.webhooks[index].deleted_with_app = true;
            self.after_delete(index);
        }
        let left = self.events.iter().filter(|event| event.app == app);
        let left = left.filter(|event| self.oracle.get_event(&event.id).is_ok());
        let left: Vec<String> = left.map(|event| event.id.to_string()).collect();
        self.check("I16", left.is_empty(), || {
            format!("events outlived their app: {left:?}")
        });
    }

    /// An app that was deleted was to be created again.
    pub fn created_app<T>(&mut self, app: usize, came: &Came<T>) {
        let id = self.apps[app].id.clone();
        let stored = self.oracle.get_app(&id);
        let expected = expected(came, true, false);
        self.check(
            "I16",
            expected.is_none_or(|there| there == stored.is_ok()),
            || format!("the app {id} was to be created, and is there: {stored:?}"),
        );
        if let Ok(stored) = stored {
            self.mark(Mark::AppCreatedAgain);
            self.apps[app].gone = false;
            self.apps[app].enabled = stored.state == AppState::Enabled;
        }
    }

    /// The catalogue was to be these types.
    pub fn set_catalogue<T>(&mut self, wanted: BTreeSet<usize>, came: &Came<T>) {
        let stored = self.oracle.event_types().unwrap();
        let has = |name: &str| stored.iter().any(|stored| stored.as_str() == name);
        let now = (0..TYPES.len()).filter(|index| has(TYPES[*index]));
        let now: BTreeSet<usize> = now.collect();
        let before = std::mem::replace(&mut self.catalogue, now.clone());
        let expected = expected(came, wanted, before);
        self.check("I16", expected.is_none_or(|types| types == now), || {
            format!("the catalogue is {now:?}")
        });
    }

    /// A webhook may name a type only if it is in the catalogue, or it named it before.
    pub fn judge_types(
        &mut self,
        named: Option<&BTreeSet<usize>>,
        before: Option<&BTreeSet<usize>>,
    ) {
        let may = |one: &usize| {
            self.catalogue.contains(one) || before.is_some_and(|before| before.contains(one))
        };
        let all = named.is_none_or(|named| named.iter().all(may));
        self.check("I16", all, || {
            format!("a webhook names {named:?}, and named {before:?}")
        });
    }
}
