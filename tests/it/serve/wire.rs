//! HTTP/1.1 as it is written.

use std::sync::atomic::Ordering::SeqCst;

use super::*;

#[test]
fn a_connection_is_kept_and_requests_may_be_pipelined() {
    let served = Served::start(LIMITS, echo);
    let mut client = served.client();
    assert_eq!(client.ask(get("/a?b=c%20d")).body, "GET /a?b=c%20d []");
    assert_eq!(client.ask(post("/p", "body")).body, "POST /p [body]");
    let all = [get("/1"), post("/2", "x"), get("/3")].concat();
    client.send(all);
    let bodies = [(); 3].map(|()| client.answer().body);
    assert_eq!(bodies, ["GET /1 []", "POST /2 [x]", "GET /3 []"]);
    let last = client.ask("GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    assert_eq!(
        (last.status, last.header("connection")),
        (200, Some("close"))
    );
    assert!(last.header("date").is_some());
    client.closed();
    // HTTP/1.0 needs no host, and is not kept unless it asks for it.
    let mut old = served.client();
    old.send("GET /old HTTP/1.0\r\n\r\n");
    let mut text = String::new();
    std::io::Read::read_to_string(&mut old.stream(), &mut text).unwrap();
    assert!(text.ends_with("GET /old []"), "{text}");
    assert_eq!(served.counts.answers[1].load(SeqCst), 7);
    let counts = served.counts.clone();
    served.end();
    assert_eq!(counts.connections.load(SeqCst), 0);
}

#[test]
fn head_has_no_body_but_its_length() {
    let served = Served::start(LIMITS, echo);
    let mut client = served.client();
    client.send("HEAD /a HTTP/1.1\r\nhost: x\r\n\r\n");
    let head = client.head();
    assert_eq!(
        (head.status, head.header("content-length")),
        (200, Some("10"))
    );
    // Nothing came in between.
    assert_eq!(client.ask(get("/b")).body, "GET /b []");
    served.end();
}

#[test]
fn chunked_bodies_are_put_together_and_expectations_are_met() {
    let served = Served::start(LIMITS, echo);
    let mut client = served.client();
    let head = "POST /c HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n";
    let chunks = "3\r\nabc\r\n1;ext=1\r\nd\r\n0\r\ntrailer: x\r\n\r\n";
    assert_eq!(client.ask([head, chunks].concat()).body, "POST /c [abcd]");
    client.send("PUT /e HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\nexpect: 100-continue\r\n\r\n");
    assert_eq!(client.head().status, 100);
    assert_eq!(client.ask("ok").body, "PUT /e [ok]");
    // A client may stop talking before it is answered.
    client.send(get("/last"));
    client.end();
    assert_eq!(client.answer().body, "GET /last []");
    client.closed();
    served.end();
}

/// What could be read in two ways is not read at all: the next request would begin somewhere else for a
/// proxy than for us.
#[test]
fn requests_that_are_not_sound_are_refused_and_the_connection_ends() {
    let served = Served::start(LIMITS, |_| panic!("handed on"));
    let refused = [
        "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n",
        "GET /\r\n\r\n",
        "GET / HTTP/9.9\r\nhost: x\r\n\r\n",
        "\u{0}\u{1}\u{2}\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: x\r\nbad header\r\n\r\n",
        "GET / HTTP/1.1\r\nhost : x\r\n\r\n",
        "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
        "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n",
        "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: +1\r\n\r\na",
        "POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: gzip\r\n\r\n",
        "POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
    ];
    for request in refused {
        let mut client = served.client();
        let answer = client.ask(request);
        assert_eq!(answer.status, 400, "{request:?}");
        client.closed();
    }
    served.end();
}

#[test]
fn handlers_that_fail_are_internal_errors_and_nobody_else_notices() {
    let served = Served::start(LIMITS, |request| match request.target.as_str() {
        "/panic" => panic!("on purpose"),
        "/broken" => Response {
            headers: vec![("bad\nname".into(), "x".into())],
            ..said(200, "")
        },
        _ => echo(request),
    });
    let mut client = served.client();
    assert_eq!(client.ask(get("/panic")).status, 500);
    assert_eq!(client.ask(get("/broken")).status, 500);
    assert_eq!(client.ask(get("/nobody")).status, 404);
    assert_eq!(client.ask(get("/fine")).status, 200);
    assert_eq!(served.counts.answers[4].load(SeqCst), 2);
    served.end();
}

/// The log is told what was asked and what came of it; nothing that may be secret.
#[test]
fn what_happened_is_told_without_secrets() {
    let served = Served::start(LIMITS, |_| said(201, "12345"));
    let mut client = served.client();
    let peer_of_client = client.stream().local_addr().unwrap();
    client.ask("POST /a?token=s3cret HTTP/1.1\r\nhost: x\r\nauthorization: s3cret\r\ncontent-length: 6\r\n\r\ns3cret");
    drop(client);
    let happened = served.end();
    assert!(!format!("{happened:?}").contains("s3cret"), "{happened:?}");
    let [
        Happened::Served {
            peer,
            method,
            path,
            status,
            bytes_in,
            bytes_out,
            took,
        },
    ] = happened.as_slice()
    else {
        panic!("{happened:?}");
    };
    assert_eq!(*peer, peer_of_client);
    assert_eq!(
        (method.as_str(), path.as_str(), *status),
        ("POST", "/a", 201)
    );
    assert_eq!((*bytes_in, *bytes_out), (6, 5));
    assert!(*took < PATIENCE);
}
