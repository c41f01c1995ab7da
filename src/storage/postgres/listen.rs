//! Wake-ups between processes: LISTEN and NOTIFY on a connection of their own. Only a shortcut: what
//! gets lost is found by looking, twice a second.
//!
//! PostgreSQL lets one transaction commit at a time of those that notify, so emitting does not: it
//! asks this thread to tell the others, which does so at most once per tick, in a transaction of
//! its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use postgres::Client;
use postgres::fallible_iterator::FallibleIterator as _;

use super::connect::Connector;

/// How long the thread listens before it looks whether there is something to tell.
const TICK: Duration = Duration::from_millis(100);

/// Ticks between two tries to connect.
const RECONNECT_TICKS: u32 = 10;

pub(super) type SharedWake = Arc<dyn Fn() + Send + Sync>;

/// The listening thread; it ends when this is dropped.
pub(super) struct Listener {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    connector: Connector,
    wake: SharedWake,
    has_news: AtomicBool,
    stopping: AtomicBool,
}

impl std::fmt::Debug for Listener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Listener").finish_non_exhaustive()
    }
}

impl Listener {
    /// `None` when the operating system gives no thread: looking alone will do.
    pub(super) fn start(connector: Connector, wake: SharedWake) -> Option<Self> {
        let shared = Arc::new(Shared {
            connector,
            wake,
            has_news: AtomicBool::new(false),
            stopping: AtomicBool::new(false),
        });
        let of_thread = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("hookbox-listen".to_owned())
            .spawn(move || of_thread.run())
            .ok()?;
        Some(Self {
            shared,
            thread: Some(thread),
        })
    }

    /// Wakes this process's engine.
    pub(super) fn wake(&self) {
        (self.shared.wake)();
    }

    /// Wakes the other processes' engines, soon.
    pub(super) fn tell_others(&self) {
        self.shared.has_news.store(true, Ordering::Relaxed);
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // It does not panic; and if it did, there is nothing left for it to do.
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn run(&self) {
        while !self.is_stopping() {
            // Whatever went wrong: looking goes on meanwhile.
            let _ = self.listen();
            for _ in 0..RECONNECT_TICKS {
                if !self.is_stopping() {
                    std::thread::park_timeout(TICK);
                }
            }
        }
    }

    fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    /// Listens until stopped or the connection is lost.
    fn listen(&self) -> crate::Result<()> {
        let mut client = self.connector.client()?;
        let channel: String = client
            .query_one("SELECT 'hookbox_' || 'hookbox_event'::REGCLASS::OID", &[])?
            .try_get(0)?;
        client.batch_execute(&format!("LISTEN {channel}"))?;
        let our_pid: i32 = client
            .query_one("SELECT pg_backend_pid()", &[])?
            .try_get(0)?;
        // What came before is not heard of.
        (self.wake)();
        while !self.is_stopping() {
            if self.has_news.swap(false, Ordering::Relaxed) {
                client.batch_execute(&format!("NOTIFY {channel}"))?;
            }
            self.hear(&mut client, our_pid)?;
        }
        Ok(())
    }

    /// Listens for one tick.
    fn hear(&self, client: &mut Client, our_pid: i32) -> crate::Result<()> {
        let next = client.notifications().timeout_iter(TICK).next()?;
        if let Some(notification) = next {
            if notification.process_id() != our_pid {
                (self.wake)();
            }
        } else if client.is_closed() {
            let message = "the server closed the connection";
            let fault = crate::StorageFault::Io;
            return Err(crate::Error::storage(fault, message));
        }
        Ok(())
    }
}
