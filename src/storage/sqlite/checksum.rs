//! A checksum over each event: SQLite's pages have none, and a bit that turned on the disk must not reach
//! an endpoint. Events that were emitted by plain SQL have none either.

use crc32fast::Hasher;

/// An event as its row says it.
#[derive(Debug, Clone, Copy)]
pub(super) struct EventRow<'a> {
    pub(super) id: &'a str,
    pub(super) app: &'a str,
    pub(super) event_type: &'a str,
    pub(super) created_at: i64,
    pub(super) idempotency_key: Option<&'a str>,
    pub(super) environment: Option<&'a str>,
    pub(super) at_most_once: bool,
    pub(super) payload: &'a str,
}

/// CRC-32 over all that the row says, each text behind its length. The position is not in it: it is
/// given as the row is inserted.
pub(super) fn checksum(event: &EventRow<'_>) -> u32 {
    let mut hasher = Hasher::new();
    hasher.update(&event.created_at.to_le_bytes());
    hasher.update(&[u8::from(event.at_most_once)]);
    for text in [
        Some(event.id),
        Some(event.app),
        Some(event.event_type),
        event.idempotency_key,
        event.environment,
        Some(event.payload),
    ] {
        let length = text.map_or(u64::MAX, |text| text.len() as u64);
        hasher.update(&length.to_le_bytes());
        hasher.update(text.unwrap_or_default().as_bytes());
    }
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVENT: EventRow<'_> = EventRow {
        id: "evt_01jqebhswje1ka1z7ahr9rfsgt",
        app: "54e9ujn",
        event_type: "user.created",
        created_at: 1_742_034_600_000,
        idempotency_key: None,
        environment: None,
        at_most_once: false,
        payload: "{\"user_id\":\"usr_1\"}",
    };

    #[test]
    fn it_stays_what_files_hold() {
        // By Python's zlib.crc32 over the same bytes.
        assert_eq!(checksum(&EVENT), 2_797_404_920);
    }

    #[test]
    fn every_field_counts() {
        let others = [
            EventRow {
                id: "evt_01jqebhswje1ka1z7ahr9rfsgv",
                ..EVENT
            },
            EventRow {
                app: "54e9ujm",
                ..EVENT
            },
            EventRow {
                event_type: "user.deleted",
                ..EVENT
            },
            EventRow {
                created_at: 1_742_034_600_001,
                ..EVENT
            },
            EventRow {
                idempotency_key: Some(""),
                ..EVENT
            },
            EventRow {
                environment: Some("test"),
                ..EVENT
            },
            EventRow {
                at_most_once: true,
                ..EVENT
            },
            EventRow {
                payload: "{\"user_id\":\"usr_2\"}",
                ..EVENT
            },
            // The same bytes, parted elsewhere.
            EventRow {
                app: "54e9ujnuser",
                event_type: ".created",
                ..EVENT
            },
        ];
        for other in others {
            assert_ne!(checksum(&other), checksum(&EVENT), "{other:?}");
        }
    }
}
