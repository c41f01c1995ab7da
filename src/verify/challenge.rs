//! Answering the activation challenge (contracts.md §1.2).

use subtle::ConstantTimeEq;
use url::form_urlencoded;

use super::NotAuthentic;
use crate::model::Secret;

/// The longest query that is looked at, in bytes.
const QUERY_BYTES_MAX: usize = 8192;
/// The largest challenge.
const CHALLENGE_MAX: u64 = 9_999_999_999;

/// The answer to a challenge, to be sent as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChallengeAnswer {
    /// The HTTP status: 200.
    pub status: u16,
    /// The value of `Content-Type`: `application/json`.
    pub content_type: &'static str,
    /// The body: `{"challenge":N}`.
    pub body: String,
    /// The number, for servers that write JSON themselves.
    pub challenge: u64,
    /// Which app asks.
    pub app_id: Option<String>,
}

/// Answers the activation challenge that came as a GET with this query (what stands after `?`).
/// Tokens are compared in constant time. Where a parameter comes twice the last one counts, since
/// the sender appends its own to those of the registered URL.
///
/// # Errors
/// [`NotAuthentic::BadParameter`] when `event` is not `activate`, or `challenge` is no integer from
/// 0 to 9 999 999 999; [`NotAuthentic::WrongToken`] when the token is another than the one given at
/// the registration, and whenever that was empty, as it would prove nothing.
pub fn answer_challenge(
    query: &str,
    expected_token: &Secret,
) -> Result<ChallengeAnswer, NotAuthentic> {
    if query.len() > QUERY_BYTES_MAX {
        return Err(NotAuthentic::BadParameter("query"));
    }
    let query = query.strip_prefix('?').unwrap_or(query);
    let (mut event, mut token, mut challenge, mut app_id) = (None, None, None, None);
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        match &*name {
            "event" => event = Some(value),
            "verification_token" => token = Some(value),
            "challenge" => challenge = Some(value),
            "app_id" => app_id = Some(value.into_owned()),
            _ => {}
        }
    }
    // The token first: whoever does not know it learns nothing else.
    let token = token.ok_or(NotAuthentic::BadParameter("verification_token"))?;
    let expected = expected_token.expose().as_bytes();
    if expected.is_empty() || !bool::from(token.as_bytes().ct_eq(expected)) {
        return Err(NotAuthentic::WrongToken);
    }
    if event.as_deref() != Some("activate") {
        return Err(NotAuthentic::BadParameter("event"));
    }
    let challenge = challenge
        .as_deref()
        .and_then(number)
        .ok_or(NotAuthentic::BadParameter("challenge"))?;
    Ok(ChallengeAnswer {
        status: 200,
        content_type: "application/json",
        body: format!(r#"{{"challenge":{challenge}}}"#),
        challenge,
        app_id,
    })
}

/// Digits only: `u64`'s own parser would take a plus sign.
fn number(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = text.parse().ok().filter(|&number| number <= CHALLENGE_MAX);
    number.filter(|_| digits)
}
