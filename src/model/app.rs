//! An app: the tenant.

use serde::Serialize;

use crate::model::{AppId, Profile, Timestamp};

/// A tenant. It owns signing keys, webhooks and events.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct App {
    /// Chosen by the host.
    pub id: AppId,
    /// Whether it takes events and changes.
    pub state: AppState,
    /// Which contract its webhooks follow; the app's own copy, so that each setting can differ.
    pub profile: Profile,
    /// When it was created.
    pub created_at: Timestamp,
}

/// Whether an app takes events and changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AppState {
    /// The normal state.
    Enabled,
    /// Emits and changes are refused with `session_disabled`; deliveries wait until it is enabled.
    Disabled,
}
