//! Servers that do what no server should.

use hookbox::transport::RESPONSE_BODY_BYTES_MAX;

use super::*;

/// What a server's bytes lead to, within the long deadline.
fn outcome(bytes: impl Into<Vec<u8>>) -> Result<Response, TransportError> {
    let server = Server::answering(bytes);
    send(&transport(), &post(server.url(), LONG))
}

/// The same, for a server that closes right after its bytes.
fn outcome_then_close(bytes: &'static [u8]) -> Result<Response, TransportError> {
    let server = Server::start(move |peer| {
        peer.read_request();
        peer.write(bytes);
    });
    send(&transport(), &post(server.url(), LONG))
}

#[test]
fn never_answers() {
    let server = Server::start(Peer::wait_for_close);
    let result = send(&transport(), &post(server.url(), SHORT));
    assert_fails(result, FailureKind::Timeout);
}

#[test]
fn never_accepts() {
    // The kernel completes the connection; nobody ever reads.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let mut request = post(WebhookUrl::parse(&url).unwrap(), SHORT);
    request.body = vec![b'x'; 64 << 20].into();
    assert_fails(send(&transport(), &request), FailureKind::Timeout);
}

#[test]
fn slow_status_line() {
    let server = Server::start(|peer| {
        peer.read_request();
        peer.dribble(b"HTTP/1.1 200 OK\r\n\r\n", Duration::from_millis(100));
    });
    let result = send(&transport(), &post(server.url(), SHORT));
    assert_fails(result, FailureKind::Timeout);
}

#[test]
fn slow_body_is_cut_at_the_deadline() {
    let server = Server::start(|peer| {
        peer.read_request();
        peer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n");
        peer.dribble(&[b'x'; 1000], Duration::from_millis(100));
    });
    let response = send(&transport(), &post(server.url(), SHORT)).unwrap();
    assert_eq!(response.status, 200);
    assert!((1..20).contains(&response.body.len()), "{response:?}");
}

#[test]
fn stalled_body_is_no_error() {
    let server =
        Server::answering("HTTP/1.1 503 No\r\nretry-after: 7\r\ncontent-length: 9\r\n\r\nab");
    let response = send(&transport(), &post(server.url(), SHORT)).unwrap();
    assert_eq!(
        (response.status, response.body.as_slice()),
        (503, &b"ab"[..])
    );
    assert_eq!(response.header("retry-after"), Some("7"));
}

/// Writes the head and then the block again and again until the client goes.
fn endless(head: &'static str, block: &'static str) -> Server {
    Server::start(move |peer| {
        peer.read_request();
        let block = block.repeat(100);
        let mut more = peer.write(head.as_bytes());
        while more {
            more = peer.write(block.as_bytes());
        }
    })
}

#[test]
fn endless_bodies_are_capped() {
    for (head, block) in [
        ("HTTP/1.1 200 OK\r\n\r\n", "aaaaaaaaaaaaaaaaaaaa"),
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
            "5\r\naaaaa\r\n",
        ),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 10485760\r\n\r\n",
            "aaaaaaaaaaaaaaaaaaaa",
        ),
    ] {
        let server = endless(head, block);
        let response = send(&transport(), &post(server.url(), LONG)).unwrap();
        assert_eq!(response.status, 200);
        assert_eq!(response.body, vec![b'a'; RESPONSE_BODY_BYTES_MAX]);
    }
}

#[test]
fn endless_heads_are_refused() {
    for (head, block) in [
        ("HTTP/1.1 200 OK\r\nx: ", "aaaaaaaaaaaaaaaaaaaa"),
        ("HTTP/1.1 200 OK\r\n", "x: aaaaaaaaaaaaaaaaaaaa\r\n"),
        ("HTTP/1.1 200 OK\r\n", "a:\r\n"),
        ("", "HTTP/1.1 102 Processing\r\n\r\n"),
        ("", "HTTP/1.1 103 Early\r\nlink: </x>\r\n\r\n"),
        ("", "aaaaaaaaaaaaaaaaaaaa"),
    ] {
        let server = endless(head, block);
        let result = send(&transport(), &post(server.url(), LONG));
        assert_fails(result, FailureKind::Protocol);
    }
}

#[test]
fn garbage() {
    for bytes in [
        &b"\0\x01\x02\x03\r\n\r\n"[..],
        b"SSH-2.0-OpenSSH_9.6\r\n\r\n",
        b"\x15\x03\x01\x00\x02\x02\x16\r\n\r\n",
        b"HTTP/3.7 200 OK\r\n\r\n",
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\ncontent-length: many\r\n\r\nhello",
    ] {
        let message = assert_fails(outcome(bytes), FailureKind::Protocol);
        assert!(!message.contains("many"), "quotes a header: {message}");
    }
}

#[test]
fn closing_and_resets() {
    // After the request, within the head, and before anything was read.
    for bytes in [&b""[..], b"HTTP/1.1 2", b"HTTP/1.1 200 OK\r\nx: y\r\n"] {
        assert_fails(outcome_then_close(bytes), FailureKind::Reset);
    }
    let server = Server::start(Peer::reset);
    let mut request = post(server.url(), LONG);
    assert_fails(send(&transport(), &request), FailureKind::Reset);
    request.body = vec![b'x'; 10 << 20].into();
    assert_fails(send(&transport(), &request), FailureKind::Reset);
}

