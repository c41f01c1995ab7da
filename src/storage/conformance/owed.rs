//! Owed exactly: what a webhook gets, and what it does not.

use super::held::{Held, refused, same};
use super::scene::{OTHER, Scene, TYPE, answered, at, event_type, only};
use super::{Check, Place};
use crate::model::{
    AppId, AppState, BatchStatus, Environment, Events, Timestamp, Webhook, WebhookId,
};

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "only_what_was_emitted_while_active_is_owed",
        promise: "A webhook is owed what is emitted while it is active: nothing from before it was \
                  registered or activated, and nothing from while it was inactive.",
        keeps: while_active,
    },
    Check {
        name: "what_was_owed_outlives_a_deactivation",
        promise: "What was owed when a webhook became inactive waits (batches are parked), and goes out \
                  when it is active again.",
        keeps: outlives_deactivation,
    },
    Check {
        name: "subscriptions_count_at_the_moment_of_emission",
        promise: "Which types a webhook hears is decided as an event is emitted, whatever is changed before \
                  it is delivered.",
        keeps: at_emission,
    },
    Check {
        name: "environments_are_kept_apart",
        promise: "A webhook bound to an environment is owed its events only, one that is not bound all; a \
                  change counts from then on.",
        keeps: environments,
    },
    Check {
        name: "all_types_means_every_type",
        promise: "A webhook that hears all types hears those that come into the catalogue later.",
        keeps: all_types,
    },
    Check {
        name: "a_type_that_left_the_catalogue_takes_nothing_new",
        promise: "A type outside the catalogue is refused in emits and new subscriptions; events and \
                  subscriptions that are there stay.",
        keeps: left_the_catalogue,
    },
    Check {
        name: "a_disabled_app_waits",
        promise: "A disabled app takes no events and no changes to its webhooks, and its deliveries wait; an \
                  operator can still look, resend, cancel, replay and edit keys.",
        keeps: disabled_app,
    },
    Check {
        name: "a_deleted_webhook_is_gone",
        promise: "A deleted webhook goes with its batches and attempts, a result that is still out is \
                  refused, and no other webhook notices.",
        keeps: deleted_webhook,
    },
];

impl Scene<'_> {
    /// The payloads delivered until nothing is due, in their order as numbers.
    fn numbers(&self, now: Timestamp) -> Held<Vec<String>> {
        let mut all = self.delivered(now)?.concat();
        all.sort();
        Ok(all)
    }

    fn set_events(&self, app: &AppId, id: &WebhookId, names: &[&str]) -> Held {
        let events = only(names)?;
        self.edit(app, id, move |webhook| webhook.events = events.clone())?;
        Ok(())
    }
}

fn enable(webhook: &mut Webhook) {
    webhook.enabled = true;
}

fn disable(webhook: &mut Webhook) {
    webhook.enabled = false;
}

fn while_active(place: &Place) -> Held {
    let scene = Scene::open(place)?;
    let app = scene.app("app")?;
    scene.emit(&app, 0..1)?;
    let webhook = scene.webhook_with(&app, |webhook| webhook.verified = false)?;
    let active = scene.webhook(&app)?;
    scene.emit(&app, 1..2)?;
    scene.edit(&app, &webhook, |webhook| webhook.verified = true)?;
    scene.storage.delete_webhook(&app, &active)?;
    scene.emit(&app, 2..4)?;
    scene.edit(&app, &webhook, disable)?;
    scene.emit(&app, 4..5)?;
    same(
        "what is delivered to an inactive webhook",
        &scene.numbers(at(0))?.len(),
        &0,
    )?;
    scene.edit(&app, &webhook, enable)?;
    scene.emit(&app, 5..6)?;
    same(
        "what is delivered of 0 to 5, where 2, 3 and 5 were emitted while active,",
        &scene.numbers(at(0))?,
        &["2", "3", "5"],
    )
}

