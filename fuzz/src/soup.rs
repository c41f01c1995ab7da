//! Arguments for the C functions: what a program that does not read the header might give, short of a
//! pointer that is neither NULL nor valid, which no library can tell.

use std::ffi::c_char;
use std::ptr::{null, null_mut};

use arbitrary::Unstructured;
use hookbox::ffi::error::{hookbox_error, hookbox_error_free};
use hookbox::ffi::status::{HOOKBOX_INTERNAL, HOOKBOX_OK, HOOKBOX_PANIC};
use hookbox::ffi::text::{hookbox_pair, hookbox_str};

const TEXTS: [&[u8]; 34] = [
    b"left",
    b"right",
    b"user.created",
    b"user.deleted",
    b"standard_webhooks",
    b"prelude",
    b"{\"n\":1}",
    b"[1.50,\"\\u0000\"]",
    b"no JSON {",
    b"http://127.0.0.1:9999/hooks",
    b"https://[::1]/?a=b",
    b"ftp://127.0.0.1/",
    b"token",
    b"kid",
    b"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    b"127.0.0.0/8",
    b"web_01jqebhswje1ka1z7ahr9rfsgt",
    b"evt_01jqebhswje1ka1z7ahr9rfsgt",
    b"bat_01jqebhswje1ka1z7ahr9rfsgt",
    b"\xff\xfe no UTF-8",
    b"with\0a NUL",
    b"{\"timeout\":5000}",
    b"{\"timeout\":-1}",
    b"X-Header",
    b"webhook-id",
    b"webhook-timestamp",
    b"webhook-signature",
    b"X-Webhook-Signature",
    b"1742034600",
    b"event=activate&verification_token=token&challenge=123",
    b"{\"keys\":[]}",
    b"Retry-After",
    b"\r\n",
    include_bytes!("../../tests/vectors/rsa2048_pkcs8_test_only.pem"),
];

/// Bytes of the buffer that structures of any size up to the largest allowed are laid into.
const STAMPED_BYTES: usize = 66 * 1024;

/// The input, read as arguments. When it is used up, everything is zero: the first of each list.
pub struct Soup<'a> {
    pub input: Unstructured<'a>,
    /// Ids and cursors that came out.
    seen: Vec<Vec<u8>>,
    /// Where the structures lie that are given in: aligned, longer than any size that is accepted.
    stamped: Vec<u64>,
    /// Bytes, pairs and lists of this run.
    arena: Vec<Box<[u8]>>,
    pairs: Vec<Vec<hookbox_pair>>,
    lists: Vec<Vec<hookbox_str>>,
}

impl<'a> Soup<'a> {
    pub fn new(data: &'a [u8]) -> Self {
        Self {
            input: Unstructured::new(data),
            seen: Vec::new(),
            stamped: vec![0xa5a5_a5a5_a5a5_a5a5; STAMPED_BYTES / 8],
            arena: Vec::new(),
            pairs: Vec::new(),
            lists: Vec::new(),
        }
    }

    pub fn below(&mut self, end: usize) -> usize {
        self.input.int_in_range(0..=end - 1).unwrap_or(0)
    }

    /// Once in `of`.
    pub fn rarely(&mut self, of: usize) -> bool {
        self.below(of) == of - 1
    }

    pub fn number(&mut self) -> u64 {
        match self.below(8) {
            0 => 0,
            1 => u64::MAX,
            2 => i64::MAX as u64,
            3 => 1 << 63,
            4 => self.input.arbitrary().unwrap_or(0),
            _ => self.below(300) as u64,
        }
    }

    pub fn size(&mut self) -> usize {
        self.number() as usize
    }

    /// A time: near the clock of these runs, or anything.
    pub fn time(&mut self) -> i64 {
        if self.rarely(4) {
            self.number() as i64
        } else {
            crate::START.as_millis() + self.below(1 << 31) as i64
        }
    }

    /// A number of an enumeration, or none.
    pub fn choice(&mut self) -> i32 {
        if self.rarely(8) {
            self.number() as i32
        } else {
            self.below(4) as i32
        }
    }

    pub fn text(&mut self) -> hookbox_str {
        let bytes: &[u8] = match self.below(16) {
            0 => {
                return hookbox_str {
                    ptr: null(),
                    len: self.size(),
                };
            }
            1 => {
                // A sound pointer, and a length that no memory has.
                let len = usize::MAX - self.below(1000);
                return hookbox_str {
                    ptr: TEXTS[0].as_ptr().cast(),
                    len,
                };
            }
            2 => {
                return hookbox_str {
                    ptr: TEXTS[0].as_ptr().cast(),
                    len: 0,
                };
            }
            3 | 4 => {
                let length = self.below(200);
                let bytes = self
                    .input
                    .bytes(length.min(self.input.len()))
                    .unwrap_or(&[]);
                self.arena.push(bytes.into());
                &self.arena[self.arena.len() - 1]
            }
            5..=9 if !self.seen.is_empty() => {
                let which = self.below(self.seen.len());
                &self.seen[which]
            }
            _ => TEXTS[self.below(TEXTS.len())],
        };
        hookbox_str {
            ptr: bytes.as_ptr().cast(),
            len: bytes.len(),
        }
    }

