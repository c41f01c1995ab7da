//! `run`: delivering, until a signal or until nothing is due.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hookbox::clock::{Clock, SystemClock};
use hookbox::model::{Notice, Timestamp};
use hookbox::{Hookbox, Idle};
use serde::Serialize;
use serde_json::Value;
use signal_hook::consts::{SIGINT, SIGTERM};

use crate::args::{Global, RunArgs};
use crate::boxes;
use crate::failure::{Failure, Outcome};
use crate::output::{Output, warn, warn_json};
use crate::views::Rfc3339;

/// How often a signal is looked for.
pub const TICK: Duration = Duration::from_millis(50);

#[derive(Serialize)]
struct Ran {
    /// Requests made; not said when a signal ended the run.
    #[serde(skip_serializing_if = "Option::is_none")]
    attempts: Option<u64>,
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
    hooks.start()?;
    let idle = if args.until_idle {
        until_idle(&hooks, args.wait, &stop)
    } else {
        out.say("Delivering; stop with Ctrl-C.")?;
        while !stop.load(Ordering::Relaxed) {
            std::thread::sleep(TICK);
        }
        None
    };
    hooks.stop(args.drain)?;
    let ran = Ran {
        attempts: idle.map(|idle| idle.attempts),
        next_due: idle.and_then(|idle| idle.next_due).map(Rfc3339),
        stopped_by_signal: idle.is_none(),
    };
    out.result(&ran, || match idle {
        None => "Stopped.".into(),
        Some(Idle { attempts, next_due }) => {
            let next =
                next_due.map_or_else(|| "nothing is due".into(), |at| format!("next due {at}"));
            format!("{attempts} attempts; {next}.")
        }
    })
}

/// The first signal asks for a drain, the second one ends the process at once: what was in flight
/// is then sent again when its lease ends.
pub fn stop_flag() -> Outcome<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        // In this order: the first signal finds the flag unset and sets it after.
        signal_hook::flag::register_conditional_shutdown(signal, 1, Arc::clone(&stop))
            .and_then(|_| signal_hook::flag::register(signal, Arc::clone(&stop)))
            .map_err(|error| Failure::File(format!("signals: {error}")))?;
    }
    Ok(stop)
}

/// Waits until nothing is due, nor will be within `wait`; `None` when a signal came first.
fn until_idle(hooks: &Hookbox, wait: Duration, stop: &AtomicBool) -> Option<Idle> {
    let deadline = SystemClock.now().plus(wait);
    while !stop.load(Ordering::Relaxed) {
        let Some(idle) = hooks.wait_idle(TICK) else {
            continue;
        };
        if idle.next_due.is_none_or(|due| due > deadline) {
            return Some(idle);
        }
        std::thread::sleep(TICK);
    }
    None
}

/// A notice as JSON, its times as RFC 3339.
pub fn notice_json(notice: &Notice) -> Value {
    // Plain data with names for keys: nothing in it can fail.
    let mut shown = serde_json::to_value(notice).unwrap_or_default();
    for name in ["deactivates_at", "signs_from"] {
        if let Some(at) = shown.get_mut(name)
            && let Some(millis) = at.as_i64()
        {
            *at = Value::String(Timestamp::from_millis(millis).to_string());
        }
    }
    shown
}

fn print_notice(notice: &Notice, json: bool) {
    let shown = notice_json(notice);
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
