//! A few connections, shared by the threads of one box.

use std::fmt::Debug;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::error::{Error, Result, StorageFault};

use super::connect::Connector;
use super::session::Session;

/// How long a call waits for a connection that others use.
const PATIENCE: Duration = Duration::from_secs(10);

/// How often, and how long apart, a connection is tried again while the server restarts.
const RECONNECT_TRIES: u32 = 30;
const RECONNECT_WAIT: Duration = Duration::from_millis(100);

pub(super) struct Pool {
    connector: Connector,
    size: usize,
    patience: Duration,
    state: Mutex<State>,
    returned: Condvar,
}

#[derive(Default)]
struct State {
    idle: Vec<Session>,
    /// Idle and lent.
    open: usize,
}

impl Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pool")
            .field("connector", &self.connector)
            .field("size", &self.size)
            .finish_non_exhaustive()
    }
}

impl Pool {
    pub(super) fn new(connector: Connector, size: usize, first: Session) -> Self {
        let state = State {
            idle: vec![first],
            open: 1,
        };
        Self {
            connector,
            size,
            patience: PATIENCE,
            state: Mutex::new(state),
            returned: Condvar::new(),
        }
    }

    pub(super) fn connector(&self) -> &Connector {
        &self.connector
    }

    /// A connection that was not closed, as far as its server has said. To be put back, or
    /// discarded.
    pub(super) fn get(&self) -> Result<Session> {
        while let Some(mut session) = self.take()? {
            if !session.is_stale() {
                return Ok(session);
            }
            self.discard(session);
        }
        // The place is ours: the connection is made without holding up the others.
        self.reconnect().inspect_err(|_| self.give_up_place())
    }

    pub(super) fn put_back(&self, session: Session) {
        self.lock().idle.push(session);
        self.returned.notify_one();
    }

    /// Throws a lost connection away, and with it those that are idle: what ended one, a restart or
    /// a fail-over, has mostly ended all, and not every end can be seen before a statement is sent.
    pub(super) fn discard(&self, session: Session) {
        let lost = {
            let mut state = self.lock();
            let idle = std::mem::take(&mut state.idle);
            state.open -= 1 + idle.len();
            idle
        };
        self.returned.notify_all();
        // Without the lock: saying goodbye takes its time.
        drop((session, lost));
    }

    /// Takes an idle connection, or a place for a new one (`None`).
    fn take(&self) -> Result<Option<Session>> {
        let none_free = |state: &mut State| state.idle.is_empty() && state.open >= self.size;
        let (mut state, waited) = self
            .returned
            .wait_timeout_while(self.lock(), self.patience, none_free)
            .unwrap_or_else(PoisonError::into_inner);
        if waited.timed_out() {
            let message = format!(
                "all {} connections of the pool were in use for {} s: make the pool larger, or \
                 transactions shorter",
                self.size,
                self.patience.as_secs()
            );
            return Err(Error::storage(StorageFault::Busy, message));
        }
        let session = state.idle.pop();
        if session.is_none() {
            state.open += 1;
        }
        Ok(session)
    }

    /// Connects; waits for a while for a server that restarts.
    fn reconnect(&self) -> Result<Session> {
        let mut tries = RECONNECT_TRIES;
        loop {
            match self.connector.connect() {
                Err(Error::Storage {
                    fault: StorageFault::Io | StorageFault::Busy,
                    ..
                }) if tries > 0 => {
                    tries -= 1;
                    std::thread::park_timeout(RECONNECT_WAIT);
                }
                other => return other,
            }
        }
    }

    fn give_up_place(&self) {
        self.lock().open -= 1;
        self.returned.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
