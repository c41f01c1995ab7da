//! The server of `hookbox serve`, as it is, with a handler that answers a constant: the ceiling that the
//! API's requests are held against. Only `benches/serve/run` gives it something to do.

use std::io::Read;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use hookbox::api::Response;

#[path = "../../src/bin/hookbox/serve/server/mod.rs"]
#[allow(dead_code)] // what it counts and tells is for `serve`
mod server;

use server::{Counts, Lane, Limits, Server};

/// Those of `serve` by default.
const LIMITS: Limits = Limits {
    connections: 512,
    head_bytes: 16 * 1024,
    body_bytes: 1024 * 1024,
    head_time: Duration::from_secs(10),
    body_time: Duration::from_secs(20),
    write_time: Duration::from_secs(20),
    queue_time: Duration::from_secs(10),
};

fn main() {
    if !std::env::args().any(|arg| arg == "--constant") {
        println!("serve: benches/serve/run measures it");
        return;
    }
    let lane = Lane {
        takes: |_| true,
        handler: Arc::new(|_| Response {
            status: 200,
            headers: vec![("content-type".into(), "application/json".into())],
            body: b"{\"constant\":true}".to_vec(),
        }),
        workers: 16,
    };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let counts = Arc::<Counts>::default();
    let server = Server::start(listener, vec![lane], LIMITS, counts, Arc::new(|_| ())).unwrap();
    println!("Listening on http://{}", server.address());
    // Until the script closes our input.
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
    server.stop(Duration::from_secs(1));
}
