//! `cargo bench --bench ceiling -- [--quick] [--json FILE] [--svg FILE] [--check FILE] [PART…]`
//!
//! How near hookbox comes to what the machine can do: each row measures a ceiling (raw SQLite
//! inserts, raw signatures, raw POSTs) and hookbox beside it in the same run, and prints the ratio.
//! docs/benchmarks.md says how to read the table. Parts: `emit ceilings deliver ones fanout latency holes
//! quiet open sustained peers`; all but the last two when none is named. `--check` fails when a ratio is less than
//! half of what the file (made with `--json`) says.

mod boxes;
mod deliver;
mod emit;
mod holes;
mod peers;
mod quiet;
mod raw;
mod report;
mod sink;

use report::Report;

/// How much is done: a quick run shows that everything works, and roughly how fast.
#[derive(Clone, Copy)]
pub struct Scale {
    pub quick: bool,
}

impl Scale {
    /// The first for a full run, the second for a quick one.
    pub const fn pick(self, full: usize, quick: usize) -> usize {
        if self.quick { quick } else { full }
    }
}

const PARTS: [&str; 9] = [
    "emit", "ceilings", "deliver", "ones", "fanout", "latency", "holes", "quiet", "open",
];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.first().map(String::as_str) {
        Some(sink::CHILD) => return sink::serve(),
        Some(quiet::CHILD) => return quiet::stay(&arguments[1]),
        _ => {}
    }
    let (mut scale, mut parts) = (Scale { quick: false }, Vec::new());
    let (mut json, mut svg, mut check) = (None, None, None);
    let mut rest = arguments.into_iter();
    while let Some(argument) = rest.next() {
        match argument.as_str() {
            "--quick" => scale.quick = true,
            "--json" => json = rest.next(),
            "--svg" => svg = rest.next(),
            "--check" => check = rest.next(),
            // What `cargo bench` adds.
            "--bench" => {}
            part => parts.push(part.to_owned()),
        }
    }
    if parts.is_empty() {
        parts = PARTS.map(str::to_owned).to_vec();
    }
    let mut report = Report::new(scale);
    for part in &parts {
        match part.as_str() {
            "emit" => emit::measure(scale, &mut report),
            "ceilings" => deliver::ceilings(scale, &mut report),
            "deliver" => deliver::measure(scale, &mut report),
            "ones" => deliver::ones(scale, &mut report),
            "fanout" => deliver::fan_out(scale, &mut report),
            "latency" => holes::latency(scale, &mut report),
            "holes" => holes::measure(scale, &mut report),
            "quiet" => quiet::measure(scale, &mut report),
            "open" => quiet::open(scale, &mut report),
            "peers" => peers::measure(),
            "sustained" => deliver::sustained(scale, &mut report),
            other => panic!("no such part: {other}"),
        }
    }
    report.print();
    if let Some(file) = json {
        report.write_json(&file);
    }
    if let Some(file) = svg {
        report.write_svg(&file);
    }
    let halved = check.map(|file| report.halved(&file)).unwrap_or_default();
    for sentence in &halved {
        println!("HALVED: {sentence}");
    }
    if !halved.is_empty() {
        std::process::exit(1);
    }
}
