//! A signer of the host's: an HSM, a key service.

use std::ffi::c_void;
use std::sync::Arc;
use std::time::Duration;

use crate::error::{Error, Result};
use crate::ffi::boundary::{Done, Output, sized, text};
use crate::ffi::error::{Failure, hookbox_error};
use crate::ffi::foreign::{Foreign, hookbox_destroy};
use crate::ffi::handle::{call, hookbox_box};
use crate::ffi::keys::{hookbox_key, key_id, set};
use crate::ffi::status::{HOOKBOX_OK, hookbox_status};
use crate::ffi::text::hookbox_str;
use crate::model::Jwk;
use crate::signing::Signer;

use super::kv::host_error;

/// Signs the 32 bytes of a SHA-256 digest: RSASSA-PSS (RFC 8017 section 8.1.1), MGF1 with SHA-256, a
/// random salt of 32 bytes; the digest is not hashed again. Writes the signature, at most
/// `signature_bytes_max` bytes, and its length. Returns HOOKBOX_OK, or HOOKBOX_KEY_UNAVAILABLE when the
/// key cannot be reached now: the batch is tried again. Called from several threads at once; it counts
/// against the deadline of an attempt, and must neither unwind nor longjmp.
pub type hookbox_signer_sign = Option<
    unsafe extern "C" fn(
        context: *mut c_void,
        sha256: *const u8,
        signature: *mut u8,
        signature_bytes_max: usize,
        out_signature_bytes: *mut usize,
        error: *mut *mut hookbox_error,
    ) -> hookbox_status,
>;

/// Signs with a private key that stays with the host. Set struct_size (HOOKBOX_SIGNER_INIT does).
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct hookbox_signer {
    /// sizeof(hookbox_signer).
    pub struct_size: u32,
    /// Given to each function.
    pub context: *mut c_void,
    /// Signs a digest.
    pub sign: hookbox_signer_sign,
    /// Ends the context; may be NULL.
    pub destroy: hookbox_destroy,
}

const SIGNER_BYTES: usize = 32;
const _: () = assert!(size_of::<hookbox_signer>() >= SIGNER_BYTES);

/// Bytes of a signature at most: those of an 8192-bit key.
const SIGNATURE_BYTES_MAX: usize = 1024;

#[derive(Debug)]
struct HostSigner {
    host: Foreign,
    sign: unsafe extern "C" fn(
        *mut c_void,
        *const u8,
        *mut u8,
        usize,
        *mut usize,
        *mut *mut hookbox_error,
    ) -> hookbox_status,
}

impl Signer for HostSigner {
    fn sign_digest(&self, sha256: &[u8; 32]) -> Result<Vec<u8>> {
        let mut signature = vec![0; SIGNATURE_BYTES_MAX];
        let mut length = 0;
        let mut error = std::ptr::null_mut();
        // SAFETY: the host gave the function and its context for this; the buffers have the sizes that
        // are said.
        let status = unsafe {
            (self.sign)(
                self.host.data(),
                sha256.as_ptr(),
                signature.as_mut_ptr(),
                SIGNATURE_BYTES_MAX,
                &raw mut length,
                &raw mut error,
            )
        };
        // SAFETY: the host's error is one of hookbox_error_new, or NULL.
        let failed = unsafe { host_error(status, error) };
        if status != HOOKBOX_OK {
            return Err(failed);
        }
        if length > SIGNATURE_BYTES_MAX {
            let message = "the host's signer claims a longer signature than there is room for";
            return Err(Error::KeyUnavailable(message.into()));
        }
        signature.truncate(length);
        Ok(signature)
    }
}

/// Takes a table over: from here on its destroy runs exactly once.
unsafe fn signer_of(signer: *const hookbox_signer) -> Done<Arc<dyn Signer>> {
    // SAFETY: the caller of the exported function keeps what the header says.
    let table = unsafe { sized(signer, SIGNER_BYTES, "signer") }?;
    let host = Foreign::new(table.context, table.destroy);
    let sign = table.sign.ok_or_else(|| Failure::null("signer.sign"))?;
    Ok(Arc::new(HostSigner { host, sign }))
}

/// As hookbox_key_rotate(), for a key whose private part stays with the host: `public_jwk` (JSON, with a
/// kid) is published, and `signer` signs. Register the signer again after each opening with
/// hookbox_key_register_signer(). The table is copied; its destroy runs exactly once: also when this fails,
/// unless the table itself cannot be read, or the box is closed. `out_key` may be NULL.
///
/// Errors: HOOKBOX_APP_NOT_FOUND, HOOKBOX_INVALID_KEY.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hookbox_key_rotate_to_signer(
    hooks: *mut hookbox_box,
    app: hookbox_str,
    public_jwk: hookbox_str,
    signer: *const hookbox_signer,
    lead_ms: u64,
    out_key: *mut *mut hookbox_key,
    error: *mut *mut hookbox_error,
) -> hookbox_status {
    // SAFETY: the caller keeps what the header says.
    unsafe {
        call(hooks, error, |hooks| {
            let signer = signer_of(signer)?;
            let out = Output::optional(out_key, "out_key")?;
            let jwk: Jwk = serde_json::from_str(text(public_jwk, "public_jwk")?)
                .map_err(|error| Error::InvalidKey(format!("it is not a JWK: {error}")))?;
            let lead = Duration::from_millis(lead_ms);
            let key = hooks.rotate_to_signer(text(app, "app")?, &jwk, signer, lead)?;
            set(out, hooks, &key);
            Ok(())
        })
    }
}

/// Signs with the host's signer for a key that was added by hookbox_key_rotate_to_signer(). Until it is
/// registered, deliveries of that app wait. The table is copied; its destroy as there.
///
/// Errors: HOOKBOX_APP_NOT_FOUND when the text cannot be an app's id; HOOKBOX_INVALID_KEY. Whether there is
/// such an app, with such a key, is not looked up.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hookbox_key_register_signer(
    hooks: *mut hookbox_box,
    app: hookbox_str,
    kid: hookbox_str,
    signer: *const hookbox_signer,
    error: *mut *mut hookbox_error,
) -> hookbox_status {
    // SAFETY: the caller keeps what the header says.
    unsafe {
        call(hooks, error, |hooks| {
            let signer = signer_of(signer)?;
            Ok(hooks.register_signer(text(app, "app")?, &key_id(kid)?, signer)?)
        })
    }
}
