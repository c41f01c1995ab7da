//! For receivers: is this request authentic, and what does it say? No box is needed.

use std::time::Duration;

use crate::clock::{Clock, SystemClock};
use crate::model::{JwkSet, Secret, Timestamp};
use crate::signing::{PssSalt, StandardVerifier, parse_jwks};
use crate::verify::{self, Options, ReceivedEvent, Request};

use super::boundary::{Done, Output, bytes, guard, not_one_of, reference, slice, text, texts};
use super::error::hookbox_error;
use super::status::hookbox_status;
use super::text::{Keep, give, hookbox_pair, hookbox_str, take_back};

/// RSA-PSS with the sender's JWK set: the Prelude profile.
pub const HOOKBOX_VERIFY_PRELUDE: i32 = 1;
/// HMAC with the webhook's secrets: the Fingerprint profile.
pub const HOOKBOX_VERIFY_FINGERPRINT: i32 = 2;
/// HMAC or Ed25519 with the webhook's secrets: the Standard Webhooks profile.
pub const HOOKBOX_VERIFY_STANDARD: i32 = 3;

/// What a receiver verifies with. Immutable: any number of threads may use it at once.
#[derive(Debug)]
pub struct hookbox_verifier {
    keys: Keys,
    options: Options,
}

#[derive(Debug)]
enum Keys {
    Prelude(JwkSet),
    Fingerprint(Vec<Secret>),
    Standard(Vec<StandardVerifier>),
}

/// How a receiver verifies. Zeros mean the defaults.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct hookbox_verify_options {
    /// sizeof(hookbox_verify_options).
    pub struct_size: u32,
    /// Prelude: also demand X-Webhook-Signature-V2, which covers id and time.
    pub replay_protection: bool,
    /// RSA: accept salts of any length, not of 32 bytes only.
    pub any_salt: bool,
    /// How far the sender's clock may be off, in milliseconds; 0 means 5 minutes.
    pub tolerance_ms: u64,
    /// The largest body that is looked at, in bytes; 0 means 4 MiB.
    pub body_bytes_max: usize,
}

const OPTIONS_BYTES: usize = 24;
const _: () = assert!(size_of::<hookbox_verify_options>() >= OPTIONS_BYTES);

/// One event out of a request. Part of a list. Immutable. Later versions may append members.
#[repr(C)]
#[derive(Debug)]
pub struct hookbox_received_event {
    /// Its id, the same at every attempt: remember it to tell repetitions. Empty under the Fingerprint
    /// profile, which signs none.
    pub id: hookbox_str,
    /// Its type; empty under the Fingerprint profile.
    pub event_type: hookbox_str,
    /// Its payload: JSON text, exactly as it came.
    pub payload: hookbox_str,
    /// When it was emitted, RFC 3339 as it came; may be empty.
    pub created_at: hookbox_str,
}

/// The events of a request. Owned by the caller: free it with hookbox_received_free(). Immutable.
#[repr(C)]
#[derive(Debug)]
pub struct hookbox_received {
    /// The events.
    pub items: *const *const hookbox_received_event,
    /// How many.
    pub count: usize,
}

/// The answer to an activation challenge, to be sent as it is. Owned by the caller: free it with
/// hookbox_challenge_answer_free(). Immutable.
#[repr(C)]
#[derive(Debug)]
pub struct hookbox_challenge_answer {
    /// The HTTP status: 200.
    pub http_status: u16,
    /// The number that was asked back.
    pub challenge: u64,
    /// The value of Content-Type.
    pub content_type: hookbox_str,
    /// The body.
    pub body: hookbox_str,
    /// Which app asks; empty when it does not say.
    pub app_id: hookbox_str,
}

unsafe fn options_of(given: *const hookbox_verify_options) -> Done<Options> {
    let mut options = Options::default();
    if given.is_null() {
        return Ok(options);
    }
    // SAFETY: the caller of the exported function keeps what the header says.
    let given = unsafe { super::boundary::sized(given, OPTIONS_BYTES, "options") }?;
    options.replay_protection = given.replay_protection;
    if given.any_salt {
        options.salt = PssSalt::Auto;
    }
    if given.tolerance_ms > 0 {
        options.tolerance = Duration::from_millis(given.tolerance_ms);
    }
    if given.body_bytes_max > 0 {
        options.body_bytes_max = given.body_bytes_max;
    }
    Ok(options)
}

