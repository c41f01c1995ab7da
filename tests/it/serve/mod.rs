//! `hookbox serve`.
//!
//! Goal: the server speaks HTTP/1.1, keeps its limits whatever a client does, and stops without losing
//! anything. Method: real sockets with exact bytes, against the real binary as a process where the whole
//! is meant, and against the server's own module where a test needs a handler of its own.

mod client;
mod limits;
mod managed;
mod process;
mod stopping;
mod watching;
mod wire;

// The shell's own, as it is.
#[path = "../../../src/bin/hookbox/serve/server/mod.rs"]
mod server;

use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hookbox::api::{Request, Response};

use client::*;
use server::{Counts, Happened, Lane, Limits, Server};

/// Roomy ones, for a test to narrow.
const LIMITS: Limits = Limits {
    connections: 64,
    head_bytes: 4096,
    body_bytes: 1000,
    head_time: PATIENCE,
    body_time: PATIENCE,
    write_time: PATIENCE,
    queue_time: PATIENCE,
};

/// A server with a handler of the test's own on two threads.
struct Served {
    server: Server,
    counts: Arc<Counts>,
    happened: Arc<Mutex<Vec<Happened>>>,
}

impl Served {
    fn start(
        limits: Limits,
        handler: impl Fn(&Request) -> Response + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let lane = Lane {
            takes: |path| path != "/nobody",
            handler: Arc::new(handler),
            workers: 2,
        };
        let counts = Arc::<Counts>::default();
        let happened = Arc::<Mutex<Vec<Happened>>>::default();
        let heard = happened.clone();
        let on_event = Arc::new(move |one: &Happened| heard.lock().unwrap().push(one.clone()));
        let server = Server::start(listener, vec![lane], limits, counts.clone(), on_event);
        Self {
            server: server.unwrap(),
            counts,
            happened,
        }
    }

    fn client(&self) -> Client {
        Client::connect(self.server.address())
    }

    /// Ends the server; what happened.
    fn end(self) -> Vec<Happened> {
        assert!(
            self.server.stop(Duration::from_secs(10)),
            "something is left"
        );
        self.happened.lock().unwrap().clone()
    }
}

fn said(status: u16, body: impl Into<Vec<u8>>) -> Response {
    Response {
        status,
        headers: vec![("content-type".into(), "text/plain".into())],
        body: body.into(),
    }
}

/// Says what it was asked.
fn echo(request: &Request) -> Response {
    let body = String::from_utf8_lossy(&request.body);
    said(
        200,
        format!("{} {} [{body}]", request.method, request.target),
    )
}
