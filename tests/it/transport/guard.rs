//! The address guard, with a resolver that lies.

use std::collections::VecDeque;

use hookbox::transport::Resolver;

use super::*;

/// Gives these answers in turn, and the last one ever after.
#[derive(Debug)]
struct Scripted(Mutex<VecDeque<Result<Vec<SocketAddr>, String>>>);

impl Resolver for Scripted {
    fn resolve(&self, host: &str, _port: u16) -> Result<Vec<SocketAddr>, String> {
        assert_eq!(host, "hooks.example.com");
        let mut answers = self.0.lock().unwrap();
        let answer = answers.pop_front().unwrap();
        if answers.is_empty() {
            answers.push_back(answer.clone());
        }
        answer
    }
}

/// A server that must get nothing but what `allowed` says, and a way to reach it by a name.
struct Bench {
    server: Server,
    transport: HttpTransport,
    request: Request,
}

/// `answers` is given the server's port. Only `127.0.0.1` is allowed, as a stand-in for the public
/// addresses that tests cannot reach.
fn bench(answers: impl FnOnce(u16) -> Vec<Result<Vec<SocketAddr>, String>>) -> Bench {
    let server = Server::start(|peer| {
        while peer.read_request() && peer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n") {}
    });
    let port = server.address.port();
    let mut options = options();
    options.policy.allow = vec!["127.0.0.1/32".parse().unwrap()];
    options.resolver = Arc::new(Scripted(Mutex::new(answers(port).into())));
    let url = format!("http://hooks.example.com:{port}/hook");
    Bench {
        transport: HttpTransport::new(options).unwrap(),
        request: post(WebhookUrl::parse(&url).unwrap(), LONG),
        server,
    }
}

impl Bench {
    fn send(&self) -> Result<Response, TransportError> {
        send(&self.transport, &self.request)
    }
}

fn addresses(texts: &[&str], port: u16) -> Result<Vec<SocketAddr>, String> {
    Ok(texts
        .iter()
        .map(|text| SocketAddr::new(text.parse().unwrap(), port))
        .collect())
}

#[test]
fn a_name_is_followed_to_its_address() {
    let bench = bench(|port| vec![addresses(&["127.0.0.1"], port)]);
    assert_eq!(bench.send().unwrap().status, 200);
    let head = bench.server.head(0);
    assert!(head.contains("host: hooks.example.com"), "{head}");
}

#[test]
fn rebinding_is_seen_on_a_reused_connection() {
    let bench = bench(|port| {
        vec![
            addresses(&["127.0.0.1"], port),
            addresses(&["127.0.0.1"], port),
            addresses(&["127.0.0.2"], port),
        ]
    });
    assert_eq!(bench.send().unwrap().status, 200);
    assert_eq!(bench.send().unwrap().status, 200);
    let message = assert_fails(bench.send(), FailureKind::AddressDenied);
    assert!(message.contains("127.0.0.2"), "{message}");
    assert_eq!(bench.server.connections(), 1);
    assert_eq!(bench.server.heads.lock().unwrap().len(), 2);
}

#[test]
fn one_denied_address_is_enough() {
    let mut seventeen = vec!["127.0.0.1"; 16];
    seventeen.push("127.0.0.2");
    for answer in [
        &["127.0.0.2"][..],
        &["127.0.0.1", "127.0.0.2"],
        &["127.0.0.2", "127.0.0.1"],
        &["127.0.0.1", "::1"],
        &["127.0.0.1", "fd00:ec2::254"],
        &["::ffff:127.0.0.2"],
        &["::ffff:169.254.169.254"],
        &["::127.0.0.1"],
        &["64:ff9b::7f00:1"],
        &["0.0.0.0"],
        &["::"],
        &seventeen,
    ] {
        let bench = bench(|port| vec![addresses(answer, port)]);
        assert_fails(bench.send(), FailureKind::AddressDenied);
        assert_eq!(bench.server.connections(), 0, "{answer:?}");
    }
}

#[test]
fn many_allowed_addresses_are_fine() {
    let bench = bench(|port| vec![addresses(&["127.0.0.1"; 40], port)]);
    assert_eq!(bench.send().unwrap().status, 200);
}

#[test]
fn the_next_address_is_tried() {
    // Nobody listens on the first: port 1.
    let bench = bench(|port| {
        vec![Ok(vec![
            "127.0.0.1:1".parse().unwrap(),
            SocketAddr::from(([127, 0, 0, 1], port)),
        ])]
    });
    assert_eq!(bench.send().unwrap().status, 200);
}

#[test]
fn failed_lookups() {
    let empty = bench(|_| vec![Ok(Vec::new())]);
    assert_fails(empty.send(), FailureKind::Dns);
    let failing = bench(|_| vec![Err("no such name".to_owned())]);
    let message = assert_fails(failing.send(), FailureKind::Dns);
    assert!(message.contains("no such name"), "{message}");
}

/// Hangs until the test ends.
#[derive(Debug)]
struct Hanging(Mutex<std::sync::mpsc::Receiver<()>>);

impl Resolver for Hanging {
    fn resolve(&self, _host: &str, _port: u16) -> Result<Vec<SocketAddr>, String> {
        let _ = self.0.lock().unwrap().recv();
        Err("late".to_owned())
    }
}

#[test]
fn a_hanging_lookup_ends_at_the_deadline() {
    let (_gate, waiting) = std::sync::mpsc::channel();
    let mut options = options();
    options.resolver = Arc::new(Hanging(Mutex::new(waiting)));
    let transport = HttpTransport::new(options).unwrap();
    let request = post(WebhookUrl::parse("https://example.com/").unwrap(), SHORT);
    assert_fails(send(&transport, &request), FailureKind::Timeout);
}

#[test]
fn literals_names_schemes_and_ports_are_checked_when_sending() {
    let server = Server::answering("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
    let port = server.address.port();
    let strict = HttpTransport::new(HttpOptions::default()).unwrap();
    for url in [
        format!("https://127.0.0.1:{port}/"),
        format!("https://[::ffff:127.0.0.1]:{port}/"),
        format!("https://[::1]:{port}/"),
        format!("https://0.0.0.0:{port}/"),
        format!("https://localhost:{port}/"),
        format!("http://127.0.0.1:{port}/"),
        "https://example.com:22/".to_owned(),
    ] {
        let request = post(WebhookUrl::parse(&url).unwrap(), LONG);
        assert_fails(send(&strict, &request), FailureKind::AddressDenied);
    }
    assert_eq!(server.connections(), 0);
    // The system's own resolver, on a name that needs no name server.
    let request = post(
        WebhookUrl::parse(&format!("http://localhost:{port}/")).unwrap(),
        LONG,
    );
    let mut options = options();
    options.policy.allow.push("::1/128".parse().unwrap());
    let lenient = HttpTransport::new(options).unwrap();
    assert_eq!(send(&lenient, &request).unwrap().status, 200);
}
