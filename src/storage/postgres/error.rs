//! What PostgreSQL's errors mean to a caller.

use postgres::error::SqlState;

use crate::error::{Error, StorageFault};

impl From<postgres::Error> for Error {
    fn from(error: postgres::Error) -> Self {
        if error.code() == Some(&SqlState::CHARACTER_NOT_IN_REPERTOIRE) {
            return Self::invalid(
                "text",
                "must not contain U+0000: PostgreSQL cannot store it",
            );
        }
        Self::storage(fault_of(&error), message_of(&error))
    }
}

/// The server's own words with its code, or the client's.
fn message_of(error: &postgres::Error) -> String {
    match error.as_db_error() {
        Some(of_server) => {
            let detail = of_server.detail().map(|text| format!(" ({text})"));
            let (code, message) = (of_server.code().code(), of_server.message());
            format!("{message}{} [{code}]", detail.unwrap_or_default())
        }
        None => match std::error::Error::source(error) {
            Some(cause) => format!("{error}: {cause}"),
            None => error.to_string(),
        },
    }
}

fn fault_of(error: &postgres::Error) -> StorageFault {
    let Some(code) = error.code().map(SqlState::code) else {
        // Without a code it is the connection, or a row that is missing or holds another type.
        return if is_lost(error) {
            StorageFault::Io
        } else {
            StorageFault::BadRow
        };
    };
    match code {
        // Too many connections; a lock or a statement that took too long; starting up, shutting down.
        "53300" | "55P03" | "57014" | "57P03" => StorageFault::Busy,
        // Serialisation failure, deadlock: once more did not help.
        _ if code.starts_with("40") => StorageFault::Busy,
        "53100" => StorageFault::Full,
        // Read-only transaction; no permission.
        "25006" | "42501" => StorageFault::ReadOnly,
        "XX001" | "XX002" => StorageFault::Corrupt,
        // A constraint, or a value that cannot be read.
        _ if code.starts_with("22") || code.starts_with("23") => StorageFault::BadRow,
        _ => StorageFault::Io,
    }
}

/// Whether the connection is of no more use.
pub(super) fn is_lost(error: &postgres::Error) -> bool {
    if let Some(code) = error.code().map(SqlState::code) {
        return code.starts_with("57P") || code.starts_with("08");
    }
    let cause = std::error::Error::source(error);
    error.is_closed() || cause.is_some_and(<dyn std::error::Error>::is::<std::io::Error>)
}

/// Whether the same transaction may succeed when it is run again: a deadlock, a serialisation
/// failure.
pub(super) fn is_repeatable(error: &postgres::Error) -> bool {
    matches!(error.code().map(SqlState::code), Some(code) if code.starts_with("40"))
}

/// What an error from COMMIT, or from a statement that commits by itself, means. Where the server
/// said why, nothing was committed; where it said nothing, that is unknown.
pub(super) fn commit_error(error: postgres::Error) -> Error {
    if error.code().is_none() && is_lost(&error) {
        return Error::storage(StorageFault::CommitUnknown, message_of(&error));
    }
    Error::from(error)
}
