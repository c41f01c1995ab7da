//! Every rule and limit on what a host may register or emit, in one place (contracts.md §1, §2).

use std::time::Duration;

use serde::de::IgnoredAny;

use crate::error::{Error, Result};
use crate::model::{
    DeliveryPolicy, Envelope, Header, NewEvent, Overrides, Profile, RetrySchedule, WebhookSecrets,
    WebhookUrl, excerpt,
};
use crate::transport::{AddressPolicy, HEADERS_REFUSED};

/// Characters of a verification token (contracts.md §1.1).
const TOKEN_CHARS_MAX: usize = 100;

/// Bytes of a webhook's description.
const DESCRIPTION_BYTES_MAX: usize = 1024;

/// Custom headers of a webhook, and bytes of the value of each.
const HEADERS_MAX: usize = 32;
const HEADER_BYTES_MAX: usize = 4096;

/// Names that hookbox sets; beside those that HTTP itself sets.
const HEADERS_RESERVED: [&str; 6] = [
    "content-encoding",
    "content-type",
    "fpjs-event-signature",
    "x-webhook-signature",
    "x-webhook-signature-key-id",
    "x-webhook-signature-v2",
];

/// Nesting of a payload emitted by call (SQLite itself bounds that of plain SQL). With the envelope around it a body stays below 128, where common parsers
/// (`serde_json` among them) stop reading.
const DEPTH_MAX: usize = 120;

/// Waits in a custom retry schedule.
const WAITS_MAX: usize = 100;

/// The longest wait and window of a custom retry schedule.
const SCHEDULE_SPAN_MAX: Duration = Duration::from_secs(30 * 86_400);

/// Parses a webhook's URL and holds it against the profile and the box's address policy.
pub(crate) fn parse_url(
    text: &str,
    profile: &Profile,
    policy: &AddressPolicy,
) -> Result<WebhookUrl> {
    let url = WebhookUrl::parse(text)?;
    if !profile.ip_literals && url.ip().is_some() {
        return Err(Error::WebhookInvalidUrl {
            reason: "must name its host, not its address".into(),
        });
    }
    policy.check_url(&url)?;
    Ok(url)
}

/// Checks a webhook's description.
pub(crate) fn check_webhook_text(description: &str) -> Result<()> {
    if description.len() > DESCRIPTION_BYTES_MAX {
        let message = format!("must have at most {DESCRIPTION_BYTES_MAX} bytes");
        return Err(Error::invalid("description", message));
    }
    Ok(())
}

/// Checks a webhook's token, headers and basic authentication.
pub(crate) fn check_secrets(secrets: &WebhookSecrets) -> Result<()> {
    if secrets.verification_token.expose().chars().count() > TOKEN_CHARS_MAX {
        let message = format!("must have at most {TOKEN_CHARS_MAX} characters");
        return Err(Error::invalid("verification_token", message));
    }
    if secrets.headers.len() > HEADERS_MAX {
        return Err(Error::invalid(
            "headers",
            format!("must be at most {HEADERS_MAX}"),
        ));
    }
    for (index, header) in secrets.headers.iter().enumerate() {
        check_header(header)?;
        let same = |other: &Header| other.name.eq_ignore_ascii_case(&header.name);
        if secrets.headers[..index].iter().any(same) {
            return Err(Error::invalid(
                "headers",
                format!("name `{}` twice", header.name),
            ));
        }
        if secrets.basic_auth.is_some() && header.name.eq_ignore_ascii_case("authorization") {
            let message = "must not set `authorization` beside basic authentication";
            return Err(Error::invalid("headers", message));
        }
    }
    if let Some(basic) = &secrets.basic_auth {
        let texts = [basic.username.as_str(), basic.password.expose()];
        let bad = texts
            .iter()
            .any(|text| text.len() > 256 || text.chars().any(char::is_control));
        if bad || basic.username.contains(':') {
            let message = "must be at most 256 bytes each, without controls; no colon in the name";
            return Err(Error::invalid("basic_auth", message));
        }
    }
    Ok(())
}

