//! Stopping: what is in flight is finished, nothing new begins, and patience has an end.

use std::sync::atomic::Ordering::SeqCst;
use std::time::Instant;

use super::process::Process;
use super::*;
use crate::support::{APP, Receiver, TYPE};

/// A signal comes while a request and a delivery are in flight: both are finished, and recorded.
#[test]
fn a_signal_lets_requests_and_deliveries_in_flight_finish() {
    let endpoint = Receiver::start();
    let mut process = Process::with_webhook(&endpoint, &["--drain", "25s"]);
    let held = endpoint.hold();
    process.ask(&["emit", APP, TYPE, "{}"]);
    endpoint.wait_for(1);
    let mut idle = process.client();
    assert_eq!(idle.ask(get("/healthz")).status, 200);
    let mut busy = process.client();
    busy.send("POST /x HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\nexpect: 100-continue\r\n\r\n");
    // The server reads the body: the request is in flight for sure.
    assert_eq!(busy.head().status, 100);

    process.signal("TERM");
    idle.closed();
    // Nobody new is let in.
    let begun = Instant::now();
    while std::net::TcpStream::connect(process.listen).is_ok() {
        assert!(begun.elapsed() < PATIENCE, "still listening");
    }
    let answer = busy.ask("ok");
    assert!(answer.status >= 400 && answer.header("connection") == Some("close"));
    busy.closed();
    assert!(process.is_running(), "the delivery is still out");
    drop(held);
    assert_eq!(process.ended().code(), Some(0));
    let rest = process.rest();
    let stopped = rest.last().unwrap();
    assert_eq!(
        (&stopped["log"], &stopped["drained"]),
        (&"stopped".into(), &true.into())
    );
    let batches = process.ask(&["batches", APP]);
    assert_eq!(batches["items"][0]["status"], "delivered", "{batches}");
    assert_eq!(endpoint.deliveries().len(), 1);
}

/// Patience ends: what is still in flight is cut, and what was being delivered is due again.
#[test]
fn a_drain_ends_after_its_time() {
    let endpoint = Receiver::start();
    let mut process = Process::with_webhook(&endpoint, &["--drain", "300ms"]);
    let held = endpoint.hold();
    process.ask(&["emit", APP, TYPE, "{}"]);
    endpoint.wait_for(1);
    let mut busy = process.client();
    busy.send("POST /x HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\nexpect: 100-continue\r\n\r\n");
    assert_eq!(busy.head().status, 100);
    let begun = Instant::now();
    process.signal("INT");
    busy.closed();
    assert_eq!(process.ended().code(), Some(0));
    // Both drains; a request by itself would have been out for ten seconds.
    assert!(
        begun.elapsed() < Duration::from_secs(8),
        "{:?}",
        begun.elapsed()
    );
    let rest = process.rest();
    assert_eq!(rest.last().unwrap()["drained"], false, "{rest:?}");
    let batches = process.ask(&["batches", APP]);
    assert_eq!(batches["items"][0]["status"], "waiting", "{batches}");
    drop(held);
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let endpoint = Receiver::start();
    let mut process = Process::with_webhook(&endpoint, &["--drain", "60s"]);
    let held = endpoint.hold();
    process.ask(&["emit", APP, TYPE, "{}"]);
    endpoint.wait_for(1);
    let mut idle = process.client();
    assert_eq!(idle.ask(get("/healthz")).status, 200);
    process.signal("TERM");
    // Now the first signal has been heard.
    idle.closed();
    process.signal("TERM");
    assert_eq!(process.ended().code(), Some(1));
    drop(held);
}

/// A request that has begun to come may go on; one that has not is no reason to wait.
#[test]
fn a_stop_waits_for_what_was_begun_and_for_nothing_else() {
    let served = Served::start(LIMITS, echo);
    let mut silent = served.client();
    let mut idle = served.client();
    assert_eq!(idle.ask(get("/")).status, 200);
    let mut begun = served.client();
    begun.send("GET / HTTP/1.1\r\nhost: x\r\n");
    let mut body = served.client();
    body.send("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\nexpect: 100-continue\r\n\r\n");
    assert_eq!(body.head().status, 100);
    while served.counts.connections.load(SeqCst) < 4 {
        std::thread::yield_now();
    }
    let answers = std::thread::spawn(move || {
        silent.closed();
        idle.closed();
        let answers = [begun.ask("\r\n"), body.ask("x")];
        begun.closed();
        body.closed();
        answers
    });
    served.end();
    assert_eq!(
        answers.join().unwrap().map(|answer| answer.status),
        [200, 200]
    );
}

/// A handler that never ends does not keep the server from ending.
#[test]
fn a_handler_that_never_ends_is_left_behind() {
    let (entered, inside) = std::sync::mpsc::channel();
    let (_kept, never) = std::sync::mpsc::channel::<()>();
    let (entered, never) = (Mutex::new(entered), Mutex::new(never));
    let served = Served::start(LIMITS, move |_| {
        entered.lock().unwrap().send(()).unwrap();
        // Ends with the test.
        let _ = never.lock().unwrap().recv();
        said(200, "")
    });
    let mut client = served.client();
    client.send(get("/"));
    inside.recv().unwrap();
    assert!(!served.server.stop(Duration::from_millis(100)));
    client.closed();
}
