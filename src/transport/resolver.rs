//! Looking names up, with a bound on how many lookups can hang.
//!
//! The system's resolver blocks, cannot be cancelled, and takes tens of seconds when a name server
//! is dead. A thread per lookup would let one bad domain pile up threads without end, so lookups
//! run on a few threads behind a bounded queue and callers wait no longer than they can afford.

use std::collections::VecDeque;
use std::fmt::{self, Debug};
use std::net::{SocketAddr, ToSocketAddrs};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::clock::monotonic_now;

/// Turns a host name into addresses.
pub trait Resolver: Debug + Send + Sync {
    /// All addresses of a name, in the order in which to try them, with the port set. May block.
    ///
    /// # Errors
    /// What went wrong, for people.
    fn resolve(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, String>;
}

/// The operating system's resolver (`getaddrinfo`), with its hosts file and its search rules.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemResolver;

impl Resolver for SystemResolver {
    fn resolve(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, String> {
        match (host, port).to_socket_addrs() {
            Ok(addresses) => Ok(addresses.collect()),
            Err(error) => Err(error.to_string()),
        }
    }
}

/// Threads that look names up. At most this many lookups can hang at a time; it takes as many
/// names with dead name servers to hold up the lookups of others.
const THREADS_MAX: usize = 32;

/// A thread with nothing to do for this long ends.
const IDLE_MAX: Duration = Duration::from_secs(30);

/// Lookups that wait for a thread.
const QUEUE_MAX: usize = 256;

/// Why a lookup gave no addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum LookupError {
    /// The resolver's own words.
    Failed(String),
    /// All threads hang in other lookups and the queue is full.
    Overloaded,
    /// The caller's time is up.
    TimedOut,
}

/// A few threads that look names up. They start as needed and end when idle for a while or when
/// the pool is dropped; one that hangs in the system's resolver at that moment is left behind, and
/// ends when that returns.
pub(crate) struct LookupPool {
    shared: Arc<Shared>,
}

struct Shared {
    resolver: Arc<dyn Resolver>,
    state: Mutex<State>,
    work: Condvar,
}

#[derive(Default)]
struct State {
    queue: VecDeque<Job>,
    threads: usize,
    idle: usize,
    closed: bool,
}

type Answer = Result<Vec<SocketAddr>, LookupError>;

struct Job {
    host: String,
    port: u16,
    /// When the caller gives up; a job past it is dropped unseen.
    deadline: Instant,
    answer: SyncSender<Answer>,
}

impl LookupPool {
    pub(crate) fn new(resolver: Arc<dyn Resolver>) -> Self {
        Self {
            shared: Arc::new(Shared {
                resolver,
                state: Mutex::default(),
                work: Condvar::new(),
            }),
        }
    }

    /// Looks a name up, waiting for at most `within`.
    pub(crate) fn lookup(&self, host: &str, port: u16, within: Duration) -> Answer {
        let answer = self.submit(host, port, within)?;
        match answer.recv_timeout(within) {
            Ok(answer) => answer,
            // The sender is gone without an answer: the job was dropped past its deadline.
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                Err(LookupError::TimedOut)
            }
        }
    }

    fn submit(
        &self,
        host: &str,
        port: u16,
        within: Duration,
    ) -> Result<Receiver<Answer>, LookupError> {
        let (sender, receiver) = sync_channel(1);
        let now = monotonic_now();
        let mut state = self.shared.lock();
        if state.queue.len() >= QUEUE_MAX {
            state.queue.retain(|job| job.deadline > now);
            if state.queue.len() >= QUEUE_MAX {
                return Err(LookupError::Overloaded);
            }
        }
        state.queue.push_back(Job {
            host: host.to_owned(),
            port,
            deadline: now + within,
            answer: sender,
        });
        if state.queue.len() > state.idle && state.threads < THREADS_MAX {
            let shared = Arc::clone(&self.shared);
            let started = std::thread::Builder::new()
                .name("hookbox-dns".to_owned())
                .spawn(move || shared.work());
            match started {
                Ok(_) => state.threads += 1,
                // Without any thread nobody would ever answer; otherwise it is only slower.
                Err(_) if state.threads == 0 => {
                    state.queue.clear();
                    return Err(LookupError::Overloaded);
                }
                Err(_) => {}
            }
        }
        drop(state);
        self.shared.work.notify_one();
        Ok(receiver)
    }
}

impl Shared {
    /// No code that can panic runs under the lock, so a poisoned one is intact.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A thread's life.
    fn work(&self) {
        while let Some(job) = self.next() {
            if job.deadline <= monotonic_now() {
                continue;
            }
            // A host's resolver may panic: that is one failed lookup, not a lost thread.
            let answer = catch_unwind(AssertUnwindSafe(|| {
                self.resolver.resolve(&job.host, job.port)
            }))
            .unwrap_or_else(|_| Err("the resolver panicked".to_owned()))
            .map_err(LookupError::Failed);
            // The caller may have gone: nobody wants the answer then.
            let _ = job.answer.send(answer);
        }
    }

