//! What every route shares: paths, methods, bodies, ids, faults of ours.

use std::sync::Arc;

use hookbox::api::{Api, Authorizer, Denied, Dialect, Grant, Request};
use hookbox::model::Profile;
use hookbox::storage::kv::KvStorage;
use hookbox::{Error, StorageFault};

use super::super::support::*;
use super::{Desk, header, json, request};

const FULL: &str = "full-54e9ujn";
const LIST: &str = "/v2/session/apps/54e9ujn/webhooks";

#[test]
fn paths_that_are_none_of_ours_are_404_whoever_asks() {
    let desk = Desk::prelude();
    for target in [
        "/",
        "",
        "*",
        "/v2/session/apps",
        "/v2/session/apps/54e9ujn/webhooks/",
        "//v2/session/apps/54e9ujn/webhooks",
        "/v2/session/apps/54e9ujn%2Fwebhooks",
        "/v2/session/apps/54e9ujn/../54e9ujn/webhooks",
        "/v2/session/apps/%ff/webhooks",
        "/webhooks",
        "/hookbox/v1",
        "/hookbox/v2/apps",
    ] {
        for key in [FULL, "nothing"] {
            let (status, told) = desk.ask_as(key, &format!("GET {target}"), "");
            assert_eq!(
                (status, &told["code"]),
                (404, &"not_found".into()),
                "{target}"
            );
        }
    }
    let (status, told) = Desk::fingerprint().ask("GET /v2/session/apps/54e9ujn/webhooks", "");
    assert_eq!((status, &told["error"]["code"]), (404, &"not_found".into()));
    // Encoded letters and the absolute form are the same path.
    for target in [
        "/v2/sess%69on/apps/54e9ujn/webhooks",
        "http://any.example/v2/session/apps/54e9ujn/webhooks?x=1",
    ] {
        assert_eq!(desk.ask(&format!("GET {target}"), "").0, 200, "{target}");
    }
}

#[test]
fn other_methods_are_405_and_options_says_which_there_are() {
    let desk = Desk::prelude();
    let cases = [
        (LIST.to_owned(), "GET, HEAD, POST, OPTIONS"),
        (format!("{LIST}/x"), "GET, HEAD, DELETE, OPTIONS"),
        (format!("{LIST}/x/activate"), "POST, OPTIONS"),
        ("/.well-known/jwks.json".to_owned(), "GET, HEAD, OPTIONS"),
        ("/hookbox/v1/apps".to_owned(), "GET, HEAD, POST, OPTIONS"),
    ];
    for (path, allow) in cases {
        for method in ["PUT", "TRACE", "get", "X", ""] {
            let response = desk.send(&request("nothing", &format!("{method} {path}"), ""));
            assert_eq!(response.status, 405, "{method} {path}");
            assert_eq!(header(&response, "allow"), Some(allow));
            assert_eq!(json(&response)["code"], "method_not_allowed");
        }
        let response = desk.send(&request("nothing", &format!("OPTIONS {path}"), ""));
        assert_eq!((response.status, response.body.len()), (204, 0));
        assert_eq!(header(&response, "allow"), Some(allow));
    }
    let all = desk.send(&request("nothing", "OPTIONS *", ""));
    assert!(header(&all, "allow").unwrap().contains("DELETE"), "{all:?}");
}

#[test]
fn head_is_get_without_the_body() {
    let desk = Desk::prelude();
    for (path, status) in [
        (LIST, 200),
        ("/v2/session/apps/none/webhooks", 404),
        ("/none", 404),
    ] {
        let get = desk.send(&request(FULL, &format!("GET {path}"), ""));
        let head = desk.send(&request(FULL, &format!("HEAD {path}"), ""));
        assert_eq!(
            (get.status, head.status, head.body.len()),
            (status, status, 0)
        );
        assert_eq!(header(&head, "content-type"), header(&get, "content-type"));
    }
    assert_eq!(desk.ask_as("nothing", &format!("HEAD {LIST}"), "").0, 401);
}

#[test]
fn bodies_have_a_type_and_a_size() {
    let desk = Desk::prelude();
    let good = r#"{"url":"https://example.com/a","verification_token":"t","events":[]}"#;
    let with_type = |value: Option<&str>| {
        let mut request = request(FULL, &format!("POST {LIST}"), good);
        request.headers.retain(|(name, _)| name != "Content-Type");
        let header = value.map(|value| ("content-TYPE".to_owned(), value.to_owned()));
        request.headers.extend(header);
        desk.send(&request)
    };
    for value in [
        "application/json",
        "Application/JSON; charset=utf-8",
        "application/json ;x=y",
    ] {
        assert_eq!(with_type(Some(value)).status, 201, "{value}");
    }
    let wrong = [
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/jsonp",
        "",
        "json",
    ];
    for value in wrong.into_iter().map(Some).chain([None]) {
        let response = with_type(value);
        assert_eq!(response.status, 415, "{value:?}");
        assert_eq!(json(&response)["code"], "unsupported_media_type");
    }
    // 64 KiB is the most, also where the body is ignored, and is told before the type.
    let sized = |line: &str, bytes: usize, kind: &str| {
        let body = format!("{good}{}", " ".repeat(bytes - good.len()));
        let mut request = request(FULL, line, &body);
        request.headers.push(("content-type".into(), kind.into()));
        request.headers.retain(|(name, _)| name != "Content-Type");
        desk.send(&request).status
    };
    let create = format!("POST {LIST}");
    assert_eq!(sized(&create, 65_536, "application/json"), 201);
    assert_eq!(sized(&create, 65_537, "application/json"), 413);
    assert_eq!(sized(&create, 65_537, "text/plain"), 413);
    assert_eq!(sized(&format!("GET {LIST}"), 65_536, "text/plain"), 200);
    assert_eq!(sized(&format!("GET {LIST}"), 65_537, "text/plain"), 413);
    let emit = "POST /hookbox/v1/apps/54e9ujn/events";
    assert_eq!(sized(emit, Api::BODY_BYTES_MAX, "application/json"), 400);
    assert_eq!(
        sized(emit, Api::BODY_BYTES_MAX + 1, "application/json"),
        413
    );
    // Who has no key is not told more.
    let mut stranger = request("nothing", &create, &"x".repeat(70_000));
    stranger
        .headers
        .push(("content-type".into(), "text/plain".into()));
    assert_eq!(desk.send(&stranger).status, 401);
}

