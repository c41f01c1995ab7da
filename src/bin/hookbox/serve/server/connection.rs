//! One connection, from its first byte to its end.

use std::convert::Infallible;
use std::error::Error as _;
use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::timeout;

use super::answer::answer;
use super::patient::{Patient, Progress};
use super::{Happened, Shared};

/// For how long, and how much, a connection is read on after its last answer: closed at once, the system
/// would take the answer back while the client still sends.
const LINGER_TIME: Duration = Duration::from_secs(1);
const LINGER_BYTES: usize = 4 * 1024 * 1024;

/// Headers of one request at most.
const HEADERS_MAX: usize = 64;

/// hyper reads into a buffer of this size at least; a head can be smaller.
const BUFFER_MIN: usize = 8192;

type Answering =
    Pin<Box<dyn Future<Output = Result<hyper::Response<Full<Bytes>>, Infallible>> + Send>>;

/// Serves a connection until either side ends it.
pub(super) async fn serve(
    stream: TcpStream,
    peer: SocketAddr,
    shared: &Arc<Shared>,
    mut stop: watch::Receiver<Option<Duration>>,
) {
    // Small answers go at once. Where this fails they come a little later.
    let _ = stream.set_nodelay(true);
    let limits = &shared.limits;
    let progress = Arc::<Progress>::default();
    let service = {
        let (shared, progress) = (Arc::clone(shared), Arc::clone(&progress));
        service_fn(move |request: hyper::Request<Incoming>| -> Answering {
            let (shared, progress) = (Arc::clone(&shared), Arc::clone(&progress));
            Box::pin(async move {
                progress.heard.store(false, Relaxed);
                progress.busy.store(true, Relaxed);
                let response = answer(request, peer, &shared, &progress).await;
                progress.busy.store(false, Relaxed);
                progress.answered.store(true, Relaxed);
                Ok(response)
            })
        })
    };
    let io = TokioIo::new(Patient::new(
        stream,
        Arc::clone(&progress),
        limits.write_time,
    ));
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head_time)
        .max_headers(HEADERS_MAX)
        .max_header_size(limits.head_bytes)
        .max_buf_size(limits.head_bytes.max(BUFFER_MIN) + BUFFER_MIN)
        .half_close(true)
        .serve_connection(io, service);
    let mut stopped = pin!(stop.wait_for(Option::is_some));
    let mut told = false;
    let ended = poll_fn(|context| {
        if !told && stopped.as_mut().poll(context).is_ready() {
            told = true;
            let is_quiet = !progress.heard.load(Relaxed) && !progress.busy.load(Relaxed);
            Pin::new(&mut connection).graceful_shutdown();
            // The last answer may still wait to be taken: then there is something to poll.
            if is_quiet && !progress.answered.load(Relaxed) {
                return Poll::Ready(None);
            }
        }
        connection.poll_without_shutdown(context).map(Some)
    })
    .await;
    let mut linger = progress.unread.load(Relaxed);
    if let Some(Err(error)) = ended {
        linger |= error.is_parse();
        if let Some(reason) = reason(&error, &progress) {
            shared.counts.cut.fetch_add(1, Relaxed);
            (shared.on_event)(&Happened::Cut { peer, reason });
        }
    }
    if linger {
        let stream = connection.into_parts().io.into_inner().into_stream();
        // Whether it worked or not, the connection is over.
        let _ = timeout(LINGER_TIME, drain(stream)).await;
    }
}

/// Says that nothing more is sent, and reads until the client has heard it.
async fn drain(mut stream: TcpStream) -> io::Result<()> {
    stream.shutdown().await?;
    let mut buffer = vec![0; BUFFER_MIN];
    let mut read = 0;
    while read < LINGER_BYTES {
        match stream.read(&mut buffer).await? {
            0 => break,
            more => read += more,
        }
    }
    Ok(())
}

/// Why a connection was cut; `None` when the client left by itself, or was idle for long.
fn reason(error: &hyper::Error, progress: &Progress) -> Option<&'static str> {
    let source = error.source().and_then(|source| source.downcast_ref());
    if error.is_timeout() {
        let is_idle = !progress.heard.load(Relaxed) && progress.answered.load(Relaxed);
        (!is_idle).then_some("the head did not come in time")
    } else if error.is_parse_too_large() {
        Some("the head is too large")
    } else if error.is_parse() {
        Some("not HTTP/1.1")
    } else if source.is_some_and(|error: &io::Error| error.kind() == io::ErrorKind::TimedOut) {
        Some("the answer was not taken in time")
    } else {
        None
    }
}
