//! Delivering: on hookbox's threads, on the host's thread, or by the host's own HTTP client.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use crate::delivery::{Courier, Engine, Idle, on_our_thread};
use crate::error::{Error, Result, StorageFault};
use crate::model::{BatchId, OfClass, Timestamp};
use crate::storage::{ClaimRequest, Claimed, Exchanged, Settlement};
use crate::sync::atomic::Ordering;
use crate::transport::{Request, Response, TransportError};

use super::{Hookbox, lock};

/// Whom a poll asks for a batch: webhooks that are well; if there is none, or it is their turn, also
/// untried ones; then also failing ones. Of those asked the last come first.
const POLL_REACH: [OfClass<usize>; 3] = [[1, 0, 0], [1, 1, 0], [1, 1, 1]];
const POLL_TURNS: [usize; 4] = [0, 1, 0, 2];

/// What a poll did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Polled {
    /// Requests made.
    pub attempts: usize,
    /// When to poll again at the latest; `None` when nothing is waiting for a time.
    pub next_due: Option<Timestamp>,
}

/// A signed request that the host sends by itself.
#[derive(Debug)]
pub struct Delivery {
    claimed: Claimed,
    /// The request. Send it as it is; follow no redirect; keep its timeout.
    pub request: Request,
    started: Timestamp,
}

impl Delivery {
    /// The batch it delivers.
    #[must_use]
    pub const fn batch_id(&self) -> BatchId {
        self.claimed.batch.id
    }

    /// Its result must be settled before this time, or the batch goes to somebody else.
    #[must_use]
    pub fn lease_until(&self) -> Timestamp {
        self.claimed.batch.due_at.unwrap_or(self.started)
    }
}

impl Hookbox {
    /// Starts the threads: a dispatcher and [`super::Options::workers`] senders. Starting twice
    /// changes nothing.
    ///
    /// # Errors
    /// [`Error::ReadOnly`]; [`Error::Forked`]; [`Error::Unsupported`] from a callback on one of hookbox's own
    /// threads; [`Error::Internal`] when the operating system gives no thread.
    pub fn start(&self) -> Result<()> {
        self.process.check()?;
        refuse_our_threads()?;
        if self.storage.is_read_only() {
            return Err(Error::ReadOnly);
        }
        let mut running = lock(&self.engine);
        if running.as_ref().is_some_and(Engine::has_ended)
            && let Some(dead) = running.take()
        {
            // Results that it left are lost with it: their leases end by themselves.
            self.end(dead, Duration::ZERO)?;
        }
        if running.is_none() {
            *running = Some(Engine::start(&self.parts())?);
        }
        self.started.store(true, Ordering::SeqCst);
        Ok(())
    }

    /// Stops the threads: claims nothing more, waits up to `drain` for requests in flight and
    /// breaks them then, and stores every result. When it returns no thread of hookbox runs. May be
    /// started again. Other calls of this and of [`Hookbox::start`] wait until it is over.
    ///
    /// # Errors
    /// [`Error::Storage`] when the storage took no more results: what they belong to is sent again
    /// when its lease ends. [`Error::InvalidRequest`] when the transport cannot be made anew after it
    /// was broken. [`Error::Unsupported`] from a callback on one of hookbox's own threads.
    /// [`Error::Forked`].
    pub fn stop(&self, drain: Duration) -> Result<()> {
        self.process.check()?;
        refuse_our_threads()?;
        // Held to the end: an engine that starts meanwhile would share this one's inbox.
        let mut running = lock(&self.engine);
        self.started.store(false, Ordering::SeqCst);
        let Some(engine) = running.take() else {
            return Ok(());
        };
        match self.end(engine, drain)? {
            0 => Ok(()),
            unstored => {
                let message = format!("{unstored} results could not be stored");
                Err(Error::storage(StorageFault::Io, message))
            }
        }
    }

    /// Ends an engine, and makes the transport anew where it had to be broken. Returns how many
    /// results the storage did not take.
    fn end(&self, engine: Engine, drain: Duration) -> Result<usize> {
        let stopped = engine.stop(drain);
        if stopped.broken {
            let mut courier = lock(&self.courier);
            let transport = self.options.make_transport()?;
            *courier = Arc::new(Courier {
                transport,
                storage: Arc::clone(&courier.storage),
                keys: Arc::clone(&courier.keys),
                sealer: Arc::clone(&courier.sealer),
                clock: Arc::clone(&courier.clock),
                contents: Arc::clone(&courier.contents),
                counters: Arc::clone(&self.counters),
            });
        }
        Ok(stopped.unstored)
    }

    /// The engine of [`Hookbox::start`] without its threads: the caller takes each step.
    #[cfg(feature = "testing")]
    #[must_use]
    pub fn stepped_engine(&self) -> crate::delivery::SteppedEngine {
        crate::delivery::SteppedEngine::new(self.parts())
    }

    /// Tells the threads that something may be due: after a commit of the host's own that emitted.
    /// Never needed after a call of this struct.
    pub fn wake(&self) {
        self.inbox.wake();
    }

