//! Locks, condition variables, atomics and threads, for all whose interleavings are tested: they take them
//! from here and nowhere else.
//!
//! They are `std`'s. Built with `--cfg hookbox_shuttle` they are those of the crate `shuttle`, which runs a
//! program in one schedule after another; `tests/shuttle` does.

#[cfg(hookbox_shuttle)]
pub(crate) mod shuttled;

#[cfg(hookbox_shuttle)]
pub(crate) use shuttled::{
    Condvar, Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard, atomic, thread,
    thread_local,
};
#[cfg(not(hookbox_shuttle))]
pub(crate) use std::{
    sync::{Condvar, Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard, atomic},
    thread, thread_local,
};
