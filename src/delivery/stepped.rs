//! The engine without its threads: a simulator takes each step of it, in an order of its own.
//!
//! It is the same dispatcher over the same queue. What a thread would do by itself (wait for mail,
//! take the next batch, report) is a call here.

use std::sync::Arc;
use std::time::Duration;

use crate::model::{BatchId, Timestamp};
use crate::storage::Claimed;
use crate::transport::{Request, Response, TransportError};

use super::courier::Courier;
use super::dispatcher::Dispatcher;
use super::senders::{Begun, Senders};
use super::{EngineParts, Idle};

/// An engine that does nothing by itself.
pub struct SteppedEngine {
    parts: EngineParts,
    senders: Arc<Senders>,
    dispatcher: Dispatcher,
}

/// A request that a sender has begun.
#[derive(Debug)]
pub struct SteppedRequest {
    /// What is sent.
    pub request: Request,
    /// What it delivers.
    pub claimed: Claimed,
    /// When it began, by the box's clock.
    pub started: Timestamp,
    number: u64,
}

impl SteppedRequest {
    /// The batch it delivers.
    #[must_use]
    pub const fn batch_id(&self) -> BatchId {
        self.claimed.batch.id
    }
}

impl std::fmt::Debug for SteppedEngine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SteppedEngine").finish_non_exhaustive()
    }
}

impl SteppedEngine {
    pub(crate) fn new(parts: EngineParts) -> Self {
        parts.inbox.clear();
        let senders = Arc::<Senders>::default();
        Self {
            dispatcher: Dispatcher::new(parts.clone(), Arc::clone(&senders)),
            parts,
            senders,
        }
    }

    /// One round of the dispatcher, without waiting for mail. When it was told to stop and has done
    /// so, it says how many results the storage did not take.
    pub fn turn(&mut self) -> Option<usize> {
        let mail = self.dispatcher.next_mail(Duration::ZERO);
        self.dispatcher.turn(mail)
    }

    /// How long the dispatcher would wait now if no mail came.
    #[must_use]
    pub fn patience(&self) -> Duration {
        self.dispatcher.patience()
    }

    /// What the dispatcher says while it has nothing to do.
    #[must_use]
    pub fn idle(&self) -> Option<Idle> {
        self.dispatcher.idle()
    }

    /// A sender takes the next batch; `None` when there is none, or no sender is free. What cannot
    /// be sent is reported at once.
    pub fn begin(&mut self) -> Option<SteppedRequest> {
        loop {
            let Begun { claimed, number } = self.dispatcher.begin()?;
            let started = self.parts.clock.now();
            let unsent = if claimed.outlasts_attempt(started) {
                match self.parts.courier.prepare(&claimed, started) {
                    Ok(request) => {
                        return Some(SteppedRequest {
                            request,
                            claimed,
                            started,
                            number,
                        });
                    }
                    Err(error) => {
                        let courier = &self.parts.courier;
                        courier.settlement(&claimed, started, started, Err(error))
                    }
                }
            } else {
                Courier::release(&claimed)
            };
            self.senders
                .report(&self.parts, number, unsent, claimed.class);
        }
    }

    /// What came of a request.
    pub fn finish(&self, sent: &SteppedRequest, result: Result<Response, TransportError>) {
        let ended = self.parts.clock.now();
        let courier = &self.parts.courier;
        let settlement = courier.settlement(&sent.claimed, sent.started, ended, result);
        let class = sent.claimed.class;
        self.senders
            .report(&self.parts, sent.number, settlement, class);
    }

    /// Tells the dispatcher to end: it claims nothing more, and gives back what was not begun.
    pub fn stop(&self) {
        self.parts.inbox.stop();
    }
}
