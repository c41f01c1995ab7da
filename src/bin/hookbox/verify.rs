//! `verify`: is this received request authentic?

use std::path::Path;

use hookbox::Error;
use hookbox::clock::{Clock, SystemClock};
use hookbox::model::Secret;
use hookbox::signing::{StandardVerifier, parse_jwks};
use hookbox::verify::{self, Options, ReceivedEvent, Request};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::args::{SchemeName, VerifyArgs};
use crate::failure::{Failure, Outcome};
use crate::output::{Output, cell, table, table_text};

#[derive(Serialize)]
struct Verified<'a> {
    authentic: bool,
    scheme: &'static str,
    events: Vec<Received<'a>>,
}

#[derive(Serialize)]
struct Received<'a> {
    id: Option<&'a str>,
    #[serde(rename = "type")]
    kind: Option<&'a str>,
    created_at: Option<&'a str>,
    payload: Option<&'a RawValue>,
}

pub fn verify(out: Output, args: &VerifyArgs) -> Outcome {
    let headers = parse_headers(&read(&args.headers)?);
    let body = read(&args.body)?;
    let request = Request::new(
        headers.iter().map(|(n, v)| (n.as_str(), v.as_slice())),
        &body,
    );
    let scheme = match args.scheme {
        SchemeName::Auto => guess(&headers)?,
        named => named,
    };
    let events = check(args, scheme, &request)?;
    let verified = Verified {
        authentic: true,
        scheme: name(scheme),
        events: events.iter().map(shown).collect(),
    };
    out.result(&verified, || {
        let mut rows = table(&["event", "type", "created", "payload"]);
        for event in &events {
            let text = |value: &Option<String>| cell(value.as_deref().unwrap_or("-"));
            rows.add_row([
                text(&event.id),
                text(&event.event_type),
                text(&event.created_at),
                cell(&event.payload),
            ]);
        }
        let head = format!("Authentic ({}), {} events.", name(scheme), events.len());
        format!("{head}\n{}", table_text(&rows))
    })
}

fn shown(event: &ReceivedEvent) -> Received<'_> {
    Received {
        id: event.id.as_deref(),
        kind: event.event_type.as_deref(),
        created_at: event.created_at.as_deref(),
        payload: serde_json::from_str(&event.payload).ok(),
    }
}

fn check(
    args: &VerifyArgs,
    scheme: SchemeName,
    request: &Request<'_>,
) -> Outcome<Vec<ReceivedEvent>> {
    let options = Options::default();
    let now = args.at.unwrap_or_else(|| SystemClock.now());
    let events = match scheme {
        SchemeName::Auto | SchemeName::Prelude => {
            let path = args.jwks.as_deref().ok_or_else(|| needs("--jwks FILE"))?;
            let text =
                std::fs::read_to_string(path).map_err(|error| Failure::file(path, &error))?;
            verify::verify_prelude(request, &parse_jwks(&text)?, &options, now)
        }
        SchemeName::Fingerprint => verify::verify_fingerprint(request, &secrets(args)?, &options),
        SchemeName::StandardWebhooks => {
            let secrets = secrets(args)?;
            let keys = secrets.iter().map(StandardVerifier::parse);
            let keys = keys.collect::<hookbox::Result<Vec<_>>>()?;
            verify::verify_standard(request, &keys, &options, now)
        }
    };
    events.map_err(|reason| Error::from(reason).into())
}

fn secrets(args: &VerifyArgs) -> Outcome<Vec<Secret>> {
    if args.secret.is_empty() {
        return Err(needs("--secret S"));
    }
    Ok(args.secret.iter().map(Secret::new).collect())
}

fn needs(flag: &str) -> Failure {
    Failure::Usage(format!("this scheme needs {flag}"))
}

const fn name(scheme: SchemeName) -> &'static str {
    match scheme {
        SchemeName::Auto | SchemeName::Prelude => "prelude",
        SchemeName::Fingerprint => "fingerprint",
        SchemeName::StandardWebhooks => "standard_webhooks",
    }
}

/// By the signature header that is there. Prelude and Fingerprint requests carry `webhook-id` as
/// well, so only the signatures count.
fn guess(headers: &[(String, Vec<u8>)]) -> Outcome<SchemeName> {
    let has = |wanted: &str| {
        headers
            .iter()
            .any(|(name, _)| name.eq_ignore_ascii_case(wanted))
    };
    if has("x-webhook-signature") {
        Ok(SchemeName::Prelude)
    } else if has("fpjs-event-signature") {
        Ok(SchemeName::Fingerprint)
    } else if has("webhook-signature") {
        Ok(SchemeName::StandardWebhooks)
    } else {
        let reason = "no signature header of a known scheme is there";
        Err(Error::NotAuthentic(reason.into()).into())
    }
}

fn read(path: &Path) -> Outcome<Vec<u8>> {
    std::fs::read(path).map_err(|error| Failure::file(path, &error))
}

/// `Name: value` lines up to the first empty one. A request line has a space before any colon, a
/// header's name never has one.
fn parse_headers(text: &[u8]) -> Vec<(String, Vec<u8>)> {
    text.split(|byte| *byte == b'\n')
        .map(<[u8]>::trim_ascii)
        .take_while(|line| !line.is_empty())
        .filter_map(|line| {
            let colon = line.iter().position(|byte| *byte == b':')?;
            let (name, value) = (&line[..colon], &line[colon + 1..]);
            if name.contains(&b' ') {
                return None;
            }
            let name = String::from_utf8_lossy(name).into_owned();
            Some((name, value.trim_ascii().to_vec()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_line_and_a_trailing_body_are_no_headers() {
        let text = b"POST /hook?a=http://b HTTP/1.1\r\nA: 1\r\nb:2 : 3\r\n\r\nC: 4\r\n";
        let expected = [
            ("A".to_owned(), b"1".to_vec()),
            ("b".to_owned(), b"2 : 3".to_vec()),
        ];
        assert_eq!(parse_headers(text), expected);
    }
}
