//! Which version this is.

use std::ffi::{c_char, c_int};

use crate::error::Error;

use super::boundary::guard;
use super::error::hookbox_error;
use super::status::hookbox_status;

/// The version that this header belongs to: major, minor, patch.
pub const HOOKBOX_VERSION_MAJOR: u32 = 0;
/// See HOOKBOX_VERSION_MAJOR.
pub const HOOKBOX_VERSION_MINOR: u32 = 1;
/// See HOOKBOX_VERSION_MAJOR.
pub const HOOKBOX_VERSION_PATCH: u32 = 0;
/// The same in one number: major * 1000000 + minor * 1000 + patch.
pub const HOOKBOX_VERSION_NUMBER: u32 = 1000;

/// The library's version, as "0.1.0". Never freed.
#[unsafe(no_mangle)]
pub extern "C" fn hookbox_version() -> *const c_char {
    const TEXT: &str = concat!(env!("CARGO_PKG_VERSION"), "\0");
    TEXT.as_ptr().cast()
}

/// The library's version as a number, to be compared with HOOKBOX_VERSION_NUMBER.
#[unsafe(no_mangle)]
pub extern "C" fn hookbox_version_number() -> u32 {
    HOOKBOX_VERSION_NUMBER
}

/// Checks that this library serves a program built with the header of version `header`: give it
/// HOOKBOX_VERSION_NUMBER. Before 1.0 major and minor must be equal, and the library's patch must be no less.
///
/// Errors: HOOKBOX_UNSUPPORTED.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hookbox_version_check(
    header: u32,
    error: *mut *mut hookbox_error,
) -> hookbox_status {
    // SAFETY: the caller gives a place or NULL.
    unsafe {
        guard(error, || {
            let same_minor = header / 1000 == HOOKBOX_VERSION_NUMBER / 1000;
            if same_minor && header <= HOOKBOX_VERSION_NUMBER {
                return Ok(());
            }
            let message = format!(
                "the program was built with the header of hookbox {}.{}.{}, this library is {}",
                header / 1_000_000,
                header / 1000 % 1000,
                header % 1000,
                env!("CARGO_PKG_VERSION")
            );
            Err(Error::Unsupported(message).into())
        })
    }
}

/// The version of the copy of SQLite that this library runs on, as "3.51.3". Never freed.
#[unsafe(no_mangle)]
pub extern "C" fn hookbox_sqlite_version() -> *const c_char {
    // SAFETY: it takes nothing, and gives a text that is never freed.
    unsafe { rusqlite::ffi::sqlite3_libversion() }
}

/// Whether this library runs on a copy of SQLite of its own (1), or shares the system's (0). In the
/// former case nobody else in this process may open a box's file with another copy: two copies in one
/// process corrupt a file. In the latter hookbox_emit_in() works.
#[unsafe(no_mangle)]
pub extern "C" fn hookbox_sqlite_is_bundled() -> c_int {
    c_int::from(cfg!(feature = "bundled"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_the_packages() {
        let parts = [
            HOOKBOX_VERSION_MAJOR,
            HOOKBOX_VERSION_MINOR,
            HOOKBOX_VERSION_PATCH,
        ];
        let [major, minor, patch] = parts;
        assert_eq!(
            format!("{major}.{minor}.{patch}"),
            env!("CARGO_PKG_VERSION")
        );
        assert_eq!(
            HOOKBOX_VERSION_NUMBER,
            major * 1_000_000 + minor * 1000 + patch
        );
    }
}
