//! The C ABI: `include/hookbox.h` and `include/hookbox/sys.h`, which are made from this folder.
//!
//! One file for each concern, named as the facade's. What a C programmer must know stands in the doc
//! comments, which become the header's; what every function shares stands in its preamble
//! (`build.rs`). Structures are plain: what is given out is a structure whose memory the library
//! owns ([`text`]), what is taken in starts with its size (`boundary`).
//!
//! # Safety
//!
//! This is the one module with `unsafe` code. Its functions rely on what every C function relies on,
//! and the header says: a pointer is NULL or points to what its type says, is valid until the call
//! returns, and what was freed is not used again. NULL itself, misaligned pointers, texts that are
//! not UTF-8, unknown numbers and sizes, and closed boxes are refused with a status. The doc comments are
//! C's: they have no backticks.
#![allow(
    unsafe_code,
    non_camel_case_types,
    clippy::doc_markdown,
    clippy::missing_safety_doc,
    clippy::must_use_candidate
)]

pub mod api;
pub mod api_keys;
pub mod apps;
mod boundary;
pub mod claims;
pub mod error;
pub mod events;
pub mod explain;
mod foreign;
pub mod handle;
pub mod keys;
pub mod notice;
pub mod open;
pub mod options;
pub mod records;
pub mod run;
mod signals;
pub mod status;
pub mod sys;
pub mod text;
pub mod upkeep;
pub mod verify;
pub mod version;
pub mod webhook_config;
pub mod webhooks;

pub use foreign::hookbox_destroy;
