//! What happened, line by line: the last lines for people, all of them as a hash.

use std::collections::VecDeque;

/// Lines that are kept.
const KEPT: usize = 60;

#[derive(Debug, Default)]
pub struct Trace {
    lines: VecDeque<String>,
    hash: u64,
    /// Each line is printed as it comes.
    pub aloud: bool,
}

impl Trace {
    pub fn line(&mut self, line: String) {
        // FNV-1a.
        for byte in line.bytes() {
            self.hash = (self.hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        if self.aloud {
            println!("{line}");
        }
        if self.lines.len() == KEPT {
            self.lines.pop_front();
        }
        self.lines.push_back(line);
    }

    pub const fn hash(&self) -> u64 {
        self.hash
    }

    pub fn last_lines(&self) -> Vec<String> {
        self.lines.iter().cloned().collect()
    }
}
