//! A host's signal handlers stay off hookbox's threads: they are the host's, and made for its stacks.

/// Runs what may start threads with the signals of this thread blocked, so that those threads begin with
/// them blocked, and theirs too; this thread has its own again afterwards. Not those that a fault of the
/// thread itself raises.
#[cfg(unix)]
pub(super) fn blocked<T>(work: impl FnOnce() -> T) -> T {
    /// Gives the thread its signals back, also after a panic.
    struct Restore(libc::sigset_t);
    impl Drop for Restore {
        fn drop(&mut self) {
            // SAFETY: the set is one that the system wrote.
            unsafe {
                libc::pthread_sigmask(libc::SIG_SETMASK, &raw const self.0, std::ptr::null_mut())
            };
        }
    }
    let faults = [
        libc::SIGSEGV,
        libc::SIGBUS,
        libc::SIGFPE,
        libc::SIGILL,
        libc::SIGTRAP,
        libc::SIGABRT,
    ];
    let mut all = std::mem::MaybeUninit::uninit();
    let mut before = std::mem::MaybeUninit::uninit();
    // SAFETY: the sets are written before they are read, as each call succeeds with these arguments.
    let _restore = unsafe {
        libc::sigfillset(all.as_mut_ptr());
        for fault in faults {
            libc::sigdelset(all.as_mut_ptr(), fault);
        }
        if libc::pthread_sigmask(libc::SIG_BLOCK, all.as_ptr(), before.as_mut_ptr()) == 0 {
            Some(Restore(before.assume_init()))
        } else {
            None
        }
    };
    work()
}

/// Elsewhere there are none.
#[cfg(not(unix))]
pub(super) fn blocked<T>(work: impl FnOnce() -> T) -> T {
    work()
}
