//! The C headers.
//!
//! Goal: what is checked in under `include/` is what `src/ffi` says. Method: `build.rs` has just made
//! them anew; they are compared, byte for byte. `HOOKBOX_BLESS=1` writes them instead.

use std::path::Path;

const HEADERS: [(&str, &str); 2] = [
    (
        "include/hookbox.h",
        include_str!(concat!(env!("OUT_DIR"), "/hookbox.h")),
    ),
    (
        "include/hookbox/sys.h",
        include_str!(concat!(env!("OUT_DIR"), "/sys.h")),
    ),
];

#[test]
fn the_headers_are_fresh() {
    for (path, made) in HEADERS {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
        if std::env::var_os("HOOKBOX_BLESS").is_some() {
            std::fs::write(&path, made).unwrap();
        }
        let checked_in = std::fs::read_to_string(&path).unwrap();
        assert!(
            checked_in == made,
            "{} is out of date: HOOKBOX_BLESS=1 cargo test --features capi --test it header",
            path.display()
        );
    }
}