fn check_header(header: &Header) -> Result<()> {
    let name = &header.name;
    let is_token = (1..=64).contains(&name.len())
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b));
    if !is_token {
        let message = format!("have a name that HTTP does not allow: `{}`", excerpt(name));
        return Err(Error::invalid("headers", message));
    }
    let lower = name.to_ascii_lowercase();
    let reserved = HEADERS_RESERVED.contains(&lower.as_str())
        || HEADERS_REFUSED.contains(&lower.as_str())
        || lower.starts_with("webhook-")
        || lower.starts_with("proxy-");
    if reserved {
        return Err(Error::invalid("headers", format!("must not set `{lower}`")));
    }
    let value = header.value.expose();
    let is_visible = |b: u8| (0x20..0x7f).contains(&b);
    if value.len() > HEADER_BYTES_MAX || !value.bytes().all(is_visible) || value.trim() != value {
        let message = format!(
            "`{lower}` must be at most {HEADER_BYTES_MAX} printable ASCII characters without \
             spaces around them"
        );
        return Err(Error::invalid("headers", message));
    }
    Ok(())
}

/// Checks a webhook's own settings.
pub(crate) fn check_overrides(overrides: &Overrides) -> Result<()> {
    if let Some(timeout) = overrides.timeout {
        check_timeout(timeout)?;
    }
    if let Some(concurrency) = overrides.concurrency {
        check_range("concurrency", concurrency, 1, 64)?;
    }
    if let Some(limit) = overrides.rate_limit {
        check_range("rate_limit", limit.per_second, 1, 10_000)?;
    }
    overrides.retry.as_ref().map_or(Ok(()), check_schedule)
}

/// Checks a profile of the host's own making.
pub(crate) fn check_profile(profile: &Profile) -> Result<()> {
    let DeliveryPolicy {
        timeout,
        retry,
        jitter_percent,
        concurrency,
        concurrency_full,
        batch_events_max,
        batch_bytes_max,
        sick_after,
        deactivate_after,
        retry_after_max,
        ..
    } = &profile.delivery;
    check_timeout(*timeout)?;
    check_schedule(retry)?;
    check_range("jitter_percent", u32::from(*jitter_percent), 0, 100)?;
    check_range("concurrency", *concurrency, 1, 64)?;
    check_range("concurrency_full", *concurrency_full, 1, 64)?;
    let events_max = if profile.envelope == Envelope::Batch {
        10_000
    } else {
        1
    };
    check_range("batch_events_max", *batch_events_max, 1, events_max)?;
    check_range("sick_after", *sick_after, 1, 1_000_000)?;
    if *batch_bytes_max == 0 || *batch_bytes_max > 64 * 1024 * 1024 {
        return Err(Error::invalid(
            "batch_bytes_max",
            "must be 1 byte to 64 MiB",
        ));
    }
    if *retry_after_max > SCHEDULE_SPAN_MAX {
        return Err(Error::invalid("retry_after_max", "must be at most 30 days"));
    }
    if deactivate_after.is_some_and(|span| span < Duration::from_secs(60)) {
        return Err(Error::invalid(
            "deactivate_after",
            "must be at least a minute",
        ));
    }
    Ok(())
}

fn check_timeout(timeout: Duration) -> Result<()> {
    if (Duration::from_secs(1)..=Duration::from_secs(60)).contains(&timeout) {
        Ok(())
    } else {
        Err(Error::invalid("timeout", "must be 1 to 60 seconds"))
    }
}

fn check_range(property: &str, value: u32, from: u32, to: u32) -> Result<()> {
    if (from..=to).contains(&value) {
        Ok(())
    } else {
        Err(Error::invalid(property, format!("must be {from} to {to}")))
    }
}

fn check_schedule(schedule: &RetrySchedule) -> Result<()> {
    let fits = |span: &Duration| *span <= SCHEDULE_SPAN_MAX;
    match schedule {
        RetrySchedule::Doubling { first, cap, window } => {
            if first.is_zero() || first > cap || !fits(cap) || !fits(window) {
                let message = "must have 0 < first <= cap, and at most 30 days";
                return Err(Error::invalid("retry", message));
            }
        }
        RetrySchedule::Waits(waits) => {
            if waits.len() > WAITS_MAX || !waits.iter().all(fits) {
                let message = format!("must have at most {WAITS_MAX} waits of at most 30 days");
                return Err(Error::invalid("retry", message));
            }
        }
    }
    Ok(())
}

