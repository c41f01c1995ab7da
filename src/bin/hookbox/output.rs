//! Printing: tables for people, JSON for programs. Nothing here panics when the reader is gone.

use std::io::{self, Write};

use comfy_table::{Table, presets};
use hookbox::model::Timestamp;
use serde::Serialize;

use crate::failure::{Failure, Outcome};

/// Longest text in a table's cell; `--json` gives all of it.
const CELL_CHARS_MAX: usize = 60;

/// Where results go.
#[derive(Debug, Clone, Copy)]
pub struct Output {
    pub json: bool,
}

/// A listing as JSON.
#[derive(Serialize)]
struct Listing<'a, T> {
    items: &'a [T],
    next_cursor: Option<&'a str>,
}

impl Output {
    /// One result: an object with `--json`, the text otherwise.
    pub fn result<T: Serialize>(self, value: &T, text: impl FnOnce() -> String) -> Outcome {
        if self.json {
            json_line(value)
        } else {
            line(&text())
        }
    }

    /// One page of a listing.
    pub fn page<T: Serialize>(
        self,
        items: &[T],
        next_cursor: Option<&str>,
        table: impl FnOnce() -> Table,
    ) -> Outcome {
        if self.json {
            return json_line(&Listing { items, next_cursor });
        }
        if items.is_empty() {
            return line("(none)");
        }
        line(&table_text(&table()))?;
        match next_cursor {
            Some(cursor) => line(&format!("(more: --cursor {cursor})")),
            None => Ok(()),
        }
    }

    /// A line that only people need.
    pub fn say(self, text: &str) -> Outcome {
        if self.json { Ok(()) } else { line(text) }
    }
}

/// A table without lines, under these headings.
pub fn table(heads: &[&str]) -> Table {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_header(heads.iter().map(|head| head.to_uppercase()));
    table
}

/// Without the spaces comfy-table fills each line with.
pub fn table_text(table: &Table) -> String {
    let lines: Vec<String> = table
        .lines()
        .map(|line| line.trim_end().to_owned())
        .collect();
    lines.join("\n")
}

/// Text of strangers for a terminal: control characters are escaped (an endpoint's answer must not
/// move the cursor), and long text is cut.
pub fn cell(text: &str) -> String {
    let mut shown = String::new();
    for (index, letter) in text.chars().enumerate() {
        if index == CELL_CHARS_MAX {
            shown.push('…');
            break;
        }
        if letter.is_control() {
            shown.extend(letter.escape_default());
        } else {
            shown.push(letter);
        }
    }
    shown
}

/// A time, or a dash.
pub fn time(at: Option<Timestamp>) -> String {
    at.map_or_else(|| "-".to_owned(), |at| at.to_string())
}

fn json_line<T: Serialize>(value: &T) -> Outcome {
    line(&json_text(value)?)
}

fn json_text<T: Serialize>(value: &T) -> Outcome<String> {
    serde_json::to_string(value).map_err(|error| Failure::File(format!("JSON: {error}")))
}

/// One line on standard output.
fn line(text: &str) -> Outcome {
    let mut stdout = io::stdout().lock();
    let written = stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.write_all(b"\n"))
        .and_then(|()| stdout.flush());
    written.map_err(|error| match error.kind() {
        io::ErrorKind::BrokenPipe => Failure::BrokenPipe,
        _ => Failure::File(format!("standard output: {error}")),
    })
}

/// One line on standard error. Where that is gone too, nobody is left to tell.
pub fn warn(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// One JSON object on standard error.
pub fn warn_json<T: Serialize>(value: &T) {
    if let Ok(text) = json_text(value) {
        warn(&text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strangers_cannot_move_the_cursor() {
        assert_eq!(cell("a\u{1b}[2J\r\nb"), "a\\u{1b}[2J\\r\\nb");
        assert_eq!(cell(&"x".repeat(100)).chars().count(), CELL_CHARS_MAX + 1);
    }
}
