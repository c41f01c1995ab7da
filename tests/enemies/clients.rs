//! Hostile clients of `hookbox serve`: those that are slow in every way, and those that send too much.
//!
//! Goal: they cost a bounded number of threads and a bounded amount of memory, each connection ends at its
//! limit, and an honest client's requests do not wait. Method: the real binary; one honest client asks, first
//! alone, then beside all of them; whoever is cut comes again at once.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::{Duration, Instant};

use super::measure::{Usage, usage_of};

/// What a client may take: for a head, and for a body.
const LIMIT: Duration = Duration::from_secs(2);

/// How much later it may be cut: a refused one is read on for a second, and the machine is busy.
const GRACE: Duration = Duration::from_secs(2);

/// What one connection may cost: its buffers, and what the allocator keeps. Those that send a body cost
/// that too, with room to grow.
const KIB_PER_CONNECTION: u64 = 96;
const MAX_BODY_KIB: u64 = 256;
const KIB_SPARE: u64 = 64 * 1024;

/// Threads beside those that answer: main, log, sockets, dispatcher, senders.
const OTHER_THREADS: u64 = 24;
const API_WORKERS: u64 = 16;
const WATCHING_WORKERS: u64 = 2;

/// Between two bytes.
const PACE: Duration = Duration::from_millis(20);

struct Kind {
    name: &'static str,
    opening: &'static str,
    /// Sent again and again.
    drip: &'static str,
    /// How often the drip is repeated each time.
    times: usize,
    /// Of ten.
    share: usize,
}

const KINDS: [Kind; 8] = [
    Kind {
        name: "silent",
        opening: "",
        drip: "",
        times: 0,
        share: 2,
    },
    Kind {
        name: "slow head",
        opening: "GET / HTTP/1.1\r\nhost: x\r\nx: ",
        drip: "a",
        times: 1,
        share: 2,
    },
    Kind {
        name: "slow body",
        opening: "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 100000\r\n\r\n",
        drip: "a",
        times: 1,
        share: 1,
    },
    Kind {
        name: "slow chunks",
        opening: "POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n",
        drip: "1\r\na\r\n",
        times: 1,
        share: 1,
    },
    Kind {
        name: "endless head",
        opening: "GET / HTTP/1.1\r\nhost: x\r\nx: ",
        drip: "a",
        times: 4096,
        share: 1,
    },
    Kind {
        name: "too large body",
        opening: "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 9999999999\r\n\r\n",
        drip: "a",
        times: 4096,
        share: 1,
    },
    Kind {
        name: "endless chunks",
        opening: "POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n",
        drip: "1\r\na\r\n",
        times: 2000,
        share: 1,
    },
    Kind {
        name: "not HTTP",
        opening: "\u{16}\u{3}\u{1}\u{0}hello\r\n\r\n",
        drip: "",
        times: 0,
        share: 1,
    },
];

/// How much of everything.
pub struct Size {
    pub clients: usize,
    pub alone: Duration,
    pub besieged: Duration,
    /// Below this, a p99 says more about the machine than about the server.
    pub p99_floor: Duration,
}

/// The server as a process.
struct Served {
    child: Child,
    address: SocketAddr,
    _folder: tempfile::TempDir,
}

/// Says which p99 is too long.
pub fn run(size: &Size) -> Result<(), String> {
    let served = Served::start();
    let alone = honest(served.address, size.alone);
    let rested = usage_of(served.child.id());
    let stop = AtomicBool::new(false);
    let (together, besieged, counts) = std::thread::scope(|scope| {
        let enemies = KINDS.map(|kind| {
            let (stop, address) = (&stop, served.address);
            let clients = size.clients * kind.share / 10;
            scope.spawn(move || Enemies::run(&kind, clients, address, stop))
        });
        let sampler = scope.spawn(|| {
            let mut peak = Usage::default();
            while !stop.load(SeqCst) {
                let now = usage_of(served.child.id());
                peak.rss_kib = peak.rss_kib.max(now.rss_kib);
                peak.threads = peak.threads.max(now.threads);
                std::thread::sleep(PACE);
            }
            peak
        });
        let together = honest(served.address, size.besieged);
        stop.store(true, SeqCst);
        let counts = enemies.map(|enemies| enemies.join().unwrap());
        (together, sampler.join().unwrap(), counts)
    });
    report(size, [&alone, &together], [rested, besieged], &counts);

    for (kind, count) in KINDS.iter().zip(&counts) {
        assert!(count.cut > 0, "{} was never cut", kind.name);
        assert!(
            count.longest <= LIMIT + GRACE,
            "{}: {:?}",
            kind.name,
            count.longest
        );
    }
    let clients = size.clients as u64;
    // Endless chunks, a tenth, come up to the limit.
    let bodies = clients / 10 * 2 * MAX_BODY_KIB;
    let most = rested.rss_kib + clients * KIB_PER_CONNECTION + bodies + KIB_SPARE;
    assert!(
        besieged.rss_kib <= most,
        "{} KiB, at most {most}",
        besieged.rss_kib
    );
    let most = API_WORKERS + WATCHING_WORKERS + OTHER_THREADS;
    assert!(besieged.threads <= most, "{} threads", besieged.threads);
    let most = (2 * percentile(&alone, 99)).max(size.p99_floor);
    let p99 = percentile(&together, 99);
    if p99 > most {
        return Err(format!(
            "the honest wait for the hostile: {p99:?}, at most {most:?}"
        ));
    }
    println!("hostile clients: all held");
    Ok(())
}