/// Checks an event's form. Its type is looked up in the catalogue when it is stored.
pub(crate) fn check_event(event: &NewEvent, payload_bytes_max: usize) -> Result<()> {
    if event.payload.len() > payload_bytes_max {
        return Err(Error::PayloadTooLarge {
            bytes: event.payload.len(),
            limit: payload_bytes_max,
        });
    }
    // Reads it through without building it.
    if let Err(error) = serde_json::from_str::<IgnoredAny>(&event.payload) {
        return Err(Error::InvalidPayload(error.to_string()));
    }
    if depth(&event.payload) > DEPTH_MAX {
        return Err(Error::InvalidPayload(format!(
            "it is nested deeper than {DEPTH_MAX}"
        )));
    }
    if let Some(key) = &event.idempotency_key
        && !(1..=255).contains(&key.len())
    {
        return Err(Error::invalid(
            "idempotency_key",
            "must have 1 to 255 bytes",
        ));
    }
    Ok(())
}

/// How deeply a valid JSON text is nested.
fn depth(json: &str) -> usize {
    let (mut depth, mut deepest, mut in_string, mut escaped) = (0usize, 0, false, false);
    for byte in json.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{BasicAuth, EventType, Secret};

    fn header(name: &str, value: &str) -> Header {
        Header {
            name: name.into(),
            value: Secret::new(value),
        }
    }

    fn secrets(headers: Vec<Header>) -> WebhookSecrets {
        WebhookSecrets {
            headers,
            ..WebhookSecrets::default()
        }
    }

    #[test]
    fn headers_that_could_forge_or_break_a_request_are_refused() {
        for (name, value) in [
            ("Host", "a"),
            ("content-length", "1"),
            ("Webhook-Id", "a"),
            ("X-Webhook-Signature", "a"),
            ("Transfer-Encoding", "chunked"),
            ("proxy-authorization", "a"),
            ("a b", "c"),
            ("", "c"),
            ("a\r\nb", "c"),
            ("x-a", "b\r\nc: d"),
            ("x-a", "é"),
            ("x-a", " b"),
            ("x-a", "\u{7f}"),
        ] {
            assert!(
                check_secrets(&secrets(vec![header(name, value)])).is_err(),
                "{name}: {value}"
            );
        }
        assert!(check_secrets(&secrets(vec![header("X-Tenant", "a b")])).is_ok());
        let twice = secrets(vec![header("X-A", "1"), header("x-a", "2")]);
        assert!(check_secrets(&twice).is_err());
    }

    #[test]
    fn tokens_and_credentials_have_limits() {
        let mut some = WebhookSecrets {
            verification_token: Secret::new("é".repeat(100)),
            ..WebhookSecrets::default()
        };
        assert!(check_secrets(&some).is_ok());
        some.verification_token = Secret::new("é".repeat(101));
        assert!(check_secrets(&some).is_err());
        for username in ["a:b", "a\n"] {
            let basic_auth = Some(BasicAuth {
                username: username.into(),
                password: Secret::new("p"),
            });
            let with = WebhookSecrets {
                basic_auth,
                ..WebhookSecrets::default()
            };
            assert!(check_secrets(&with).is_err());
        }
    }

    #[test]
    fn payloads_are_any_json_up_to_the_limit() {
        let event = |payload: &str| NewEvent::new(EventType::parse("a").unwrap(), payload);
        for payload in ["{}", "null", "\"a\"", " [1, 2.50] ", "1e400"] {
            assert_eq!(check_event(&event(payload), 100), Ok(()), "{payload}");
        }
        for payload in [
            "",
            "{",
            "{}{}",
            "'a'",
            "NaN",
            "{\"a\":1,}",
            &"[".repeat(200),
        ] {
            let error = check_event(&event(payload), 1000).unwrap_err();
            assert_eq!(error.code(), "invalid_payload", "{payload}");
        }
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        assert_eq!(check_event(&event(&nested(DEPTH_MAX)), 1000), Ok(()));
        assert!(check_event(&event(&nested(DEPTH_MAX + 1)), 1000).is_err());
        assert_eq!(depth(r#"{"a\\":"[[[","b\"[":[{}]}"#), 3);
        let limit = check_event(&event("\"12345\""), 6).unwrap_err();
        assert_eq!(limit.code(), "payload_too_large");
        assert!(check_event(&event("1").key(""), 6).is_err());
        assert!(check_event(&event("1").key("k".repeat(256)), 6).is_err());
    }

    #[test]
    fn the_built_in_profiles_pass_their_own_rules() {
        for name in ["prelude", "fingerprint", "standard_webhooks"] {
            assert_eq!(check_profile(&Profile::by_name(name).unwrap()), Ok(()));
        }
        let mut wrong = Profile::fingerprint();
        wrong.delivery.batch_events_max = 2;
        assert!(check_profile(&wrong).is_err());
    }
}
