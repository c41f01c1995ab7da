//! What a request must be, as the endpoint sees it.

use hookbox::model::{
    Base64Alphabet, BatchId, BatchStatus, JwkSet, SignatureScheme, SuccessRule, Timestamp,
};
use hookbox::signing::{StandardVerifier, keyring, rsa_pss_header, signed_digest};
use hookbox::transport::Request;
use hookbox::verify;

use super::super::chance::Chance;
use super::super::figures::Mark;
use super::super::keys::{secret, stamp};
use super::super::network::{Reply, Temper, header};
use super::super::script::Fault;
use super::super::time::SECOND;
use super::super::world::endpoint_of;
use super::Judge;
use super::exchange::millis;

/// For how long a box may go on with the keys that it read last.
const KEYS_KNOWN: i64 = 5 * SECOND;

/// A request as its receiver sees it.
fn seen(request: &Request) -> verify::Request<'_> {
    let headers = request.headers.iter().map(|(name, value)| (name, value));
    verify::Request::new(headers, &request.body)
}

impl Judge {
    /// A box begins a request for a batch at `now`, by its clock. Returns how the endpoint answers.
    pub fn requested(
        &mut self,
        id: BatchId,
        request: &Request,
        now: Timestamp,
        chance: &mut Chance,
    ) -> Reply {
        self.figures.requests += 1;
        let endpoint = endpoint_of(request.url.as_str());
        let (reply, fault) = self.endpoints[endpoint].answer(request, chance);
        if let Some(fault) = fault {
            self.figures.fault(fault);
        }
        let seconds = header(request, "webhook-timestamp");
        self.check("I21", seconds == now.as_seconds().to_string(), || {
            format!("webhook-timestamp is {seconds} at {now}")
        });
        let attempt = header(request, "webhook-attempt");
        let Ok(attempt) = attempt.parse::<u32>() else {
            self.violated("I21", format!("a request for {id}, attempt {attempt:?}"));
            return reply;
        };
        if !self.batches.contains_key(&id) {
            self.violated("I21", format!("a request for {id}, which nobody was given"));
            return reply;
        }
        let (name, expected) = (header(request, "webhook-id"), self.id_on_the_wire(id));
        self.check("I21", name == expected, || {
            format!("a request for {id} is named {name}, not {expected}")
        });
        self.judge_lease(id, attempt, now);
        self.judge_bytes(id, attempt, request, now);
        self.take_in(id, attempt, &reply);
        self.flying.insert(id, self.truth.now() + reply.after);
        self.note(|| {
            let what = match &reply.answer {
                Ok(response) => response.status.to_string(),
                Err(error) => error.kind.as_str().to_owned(),
            };
            format!(
                "sent {id} attempt {attempt} to e{endpoint}: {what} after {}",
                reply.after
            )
        });
        reply
    }

    /// As [`Self::requested`], with what the script has for it: it does not arrive, or its answer does
    /// not.
    pub fn attempted(
        &mut self,
        id: BatchId,
        request: &Request,
        now: Timestamp,
        fault: Option<Fault>,
        chance: &mut Chance,
    ) -> Reply {
        let endpoint = endpoint_of(request.url.as_str());
        let temper = self.endpoints[endpoint].temper;
        match fault {
            Some(Fault::FailsBefore) => self.endpoints[endpoint].temper = Temper::Dead,
            Some(Fault::FailsAfter) => self.endpoints[endpoint].temper = Temper::Lying,
            Some(Fault::CrashesBefore | Fault::CrashesAfter) | None => {}
        }
        let reply = self.requested(id, request, now, chance);
        self.endpoints[endpoint].temper = temper;
        reply
    }

    fn judge_lease(&mut self, id: BatchId, attempt: u32, now: Timestamp) {
        let row = &self.batches[&id].row;
        let (begun, timeout) = (row.attempts, millis(self.profile.delivery.timeout));
        // Boxes whose clocks differ cannot agree when a lease ends.
        let agree = !self.skewed || self.boxes == 1;
        if row.status == BatchStatus::Leased && begun == attempt && agree {
            let lease = row.due_at.map_or(0, Timestamp::as_millis);
            self.check("I9", now.as_millis() + timeout < lease, || {
                format!(
                    "{id} is begun at {} under a lease until {lease}",
                    now.as_millis()
                )
            });
        }
        self.check("I7", attempt >= 1 && attempt <= begun, || {
            format!("{id} is sent for the {attempt}th time, {begun} were begun")
        });
        // With a clock that is wrong, or a sender that hangs, two may be out: one of them is late. What
        // was cancelled goes out all the same when it was claimed, and may be resent beside it.
        let now = self.truth.now();
        let alone = self.flying.get(&id).is_none_or(|until| *until <= now);
        let excused = self.skewed || self.hangs || self.batches[&id].resends > 0;
        self.check("I8", alone || excused, || {
            format!("two requests for {id} are out at once")
        });
    }

