//! `HttpTransport` against real sockets on the loopback interface.

mod environment;
mod guard;
mod hostile;
mod keep_alive;
mod tls;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use hookbox::model::{FailureKind, WebhookUrl};
use hookbox::transport::{
    AddressPolicy, HttpOptions, HttpTransport, Method, Request, Response, Transport, TransportError,
};

/// The deadline of requests that are expected to run into it.
const SHORT: Duration = Duration::from_millis(400);

/// The deadline of requests that are not.
const LONG: Duration = Duration::from_secs(10);

/// How much later than its deadline a request may return.
const GRACE: Duration = Duration::from_millis(500);

/// A server that hands each connection to a function, on a thread of its own.
struct Server {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
    /// The head of each request that [`read_request`] read.
    heads: Arc<Mutex<Vec<String>>>,
}

impl Server {
    fn start(serve: impl Fn(&mut Peer) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = Self {
            address: listener.local_addr().unwrap(),
            connections: Arc::default(),
            heads: Arc::default(),
        };
        let (connections, heads) = (server.connections.clone(), server.heads.clone());
        let serve = Arc::new(serve);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                connections.fetch_add(1, Ordering::SeqCst);
                let mut peer = Peer {
                    stream: BufReader::new(stream.unwrap()),
                    heads: heads.clone(),
                };
                let serve = serve.clone();
                std::thread::spawn(move || serve(&mut peer));
            }
        });
        server
    }

    /// Reads one request, writes these bytes, and waits for the client to close.
    fn answering(bytes: impl Into<Vec<u8>>) -> Self {
        let bytes = bytes.into();
        Self::start(move |peer| {
            peer.read_request();
            peer.write(&bytes);
            peer.wait_for_close();
        })
    }

    fn url(&self) -> WebhookUrl {
        WebhookUrl::parse(&format!("http://{}/hook", self.address)).unwrap()
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    fn head(&self, index: usize) -> String {
        self.heads.lock().unwrap()[index].clone()
    }
}

/// The server's side of a connection.
struct Peer {
    stream: BufReader<TcpStream>,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Peer {
    /// Reads one request; `false` at the end of the connection.
    fn read_request(&mut self) -> bool {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if self.stream.read_line(&mut head).unwrap_or(0) == 0 {
                return false;
            }
        }
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "))
            .map_or(0, |length| length.parse().unwrap());
        self.heads.lock().unwrap().push(head);
        std::io::copy(&mut (&mut self.stream).take(length), &mut std::io::sink()).is_ok()
    }

    /// Whether the client still takes bytes.
    fn write(&mut self, bytes: &[u8]) -> bool {
        self.stream.get_mut().write_all(bytes).is_ok()
    }

    /// Writes the bytes one at a time with a pause, in which the connection may end.
    fn dribble(&mut self, bytes: &[u8], pause: Duration) {
        self.stream.get_ref().set_read_timeout(Some(pause)).unwrap();
        for byte in bytes {
            if !self.write(&[*byte]) || matches!(self.stream.read(&mut [0]), Ok(0)) {
                return;
            }
        }
    }

    /// Blocks until the client closes or breaks the connection.
    fn wait_for_close(&mut self) {
        let _ = std::io::copy(&mut self.stream, &mut std::io::sink());
    }

    /// Closes with a reset: data that was never read, on a socket that goes away, does that.
    fn reset(&mut self) {
        // Something must be unread; the caller leaves the request's body for it.
        let _ = self.stream.get_ref().peek(&mut [0]);
    }
}

/// Loopback and http are allowed, everything else is as by default.
fn options() -> HttpOptions {
    let mut options = HttpOptions::default();
    options.policy = AddressPolicy {
        allow_http: true,
        allow: vec!["127.0.0.0/8".parse().unwrap()],
        ..AddressPolicy::default()
    };
    options
}

fn transport() -> HttpTransport {
    HttpTransport::new(options()).unwrap()
}

fn post(url: WebhookUrl, timeout: Duration) -> Request {
    Request {
        method: Method::Post,
        url,
        query: Vec::new(),
        headers: vec![("x-secret".to_owned(), "hunter2".to_owned())],
        body: br#"{"events":[]}"#.to_vec().into(),
        timeout,
    }
}

/// Sends, and checks that neither the deadline is overrun nor a secret shown.
fn send(transport: &HttpTransport, request: &Request) -> Result<Response, TransportError> {
    let begun = Instant::now();
    let result = transport.send(request);
    let took = begun.elapsed();
    assert!(took < request.timeout + GRACE, "took {took:?}: {result:?}");
    assert!(!format!("{result:?}").contains("hunter2"), "{result:?}");
    result
}

#[track_caller]
fn assert_fails(result: Result<Response, TransportError>, kind: FailureKind) -> String {
    let error = result.unwrap_err();
    assert_eq!(error.kind, kind, "{error}");
    error.message
}
