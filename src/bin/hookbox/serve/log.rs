//! The log: one JSON object a line on standard error, written by a thread of its own, so that a slow
//! reader holds up no request. No line has a key, a header, a query or a body in it.

use std::io::{self, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use hookbox::clock::{Clock as _, SystemClock};
use hookbox::model::Notice;
use serde::Serialize;

use super::server::Happened;
use crate::failure::{Failure, Outcome};
use crate::run::notice_json;

/// Lines that wait to be written; beyond them lines are dropped, and counted.
const LINES_MAX: usize = 4096;

/// Bytes that are written at once.
const CHUNK_BYTES: usize = 64 * 1024;

/// How long a stop waits for the last lines to be written.
const FLUSH_TIME: Duration = Duration::from_secs(1);

/// Letters of a path that are kept. (A method is one of HTTP's, or this is cut too.)
const PATH_CHARS_MAX: usize = 256;

/// Where lines are put.
#[derive(Clone)]
pub struct Log {
    to_writer: SyncSender<Item>,
    dropped: Arc<AtomicU64>,
    /// Leaves out the lines of requests and of cut connections.
    quiet: bool,
}

enum Item {
    Line(String),
    /// Everything before it is written: say so.
    Flush(SyncSender<()>),
}

/// What every line has.
#[derive(Serialize)]
struct Line<'a, T> {
    at: String,
    log: &'a str,
    #[serde(flatten)]
    rest: T,
}

#[derive(Serialize)]
struct RequestLine<'a> {
    peer: String,
    method: &'a str,
    path: &'a str,
    status: u16,
    bytes_in: usize,
    bytes_out: usize,
    micros: u128,
}

#[derive(Serialize)]
struct CutLine<'a> {
    peer: String,
    reason: &'a str,
}

#[derive(Serialize)]
struct MessageLine<'a> {
    message: &'a str,
}

#[derive(Serialize)]
struct DroppedLine {
    lines: u64,
}

impl Log {
    /// Starts the thread that writes. It ends with the process.
    pub fn start(quiet: bool) -> Outcome<Self> {
        let (to_writer, items) = sync_channel(LINES_MAX);
        let dropped = Arc::<AtomicU64>::default();
        let counted = Arc::clone(&dropped);
        std::thread::Builder::new()
            .name("hookbox-log".to_owned())
            .spawn(move || write(&items, &counted))
            .map_err(|error| Failure::File(format!("the log's thread: {error}")))?;
        Ok(Self {
            to_writer,
            dropped,
            quiet,
        })
    }

    /// A line of this kind.
    pub fn put(&self, log: &str, rest: impl Serialize) {
        let item = Item::Line(line(log, rest));
        if self.to_writer.try_send(item).is_err() {
            self.dropped.fetch_add(1, Relaxed);
        }
    }

    /// A notice of the box.
    pub fn notice(&self, notice: &Notice) {
        self.put("notice", notice_json(notice));
    }

    /// What the server tells.
    pub fn happened(&self, happened: &Happened) {
        match happened {
            Happened::NotAccepted { message } => self.put("not_accepted", MessageLine { message }),
            _ if self.quiet => {}
            Happened::Cut { peer, reason } => {
                let peer = peer.to_string();
                self.put("cut", CutLine { peer, reason });
            }
            Happened::Served {
                peer,
                method,
                path,
                status,
                bytes_in,
                bytes_out,
                took,
            } => self.put(
                "request",
                RequestLine {
                    peer: peer.to_string(),
                    method: start_of(method),
                    path: start_of(path),
                    status: *status,
                    bytes_in: *bytes_in,
                    bytes_out: *bytes_out,
                    micros: took.as_micros(),
                },
            ),
        }
    }

    /// Waits a little until everything so far is written.
    pub fn flush(&self) {
        let (done, waiting) = sync_channel(1);
        if self.to_writer.try_send(Item::Flush(done)).is_ok() {
            // A reader that takes nothing must not keep the process from ending.
            let _ = waiting.recv_timeout(FLUSH_TIME);
        }
    }
}

fn line(log: &str, rest: impl Serialize) -> String {
    let line = Line {
        at: SystemClock.now().to_string(),
        log,
        rest,
    };
    // Plain structs with names for keys: nothing in them can fail.
    let mut text = serde_json::to_string(&line).unwrap_or_default();
    text.push('\n');
    text
}

/// Writes what comes, as much at once as is there.
fn write(items: &Receiver<Item>, dropped: &AtomicU64) {
    while let Ok(first) = items.recv() {
        let mut text = String::new();
        let mut flushed = None;
        let mut next = Some(first);
        while let Some(item) = next.take() {
            match item {
                Item::Line(line) => text.push_str(&line),
                Item::Flush(done) => flushed = Some(done),
            }
            if flushed.is_none() && text.len() < CHUNK_BYTES {
                next = items.try_recv().ok();
            }
        }
        let lines = dropped.swap(0, Relaxed);
        if lines > 0 {
            text.push_str(&line("dropped", DroppedLine { lines }));
        }
        // Where standard error is gone, nobody is left to tell.
        let _ = io::stderr().lock().write_all(text.as_bytes());
        if let Some(done) = flushed {
            // Whoever waited may have given up.
            let _ = done.send(());
        }
    }
}

fn start_of(text: &str) -> &str {
    let end = text.char_indices().nth(PATH_CHARS_MAX);
    end.map_or(text, |(end, _)| &text[..end])
}
