//! What hosts do to webhooks.

use hookbox::Hookbox;
use hookbox::model::{
    Envelope, Header, NewWebhook, Ordering, Overrides, RateLimit, Secret, Timestamp, Verification,
    WebhookId, WebhookUpdate,
};

use super::figures::Mark;
use super::judge::Webhook;
use super::judge::log::Came;
use super::keys::secret;
use super::network::NAMED;
use super::steps::{Step, came, environment, event_type, events, name_of};
use super::time::DAY;
use super::watch::lock;
use super::world::{APPS, ENVIRONMENTS, TYPES, World, url_of};

impl World {
    pub fn create(&mut self, box_no: usize) {
        let app = self.chance.below(self.plan.apps);
        {
            let judge = lock(&self.judge);
            let of_apps = judge.webhooks.iter().filter(|hook| !hook.deleted_with_app);
            if of_apps.count() >= 8 || judge.webhooks.len() >= 24 {
                return;
            }
        }
        self.counter += 1;
        let token = format!("token-{}", self.counter);
        let endpoint = self.chance.below(self.plan.tempers.len());
        let types = self.types();
        let mut new = NewWebhook::new(url_of(endpoint))
            .token(token.clone())
            .events(events(types.as_ref()));
        new.environment = environment(self.chance.pick(&[0, 0, 1, 2]));
        if self.chance.per_mille(200) {
            new.overrides = Overrides {
                ordering: Ordering::Fifo,
                ..Overrides::default()
            };
        }
        if self.plan.paced > 0 && self.chance.per_mille(self.plan.paced) {
            let per_second = self.chance.pick(&[1, 2, 5]);
            new.overrides.rate_limit = Some(RateLimit { per_second });
            lock(&self.judge).paces.insert(token.clone(), per_second);
        }
        let profile = &self.plan.profile;
        new.signing_secret = secret(profile.signature, &token);
        if profile.envelope != Envelope::Batch {
            new.headers.push(Header {
                name: NAMED.into(),
                value: Secret::new(token.clone()),
            });
        }
        // The judge reads it back from here.
        new.description = token;
        let running = self.running(box_no);
        let result = running.hooks.create_webhook(APPS[app], new);
        let came = came(result, running.watch.has_crashed());
        let mut judge = lock(&self.judge);
        judge.note(|| format!("creates a webhook for e{endpoint}: {}", name_of(&came)));
        if matches!(came, Came::Done(_)) {
            judge.judge_types(types.as_ref(), None);
        }
        judge.read_webhooks(app, matches!(came, Came::Done(_) | Came::Unknown));
    }

    /// Changes a webhook that is there.
    pub fn edit(&mut self, step: Step, box_no: usize) {
        let there: Vec<usize> = {
            let judge = lock(&self.judge);
            let all = judge.webhooks.iter().enumerate();
            all.filter(|(_, hook)| !hook.deleted)
                .map(|(index, _)| index)
                .collect()
        };
        if there.is_empty() {
            return;
        }
        let index = self.chance.pick(&there);
        let one = self.chance.below(TYPES.len());
        let (types, environment_no) = (self.types(), self.chance.below(ENVIRONMENTS.len()));
        let endpoint = self.chance.below(self.plan.tempers.len());
        let moves = self.chance.per_mille(300);
        let needs_proof = self.plan.profile.verification != Verification::None;
        let update = WebhookUpdate {
            events: Some(events(types.as_ref())),
            environment: Some(environment(environment_no)),
            url: moves.then(|| url_of(endpoint)),
            ..WebhookUpdate::default()
        };
        let since = Timestamp::from_millis(self.truth.now() - self.chance.between(0, 2 * DAY));
        match step {
            Step::Activate => self.change(
                index,
                box_no,
                "activates",
                |hooks, app, id| hooks.activate(app, id).map(drop),
                |hook| (hook.verified, hook.enabled) = (true, true),
            ),
            Step::Deactivate => self.change(
                index,
                box_no,
                "deactivates",
                |hooks, app, id| hooks.deactivate(app, id).map(drop),
                |hook| hook.enabled = false,
            ),
            Step::Subscribe => self.change(
                index,
                box_no,
                "subscribes",
                |hooks, app, id| hooks.add_event_type(app, id, &event_type(one)).map(drop),
                |hook| hook.types.iter_mut().for_each(|types| types.extend([one])),
            ),
            Step::Unsubscribe => self.change(
                index,
                box_no,
                "unsubscribes",
                |hooks, app, id| hooks.remove_event_type(app, id, &event_type(one)).map(drop),
                |hook| {
                    hook.types
                        .iter_mut()
                        .for_each(|types| types.retain(|kept| *kept != one));
                },
            ),
            Step::Update => self.change(
                index,
                box_no,
                "updates",
                |hooks, app, id| hooks.update_webhook(app, id, update).map(drop),
                |hook| {
                    (hook.types, hook.environment) = (types, environment_no);
                    if moves && hook.endpoint != endpoint {
                        hook.endpoint = endpoint;
                        hook.verified &= !needs_proof;
                    }
                },
            ),
            Step::Delete => self.change(
                index,
                box_no,
                "deletes",
                |hooks, app, id| hooks.delete_webhook(app, id),
                |_| {},
            ),
            _ => self.change(
                index,
                box_no,
                "replays",
                |hooks, app, id| hooks.replay(app, id, since).map(drop),
                |_| {},
            ),
        }
    }

