//! How much is claimed, of whom, and when to ask again.

use std::time::Duration;

use super::held::{Failure, Held, hold, same};
use super::scene::{Scene, answered, at, just_before};
use super::{Check, Place};
use crate::model::{Class, OfClass, Ordering, RateLimit, WebhookId};
use crate::storage::{ClaimRequest, Claimed, StoredWebhook};

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "a_claim_brings_what_sending_needs",
        promise: "A claim brings the batch as stored, its app, its webhook with the sealed secrets, and the \
                  app's policy under the webhook's overrides, each as it was last changed.",
        keeps: brings_what_is_needed,
    },
    Check {
        name: "no_more_is_claimed_than_asked_for",
        promise: "A claim brings at most the number of batches asked for; what is left comes with the next.",
        keeps: no_more_than_asked,
    },
    Check {
        name: "a_webhook_gets_its_concurrency_and_rate",
        promise: "A webhook has no more fresh batches out than its concurrency, and no more requests a second \
                  than its rate limit.",
        keeps: concurrency_and_rate,
    },
    Check {
        name: "a_full_batch_goes_beside_the_first",
        promise: "Beyond its concurrency a webhook gets batches only as long as each is full, up to its \
                  concurrency for full ones.",
        keeps: full_batches,
    },
    Check {
        name: "first_in_first_out_holds_back",
        promise: "A webhook in first-in-first-out order has one batch out at a time, and a failed one holds \
                  back those after it.",
        keeps: fifo,
    },
    Check {
        name: "a_sick_webhook_gets_one_probe",
        promise: "A webhook that failed several times in a row gets one request at a time until one succeeds.",
        keeps: one_probe,
    },
    Check {
        name: "each_class_of_webhooks_takes_its_share_only",
        promise: "Of untried, well and failing webhooks no more batches are claimed than `class_max` says; each \
                  claim says of which class it is.",
        keeps: class_shares,
    },
    Check {
        name: "apps_share_a_claim",
        promise: "An app with many webhooks that are due leaves room for one that has few.",
        keeps: apps_share,
    },
    Check {
        name: "a_clock_that_was_ahead_delays_nothing",
        promise: "What a clock that was ahead put further away than any wait or lease can be does not wait \
                  for that time.",
        keeps: clock_was_ahead,
    },
    Check {
        name: "next_due_says_when_to_ask_again",
        promise: "When all that is due was claimed, the exchange says when something is due next: a retry, or \
                  the end of a lease.",
        keeps: next_due,
    },
];

fn brings_what_is_needed(place: &Place) -> Held {
    let scene = Scene::open(place)?;
    let app = scene.app("app")?;
    let webhook = scene.webhook(&app)?;
    for number in 0..3 {
        scene.emit(&app, number..number + 1)?;
        let claimed = scene.claim_one(at(0))?;
        let (stored_app, stored) = (
            scene.storage.get_app(&app)?,
            scene.storage.get_webhook(&app, &webhook)?,
        );
        same(
            "the batch of a claim",
            &claimed.batch,
            &scene.batch(&claimed.batch.id)?,
        )?;
        same("its app", &claimed.app, &stored_app)?;
        same("its policy", &*claimed.policy, &{
            let policy = &stored_app.profile.delivery;
            policy.with(&stored.webhook.overrides)
        })?;
        scene.settle(at(0), answered(&claimed, at(0), 200))?;
        // What a delivery itself changes is not looked at.
        let registered = |stored: &StoredWebhook| {
            let mut registered = stored.clone();
            registered.webhook.last_http_code = None;
            registered
        };
        let (seen, due) = (registered(&claimed.webhook), registered(&stored));
        same("its webhook", &seen, &due)?;
        same("its sealed secrets", &seen.sealed, &due.sealed)?;
        let edit = move |stored: &mut StoredWebhook| {
            stored.webhook.description = number.to_string();
            stored.webhook.overrides.timeout = Some(Duration::from_secs(number + 1));
            stored.sealed.push(number.to_le_bytes()[0]);
            Ok(())
        };
        scene.storage.edit_webhook(&app, &webhook, Box::new(edit))?;
    }
    Ok(())
}

fn no_more_than_asked(place: &Place) -> Held {
    let scene = Scene::open(place)?;
    let app = scene.app("app")?;
    for _ in 0..7 {
        scene.webhook(&app)?;
    }
    scene.emit(&app, 0..1)?;
    let mut counts = Vec::new();
    for _ in 0..4 {
        let exchanged = scene.exchange(at(0), Vec::new(), 3)?;
        hold(!exchanged.more, || {
            "seven batches due are told as more to do at once than fits in one transaction".into()
        })?;
        counts.push(exchanged.claimed.len());
    }
    same(
        "batches claimed of seven, three at a time,",
        &counts,
        &[3, 3, 1, 0],
    )?;
    scene.emit(&app, 1..2)?;
    let none = scene.storage.exchange(at(40), 1, Vec::new(), None)?;
    same(
        "batches claimed without asking for any",
        &none.claimed.len(),
        &0,
    )
}