    /// Delivers on the calling thread what is due at `now`, or becomes due meanwhile, one request
    /// after the other, and says when to call again. For hosts that want no threads of ours; `now`
    /// is usually the clock's time.
    ///
    /// # Errors
    /// Storage errors. A request that was made is then not recorded, and is made again when its
    /// lease ends.
    pub fn poll(&self, now: Timestamp) -> Result<Polled> {
        let mut attempts = 0;
        let mut results = Vec::new();
        let mut reach = POLL_TURNS[0];
        let interrupts = self.inbox.interrupts();
        loop {
            // Requests take time, and a lease counts from the claim.
            let now = now.max(self.now());
            // One at a time: nothing is ever claimed that is not sent at once. Each class gets its turns,
            // and what the others leave.
            let claim = ClaimRequest {
                batches_max: 1,
                class_max: POLL_REACH[reach],
            };
            let go_on = self.inbox.interrupts() == interrupts;
            let claim = Some(claim).filter(|_| go_on);
            let exchanged = self.exchange(now, std::mem::take(&mut results), claim)?;
            match exchanged.claimed.first() {
                Some(claimed) => {
                    attempts += 1;
                    results.push(self.courier().deliver(claimed));
                    reach = POLL_TURNS[attempts % POLL_TURNS.len()];
                }
                None if !go_on => {
                    return Ok(Polled {
                        attempts,
                        next_due: Some(now),
                    });
                }
                None if exchanged.more => {}
                None if reach + 1 < POLL_REACH.len() => reach += 1,
                None => {
                    return Ok(Polled {
                        attempts,
                        next_due: exchanged.next_due,
                    });
                }
            }
        }
    }

    /// Makes calls of [`Hookbox::poll`] and [`Hookbox::wait_idle`] that other threads have under way
    /// return soon: the former after the request at hand, the latter at once.
    pub fn interrupt(&self) {
        self.inbox.interrupt();
    }

    /// Waits for at most `patience` until the threads have nothing to do: nothing in flight, nothing
    /// due. `None` when they still have, or are not running. For scripts and tests: what another
    /// process emits in the last half second may not have been seen.
    #[must_use]
    pub fn wait_idle(&self, patience: Duration) -> Option<Idle> {
        self.inbox.wait_idle(patience)
    }

    /// Claims up to `max` batches for the host to send with its own HTTP client: 1 to 1000. Settle
    /// each before its lease ends.
    ///
    /// # Errors
    /// [`Error::InvalidRequest`]; storage errors.
    pub fn claim(&self, max: usize) -> Result<Vec<Delivery>> {
        if !(1..=1000).contains(&max) {
            return Err(Error::invalid("max", "must be 1 to 1000"));
        }
        let now = self.now();
        let exchanged = self.exchange(now, Vec::new(), Some(ClaimRequest::any(max)))?;
        let courier = self.courier();
        let (mut deliveries, mut failed) = (Vec::new(), Vec::new());
        for claimed in exchanged.claimed {
            match courier.prepare(&claimed, now) {
                Ok(request) => deliveries.push(Delivery {
                    claimed,
                    request,
                    started: now,
                }),
                Err(error) => failed.push(courier.settlement(&claimed, now, now, Err(error))),
            }
        }
        // What was prepared is the host's to send, even if this fails: those leases end by themselves.
        match self.exchange(now, failed, None) {
            Err(error) if deliveries.is_empty() => Err(error),
            _ => Ok(deliveries),
        }
    }

    /// Records what came of a claimed delivery.
    ///
    /// # Errors
    /// [`Error::LeaseLost`] when it came too late. Storage errors: settle again.
    pub fn settle(
        &self,
        delivery: &Delivery,
        result: std::result::Result<Response, TransportError>,
    ) -> Result<()> {
        let now = self.now();
        let (claimed, started) = (&delivery.claimed, delivery.started);
        let settlement = self.courier().settlement(claimed, started, now, result);
        let exchanged = self.exchange(now, vec![settlement], None)?;
        if exchanged.lost.is_empty() {
            self.wake();
            Ok(())
        } else {
            Err(Error::LeaseLost(delivery.batch_id()))
        }
    }

    fn exchange(
        &self,
        now: Timestamp,
        results: Vec<Settlement>,
        claim: Option<ClaimRequest>,
    ) -> Result<Exchanged> {
        let seed = self.options.random.seed()?;
        let clock = self.options.clock.as_ref();
        let exchanged = self
            .counters
            .exchange(clock, || self.storage.exchange(now, seed, results, claim))?;
        if !exchanged.notices.is_empty() {
            let parts = self.parts();
            exchanged
                .notices
                .iter()
                .for_each(|notice| parts.notify(notice));
        }
        Ok(exchanged)
    }
}

/// A thread of ours that waited for itself to end would wait for ever.
fn refuse_our_threads() -> Result<()> {
    if on_our_thread() {
        let message = "start and stop the box from a thread of the host's own";
        return Err(Error::Unsupported(message.into()));
    }
    Ok(())
}

impl Drop for Hookbox {
    fn drop(&mut self) {
        if self.process.is_current() {
            // Nobody is left to hear of an error.
            let _ = self.stop(Duration::ZERO);
            return;
        }
        // The threads did not come along, and would be waited for in vain; closing connections would
        // say goodbye in the parent's name. All of it is leaked.
        let engine = self.engine.get_mut();
        std::mem::forget(engine.unwrap_or_else(PoisonError::into_inner).take());
        let courier = self.courier.get_mut();
        std::mem::forget(Arc::clone(courier.unwrap_or_else(PoisonError::into_inner)));
    }
}
