//! Which process this is. What was opened before a `fork` is the parent's: its threads, its
//! connections, its locks on files. A child that used them, or only closed them, could damage the
//! file under the parent.

use crate::error::{Error, Result};

/// The process that opened something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Process(u32);

impl Process {
    pub(crate) fn current() -> Self {
        Self(std::process::id())
    }

    pub(crate) fn is_current(self) -> bool {
        self == Self::current()
    }

    /// Refuses to go on in any other process.
    ///
    /// # Errors
    /// [`Error::Forked`].
    pub(crate) fn check(self) -> Result<()> {
        if self.is_current() {
            Ok(())
        } else {
            Err(Error::Forked)
        }
    }
}