fn outlives_deactivation(place: &Place) -> Held {
    let scene = Scene::open(place)?;
    let app = scene.app("app")?;
    let webhook = scene.webhook(&app)?;
    scene.emit(&app, 1..2)?;
    let claimed = scene.claim_one(at(0))?;
    scene.settle(at(0), answered(&claimed, at(0), 500))?;
    scene.emit(&app, 2..3)?;
    let out = scene.claim_one(at(0))?;
    scene.emit(&app, 3..4)?;
    scene.edit(&app, &webhook, disable)?;
    scene.settle(at(0), answered(&out, at(0), 500))?;
    scene.emit(&app, 4..5)?;
    let statuses = [
        scene.status(&claimed.batch.id)?,
        scene.status(&out.batch.id)?,
    ];
    same(
        "the batches of a webhook that became inactive, one waiting and one out,",
        &statuses,
        &[BatchStatus::Parked; 2],
    )?;
    same(
        "what is delivered while it is inactive",
        &scene.numbers(at(3600))?.len(),
        &0,
    )?;
    scene.edit(&app, &webhook, enable)?;
    same(
        "what is delivered when it is active again",
        &scene.numbers(at(7200))?,
        &["1", "2", "3"],
    )
}

fn at_emission(place: &Place) -> Held {
    let scene = Scene::open(place)?;
    let app = scene.app("app")?;
    let webhook = scene.webhook(&app)?;
    scene.emit_type(&app, TYPE, "1")?;
    scene.emit_type(&app, OTHER, "2")?;
    scene.set_events(&app, &webhook, &[OTHER])?;
    scene.emit_type(&app, TYPE, "3")?;
    scene.emit_type(&app, OTHER, "4")?;
    scene.set_events(&app, &webhook, &[])?;
    scene.emit_type(&app, OTHER, "5")?;
    scene.set_events(&app, &webhook, &[TYPE, OTHER])?;
    scene.emit_type(&app, OTHER, "6")?;
    scene.emit_type(&app, TYPE, "7")?;
    same(
        "what is delivered of 1 to 7, where 1, 4, 6 and 7 were heard as they were emitted,",
        &scene.delivered(at(0))?.concat(),
        &["1", "4", "6", "7"],
    )
}

fn environments(place: &Place) -> Held {
    let scene = Scene::open(place)?;
    let app = scene.app("app")?;
    let live = Environment::parse("live")?;
    let bound = scene.webhook_with(&app, |webhook| webhook.environment = Some(live.clone()))?;
    let unbound = scene.webhook(&app)?;
    let emit = |payload: &str, environment: Option<&str>| -> Held {
        let mut event = scene.event(payload)?;
        event.event.environment = environment.map(Environment::parse).transpose()?;
        scene.storage.emit(&app, vec![event])?;
        Ok(())
    };
    emit("1", Some("live"))?;
    emit("2", Some("test"))?;
    emit("3", None)?;
    let test = Environment::parse("test")?;
    scene.edit(&app, &bound, move |webhook| {
        webhook.environment = Some(test.clone());
    })?;
    emit("4", Some("live"))?;
    emit("5", Some("test"))?;
    let deliveries = scene.drain(at(0))?;
    let to = |id: &WebhookId| -> Vec<&str> {
        let of = |one: &&super::scene::Delivery| one.claimed.batch.webhook_id == *id;
        let deliveries = deliveries.iter().filter(of);
        deliveries
            .flat_map(|one| one.payloads.iter().map(String::as_str))
            .collect()
    };
    same(
        "what the webhook got that was bound to live (1, 4) and then to test (2, 5)",
        &to(&bound),
        &["1", "5"],
    )?;
    same(
        "what the webhook got that is not bound",
        &to(&unbound),
        &["1", "2", "3", "4", "5"],
    )
}

fn all_types(place: &Place) -> Held {
    let scene = Scene::open(place)?;
    let app = scene.app("app")?;
    scene.webhook_with(&app, |webhook| webhook.events = Events::All)?;
    scene.emit_type(&app, TYPE, "1")?;
    let new = event_type("a.new.type")?;
    scene.storage.set_event_types(vec![new], false)?;
    scene.emit_type(&app, "a.new.type", "2")?;
    scene.emit_type(&app, OTHER, "3")?;
    same(
        "what is delivered of three types",
        &scene.delivered(at(0))?.concat(),
        &["1", "2", "3"],
    )
}

fn left_the_catalogue(place: &Place) -> Held {
    let scene = Scene::open(place)?;
    let app = scene.app("app")?;
    let webhook = scene.webhook(&app)?;
    scene.emit_type(&app, TYPE, "1")?;
    scene
        .storage
        .set_event_types(vec![event_type(OTHER)?], true)?;
    refused(
        "emitting a type that left the catalogue",
        scene.storage.emit(&app, vec![scene.event("2")?]),
        "invalid_webhook_event",
    )?;
    refused(
        "a new webhook for it",
        scene.storage.create_webhook(scene.new_webhook(&app)?),
        "invalid_webhook_event",
    )?;
    let edited = scene.edit(&app, &webhook, |webhook| webhook.description = "x".into())?;
    same(
        "the subscription that was there, after an edit,",
        &edited.webhook.events,
        &only(&[TYPE])?,
    )?;
    scene
        .storage
        .set_event_types(vec![event_type(TYPE)?], false)?;
    scene.emit_type(&app, TYPE, "3")?;
    same(
        "what is delivered from before and after the type was away",
        &scene.delivered(at(0))?.concat(),
        &["1", "3"],
    )
}

