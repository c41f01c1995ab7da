//! `emit`: one event, or many from lines of JSON.

use std::fs::File;
use std::io::{self, BufRead, BufReader, IsTerminal, Read};
use std::path::Path;
use std::time::Duration;

use hookbox::model::{DeliveryMode, Environment, EventType, NewEvent};
use hookbox::{Error, Hookbox};
use indicatif::{ProgressBar, ProgressStyle};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::args::{EmitArgs, Global};
use crate::boxes;
use crate::failure::{Failure, Outcome};
use crate::output::Output;

/// Events in one commit.
const CHUNK: usize = 500;

#[derive(Serialize)]
struct Emitted {
    id: String,
}

#[derive(Serialize)]
struct EmittedMany {
    emitted: usize,
}

/// One line of `--ndjson`. The payload's text is kept as it stands.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line<'a> {
    #[serde(rename = "type")]
    kind: EventType,
    #[serde(borrow)]
    payload: &'a RawValue,
    key: Option<String>,
    environment: Option<Environment>,
    #[serde(default)]
    at_most_once: bool,
}

pub fn emit(global: &Global, out: Output, args: EmitArgs) -> Outcome {
    if let Some(path) = &args.ndjson {
        let hooks = boxes::change(global)?;
        let emitted = emit_lines(&hooks, &args, open(path)?)?;
        return out.result(&EmittedMany { emitted }, || {
            format!("{emitted} events emitted.")
        });
    }
    let Some(kind) = args.event_type.clone() else {
        return Err(Failure::Usage("name the event's type".into()));
    };
    let payload = match args.payload.as_deref() {
        None | Some("-") => {
            let mut text = String::new();
            let read = io::stdin().lock().read_to_string(&mut text);
            read.map_err(|error| Failure::file(Path::new("standard input"), &error))?;
            // The line end belongs to the terminal or the pipe, not to the payload.
            text.truncate(text.trim_end().len());
            text
        }
        Some(text) => text.to_owned(),
    };
    let mut event = NewEvent::new(kind, payload);
    event.idempotency_key = args.key;
    event.environment = args
        .environment
        .as_deref()
        .map(Environment::parse)
        .transpose()?;
    event.mode = mode(args.at_most_once);
    let id = boxes::change(global)?
        .emit_event(&args.app, event)?
        .to_string();
    out.result(&Emitted { id: id.clone() }, || id)
}

const fn mode(at_most_once: bool) -> DeliveryMode {
    if at_most_once {
        DeliveryMode::AtMostOnce
    } else {
        DeliveryMode::AtLeastOnce
    }
}

fn open(path: &Path) -> Outcome<Box<dyn BufRead>> {
    if path == Path::new("-") {
        return Ok(Box::new(BufReader::new(io::stdin())));
    }
    let file = File::open(path).map_err(|error| Failure::file(path, &error))?;
    Ok(Box::new(BufReader::new(file)))
}

/// Emits lines in commits of [`CHUNK`]. Everything before a bad line is stored, nothing after it.
fn emit_lines(hooks: &Hookbox, args: &EmitArgs, mut lines: Box<dyn BufRead>) -> Outcome<usize> {
    let fallback = args
        .environment
        .as_deref()
        .map(Environment::parse)
        .transpose()?;
    let progress = progress();
    let mut emitted = 0;
    let mut pending: Vec<(usize, NewEvent)> = Vec::with_capacity(CHUNK);
    let mut text = String::new();
    for number in 1.. {
        text.clear();
        let read = lines.read_line(&mut text);
        let parsed = match read {
            Ok(0) => break,
            Ok(_) if text.trim().is_empty() => continue,
            Ok(_) => parse(&text, args, fallback.as_ref()),
            Err(error) => Err(format!("cannot be read: {error}")),
        };
        match parsed {
            Ok(event) => pending.push((number, event)),
            Err(fault) => {
                flush(hooks, &args.app, &mut pending)?;
                progress.finish_and_clear();
                return Err(bad_line(number, Error::InvalidPayload(fault)));
            }
        }
        if pending.len() == CHUNK {
            emitted += flush(hooks, &args.app, &mut pending)?;
            progress.set_position(u64::try_from(emitted).unwrap_or(u64::MAX));
        }
    }
    emitted += flush(hooks, &args.app, &mut pending)?;
    progress.finish_and_clear();
    Ok(emitted)
}

fn parse(text: &str, args: &EmitArgs, fallback: Option<&Environment>) -> Result<NewEvent, String> {
    let line: Line = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let mut event = NewEvent::new(line.kind, line.payload.get());
    event.idempotency_key = line.key;
    event.environment = line.environment.or_else(|| fallback.cloned());
    event.mode = mode(line.at_most_once || args.at_most_once);
    Ok(event)
}

/// Commits what is pending. A commit is all or none, so where it is refused the events go one by
/// one up to the one that is at fault, to name its line.
fn flush(hooks: &Hookbox, app: &str, pending: &mut Vec<(usize, NewEvent)>) -> Outcome<usize> {
    let events: Vec<_> = pending.iter().map(|(_, event)| event.clone()).collect();
    let count = events.len();
    match hooks.emit_many(app, events) {
        Ok(_) => {
            pending.clear();
            return Ok(count);
        }
        Err(error) if !is_of_one_event(&error) => return Err(error.into()),
        Err(_) => {}
    }
    for (number, event) in pending.drain(..) {
        if let Err(error) = hooks.emit_event(app, event) {
            return Err(bad_line(number, error));
        }
    }
    // Whoever was at fault has been put right meanwhile (a type added to the catalogue).
    Ok(count)
}

/// Whether one event is at fault rather than the app or the storage. After an unknown commit
/// nothing may be repeated: not every line has an idempotency key.
const fn is_of_one_event(error: &Error) -> bool {
    matches!(
        error,
        Error::InvalidWebhookEvent { .. }
            | Error::InvalidPayload(_)
            | Error::PayloadTooLarge { .. }
            | Error::InvalidRequest { .. }
    )
}

fn bad_line(number: usize, error: Error) -> Failure {
    Failure::RefusedAt(
        format!("line {number} (every line before it is stored)"),
        error,
    )
}

/// On a terminal only: a log file has no use for it.
fn progress() -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{spinner} {pos} events ({per_sec})") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}
