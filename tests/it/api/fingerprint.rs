//! The Fingerprint dialect at its best: what each operation answers, and what it does.

use std::time::Duration;

use hookbox::model::{BasicAuth, NewWebhook, Secret};
use serde_json::{Value, json};

use super::super::support::*;
use super::{Desk, members, request};

fn create(desk: &Desk, body: &Value) -> Value {
    let (status, made) = desk.ask("POST /webhooks", &body.to_string());
    assert_eq!((status, members(&made)), (201, vec!["data"]), "{made}");
    made["data"].clone()
}

#[test]
fn a_webhook_from_its_making_to_its_end() {
    let desk = Desk::fingerprint();
    let mut made = create(&desk, &json!({"url": "https://example.com/a"}));
    let id = made["id"].as_str().unwrap().to_owned();
    assert!(id.starts_with("wh_") && id.len() == 17);
    let key = made.as_object_mut().unwrap().remove("signing_key").unwrap();
    let secrets = desk
        .hooks
        .signing_secrets(APP, &id.parse().unwrap())
        .unwrap();
    assert_eq!(key, secrets[0].expose());
    assert_eq!(
        made,
        json!({
            "id": id,
            "description": "",
            "status": "enabled",
            "verified": false,
            "environment": null,
            "url": "https://example.com/a",
            "legacy": false,
            "basic_auth": null,
            "created_at": "2025-03-15T10:30:00Z",
            "last_enabled_at": "2025-03-15T10:30:00Z",
            "last_disabled_at": null,
        })
    );
    let one = format!("/webhooks/{id}");
    assert_eq!(
        desk.ask(&format!("GET {one}"), ""),
        (200, json!({"data": made}))
    );

    let (status, verified) = desk.ask(&format!("POST {one}/verification"), "");
    assert_eq!((status, &verified["data"]["verified"]), (200, &json!(true)));
    desk.clock.advance(Duration::from_secs(60));
    let change = json!({"description": "d", "status": "disabled", "environment": "prod"});
    let (status, changed) = desk.ask(&format!("PATCH {one}"), &change.to_string());
    assert_eq!(status, 200);
    for (name, value) in [
        ("description", json!("d")),
        ("status", json!("disabled")),
        ("environment", json!("prod")),
        ("verified", json!(true)),
        ("last_disabled_at", json!("2025-03-15T10:31:00Z")),
    ] {
        assert_eq!(changed["data"][name], value, "{name}");
    }
    // The same URL again changes nothing; another one un-verifies. Null is every environment.
    let (_, same) = desk.ask(
        &format!("PATCH {one}"),
        r#"{"url":"https://example.com/a"}"#,
    );
    assert_eq!(same["data"]["verified"], true);
    let body = r#"{"url":"https://example.com/b","environment":null}"#;
    let (_, moved) = desk.ask(&format!("PATCH {one}"), body);
    assert_eq!(
        (&moved["data"]["verified"], &moved["data"]["environment"]),
        (&json!(false), &Value::Null)
    );
    assert_eq!(desk.ask(&format!("PATCH {one}"), "{}").1, moved);

    let gone = desk.send(&request("full-54e9ujn", &format!("DELETE {one}"), ""));
    assert_eq!((gone.status, gone.body.len()), (204, 0));
    assert_eq!(desk.ask(&format!("GET {one}"), "").0, 404);
}

#[test]
fn the_signing_key_is_shown_once() {
    let desk = Desk::fingerprint();
    let made = create(&desk, &json!({"url": "https://example.com/a"}));
    let (id, key) = (
        made["id"].as_str().unwrap(),
        made["signing_key"].as_str().unwrap(),
    );
    let patch = r#"{"description":"d"}"#;
    for (line, body) in [
        ("GET /webhooks".to_owned(), ""),
        (format!("GET /webhooks/{id}"), ""),
        (format!("PATCH /webhooks/{id}"), patch),
        (format!("POST /webhooks/{id}/verification"), ""),
    ] {
        let (status, told) = desk.ask(&line, body);
        assert_eq!(status, 200, "{line}");
        let text = told.to_string();
        assert!(
            !text.contains(key) && !text.contains("signing_key"),
            "{line}"
        );
    }
}

#[test]
fn a_verification_that_fails_says_why() {
    let desk = Desk::fingerprint();
    let id = create(&desk, &json!({"url": "https://example.com/a"}))["id"]
        .as_str()
        .unwrap()
        .to_owned();
    desk.net.script(|_| status(204));
    let (status, told) = desk.ask(&format!("POST /webhooks/{id}/verification"), "");
    assert_eq!(
        (status, &told["error"]["code"]),
        (400, &json!("webhook_activation_failed"))
    );
    assert!(told["error"]["message"].as_str().unwrap().contains("204"));
    assert_eq!(
        desk.ask(&format!("GET /webhooks/{id}"), "").1["data"]["verified"],
        false
    );
}

#[test]
fn what_cannot_be_a_field_is_422_with_every_violation() {
    let desk = Desk::fingerprint();
    for (body, properties) in [
        (json!({"url": "http://example.com"}), vec!["url"]),
        (json!({"url": "https://10.0.0.1"}), vec!["url"]),
        (json!({"url": "https://93.184.216.34"}), vec!["url"]),
        (json!({"url": null}), vec!["url"]),
        (
            json!({"description": "d".repeat(1025)}),
            vec!["url", "description"],
        ),
        (
            json!({"url": "https://example.com", "description": null, "status": "ENABLED"}),
            vec!["description", "status"],
        ),
        (
            json!({"url": 1, "environment": {}, "status": 1}),
            vec!["url", "status", "environment"],
        ),
    ] {
        let (status, told) = desk.ask("POST /webhooks", &body.to_string());
        assert_eq!(
            (status, &told["error"]["code"]),
            (422, &json!("validation_failed")),
            "{body}"
        );
        let violations = told["error"]["violations"].as_array().unwrap();
        let found: Vec<_> = violations
            .iter()
            .map(|one| one["property"].as_str().unwrap())
            .collect();
        assert_eq!(found, properties, "{body}");
        assert!(
            violations
                .iter()
                .all(|one| members(one) == ["message", "property"])
        );
    }
    let (_, none) = desk.ask("GET /webhooks", "");
    assert_eq!(none["data"], json!([]));
}

