//! How a box is opened.

use std::ffi::c_void;
use std::time::Duration;

use crate::hookbox::Options;
use crate::signing::KeyEncryptionKey;
use crate::transport::{HttpOptions, PortRule};

use super::boundary::{Done, Output, exclusive, guard, optional_text, slice, text};
use super::error::{Failure, hookbox_error};
use super::foreign::{Foreign, hookbox_destroy};
use super::notice::{callback, hookbox_on_notice};
use super::status::hookbox_status;
use super::text::hookbox_str;

/// How a box is to be opened: a builder. Everything has a sound default. It may be used for several
/// boxes, and freed once they are open. Movable between threads, not shareable. Ranges are checked
/// when a box is opened with it.
#[derive(Debug, Default)]
pub struct hookbox_options {
    pub(super) options: Options,
    http: HttpOptions,
}

impl hookbox_options {
    pub(super) fn change(&mut self, change: impl FnOnce(Options) -> Options) {
        self.options = change(std::mem::take(&mut self.options));
    }

    /// All of it as the library takes it.
    pub(super) fn build(&self) -> Options {
        self.options.clone().http(self.http.clone())
    }
}

/// The inside of a setter.
unsafe fn set(
    options: *mut hookbox_options,
    error: *mut *mut hookbox_error,
    work: impl FnOnce(&mut hookbox_options) -> Done,
) -> hookbox_status {
    // SAFETY: the caller gives options, and a place or NULL.
    unsafe { guard(error, || work(exclusive(options, "options")?)) }
}

/// Makes options, all of them as by default. Free them with hookbox_options_free().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hookbox_options_new(
    out_options: *mut *mut hookbox_options,
    error: *mut *mut hookbox_error,
) -> hookbox_status {
    // SAFETY: the caller gives places.
    unsafe {
        guard(error, || {
            let out = Output::new(out_options, "out_options")?;
            out.set(Box::into_raw(Box::default()));
            Ok(())
        })
    }
}

/// Frees options. NULL is ignored.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hookbox_options_free(options: *mut hookbox_options) {
    if !options.is_null() {
        // SAFETY: `hookbox_options_new` made them, and by the header nobody uses them any more.
        drop(unsafe { Box::from_raw(options) });
    }
}

/// Bytes of a payload at most: 1 byte to 64 MiB. The file keeps what was set last; 256 KiB at first.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hookbox_options_set_payload_bytes_max(
    options: *mut hookbox_options,
    bytes: usize,
    error: *mut *mut hookbox_error,
) -> hookbox_status {
    // SAFETY: as `set` needs it.
    unsafe {
        set(options, error, |it| {
            it.change(|options| options.payload_bytes_max(bytes));
            Ok(())
        })
    }
}

/// Requests that the threads of hookbox_box_start() send at once to webhooks that answer: 1 to 1024; 16
/// by default. Webhooks that were not tried yet get as many beside them, and those that failed last a
/// quarter of it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hookbox_options_set_workers(
    options: *mut hookbox_options,
    workers: usize,
    error: *mut *mut hookbox_error,
) -> hookbox_status {
    // SAFETY: as `set` needs it.
    unsafe {
        set(options, error, |it| {
            it.change(|options| options.workers(workers));
            Ok(())
        })
    }
}

/// Requests that may be out beside those because their endpoint has not answered for more than 250
/// ms: 0 to 4096; 1024 by default. Each costs a thread while it waits.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hookbox_options_set_slow_requests_max(
    options: *mut hookbox_options,
    requests: usize,
    error: *mut *mut hookbox_error,
) -> hookbox_status {
    // SAFETY: as `set` needs it.
    unsafe {
        set(options, error, |it| {
            it.change(|options| options.slow_requests_max(requests));
            Ok(())
        })
    }
}

/// How long ended batches, their attempts and events are kept, in milliseconds: a minute at least; 30
/// days by default; 0 keeps them for good. What is still owed is never deleted.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hookbox_options_set_retention_ms(
    options: *mut hookbox_options,
    retention_ms: u64,
    error: *mut *mut hookbox_error,
) -> hookbox_status {
    // SAFETY: as `set` needs it.
    unsafe {
        set(options, error, |it| {
            let span = Some(Duration::from_millis(retention_ms)).filter(|span| !span.is_zero());
            it.change(|options| options.retention(span));
            Ok(())
        })
    }
}

/// How long a new signing key is published before it signs (an hour by default), and how long an old
/// one stays published after it signed (15 days), in milliseconds.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hookbox_options_set_key_rotation_ms(
    options: *mut hookbox_options,
    lead_ms: u64,
    overlap_ms: u64,
    error: *mut *mut hookbox_error,
) -> hookbox_status {
    // SAFETY: as `set` needs it.
    unsafe {
        set(options, error, |it| {
            let (lead, overlap) = (
                Duration::from_millis(lead_ms),
                Duration::from_millis(overlap_ms),
            );
            it.change(|options| options.key_rotation(lead, overlap));
            Ok(())
        })
    }
}