    pub fn change(
        &mut self,
        index: usize,
        box_no: usize,
        what: &str,
        call: impl FnOnce(&Hookbox, &str, &WebhookId) -> hookbox::Result<()>,
        apply: impl FnOnce(&mut Webhook),
    ) {
        let (app, id) = {
            let judge = lock(&self.judge);
            (judge.webhooks[index].app, judge.webhooks[index].id.clone())
        };
        let running = self.running(box_no);
        let result = call(&running.hooks, APPS[app], &id);
        let came = came(result, running.watch.has_crashed());
        let mut judge = lock(&self.judge);
        judge.note(|| format!("{what} {id}: {}", name_of(&came)));
        if let Came::Refused(error) = &came
            && error.code() == "webhook_activation_failed"
        {
            judge.mark(Mark::ChallengeFailed);
        }
        let may_replay = what == "replays" && !matches!(came, Came::Failed | Came::Refused(_));
        if may_replay {
            judge.replayed(index);
        }
        match came {
            Came::Done(()) if what == "deletes" => judge.after_delete(index),
            Came::Done(()) => {
                let hook = &mut judge.webhooks[index];
                let (was_active, was_verified) = (hook.is_active(), hook.verified);
                let heard = hook.types.clone();
                apply(hook);
                let hears = hook.types.clone();
                let unverified = was_verified && !hook.verified;
                judge.read_webhooks(app, false);
                judge.after_edit(index, was_active);
                if unverified {
                    judge.mark(Mark::UrlUnverified);
                }
                judge.judge_types(hears.as_ref(), heard.as_ref());
                if what == "activates" && judge.profile.verification == Verification::PostTestEvent
                {
                    judge.mark(Mark::ProvedByTestEvent);
                }
            }
            Came::Unknown => judge.read_webhooks(app, true),
            Came::Refused(_) | Came::Failed => judge.read_webhooks(app, false),
        }
    }

    /// The hosts switch everything on.
    pub fn wake_all(&mut self) {
        let box_no = self.boxes.iter().position(Option::is_some).unwrap_or(0);
        for (app, name) in APPS.into_iter().enumerate().take(self.plan.apps) {
            // Enabling an app has all its webhooks looked at: that would hide who is forgotten.
            let (enabled, gone) = {
                let judge = lock(&self.judge);
                (judge.apps[app].enabled, judge.apps[app].gone)
            };
            if enabled || gone {
                continue;
            }
            self.running(box_no).hooks.enable_app(name).unwrap();
            lock(&self.judge).apps[app].enabled = true;
        }
        let webhooks = lock(&self.judge).webhooks.len();
        for index in 0..webhooks {
            let hook_is_off = {
                let judge = lock(&self.judge);
                !judge.webhooks[index].deleted && !judge.webhooks[index].is_active()
            };
            if hook_is_off && self.chance.coin() {
                self.change(
                    index,
                    box_no,
                    "activates",
                    |hooks, app, id| hooks.activate(app, id).map(drop),
                    |hook| (hook.verified, hook.enabled) = (true, true),
                );
            }
        }
    }
}
