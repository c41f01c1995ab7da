//! `serve`: the management API over HTTP, the deliveries, and what watches them, in one process.

pub mod args;
mod log;
mod routes;
mod server;
mod watching;

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use serde::Serialize;

use crate::args::Global;
use crate::boxes;
use crate::failure::{Failure, Outcome};
use crate::output::Output;
use crate::run::{TICK, stop_flag};
use args::ServeArgs;
use log::Log;
use server::{Counts, Lane, Limits, OnEvent, Server};

/// Threads for `/healthz` and `/metrics`, so that a busy API does not make them wait.
const WATCHING_WORKERS: usize = 2;

/// Connections to a listener that is for watching only.
const WATCHING_CONNECTIONS: usize = 64;

#[derive(Serialize)]
struct Started {
    listen: SocketAddr,
    #[serde(skip_serializing_if = "Option::is_none")]
    metrics_listen: Option<SocketAddr>,
}

#[derive(Serialize)]
struct Stopped {
    stopped_by_signal: bool,
    /// Whether every request was answered within the time.
    drained: bool,
}

pub fn serve(global: &Global, out: Output, args: &ServeArgs) -> Outcome {
    let stop = stop_flag()?;
    let log = Log::start(args.quiet)?;
    let of_notices = log.clone();
    let options = boxes::options(global)?
        .workers(args.workers)
        .on_notice(move |notice| of_notices.notice(notice));
    let hooks = Arc::new(boxes::change_with(global, options)?);
    // Both before anything is delivered: an address that is taken must not send a request.
    let api = listen(args.listen)?;
    let apart = args.metrics_listen.map(listen).transpose()?;

    let counts = Arc::<Counts>::default();
    let of_server = log.clone();
    let on_event: OnEvent = Arc::new(move |happened| of_server.happened(happened));
    let limits = limits(args);
    let watching = Lane {
        takes: watching::takes,
        handler: watching::watching(Arc::clone(&hooks), Arc::clone(&counts)),
        workers: WATCHING_WORKERS,
    };
    let routes = Lane {
        takes: |_| true,
        handler: routes::routes(&hooks, args.profile),
        workers: args.api_workers,
    };
    hooks.start()?;
    let start = |listener, lanes, limits, counts: &Arc<Counts>| {
        Server::start(
            listener,
            lanes,
            limits,
            Arc::clone(counts),
            Arc::clone(&on_event),
        )
        .map_err(|error| Failure::File(format!("the server: {error}")))
    };
    let (server, watched) = match apart {
        None => (start(api, vec![watching, routes], limits, &counts)?, None),
        Some(apart) => {
            let few = Limits {
                connections: WATCHING_CONNECTIONS,
                ..limits
            };
            // Scrapes are not counted among the API's connections.
            let watched = start(apart, vec![watching], few, &Arc::default())?;
            (start(api, vec![routes], limits, &counts)?, Some(watched))
        }
    };
    let started = Started {
        listen: server.address(),
        metrics_listen: watched.as_ref().map(Server::address),
    };
    log.put("started", &started);
    out.say(&format!("Listening on http://{}", started.listen))?;
    while !stop.load(Ordering::Relaxed) {
        std::thread::sleep(TICK);
    }

    // Whoever watches is told until the end that the engine stops.
    let drained = server.stop(args.drain);
    let delivered = hooks.stop(args.drain);
    if let Some(watched) = watched {
        watched.stop(TICK);
    }
    let stopped = Stopped {
        stopped_by_signal: true,
        drained,
    };
    log.put("stopped", &stopped);
    log.flush();
    delivered?;
    out.result(&stopped, || "Stopped.".into())
}

fn listen(address: SocketAddr) -> Outcome<TcpListener> {
    TcpListener::bind(address)
        .map_err(|error| Failure::File(format!("--listen {address}: {error}")))
}

const fn limits(args: &ServeArgs) -> Limits {
    Limits {
        connections: args.max_connections,
        head_bytes: args.max_head,
        body_bytes: args.max_body,
        head_time: args.head_time,
        body_time: args.body_time,
        write_time: args.write_time,
        queue_time: args.queue_time,
    }
}
