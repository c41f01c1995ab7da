//! A real receiver on the loopback interface.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, RwLock};
use std::time::Duration;

/// One request as a receiver got it.
#[derive(Debug, Clone)]
pub struct Received {
    pub method: String,
    pub target: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Received {
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self
            .headers
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }
}

/// A real receiver: answers challenges, answers deliveries with the scripted statuses (200 when
/// they run out), and keeps what it got.
pub struct Receiver {
    pub url: String,
    /// It listens on every local address.
    pub port: u16,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    statuses: Mutex<VecDeque<u16>>,
    received: Mutex<Vec<Received>>,
    changed: Condvar,
    connections: AtomicUsize,
    /// Whoever answers reads it; whoever holds the answers back writes it.
    held: RwLock<()>,
}

impl Receiver {
    pub fn start() -> Self {
        let listener = TcpListener::bind("0.0.0.0:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let url = format!("http://127.0.0.1:{port}/hook");
        let shared = Arc::new(Shared::default());
        let of_thread = shared.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                of_thread.connections.fetch_add(1, Ordering::SeqCst);
                let shared = of_thread.clone();
                std::thread::spawn(move || serve(stream, &shared));
            }
        });
        Self { url, port, shared }
    }

    /// The connections so far.
    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }

    /// The requests so far, challenges too.
    pub fn requests(&self) -> usize {
        self.shared.received.lock().unwrap().len()
    }

    /// The next deliveries are answered with these.
    pub fn answer_with(&self, statuses: impl IntoIterator<Item = u16>) {
        self.shared.statuses.lock().unwrap().extend(statuses);
    }

    /// Takes deliveries, but answers none until what this returns is dropped.
    pub fn hold(&self) -> std::sync::RwLockWriteGuard<'_, ()> {
        self.shared.held.write().unwrap()
    }

    /// The deliveries got so far.
    pub fn deliveries(&self) -> Vec<Received> {
        let received = self.shared.received.lock().unwrap();
        received
            .iter()
            .filter(|request| request.method == "POST")
            .cloned()
            .collect()
    }

    /// Waits until so many deliveries have come.
    pub fn wait_for(&self, count: usize) -> Vec<Received> {
        let posts = |all: &Vec<Received>| all.iter().filter(|one| one.method == "POST").count();
        let received = self.shared.received.lock().unwrap();
        let patience = Duration::from_secs(20);
        let (received, waited) = self
            .shared
            .changed
            .wait_timeout_while(received, patience, |all| posts(all) < count)
            .unwrap();
        assert!(
            !waited.timed_out(),
            "{} of {count} deliveries came",
            posts(&received)
        );
        drop(received);
        self.deliveries()
    }
}

fn serve(stream: TcpStream, shared: &Shared) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut stream = stream;
    while let Some(request) = read_request(&mut reader) {
        let (status, body) = if request.method == "GET" {
            let number = request
                .target
                .split(['?', '&'])
                .find_map(|pair| pair.strip_prefix("challenge="));
            (200, format!("{{\"challenge\":{}}}", number.unwrap_or("0")))
        } else {
            let status = shared.statuses.lock().unwrap().pop_front();
            (status.unwrap_or(200), String::new())
        };
        shared.received.lock().unwrap().push(request);
        shared.changed.notify_all();
        drop(shared.held.read());
        let head = format!(
            "HTTP/1.1 {status} X\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        if stream
            .write_all(format!("{head}{body}").as_bytes())
            .is_err()
        {
            return;
        }
    }
}

fn read_request(reader: &mut BufReader<TcpStream>) -> Option<Received> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|n| *n > 0)?;
    let mut words = line.split_whitespace().map(str::to_owned);
    let (method, target) = (words.next()?, words.next()?);
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|n| *n > 0)?;
        let Some((name, value)) = line.trim_end().split_once(':') else {
            break;
        };
        headers.push((name.trim().to_owned(), value.trim().to_owned()));
    }
    let length = headers
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    let mut body = vec![0; length.map_or(0, |(_, value)| value.parse().unwrap())];
    reader.read_exact(&mut body).ok()?;
    Some(Received {
        method,
        target,
        headers,
        body,
    })
}
