//! Emitting.

use crate::error::Result;
use crate::model::{AppId, EventId, EventType};
use crate::storage::PreparedEvent;
use crate::storage::tables::Tables;

use super::apps;

pub(super) fn emit(
    tables: &dyn Tables,
    app: &AppId,
    events: &[PreparedEvent],
) -> Result<Vec<EventId>> {
    apps::require_enabled(tables, app)?;
    let mut checked: Option<&EventType> = None;
    for prepared in events {
        let event_type = &prepared.event.event_type;
        if checked != Some(event_type) {
            apps::require_event_type(tables, event_type)?;
            checked = Some(event_type);
        }
    }
    tables.append(app, events)
}
