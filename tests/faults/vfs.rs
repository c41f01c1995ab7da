//! A disk for SQLite that fails on demand and remembers what was written: the system's own VFS with
//! some of its functions replaced.
//!
//! [`install`] makes it the default of this process, so that nothing in hookbox knows of it. From
//! then on nothing is synced: no part that runs over it depends on the real disk, and a sync is
//! what it counts, fails, or writes into its log.

use std::collections::HashMap;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use rusqlite::ffi::{self, sqlite3_file, sqlite3_io_methods, sqlite3_vfs};

use crate::fault::{Counter, Fault};

/// What happened to the files, for replaying it up to a power cut. Names are without their folder.
#[derive(Debug, Clone)]
pub enum Record {
    /// A file was opened, and made where it was missing.
    Open(String),
    Write(String, usize, Vec<u8>),
    Truncate(String, usize),
    Sync(String),
    /// Whether its folder was synced too.
    Delete(String, bool),
    /// The test's own note.
    Mark(usize),
}

#[derive(Default)]
struct Disk {
    counter: Counter,
    log: Option<Vec<Record>>,
    /// Open files by their address.
    files: HashMap<usize, File>,
    /// The tables of functions that files came with, and the same with ours among them.
    tables: HashMap<usize, &'static sqlite3_io_methods>,
}

struct File {
    name: String,
    /// The system's functions for it; SQLite has several such tables.
    real: &'static sqlite3_io_methods,
}

static DISK: Mutex<Option<Disk>> = Mutex::new(None);

/// The system's own functions.
struct Real {
    vfs: usize,
    open: Open,
    delete: Delete,
}

type Open = unsafe extern "C" fn(
    *mut sqlite3_vfs,
    *const c_char,
    *mut sqlite3_file,
    c_int,
    *mut c_int,
) -> c_int;
type Delete = unsafe extern "C" fn(*mut sqlite3_vfs, *const c_char, c_int) -> c_int;

static REAL: OnceLock<Real> = OnceLock::new();

/// Makes this the disk of every connection opened from now on.
pub fn install() {
    REAL.get_or_init(|| {
        // SAFETY: a null name asks for the default VFS, which lives as long as the process; ours is a
        // copy of it that is never freed, with a name of its own.
        unsafe {
            let real = ffi::sqlite3_vfs_find(std::ptr::null());
            let mut ours = *real;
            ours.zName = c"faults".as_ptr();
            ours.pNext = std::ptr::null_mut();
            let kept = Real {
                vfs: real as usize,
                open: ours.xOpen.replace(open).unwrap(),
                delete: ours.xDelete.replace(delete).unwrap(),
            };
            let code = ffi::sqlite3_vfs_register(Box::into_raw(Box::new(ours)), 1);
            assert_eq!(code, ffi::SQLITE_OK);
            kept
        }
    });
}

/// Counts from 1 again, and fails as told.
pub fn arm(fault: Fault) {
    with(|disk| disk.counter.arm(fault));
}

/// Fails no more. Returns how many operations did.
pub fn disarm() -> u64 {
    with(|disk| disk.counter.disarm())
}

/// Begins a log.
pub fn record() {
    with(|disk| disk.log = Some(Vec::new()));
}

/// Writes a note into the log.
pub fn mark(number: usize) {
    log(|_| Record::Mark(number), 0);
}

/// Ends the log.
pub fn recorded() -> Vec<Record> {
    with(|disk| disk.log.take().unwrap_or_default())
}

fn lock() -> MutexGuard<'static, Option<Disk>> {
    DISK.lock().unwrap_or_else(PoisonError::into_inner)
}

fn with<T>(work: impl FnOnce(&mut Disk) -> T) -> T {
    work(lock().get_or_insert_default())
}

/// Counts an operation; the error it shall fail with.
fn fails(writes: bool, code: c_int) -> Option<c_int> {
    let fault = with(|disk| disk.counter.count(writes))?;
    Some(if fault.full { ffi::SQLITE_FULL } else { code })
}

/// Adds to the log, if there is one; the name is that of the file at an address.
fn log(record: impl FnOnce(String) -> Record, file: usize) {
    with(|disk| {
        let name = disk.files.get(&file).map(|file| file.name.clone());
        if let Some(log) = &mut disk.log {
            log.push(record(name.unwrap_or_default()));
        }
    });
}

/// A file's name without its folder.
///
/// # Safety
/// `path` is null or a C string.
unsafe fn name_of(path: *const c_char) -> String {
    if path.is_null() {
        return String::new();
    }
    // SAFETY: as the caller promises.
    let path = unsafe { CStr::from_ptr(path) }
        .to_string_lossy()
        .into_owned();
    path.rsplit('/').next().unwrap_or_default().to_owned()
}

