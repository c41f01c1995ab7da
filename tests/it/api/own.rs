//! Our own operations.

use std::time::Duration;

use hookbox::clock::Clock;
use hookbox::model::{EventType, Events, NewWebhook};
use serde_json::{Value, json};

use super::super::support::*;
use super::{Desk, OTHER, header, members, request};

const APPS: &str = "/hookbox/v1/apps";

/// A path of the app.
fn at(rest: &str) -> String {
    format!("{APPS}/{APP}{rest}")
}

fn poll(desk: &Desk) {
    desk.hooks.poll(desk.clock.now()).unwrap();
}

fn webhook(desk: &Desk) -> String {
    let events = Events::only([EventType::parse(TYPE).unwrap()]);
    let new = NewWebhook::new("https://example.com/a").events(events);
    let id = desk.hooks.create_webhook(APP, new).unwrap().id;
    desk.hooks.activate(APP, &id).unwrap();
    id.to_string()
}

#[test]
fn apps_are_made_switched_and_deleted_by_who_has_them_all() {
    let desk = Desk::prelude();
    let all = |line: &str, body: &str| desk.ask_as("full-*", line, body);
    let (status, made) = all(
        &format!("POST {APPS}"),
        r#"{"id":"new","profile":"standard_webhooks"}"#,
    );
    assert_eq!(
        (status, members(&made)),
        (201, vec!["created_at", "id", "profile", "state"])
    );
    assert_eq!(made["profile"]["name"], "standard_webhooks");
    let (status, told) = all(&format!("POST {APPS}"), r#"{"id":"new"}"#);
    assert_eq!((status, &told["code"]), (409, &json!("app_exists")));
    let (status, told) = all(
        &format!("POST {APPS}"),
        r#"{"id":"-","profile":"x","key_bits":1}"#,
    );
    assert_eq!(
        (status, told["violations"].as_array().unwrap().len()),
        (400, 3),
        "{told}"
    );
    assert_eq!(all(&format!("GET {APPS}/new"), ""), (200, made));
    for (word, state) in [("disable", "disabled"), ("enable", "enabled")] {
        let (status, told) = all(&format!("POST {APPS}/new/{word}"), "");
        assert_eq!((status, &told["state"]), (200, &json!(state)));
    }
    let (_, page) = all(&format!("GET {APPS}?limit=3"), "");
    assert_eq!(page["items"].as_array().unwrap().len(), 3);
    let cursor = page["next_cursor"].as_str().unwrap();
    let (_, page) = all(&format!("GET {APPS}?limit=3&cursor={cursor}"), "");
    assert_eq!(
        (
            page["items"].as_array().unwrap().len(),
            &page["next_cursor"]
        ),
        (1, &Value::Null)
    );
    assert_eq!(all(&format!("DELETE {APPS}/new"), ""), (204, Value::Null));
    assert_eq!(all(&format!("GET {APPS}/new"), "").0, 404);
}

#[test]
fn a_key_of_one_app_sees_that_one_and_cannot_tell_others_from_none() {
    let desk = Desk::prelude();
    let (_, list) = desk.ask(&format!("GET {APPS}"), "");
    assert_eq!(list["items"].as_array().unwrap().len(), 1);
    assert_eq!(list["items"][0]["id"], APP);
    for (line, status) in [
        ("GET /hookbox/v1/stats".to_owned(), 403),
        (format!("POST {APPS}"), 403),
        (format!("DELETE {APPS}/{APP}"), 403),
        (format!("POST {APPS}/{APP}/disable"), 403),
        (format!("DELETE {APPS}/{OTHER}"), 404),
    ] {
        assert_eq!(desk.ask(&line, "").0, status, "{line}");
    }
    for rest in [
        "",
        "/events",
        "/batches",
        "/attempts",
        "/backlog",
        "/keys",
        "/events/x",
        "/webhooks/x/backlog",
    ] {
        let told = |app: &str| {
            let (status, told) = desk.ask(&format!("GET {APPS}/{app}{rest}"), "");
            (status, told.to_string().replace(app, "~"))
        };
        assert_eq!(told(OTHER), told("none"), "{rest}");
        assert_eq!(told(OTHER).0, 404);
    }
    let (status, told) = desk.ask_as("read-*", &format!("POST {}", at("/events")), "{}");
    assert_eq!((status, &told["code"]), (403, &json!("forbidden")));
    assert_eq!(desk.ask_as("read-*", "GET /hookbox/v1/stats", "").0, 200);
}

#[test]
fn events_are_emitted_one_or_many_and_payloads_stay_as_they_are() {
    let desk = Desk::prelude();
    let emit = |body: &str| desk.ask(&format!("POST {}", at("/events")), body);
    let (status, one) = emit(r#"{"type":"user.created","payload": {"b": 1.50,  "a":1e2} }"#);
    assert_eq!((status, one["ids"].as_array().unwrap().len()), (201, 1));
    let id = one["ids"][0].as_str().unwrap();
    assert_eq!(
        desk.hooks.event(&id.parse().unwrap()).unwrap().payload,
        r#"{"b": 1.50,  "a":1e2}"#
    );
    let response = desk.send(&request(
        "full-*",
        &format!("GET {}", at(&format!("/events/{id}"))),
        "",
    ));
    assert!(
        String::from_utf8(response.body)
            .unwrap()
            .contains(r#""payload":{"b": 1.50,  "a":1e2}"#)
    );

    let list = r#"[{"type":"user.created","payload":null,"environment":"prod","mode":"at_most_once"},
                   {"type":"user.deleted","payload":"x","idempotency_key":"k"}]"#;
    let (status, many) = emit(list);
    assert_eq!((status, many["ids"].as_array().unwrap().len()), (201, 2));
    assert_eq!(emit("[]"), (201, json!({"ids": []})));
    let (_, page) = desk.ask(
        &format!("GET {}", at("/events?type=user.created&limit=1")),
        "",
    );
    assert_eq!(page["items"][0]["id"], many["ids"][0]);
    assert_eq!(
        (&page["items"][0]["environment"], &page["items"][0]["mode"]),
        (&json!("prod"), &json!("at_most_once"))
    );
    assert!(page["next_cursor"].is_string());
}

#[test]
fn an_idempotency_key_comes_in_the_body_or_the_header() {
    let desk = Desk::prelude();
    let emit = |key: Option<&str>, body: &str| {
        let mut request = request("full-*", &format!("POST {}", at("/events")), body);
        request
            .headers
            .extend(key.map(|key| ("Idempotency-Key".to_owned(), key.to_owned())));
        let response = desk.send(&request);
        (response.status, super::json(&response))
    };
    let plain = r#"{"type":"user.created","payload":1}"#;
    let keyed = r#"{"type":"user.created","payload":1,"idempotency_key":"k"}"#;
    let first = emit(Some("k"), plain);
    assert_eq!(first.0, 201);
    assert_eq!(emit(None, keyed), first);
    assert_eq!(emit(Some("k"), keyed), first);
    assert_ne!(emit(Some("other"), plain), first);
    for (key, body) in [
        (Some("other"), keyed),
        (Some("k"), "[{\"type\":\"user.created\",\"payload\":1}]"),
        (Some(""), plain),
        (Some(&*"k".repeat(256)), plain),
        (
            None,
            r#"{"type":"user.created","payload":1,"idempotency_key":""}"#,
        ),
        (
            None,
            r#"{"type":"user.created","payload":1,"idempotency_key":7}"#,
        ),
    ] {
        let (status, told) = emit(key, body);
        assert_eq!(
            (
                status,
                &told["violations"][0]["property"]
                    .as_str()
                    .unwrap()
                    .ends_with("idempotency_key")
            ),
            (400, &true),
            "{body}"
        );
    }
}

#[test]
fn what_cannot_be_emitted_is_told_in_full_and_nothing_is() {
    let desk = Desk::prelude();
    let emit = |body: &str| desk.ask(&format!("POST {}", at("/events")), body);
    let (status, told) = emit(
        r#"[{"type":7},{"type":"user.created","payload":1},{"payload":1,"mode":"x","environment":"a b"}]"#,
    );
    let found: Vec<_> = told["violations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["property"].as_str().unwrap())
        .collect();
    assert_eq!(
        (status, found),
        (
            400,
            vec![
                "[0].type",
                "[0].payload",
                "[2].type",
                "[2].environment",
                "[2].mode"
            ]
        )
    );
    for (body, status, code) in [
        ("", 400, "invalid_request"),
        ("7", 400, "invalid_request"),
        (
            r#"[{"type":"user.created","payload":1},{"type":"no.such","payload":1}]"#,
            400,
            "invalid_webhook_event",
        ),
        (
            r#"{"type":"a b","payload":1}"#,
            400,
            "invalid_webhook_event",
        ),
        (
            &*format!(
                r#"{{"type":"user.created","payload":{}{}}}"#,
                "[".repeat(121),
                "]".repeat(121)
            ),
            400,
            "invalid_payload",
        ),
        (
            &*format!(
                r#"{{"type":"user.created","payload":"{}"}}"#,
                "x".repeat(300_000)
            ),
            413,
            "payload_too_large",
        ),
    ] {
        let (found, told) = emit(body);
        assert_eq!((found, &told["code"]), (status, &json!(code)), "{told}");
    }
    let (status, told) = desk.ask_as(
        "full-off",
        "POST /hookbox/v1/apps/off/events",
        r#"{"type":"user.created","payload":1}"#,
    );
    assert_eq!((status, &told["code"]), (403, &json!("session_disabled")));
    assert_eq!(
        desk.ask(&format!("GET {}", at("/events")), "").1["items"],
        json!([])
    );
}

#[test]
fn what_became_of_an_event_can_be_followed_and_done_again() {
    let desk = Desk::prelude();
    let hook = webhook(&desk);
    desk.net.script(|_| status(500));
    let (_, emitted) = desk.ask(
        &format!("POST {}", at("/events")),
        r#"{"type":"user.created","payload":1}"#,
    );
    let event = emitted["ids"][0].as_str().unwrap();
    let (_, row) = desk.ask(
        &format!("GET {}", at(&format!("/webhooks/{hook}/backlog"))),
        "",
    );
    assert_eq!(
        (&row["webhook_id"], &row["events_owed"], &row["active"]),
        (&json!(hook), &json!(1), &json!(true))
    );
    poll(&desk);

    let (_, batches) = desk.ask(
        &format!(
            "GET {}",
            at(&format!("/batches?webhook={hook}&status=waiting"))
        ),
        "",
    );
    let batch = batches["items"][0]["id"].as_str().unwrap().to_owned();
    let one = at(&format!("/batches/{batch}"));
    assert_eq!(desk.ask(&format!("GET {one}"), "").1, batches["items"][0]);
    let (_, attempts) = desk.ask(
        &format!("GET {}", at(&format!("/attempts?batch={batch}"))),
        "",
    );
    let attempt = &attempts["items"][0];
    assert_eq!(
        (&attempt["http_status"], &attempt["error"]),
        (&json!(500), &Value::Null)
    );
    let (_, story) = desk.ask(
        &format!("GET {}", at(&format!("/events/{event}/explain"))),
        "",
    );
    assert_eq!(story["batches"][0]["batch"]["id"], batch.as_str());
    assert_eq!(
        desk.ask(&format!("GET {one}/explain"), "").1,
        story["batches"][0]
    );
    let (_, backlog) = desk.ask(&format!("GET {}", at("/backlog")), "");
    assert_eq!(backlog["items"][0]["batches"]["waiting"], 1);
    assert_eq!(backlog["items"][0]["health"]["consecutive_failures"], 1);

    let (status, told) = desk.ask(&format!("POST {one}/resend"), "");
    assert_eq!((status, &told["code"]), (409, &json!("batch_conflict")));
    let (status, told) = desk.ask(&format!("POST {one}/cancel"), "");
    assert_eq!(
        (status, &told["status"], &told["end_reason"]),
        (200, &json!("cancelled"), &json!("by_host"))
    );
    assert_eq!(desk.ask(&format!("POST {one}/cancel"), "").0, 409);
    let (status, told) = desk.ask(&format!("POST {one}/resend"), "");
    assert_eq!((status, &told["status"]), (200, &json!("waiting")));

    let replay = format!("POST {}", at(&format!("/webhooks/{hook}/replay")));
    let since = r#"{"since":"2025-03-15T10:30:00Z"}"#;
    assert_eq!(
        desk.ask(&replay, since),
        (
            200,
            json!({"positions": 1, "since": "2025-03-15T10:30:00Z"})
        )
    );
    for body in ["{}", r#"{"since":1}"#, r#"{"since":"yesterday"}"#] {
        assert_eq!(
            desk.ask(&replay, body).1["violations"][0]["property"],
            "since",
            "{body}"
        );
    }
}

#[test]
fn records_of_another_app_do_not_exist() {
    let desk = Desk::prelude();
    let hook = webhook(&desk);
    let event = desk.hooks.emit(APP, TYPE, "1").unwrap();
    poll(&desk);
    let batch = desk.ask(&format!("GET {}", at("/batches")), "").1["items"][0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    for (line, body) in [
        (format!("GET {APPS}/{OTHER}/events/{event}"), ""),
        (format!("GET {APPS}/{OTHER}/events/{event}/explain"), ""),
        (format!("GET {APPS}/{OTHER}/batches/{batch}"), ""),
        (format!("GET {APPS}/{OTHER}/batches/{batch}/explain"), ""),
        (format!("POST {APPS}/{OTHER}/batches/{batch}/resend"), ""),
        (format!("POST {APPS}/{OTHER}/batches/{batch}/cancel"), ""),
        (format!("GET {APPS}/{OTHER}/batches?webhook={hook}"), ""),
        (format!("GET {APPS}/{OTHER}/attempts?webhook={hook}"), ""),
        (format!("GET {APPS}/{OTHER}/webhooks/{hook}/backlog"), ""),
        (
            format!("POST {APPS}/{OTHER}/webhooks/{hook}/replay"),
            r#"{"since":"2025-03-15T10:30:00Z"}"#,
        ),
    ] {
        assert_eq!(desk.ask_as("full-*", &line, body).0, 404, "{line}");
        let own = line.replace(OTHER, APP);
        assert_ne!(desk.ask_as("full-*", &own, body).0, 404, "{own}");
    }
    for rest in [
        "/events/x",
        "/batches/x",
        "/webhooks/x/backlog",
        "/events/bat_01jqebhswje1ka1z7ahr9rfsgt",
    ] {
        assert_eq!(desk.ask(&format!("GET {}", at(rest)), "").0, 404, "{rest}");
    }
}

#[test]
fn signing_keys_rotate_and_retire() {
    let desk = Desk::prelude();
    let keys = format!("GET {}", at("/keys"));
    let (_, before) = desk.ask(&keys, "");
    let old = before["items"][0]["kid"].as_str().unwrap().to_owned();
    let (status, new) = desk.ask(&format!("POST {}", at("/keys")), r#"{"lead_seconds":60}"#);
    assert_eq!((status, &new["phase"]), (201, &json!("next")));
    assert_eq!(new["signs_from"], "2025-03-15T10:31:00Z");
    desk.clock.advance(Duration::from_secs(60));
    let phases: Vec<Value> = desk.ask(&keys, "").1["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|key| key["phase"].clone())
        .collect();
    assert_eq!(phases, ["retired", "active"]);
    let (status, gone) = desk.ask(
        &format!("POST {}", at(&format!("/keys/{old}/retire"))),
        r#"{"overlap_seconds":0}"#,
    );
    assert_eq!((status, &gone["phase"]), (200, &json!("gone")));
    for (rest, body, status) in [
        ("/keys", r#"{"key_bits":1024}"#, 400),
        ("/keys", r#"{"lead_seconds":-1}"#, 400),
        ("/keys", r#"{"lead_seconds":315360001}"#, 400),
        ("/keys/none/retire", r#"{"overlap_seconds":0}"#, 404),
        ("/keys/a%20b/retire", r#"{"overlap_seconds":0}"#, 404),
        ("/keys/none/retire", "{}", 400),
    ] {
        assert_eq!(
            desk.ask(&format!("POST {}", at(rest)), body).0,
            status,
            "{rest} {body}"
        );
    }
    assert!(!desk.ask(&keys, "").1.to_string().contains("sealed"));
}

#[test]
fn listings_have_pages_and_say_what_is_wrong_with_a_query() {
    let desk = Desk::prelude();
    let events: Vec<String> = (0..5)
        .map(|n| {
            desk.hooks
                .emit(APP, TYPE, n.to_string())
                .unwrap()
                .to_string()
        })
        .collect();
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let (_, page) = desk.ask(
            &format!("GET {}", at(&format!("/events?limit=2{cursor}"))),
            "",
        );
        seen.extend(
            page["items"]
                .as_array()
                .unwrap()
                .iter()
                .map(|one| one["id"].as_str().unwrap().to_owned()),
        );
        let Some(next) = page["next_cursor"].as_str() else {
            break;
        };
        cursor = format!("&cursor={next}");
    }
    seen.reverse();
    assert_eq!(seen, events);
    for (rest, properties) in [
        ("/events?limit=0", vec!["limit"]),
        ("/events?limit=1001&type=a%20b", vec!["type", "limit"]),
        ("/events?cursor=x", vec!["cursor"]),
        ("/batches?webhook=x&status=sent", vec!["webhook", "status"]),
        ("/attempts?webhook=x&batch=x", vec!["webhook", "batch"]),
    ] {
        let (status, told) = desk.ask(&format!("GET {}", at(rest)), "");
        let found: Vec<_> = told["violations"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["property"].as_str().unwrap())
            .collect();
        assert_eq!((status, found), (400, properties), "{rest}");
    }
    let stats = desk.send(&request("full-*", "GET /hookbox/v1/stats", ""));
    assert_eq!(super::json(&stats)["last_position"], 5);
    assert_eq!(header(&stats, "cache-control"), Some("no-store"));
}
