//! Which operation of a disk fails: counted the same for SQLite's (`vfs.rs`) and redb's (`backend.rs`).

/// Which operation fails, and how.
#[derive(Debug, Clone, Copy)]
pub struct Fault {
    /// The number of the first that fails, from 1.
    pub at: u64,
    /// Whether all after it fail too.
    pub for_ever: bool,
    /// Whether the disk is full: only what writes is counted, and fails.
    pub full: bool,
}

/// What came of a life, or a recovery, with one fault in it.
pub struct Seen {
    /// Operations that failed.
    pub failed: u64,
    /// Calls that returned an error.
    pub errors: usize,
}

/// Operations, counted while a fault is armed.
#[derive(Debug, Default)]
pub struct Counter {
    fault: Option<Fault>,
    operations: u64,
    failed: u64,
}

impl Counter {
    pub const fn new() -> Self {
        Self {
            fault: None,
            operations: 0,
            failed: 0,
        }
    }

    /// Counts from 1 again, and fails as told.
    pub fn arm(&mut self, fault: Fault) {
        *self = Self::new();
        self.fault = Some(fault);
    }

    /// Fails no more. Returns how many operations did.
    pub fn disarm(&mut self) -> u64 {
        self.fault = None;
        self.failed
    }

    /// Counts an operation; the fault that it shall fail with.
    pub fn count(&mut self, writes: bool) -> Option<Fault> {
        let fault = self.fault.filter(|fault| writes || !fault.full)?;
        self.operations += 1;
        let hit = self.operations == fault.at || (fault.for_ever && self.operations > fault.at);
        self.failed += u64::from(hit);
        hit.then_some(fault)
    }
}
