//! The system calls that faults are made of and the standard library has not.

use std::ffi::CString;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// A user with no rights.
const NOBODY: libc::uid_t = 65534;

/// Works without the rights of root, where this process has them.
pub fn as_a_user(work: impl FnOnce()) {
    // SAFETY: plain calls without memory; the user is changed for all threads, of which no other
    // works meanwhile, and changed back.
    unsafe {
        if libc::geteuid() != 0 {
            return work();
        }
        assert_eq!(libc::seteuid(NOBODY), 0);
        work();
        assert_eq!(libc::seteuid(0), 0);
    }
}

/// Files of this process may not grow beyond so many bytes; writing more fails instead of ending the
/// process.
pub fn limit_file_size(bytes: u64) {
    let limit = libc::rlimit {
        rlim_cur: bytes,
        rlim_max: bytes,
    };
    // SAFETY: the limit is read during the call only; ignoring a signal runs no handler.
    unsafe {
        assert_ne!(libc::signal(libc::SIGXFSZ, libc::SIG_IGN), libc::SIG_ERR);
        assert_eq!(libc::setrlimit(libc::RLIMIT_FSIZE, &raw const limit), 0);
    }
}

/// Forks. The child runs `work`, and ends with 0 when it returned true, else with 1; it runs nothing
/// of this process's on the way out. Returns whether it was 0.
pub fn in_a_fork(work: impl FnOnce() -> bool) -> bool {
    // SAFETY: other threads of this process do not exist in the child; `work` needs none of them,
    // and the allocator is usable after a fork in glibc. The child leaves by `_exit`.
    unsafe {
        let child = libc::fork();
        assert!(child >= 0, "{}", io::Error::last_os_error());
        if child == 0 {
            let well = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
            libc::_exit(i32::from(!matches!(well, Ok(true))));
        }
        let mut status = 0;
        assert_eq!(libc::waitpid(child, &raw mut status, 0), child);
        libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0
    }
}

/// A file system of a few bytes, in memory, until it is dropped.
pub struct SmallDisk(PathBuf);

impl SmallDisk {
    /// # Errors
    /// The system's, to whoever is not root or may not mount.
    pub fn mount(at: &Path, bytes: usize) -> io::Result<Self> {
        let (target, options) = (c_string(at), CString::new(format!("size={bytes}")).unwrap());
        // SAFETY: all pointers are C strings that live during the call.
        let code = unsafe {
            libc::mount(
                c"faults".as_ptr(),
                target.as_ptr(),
                c"tmpfs".as_ptr(),
                0,
                options.as_ptr().cast(),
            )
        };
        if code == 0 {
            Ok(Self(at.to_owned()))
        } else {
            Err(io::Error::last_os_error())
        }
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // SAFETY: the pointer is a C string that lives during the call.
        unsafe { libc::umount2(c_string(&self.0).as_ptr(), libc::MNT_DETACH) };
    }
}

fn c_string(path: &Path) -> CString {
    CString::new(path.as_os_str().as_bytes()).unwrap()
}
