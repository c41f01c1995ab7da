//! `cargo bench --bench capi --features capi`
//!
//! What the C boundary costs: `hookbox_emit` beside `Hookbox::emit`, on a box in memory, so that no disk
//! hides it. Rounds of both alternate; what is printed is the median of each.

use std::ffi::c_char;
use std::ptr::{null, null_mut};
use std::time::{Duration, Instant};

use hookbox::ffi::events::hookbox_emit;
use hookbox::ffi::handle::{hookbox_box, hookbox_box_free};
use hookbox::ffi::open::hookbox_open_in_memory;
use hookbox::ffi::text::{hookbox_id, hookbox_str};
use hookbox::storage::kv::KvStorage;
use hookbox::{Hookbox, Options};

const ROUNDS: usize = 60;
const CALLS: u32 = 2_000;
const TYPE: &str = "user.created";

fn main() {
    let payload = format!(r#"{{"text":"{}"}}"#, "x".repeat(489));
    let rust = Options::new()
        .open_storage(std::sync::Arc::new(KvStorage::in_memory().unwrap()))
        .unwrap();
    rust.create_app("a").unwrap();
    let c = open();
    let (mut by_rust, mut by_c) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        by_rust.push(timed(|| emit_in_rust(&rust, &payload)));
        by_c.push(timed(|| emit_in_c(c, &payload)));
    }
    // SAFETY: nobody uses it any more.
    unsafe { hookbox_box_free(c) };
    let (rust, c) = (median(by_rust), median(by_c));
    println!("emit, 500 bytes, in memory: Rust {rust} ns, C {c} ns a call");
    println!(
        "the boundary: {} ns, {:.3} times",
        c - rust,
        c as f64 / rust as f64
    );
}

fn text(text: &str) -> hookbox_str {
    hookbox_str {
        ptr: text.as_ptr().cast::<c_char>(),
        len: text.len(),
    }
}

fn open() -> *mut hookbox_box {
    use hookbox::ffi::apps::{hookbox_app_create, hookbox_new_app};
    let mut it = null_mut();
    let app = hookbox_new_app {
        struct_size: u32::try_from(size_of::<hookbox_new_app>()).unwrap(),
        key_bits: 0,
        id: text("a"),
        profile: text(""),
        key_pem: text(""),
        key_id: text(""),
    };
    // SAFETY: all pointers are valid or NULL.
    unsafe {
        assert_eq!(hookbox_open_in_memory(null(), &raw mut it, null_mut()), 0);
        assert_eq!(
            hookbox_app_create(it, &raw const app, null_mut(), null_mut()),
            0
        );
    }
    it
}

fn emit_in_rust(hooks: &Hookbox, payload: &str) {
    std::hint::black_box(hooks.emit("a", TYPE, payload).unwrap().to_string());
}

fn emit_in_c(hooks: *mut hookbox_box, payload: &str) {
    let mut id = std::mem::MaybeUninit::<hookbox_id>::uninit();
    // SAFETY: the box is open, the rest is valid or NULL.
    let status = unsafe {
        hookbox_emit(
            hooks,
            text("a"),
            text(TYPE),
            text(payload),
            id.as_mut_ptr(),
            null_mut(),
        )
    };
    assert_eq!(status, 0);
    std::hint::black_box(id);
}

/// Nanoseconds of a call.
fn timed(mut call: impl FnMut()) -> i64 {
    let start = Instant::now();
    for _ in 0..CALLS {
        call();
    }
    let each: Duration = start.elapsed() / CALLS;
    i64::try_from(each.as_nanos()).unwrap()
}

fn median(mut rounds: Vec<i64>) -> i64 {
    rounds.sort_unstable();
    rounds[rounds.len() / 2]
}
