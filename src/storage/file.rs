//! The file of a box, where it is in one.

use std::io;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result, StorageFault};

/// The path from the root, so that a later chdir of the host changes nothing.
pub(super) fn absolute(path: &Path) -> Result<PathBuf> {
    std::path::absolute(path).map_err(|error| failed(path, &error))
}

/// Creates a file, readable and writable by its owner only; false when it is there already.
pub(super) fn create(path: &Path) -> Result<bool> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Ok(_) => {
            keep_name(path)?;
            Ok(true)
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(failed(path, &error)),
    }
}

/// Makes a new file's name survive a power failure. Not every system can do that.
pub(super) fn keep_name(path: &Path) -> Result<()> {
    #[cfg(unix)]
    if let Some(folder) = absolute(path)?.parent() {
        let _ = std::fs::File::open(folder).and_then(|folder| folder.sync_all());
    }
    Ok(())
}

/// What the system's error about a file means to a caller.
pub(super) fn failed(path: &Path, error: &io::Error) -> Error {
    let fault = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            StorageFault::Full
        }
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            StorageFault::ReadOnly
        }
        _ => StorageFault::Io,
    };
    Error::storage(fault, format!("{}: {error}", path.display()))
}
