//! What a box costs that has nothing to do, and how long it takes to open one that is large.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use hookbox::model::{EventType, NewEvent};

use crate::Scale;
use crate::boxes::{Bench, TYPE, options, prelude};
use crate::deliver::millis;
use crate::report::{Report, Row, Unit};

/// The argument that turns this program into one with an idle box.
pub const CHILD: &str = "--idle-box";

/// A program that has opened and started a box, and has sent one event.
pub fn stay(path: &str) {
    let hooks = options().open(path).unwrap();
    hooks.start().unwrap();
    while hooks.wait_idle(Duration::from_secs(1)).is_none() {}
    println!("idle");
    loop {
        std::thread::park();
    }
}

pub fn measure(scale: Scale, report: &mut Report) {
    let bench = Bench::open(options());
    bench.app("app", prelude());
    bench.webhook("app", "http://127.0.0.1:8080/".to_owned());
    let seconds = scale.pick(10, 2);
    let mut child = Command::new(std::env::current_exe().unwrap())
        .arg(CHILD)
        .arg(bench.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let stdout = child.stdout.as_mut().unwrap();
    BufReader::new(stdout).read_line(&mut line).unwrap();
    // The last of its start: connections, the first look at what others wrote, retention's pass.
    std::thread::sleep(Duration::from_secs(2));
    let process = format!("/proc/{}", child.id());
    let before = (wake_ups(&process), written(&process));
    std::thread::sleep(Duration::from_secs(seconds as u64));
    let after = (wake_ups(&process), written(&process));
    let resident = status(&format!("{process}/status"), "VmRSS:") as f64 / 1024.0;
    child.kill().unwrap();
    child.wait().unwrap();
    report.add(Row::new("idle box, resident memory", resident, Unit::Megabytes).at_most(16.0));
    report.add(
        Row::new(
            "idle box, wake-ups",
            (after.0 - before.0) as f64 / seconds as f64,
            Unit::PerSecond,
        )
        .at_most(2.0),
    );
    report.add(
        Row::new(
            "idle box, bytes written",
            (after.1 - before.1) as f64,
            Unit::Bytes,
        )
        .at_most(0.0),
    );
}

/// Opening is the same work however large the file is.
pub fn open(scale: Scale, report: &mut Report) {
    const PAYLOAD: usize = 100_000;
    let gigabytes = scale.pick(10_000, 100) as f64 / 1_000.0;
    let mut bench = Bench::open(options());
    bench.app("app", prelude());
    let payload = format!("\"{}\"", "x".repeat(PAYLOAD));
    let calls = (gigabytes * 1e9 / PAYLOAD as f64 / 100.0) as usize;
    for _ in 0..calls {
        let event = || NewEvent::new(EventType::parse(TYPE).unwrap(), payload.clone());
        let events = (0..100).map(|_| event()).collect();
        bench.hooks.emit_many("app", events).unwrap();
    }
    let mut spans = Vec::new();
    for _ in 0..5 {
        let began = Instant::now();
        bench = bench.reopen(options());
        bench.hooks.start().unwrap();
        spans.push(millis(began.elapsed()));
        bench.hooks.stop(Duration::ZERO).unwrap();
    }
    let size = bench.sizes().0 as f64 / 1e9;
    report.add(
        Row::new(
            format!("open and start a box of {size:.1} GB"),
            crate::boxes::median(spans),
            Unit::Millis,
        )
        .at_most(50.0),
    );
}

/// Voluntary context switches of all threads.
fn wake_ups(process: &str) -> u64 {
    let tasks = std::fs::read_dir(format!("{process}/task")).unwrap();
    tasks
        .flatten()
        .map(|task| {
            let file = task.path().join("status");
            status(file.to_str().unwrap(), "voluntary_ctxt_switches:")
        })
        .sum()
}

fn written(process: &str) -> u64 {
    status(&format!("{process}/io"), "wchar:")
}

/// A number of a file of `/proc`.
fn status(file: &str, name: &str) -> u64 {
    let text = std::fs::read_to_string(file).unwrap();
    let line = text.lines().find(|line| line.starts_with(name)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}
