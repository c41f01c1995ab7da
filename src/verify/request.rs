//! A request as it came: the few headers that matter, and the body.

use super::NotAuthentic;

const KEY_ID: &str = "x-webhook-signature-key-id";
const SIGNATURE: &str = "x-webhook-signature";
const SIGNATURE_V2: &str = "x-webhook-signature-v2";
const FINGERPRINT: &str = "fpjs-event-signature";
const STANDARD_ID: &str = "webhook-id";
const STANDARD_TIMESTAMP: &str = "webhook-timestamp";
const STANDARD_SIGNATURE: &str = "webhook-signature";

/// Every header we read, and how many bytes its value may have.
const NAMES: [(&str, usize); 7] = [
    (KEY_ID, 128),
    (SIGNATURE, 2048),
    (SIGNATURE_V2, 2048),
    (FINGERPRINT, 2048),
    (STANDARD_ID, 256),
    (STANDARD_TIMESTAMP, 32),
    (STANDARD_SIGNATURE, 4096),
];

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Request<'a> {
    headers: [Value; NAMES.len()],
    body: &'a [u8],
}

#[derive(Debug, Clone, Default)]
enum Value {
    #[default]
    Missing,
    Text(String),
    Bad,
    Repeated,
}

impl<'a> Request<'a> {
    /// From any list of header names (in any case) and values, and the body as it came. The
    /// headers of the `http` crate fit as they are: `Request::new(request.headers(), &body)`.
    pub fn new<N: AsRef<str>, V: AsRef<[u8]>>(
        headers: impl IntoIterator<Item = (N, V)>,
        body: &'a [u8],
    ) -> Self {
        let mut kept: [Value; NAMES.len()] = Default::default();
        for (name, value) in headers {
            let name = name.as_ref();
            let found = NAMES
                .iter()
                .position(|(known, _)| name.eq_ignore_ascii_case(known));
            let Some(index) = found else { continue };
            kept[index] = match (&kept[index], text(value.as_ref(), NAMES[index].1)) {
                (Value::Missing, Some(text)) => Value::Text(text),
                (Value::Missing, None) => Value::Bad,
                _ => Value::Repeated,
            };
        }
        Self {
            headers: kept,
            body,
        }
    }

    /// The body.
    #[must_use]
    pub const fn body(&self) -> &'a [u8] {
        self.body
    }

    pub(super) fn key_id(&self) -> Result<&str, NotAuthentic> {
        self.header(KEY_ID)
    }

    pub(super) fn signature(&self) -> Result<&str, NotAuthentic> {
        self.header(SIGNATURE)
    }

    pub(super) fn signature_v2(&self) -> Result<&str, NotAuthentic> {
        self.header(SIGNATURE_V2)
    }

    pub(super) fn fingerprint_signature(&self) -> Result<&str, NotAuthentic> {
        self.header(FINGERPRINT)
    }

    pub(super) fn message_id(&self) -> Result<&str, NotAuthentic> {
        self.header(STANDARD_ID)
    }

    pub(super) fn timestamp(&self) -> Result<&str, NotAuthentic> {
        self.header(STANDARD_TIMESTAMP)
    }

    pub(super) fn standard_signature(&self) -> Result<&str, NotAuthentic> {
        self.header(STANDARD_SIGNATURE)
    }

    fn header(&self, name: &'static str) -> Result<&str, NotAuthentic> {
        let values = NAMES.iter().zip(&self.headers);
        match values.into_iter().find(|((known, _), _)| *known == name) {
            Some((_, Value::Text(text))) => Ok(text),
            Some((_, Value::Bad)) => Err(NotAuthentic::BadHeader(name)),
            Some((_, Value::Repeated)) => Err(NotAuthentic::RepeatedHeader(name)),
            Some((_, Value::Missing)) | None => Err(NotAuthentic::MissingHeader(name)),
        }
    }
}

/// A header value as text: printable ASCII within its limit; the spaces HTTP allows around a value
/// are taken off (RFC 9110 §5.5).
fn text(value: &[u8], limit: usize) -> Option<String> {
    let value = value.trim_ascii();
    let printable = value.iter().all(|byte| (b' '..=b'~').contains(byte));
    (value.len() <= limit && printable).then(|| String::from_utf8_lossy(value).into_owned())
}
