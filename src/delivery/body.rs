//! What a request's body looks like (contracts.md §1.3, §2.2, §3). Payloads are copied verbatim.

use std::fmt::Write;

use crate::model::{AppId, Envelope, Event};

/// The body for these events. Stored events never change, so a batch has the same bytes each time.
#[must_use]
pub fn body(envelope: Envelope, app: &AppId, events: &[Event]) -> Vec<u8> {
    let payloads: usize = events.iter().map(|event| event.payload.len()).sum();
    let mut text = String::with_capacity(payloads + 160 * events.len() + 64);
    match envelope {
        Envelope::Batch => {
            text.push_str("{\"app_id\":");
            push_json_string(&mut text, app.as_str());
            text.push_str(",\"events\":[");
            for (index, event) in events.iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                // Writing to a String cannot fail.
                let _ = write!(text, "{{\"id\":\"{}\",\"type\":", event.id);
                push_json_string(&mut text, event.event_type.as_str());
                text.push_str(",\"payload\":");
                text.push_str(&event.payload);
                let _ = write!(text, ",\"created_at\":\"{}\"}}", event.created_at);
            }
            text.push_str("]}");
        }
        Envelope::Payload => {
            for event in events {
                text.push_str(&event.payload);
            }
        }
        Envelope::Standard => {
            for event in events {
                text.push_str("{\"type\":");
                push_json_string(&mut text, event.event_type.as_str());
                let _ = write!(text, ",\"timestamp\":\"{}\",\"data\":", event.created_at);
                text.push_str(&event.payload);
                text.push('}');
            }
        }
    }
    text.into_bytes()
}

/// App ids and event types hold no character that JSON escapes; their parsers saw to that.
fn push_json_string(text: &mut String, value: &str) {
    text.push('"');
    text.push_str(value);
    text.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{DeliveryMode, EventId, EventType, Timestamp};

    fn event(n: i64, payload: &str) -> Event {
        let at = Timestamp::from_millis(1_742_034_600_000 + n);
        Event {
            id: EventId::new(at, 1),
            position: n,
            app_id: AppId::parse("54e9ujn").unwrap(),
            event_type: EventType::parse("user.created").unwrap(),
            payload: payload.into(),
            created_at: at,
            idempotency_key: None,
            environment: None,
            mode: DeliveryMode::AtLeastOnce,
        }
    }

    #[test]
    fn payloads_are_sent_verbatim() {
        let app = AppId::parse("54e9ujn").unwrap();
        let odd = "{ \"b\" : 1.0,\"a\":\"\\u00e9\" }";
        let events = [event(0, odd), event(1, "null")];
        let text = String::from_utf8(body(Envelope::Batch, &app, &events)).unwrap();
        assert_eq!(
            text,
            format!(
                "{{\"app_id\":\"54e9ujn\",\"events\":[{{\"id\":\"{}\",\"type\":\"user.created\",\
                 \"payload\":{odd},\"created_at\":\"2025-03-15T10:30:00Z\"}},{{\"id\":\"{}\",\
                 \"type\":\"user.created\",\"payload\":null,\
                 \"created_at\":\"2025-03-15T10:30:00.001Z\"}}]}}",
                events[0].id, events[1].id
            )
        );
        assert!(serde_json::from_str::<serde_json::Value>(&text).is_ok());
        assert_eq!(body(Envelope::Payload, &app, &events[..1]), odd.as_bytes());
        let standard = String::from_utf8(body(Envelope::Standard, &app, &events[..1])).unwrap();
        let expected = format!(
            "{{\"type\":\"user.created\",\"timestamp\":\"2025-03-15T10:30:00Z\",\"data\":{odd}}}"
        );
        assert_eq!(standard, expected);
    }
}
