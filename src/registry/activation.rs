//! How an endpoint proves that its owner wants the events (contracts.md §1.2, §2.2).

use crate::clock::Random;
use crate::error::{Error, Result};
use crate::model::{App, EventId, Timestamp, Verification, Webhook, WebhookSecrets};
use crate::signing::{Content, KeyStore, headers_of, sign};
use crate::transport::{Method, Request, Response, Transport};

/// The challenge is below this.
const CHALLENGE_END: u128 = 10_000_000_000;

/// Asks the endpoint for its proof, as the app's profile says.
///
/// # Errors
/// [`Error::WebhookActivationFailed`], saying what the endpoint did instead.
pub(crate) fn prove_ownership(
    app: &App,
    webhook: &Webhook,
    secrets: &WebhookSecrets,
    transport: &dyn Transport,
    keys: &KeyStore,
    random: &dyn Random,
    now: Timestamp,
) -> Result<()> {
    match app.profile.verification {
        Verification::None => Ok(()),
        Verification::GetChallenge => {
            let challenge = random_challenge(random)?;
            let request = challenge_request(app, webhook, secrets, challenge);
            check_answer(&send(transport, &request)?, challenge)
        }
        Verification::PostTestEvent => {
            let request = test_event_request(app, webhook, secrets, keys, random, now)?;
            match send(transport, &request)?.status {
                200 => Ok(()),
                status => Err(failed(format!(
                    "the test event was answered with {status}, not 200"
                ))),
            }
        }
    }
}

/// The remainder of 128 random bits: its bias is far below anything that could be noticed.
fn random_challenge(random: &dyn Random) -> Result<u64> {
    let number = random.bits()? % CHALLENGE_END;
    u64::try_from(number).map_err(|_| Error::Internal("the challenge is out of range".into()))
}

fn challenge_request(
    app: &App,
    webhook: &Webhook,
    secrets: &WebhookSecrets,
    challenge: u64,
) -> Request {
    let pairs = [
        ("event", "activate".to_owned()),
        (
            "verification_token",
            secrets.verification_token.expose().to_owned(),
        ),
        ("challenge", challenge.to_string()),
        ("app_id", app.id.to_string()),
    ];
    let mut headers = headers_of(secrets);
    // A GET has no body to have a type.
    headers.retain(|(name, _)| name != "content-type");
    Request {
        method: Method::Get,
        url: webhook.url.clone(),
        query: pairs.map(|(name, value)| (name.to_owned(), value)).to_vec(),
        headers,
        body: bytes::Bytes::new(),
        timeout: app.profile.delivery.with(&webhook.overrides).timeout,
    }
}

/// A small event that no subscription knows, signed like any other.
fn test_event_request(
    app: &App,
    webhook: &Webhook,
    secrets: &WebhookSecrets,
    keys: &KeyStore,
    random: &dyn Random,
    now: Timestamp,
) -> Result<Request> {
    let id = EventId::new(now, random.bits()?).to_string();
    let body = format!("{{\"type\":\"webhook.test\",\"id\":\"{id}\",\"created_at\":\"{now}\"}}");
    let content = Content::new(body);
    let mut headers = headers_of(secrets);
    headers.extend(sign(
        keys,
        &app.id,
        app.profile.signature,
        secrets,
        &id,
        &content,
        now,
    )?);
    Ok(Request {
        method: Method::Post,
        url: webhook.url.clone(),
        query: Vec::new(),
        headers,
        body: content.bytes().clone(),
        timeout: app.profile.delivery.with(&webhook.overrides).timeout,
    })
}

fn send(transport: &dyn Transport, request: &Request) -> Result<Response> {
    transport
        .send(request)
        .map_err(|error| failed(format!("the endpoint did not answer ({error})")))
}

/// 200, and a JSON object whose `challenge` is the number itself; other members are ignored.
fn check_answer(response: &Response, challenge: u64) -> Result<()> {
    match response.status {
        200 => {}
        status @ 300..400 => {
            return Err(failed(format!(
                "the endpoint answered {status}: redirects are not followed"
            )));
        }
        status => return Err(failed(format!("the endpoint answered {status}, not 200"))),
    }
    let answer: serde_json::Value = serde_json::from_slice(&response.body)
        .map_err(|_| failed("the answer is not JSON (or longer than 16 KiB)".into()))?;
    let Some(object) = answer.as_object() else {
        return Err(failed("the answer is not a JSON object".into()));
    };
    match object.get("challenge") {
        None => Err(failed("the answer has no `challenge`".into())),
        Some(value) if value.as_u64() == Some(challenge) => Ok(()),
        Some(value) if value.is_string() => Err(failed(
            "`challenge` in the answer is a string: it must be a number".into(),
        )),
        Some(value) if value.is_number() => {
            Err(failed("`challenge` in the answer is another number".into()))
        }
        Some(_) => Err(failed("`challenge` in the answer is not a number".into())),
    }
}

fn failed(reason: String) -> Error {
    Error::WebhookActivationFailed { reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &str) -> Result<()> {
        let response = Response {
            status,
            headers: Vec::new(),
            body: body.as_bytes().to_vec(),
        };
        check_answer(&response, 1_234_567_890)
    }

    #[test]
    fn only_the_number_itself_in_an_object_proves_ownership() {
        assert_eq!(answer(200, "{\"challenge\": 1234567890}"), Ok(()));
        assert_eq!(
            answer(200, " {\"a\":{},\"challenge\":1234567890}\n"),
            Ok(())
        );
        for (status, body) in [
            (200, "{\"challenge\": \"1234567890\"}"),
            (200, "{\"challenge\": 1234567891}"),
            (200, "{\"challenge\": 1234567890.0}"),
            (200, "{\"challenge\": -1234567890}"),
            (200, "{\"challenge\": null}"),
            (200, "{}"),
            (200, "1234567890"),
            (200, "[1234567890]"),
            (200, ""),
            (200, "{\"challenge\": 1234567890} x"),
            (201, "{\"challenge\": 1234567890}"),
            (204, ""),
            (302, "{\"challenge\": 1234567890}"),
            (500, "{\"challenge\": 1234567890}"),
        ] {
            let error = answer(status, body).unwrap_err();
            assert_eq!(error.code(), "webhook_activation_failed", "{status} {body}");
        }
        assert!(answer(200, &"[".repeat(16_000)).is_err());
    }

    #[test]
    fn challenges_are_below_ten_thousand_million() {
        for _ in 0..1000 {
            let challenge = random_challenge(&crate::clock::SystemRandom).unwrap();
            assert!(u128::from(challenge) < CHALLENGE_END);
        }
    }
}