impl Served {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let shell = || {
            let mut shell = Command::new(env!("CARGO_BIN_EXE_hookbox"));
            shell.env("HOOKBOX_DB", folder.path().join("box.db"));
            shell
        };
        let made = shell().args(["app", "create", "a"]).output().unwrap();
        assert!(made.status.success(), "{made:?}");
        let mut child = shell()
            .args([
                "serve",
                "--listen",
                "127.0.0.1:0",
                "--max-connections",
                "10000",
            ])
            .args(["--head-time", "2s", "--body-time", "2s", "--quiet"])
            .args(["--max-body", &(MAX_BODY_KIB * 1024).to_string()])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let stdout = child.stdout.take().unwrap();
        BufReader::new(stdout).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("Listening on http://").unwrap();
        Self {
            address: address.parse().unwrap(),
            child,
            _folder: folder,
        }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Asks for as long as this, one request after the other on one connection; how long each took, the
/// shortest first.
fn honest(address: SocketAddr, span: Duration) -> Vec<Duration> {
    let stream = TcpStream::connect(address).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(30)))
        .unwrap();
    let mut reader = BufReader::new(stream);
    let mut took = Vec::new();
    let begun = Instant::now();
    while begun.elapsed() < span {
        let asked = Instant::now();
        let request = b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n";
        reader.get_mut().write_all(request).unwrap();
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        assert!(line.starts_with("HTTP/1.1 200"), "{line:?}");
        while line.trim_end() != "{\"status\":\"ok\"}" {
            line.clear();
            assert_ne!(reader.read_line(&mut line).unwrap(), 0, "closed");
        }
        took.push(asked.elapsed());
        // Honest clients do not ask as fast as they can.
        std::thread::sleep(Duration::from_millis(2));
    }
    took.sort_unstable();
    took
}

/// What came of the clients of one kind.
struct Count {
    clients: usize,
    cut: usize,
    longest: Duration,
}

/// The clients of one kind, all on one thread.
struct Enemies<'a> {
    kind: &'a Kind,
    address: SocketAddr,
    drip: String,
    count: Count,
}

impl Enemies<'_> {
    fn run(kind: &Kind, clients: usize, address: SocketAddr, stop: &AtomicBool) -> Count {
        let count = Count {
            clients,
            cut: 0,
            longest: Duration::ZERO,
        };
        let mut enemies = Enemies {
            kind,
            address,
            drip: kind.drip.repeat(kind.times),
            count,
        };
        let mut open: Vec<_> = (0..clients).map(|_| enemies.open()).collect();
        while !stop.load(SeqCst) {
            for client in &mut open {
                if enemies.is_cut(&mut client.0) {
                    enemies.count.cut += 1;
                    enemies.count.longest = enemies.count.longest.max(client.1.elapsed());
                    *client = enemies.open();
                }
            }
            std::thread::sleep(PACE);
        }
        enemies.count
    }

    fn open(&self) -> (TcpStream, Instant) {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.write_all(self.kind.opening.as_bytes()).unwrap();
        stream.set_nonblocking(true).unwrap();
        (stream, Instant::now())
    }

    /// Sends a little more, takes what is there, and sees whether the server has had enough.
    fn is_cut(&self, stream: &mut TcpStream) -> bool {
        let waits = |error: &std::io::Error| error.kind() == ErrorKind::WouldBlock;
        let written = stream.write(self.drip.as_bytes());
        if written.is_err_and(|error| !waits(&error)) {
            return true;
        }
        loop {
            match stream.read(&mut [0; 1024]) {
                Ok(0) => return true,
                Ok(_) => {}
                Err(error) => return !waits(&error),
            }
        }
    }
}

fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    sorted[(sorted.len() - 1) * percent / 100]
}

fn report(size: &Size, took: [&[Duration]; 2], usage: [Usage; 2], counts: &[Count; 8]) {
    println!(
        "\n{} hostile clients of `hookbox serve`, beside an honest one:",
        size.clients
    );
    for (kind, count) in KINDS.iter().zip(counts) {
        println!(
            "  {:<15} {:>5} at once, cut {:>6} times, the longest after {:>5} ms",
            kind.name,
            count.clients,
            count.cut,
            count.longest.as_millis()
        );
    }
    for (name, (took, usage)) in ["alone", "together"].iter().zip(took.iter().zip(usage)) {
        println!(
            "  {name:<9} {:>6} requests: p50 {:>6.2} ms, p99 {:>6.2} ms, longest {:>6.2} ms; {} MiB resident, {} threads",
            took.len(),
            percentile(took, 50).as_secs_f64() * 1000.0,
            percentile(took, 99).as_secs_f64() * 1000.0,
            percentile(took, 100).as_secs_f64() * 1000.0,
            usage.rss_kib / 1024,
            usage.threads
        );
    }
}
