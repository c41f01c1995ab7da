//! Crossing the boundary: arguments in, results and errors out, and no panic past it.
//!
//! Every exported function is one call of [`guard`] (or of [`super::handle::call`], which is one too)
//! around code that takes its arguments apart with the functions below. They are the only places that
//! follow a caller's pointer.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::error::{Failure, hookbox_error};
use super::status::{HOOKBOX_OK, hookbox_status};
use super::text::hookbox_str;

/// The result of what is done inside an exported function.
pub(super) type Done<T = ()> = Result<T, Failure>;

/// Runs the inside of an exported function: a panic becomes a failure, a failure an error object.
///
/// # Safety
/// `error` is NULL or may be written to.
pub(super) unsafe fn guard(
    error: *mut *mut hookbox_error,
    work: impl FnOnce() -> Done,
) -> hookbox_status {
    let done = catch_unwind(AssertUnwindSafe(work)).unwrap_or(Err(Failure::Panic));
    let (status, object) = match done {
        Ok(()) => (HOOKBOX_OK, std::ptr::null_mut()),
        Err(failure) if error.is_null() => (failure.status(), std::ptr::null_mut()),
        Err(failure) => (failure.status(), failure.give()),
    };
    if !error.is_null() {
        // SAFETY: by the contract.
        unsafe { error.write(object) };
    }
    status
}

/// The bytes of an argument. They live as long as the caller keeps them: until the call returns.
///
/// # Safety
/// `bytes` points to as many bytes as it says, or has none.
pub(super) unsafe fn bytes<'a>(bytes: hookbox_str, name: &'static str) -> Done<&'a [u8]> {
    // SAFETY: by the contract.
    unsafe { slice(bytes.ptr.cast::<u8>(), bytes.len, name) }
}

/// The text of an argument.
///
/// # Safety
/// As [`bytes`].
pub(super) unsafe fn text<'a>(given: hookbox_str, name: &'static str) -> Done<&'a str> {
    // SAFETY: by the contract.
    let bytes = unsafe { bytes(given, name) }?;
    std::str::from_utf8(bytes).map_err(|_| Failure::Utf8(name))
}

/// The text of an argument that may be left out, by its being empty.
///
/// # Safety
/// As [`bytes`].
pub(super) unsafe fn optional_text<'a>(
    given: hookbox_str,
    name: &'static str,
) -> Done<Option<&'a str>> {
    // SAFETY: by the contract.
    let text = unsafe { text(given, name) }?;
    Ok(Some(text).filter(|text| !text.is_empty()))
}

/// The items of an array. With a count of zero the pointer is not looked at.
///
/// # Safety
/// `first` points to `count` items, or `count` is zero.
pub(super) unsafe fn slice<'a, T>(
    first: *const T,
    count: usize,
    name: &'static str,
) -> Done<&'a [T]> {
    if count == 0 {
        return Ok(&[]);
    }
    check_pointer(first, name)?;
    if count > isize::MAX as usize / size_of::<T>().max(1) {
        return Err(Failure::Argument(format!("`{name}` is longer than memory")));
    }
    // SAFETY: by the contract; neither NULL, nor misaligned, nor too long.
    Ok(unsafe { std::slice::from_raw_parts(first, count) })
}

/// The texts of an array.
///
/// # Safety
/// As [`slice`], and for each of the items as [`bytes`].
pub(super) unsafe fn texts<'a>(
    first: *const hookbox_str,
    count: usize,
    name: &'static str,
) -> Done<Vec<&'a str>> {
    // SAFETY: by the contract.
    let items = unsafe { slice(first, count, name) }?;
    // SAFETY: by the contract.
    items
        .iter()
        .map(|item| unsafe { text(*item, name) })
        .collect()
}

/// What a pointer points to.
///
/// # Safety
/// `given` is NULL or points to a valid `T` that nobody changes during the call.
pub(super) unsafe fn reference<'a, T>(given: *const T, name: &'static str) -> Done<&'a T> {
    check_pointer(given, name)?;
    // SAFETY: by the contract; neither NULL nor misaligned.
    Ok(unsafe { &*given })
}