#[test]
fn pages_go_forward_and_back() {
    let desk = Desk::fingerprint();
    let count = 1025_usize;
    let ids: Vec<String> = (0..count)
        .map(|n| {
            let new = NewWebhook::new(format!("https://example.com/{n}"));
            desk.hooks.create_webhook(APP, new).unwrap().id.to_string()
        })
        .collect();
    let page = |query: &str| {
        let (status, told) = desk.ask(&format!("GET /webhooks?{query}"), "");
        assert_eq!(status, 200, "{told}");
        let rows = told["data"].as_array().unwrap();
        let rows: Vec<String> = rows
            .iter()
            .map(|one| one["id"].as_str().unwrap().to_owned())
            .collect();
        let way = told["metadata"]["pagination"].clone();
        assert_eq!(members(&way), ["next_cursor", "prev_cursor"]);
        let cursor = |name: &str| way[name].as_str().map(str::to_owned);
        (rows, cursor("next_cursor"), cursor("prev_cursor"))
    };
    assert_eq!(page("").0, ids[..10], "ten by default");
    assert_eq!(page("").2, None);
    // Forward to the end, and back to the start by another limit.
    let (mut seen, mut cursor, mut back) = (Vec::new(), String::new(), None);
    loop {
        let (rows, next, prev) = page(&format!("limit=100{cursor}"));
        seen.extend(rows);
        back = prev.or(back);
        let Some(next) = next else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(seen, ids);
    let mut end = count - 25;
    while let Some(cursor) = back {
        let (rows, next, prev) = page(&format!("limit=64&cursor={cursor}"));
        assert_eq!(rows, ids[end.saturating_sub(64)..end]);
        let (after, ..) = page(&format!("limit=1&cursor={}", next.unwrap()));
        assert_eq!(after, ids[end..=end], "and forward again");
        end -= rows.len();
        back = prev;
    }
    assert_eq!(end, 0);
}

#[test]
fn lists_are_filtered_and_their_parameters_checked() {
    let desk = Desk::fingerprint();
    let on = create(
        &desk,
        &json!({"url": "https://example.com/a", "environment": "prod"}),
    );
    let off = create(
        &desk,
        &json!({"url": "https://example.com/b", "status": "disabled"}),
    );
    for (query, expected) in [
        ("status=enabled", vec![&on]),
        ("status=disabled", vec![&off]),
        ("environment=prod", vec![&on]),
        ("environment=test", vec![]),
        ("status=disabled&environment=prod", vec![]),
        ("unknown=1", vec![&on, &off]),
    ] {
        let (_, told) = desk.ask(&format!("GET /webhooks?{query}"), "");
        let ids: Vec<_> = told["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| &one["id"])
            .collect();
        let expected: Vec<_> = expected.iter().map(|one| &one["id"]).collect();
        assert_eq!(ids, expected, "{query}");
    }
    for (query, properties) in [
        ("limit=0", vec!["limit"]),
        ("limit=101", vec!["limit"]),
        (
            "limit=a&status=x&environment=%20",
            vec!["status", "environment", "limit"],
        ),
        ("limit=1&limit=2", vec!["limit"]),
        ("cursor=x", vec!["cursor"]),
        ("cursor=nx", vec!["cursor"]),
        ("cursor=", vec!["cursor"]),
        ("cursor=%C3%A9", vec!["cursor"]),
    ] {
        let (status, told) = desk.ask(&format!("GET /webhooks?{query}"), "");
        assert_eq!(
            (status, &told["error"]["code"]),
            (400, &json!("invalid_request")),
            "{query}"
        );
        let violations = told["error"]["violations"].as_array().unwrap();
        let found: Vec<_> = violations
            .iter()
            .map(|one| one["property"].as_str().unwrap())
            .collect();
        assert_eq!(found, properties, "{query}");
    }
}

#[test]
fn a_key_for_all_apps_names_none() {
    let desk = Desk::fingerprint();
    assert_eq!(desk.ask_as("full-*", "GET /webhooks", "").0, 403);
    assert_eq!(desk.ask_as("full-none", "GET /webhooks", "").0, 404);
    let (status, told) = desk.ask_as("full-off", "GET /webhooks", "");
    assert_eq!(
        (status, &told["error"]["code"]),
        (403, &json!("session_disabled"))
    );
    let mut later = request("read-54e9ujn", "GET /webhooks", "");
    later.headers.retain(|(name, _)| name != "X-API-Version");
    later
        .headers
        .push(("x-api-version".into(), "2025-11-20".into()));
    assert_eq!(desk.send(&later).status, 200);
}

#[test]
fn credentials_are_never_shown() {
    let desk = Desk::fingerprint();
    let mut new = NewWebhook::new("https://example.com/a");
    new.basic_auth = Some(BasicAuth {
        username: "hunter1".into(),
        password: Secret::new("hunter2"),
    });
    let id = desk.hooks.create_webhook(APP, new).unwrap().id;
    let (_, told) = desk.ask(&format!("GET /webhooks/{id}"), "");
    assert_eq!(
        (&told["data"]["legacy"], &told["data"]["basic_auth"]),
        (&json!(true), &json!({}))
    );
    assert!(!told.to_string().contains("hunter"));
}
