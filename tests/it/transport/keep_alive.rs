//! Reusing connections, proxies, and shutting down.

use std::sync::mpsc::channel;

use super::*;

const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// Answers every request on a connection.
fn patient(answer: &'static [u8]) -> Server {
    Server::start(move |peer| while peer.read_request() && peer.write(answer) {})
}

#[test]
fn connections_are_reused() {
    let server = patient(OK);
    let transport = transport();
    for _ in 0..5 {
        assert_eq!(
            send(&transport, &post(server.url(), LONG)).unwrap().body,
            b"ok"
        );
    }
    assert_eq!(server.connections(), 1);
}

#[test]
fn connections_need_not_be_reused() {
    let server = patient(OK);
    let mut options = options();
    options.idle_connections = 0;
    let transport = HttpTransport::new(options).unwrap();
    for _ in 0..3 {
        send(&transport, &post(server.url(), LONG)).unwrap();
    }
    assert_eq!(server.connections(), 3);
}

#[test]
fn connections_with_unread_bytes_are_not_reused() {
    let large = format!(
        "HTTP/1.1 200 OK\r\ncontent-length: 99999\r\n\r\n{}",
        " ".repeat(99999)
    );
    let trailing = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nokHTTP/1.1 500 Forged\r\n\r\n";
    for answer in [large.into_bytes().leak(), &trailing[..]] {
        let server = patient(answer);
        let transport = transport();
        for _ in 0..3 {
            assert_eq!(
                send(&transport, &post(server.url(), LONG)).unwrap().status,
                200
            );
        }
        assert_eq!(server.connections(), 3);
    }
}

#[test]
fn a_connection_that_the_server_closed_is_not_reused() {
    let (closed, is_closed) = channel();
    let closed = Mutex::new(closed);
    let server = Server::start(move |peer| {
        peer.read_request();
        peer.write(OK);
        peer.stream
            .get_ref()
            .shutdown(std::net::Shutdown::Both)
            .unwrap();
        closed.lock().unwrap().send(()).unwrap();
    });
    let transport = transport();
    for _ in 0..3 {
        assert_eq!(
            send(&transport, &post(server.url(), LONG)).unwrap().status,
            200
        );
        is_closed.recv().unwrap();
    }
    assert_eq!(server.connections(), 3);
}

#[test]
fn shutdown_breaks_what_is_in_flight() {
    let (entered, entries) = channel();
    let entered = Mutex::new(entered);
    let server = Server::start(move |peer| {
        peer.read_request();
        entered.lock().unwrap().send(()).unwrap();
        peer.wait_for_close();
    });
    let transport = transport();
    let request = post(server.url(), LONG);
    let begun = Instant::now();
    let result = std::thread::scope(|scope| {
        let sender = scope.spawn(|| transport.send(&request));
        entries.recv().unwrap();
        transport.shutdown();
        sender.join().unwrap()
    });
    assert!(begun.elapsed() < LONG / 2);
    assert_fails(result, FailureKind::Lost);
    assert_fails(send(&transport, &request), FailureKind::Stopped);
    assert_eq!(server.connections(), 1);
}

fn through(proxy: &Server) -> HttpTransport {
    let mut options = options();
    options.proxy = Some(format!("http://user:hunter2@{}", proxy.address));
    HttpTransport::new(options).unwrap()
}

fn anywhere() -> WebhookUrl {
    WebhookUrl::parse("http://hooks.example.com/hook").unwrap()
}

#[test]
fn a_proxy_opens_the_way() {
    let proxy = Server::start(|peer| {
        peer.read_request();
        peer.write(b"HTTP/1.1 200 Connected\r\n\r\n");
        peer.read_request();
        peer.write(OK);
        peer.wait_for_close();
    });
    let response = send(&through(&proxy), &post(anywhere(), LONG)).unwrap();
    assert_eq!(
        (response.status, response.body.as_slice()),
        (200, &b"ok"[..])
    );
    assert!(proxy.head(0).starts_with("CONNECT hooks.example.com:80 "));
    assert!(proxy.head(1).starts_with("POST /hook "));
}

#[test]
fn a_proxys_faults_are_the_proxys() {
    for (answer, kind) in [
        ("HTTP/1.1 407 Who?\r\n\r\n", FailureKind::Proxy),
        ("HTTP/1.1 403 No\r\n\r\n", FailureKind::Proxy),
        ("HTTP/1.1 502 Unreachable\r\n\r\n", FailureKind::Connect),
        ("nonsense\r\n\r\n", FailureKind::Proxy),
        ("", FailureKind::Proxy),
    ] {
        let proxy = Server::start(move |peer| {
            peer.read_request();
            peer.write(answer.as_bytes());
        });
        let result = send(&through(&proxy), &post(anywhere(), LONG));
        assert_fails(result, kind);
    }
    let stalled = Server::start(Peer::wait_for_close);
    let result = send(&through(&stalled), &post(anywhere(), SHORT));
    assert_fails(result, FailureKind::Proxy);
}

#[test]
fn literal_addresses_are_guarded_behind_a_proxy_too() {
    let proxy = patient(b"HTTP/1.1 200 Connected\r\n\r\n");
    let url = WebhookUrl::parse("http://10.0.0.1/").unwrap();
    let result = send(&through(&proxy), &post(url, LONG));
    assert_fails(result, FailureKind::AddressDenied);
    assert_eq!(proxy.connections(), 0);
}

#[test]
fn bad_options_are_refused() {
    let refused = |change: fn(&mut HttpOptions)| {
        let mut options = options();
        change(&mut options);
        HttpTransport::new(options).unwrap_err().to_string()
    };
    for error in [
        refused(|o| o.proxy = Some("socks5://127.0.0.1:1".into())),
        refused(|o| o.proxy = Some("http://".into())),
        refused(|o| o.user_agent = "a\r\nb".into()),
        refused(|o| o.extra_root_pem = Some("no PEM".into())),
    ] {
        assert!(error.starts_with("The request is invalid"), "{error}");
    }
}
