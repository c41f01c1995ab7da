//! Texts across the boundary, and the memory behind what is given out.

use std::any::Any;
use std::ffi::c_char;

use zeroize::Zeroize;

use crate::storage::Page;

/// A text or a byte string: where it begins, and how many bytes it has. It owns nothing.
///
/// As an argument it need not end with a NUL, must be UTF-8 unless said otherwise, and is copied before
/// the call returns; with a length of zero the pointer is ignored, and where a text may be left out,
/// that leaves it out. HOOKBOX_STR("…") and hookbox_cstr() make one. What hookbox gives out has a NUL
/// after its last byte, and lives as long as the object it was found in.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct hookbox_str {
    /// The first byte.
    pub ptr: *const c_char,
    /// How many bytes; a NUL at the end is not counted.
    pub len: usize,
}

impl hookbox_str {
    pub(super) const EMPTY: Self = Self {
        ptr: c"".as_ptr(),
        len: 0,
    };
}

/// Bytes of an id's text at most, its NUL included.
pub const HOOKBOX_ID_BYTES: usize = 40;

/// The id of a webhook, an event or a batch, as a NUL-terminated text. The caller's memory.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct hookbox_id {
    /// The text and its NUL.
    pub text: [c_char; HOOKBOX_ID_BYTES],
}

impl hookbox_id {
    /// An id's text is ASCII, and shorter than there is room for (32 bytes at most).
    pub(super) fn new(text: &str) -> Self {
        let mut id = Self {
            text: [0; HOOKBOX_ID_BYTES],
        };
        for (to, from) in id.text[..HOOKBOX_ID_BYTES - 1].iter_mut().zip(text.bytes()) {
            *to = from.cast_signed() as c_char;
        }
        id
    }
}

/// A name and a value: a header, for one.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct hookbox_pair {
    /// The name.
    pub name: hookbox_str,
    /// The value.
    pub value: hookbox_str,
}

/// A list of texts. Owned by the caller: free it with hookbox_texts_free(). Immutable.
#[repr(C)]
#[derive(Debug)]
pub struct hookbox_texts {
    /// The texts.
    pub items: *const hookbox_str,
    /// How many.
    pub count: usize,
}

/// Frees a list of texts. NULL is ignored.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hookbox_texts_free(texts: *mut hookbox_texts) {
    // SAFETY: `texts` came from `give` and is not used again, as the header demands.
    unsafe { take_back(texts) }
}

/// The memory behind an object that was given out: what its pointers point to. Each part is an
/// allocation of its own, which stays where it is when this is moved.
#[derive(Default)]
pub(super) struct Keep {
    texts: Vec<Vec<u8>>,
    others: Vec<Box<dyn Any + Send + Sync>>,
}

/// Some of it is secret: all of it is overwritten.
impl Drop for Keep {
    fn drop(&mut self) {
        self.texts.iter_mut().for_each(Zeroize::zeroize);
    }
}

/// A slice whose pointers are valid on any thread: nobody writes to what they point to.
struct Shared<T>(#[expect(dead_code, reason = "kept for the pointers into it")] Vec<T>);

// SAFETY: what is kept is plain data that is never changed again; its pointers lead to other parts
// of the same `Keep`, or to nothing.
unsafe impl<T> Send for Shared<T> {}
// SAFETY: as above.
unsafe impl<T> Sync for Shared<T> {}

impl Keep {
    /// A copy of a text or of bytes, with a NUL after it.
    pub(super) fn text(&mut self, bytes: impl AsRef<[u8]>) -> hookbox_str {
        let bytes = bytes.as_ref();
        let mut copy = Vec::with_capacity(bytes.len() + 1);
        copy.extend_from_slice(bytes);
        copy.push(0);
        let text = hookbox_str {
            ptr: copy.as_ptr().cast(),
            len: bytes.len(),
        };
        self.texts.push(copy);
        text
    }

    /// A copy of a text, or the empty text for none.
    pub(super) fn optional(&mut self, text: Option<impl AsRef<[u8]>>) -> hookbox_str {
        text.map_or(hookbox_str::EMPTY, |text| self.text(text))
    }

    /// Keeps a list; returns where it begins, and how many there are.
    pub(super) fn list<T: 'static>(&mut self, items: Vec<T>) -> (*const T, usize) {
        let place = (items.as_ptr(), items.len());
        self.others.push(Box::new(Shared(items)));
        place
    }

    /// Keeps a list of texts.
    pub(super) fn texts<T: AsRef<[u8]>>(
        &mut self,
        texts: impl IntoIterator<Item = T>,
    ) -> (*const hookbox_str, usize) {
        let texts = texts.into_iter().map(|text| self.text(text)).collect();
        self.list(texts)
    }

    /// Keeps records and a list of pointers to them, so that the records may grow in later versions.
    pub(super) fn records<T: 'static>(&mut self, records: Vec<T>) -> (*const *const T, usize) {
        let (first, count) = self.list(records);
        let pointers = (0..count).map(|index| first.wrapping_add(index)).collect();
        self.list(pointers)
    }
}

/// What a page of a listing is made of.
pub(super) struct PageParts<V> {
    pub(super) items: *const *const V,
    pub(super) count: usize,
    pub(super) next_cursor: hookbox_str,
    pub(super) keep: Keep,
}

/// Takes a page apart, each row as `view` shows it.
pub(super) fn page_parts<T, V: 'static>(
    page: &Page<T>,
    view: impl Fn(&T, &mut Keep) -> V,
) -> PageParts<V> {
    let mut keep = Keep::default();
    let views = page.items.iter().map(|row| view(row, &mut keep)).collect();
    let (items, count) = keep.records(views);
    PageParts {
        items,
        count,
        next_cursor: keep.optional(page.next_cursor.as_deref()),
        keep,
    }
}

/// An object and the memory behind it. The object comes first, so that a pointer to it is one to this.
#[repr(C)]
struct Given<T> {
    object: T,
    keep: Keep,
}

/// Gives an object out. It comes back through [`take_back`].
pub(super) fn give<T>(object: T, keep: Keep) -> *mut T {
    Box::into_raw(Box::new(Given { object, keep })).cast()
}

/// Frees what was given out; NULL is ignored.
///
/// # Safety
/// `object` is NULL, or came from [`give`] with the same `T`, and nobody uses it any more.
pub(super) unsafe fn take_back<T>(object: *mut T) {
    if !object.is_null() {
        // SAFETY: by the contract, this is the box that `give` let go of.
        drop(unsafe { Box::from_raw(object.cast::<Given<T>>()) });
    }
}

/// Texts as an object of their own.
pub(super) fn give_texts<T: AsRef<[u8]>>(texts: impl IntoIterator<Item = T>) -> *mut hookbox_texts {
    let mut keep = Keep::default();
    let (items, count) = keep.texts(texts);
    give(hookbox_texts { items, count }, keep)
}
