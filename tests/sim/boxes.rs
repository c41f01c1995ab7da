//! A box of a run: the real facade and the real engine, over the run's data.

use std::sync::Arc;

use hookbox::clock::Clock;
use hookbox::model::KeyId;
use hookbox::testing::{SteppedEngine, SteppedRequest};
use hookbox::transport::{Method, Request, Response, Transport, TransportError};
use hookbox::{Delivery, Hookbox, Options};

use super::chance::{BoxRandom, Chance};
use super::keys;
use super::network::{Answer, Reply};
use super::planted::Plant;
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
    pub clock: Arc<BoxClock>,
    pub chance: std::sync::Mutex<Chance>,
    pub plant: Option<Plant>,
}

impl Wire {
    fn deliver(&self, request: &Request) -> Answer {
        let spoiled = self.plant.and_then(|plant| plant.spoil(request));
        let request = spoiled.as_ref().unwrap_or(request);
        let Reply { answer, after, .. } =
            lock(&self.judge).requested(request, self.clock.now(), &mut lock(&self.chance));
        let mut judge = lock(&self.judge);
        judge.truth.advance(after);
        judge.landed(request);
        answer
    }
}

impl Transport for Wire {
    fn send(&self, request: &Request) -> Result<Response, TransportError> {
        match request.method {
            Method::Post => self.deliver(request),
            Method::Get => {
                let mut judge = lock(&self.judge);
                let truth = judge.truth.clone();
                let endpoint = super::world::endpoint_of(request.url.as_str());
                let answer = judge.endpoints[endpoint].prove(request, &truth);
                match self.plant {
                    Some(plant) => plant.prove(request, answer),
                    None => answer,
                }
            }
        }
    }
}

/// How long a sender hangs, where it does.
pub fn hang(chance: &mut Chance) -> i64 {
    chance.between(1, 10) * MINUTE
}
