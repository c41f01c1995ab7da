//! Operational notices, to a callback of the host's.

use std::ffi::c_void;

use crate::model::Notice;

use super::foreign::Foreign;
use super::text::{Keep, hookbox_str};

/// Something that a host's operators may want to hear of, after it was stored. Valid during the
/// callback only. Later versions may append members: do not copy it whole.
#[repr(C)]
#[derive(Debug)]
pub struct hookbox_notice {
    /// What happened: "webhook_failing", "webhook_deactivated", "webhook_recovered",
    /// "batch_exhausted", "batch_split", "key_rotated", "delivery_fault", "bad_row",
    /// "engine_failed", "storage_stalled", "storage_resumed"; later versions may have more.
    pub kind: hookbox_str,
    /// The app, where one is concerned; else empty.
    pub app_id: hookbox_str,
    /// The webhook, where one is concerned; else empty.
    pub webhook_id: hookbox_str,
    /// The batch, where one is concerned; else empty.
    pub batch_id: hookbox_str,
    /// All of it as a JSON object; the member "notice" is the kind.
    pub json: hookbox_str,
}

/// Is told of a notice. It runs on hookbox's threads, and on those that call hookbox_box_poll() and
/// the like; several at once. It may call anything but hookbox_box_start(), _stop(), _close() and
/// _free(), and must neither unwind nor longjmp.
pub type hookbox_on_notice =
    Option<unsafe extern "C" fn(user_data: *mut c_void, notice: *const hookbox_notice)>;

/// The host's callback as the library calls it.
pub(super) fn callback(
    on_notice: unsafe extern "C" fn(*mut c_void, *const hookbox_notice),
    host: Foreign,
) -> impl Fn(&Notice) + Send + Sync + 'static {
    move |notice| {
        let mut keep = Keep::default();
        let value = serde_json::to_value(notice).unwrap_or_default();
        let member = |name: &str| value.get(name).and_then(|member| member.as_str());
        let object = hookbox_notice {
            kind: keep.optional(member("notice")),
            app_id: keep.optional(member("app_id")),
            webhook_id: keep.optional(member("webhook_id")),
            batch_id: keep.optional(member("batch_id")),
            json: keep.text(value.to_string()),
        };
        // SAFETY: the host gave the function and its data for this; the notice outlives the call.
        unsafe { on_notice(host.data(), &raw const object) };
    }
}
