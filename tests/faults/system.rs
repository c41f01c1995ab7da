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

/// Puts this process into a world of its own: no network but a loopback interface, on which every port
/// is its to have, and mounts that nobody else sees. To be called before it has threads.
///
/// # Errors
/// The system's, where that is not allowed.
pub fn apart() -> io::Result<()> {
    // SAFETY: plain calls without memory.
    let (user, group) = unsafe { (libc::geteuid(), libc::getegid()) };
    let new_user = if user == 0 { 0 } else { libc::CLONE_NEWUSER };
    // SAFETY: as above.
    done(unsafe { libc::unshare(new_user | libc::CLONE_NEWNET | libc::CLONE_NEWNS) })?;
    if user != 0 {
        std::fs::write("/proc/self/setgroups", "deny")?;
        std::fs::write("/proc/self/uid_map", format!("0 {user} 1"))?;
        std::fs::write("/proc/self/gid_map", format!("0 {group} 1"))?;
    }
    // SAFETY: an all-zero request is a valid one, whose name ends where its zeros begin; it lives
    // during the call.
    unsafe {
        let mut request: libc::ifreq = std::mem::zeroed();
        request.ifr_name[0] = b'l' as libc::c_char;
        request.ifr_name[1] = b'o' as libc::c_char;
        request.ifr_ifru.ifru_flags = libc::IFF_UP as libc::c_short;
        let socket = libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0);
        done(socket)?;
        let set = done(libc::ioctl(socket, libc::SIOCSIFFLAGS, &raw const request));
        libc::close(socket);
        set?;
        // What is mounted from here on stays here.
        let flags = libc::MS_REC | libc::MS_PRIVATE;
        let null = std::ptr::null();
        done(libc::mount(null, c"/".as_ptr(), null, flags, null.cast()))
    }
}

/// Shows a file in the place of another, to this process.
///
/// # Errors
/// The system's.
pub fn put_over(file: &Path, place: &Path) -> io::Result<()> {
    let (file, place) = (c_string(file), c_string(place));
    let null = std::ptr::null();
    // SAFETY: all pointers are C strings that live during the call, or null where that is allowed.
    done(unsafe {
        libc::mount(
            file.as_ptr(),
            place.as_ptr(),
            null,
            libc::MS_BIND,
            null.cast(),
        )
    })
}

/// What a system call said.
fn done(code: libc::c_int) -> io::Result<()> {
    if code < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
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