fn disabled_app(place: &Place) -> Held {
    let scene = Scene::open(place)?;
    let app = scene.app("app")?;
    let webhook = scene.webhook(&app)?;
    scene.emit(&app, 1..2)?;
    let first = scene.claim_one(at(0))?;
    scene.settle(at(0), answered(&first, at(0), 500))?;
    scene.emit(&app, 2..3)?;
    let out = scene.claim_one(at(0))?;
    scene.emit(&app, 3..4)?;
    scene.storage.set_app_state(&app, AppState::Disabled)?;
    let refusals = [
        scene.storage.emit(&app, vec![scene.event("4")?]).map(drop),
        scene.storage.create_webhook(scene.new_webhook(&app)?),
        scene
            .storage
            .edit_webhook(
                &app,
                &webhook,
                Box::new(|stored| {
                    stored.webhook.description = "changed".into();
                    Ok(())
                }),
            )
            .map(drop),
        scene.storage.delete_webhook(&app, &webhook),
    ];
    for refusal in refusals {
        refused("a change of a disabled app", refusal, "session_disabled")?;
    }
    scene.settle(at(1), answered(&out, at(1), 200))?;
    same(
        "batches claimed of a disabled app",
        &scene.claim(at(3600), 10)?.len(),
        &0,
    )?;
    scene.storage.edit_keys(&app, Box::new(|_| Ok(())))?;
    let resealed = scene.storage.edit_webhook(
        &app,
        &webhook,
        Box::new(|stored| {
            stored.sealed = vec![9];
            Ok(())
        }),
    )?;
    same("secrets sealed anew", &resealed.sealed, &[9])?;
    scene.storage.cancel(&app, &first.batch.id, at(2))?;
    scene.storage.resend(&app, &first.batch.id, at(3))?;
    scene.storage.replay(&app, &webhook, at(0))?;
    scene.storage.set_app_state(&app, AppState::Enabled)?;
    same(
        "what is delivered when it is enabled: resent, waiting, and replayed",
        &scene.numbers(at(7200))?,
        &["1", "1", "2", "3", "3"],
    )
}

fn deleted_webhook(place: &Place) -> Held {
    let scene = Scene::open(place)?;
    let app = scene.app("app")?;
    let (gone, kept) = (scene.webhook(&app)?, scene.webhook(&app)?);
    scene.emit(&app, 1..2)?;
    let mut claimed = scene.claim(at(0), 10)?;
    claimed.sort_by_key(|one| one.batch.webhook_id == kept);
    let [of_gone, of_kept] = &claimed[..] else {
        return same("batches claimed for two webhooks", &claimed.len(), &2);
    };
    scene.settle(at(0), answered(of_gone, at(0), 500))?;
    scene.settle(at(0), answered(of_kept, at(0), 200))?;
    let out = scene.claim_one(at(60))?;
    scene.emit(&app, 2..3)?;
    scene.storage.delete_webhook(&app, &gone)?;
    refused(
        "reading a deleted webhook",
        scene.storage.get_webhook(&app, &gone),
        "webhook_not_found",
    )?;
    refused(
        "reading its batch",
        scene.storage.get_batch(&out.batch.id),
        "batch_not_found",
    )?;
    let left = scene.attempts(&app, 10)?;
    let mine = left.iter().filter(|one| one.webhook_id == gone);
    same("attempts left of it", &mine.count(), &0)?;
    let late = vec![answered(&out, at(61), 200)];
    let exchanged = scene.storage.exchange(at(61), 1, late, None)?;
    same(
        "what was lost of the result that was out",
        &exchanged.lost,
        &[out.batch.id],
    )?;
    let listed: Vec<_> = scene.webhooks(&app, 10)?;
    let ids: Vec<_> = listed.iter().map(|webhook| &webhook.id).collect();
    same("the webhooks that are listed", &ids, &[&kept])?;
    same("what is delivered then", &scene.numbers(at(61))?, &["2"])
}