    fn next(&self) -> Option<Job> {
        let mut state = self.lock();
        loop {
            if state.closed {
                state.threads -= 1;
                return None;
            }
            if let Some(job) = state.queue.pop_front() {
                return Some(job);
            }
            state.idle += 1;
            let (woken, timeout) = self
                .work
                .wait_timeout(state, IDLE_MAX)
                .unwrap_or_else(PoisonError::into_inner);
            state = woken;
            state.idle -= 1;
            // A job may have come in the meantime, counting on this thread.
            if timeout.timed_out() && state.queue.is_empty() {
                state.threads -= 1;
                return None;
            }
        }
    }
}

impl Drop for LookupPool {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.closed = true;
        state.queue.clear();
        drop(state);
        self.shared.work.notify_all();
    }
}

impl Debug for LookupPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LookupPool")
            .field("resolver", &self.shared.resolver)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::{Sender, channel};

    const LONG: Duration = Duration::from_secs(10);
    const SHORT: Duration = Duration::from_millis(20);

    /// Answers names that begin with `ok`, panics on `panic`, and hangs on all others until its
    /// gate is dropped.
    #[derive(Debug)]
    struct Fake {
        entered: Mutex<Sender<()>>,
        gate: Mutex<Option<Receiver<()>>>,
    }

    impl Resolver for Fake {
        fn resolve(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, String> {
            if host.starts_with("ok") {
                return Ok(vec![([192, 0, 2, 1], port).into()]);
            }
            assert_ne!(host, "panic", "as asked");
            let _ = self.entered.lock().unwrap().send(());
            if let Some(gate) = self.gate.lock().unwrap().as_ref() {
                let _ = gate.recv();
            }
            Err("no such name".to_owned())
        }
    }

    fn pool() -> (LookupPool, Receiver<()>, Sender<()>) {
        let (entered, entries) = channel();
        let (gate, waiting) = channel();
        let fake = Fake {
            entered: Mutex::new(entered),
            gate: Mutex::new(Some(waiting)),
        };
        (LookupPool::new(Arc::new(fake)), entries, gate)
    }

    #[test]
    fn answers_and_failures() {
        let (pool, _, gate) = pool();
        drop(gate);
        assert_eq!(
            pool.lookup("ok", 443, LONG),
            Ok(vec!["192.0.2.1:443".parse().unwrap()])
        );
        let failed = pool.lookup("none", 443, LONG);
        assert_eq!(failed, Err(LookupError::Failed("no such name".into())));
        let failed = pool.lookup("panic", 443, LONG);
        assert_eq!(
            failed,
            Err(LookupError::Failed("the resolver panicked".into()))
        );
        assert!(pool.lookup("ok", 443, LONG).is_ok());
    }

    #[test]
    fn hanging_lookups_are_bounded() {
        let (pool, entries, gate) = pool();
        for _ in 0..THREADS_MAX {
            drop(pool.submit("slow", 1, LONG).unwrap());
            entries.recv_timeout(LONG).unwrap();
        }
        assert_eq!(pool.lookup("ok", 1, SHORT), Err(LookupError::TimedOut));
        let waiting: Vec<_> = (0..QUEUE_MAX)
            .map(|_| pool.submit("ok", 1, LONG).unwrap())
            .collect();
        assert_eq!(pool.shared.lock().threads, THREADS_MAX);
        let more = pool.lookup("ok", 1, LONG);
        assert_eq!(more, Err(LookupError::Overloaded));
        // Once the resolver comes back, everybody still waiting is answered.
        drop(gate);
        for answer in waiting {
            assert!(answer.recv_timeout(LONG).unwrap().is_ok());
        }
    }

    #[test]
    fn jobs_past_their_deadline_make_room() {
        let (pool, _, gate) = pool();
        for _ in 0..THREADS_MAX {
            drop(pool.submit("slow", 1, LONG).unwrap());
        }
        for _ in 0..(2 * QUEUE_MAX) {
            drop(pool.submit("ok", 1, Duration::ZERO).unwrap());
        }
        drop(gate);
        assert!(pool.lookup("ok", 1, LONG).is_ok());
    }

    #[test]
    fn threads_end_with_the_pool() {
        let (pool, _, gate) = pool();
        drop(gate);
        pool.lookup("ok", 1, LONG).unwrap();
        let shared = Arc::downgrade(&pool.shared);
        drop(pool);
        let deadline = monotonic_now() + LONG;
        while shared.strong_count() > 0 {
            assert!(monotonic_now() < deadline, "a thread is left");
            std::thread::yield_now();
        }
    }
}
