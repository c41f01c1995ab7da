//! From a request's head to its answer.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use bytes::Bytes;
use hookbox::api::{Request, Response};
use hookbox::clock::{Clock as _, SystemClock};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body as _, Incoming};
use hyper::header::{CONNECTION, HOST, HeaderValue};
use hyper::{StatusCode, Version};
use tokio::time::timeout;

use super::patient::Progress;
use super::{Happened, Shared};

/// Answers one request. Whatever goes wrong is an answer too.
pub(super) async fn answer(
    request: hyper::Request<Incoming>,
    peer: SocketAddr,
    shared: &Shared,
    progress: &Progress,
) -> hyper::Response<Full<Bytes>> {
    let begun = SystemClock.monotonic();
    let method = request.method().to_string();
    let path = request.uri().path().to_owned();
    let mut bytes_in = 0;
    let (response, close) = match receive(request, shared).await {
        Ok(request) => {
            bytes_in = request.body.len();
            (handle(request, &path, shared).await, false)
        }
        Err(refusal) => {
            progress.unread.store(refusal.close, Relaxed);
            let Refusal {
                status, message, ..
            } = refusal;
            (said(status, message), refusal.close)
        }
    };
    let bytes_out = response.body.len();
    let mut response = to_hyper(response);
    if close {
        let close = HeaderValue::from_static("close");
        response.headers_mut().insert(CONNECTION, close);
    }
    let status = response.status().as_u16();
    if let Some(count) = shared
        .counts
        .answers
        .get(usize::from(status / 100).wrapping_sub(1))
    {
        count.fetch_add(1, Relaxed);
    }
    (shared.on_event)(&Happened::Served {
        peer,
        method,
        path,
        status,
        bytes_in,
        bytes_out,
        took: SystemClock.monotonic().duration_since(begun),
    });
    response
}

/// A request that is not handed on.
struct Refusal {
    status: u16,
    message: &'static str,
    /// Not all of it was read, so nothing can follow it.
    close: bool,
}

const fn refuse(status: u16, message: &'static str) -> Refusal {
    Refusal {
        status,
        message,
        close: true,
    }
}

/// The whole request, within the limits.
async fn receive(request: hyper::Request<Incoming>, shared: &Shared) -> Result<Request, Refusal> {
    let limits = &shared.limits;
    let hosts = request.headers().get_all(HOST).iter().count();
    // RFC 9112 §3.2.
    if hosts > 1 || (hosts == 0 && request.version() == Version::HTTP_11) {
        return Err(refuse(400, "exactly one Host header is needed"));
    }
    let (head, body) = request.into_parts();
    let most = u64::try_from(limits.body_bytes).unwrap_or(u64::MAX);
    if body.size_hint().lower() > most {
        return Err(refuse(413, "the body is too large"));
    }
    let body = timeout(limits.body_time, read(body, limits.body_bytes)).await;
    let body = body.unwrap_or_else(|_| Err(refuse(408, "the body did not come in time")))?;
    let target = head.uri.path_and_query();
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    Ok(Request {
        method: head.method.to_string(),
        target: target.map_or_else(|| head.uri.to_string(), ToString::to_string),
        headers: head
            .headers
            .iter()
            .map(|(name, value)| (name.to_string(), text(value)))
            .collect(),
        body,
    })
}

/// A whole body. It is copied: kept as it comes, a body in chunks of a byte would take many times its size.
async fn read(mut body: Incoming, most: usize) -> Result<Vec<u8>, Refusal> {
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| refuse(400, "the body is not whole"))?;
        // The rest is trailers, which nobody asked for.
        if let Ok(data) = frame.into_data() {
            if data.len() > most - bytes.len() {
                return Err(refuse(413, "the body is too large"));
            }
            bytes.extend_from_slice(&data);
        }
    }
    Ok(bytes)
}

/// Hands a request to its lane, as soon as one of the lane's threads is free.
async fn handle(request: Request, path: &str, shared: &Shared) -> Response {
    let Some((lane, free)) = shared.lanes.iter().find(|(lane, _)| (lane.takes)(path)) else {
        return said(404, "nothing is here");
    };
    let permit = timeout(shared.limits.queue_time, Arc::clone(free).acquire_owned()).await;
    let Ok(Ok(permit)) = permit else {
        let mut busy = said(503, "all workers are busy");
        busy.headers.push(("retry-after".into(), "1".into()));
        return busy;
    };
    let answer = Arc::clone(&lane.handler);
    let task = tokio::task::spawn_blocking(move || {
        // Given back when the handler is done, even if nobody waits for it any more.
        let _permit = permit;
        answer(&request)
    });
    task.await
        .unwrap_or_else(|_| said(500, "the request panicked; please report it"))
}

/// An answer of the server's own.
fn said(status: u16, message: &str) -> Response {
    let code = match status {
        400 => "bad_request",
        404 => "not_found",
        408 => "request_timeout",
        413 => "payload_too_large",
        503 => "unavailable",
        _ => "internal_error",
    };
    Response {
        status,
        headers: vec![("content-type".into(), "application/json".into())],
        body: format!("{{\"code\":\"{code}\",\"message\":\"{message}\"}}").into_bytes(),
    }
}

/// A handler's answer as hyper takes it. One that is not HTTP is an internal error.
fn to_hyper(response: Response) -> hyper::Response<Full<Bytes>> {
    let body = Full::new(Bytes::from(response.body));
    let mut built = hyper::Response::builder().status(response.status);
    for (name, value) in &response.headers {
        built = built.header(name, value);
    }
    built.body(body).unwrap_or_else(|_| {
        let mut broken = hyper::Response::new(Full::default());
        *broken.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        broken
    })
}
