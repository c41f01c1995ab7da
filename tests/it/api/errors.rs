//! Every error row of contracts.md, over a real socket, byte for byte.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use hookbox::api::Request;
use hookbox::model::FailureKind;

use super::super::support::*;
use super::{Desk, OFF, OTHER, request};

/// Sends a request and reads all that comes back: status, head, body.
fn over_the_wire(address: SocketAddr, request: &Request) -> (u16, String, String) {
    let mut text = format!(
        "{} {} HTTP/1.1\r\nHost: test\r\n",
        request.method, request.target
    );
    for (name, value) in &request.headers {
        text += &format!("{name}: {value}\r\n");
    }
    text += &format!(
        "Content-Length: {}\r\nConnection: close\r\n\r\n",
        request.body.len()
    );
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(text.as_bytes()).unwrap();
    stream.write_all(&request.body).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, head.to_owned(), body.to_owned())
}

/// Key, request line, body, status, the whole body of the answer.
type Row<'a> = (&'a str, String, &'a str, u16, &'a str);

fn hold(desk: &Desk, rows: &[Row<'_>]) {
    let address = desk.listen();
    for (key, line, body, status, expected) in rows {
        let found = over_the_wire(address, &request(key, line, body));
        assert_eq!(
            (found.0, found.2.as_str()),
            (*status, *expected),
            "{key} {line} {body}"
        );
        assert!(
            found.1.contains("\r\ncontent-type: application/json"),
            "{}",
            found.1
        );
        assert!(found.1.contains("\r\nx-request-id: req_"), "{}", found.1);
    }
    println!("{} rows over the wire", rows.len());
}

const FULL: &str = "full-54e9ujn";
const INVALID: &str =
    r#"{"code":"invalid_request","status":"bad_request","message":"The request body is invalid."}"#;
const EVENT: &str = r#"{"code":"invalid_webhook_event","status":"bad_request","message":"The webhook event type is invalid."}"#;
const URL: &str = r#"{"code":"webhook_invalid_url","status":"bad_request","message":"The webhook URL is invalid."}"#;
const DISABLED: &str = r#"{"code":"session_disabled","status":"forbidden","message":"Session management is disabled for this application."}"#;
const NO_APP: &str =
    r#"{"code":"app_not_found","status":"not_found","message":"The application was not found."}"#;
const NO_WEBHOOK: &str =
    r#"{"code":"webhook_not_found","status":"not_found","message":"The webhook was not found."}"#;
const NO_KEY: &str = r#"{"code":"unauthorized","status":"unauthorized","message":"A valid API key is needed: send `Authorization: Bearer <key>`."}"#;
const FORBIDDEN: &str =
    r#"{"code":"forbidden","status":"forbidden","message":"The API key may only read."}"#;
const LIMITED: &str = r#"{"code":"rate_limited","status":"too_many_requests","message":"The API key has exceeded its rate limit."}"#;
const BUSY: &str = r#"{"code":"unavailable","status":"service_unavailable","message":"The storage is not available just now: try again."}"#;
const REFUSED: &str = r#"{"code":"webhook_activation_failed","status":"bad_request","message":"The webhook was not activated: the endpoint answered 500, not 200."}"#;

const GOOD: &str =
    r#"{"url":"https://example.com/a","verification_token":"t","events":["user.created"]}"#;
const MISSING: &str = "web_01jqebhswje1ka1z7ahr9rfsgt";

#[test]
fn every_row_of_the_prelude_dialect() {
    let desk = Desk::prelude();
    let id = desk
        .ask(&format!("POST /v2/session/apps/{APP}/webhooks"), GOOD)
        .1["webhook"]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let at = |app: &str, line: &str| line.replace('~', &format!("/v2/session/apps/{app}/webhooks"));
    let one = |app: &str, line: &str| at(app, line).replace("{id}", &id);
    let mut rows: Vec<Row<'_>> = Vec::new();
    // The body of create: shape, then events, then URL.
    for (body, expected) in [
        ("", INVALID),
        ("{", INVALID),
        ("[]", INVALID),
        (r#"{"url":"https://example.com","events":[]}"#, INVALID),
        (
            r#"{"url":"https://example.com","verification_token":"t"}"#,
            INVALID,
        ),
        (r#"{"verification_token":"t","events":[]}"#, INVALID),
        (
            r#"{"url":"ftp://x","verification_token":7,"events":["no"]}"#,
            INVALID,
        ),
        (
            r#"{"url":"ftp://x","verification_token":"t","events":["no",7]}"#,
            INVALID,
        ),
        (
            r#"{"url":"ftp://x","verification_token":"t","events":["no"]}"#,
            EVENT,
        ),
        (
            r#"{"url":"ftp://x","verification_token":"t","events":["a b"]}"#,
            EVENT,
        ),
        (
            r#"{"url":"ftp://x","verification_token":"t","events":["user.created"]}"#,
            URL,
        ),
        (r#"{"url":"/a","verification_token":"t","events":[]}"#, URL),
        (
            r#"{"url":"http://example.com","verification_token":"t","events":[]}"#,
            URL,
        ),
        (
            r#"{"url":"https://10.0.0.1","verification_token":"t","events":[]}"#,
            URL,
        ),
    ] {
        rows.push((FULL, at(APP, "POST ~"), body, 400, expected));
    }
    for body in [
        "",
        "{",
        "[]",
        "{}",
        r#"{"event":7}"#,
        r#"{"event":"no.such"}"#,
        r#"{"event":""}"#,
    ] {
        rows.push((FULL, one(APP, "POST ~/{id}/events"), body, 400, EVENT));
    }
    rows.push((
        FULL,
        one(APP, "DELETE ~/{id}/events/no.such"),
        "",
        400,
        EVENT,
    ));
    rows.push((FULL, one(APP, "DELETE ~/{id}/events/a%20b"), "", 400, EVENT));
    // Every operation, for an app that is disabled, missing, another's; for a missing webhook.
    let on_app = [("GET ~", ""), ("POST ~", GOOD)];
    let on_webhook = [
        ("GET ~/{id}", ""),
        ("DELETE ~/{id}", ""),
        ("POST ~/{id}/activate", ""),
        ("POST ~/{id}/deactivate", ""),
        ("POST ~/{id}/events", r#"{"event":"user.created"}"#),
        ("DELETE ~/{id}/events/user.created", ""),
    ];
    for (line, body) in on_app.into_iter().chain(on_webhook) {
        rows.push(("full-*", one("none", line), body, 404, NO_APP));
        rows.push(("full-*", one("a%20b", line), body, 404, NO_APP));
        rows.push((FULL, one(OTHER, line), body, 404, NO_APP));
        rows.push((FULL, one("none", line), body, 404, NO_APP));
        rows.push(("full-off", one(OFF, line), body, 403, DISABLED));
        rows.push(("nothing", one(APP, line), body, 401, NO_KEY));
        rows.push(("limited-", one(APP, line), body, 429, LIMITED));
        rows.push(("broken-", one(APP, line), body, 503, BUSY));
        if !line.starts_with("GET") {
            rows.push(("read-54e9ujn", one(APP, line), body, 403, FORBIDDEN));
        }
    }
    for (line, body) in on_webhook {
        for missing in [MISSING, "web_x", "%00", "evt_01jqebhswje1ka1z7ahr9rfsgt"] {
            rows.push((
                FULL,
                at(APP, line).replace("{id}", missing),
                body,
                404,
                NO_WEBHOOK,
            ));
        }
        let of_other = one(OTHER, line);
        rows.push(("full-other", of_other, body, 404, NO_WEBHOOK));
    }
    rows.push((
        FULL,
        "GET /v2/session/apps/none/jwks.json".into(),
        "",
        404,
        NO_APP,
    ));
    desk.net.script_challenges(|_| status(500));
    rows.push((FULL, one(APP, "POST ~/{id}/activate"), "", 400, REFUSED));
    hold(&desk, &rows);
    assert_eq!(
        desk.ask(&one(APP, "GET ~/{id}"), "").1["webhook"]["active"],
        false
    );
}

#[test]
fn an_activation_that_fails_says_why() {
    let desk = Desk::prelude();
    let path = format!("/v2/session/apps/{APP}/webhooks");
    let made = desk.ask(&format!("POST {path}"), GOOD).1;
    let id = made["webhook"]["id"].as_str().unwrap().to_owned();
    let activate = || {
        let (status, told) = desk.ask(&format!("POST {path}/{id}/activate"), "");
        assert_eq!(
            (status, &told["code"]),
            (400, &"webhook_activation_failed".into())
        );
        told["message"].as_str().unwrap().to_owned()
    };
    desk.net
        .script_challenges(|_| failure(FailureKind::Timeout));
    assert!(activate().contains("timeout"), "{}", activate());
    desk.net.script_challenges(|_| status(302));
    assert!(activate().contains("302"), "{}", activate());
    desk.net.script_challenges(|_| status(200));
    assert!(activate().contains("JSON"), "{}", activate());
}

const VERSION: &str = r#"{"error":{"message":"The request is invalid: `X-API-Version` must be 2024-05-20 or 2025-11-20.","code":"invalid_request","violations":[{"property":"X-API-Version","message":"must be 2024-05-20 or 2025-11-20"}]}}"#;
const FP_NO_KEY: &str = r#"{"error":{"message":"A valid API key is needed: send `Authorization: Bearer <key>`.","code":"unauthorized"}}"#;
const FP_FORBIDDEN: &str =
    r#"{"error":{"message":"The API key may only read.","code":"forbidden"}}"#;
/// What the Fingerprint dialect says of a webhook that is not there.
fn no_webhook(id: &str) -> String {
    let message = format!("The webhook was not found: `{id}`.");
    format!(r#"{{"error":{{"message":"{message}","code":"webhook_not_found"}}}}"#)
}

const FP_LIMITED: &str =
    r#"{"error":{"message":"The API key has exceeded its rate limit.","code":"rate_limited"}}"#;
const FP_NO_OBJECT: &str = r#"{"error":{"message":"The request is invalid: `body` must be a JSON object.","code":"invalid_request","violations":[{"property":"body","message":"must be a JSON object"}]}}"#;
const FP_NO_URL: &str = r#"{"error":{"message":"The request is invalid: `url` is missing: it must be a string.","code":"validation_failed","violations":[{"property":"url","message":"is missing: it must be a string"}]}}"#;
const FP_ALL: &str = r#"{"error":{"message":"The request is invalid: `url` is invalid: its scheme must be https or http; `description` must be a string; `status` must be `enabled` or `disabled`; `environment` must be 1 to 64 characters of A-Z a-z 0-9 . _ -.","code":"validation_failed","violations":[{"property":"url","message":"is invalid: its scheme must be https or http"},{"property":"description","message":"must be a string"},{"property":"status","message":"must be `enabled` or `disabled`"},{"property":"environment","message":"must be 1 to 64 characters of A-Z a-z 0-9 . _ -"}]}}"#;

#[test]
fn every_row_of_the_fingerprint_dialect() {
    let desk = Desk::fingerprint();
    let good = r#"{"url":"https://example.com/a"}"#;
    let made = desk.ask("POST /webhooks", good).1;
    let id = made["data"]["id"].as_str().unwrap();
    let one = |line: &str| line.replace("{id}", id);
    let wrong = r#"{"url":"ftp://x","description":7,"status":"on","environment":"a b"}"#;
    let missing = ["wh_HYv9YfsIIUjpvR", "wh_x"].map(|id| (id, no_webhook(id)));
    let hidden = no_webhook(id);
    let mut rows: Vec<Row<'_>> = vec![
        (FULL, "POST /webhooks".into(), "[]", 400, FP_NO_OBJECT),
        (FULL, one("PATCH /webhooks/{id}"), "7", 400, FP_NO_OBJECT),
        (FULL, "POST /webhooks".into(), "{}", 422, FP_NO_URL),
        (FULL, "POST /webhooks".into(), wrong, 422, FP_ALL),
        (FULL, one("PATCH /webhooks/{id}"), wrong, 422, FP_ALL),
    ];
    let on_webhook = [
        ("GET /webhooks/{id}", ""),
        ("PATCH /webhooks/{id}", good),
        ("DELETE /webhooks/{id}", ""),
        ("POST /webhooks/{id}/verification", ""),
    ];
    let all = [("GET /webhooks", ""), ("POST /webhooks", good)];
    for (line, body) in all.into_iter().chain(on_webhook) {
        rows.push(("nothing", one(line), body, 401, FP_NO_KEY));
        rows.push(("limited-", one(line), body, 429, FP_LIMITED));
        if !line.starts_with("GET") {
            rows.push(("read-54e9ujn", one(line), body, 403, FP_FORBIDDEN));
        }
    }
    for (line, body) in on_webhook {
        for (id, answer) in &missing {
            rows.push((FULL, line.replace("{id}", id), body, 404, answer));
        }
        rows.push(("full-other", one(line), body, 404, &hidden));
    }
    hold(&desk, &rows);

    let address = desk.listen();
    for (line, body) in all.into_iter().chain(on_webhook) {
        for version in [None, Some("2024-05-21"), Some("")] {
            let mut request = request(FULL, &one(line), body);
            request.headers.retain(|(name, _)| name != "X-API-Version");
            let version = version.map(|text| ("X-API-Version".into(), text.into()));
            request.headers.extend(version);
            let found = over_the_wire(address, &request);
            assert_eq!((found.0, found.2.as_str()), (400, VERSION), "{line}");
        }
        let limited = over_the_wire(address, &request("limited-", &one(line), body));
        assert!(limited.1.contains("\r\nretry-after: 2"), "{}", limited.1);
    }
    let (status, _) = desk.ask(&one("GET /webhooks/{id}"), "");
    assert_eq!(status, 200, "nothing of that was done");
}
