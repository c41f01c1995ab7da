//! The receiver: a process of its own, as fast as a simple one can be. Its share of the processor is
//! part of every measurement that sends.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The argument that turns this program into a sink.
pub const CHILD: &str = "--sink";

/// Payloads carry the time of their emit after this, in nanoseconds.
const STAMP: &[u8] = b"\"t\":";

/// Nanoseconds from emit to arrival, of what went to `/timed`.
static DELAYS: Mutex<Vec<u64>> = Mutex::new(Vec::new());

/// The sink as this program sees it; ends with it.
pub struct Sink {
    child: Child,
    address: SocketAddr,
}

/// What arrived since the last question.
#[derive(Debug, Clone, Copy)]
pub struct Arrived {
    pub timed: usize,
    pub p50: Duration,
    pub p99: Duration,
}

impl Sink {
    pub fn start() -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .arg(CHILD)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let stdout = child.stdout.as_mut().unwrap();
        BufReader::new(stdout).read_line(&mut line).unwrap();
        let address = line.trim().parse().unwrap();
        Self { child, address }
    }

    /// Answers 200 at once.
    pub fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// The same, and takes the time from emit to arrival.
    pub fn timed_url(&self) -> String {
        format!("http://{}/timed", self.address)
    }

    /// Takes the request and never answers.
    pub fn hole_url(&self) -> String {
        format!("http://{}/hole", self.address)
    }

    pub fn arrived(&self) -> Arrived {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.write_all(b"GET /arrived HTTP/1.1\r\n\r\n").unwrap();
        let mut text = String::new();
        BufReader::new(stream).read_line(&mut text).unwrap();
        let mut numbers = text.split_whitespace().map(|text| text.parse().unwrap());
        let mut next = || numbers.next().unwrap();
        Arrived {
            timed: usize::try_from(next()).unwrap(),
            p50: Duration::from_nanos(next()),
            p99: Duration::from_nanos(next()),
        }
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The time that payloads carry.
pub fn nanos() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    u64::try_from(now.as_nanos()).unwrap()
}

/// The sink's own life.
pub fn serve() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    println!("{}", listener.local_addr().unwrap());
    for stream in listener.incoming() {
        let stream = stream.unwrap();
        let spawn = std::thread::Builder::new().stack_size(256 * 1024);
        spawn.spawn(move || answer(stream)).unwrap();
    }
}

fn answer(mut stream: TcpStream) {
    stream.set_nodelay(true).unwrap();
    let mut reader = BufReader::with_capacity(64 * 1024, stream.try_clone().unwrap());
    let (mut line, mut body) = (String::new(), Vec::new());
    loop {
        line.clear();
        if reader.read_line(&mut line).unwrap_or(0) == 0 {
            return;
        }
        let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
        let mut length = 0;
        loop {
            line.clear();
            reader.read_line(&mut line).unwrap();
            let Some((name, value)) = line.split_once(':') else {
                break;
            };
            if name.eq_ignore_ascii_case("content-length") {
                length = value.trim().parse().unwrap();
            }
        }
        body.resize(length, 0);
        if reader.read_exact(&mut body).is_err() {
            return;
        }
        match path.as_str() {
            "/arrived" => {
                let _ = stream.write_all(arrived().as_bytes());
                return;
            }
            // Until the other side gives up.
            "/hole" => {
                let _ = reader.read(&mut [0]);
                return;
            }
            "/timed" => take_times(&body),
            _ => {}
        }
        if stream
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
            .is_err()
        {
            return;
        }
    }
}

fn take_times(body: &[u8]) {
    let now = nanos();
    let mut delays = DELAYS.lock().unwrap();
    let mut rest = body;
    while let Some(at) = rest.windows(STAMP.len()).position(|window| window == STAMP) {
        rest = &rest[at + STAMP.len()..];
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit());
        let sent = digits.fold(0, |number, digit| number * 10 + u64::from(digit - b'0'));
        delays.push(now.saturating_sub(sent));
    }
}

fn arrived() -> String {
    let mut delays = std::mem::take(&mut *DELAYS.lock().unwrap());
    delays.sort_unstable();
    let at = |percent: usize| {
        delays
            .get(delays.len() * percent / 100)
            .copied()
            .unwrap_or(0)
    };
    format!("{} {} {}\n", delays.len(), at(50), at(99))
}
