//! `run`: delivering, until a signal or until nothing is due.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hookbox::Hookbox;
use hookbox::clock::{Clock, SystemClock};
use hookbox::model::{Notice, Timestamp};
use serde::Serialize;
use serde_json::Value;
use signal_hook::consts::{SIGINT, SIGTERM};

use crate::args::{Global, RunArgs};
use crate::boxes;
use crate::failure::{Failure, Outcome};
use crate::output::{Output, warn, warn_json};
use crate::views::Rfc3339;

/// How often a signal is looked for.
const TICK: Duration = Duration::from_millis(50);

#[derive(Serialize)]
struct Ran {
    /// Requests made; not counted where the library's threads make them.
    #[serde(skip_serializing_if = "Option::is_none")]
    attempts: Option<usize>,
    next_due: Option<Rfc3339>,
    stopped_by_signal: bool,
}

pub fn run(global: &Global, out: Output, args: &RunArgs) -> Outcome {
    let json = out.json;
    let options = boxes::options(global)?
        .workers(args.workers)
        .on_notice(move |notice| print_notice(notice, json));
    let stop = stop_flag()?;
    let hooks = boxes::change_with(global, options)?;
    if args.until_idle {
        return until_idle(&hooks, out, args, &stop);
    }
    hooks.start()?;
    out.say("Delivering; stop with Ctrl-C.")?;
    while !stop.load(Ordering::Relaxed) {
        std::thread::sleep(TICK);
    }
    hooks.stop(args.drain)?;
    let ran = Ran {
        attempts: None,
        next_due: None,
        stopped_by_signal: true,
    };
    out.result(&ran, || "Stopped.".into())
}

/// The first signal asks for a drain, the second one ends the process at once: what was in flight
/// is then sent again when its lease ends.
fn stop_flag() -> Outcome<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        // In this order: the first signal finds the flag unset and sets it after.
        signal_hook::flag::register_conditional_shutdown(signal, 1, Arc::clone(&stop))
            .and_then(|_| signal_hook::flag::register(signal, Arc::clone(&stop)))
            .map_err(|error| Failure::File(format!("signals: {error}")))?;
    }
    Ok(stop)
}

/// Polls on several threads at once; leases keep them apart.
fn until_idle(hooks: &Hookbox, out: Output, args: &RunArgs, stop: &AtomicBool) -> Outcome {
    let deadline = SystemClock.now().plus(args.wait);
    let results: Vec<hookbox::Result<(usize, Option<Timestamp>)>> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..args.workers)
            .map(|_| scope.spawn(|| poll_until_idle(hooks, deadline, stop)))
            .collect();
        threads
            .into_iter()
            .filter_map(|thread| thread.join().ok())
            .collect()
    });
    let mut ran = Ran {
        attempts: Some(0),
        next_due: None,
        stopped_by_signal: stop.load(Ordering::Relaxed),
    };
    let mut attempts = 0;
    let mut next: Option<Timestamp> = None;
    for result in results {
        let (made, due) = result?;
        attempts += made;
        next = [next, due].into_iter().flatten().min();
    }
    ran.attempts = Some(attempts);
    ran.next_due = next.map(Rfc3339);
    out.result(&ran, || {
        let next = next.map_or_else(|| "nothing is due".into(), |at| format!("next due {at}"));
        format!("{attempts} attempts; {next}.")
    })
}

fn poll_until_idle(
    hooks: &Hookbox,
    deadline: Timestamp,
    stop: &AtomicBool,
) -> hookbox::Result<(usize, Option<Timestamp>)> {
    let mut attempts = 0;
    loop {
        let polled = hooks.poll(SystemClock.now())?;
        attempts += polled.attempts;
        let due = match polled.next_due {
            Some(due) if due <= deadline && !stop.load(Ordering::Relaxed) => due,
            other => return Ok((attempts, other)),
        };
        while due > SystemClock.now() && !stop.load(Ordering::Relaxed) {
            std::thread::sleep(due.since(SystemClock.now()).min(TICK));
        }
    }
}

fn print_notice(notice: &Notice, json: bool) {
    let Ok(mut shown) = serde_json::to_value(notice) else {
        return;
    };
    for name in ["deactivates_at", "signs_from"] {
        if let Some(at) = shown.get_mut(name)
            && let Some(millis) = at.as_i64()
        {
            *at = Value::String(Timestamp::from_millis(millis).to_string());
        }
    }
    if json {
        return warn_json(&shown);
    }
    let Value::Object(members) = shown else {
        return;
    };
    let name = members
        .get("notice")
        .and_then(Value::as_str)
        .unwrap_or("notice");
    let mut line = format!("notice: {name}");
    for (key, value) in members.iter().filter(|(key, _)| *key != "notice") {
        let text = value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned);
        line.extend([" ", key, "=", &crate::output::cell(&text)]);
    }
    warn(&line);
}
