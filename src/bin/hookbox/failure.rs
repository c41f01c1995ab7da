//! What can go wrong in the shell, and the exit code of each.

use std::io;
use std::path::Path;

use hookbox::Error;
use serde::Serialize;

/// Why a command did not do what was asked.
#[derive(Debug)]
pub enum Failure {
    /// The library refused.
    Refused(Error),
    /// As [`Failure::Refused`], with words of ours before the library's.
    RefusedAt(String, Error),
    /// The arguments do not fit together in a way that clap cannot see.
    Usage(String),
    /// A file or stream that was named cannot be read or written.
    File(String),
    /// The integrity check found something; it is printed already.
    Damaged(usize),
    /// A step of the demo did not do what it says.
    Demo(String),
    /// Nobody reads our output any more: no error.
    BrokenPipe,
}

/// The form of an error with `--json`.
#[derive(Serialize)]
struct Shown<'a> {
    code: &'a str,
    message: String,
}

impl Failure {
    /// An error of reading or writing a named file.
    pub fn file(path: &Path, error: &io::Error) -> Self {
        Self::File(format!("{}: {error}", path.display()))
    }

    /// The stable code; the library's own where there is one.
    fn code(&self) -> &'static str {
        match self {
            Self::Refused(error) | Self::RefusedAt(_, error) => error.code(),
            Self::Usage(_) => "usage",
            Self::File(_) => "file",
            Self::Damaged(_) => "storage_corrupt",
            Self::Demo(_) => "demo_failed",
            Self::BrokenPipe => "broken_pipe",
        }
    }

    fn message(&self) -> String {
        match self {
            Self::Refused(error) => error.to_string(),
            Self::RefusedAt(place, error) => format!("{place}: {error}"),
            Self::Usage(message) | Self::File(message) | Self::Demo(message) => message.clone(),
            Self::Damaged(count) => format!("The check found {count} faults."),
            Self::BrokenPipe => String::new(),
        }
    }

    /// The exit code (docs/shell.md).
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::BrokenPipe => 0,
            Self::File(_) | Self::Demo(_) => 1,
            Self::Usage(_) => 2,
            Self::Damaged(_) => 5,
            Self::Refused(error) | Self::RefusedAt(_, error) => match error {
                Error::AppNotFound(_)
                | Error::WebhookNotFound(_)
                | Error::EventNotFound(_)
                | Error::BatchNotFound(_)
                | Error::KeyNotFound(_)
                | Error::ApiKeyNotFound(_) => 3,
                Error::WebhookActivationFailed { .. } | Error::NotAuthentic(_) => 4,
                Error::Storage { .. } => 5,
                _ => 1,
            },
        }
    }

    /// Prints the error on standard error.
    pub fn print(&self, json: bool) {
        if matches!(self, Self::BrokenPipe) {
            return;
        }
        let (code, message) = (self.code(), self.message());
        if json {
            crate::output::warn_json(&Shown { code, message });
        } else {
            crate::output::warn(&format!("error[{code}]: {message}"));
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Refused(error)
    }
}

/// The result of a command.
pub type Outcome<T = ()> = Result<T, Failure>;
