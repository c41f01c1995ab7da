//! A crew: the senders of one class of webhooks, what waits for them, and what they are sending.

use std::collections::VecDeque;
use std::time::Duration;

use crate::model::Timestamp;
use crate::storage::Claimed;
use crate::sync::thread::JoinHandle;

/// A request that is out for longer than this is a slow one.
const SLOW_AFTER: Duration = Duration::from_millis(250);

#[derive(Debug, Default)]
pub(super) struct Crew {
    pub(super) queue: VecDeque<Claimed>,
    pub(super) threads: Vec<JoinHandle<()>>,
    /// Threads that wait for a batch.
    pub(super) idle: usize,
    /// What is being sent, in order of its beginning.
    sending: VecDeque<Sending>,
}

#[derive(Debug, Clone, Copy)]
struct Sending {
    number: u64,
    since: Timestamp,
}

impl Crew {
    /// Takes the next batch: from now on it is being sent, under this number.
    pub(super) fn begin(&mut self, number: u64, since: Timestamp) -> Option<Claimed> {
        let claimed = self.queue.pop_front()?;
        self.sending.push_back(Sending { number, since });
        Some(claimed)
    }

    /// The request with this number came to an end.
    pub(super) fn end(&mut self, number: u64) {
        self.sending.retain(|one| one.number != number);
    }

    /// How many requests are out.
    #[cfg(feature = "testing")]
    pub(super) fn sending(&self) -> usize {
        self.sending.len()
    }

    /// How many requests are slow.
    pub(super) fn slow(&self, now: Timestamp) -> usize {
        let slow = |one: &&Sending| now.since(one.since) >= SLOW_AFTER;
        self.sending.iter().filter(slow).count()
    }

    /// How long until another request is slow, unless it is answered before.
    pub(super) fn next_slow(&self, now: Timestamp) -> Option<Duration> {
        let out = self.sending.iter().map(|one| now.since(one.since));
        out.filter_map(|out| SLOW_AFTER.checked_sub(out))
            .filter(|left| !left.is_zero())
            .min()
    }
}
