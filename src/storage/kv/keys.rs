//! The layout of the store: which keys there are, and what their values hold.
//!
//! A key is one byte for its kind, then its fields. A number or time is 8 bytes, big-endian, its
//! sign bit flipped; a text is its bytes and a zero byte (no name holds one); so the order of keys
//! is the order of their fields. `due` is the least number where there is none. Values are written
//! as [`super::codec`] says. What an index holds is derived from its rows: `check` compares them.
//!
//! | kind | key | value |
//! |---|---|---|
//! | 1 `Meta` | name | a number: `layout`, `head` and `routed` (positions), the last `webhook`, `batch`, `attempt`, `replay` |
//! | 2 `App` | app | enabled, version, `created_at`, profile (JSON) |
//! | 3 `EventType` | name | none: the current catalogue |
//! | 4 `SigningKey` | app, kid | times, sealed part, public part (JSON) |
//! | 5 `Webhook` | webhook no | version, the registration, sealed secrets |
//! | 6 `WebhookById` | webhook id | webhook no, app |
//! | 7 `WebhookOfApp` | app, webhook no | none |
//! | 8 `Subscription` | webhook no, type or `*`, from | until, environment |
//! | 9 `SubscriptionOfType` | app, type or `*`, webhook no, from | until, environment |
//! | 10 `State` | webhook no | app, cursor, `has_backlog`, ready, class, `due_at`; last HTTP status, health (JSON) |
//! | 11 `Ready` | class, app, `due_at`, webhook no | none: webhooks that are ready |
//! | 12 `Timer` | `due_at`, webhook no | none: those that are not, and have a time |
//! | 13 `Backlog` | cursor, webhook no | none: those with a backlog |
//! | 14 `Replay` | webhook no, replay no | cursor, until |
//! | 15 `Entry` | position | an event without its payload |
//! | 16 `Payload` | position | the payload as it is |
//! | 17 `EventById` | event id | position |
//! | 18 `EventOfType` | app, type, position | bytes of the payload, mode, environment |
//! | 19 `EventByKey` | app, idempotency key (its bytes as they are) | event id |
//! | 20 `Batch` | batch no | a batch |
//! | 21 `BatchById` | batch id | batch no |
//! | 22 `BatchOfWebhook` | webhook no, batch no | none |
//! | 23 `Open` | webhook no, status, `due_at`, batch no | attempts, first position: batches that may still be sent |
//! | 24 `OpenByPosition` | first position, batch no | last position: the same batches |
//! | 25 `Attempt` | attempt no | an attempt |
//! | 26 `AttemptOfBatch` | batch no, attempt no | none |
//! | 27 `AttemptOfWebhook` | webhook no, attempt no | none |
//! | 28 `ApiKey` | API key id | digest, app, `read_only`, rate, times, name |

use crate::error::Result;
use crate::model::{BatchStatus, Timestamp};

use super::codec::{Decoder, bad_row};

/// The version of this layout. A store with a later one is not touched.
pub(super) const LAYOUT: i64 = 1;

/// The first byte of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Kind {
    Meta = 1,
    App = 2,
    EventType = 3,
    SigningKey = 4,
    Webhook = 5,
    WebhookById = 6,
    WebhookOfApp = 7,
    Subscription = 8,
    SubscriptionOfType = 9,
    State = 10,
    Ready = 11,
    Timer = 12,
    Backlog = 13,
    Replay = 14,
    Entry = 15,
    Payload = 16,
    EventById = 17,
    EventOfType = 18,
    EventByKey = 19,
    Batch = 20,
    BatchById = 21,
    BatchOfWebhook = 22,
    Open = 23,
    OpenByPosition = 24,
    Attempt = 25,
    AttemptOfBatch = 26,
    AttemptOfWebhook = 27,
    ApiKey = 28,
}

impl Kind {
    /// Those whose keys follow from rows of another kind.
    pub(super) const DERIVED: [Self; 17] = [
        Self::State,
        Self::Payload,
        Self::WebhookById,
        Self::WebhookOfApp,
        Self::SubscriptionOfType,
        Self::Ready,
        Self::Timer,
        Self::Backlog,
        Self::EventById,
        Self::EventOfType,
        Self::EventByKey,
        Self::BatchById,
        Self::BatchOfWebhook,
        Self::Open,
        Self::OpenByPosition,
        Self::AttemptOfBatch,
        Self::AttemptOfWebhook,
    ];
}

/// A key, or the beginning that many keys share.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key(pub(super) Vec<u8>);

/// Keys from the first on and before the second.
pub(super) type KeyRange = (Vec<u8>, Vec<u8>);

/// All keys.
pub(super) fn everything() -> KeyRange {
    (vec![0], vec![u8::MAX])
}

impl Key {
    pub(super) fn new(kind: Kind) -> Self {
        let mut bytes = Vec::with_capacity(48);
        bytes.push(kind as u8);
        Self(bytes)
    }

    pub(super) fn number(mut self, number: i64) -> Self {
        self.0.extend((number ^ i64::MIN).to_be_bytes());
        self
    }

    pub(super) fn text(self, text: &str) -> Self {
        self.raw(text.as_bytes()).byte(0)
    }

    pub(super) fn byte(mut self, byte: u8) -> Self {
        self.0.push(byte);
        self
    }

