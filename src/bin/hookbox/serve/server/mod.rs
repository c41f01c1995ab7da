//! A small HTTP/1.1 server: hyper on one thread that waits for sockets, and a bounded number of
//! threads that answer. This folder knows nothing of hookbox but the API's request and response.
//!
//! A client costs a connection and nothing else until all of its request has come; so a slow one holds no
//! thread. Every wait for a client has an end: for a head, for a body, for an answer to be taken.

mod answer;
mod connection;
mod patient;

use std::future::poll_fn;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::task::Poll;
use std::thread::JoinHandle;
use std::time::Duration;

use hookbox::api::{Request, Response};
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, watch};
use tokio::time::{sleep, timeout};

/// Answers a request. It may block; it is called on one of its lane's threads.
pub type Handler = Arc<dyn Fn(&Request) -> Response + Send + Sync>;

/// Told what happened, for the log. It is called on the thread that waits for sockets: it must not block.
pub type OnEvent = Arc<dyn Fn(&Happened) + Send + Sync>;

/// After a failed `accept` (no descriptor is left, say), wait this long before the next.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What one connection too many is told.
const FULL: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

/// What may be asked of the server at once, and for how long.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Connections; who comes beyond them is answered 503 and closed.
    pub connections: usize,
    /// Bytes of a request's head (its line and headers).
    pub head_bytes: usize,
    /// Bytes of a request's body.
    pub body_bytes: usize,
    /// For a whole head to come. It runs from the answer before, so it ends an idle connection too.
    pub head_time: Duration,
    /// For a whole body to come.
    pub body_time: Duration,
    /// For an answer to be taken.
    pub write_time: Duration,
    /// For a thread to be free.
    pub queue_time: Duration,
}

/// Some of the requests, who answers them, and on how many threads at once.
pub struct Lane {
    /// Whether a path (without its query) is this lane's.
    pub takes: fn(&str) -> bool,
    /// Who answers.
    pub handler: Handler,
    /// Threads at most.
    pub workers: usize,
}

/// What the log is told of. Of what a client sent there is only what may stand in a log.
#[derive(Debug, Clone)]
pub enum Happened {
    /// A request was answered.
    Served {
        peer: SocketAddr,
        method: String,
        /// Without the query.
        path: String,
        status: u16,
        bytes_in: usize,
        bytes_out: usize,
        /// From the end of the head to the answer.
        took: Duration,
    },
    /// A connection was cut, and why.
    Cut {
        peer: SocketAddr,
        reason: &'static str,
    },
    /// No connection could be accepted.
    NotAccepted { message: String },
}

/// The server's own numbers.
#[derive(Debug, Default)]
pub struct Counts {
    /// Connections that are open.
    pub connections: AtomicUsize,
    /// Connections that were refused because there were too many.
    pub refused: AtomicU64,
    /// Connections that were cut because the client took too long or broke the protocol.
    pub cut: AtomicU64,
    /// Answers by the hundreds of their status, from 1xx to 5xx.
    pub answers: [AtomicU64; 5],
}

/// A running server. Without [`Server::stop`] it runs as long as the process.
pub struct Server {
    address: SocketAddr,
    stop: watch::Sender<Option<Duration>>,
    thread: JoinHandle<bool>,
}

/// What the connections share.
struct Shared {
    limits: Limits,
    lanes: Vec<(Lane, Arc<Semaphore>)>,
    on_event: OnEvent,
    counts: Arc<Counts>,
}

impl Server {
    /// Serves on a listening socket. A request goes to the first lane that takes it; 404 when none does.
    ///
    /// # Errors
    /// When the operating system gives no thread, or not what waits for sockets.
    pub fn start(
        listener: TcpListener,
        lanes: Vec<Lane>,
        limits: Limits,
        counts: Arc<Counts>,
        on_event: OnEvent,
    ) -> io::Result<Self> {
        let address = listener.local_addr()?;
        listener.set_nonblocking(true)?;
        let threads = lanes.iter().map(|lane| lane.workers).sum();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .max_blocking_threads(threads)
            .thread_name("hookbox-answer")
            .build()?;
        let with_free = |lane: Lane| {
            let free = Arc::new(Semaphore::new(lane.workers));
            (lane, free)
        };
        let shared = Arc::new(Shared {
            limits,
            lanes: lanes.into_iter().map(with_free).collect(),
            on_event,
            counts,
        });
        let listener = {
            let _inside = runtime.enter();
            tokio::net::TcpListener::from_std(listener)?
        };
        let (stop, stopped) = watch::channel(None);
        let thread = std::thread::Builder::new()
            .name("hookbox-serve".to_owned())
            .spawn(move || {
                let ended = runtime.block_on(accept(listener, &shared, stopped));
                // A handler that still runs cannot be stopped; nobody waits for its answer.
                runtime.shutdown_background();
                ended
            })?;
        Ok(Self {
            address,
            stop,
            thread,
        })
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Accepts nothing more, closes what is idle, waits for at most `grace` for the requests in flight, and
    /// cuts what is left. Whether nothing was left.
    pub fn stop(self, grace: Duration) -> bool {
        // Without a receiver the thread has ended already.
        let _ = self.stop.send(Some(grace));
        self.thread.join().unwrap_or(false)
    }
}

/// Accepts until it is told to stop; then waits for the connections. Whether all of them ended.
async fn accept(
    listener: tokio::net::TcpListener,
    shared: &Arc<Shared>,
    mut stop: watch::Receiver<Option<Duration>>,
) -> bool {
    let most = u32::try_from(shared.limits.connections).unwrap_or(u32::MAX);
    let free = Arc::new(Semaphore::new(shared.limits.connections));
    while let Some(accepted) = unless_stopped(&mut stop, listener.accept()).await {
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                let message = error.to_string();
                (shared.on_event)(&Happened::NotAccepted { message });
                sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let Ok(permit) = Arc::clone(&free).try_acquire_owned() else {
            shared.counts.refused.fetch_add(1, Relaxed);
            refuse(&stream);
            continue;
        };
        let (shared, stop) = (Arc::clone(shared), stop.clone());
        tokio::spawn(async move {
            shared.counts.connections.fetch_add(1, Relaxed);
            connection::serve(stream, peer, &shared, stop).await;
            shared.counts.connections.fetch_sub(1, Relaxed);
            drop(permit);
        });
    }
    // From now on, who connects is refused by the system.
    drop(listener);
    let grace = stop.borrow().unwrap_or_default();
    timeout(grace, free.acquire_many(most)).await.is_ok()
}

/// Says so without waiting. What has come already is read, or the system would take the words back.
fn refuse(stream: &TcpStream) {
    // Whatever fails here, the connection is closed next.
    let _ = stream.try_read(&mut [0; 4096]);
    let _ = stream.try_write(FULL);
}

/// What a future brings; `None` when the server is told to stop before.
async fn unless_stopped<T>(
    stop: &mut watch::Receiver<Option<Duration>>,
    future: impl Future<Output = T>,
) -> Option<T> {
    let mut future = pin!(future);
    let mut stopped = pin!(stop.wait_for(Option::is_some));
    poll_fn(|context| {
        if let Poll::Ready(brought) = future.as_mut().poll(context) {
            return Poll::Ready(Some(brought));
        }
        stopped.as_mut().poll(context).map(|_| None)
    })
    .await
}