    fn take_in(&mut self, id: BatchId, attempt: u32, reply: &Reply) {
        let status = reply.answer.as_ref().map_or(0, |response| response.status);
        let accepted = match self.profile.delivery.success {
            SuccessRule::Only200 => status == 200,
            SuccessRule::Any2xx => (200..300).contains(&status),
        };
        if accepted && status == 204 {
            self.mark(Mark::AcceptedWith204);
        }
        let Some(known) = self.batches.get_mut(&id) else {
            return;
        };
        let is_first = known.seen.insert(attempt);
        known.arrived += u32::from(reply.arrived);
        if accepted {
            known.accepted.insert(attempt);
        }
        let at_most_once = known.row.mode == hookbox::model::DeliveryMode::AtMostOnce;
        let (arrived, allowed) = (known.arrived, 1 + known.resends);
        let hook = &mut self.webhooks[known.webhook];
        let on_request = known.replays || known.resends > 0;
        for event in known.events.iter().filter(|_| accepted) {
            if hook.got.insert(*event) {
                self.figures.delivered += 1;
            } else if on_request {
                self.figures.on_request += 1;
            } else {
                self.figures.duplicates += 1;
            }
        }
        self.check("I6", is_first, || {
            format!("attempt {attempt} of {id} was sent twice")
        });
        self.check("I6", !at_most_once || arrived <= allowed, || {
            format!("{id} goes at most once and arrived {arrived} times")
        });
    }

    fn judge_bytes(&mut self, id: BatchId, attempt: u32, request: &Request, now: Timestamp) {
        let known = &self.batches[&id];
        let webhook = known.webhook;
        let same = known.body.as_bytes() == &request.body[..];
        let app = self.webhooks[webhook].app;
        let listens = known
            .events
            .iter()
            .all(|event| known.replays || self.webhooks[webhook].ever_owed.contains(event));
        self.check("I18", same, || {
            format!(
                "attempt {attempt} of {id} has other bytes: {:?}",
                request.body
            )
        });
        self.check("I18", listens, || {
            format!("{id} holds what its webhook never listened to")
        });
        match self.profile.signature {
            SignatureScheme::RsaPss { .. } => self.judge_key_signature(id, app, request, now),
            SignatureScheme::FingerprintHmac | SignatureScheme::StandardWebhooks => {
                self.judge_secret_signature(id, webhook, request, now);
            }
        }
    }

    fn judge_key_signature(&mut self, id: BatchId, app: usize, request: &Request, now: Timestamp) {
        let kid = header(request, "x-webhook-signature-key-id").to_owned();
        let published = self.published(app, now);
        let Some(jwk) = published.keys.iter().find(|jwk| jwk.kid == kid).cloned() else {
            self.check("I19", false, || {
                format!("{id} is signed with `{kid}`, which is not published")
            });
            return;
        };
        let verifies = if self.real_keys {
            let set = JwkSet { keys: vec![jwk] };
            let options = verify::Options::default();
            verify::verify_rsa_pss(&seen(request), &set, &options, now).is_ok()
        } else {
            self.is_stamped(&kid, request)
        };
        self.check("I20", verifies, || {
            format!("the signature of {id} is not one of its bytes")
        });
    }

    fn judge_secret_signature(
        &mut self,
        id: BatchId,
        webhook: usize,
        request: &Request,
        now: Timestamp,
    ) {
        let scheme = self.profile.signature;
        let Some(secret) = secret(scheme, &self.webhooks[webhook].token) else {
            return;
        };
        let options = verify::Options::default();
        let verified = if scheme == SignatureScheme::FingerprintHmac {
            self.mark(Mark::SignedForFingerprint);
            verify::verify_fingerprint_hmac(&seen(request), &[secret], &options)
        } else {
            self.mark(Mark::SignedByStandard);
            let verifier = [StandardVerifier::parse(&secret).unwrap()];
            verify::verify_standard_webhooks(&seen(request), &verifier, &options, now)
        };
        self.check("I20", verified.is_ok(), || {
            format!("the signature of {id} is not one of its bytes: {verified:?}")
        });
    }

    fn is_stamped(&self, kid: &str, request: &Request) -> bool {
        use Base64Alphabet::UrlSafe;
        use sha2::Digest;
        let digest: [u8; 32] = sha2::Sha256::digest(&request.body).into();
        let first = rsa_pss_header(&stamp(kid, &digest), UrlSafe);
        let (id, seconds) = (
            header(request, "webhook-id"),
            header(request, "webhook-timestamp"),
        );
        let digest = signed_digest(id, seconds.parse().unwrap_or(0), &request.body);
        let second = rsa_pss_header(&stamp(kid, &digest), UrlSafe);
        let has_second = matches!(
            self.profile.signature,
            SignatureScheme::RsaPss {
                replay_protection: true,
                ..
            }
        );
        header(request, "x-webhook-signature") == first
            && (!has_second || header(request, "x-webhook-signature-v2") == second)
    }

    /// The keys that are published at `now`, or were a moment ago.
    fn published(&self, app: usize, now: Timestamp) -> JwkSet {
        let (mut keys, earliest) = (Vec::new(), self.truth.now() - KEYS_KNOWN);
        for (index, (_, known)) in self.apps[app].keys.iter().enumerate().rev() {
            keys.extend(keyring::published(known, now).keys);
            // A clock that is set may find a list fresh that is not.
            let since = self.apps[app].keys[index].0;
            if since <= earliest && !self.skewed {
                break;
            }
        }
        JwkSet { keys }
    }
}

impl Judge {
    /// A batch's request is over, for better or worse.
    pub fn landed(&mut self, batch: BatchId) {
        self.flying.remove(&batch);
    }
}
