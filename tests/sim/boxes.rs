//! A box of a run: the real facade and the real engine, over the run's data.

use std::sync::Arc;

use hookbox::clock::Clock;
use hookbox::model::{FailureKind, KeyId};
use hookbox::testing::{SteppedEngine, SteppedRequest};
use hookbox::transport::{Request, Response, Transport, TransportError};
use hookbox::{Delivery, Hookbox, Options};

use super::chance::{BoxRandom, Chance};
use super::keys;
use super::network::{Answer, Reply, failure, header};
use super::planted::Plant;
use super::script::Fault;
use super::time::{BoxClock, MINUTE};
use super::watch::{SharedJudge, Watch, lock};

/// A request that the engine has out.
#[derive(Debug)]
pub struct Flight {
    pub box_no: usize,
    pub sent: SteppedRequest,
    pub answer: Answer,
    /// When the sender reports.
    pub at: i64,
    pub keys_then: usize,
}

/// A request that the host sends by itself.
#[derive(Debug)]
pub struct Errand {
    pub delivery: Delivery,
    pub answer: Answer,
}

#[derive(Debug)]
pub struct Running {
    pub hooks: Hookbox,
    pub engine: SteppedEngine,
    pub clock: Arc<BoxClock>,
    pub watch: Arc<Watch>,
    pub errands: Vec<Errand>,
}

impl Running {
    pub fn open(options: Options, wire: Wire, watch: Arc<Watch>, seed: u64) -> Self {
        let clock = wire.clock.clone();
        let hooks = options
            .clock(clock.clone())
            .random(Arc::new(BoxRandom::new(seed)))
            .transport(Arc::new(wire))
            .open_storage(watch.clone())
            .unwrap();
        Self {
            engine: hooks.stepped_engine(),
            hooks,
            clock,
            watch,
            errands: Vec::new(),
        }
    }

    pub fn use_signer(&self, app: &str, kid: &KeyId) {
        self.hooks
            .register_signer(app, kid, keys::signer(kid))
            .unwrap();
    }
}

/// What `poll` and the challenges are sent by: the answer comes while the caller waits.
#[derive(Debug)]
pub struct Wire {
    pub judge: SharedJudge,
    pub watch: Arc<Watch>,
    pub clock: Arc<BoxClock>,
    pub chance: std::sync::Mutex<Chance>,
    pub plant: Option<Plant>,
}

impl Wire {
    /// A delivery of `poll`, which claims one batch at a time.
    fn deliver(&self, request: &Request) -> Answer {
        let spoiled = self.plant.and_then(|plant| plant.spoil(request));
        let request = spoiled.as_ref().unwrap_or(request);
        let mut judge = lock(&self.judge);
        let Some(batch) = judge.last_claimed else {
            judge.violated("I21", "a request, and nothing was ever claimed");
            return failure(FailureKind::Panic);
        };
        let Reply { answer, after, .. } =
            judge.requested(batch, request, self.clock.now(), &mut lock(&self.chance));
        judge.truth.advance(after);
        judge.landed(batch);
        answer
    }

    fn prove(&self, request: &Request) -> Answer {
        let fault = self.watch.fault();
        if fault.is_some_and(Fault::is_before) {
            self.watch.dies_of(fault);
            return failure(FailureKind::Connect);
        }
        let mut judge = lock(&self.judge);
        let truth = judge.truth.clone();
        let endpoint = super::world::endpoint_of(request.url.as_str());
        let answer = judge.endpoints[endpoint].prove(request, &truth);
        drop(judge);
        if fault.is_some() {
            self.watch.dies_of(fault);
            return failure(FailureKind::Reset);
        }
        match self.plant {
            Some(plant) => plant.prove(request, answer),
            None => answer,
        }
    }
}

impl Transport for Wire {
    fn send(&self, request: &Request) -> Result<Response, TransportError> {
        // Of all requests only deliveries are numbered.
        if header(request, "webhook-attempt").is_empty() {
            self.prove(request)
        } else {
            self.deliver(request)
        }
    }
}

/// How long a sender hangs, where it does.
pub fn hang(chance: &mut Chance) -> i64 {
    chance.between(1, 10) * MINUTE
}