#[test]
fn nobody_listens() {
    let url = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}/", listener.local_addr().unwrap())
    };
    let request = post(WebhookUrl::parse(&url).unwrap(), LONG);
    assert_fails(send(&transport(), &request), FailureKind::Connect);
}

#[test]
fn broken_bodies_are_no_error() {
    for (bytes, body) in [
        (
            &b"HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\nshort"[..],
            &b"short"[..],
        ),
        (b"HTTP/1.1 200 OK\r\n\r\nto the end", b"to the end"),
        (
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n9\r\nd",
            b"abcd",
        ),
        (
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzzz\r\n",
            b"",
        ),
    ] {
        let response = outcome_then_close(bytes).unwrap();
        assert_eq!(response.status, 200);
        assert_eq!(response.body, body);
    }
}

#[test]
fn odd_statuses_are_statuses() {
    for (bytes, status) in [
        ("HTTP/1.1 204 No Content\r\n\r\n", 204),
        ("HTTP/1.1 304 Not Modified\r\n\r\n", 304),
        ("HTTP/1.1 410 Gone\r\ncontent-length: 0\r\n\r\n", 410),
        ("HTTP/1.1 500 Oops\r\ncontent-length: 0\r\n\r\n", 500),
        ("HTTP/1.1 999 ?\r\ncontent-length: 0\r\n\r\n", 999),
        ("HTTP/1.0 200 OK\r\ncontent-length: 0\r\n\r\n", 200),
        ("HTTP/1.1 101 Switching\r\nupgrade: x\r\n\r\n", 101),
        (
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Made\r\ncontent-length: 0\r\n\r\n",
            201,
        ),
        (
            "HTTP/1.1 103 Early\r\n\r\nHTTP/1.1 202 OK\r\ncontent-length: 0\r\n\r\n",
            202,
        ),
    ] {
        assert_eq!(outcome(bytes).map(|r| r.status), Ok(status), "{bytes:?}");
    }
}

#[test]
fn redirects_are_not_followed() {
    let trap = Server::answering("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
    for status in [301, 302, 303, 307, 308] {
        let response = outcome(format!(
            "HTTP/1.1 {status} Moved\r\nlocation: {}\r\nrefresh: 0; url={}\r\ncontent-length: 0\r\n\r\n",
            trap.url(),
            trap.url()
        ));
        assert_eq!(response.map(|r| r.status), Ok(status));
    }
    assert_eq!(trap.connections(), 0);
}

#[test]
fn nothing_is_decompressed() {
    let body = b"\x1f\x8b\x08\x00 not gzip at all";
    let mut bytes = format!(
        "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: {}\r\n\r\n",
        body.len()
    )
    .into_bytes();
    bytes.extend(body);
    assert_eq!(outcome(bytes).unwrap().body, body);
}

#[test]
fn only_two_headers_are_kept_and_cut() {
    let response = outcome(format!(
        "HTTP/1.1 200 OK\r\nset-cookie: a=b\r\nRetry-After: {}\r\nWebhook-Delivery: caf\u{e9}\r\n\
         retry-after: 2\r\ncontent-length: 0\r\n\r\n",
        "1".repeat(5000)
    ))
    .unwrap();
    assert_eq!(response.headers.len(), 2);
    assert_eq!(response.header("retry-after").unwrap().len(), 256);
    assert_eq!(response.header("webhook-delivery"), Some("caf\u{e9}"));
}

#[test]
fn what_is_sent() {
    let server = Server::answering("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
    let mut url = server.url().to_string();
    url.push_str("?own=%20+");
    let mut request = post(WebhookUrl::parse(&url).unwrap(), LONG);
    request.query = vec![("challenge".into(), "a b&\r\n".into())];
    send(&transport(), &request).unwrap();
    request.method = Method::Get;
    request.body.clear();
    send(&transport(), &request).unwrap();

    let target = "/hook?own=%20+&challenge=a%20b%26%0D%0A HTTP/1.1\r\n";
    let (posted, got) = (server.head(0), server.head(1));
    assert!(posted.starts_with(&format!("POST {target}")), "{posted}");
    assert!(posted.contains("\r\nx-secret: hunter2\r\n") && posted.contains("content-length: 13"));
    assert!(posted.contains("user-agent: hookbox/") && !posted.contains("accept-encoding"));
    assert!(got.starts_with(&format!("GET {target}")), "{got}");
    assert!(!got.contains("content-length") && !got.contains("transfer-encoding"));
}

#[test]
fn header_injection_is_refused() {
    let server = Server::answering("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
    for (name, value) in [
        ("x", "hunter2\r\ny: z"),
        ("x", "hunter2\n"),
        ("x", "hunter2\0"),
        ("x\r\ny", "z"),
        ("x y", "z"),
        ("", "z"),
        ("Host", "hunter2"),
        ("Content-Length", "0"),
        ("transfer-encoding", "chunked"),
        ("Expect", "100-continue"),
    ] {
        let mut request = post(server.url(), LONG);
        request.headers = vec![(name.into(), value.into())];
        assert_fails(send(&transport(), &request), FailureKind::Signing);
    }
    assert_eq!(server.connections(), 0);
}
