//! What an authentic body says.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{NotAuthentic, Request};
use crate::model::Envelope;

/// One event out of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceivedEvent {
    /// Its id, the same at every attempt: remember it to tell repetitions. Under
    /// [`Envelope::Standard`] it is the header `webhook-id`; under [`Envelope::Payload`] it is
    /// `None`, since no signature covers one outside the payload.
    pub id: Option<String>,
    /// Its type; `None` under [`Envelope::Payload`], which does not carry it.
    pub event_type: Option<String>,
    /// Its payload: JSON text, exactly as it came.
    pub payload: String,
    /// When it was emitted, RFC 3339 as it came; not checked.
    pub created_at: Option<String>,
}

/// Reads the events out of a body. It says nothing about where they come from: verify the request
/// before, with one of the functions beside this one.
///
/// # Errors
/// [`NotAuthentic::NotAnEnvelope`] when the body is not JSON of the envelope's shape; unknown
/// members are ignored.
pub fn read_events(
    request: &Request<'_>,
    envelope: Envelope,
) -> Result<Vec<ReceivedEvent>, NotAuthentic> {
    let body = request.body();
    let refused = |error: serde_json::Error| NotAuthentic::NotAnEnvelope(place(&error));
    Ok(match envelope {
        Envelope::Batch => {
            let batch: Batch = serde_json::from_slice(body).map_err(refused)?;
            batch.events.into_iter().map(Event::received).collect()
        }
        Envelope::Payload => {
            let payload: &RawValue = serde_json::from_slice(body).map_err(refused)?;
            vec![ReceivedEvent {
                id: None,
                event_type: None,
                payload: payload.get().to_owned(),
                created_at: None,
            }]
        }
        Envelope::Standard => {
            let message: Message = serde_json::from_slice(body).map_err(refused)?;
            vec![ReceivedEvent {
                id: request.message_id().ok().map(str::to_owned),
                event_type: Some(message.kind),
                payload: message.data.get().to_owned(),
                created_at: message.timestamp,
            }]
        }
    })
}

/// Where and how the JSON is wrong, without quoting it: bodies do not belong in logs.
fn place(error: &serde_json::Error) -> String {
    let what = if error.is_data() {
        "a member is missing or of another type"
    } else {
        "it is not JSON"
    };
    format!("{what} (line {}, column {})", error.line(), error.column())
}

#[derive(Deserialize)]
struct Batch<'a> {
    #[serde(borrow)]
    events: Vec<Event<'a>>,
}

#[derive(Deserialize)]
struct Event<'a> {
    id: Option<String>,
    #[serde(rename = "type")]
    kind: String,
    #[serde(borrow)]
    payload: &'a RawValue,
    created_at: Option<String>,
}

impl Event<'_> {
    fn received(self) -> ReceivedEvent {
        ReceivedEvent {
            id: self.id,
            event_type: Some(self.kind),
            payload: self.payload.get().to_owned(),
            created_at: self.created_at,
        }
    }
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(rename = "type")]
    kind: String,
    timestamp: Option<String>,
    #[serde(borrow)]
    data: &'a RawValue,
}
