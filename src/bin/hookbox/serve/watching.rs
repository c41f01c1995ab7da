//! `/healthz` and `/metrics`: for whoever watches the server. Neither needs a key; neither names an app, a
//! webhook or a URL.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use hookbox::Hookbox;
use hookbox::api::{Request, Response};
use hookbox::metrics::{Exposition, MetricKind, Metrics};

use super::server::{Counts, Handler};

const HEALTH: &str = "/healthz";
const METRICS: &str = "/metrics";

/// Whether a path is one of these.
pub fn takes(path: &str) -> bool {
    [HEALTH, METRICS].contains(&path)
}

/// Answers both.
pub fn watching(hooks: Arc<Hookbox>, counts: Arc<Counts>) -> Handler {
    Arc::new(move |request| answer(request, &hooks, &counts))
}

fn answer(request: &Request, hooks: &Hookbox, counts: &Counts) -> Response {
    if !["GET", "HEAD"].contains(&request.method.as_str()) {
        let mut refused = text(405, "text/plain", "GET only\n".to_owned());
        refused.headers.push(("allow".into(), "GET, HEAD".into()));
        return refused;
    }
    let path = request.target.split('?').next().unwrap_or_default();
    if path == METRICS {
        let mut exposition = Exposition::new();
        hooks.metrics().expose(&mut exposition);
        expose(counts, &mut exposition);
        return text(200, Exposition::CONTENT_TYPE, exposition.into_text());
    }
    match fault(&hooks.metrics()) {
        None => text(200, "application/json", "{\"status\":\"ok\"}\n".to_owned()),
        Some(reason) => {
            let mut body = String::new();
            // Writing to a string cannot fail.
            let _ = writeln!(body, "{{\"status\":\"failing\",\"reason\":\"{reason}\"}}");
            text(503, "application/json", body)
        }
    }
}

/// What keeps the box from its work.
const fn fault(metrics: &Metrics) -> Option<&'static str> {
    if metrics.storage.is_none() {
        Some("the storage does not answer")
    } else if !metrics.engine_running {
        Some("the engine does not run")
    } else if metrics.storage_stalled {
        Some("the storage takes no writes")
    } else {
        None
    }
}

/// The server's own numbers.
fn expose(counts: &Counts, to: &mut Exposition) {
    use MetricKind::{Counter, Gauge};
    let names = ["1xx", "2xx", "3xx", "4xx", "5xx"];
    let answers = names.into_iter().zip(&counts.answers);
    let answers: Vec<_> = answers
        .map(|(name, count)| (name, count.load(Relaxed)))
        .collect();
    to.add_labelled(
        "hookbox_http_requests_total",
        "Requests answered by the server, by the status of the answer.",
        Counter,
        "status",
        &answers,
    );
    to.add(
        "hookbox_http_connections",
        "Connections that clients have open.",
        Gauge,
        counts.connections.load(Relaxed) as u64,
    );
    to.add(
        "hookbox_http_connections_refused_total",
        "Connections beyond the limit.",
        Counter,
        counts.refused.load(Relaxed),
    );
    to.add(
        "hookbox_http_connections_cut_total",
        "Connections cut because the client was too slow, or did not speak HTTP.",
        Counter,
        counts.cut.load(Relaxed),
    );
}

fn text(status: u16, kind: &str, body: String) -> Response {
    Response {
        status,
        headers: vec![
            ("content-type".into(), kind.into()),
            ("cache-control".into(), "no-store".into()),
        ],
        body: body.into_bytes(),
    }
}