fn concurrency_and_rate(place: &Place) -> Held {
    let scene = Scene::open(place)?;
    let app = scene.app_with("app", |policy| policy.batch_events_max = 1)?;
    let wide = scene.webhook_with(&app, |webhook| webhook.overrides.concurrency = Some(3))?;
    scene.emit(&app, 0..5)?;
    let claimed = scene.claim(at(0), 10)?;
    same(
        "fresh batches of a webhook with a concurrency of 3",
        &claimed.len(),
        &3,
    )?;
    scene.settle(at(0), answered(&claimed[0], at(0), 200))?;
    same(
        "batches claimed after one was delivered",
        &scene.claim(at(0), 10)?.len(),
        &1,
    )?;
    scene.storage.delete_webhook(&app, &wide)?;
    scene.webhook_with(&app, |webhook| {
        webhook.overrides.concurrency = Some(8);
        webhook.overrides.rate_limit = Some(RateLimit { per_second: 2 });
    })?;
    scene.emit(&app, 5..12)?;
    let mut counts = Vec::new();
    for now in [at(0), at(0), at(1), at(2)] {
        counts.push(scene.claim(now, 10)?.len());
    }
    same(
        "batches claimed at 0, 0, 1 and 2 s under a limit of 2 a second",
        &counts,
        &[2, 0, 2, 2],
    )
}

fn full_batches(place: &Place) -> Held {
    let scene = Scene::open(place)?;
    let app = scene.app_with("app", |policy| {
        policy.batch_events_max = 2;
        policy.concurrency_full = 3;
    })?;
    scene.webhook(&app)?;
    scene.emit(&app, 0..3)?;
    let sizes = |claimed: Vec<Claimed>| -> Vec<usize> {
        claimed
            .iter()
            .map(|one| one.batch.positions.len())
            .collect()
    };
    let first = scene.claim(at(0), 10)?;
    same(
        "events in each batch, of three",
        &sizes(first.clone()),
        &[2],
    )?;
    scene.emit(&app, 3..9)?;
    scene.settle(at(0), answered(&first[0], at(0), 200))?;
    same(
        "events in each batch, of the seven left",
        &sizes(scene.claim(at(0), 10)?),
        &[2, 2, 2],
    )
}

fn fifo(place: &Place) -> Held {
    let scene = Scene::open(place)?;
    let app = scene.app_with("app", |policy| policy.batch_events_max = 1)?;
    scene.webhook_with(&app, |webhook| webhook.overrides.ordering = Ordering::Fifo)?;
    scene.emit(&app, 0..3)?;
    let first = scene.claim_one(at(0))?;
    scene.settle(at(0), answered(&first, at(0), 500))?;
    same(
        "batches claimed while the first waits",
        &scene.claim(just_before(at(60)), 10)?.len(),
        &0,
    )?;
    same(
        "the order of delivery",
        &scene.delivered(at(60))?.concat(),
        &["0", "1", "2"],
    )
}

fn one_probe(place: &Place) -> Held {
    let scene = Scene::open(place)?;
    let app = scene.app_with("app", |policy| {
        policy.batch_events_max = 1;
        policy.concurrency = 4;
    })?;
    scene.webhook(&app)?;
    scene.emit(&app, 0..9)?;
    for claimed in scene.claim(at(0), 4)? {
        scene.settle(at(0), answered(&claimed, at(0), 500))?;
    }
    let probe = scene.claim_one(at(60))?;
    same(
        "batches claimed while the probe is out",
        &scene.claim(at(60), 10)?.len(),
        &0,
    )?;
    scene.settle(at(61), answered(&probe, at(61), 200))?;
    let claimed = scene.claim(at(61), 10)?;
    hold((2..8).contains(&claimed.len()), || {
        format!(
            "after the probe succeeded {} batches were claimed at once, where a slow start was due",
            claimed.len()
        )
    })
}

