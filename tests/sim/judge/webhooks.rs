//! What the webhooks are, by what the host asked for.

use std::collections::{BTreeSet, VecDeque};

use hookbox::model::{Batch, BatchId, BatchStatus, Events};
use hookbox::storage::{PageRequest, WebhookFilter};

use super::super::figures::Mark;
use super::super::world::{TYPES, endpoint_of, environment_index};
use super::{Judge, Webhook};

/// What parking and unparking may do.
fn may_park(before: &Batch, after: &Batch) -> bool {
    let pair = (before.status, after.status);
    matches!(
        pair,
        (BatchStatus::Waiting, BatchStatus::Parked) | (BatchStatus::Parked, BatchStatus::Waiting)
    ) && before.fence == after.fence
        && before.attempts == after.attempts
}

/// Never: a webhook was not touched.
fn never(_: &Batch, _: &Batch) -> bool {
    false
}

impl Judge {
    /// Reads an app's webhooks after a change. When the change was surely made, or surely not,
    /// `expected` is what they must be: nothing else may differ.
    pub fn read_webhooks(&mut self, app: usize, adopt: bool) {
        let page = PageRequest::first(1000).unwrap();
        let id = self.apps[app].id.clone();
        let rows = if self.apps[app].gone {
            Vec::new()
        } else {
            let filter = WebhookFilter::default();
            self.oracle.list_webhooks(&id, filter, page).unwrap().items
        };
        let mut there = BTreeSet::new();
        for row in rows {
            let types = match &row.events {
                Events::All => None,
                Events::Only(types) => Some(
                    types
                        .iter()
                        .map(|name| TYPES.iter().position(|t| *t == name.as_str()).unwrap())
                        .collect::<BTreeSet<usize>>(),
                ),
            };
            let environment = environment_index(row.environment.as_ref());
            let endpoint = endpoint_of(row.url.as_str());
            let Some(index) = self.webhook_of(&row.id) else {
                self.check("I2", adopt, || format!("{} came by itself", row.id));
                there.insert(self.webhooks.len());
                self.webhooks.push(Webhook {
                    app,
                    endpoint,
                    token: row.description.clone(),
                    types,
                    environment,
                    fifo: row.overrides.ordering == hookbox::model::Ordering::Fifo,
                    pace: self.paces.get(&row.description).copied(),
                    claims: VecDeque::new(),
                    verified: row.verified,
                    enabled: row.enabled,
                    deleted: false,
                    deleted_with_app: false,
                    owed: BTreeSet::new(),
                    replayed: Default::default(),
                    ever_owed: BTreeSet::new(),
                    got: BTreeSet::new(),
                    failures_in_a_row: 0,
                    paused_until: None,
                    id: row.id,
                });
                continue;
            };
            there.insert(index);
            let known = &self.webhooks[index];
            let same = (
                known.endpoint,
                &known.types,
                known.environment,
                known.verified,
                known.enabled,
            ) == (endpoint, &types, environment, row.verified, row.enabled);
            if same {
                continue;
            }
            self.check("I16", adopt, || {
                format!("{} is not what was asked for: {row:?}", row.id)
            });
            let known = &mut self.webhooks[index];
            let was_active = known.is_active();
            known.endpoint = endpoint;
            known.types = types;
            known.environment = environment;
            known.verified = row.verified;
            known.enabled = row.enabled;
            self.after_edit(index, was_active);
        }
        for index in 0..self.webhooks.len() {
            let webhook = &self.webhooks[index];
            if webhook.app == app && !webhook.deleted && !there.contains(&index) {
                let id = webhook.id.clone();
                self.check("I16", adopt, || format!("{id} vanished"));
                self.after_delete(index);
            }
        }
    }

    /// A webhook was changed: its batches are parked, or go on.
    pub fn after_edit(&mut self, index: usize, was_active: bool) {
        let webhook = &mut self.webhooks[index];
        let is_active = webhook.is_active();
        if is_active && !was_active {
            webhook.failures_in_a_row = 0;
            webhook.paused_until = None;
        }
        for id in self.batches_of(index) {
            let was_parked = self.batches[&id].row.status == BatchStatus::Parked;
            let may = if is_active == was_active {
                never
            } else {
                may_park
            };
            self.look_at(id, may, "its webhook was edited");
            let now = self.batches[&id].row.status;
            if was_parked && now == BatchStatus::Waiting {
                if let Some(known) = self.batches.get_mut(&id) {
                    known.charged = 0;
                }
                self.mark(Mark::ParkedThenResumed);
            }
            let stays = match now {
                BatchStatus::Waiting => is_active,
                BatchStatus::Parked => !is_active,
                _ => true,
            };
            self.check("I3", stays, || {
                format!("{id} is {now:?}, its webhook's activity is {is_active}")
            });
        }
    }

    /// A webhook was deleted, with its batches.
    pub fn after_delete(&mut self, index: usize) {
        self.webhooks[index].deleted = true;
        for id in self.batches_of(index) {
            if self.leased.contains(&id) {
                self.mark(Mark::DeletedInFlight);
            }
            let is_there = self.oracle.get_batch(&id).is_ok();
            self.check("I3", !is_there, || format!("{id} outlived its webhook"));
            self.is_gone(id);
        }
    }

    /// A webhook's batches that are there.
    pub fn batches_of(&self, webhook: usize) -> Vec<BatchId> {
        self.batches
            .iter()
            .filter(|(_, known)| known.webhook == webhook && !known.gone)
            .map(|(id, _)| *id)
            .collect()
    }

    /// Events of an app that were emitted so far may come once more.
    pub fn replayed(&mut self, index: usize) {
        let app = self.webhooks[index].app;
        for (event, known) in self.events.iter().enumerate() {
            if known.app == app {
                *self.webhooks[index].replayed.entry(event).or_default() += 1;
            }
        }
    }
}
