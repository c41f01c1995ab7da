//! Running the parts, and the table of their figures.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use hookbox::clock::{Prng, Random, SystemRandom};

use crate::{
    clocks, compound, cycles, damage, files, fork, full, io_errors, kills, limits, names, power,
};

/// How much a part does, and from which seed.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    pub full: bool,
    seed: u64,
}

impl Size {
    /// One of two numbers: for the whole, and for a plain `cargo test`.
    pub const fn pick<T: Copy>(self, full: T, quick: T) -> T {
        if self.full { full } else { quick }
    }

    /// Chance, from this run's seed.
    pub const fn chance(self) -> Prng {
        Prng::new(self.seed)
    }
}

/// What a part measured: names and values, in order.
pub type Figures = Vec<(String, String)>;

/// One figure.
pub fn figure(name: &str, value: impl std::fmt::Display) -> (String, String) {
    (name.to_owned(), value.to_string())
}

/// A number below `below`.
pub fn below(chance: &mut Prng, below: usize) -> usize {
    let below = u64::try_from(below).unwrap();
    usize::try_from(chance.next_u64() % below.max(1)).unwrap()
}

type Part = fn(Size) -> Figures;

/// A part's name, and what it does.
const PARTS: [(&str, Part); 16] = [
    ("kills", kills::sqlite),
    #[cfg(feature = "redb")]
    ("kills-redb", kills::redb),
    #[cfg(not(feature = "redb"))]
    ("kills-redb", not_built),
    ("limits", limits::part),
    ("full-disk", full::part),
    ("files", files::part),
    ("fork", fork::part),
    ("clocks", clocks::part),
    ("open-close", cycles::part),
    ("damage", damage::sqlite),
    #[cfg(feature = "redb")]
    ("damage-redb", damage::redb),
    #[cfg(not(feature = "redb"))]
    ("damage-redb", not_built),
    ("names", names::part),
    #[cfg(feature = "redb")]
    ("io-errors-redb", io_errors::redb),
    #[cfg(not(feature = "redb"))]
    ("io-errors-redb", not_built),
    // From here on SQLite runs over the shim.
    ("io-errors", io_errors::sqlite),
    ("power", power::part),
    ("power-planted", power::planted),
    ("compound", compound::part),
];

#[cfg(not(feature = "redb"))]
fn not_built(_: Size) -> Figures {
    vec![figure("left out", "built without the feature redb")]
}

pub fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [child, of, rest @ ..] = &arguments[..]
        && child == "child"
    {
        run_child(of, rest);
        return ExitCode::SUCCESS;
    }
    let seed = arguments
        .iter()
        .position(|one| one == "--seed")
        .and_then(|at| arguments.get(at + 1)?.parse().ok());
    let full = arguments.iter().any(|one| one == "--full");
    let size = Size {
        full,
        // A plain `cargo test` does the same each time; `--full` looks further each time.
        seed: seed.unwrap_or_else(|| {
            if full {
                SystemRandom.seed().unwrap()
            } else {
                1
            }
        }),
    };
    let words: Vec<&String> = arguments
        .iter()
        .filter(|one| !one.starts_with('-') && one.parse::<u64>().is_err())
        .collect();
    let mut failed = Vec::new();
    for (name, part) in PARTS {
        if !words.is_empty() && !words.iter().any(|word| name.contains(word.as_str())) {
            continue;
        }
        let began = Instant::now();
        let figures = catch_unwind(AssertUnwindSafe(|| part(size)));
        let seconds = began.elapsed().as_secs_f64();
        match figures {
            Ok(figures) => {
                let figures: Vec<String> = figures
                    .iter()
                    .map(|(name, value)| format!("{name} {value}"))
                    .collect();
                println!("{name:<14} {seconds:>6.1} s  {}", figures.join(", "));
            }
            Err(_) => {
                println!("{name:<14} {seconds:>6.1} s  FAILED (--seed {})", size.seed);
                failed.push(name);
            }
        }
    }
    if failed.is_empty() {
        return ExitCode::SUCCESS;
    }
    println!("faults: failed: {}", failed.join(", "));
    ExitCode::FAILURE
}

/// What this program does as a child of itself.
fn run_child(of: &str, arguments: &[String]) {
    match of {
        "kills" => kills::child(arguments),
        "limits" => limits::child(arguments),
        "names" => names::child(arguments),
        _ => panic!("no such child: {of}"),
    }
}

/// Ends the program when something takes longer than it may: a hang must not look like patience.
pub struct Watchdog {
    _alive: mpsc::Sender<()>,
}

impl Watchdog {
    pub fn new(what: impl Into<String>, patience: Duration) -> Self {
        let (what, (alive, ended)) = (what.into(), mpsc::channel());
        std::thread::spawn(move || {
            if ended.recv_timeout(patience) == Err(mpsc::RecvTimeoutError::Timeout) {
                println!("faults: hangs: {what}");
                std::process::abort();
            }
        });
        Self { _alive: alive }
    }
}