/// What a pointer to an object of the caller's own points to.
///
/// # Safety
/// `given` is NULL or points to a valid `T` that nobody else uses during the call.
pub(super) unsafe fn exclusive<'a, T>(given: *mut T, name: &'static str) -> Done<&'a mut T> {
    check_pointer(given, name)?;
    // SAFETY: by the contract; neither NULL nor misaligned.
    Ok(unsafe { &mut *given })
}

/// A place for a result. It is written to on success only, after everything else.
#[derive(Debug, Clone, Copy)]
pub(super) struct Output<T>(*mut T);

impl<T> Output<T> {
    /// A place that must be there.
    pub(super) fn new(place: *mut T, name: &'static str) -> Done<Self> {
        check_pointer(place, name)?;
        Ok(Self(place))
    }

    /// A place that may be NULL: the caller does not want the result.
    pub(super) fn optional(place: *mut T, name: &'static str) -> Done<Self> {
        if place.is_null() {
            Ok(Self(place))
        } else {
            Self::new(place, name)
        }
    }

    pub(super) fn is_wanted(&self) -> bool {
        !self.0.is_null()
    }

    /// The place of the result with this index, where the caller has room for several in a row.
    pub(super) fn at(self, index: usize) -> Self {
        if self.is_wanted() {
            Self(self.0.wrapping_add(index))
        } else {
            self
        }
    }

    /// Writes a result, where it is wanted.
    ///
    /// # Safety
    /// The place may be written to.
    pub(super) unsafe fn set(self, value: T) {
        if self.is_wanted() {
            // SAFETY: by the contract; neither NULL nor misaligned.
            unsafe { self.0.write(value) };
        }
    }
}

/// A caller's structure that starts with its own size: as many of its bytes as it has, and zeros for
/// the members that its version did not know.
///
/// # Safety
/// `given` is NULL or points to a structure whose first member, a `uint32_t`, says how many bytes it
/// has; for a `T` all of whose members may be zero.
pub(super) unsafe fn sized<T: Copy>(
    given: *const T,
    first_version_bytes: usize,
    name: &'static str,
) -> Done<T> {
    check_pointer(given, name)?;
    // SAFETY: by the contract; neither NULL nor misaligned for `T`, so not for its first member.
    let bytes = unsafe { given.cast::<u32>().read() } as usize;
    if bytes < first_version_bytes || bytes > 64 * 1024 {
        return Err(Failure::Argument(format!(
            "`{name}.struct_size` is {bytes}: set it to the size of the structure"
        )));
    }
    let mut copy = std::mem::MaybeUninit::<T>::zeroed();
    // SAFETY: by the contract the caller's structure has `bytes` bytes; the copy has room for its own
    // size; all of its members may be zero.
    unsafe {
        let known = bytes.min(size_of::<T>());
        std::ptr::copy_nonoverlapping(given.cast::<u8>(), copy.as_mut_ptr().cast::<u8>(), known);
        Ok(copy.assume_init())
    }
}

/// An array of such structures: they follow each other at the distance that the first one says.
///
/// # Safety
/// As [`sized`] for each of `count` structures, all of the same size.
pub(super) unsafe fn sized_slice<T: Copy>(
    first: *const T,
    count: usize,
    first_version_bytes: usize,
    name: &'static str,
) -> Done<Vec<T>> {
    if count == 0 {
        return Ok(Vec::new());
    }
    check_pointer(first, name)?;
    // SAFETY: by the contract.
    let stride = unsafe { first.cast::<u32>().read() } as usize;
    (0..count)
        .map(|index| {
            let place = first.cast::<u8>().wrapping_add(index.wrapping_mul(stride));
            // SAFETY: by the contract. What another distance would lead to is refused by its size.
            unsafe { sized(place.cast::<T>(), first_version_bytes, name) }
        })
        .collect()
}

/// A number that must be one of an enumeration's.
pub(super) fn not_one_of(name: &str, number: i32) -> Failure {
    Failure::Argument(format!("`{name}` has no value {number}"))
}

fn check_pointer<T>(pointer: *const T, name: &'static str) -> Done {
    if pointer.is_null() {
        return Err(Failure::null(name));
    }
    if !pointer.is_aligned() {
        return Err(Failure::Argument(format!("`{name}` is misaligned")));
    }
    Ok(())
}