unsafe extern "C" fn open(
    _: *mut sqlite3_vfs,
    path: *const c_char,
    file: *mut sqlite3_file,
    flags: c_int,
    out: *mut c_int,
) -> c_int {
    let real = REAL.get().unwrap();
    // SAFETY: SQLite's own arguments go to the function they were meant for. A file that was opened
    // has a table of the system's functions, which is never freed; a copy with ours takes its place.
    unsafe {
        if let Some(code) = fails(false, ffi::SQLITE_CANTOPEN) {
            // So SQLite knows that there is nothing to close.
            (*file).pMethods = std::ptr::null();
            return code;
        }
        let code = (real.open)(real.vfs as *mut sqlite3_vfs, path, file, flags, out);
        if code == ffi::SQLITE_OK {
            let (name, real) = (name_of(path), &*(*file).pMethods);
            (*file).pMethods = with(|disk| {
                disk.files.insert(file as usize, File { name, real });
                let ours = disk.tables.entry(std::ptr::from_ref(real) as usize);
                *ours.or_insert_with(|| Box::leak(Box::new(with_ours(real))))
            });
            log(Record::Open, file as usize);
        }
        code
    }
}

unsafe extern "C" fn delete(_: *mut sqlite3_vfs, path: *const c_char, sync: c_int) -> c_int {
    if let Some(code) = fails(false, ffi::SQLITE_IOERR_DELETE) {
        return code;
    }
    let real = REAL.get().unwrap();
    // SAFETY: as above.
    unsafe {
        let code = (real.delete)(real.vfs as *mut sqlite3_vfs, path, 0);
        let name = name_of(path);
        if code == ffi::SQLITE_OK {
            log(|_| Record::Delete(name, sync != 0), 0);
        }
        code
    }
}

fn with_ours(real: &sqlite3_io_methods) -> sqlite3_io_methods {
    let mut ours = *real;
    ours.xRead = Some(read);
    ours.xWrite = Some(write);
    ours.xTruncate = Some(truncate);
    ours.xSync = Some(sync);
    ours.xFileSize = Some(file_size);
    ours.xShmMap = Some(shm_map);
    ours
}

/// The system's functions for an open file.
fn real(file: *mut sqlite3_file) -> &'static sqlite3_io_methods {
    with(|disk| disk.files[&(file as usize)].real)
}

unsafe extern "C" fn read(file: *mut sqlite3_file, into: *mut c_void, n: c_int, at: i64) -> c_int {
    match fails(false, ffi::SQLITE_IOERR_READ) {
        Some(code) => code,
        // SAFETY: SQLite's own arguments go to the function they were meant for; so in all below.
        None => unsafe { real(file).xRead.unwrap()(file, into, n, at) },
    }
}

unsafe extern "C" fn write(
    file: *mut sqlite3_file,
    from: *const c_void,
    n: c_int,
    at: i64,
) -> c_int {
    if let Some(code) = fails(true, ffi::SQLITE_IOERR_WRITE) {
        return code;
    }
    let bytes = usize::try_from(n).unwrap();
    // SAFETY: as above; SQLite gives `n` bytes at `from`.
    unsafe {
        let code = real(file).xWrite.unwrap()(file, from, n, at);
        if code == ffi::SQLITE_OK {
            let data = std::slice::from_raw_parts(from.cast::<u8>(), bytes);
            let at = usize::try_from(at).unwrap();
            log(|name| Record::Write(name, at, data.to_vec()), file as usize);
        }
        code
    }
}

unsafe extern "C" fn truncate(file: *mut sqlite3_file, size: i64) -> c_int {
    if let Some(code) = fails(false, ffi::SQLITE_IOERR_TRUNCATE) {
        return code;
    }
    // SAFETY: as above.
    let code = unsafe { real(file).xTruncate.unwrap()(file, size) };
    if code == ffi::SQLITE_OK {
        let size = usize::try_from(size).unwrap();
        log(|name| Record::Truncate(name, size), file as usize);
    }
    code
}

unsafe extern "C" fn sync(file: *mut sqlite3_file, _: c_int) -> c_int {
    if let Some(code) = fails(true, ffi::SQLITE_IOERR_FSYNC) {
        return code;
    }
    log(Record::Sync, file as usize);
    ffi::SQLITE_OK
}

unsafe extern "C" fn file_size(file: *mut sqlite3_file, size: *mut i64) -> c_int {
    match fails(false, ffi::SQLITE_IOERR_FSTAT) {
        Some(code) => code,
        // SAFETY: as above.
        None => unsafe { real(file).xFileSize.unwrap()(file, size) },
    }
}

unsafe extern "C" fn shm_map(
    file: *mut sqlite3_file,
    region: c_int,
    bytes: c_int,
    extend: c_int,
    out: *mut *mut c_void,
) -> c_int {
    match fails(false, ffi::SQLITE_IOERR_SHMMAP) {
        Some(code) => code,
        // SAFETY: as above.
        None => unsafe { real(file).xShmMap.unwrap()(file, region, bytes, extend, out) },
    }
}
