//! Upkeep: retention by hand, integrity, copies, sizes.

use crate::model::Timestamp;

use super::boundary::{Output, text};
use super::error::hookbox_error;
use super::handle::{call, hookbox_box};
use super::status::hookbox_status;
use super::text::{Keep, give, give_texts, hookbox_str, hookbox_texts, take_back};

/// The sizes of a box. Owned by the caller: free it with hookbox_stats_free(). Immutable. Later versions
/// may append members: do not copy it whole.
#[repr(C)]
#[derive(Debug)]
pub struct hookbox_stats {
    /// The last log position given.
    pub last_position: i64,
    /// Bytes of the database.
    pub bytes: u64,
    /// Bytes of the write-ahead log, where there is one.
    pub wal_bytes: u64,
}

/// Deletes everything that ended before `before_ms` (Unix milliseconds) and is owed to nobody. The
/// threads do so by themselves (hookbox_options_set_retention_ms()).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hookbox_box_prune(
    hooks: *mut hookbox_box,
    before_ms: i64,
    error: *mut *mut hookbox_error,
) -> hookbox_status {
    // SAFETY: the caller keeps what the header says.
    unsafe {
        call(hooks, error, |hooks| {
            Ok(hooks.prune(Timestamp::from_millis(before_ms))?)
        })
    }
}

/// Checks the box's integrity: gives what is wrong, in sentences; none, as a rule. Free them with
/// hookbox_texts_free().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hookbox_box_check(
    hooks: *const hookbox_box,
    out_faults: *mut *mut hookbox_texts,
    error: *mut *mut hookbox_error,
) -> hookbox_status {
    // SAFETY: the caller keeps what the header says.
    unsafe {
        call(hooks, error, |hooks| {
            let out = Output::new(out_faults, "out_faults")?;
            out.set(give_texts(hooks.check()?));
            Ok(())
        })
    }
}

/// Writes a compact copy of the box to a new file, as of one moment, while it is in use.
///
/// Errors: HOOKBOX_INVALID_REQUEST when the file exists; HOOKBOX_UNSUPPORTED for storages that cannot.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hookbox_box_backup(
    hooks: *const hookbox_box,
    to_path: hookbox_str,
    error: *mut *mut hookbox_error,
) -> hookbox_status {
    // SAFETY: the caller keeps what the header says.
    unsafe {
        call(hooks, error, |hooks| {
            Ok(hooks.backup(text(to_path, "to_path")?)?)
        })
    }
}

/// The box's sizes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hookbox_box_stats(
    hooks: *const hookbox_box,
    out_stats: *mut *mut hookbox_stats,
    error: *mut *mut hookbox_error,
) -> hookbox_status {
    // SAFETY: the caller keeps what the header says.
    unsafe {
        call(hooks, error, |hooks| {
            let out = Output::new(out_stats, "out_stats")?;
            let stats = hooks.stats()?;
            let view = hookbox_stats {
                last_position: stats.last_position,
                bytes: stats.bytes,
                wal_bytes: stats.wal_bytes,
            };
            out.set(give(view, Keep::default()));
            Ok(())
        })
    }
}

/// Frees what hookbox_box_stats() gave. NULL is ignored.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hookbox_stats_free(stats: *mut hookbox_stats) {
    // SAFETY: it came from `give`, and is not used again.
    unsafe { take_back(stats) }
}
