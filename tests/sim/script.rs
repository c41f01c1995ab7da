//! Faults by script: which of a run's calls fails, and how.

/// What befalls a call of the storage or of the transport.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    FailsBefore,
    /// It was done, and says that it was not, or that nobody knows.
    FailsAfter,
    CrashesBefore,
    CrashesAfter,
}

impl Fault {
    pub const ALL: [Self; 4] = [
        Self::FailsBefore,
        Self::FailsAfter,
        Self::CrashesBefore,
        Self::CrashesAfter,
    ];

    pub const fn is_before(self) -> bool {
        matches!(self, Self::FailsBefore | Self::CrashesBefore)
    }

    pub const fn is_crash(self) -> bool {
        matches!(self, Self::CrashesBefore | Self::CrashesAfter)
    }
}

/// Counts a run's calls, over all of its boxes, and says which are to fail. Without having begun it
/// does neither.
#[derive(Debug, Default)]
pub struct Script {
    has_begun: bool,
    calls: usize,
    faults: Vec<(usize, Fault)>,
}

impl Script {
    pub fn of(faults: &[(usize, Fault)]) -> Self {
        Self {
            has_begun: true,
            calls: 0,
            faults: faults.to_vec(),
        }
    }

    /// Another call is made.
    pub fn next_call(&mut self) -> Option<Fault> {
        if !self.has_begun {
            return None;
        }
        let call = self.calls;
        self.calls += 1;
        let found = self.faults.iter().find(|(at, _)| *at == call);
        found.map(|(_, fault)| *fault)
    }

    /// How many calls were made.
    pub const fn calls(&self) -> usize {
        self.calls
    }
}