    /// One of these, nearly always: without it nothing would ever succeed.
    pub fn mostly(&mut self, texts: &[&'static str]) -> hookbox_str {
        if self.rarely(8) {
            return self.text();
        }
        let text = texts[self.below(texts.len())];
        hookbox_str {
            ptr: text.as_ptr().cast(),
            len: text.len(),
        }
    }

    /// An app's id, most of the time of one that may be there.
    pub fn app(&mut self) -> hookbox_str {
        self.mostly(&["left", "right"])
    }

    /// Something that came out: an id, a cursor.
    pub fn known(&mut self) -> hookbox_str {
        if self.seen.is_empty() || self.rarely(4) {
            return self.text();
        }
        let which = self.below(self.seen.len());
        let bytes = &self.seen[which];
        hookbox_str {
            ptr: bytes.as_ptr().cast(),
            len: bytes.len(),
        }
    }

    /// A list of texts. Its memory stays until the end of the run.
    pub fn texts(&mut self) -> (*const hookbox_str, usize) {
        if self.rarely(8) {
            return (null(), self.size());
        }
        let count = self.below(4);
        let list: Vec<_> = (0..count).map(|_| self.text()).collect();
        let place = list.as_ptr();
        self.lists.push(list);
        // With items, no count but theirs is sound, or one that no memory has.
        (
            place,
            if self.rarely(16) {
                usize::MAX - count
            } else {
                count
            },
        )
    }

    pub fn pairs(&mut self) -> (*const hookbox_pair, usize) {
        if self.rarely(8) {
            return (null(), self.size());
        }
        let count = self.below(4);
        let list: Vec<_> = (0..count)
            .map(|_| hookbox_pair {
                name: self.text(),
                value: self.text(),
            })
            .collect();
        let place = list.as_ptr();
        self.pairs.push(list);
        (
            place,
            if self.rarely(16) {
                usize::MAX - count
            } else {
                count
            },
        )
    }

    /// A structure as a program gives it: with its right size (its first member), or with another one,
    /// at an address that may be misaligned, or NULL. Whether it can be read comes back too.
    pub fn stamp<T: Copy>(&mut self, value: &T) -> (*const T, bool) {
        let (size, mut sound) = match self.below(16) {
            0 => return (null(), false),
            1 => (0, false),
            2 => (u32::MAX, false),
            3 => (self.below(size_of::<T>()) as u32, false),
            4 => (size_of::<T>() as u32 + self.below(60_000) as u32, true),
            _ => (size_of::<T>() as u32, true),
        };
        let bytes = self.stamped.as_mut_ptr().cast::<u8>();
        let offset = usize::from(self.rarely(16));
        sound &= offset == 0;
        // SAFETY: the buffer is longer than any of these structures and the offset.
        unsafe {
            let place = bytes.add(offset).cast::<T>();
            place.write_unaligned(*value);
            place.cast::<u32>().write_unaligned(size);
            (place.cast_const(), sound)
        }
    }

    /// Calls something that gives an object out, judges what came, and looks at the object. `Some` when
    /// it came; the object is freed.
    pub fn out<T>(
        &mut self,
        call: impl FnOnce(*mut *mut T, *mut *mut hookbox_error) -> i32,
        free: unsafe extern "C" fn(*mut T),
        look: impl FnOnce(&T, &mut Vec<Vec<u8>>),
    ) {
        let wanted = !self.rarely(8);
        let mut object = null_mut();
        let place = if wanted { &raw mut object } else { null_mut() };
        let well = self.plain(|error| call(place, error));
        assert_eq!(
            well && wanted,
            !object.is_null(),
            "outputs are written on success only"
        );
        if !object.is_null() {
            // SAFETY: the library gave it, and it is freed once.
            unsafe {
                look(&*object, &mut self.seen);
                free(object);
            }
        }
        // SAFETY: NULL is ignored.
        unsafe { free(null_mut()) };
        let excess = self.seen.len().saturating_sub(64);
        self.seen.drain(..excess);
    }

    /// Calls something, and judges its status and its error. Whether it succeeded.
    pub fn plain(&mut self, call: impl FnOnce(*mut *mut hookbox_error) -> i32) -> bool {
        let wanted = !self.rarely(8);
        let mut error = null_mut();
        let status = call(if wanted { &raw mut error } else { null_mut() });
        assert!(
            status != HOOKBOX_PANIC && status != HOOKBOX_INTERNAL,
            "status {status}"
        );
        assert_eq!(!error.is_null(), wanted && status != HOOKBOX_OK);
        if !error.is_null() {
            // SAFETY: the library gave it, and it is freed once.
            unsafe {
                let object = &*error;
                assert_eq!(object.status, status);
                assert!((400..=503).contains(&object.http_status));
                assert!(!read(object.code).is_empty() && !read(object.message).contains(&b'\n'));
                hookbox_error_free(error);
            }
        }
        status == HOOKBOX_OK
    }

    pub fn remember(&mut self, id: Vec<u8>) {
        self.seen.push(id);
    }
}

/// A text that the library gave out.
///
/// # Panics
/// When it does not end with a NUL.
pub fn read(text: hookbox_str) -> Vec<u8> {
    assert!(!text.ptr.is_null());
    // SAFETY: the library gave it.
    let bytes = unsafe { std::slice::from_raw_parts(text.ptr.cast::<u8>(), text.len + 1) };
    assert_eq!(bytes[text.len], 0, "it prints with %s");
    bytes[..text.len].to_vec()
}

/// A text of the library's that never ends.
pub fn is_text(text: *const c_char) -> bool {
    // SAFETY: the library gave it.
    unsafe { std::ffi::CStr::from_ptr(text) }.to_str().is_ok()
}

/// The items of a list that the library gave out.
pub fn items<'a, T>(first: *const *const T, count: usize) -> Vec<&'a T> {
    if count == 0 {
        return Vec::new();
    }
    // SAFETY: the library gave it.
    unsafe {
        std::slice::from_raw_parts(first, count)
            .iter()
            .map(|item| &**item)
            .collect()
    }
}
