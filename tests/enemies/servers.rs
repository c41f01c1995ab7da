//! All servers, in a process of their own: their threads and memory are not the box's.

use std::collections::{BTreeMap, HashSet};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering};
use std::sync::{LazyLock, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::kinds::{Does, KINDS};
use super::wire::{Peer, read_request};

/// The argument that turns this program into the servers.
pub const CHILD: &str = "--servers";

/// The line after the ports.
const END: &str = ".";

/// The servers as the box's process sees them; they end with it.
pub struct Servers {
    child: Child,
    ports: BTreeMap<String, u16>,
}

/// What came to the healthy servers: all deliveries so far, and how long those of the phase took.
#[derive(Debug, Clone, Copy)]
pub struct Arrived {
    pub distinct: usize,
    pub repeated: usize,
    /// Connections to where only redirects lead.
    pub trapped: usize,
    pub p50: Duration,
    pub p99: Duration,
}

impl Arrived {
    pub fn print(&self, name: &str) {
        println!(
            "  {name:<9} emit to arrival: p50 {:>6.1} ms, p99 {:>6.1} ms; {} arrived, {} twice",
            self.p50.as_secs_f64() * 1000.0,
            self.p99.as_secs_f64() * 1000.0,
            self.distinct,
            self.repeated
        );
    }
}

impl Servers {
    pub fn start() -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .arg(CHILD)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let ports = lines
            .map(Result::unwrap)
            .take_while(|line| line != END)
            .map(|line| {
                let (port, name) = line.split_once(' ').unwrap();
                (name.to_owned(), port.parse().unwrap())
            })
            .collect();
        Self { child, ports }
    }

    /// Where the n-th server of a kind is.
    pub fn url(&self, kind: &str, n: usize) -> String {
        let of_kind = KINDS.iter().find(|one| one.name == kind);
        let scheme = of_kind.map_or("http", |kind| kind.scheme);
        let host = match of_kind.map(|kind| &kind.does) {
            Some(Does::NotResolve) => format!("name-{n}.example"),
            _ => "127.0.0.1".to_owned(),
        };
        // Without the number for the healthy: it is appended.
        let path = if of_kind.is_some() {
            n.to_string()
        } else {
            String::new()
        };
        format!("{scheme}://{host}:{}/{path}", self.ports[kind])
    }

    pub fn arrived(&self) -> Arrived {
        self.ask("/arrived")
    }

    /// The same, and begins to measure anew.
    pub fn next_phase(&self) -> Arrived {
        self.ask("/next")
    }

    fn ask(&self, path: &str) -> Arrived {
        let mut stream = TcpStream::connect(("127.0.0.1", self.ports["healthy"])).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\n\r\n").unwrap();
        let mut text = String::new();
        BufReader::new(stream).read_line(&mut text).unwrap();
        let numbers: Vec<u64> = text
            .split_whitespace()
            .map(|text| text.parse().unwrap())
            .collect();
        let count = |index: usize| usize::try_from(numbers[index]).unwrap();
        Arrived {
            distinct: count(0),
            repeated: count(1),
            trapped: count(2),
            p50: Duration::from_micros(numbers[3]),
            p99: Duration::from_micros(numbers[4]),
        }
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What the healthy servers got.
#[derive(Default)]
struct Log {
    seen: HashSet<(String, u64)>,
    repeated: usize,
    delays_us: Vec<u64>,
}

static LOG: LazyLock<Mutex<Log>> = LazyLock::new(Mutex::default);
static TRAP_PORT: AtomicU16 = AtomicU16::new(0);
static TRAPPED: AtomicUsize = AtomicUsize::new(0);

/// Where only redirects lead.
pub fn trap_port() -> u16 {
    TRAP_PORT.load(Ordering::SeqCst)
}

/// Runs the servers until the box's process is gone.
pub fn serve() {
    let mut kept = Vec::new();
    let mut lines = String::new();
    let mut open = |name: &str| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        lines += &format!("{port} {name}\n");
        (listener, port)
    };
    let (trap, port) = open("trap");
    TRAP_PORT.store(port, Ordering::SeqCst);
    accept(trap, |_| {
        TRAPPED.fetch_add(1, Ordering::SeqCst);
    });
    accept(open("healthy").0, healthy);
    for kind in KINDS {
        let (listener, _) = open(kind.name);
        match kind.does {
            Does::Serve(serve) => accept(listener, move |stream| serve(&mut Peer(stream))),
            Does::NotAccept => kept.push(listener),
            Does::NotListen | Does::NotResolve => {}
        }
    }
    println!("{lines}{END}");
    std::io::stdout().flush().unwrap();
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
    drop(kept);
}

fn accept(listener: TcpListener, serve: impl Fn(TcpStream) + Copy + Send + 'static) {
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let thread = std::thread::Builder::new().stack_size(256 * 1024);
            thread.spawn(move || serve(stream)).unwrap();
        }
    });
}

/// Answers 200 at once, and takes note of the numbers and times in the body.
fn healthy(mut stream: TcpStream) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    while let Some((path, body)) = read_request(&mut reader) {
        match path.as_str() {
            "/arrived" | "/next" => {
                let _ = writeln!(stream, "{}", counted(path == "/next"));
                return;
            }
            _ => note(&path, &body),
        }
        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
        if stream.write_all(answer).is_err() {
            return;
        }
    }
}

fn note(path: &str, body: &[u8]) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let now = u64::try_from(now.as_micros()).unwrap();
    let body: serde_json::Value = serde_json::from_slice(body).unwrap();
    let mut log = LOG.lock().unwrap();
    for event in body["events"].as_array().unwrap() {
        let number = |name: &str| event["payload"][name].as_u64().unwrap();
        if log.seen.insert((path.to_owned(), number("n"))) {
            log.delays_us.push(now.saturating_sub(number("t")));
        } else {
            log.repeated += 1;
        }
    }
}

fn counted(begin_anew: bool) -> String {
    let mut log = LOG.lock().unwrap();
    log.delays_us.sort_unstable();
    let delays = &log.delays_us;
    let share = |percent: usize| {
        let at = (delays.len() * percent / 100).min(delays.len().saturating_sub(1));
        delays.get(at).copied().unwrap_or_default()
    };
    let text = format!(
        "{} {} {} {} {}",
        log.seen.len(),
        log.repeated,
        TRAPPED.load(Ordering::SeqCst),
        share(50),
        share(99)
    );
    if begin_anew {
        log.delays_us.clear();
    }
    text
}