/// Seals private keys, tokens and other secrets in the box with a key of 32 bytes, which is copied.
/// `older` holds `older_count` keys of 32 bytes, one after the other: they still open what they
/// sealed. `current` may be NULL where there are older ones: the way back. What was stored before
/// stays as it was until hookbox_keys_reseal().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hookbox_options_set_key_encryption_key(
    options: *mut hookbox_options,
    current: *const u8,
    older: *const u8,
    older_count: usize,
    error: *mut *mut hookbox_error,
) -> hookbox_status {
    // SAFETY: the caller gives 32 bytes for each key.
    unsafe {
        set(options, error, |it| {
            let current = if current.is_null() {
                None
            } else {
                let bytes: &[[u8; 32]] = slice(current.cast(), 1, "current")?;
                bytes.first().map(KeyEncryptionKey::from_bytes)
            };
            let older: &[[u8; 32]] = slice(older.cast(), older_count, "older")?;
            let older = older.iter().map(KeyEncryptionKey::from_bytes).collect();
            it.change(|options| options.key_encryption_key(current, older));
            Ok(())
        })
    }
}

/// Allows http:// URLs as well as https://. Off by default.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hookbox_options_set_allow_http(
    options: *mut hookbox_options,
    allow: bool,
    error: *mut *mut hookbox_error,
) -> hookbox_status {
    // SAFETY: as `set` needs it.
    unsafe {
        set(options, error, |it| {
            it.change(|options| options.allow_http(allow));
            Ok(())
        })
    }
}

/// Allows endpoints in a network ("10.0.0.0/8", "fd00::/8") although it is not public. May be called
/// several times.
///
/// Errors: HOOKBOX_INVALID_REQUEST for what is no network.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hookbox_options_allow_network(
    options: *mut hookbox_options,
    network: hookbox_str,
    error: *mut *mut hookbox_error,
) -> hookbox_status {
    // SAFETY: as `set` and `text` need it.
    unsafe {
        set(options, error, |it| {
            let network = text(network, "network")?.parse().map_err(|_| {
                crate::error::Error::invalid("network", "must look like 10.0.0.0/8 or fd00::/8")
            })?;
            it.change(|options| options.allow_network(network));
            Ok(())
        })
    }
}

/// Allows exactly these ports. Without it: 443, 80 where http is allowed, and every port from 1024.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hookbox_options_set_ports(
    options: *mut hookbox_options,
    ports: *const u16,
    count: usize,
    error: *mut *mut hookbox_error,
) -> hookbox_status {
    // SAFETY: the caller gives `count` ports.
    unsafe {
        set(options, error, |it| {
            let ports = slice(ports, count, "ports")?.to_vec();
            it.change(|options| options.ports(PortRule::Only(ports)));
            Ok(())
        })
    }
}

/// Sends through an HTTP proxy ("http://user:password@proxy:3128"); empty for none, as by default: no
/// environment variable is read.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hookbox_options_set_proxy(
    options: *mut hookbox_options,
    url: hookbox_str,
    error: *mut *mut hookbox_error,
) -> hookbox_status {
    // SAFETY: as `set` and `optional_text` need it.
    unsafe {
        set(options, error, |it| {
            it.http.proxy = optional_text(url, "url")?.map(str::to_owned);
            Ok(())
        })
    }
}

/// Trusts these certificate authorities (PEM) beside Mozilla's, which are compiled in.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hookbox_options_set_extra_root_pem(
    options: *mut hookbox_options,
    pem: hookbox_str,
    error: *mut *mut hookbox_error,
) -> hookbox_status {
    // SAFETY: as `set` and `optional_text` need it.
    unsafe {
        set(options, error, |it| {
            it.http.extra_root_pem = optional_text(pem, "pem")?.map(str::to_owned);
            Ok(())
        })
    }
}

/// The User-Agent header of requests; "hookbox/" and the version by default.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hookbox_options_set_user_agent(
    options: *mut hookbox_options,
    user_agent: hookbox_str,
    error: *mut *mut hookbox_error,
) -> hookbox_status {
    // SAFETY: as `set` and `text` need it.
    unsafe {
        set(options, error, |it| {
            text(user_agent, "user_agent")?.clone_into(&mut it.http.user_agent);
            Ok(())
        })
    }
}

/// Connections to a PostgreSQL server at most, beside the one that listens: 1 to 1000; 8 by default.
///
/// Errors: HOOKBOX_UNSUPPORTED where the library was built without PostgreSQL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hookbox_options_set_postgres_pool(
    options: *mut hookbox_options,
    connections: usize,
    error: *mut *mut hookbox_error,
) -> hookbox_status {
    // SAFETY: as `set` needs it.
    unsafe {
        set(options, error, |it| {
            #[cfg(feature = "postgres")]
            it.change(|options| options.postgres_pool(connections));
            #[cfg(not(feature = "postgres"))]
            unsupported(it, connections)?;
            Ok(())
        })
    }
}

#[cfg(not(feature = "postgres"))]
fn unsupported(_it: &hookbox_options, _connections: usize) -> Done {
    let message = "this library was built without the feature `postgres`";
    Err(crate::error::Error::Unsupported(message.into()).into())
}

/// Calls back with operational notices. `destroy` ends `user_data`: see hookbox_destroy.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hookbox_options_set_on_notice(
    options: *mut hookbox_options,
    on_notice: hookbox_on_notice,
    user_data: *mut c_void,
    destroy: hookbox_destroy,
    error: *mut *mut hookbox_error,
) -> hookbox_status {
    let host = Foreign::new(user_data, destroy);
    // SAFETY: as `set` needs it.
    unsafe {
        set(options, error, move |it| {
            let on_notice = on_notice.ok_or_else(|| Failure::null("on_notice"))?;
            let callback = callback(on_notice, host);
            it.change(|options| options.on_notice(callback));
            Ok(())
        })
    }
}