#[test]
fn a_request_id_is_echoed_if_it_can_be_one() {
    let desk = Desk::prelude();
    let id_for = |given: &str| {
        let mut request = request(FULL, &format!("GET {LIST}"), "");
        request.headers.push(("X-Request-ID".into(), given.into()));
        header(&desk.send(&request), "x-request-id")
            .unwrap()
            .to_owned()
    };
    let long = "i".repeat(128);
    for given in ["a", "3f2b-1 ".trim(), "\"~!", &long] {
        assert_eq!(id_for(given), given);
    }
    let mut fresh = Vec::new();
    for given in ["", "a b", "a\r\nb: c", "é", &"i".repeat(129)] {
        let id = id_for(given);
        assert!(id.starts_with("req_") && id.len() == 36, "{id}");
        fresh.push(id);
    }
    fresh.dedup();
    assert_eq!(fresh.len(), 5);
    for line in ["GET /none", "OPTIONS *", "PUT /.well-known/jwks.json"] {
        assert!(header(&desk.send(&request(FULL, line, "")), "x-request-id").is_some());
    }
}

#[test]
fn a_storage_that_fails_is_503_or_500_without_details() {
    let inner = "/var/lib/hunter2 is on fire";
    for (fault, status, code) in [
        (StorageFault::Busy, 503, "unavailable"),
        (StorageFault::Full, 503, "unavailable"),
        (StorageFault::Io, 503, "unavailable"),
        (StorageFault::CommitUnknown, 503, "unavailable"),
        (StorageFault::Corrupt, 500, "internal"),
        (StorageFault::BadRow, 500, "internal"),
    ] {
        let failing = Hooks {
            list_webhooks: Some(Box::new(move |_, _, _, _| {
                Err(Error::storage(fault, inner))
            })),
            ..Hooks::default()
        };
        let memory = Arc::new(KvStorage::in_memory().unwrap());
        let storage = Arc::new(Wrapped::new(memory, failing));
        let desk = Desk::over(storage, Dialect::Prelude, &Profile::prelude());
        for line in [
            format!("GET {LIST}"),
            format!("GET /hookbox/v1/apps/{APP}/backlog"),
        ] {
            let response = desk.send(&request(FULL, &line, ""));
            let told = json(&response);
            assert_eq!(
                (response.status, &told["code"]),
                (status, &code.into()),
                "{line}"
            );
            assert!(!told.to_string().contains("hunter2"));
            let again = (status == 503).then_some("1");
            assert_eq!(header(&response, "retry-after"), again);
        }
    }
}

/// An authorizer with a bug.
#[derive(Debug)]
struct Panicking;

impl Authorizer for Panicking {
    fn authorize(&self, _: &Request) -> Result<Grant, Denied> {
        panic!("the secret is hunter2")
    }
}

#[test]
fn a_panic_becomes_a_500_in_the_dialects_shape() {
    let desk = Desk::prelude();
    for (dialect, path) in [
        (Dialect::Prelude, LIST),
        (Dialect::Fingerprint, "/webhooks"),
    ] {
        let api = Api::new(desk.hooks.clone(), Arc::new(Panicking), dialect);
        let response = api.handle(&request(FULL, &format!("GET {path}"), ""));
        assert_eq!(response.status, 500);
        let told = json(&response);
        let code = match dialect {
            Dialect::Prelude => &told["code"],
            Dialect::Fingerprint => &told["error"]["code"],
        };
        assert_eq!(code, "internal");
        assert!(!told.to_string().contains("hunter2"));
    }
    // And the box goes on.
    assert_eq!(desk.ask(&format!("GET {LIST}"), "").0, 200);
}

#[test]
fn key_sets_need_no_key() {
    let desk = Desk::prelude();
    let by_path = |app: &str| {
        let line = format!("GET /v2/session/apps/{app}/jwks.json");
        desk.send(&Request {
            headers: Vec::new(),
            ..request("", &line, "")
        })
    };
    let by_host = |host: &str| {
        desk.send(&Request {
            headers: vec![("Host".into(), host.into())],
            ..request("", "GET /.well-known/jwks.json", "")
        })
    };
    let published = serde_json::to_value(desk.hooks.jwks(APP).unwrap()).unwrap();
    for response in [
        by_path(APP),
        by_host("54e9ujn.session.example.com"),
        by_host("54e9ujn:8080"),
    ] {
        assert_eq!((response.status, json(&response)), (200, published.clone()));
        assert!(
            header(&response, "cache-control")
                .unwrap()
                .contains("max-age")
        );
    }
    // What a disabled app sent must stay verifiable.
    assert_eq!(by_path("off").status, 200);
    assert_eq!(
        (by_path("none").status, by_host("none.example.com").status),
        (404, 404)
    );
    assert_eq!(json(&by_host(""))["code"], "app_not_found");
}
