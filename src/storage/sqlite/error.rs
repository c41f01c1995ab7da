//! What SQLite's errors mean to a caller.

use rusqlite::ErrorCode;
use rusqlite::ffi;

use crate::error::{Error, StorageFault};

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        let fault = match &error {
            rusqlite::Error::SqliteFailure(failure, _) => fault_of(*failure),
            // A row that must be there is not, or holds what fits no column of ours.
            rusqlite::Error::QueryReturnedNoRows
            | rusqlite::Error::ToSqlConversionFailure(..)
            | rusqlite::Error::FromSqlConversionFailure(..)
            | rusqlite::Error::IntegralValueOutOfRange(..)
            | rusqlite::Error::InvalidColumnType(..)
            | rusqlite::Error::Utf8Error(..) => StorageFault::BadRow,
            _ => StorageFault::Io,
        };
        Self::storage(fault, error.to_string())
    }
}

fn fault_of(failure: ffi::Error) -> StorageFault {
    match failure.code {
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => StorageFault::Busy,
        ErrorCode::DiskFull => StorageFault::Full,
        ErrorCode::ReadOnly => StorageFault::ReadOnly,
        ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => StorageFault::Corrupt,
        ErrorCode::ConstraintViolation => StorageFault::BadRow,
        _ => StorageFault::Io,
    }
}

/// What an error from COMMIT means. An I/O error may come after the commit reached the log, so its
/// outcome is unknown; the others say that it did not.
pub(super) fn commit_error(error: rusqlite::Error) -> Error {
    match Error::from(error) {
        Error::Storage {
            fault: StorageFault::Io,
            message,
        } => Error::storage(StorageFault::CommitUnknown, message),
        other => other,
    }
}