fn class_shares(place: &Place) -> Held {
    let scene = Scene::open(place)?;
    let app = scene.app("app")?;
    let mut of_class: OfClass<Vec<WebhookId>> = OfClass::default();
    for (number, class, status) in [(0, Class::Well, 200), (1, Class::Failing, 500)] {
        let registered: Held<Vec<WebhookId>> = (0..3).map(|_| scene.webhook(&app)).collect();
        of_class[class.index()] = registered?;
        scene.emit(&app, number..number + 1)?;
        for claimed in scene.claim(at(0), 10)? {
            let was_well = of_class[Class::Well.index()].contains(&claimed.batch.webhook_id);
            let status = if was_well { 200 } else { status };
            scene.settle(at(0), answered(&claimed, at(0), status))?;
        }
    }
    let untried: Held<Vec<WebhookId>> = (0..3).map(|_| scene.webhook(&app)).collect();
    of_class[Class::Untried.index()] = untried?;
    scene.emit(&app, 2..3)?;
    let count = |claimed: &[Claimed]| {
        let mut counts = OfClass::<usize>::default();
        for one in claimed {
            counts[one.class.index()] += 1;
        }
        counts
    };
    let mut all = Vec::new();
    for class_max in [[1, 0, 0], [0, 2, 0], [0, 0, 1], [1, 1, 1]] {
        let request = ClaimRequest {
            batches_max: 10,
            class_max,
        };
        let claimed = scene
            .storage
            .exchange(at(60), scene.unique(), Vec::new(), Some(request))?;
        let claimed = claimed.claimed;
        same(
            "batches claimed of well, untried and failing webhooks, of three each, by what was asked for,",
            &count(&claimed),
            &class_max,
        )?;
        all.extend(claimed);
    }
    all.extend(scene.claim(at(60), 10)?);
    for one in &all {
        same(
            "whether a claimed batch is of its webhook's class",
            &of_class[one.class.index()].contains(&one.batch.webhook_id),
            &true,
        )?;
        scene.settle(at(61), answered(one, at(61), 200))?;
    }
    scene.emit(&app, 3..4)?;
    let claimed = scene.claim(at(61), 100)?;
    hold(claimed.len() >= 9, || {
        format!("{} batches were claimed of nine webhooks", claimed.len())
    })?;
    same(
        "batches of webhooks that are not well, when each has succeeded,",
        &count(&claimed)[1..].iter().sum::<usize>(),
        &0,
    )
}

fn apps_share(place: &Place) -> Held {
    let scene = Scene::open(place)?;
    let (busy, quiet) = (scene.app("busy")?, scene.app("quiet")?);
    for _ in 0..20 {
        scene.webhook(&busy)?;
    }
    scene.webhook(&quiet)?;
    scene.emit(&busy, 0..1)?;
    scene.emit(&quiet, 1..2)?;
    let claimed = scene.claim(at(0), 4)?;
    let of_quiet = claimed.iter().filter(|one| one.app.id == quiet).count();
    same(
        "batches of the quiet app in a claim of four, beside an app with twenty,",
        &(claimed.len(), of_quiet),
        &(4, 1),
    )
}

fn next_due(place: &Place) -> Held {
    let scene = Scene::open(place)?;
    let app = scene.app("app")?;
    scene.webhook(&app)?;
    let due = |now| -> Held<_> {
        let exchanged = scene.exchange(now, Vec::new(), 10)?;
        Ok((exchanged.claimed, exchanged.next_due))
    };
    same("what is due while nothing is owed", &due(at(0))?.1, &None)?;
    scene.emit(&app, 0..1)?;
    let claimed = scene.claim_one(at(0))?;
    same(
        "what is due while a batch is out: the end of its lease",
        &due(at(1))?.1,
        &claimed.batch.due_at,
    )?;
    scene.settle(at(1), answered(&claimed, at(1), 500))?;
    same(
        "what is due while a batch waits",
        &due(at(1))?.1,
        &Some(at(61)),
    )?;
    let claimed = scene.claim_one(at(61))?;
    scene.settle(at(61), answered(&claimed, at(61), 200))?;
    same("what is due when all is delivered", &due(at(62))?.1, &None)
}

fn clock_was_ahead(place: &Place) -> Held {
    let scene = Scene::open(place)?;
    let app = scene.app_with("app", |policy| policy.batch_events_max = 1)?;
    scene.webhook(&app)?;
    let (year, hour) = (at(365 * 86_400), at(3600));
    scene.emit(&app, 0..2)?;
    let waiting = scene.claim_one(year)?;
    scene.settle(year, answered(&waiting, year, 500))?;
    let out = scene.claim_one(year)?;
    let again = scene.claim_one(at(0))?;
    same(
        "the batch claimed when the clock was set back by a year",
        &again.batch.id,
        &waiting.batch.id,
    )?;
    scene.settle(at(0), answered(&again, at(0), 200))?;
    same(
        "the batch claimed an hour later, whose lease should have ended,",
        &scene.claim_one(hour)?.batch.id,
        &out.batch.id,
    )?;
    clock_was_ahead_of_two(&scene)
}

/// By a little for the first batch, whose time looks right, and by more for the second: once the clock is
/// right that one must not wait for the first, when its time would look right as well.
fn clock_was_ahead_of_two(scene: &Scene<'_>) -> Held {
    let app = scene.app_with("two", |policy| {
        (policy.concurrency, policy.batch_events_max) = (2, 1);
        policy.sick_after = 2;
    })?;
    scene.webhook(&app)?;
    let hours = |count: u64| at(count * 3600);
    scene.emit(&app, 10..12)?;
    let claimed = scene.claim(at(0), 10)?;
    let [first, second] = &claimed[..] else {
        let seen = format!("{} batches were claimed where two were due", claimed.len());
        return Err(Failure::new(seen));
    };
    scene.settle(hours(10), answered(first, hours(10), 500))?;
    scene.settle(hours(20), answered(second, hours(20), 500))?;
    same(
        "the batch claimed when the clock is right again, another being due in ten hours,",
        &scene.claim_one(at(1))?.batch.id,
        &second.batch.id,
    )
}