    /// Bytes as they are, at a key's end.
    pub(super) fn raw(mut self, bytes: &[u8]) -> Self {
        self.0.extend(bytes);
        self
    }

    pub(super) fn due(self, at: Option<Timestamp>) -> Self {
        self.number(at.map_or(i64::MIN, Timestamp::as_millis))
    }

    pub(super) fn status(self, status: BatchStatus) -> Self {
        self.byte(status_byte(status))
    }

    /// The keys that begin with this one.
    pub(super) fn all(self) -> KeyRange {
        let mut end = self.0.clone();
        // Kinds are small, so there is always a byte to raise.
        while end.pop_if(|last| *last == u8::MAX).is_some() {}
        if let Some(last) = end.last_mut() {
            *last += 1;
        }
        (self.0, end)
    }

    /// Those of them whose next field is a number in this range.
    pub(super) fn numbers(self, after: i64, until: i64) -> KeyRange {
        let from = match after.checked_add(1) {
            Some(first) => self.clone().number(first).0,
            None => self.clone().all().1,
        };
        let to = self.number(until).all().1;
        (from, to)
    }

    /// Those of them whose next field is a text after this one.
    pub(super) fn texts_after(self, text: &str) -> KeyRange {
        let to = self.clone().all().1;
        // No name is longer: what follows could not tell two of them apart.
        let text = &text.as_bytes()[..text.len().min(200)];
        (self.raw(text).byte(1).0, to)
    }
}

/// How a status stands in a key and in a value.
pub(super) const fn status_byte(status: BatchStatus) -> u8 {
    match status {
        BatchStatus::Waiting => 1,
        BatchStatus::Leased => 2,
        BatchStatus::Parked => 3,
        BatchStatus::Exhausted => 4,
        BatchStatus::Delivered => 5,
        BatchStatus::Cancelled => 6,
    }
}

/// Reads the last field of a key, a number.
pub(super) fn last_number(key: &[u8]) -> Result<i64> {
    let bytes = key
        .last_chunk::<8>()
        .ok_or_else(|| bad_row("a key", "is cut short"))?;
    Ok(i64::from_be_bytes(*bytes) ^ i64::MIN)
}

/// Reads the number before that.
pub(super) fn second_last_number(key: &[u8]) -> Result<i64> {
    last_number(&key[..key.len().saturating_sub(8)])
}

/// Reads the text that begins after so many bytes; also gives what follows it.
pub(super) fn text_at(key: &[u8], start: usize) -> Result<(&str, &[u8])> {
    let rest = key.get(start..).unwrap_or_default();
    let end = rest.iter().position(|byte| *byte == 0);
    let text = end.and_then(|end| std::str::from_utf8(&rest[..end]).ok());
    match (text, end) {
        (Some(text), Some(end)) => Ok((text, &rest[end + 1..])),
        _ => Err(bad_row("a key", "holds no text where one should be")),
    }
}

impl Decoder<'_> {
    pub(super) fn status(&mut self) -> Result<BatchStatus> {
        let byte = self.byte()?;
        BatchStatus::ALL
            .into_iter()
            .find(|status| status_byte(*status) == byte)
            .ok_or_else(|| self.bad(format!("{byte} is no status")))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn name() -> impl Strategy<Value = String> {
        "[A-Za-z0-9._-]{1,8}"
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn the_order_of_keys_is_that_of_their_fields(
            a in (name(), any::<i64>(), any::<Option<i64>>()),
            b in (name(), any::<i64>(), any::<Option<i64>>()),
        ) {
            let key = |(text, number, due): &(String, i64, Option<i64>)| {
                Key::new(Kind::Ready)
                    .text(text)
                    .number(*number)
                    .due(due.map(Timestamp::from_millis))
            };
            prop_assert_eq!(key(&a).cmp(&key(&b)), a.cmp(&b));
            let key = key(&a).0;
            prop_assert_eq!(second_last_number(&key).unwrap(), a.1);
            prop_assert_eq!(text_at(&key, 1).unwrap().0, a.0);
        }

        #[test]
        fn a_range_holds_what_it_says(
            app in name(), other in name(), number in any::<i64>(), after in any::<i64>(), until in any::<i64>(),
        ) {
            let of = |app: &str| Key::new(Kind::WebhookOfApp).text(app);
            let holds = |(from, to): KeyRange, key: &[u8]| *from <= *key && *key < *to;
            let key = of(&app).number(number).0;
            prop_assert!(holds(everything(), &key));
            prop_assert!(holds(of(&app).all(), &key));
            prop_assert_eq!(holds(of(&other).all(), &key), app == other);
            prop_assert_eq!(
                holds(of(&app).numbers(after, until), &key),
                after < number && number <= until
            );
            prop_assert_eq!(
                holds(Key::new(Kind::WebhookOfApp).texts_after(&other), &key),
                app > other
            );
        }
    }

    #[test]
    fn hostile_keys_are_refused() {
        assert_eq!(last_number(&[1, 2]).unwrap_err().code(), "storage_bad_row");
        assert!(second_last_number(&[1; 9]).is_err());
        assert!(text_at(&[1], 9).is_err() && text_at(&[1, 65], 1).is_err());
        assert!(text_at(&[1, 0xff, 0], 1).is_err());
    }
}
