//! The Prelude dialect at its best: what each operation answers, and what it does.

use std::time::Duration;

use hookbox::model::{Events, NewWebhook};
use serde_json::{Value, json};

use super::super::support::*;
use super::{Desk, header, members, request};

const LIST: &str = "/v2/session/apps/54e9ujn/webhooks";

fn create(desk: &Desk, url: &str, events: &[&str]) -> Value {
    let body = json!({"url": url, "verification_token": "hunter2", "events": events});
    let (status, made) = desk.ask(&format!("POST {LIST}"), &body.to_string());
    assert_eq!((status, members(&made)), (201, vec!["webhook"]), "{made}");
    made["webhook"].clone()
}

#[test]
fn a_webhook_from_its_making_to_its_end() {
    let desk = Desk::prelude();
    let made = create(
        &desk,
        "https://example.com/a",
        &["user.created", "user.deleted", "user.created"],
    );
    let id = made["id"].as_str().unwrap();
    assert_eq!(
        made,
        json!({
            "id": id,
            "url": "https://example.com/a",
            "events": ["user.created", "user.deleted"],
            "active": false,
            "last_http_code": 0,
            "last_http_code_date": "0001-01-01T00:00:00Z",
            "created_at": "2025-03-15T10:30:00Z",
            "updated_at": "2025-03-15T10:30:00Z",
        })
    );
    let one = format!("{LIST}/{id}");
    let ask = |line: &str, body: &str| desk.ask(line, body);
    assert_eq!(
        ask(&format!("GET {one}"), ""),
        (200, json!({"webhook": made}))
    );
    assert_eq!(
        ask(&format!("GET {LIST}"), ""),
        (200, json!({"webhooks": [made]}))
    );

    desk.clock.advance(Duration::from_secs(60));
    let (status, active) = ask(&format!("POST {one}/activate"), "");
    assert_eq!((status, &active["webhook"]["active"]), (200, &json!(true)));
    assert_eq!(active["webhook"]["updated_at"], "2025-03-15T10:31:00Z");
    assert_eq!(
        active["webhook"]["last_http_code"], 0,
        "the challenge is no delivery"
    );

    // What is delivered shows.
    desk.hooks.emit(APP, TYPE, "{}").unwrap();
    desk.hooks
        .poll(hookbox::clock::Clock::now(desk.clock.as_ref()))
        .unwrap();
    let (_, told) = ask(&format!("GET {one}"), "");
    assert_eq!(told["webhook"]["last_http_code"], 200);
    assert_eq!(
        told["webhook"]["last_http_code_date"],
        "2025-03-15T10:31:00Z"
    );

    let (status, off) = ask(&format!("POST {one}/deactivate"), "ignored");
    assert_eq!((status, &off["webhook"]["active"]), (200, &json!(false)));

    let add = r#"{"event":"user.session.created"}"#;
    for _ in 0..2 {
        let (status, added) = ask(&format!("POST {one}/events"), add);
        let events = json!(["user.created", "user.deleted", "user.session.created"]);
        assert_eq!((status, &added["webhook"]["events"]), (201, &events));
    }
    for event in ["user.created", "user.created", "user.identifier.deleted"] {
        let (status, left) = ask(&format!("DELETE {one}/events/{event}"), "");
        let events = json!(["user.deleted", "user.session.created"]);
        assert_eq!((status, &left["webhook"]["events"]), (200, &events));
    }
    let gone = desk.send(&request("full-*", &format!("DELETE {one}"), ""));
    assert_eq!((gone.status, gone.body.len()), (204, 0));
    assert_eq!(header(&gone, "content-type"), None);
    assert_eq!(ask(&format!("GET {one}"), "").0, 404);
    assert_eq!(ask(&format!("DELETE {one}"), "").0, 404);
}

#[test]
fn members_that_are_not_of_the_contract_are_ignored_and_empty_events_are_fine() {
    let desk = Desk::prelude();
    let body = r#"{"url":"https://example.com/a","verification_token":"","events":[],"extra":{}}"#;
    let (status, made) = desk.ask(&format!("POST {LIST}"), body);
    assert_eq!((status, &made["webhook"]["events"]), (201, &json!([])));
    let token = |chars: usize| {
        let body = json!({"url": "https://example.com", "verification_token": "é".repeat(chars), "events": []});
        desk.ask(&format!("POST {LIST}"), &body.to_string()).0
    };
    assert_eq!((token(100), token(101)), (201, 400));
}

#[test]
fn the_list_is_whole_and_in_order() {
    let desk = Desk::prelude();
    let ids: Vec<Value> = (0..1003)
        .map(|n| {
            let new = NewWebhook::new(format!("https://example.com/{n}"));
            desk.hooks
                .create_webhook(APP, new)
                .unwrap()
                .id
                .to_string()
                .into()
        })
        .collect();
    let (_, all) = desk.ask(&format!("GET {LIST}"), "");
    let listed: Vec<Value> = all["webhooks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["id"].clone())
        .collect();
    assert_eq!(listed, ids);
}

#[test]
fn a_webhook_that_hears_all_names_the_catalogue() {
    let desk = Desk::prelude();
    let new = NewWebhook::new("https://example.com/all").events(Events::All);
    let id = desk.hooks.create_webhook(APP, new).unwrap().id;
    let (_, told) = desk.ask(&format!("GET {LIST}/{id}"), "");
    assert_eq!(told["webhook"]["events"].as_array().unwrap().len(), 7);
    // It has no list to remove from.
    let (status, told) = desk.ask(&format!("DELETE {LIST}/{id}/events/user.created"), "");
    assert_eq!((status, &told["code"]), (400, &json!("invalid_request")));
}

#[test]
fn no_answer_ever_shows_the_verification_token() {
    let desk = Desk::prelude();
    let id = create(&desk, "https://example.com/a", &["user.created"])["id"]
        .as_str()
        .unwrap()
        .to_owned();
    for line in [
        format!("GET {LIST}"),
        format!("GET {LIST}/{id}"),
        format!("POST {LIST}/{id}/activate"),
        format!("GET /hookbox/v1/apps/{APP}/backlog"),
    ] {
        let response = desk.send(&request("full-*", &line, ""));
        assert_eq!(response.status, 200, "{line}");
        assert!(
            !String::from_utf8(response.body)
                .unwrap()
                .contains("hunter2"),
            "{line}"
        );
    }
}