/// Makes a verifier. `scheme` is HOOKBOX_VERIFY_PRELUDE with the sender's JWK set as the one text in
/// `keys` (fetched from an address that was configured, never from one that a request names), or
/// HOOKBOX_VERIFY_FINGERPRINT or HOOKBOX_VERIFY_STANDARD with the webhook's secrets ("whsec_…", "whpk_…"
/// for the latter). `options` may be NULL. Free it with hookbox_verifier_free().
///
/// Errors: HOOKBOX_INVALID_KEY.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hookbox_verifier_new(
    scheme: i32,
    keys: *const hookbox_str,
    key_count: usize,
    options: *const hookbox_verify_options,
    out_verifier: *mut *mut hookbox_verifier,
    error: *mut *mut hookbox_error,
) -> hookbox_status {
    // SAFETY: the caller keeps what the header says.
    unsafe {
        guard(error, || {
            let out = Output::new(out_verifier, "out_verifier")?;
            let texts = texts(keys, key_count, "keys")?;
            let keys = match scheme {
                HOOKBOX_VERIFY_PRELUDE => {
                    let [set] = texts[..] else {
                        let message = "must be one text, the JWK set";
                        return Err(crate::error::Error::invalid("keys", message).into());
                    };
                    Keys::Prelude(parse_jwks(set)?)
                }
                HOOKBOX_VERIFY_FINGERPRINT => {
                    Keys::Fingerprint(texts.into_iter().map(Secret::new).collect())
                }
                HOOKBOX_VERIFY_STANDARD => {
                    let secrets = texts.into_iter().map(Secret::new);
                    let parsed = secrets.map(|secret| StandardVerifier::parse(&secret));
                    Keys::Standard(parsed.collect::<crate::error::Result<_>>()?)
                }
                other => return Err(not_one_of("scheme", other)),
            };
            let options = options_of(options)?;
            out.set(Box::into_raw(Box::new(hookbox_verifier { keys, options })));
            Ok(())
        })
    }
}

/// Frees a verifier. NULL is ignored.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hookbox_verifier_free(verifier: *mut hookbox_verifier) {
    if !verifier.is_null() {
        // SAFETY: `hookbox_verifier_new` made it, and by the header nobody uses it any more.
        drop(unsafe { Box::from_raw(verifier) });
    }
}

/// Verifies a request and reads its events. Give all of its headers, and the body exactly as it came,
/// before any JSON parser touched it. `now_ms` is the time in Unix milliseconds, 0 for the system's clock.
/// Events may come more than once: remember their ids. Free them with hookbox_received_free().
///
/// Errors: HOOKBOX_NOT_AUTHENTIC; HOOKBOX_UNKNOWN_KEY: fetch the JWK set anew, at most once a minute.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hookbox_verify(
    verifier: *const hookbox_verifier,
    headers: *const hookbox_pair,
    header_count: usize,
    body: hookbox_str,
    now_ms: i64,
    out_received: *mut *mut hookbox_received,
    error: *mut *mut hookbox_error,
) -> hookbox_status {
    // SAFETY: the caller keeps what the header says.
    unsafe {
        guard(error, || {
            let out = Output::new(out_received, "out_received")?;
            let verifier = reference(verifier, "verifier")?;
            let mut pairs = Vec::with_capacity(header_count.min(256));
            for pair in slice(headers, header_count, "headers")? {
                pairs.push((text(pair.name, "name")?, bytes(pair.value, "value")?));
            }
            let request = Request::new(pairs, bytes(body, "body")?);
            let now = if now_ms == 0 {
                SystemClock.now()
            } else {
                Timestamp::from_millis(now_ms)
            };
            let events = verify_with(verifier, &request, now)?;
            let mut keep = Keep::default();
            let views = events.iter().map(|event| view(event, &mut keep)).collect();
            let (items, count) = keep.records(views);
            out.set(give(hookbox_received { items, count }, keep));
            Ok(())
        })
    }
}

fn verify_with(
    verifier: &hookbox_verifier,
    request: &Request<'_>,
    now: Timestamp,
) -> Done<Vec<ReceivedEvent>> {
    let options = &verifier.options;
    Ok(match &verifier.keys {
        Keys::Prelude(set) => verify::verify_prelude(request, set, options, now)?,
        Keys::Fingerprint(secrets) => verify::verify_fingerprint(request, secrets, options)?,
        Keys::Standard(secrets) => verify::verify_standard(request, secrets, options, now)?,
    })
}

fn view(event: &ReceivedEvent, keep: &mut Keep) -> hookbox_received_event {
    hookbox_received_event {
        id: keep.optional(event.id.as_deref()),
        event_type: keep.optional(event.event_type.as_deref()),
        payload: keep.text(&event.payload),
        created_at: keep.optional(event.created_at.as_deref()),
    }
}

/// Frees the events of a request. NULL is ignored.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hookbox_received_free(received: *mut hookbox_received) {
    // SAFETY: it came from `give`, and is not used again.
    unsafe { take_back(received) }
}

/// Answers the activation challenge that came as a GET with this query (what stands after the question
/// mark), if it carries the verification token given at the registration.
///
/// Errors: HOOKBOX_NOT_AUTHENTIC.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hookbox_answer_challenge(
    query: hookbox_str,
    verification_token: hookbox_str,
    out_answer: *mut *mut hookbox_challenge_answer,
    error: *mut *mut hookbox_error,
) -> hookbox_status {
    // SAFETY: the caller keeps what the header says.
    unsafe {
        guard(error, || {
            let out = Output::new(out_answer, "out_answer")?;
            let token = Secret::new(text(verification_token, "verification_token")?);
            let answer = verify::answer_challenge(text(query, "query")?, &token)?;
            let mut keep = Keep::default();
            let view = hookbox_challenge_answer {
                http_status: answer.status,
                challenge: answer.challenge,
                content_type: keep.text(answer.content_type),
                body: keep.text(&answer.body),
                app_id: keep.optional(answer.app_id.as_deref()),
            };
            out.set(give(view, keep));
            Ok(())
        })
    }
}

/// Frees an answer. NULL is ignored.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hookbox_challenge_answer_free(answer: *mut hookbox_challenge_answer) {
    // SAFETY: it came from `give`, and is not used again.
    unsafe { take_back(answer) }
}
