//! The management API as `serve` serves it: keys made by the shell, both dialects, over the wire.

use super::process::Process;
use crate::support::{APP, Receiver, TYPE};

/// The key that the shell prints, alone on standard output but for JSON's sake.
fn api_key(process: &Process, args: &[&str]) -> String {
    let made = process.ask(&[&["api-key", "create"], args].concat());
    made["key"].as_str().unwrap().to_owned()
}

fn request(method: &str, target: &str, key: &str, body: &str) -> String {
    format!(
        "{method} {target} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\n\
         content-type: application/json\r\nx-api-version: 2025-11-20\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// Goal: without a key nothing answers but the key set; with one a webhook is registered, activated and
/// gets what is emitted, all over HTTP; a read-only key looks, and another app's key sees nothing.
#[test]
fn a_webhook_lives_its_life_over_http() {
    let endpoint = Receiver::start();
    let mut process = Process::start(&[]);
    let full = api_key(&process, &["--app", APP]);
    let looking = api_key(&process, &["--read-only"]);
    process.ask(&["app", "create", "another"]);
    let other = api_key(&process, &["--app", "another"]);
    let base = format!("/v2/session/apps/{APP}/webhooks");
    let new = format!(
        "{{\"url\":\"{}\",\"verification_token\":\"t\",\"events\":[\"{TYPE}\"]}}",
        endpoint.url
    );
    let mut client = process.client();
    let mut ask = |method, target: &str, key: &str, body: &str| {
        client.ask(request(method, target, key, body))
    };
    assert_eq!(ask("POST", &base, "hbk_nobody", &new).status, 401);
    assert_eq!(ask("POST", &base, &looking, &new).status, 403);
    assert_eq!(ask("POST", &base, &other, &new).status, 404);
    let jwks = format!("/v2/session/apps/{APP}/jwks.json");
    assert_eq!(ask("GET", &jwks, "", "").status, 200);

    let created = ask("POST", &base, &full, &new);
    assert_eq!(created.status, 201, "{}", created.body);
    let created: serde_json::Value = serde_json::from_str(&created.body).unwrap();
    let id = created["webhook"]["id"].as_str().unwrap().to_owned();
    let activated = ask("POST", &format!("{base}/{id}/activate"), &full, "");
    assert_eq!(activated.status, 200, "{}", activated.body);
    let event = format!("{{\"type\":\"{TYPE}\",\"payload\":{{\"user_id\":\"usr_1\"}}}}");
    let events = format!("/hookbox/v1/apps/{APP}/events");
    assert_eq!(ask("POST", &events, &full, &event).status, 201);
    endpoint.wait_for(1);
    assert_eq!(ask("GET", &base, &looking, "").status, 200);
    process.end();
    let logged = format!("{:?}", process.rest());
    assert!(logged.contains("/webhooks") && !logged.contains(&full));
}

/// Goal: `--profile fingerprint` speaks the other dialect. Method: the app of the key is the workspace.
#[test]
fn the_other_dialect_is_one_setting() {
    let mut process = Process::start(&["--profile", "fingerprint"]);
    process.ask(&["app", "create", "fp", "--profile", "fingerprint"]);
    let key = api_key(&process, &["--app", "fp"]);
    let mut client = process.client();
    let created = client.ask(request(
        "POST",
        "/webhooks",
        &key,
        "{\"url\":\"https://example.com/hook\"}",
    ));
    assert_eq!(created.status, 201, "{}", created.body);
    let created: serde_json::Value = serde_json::from_str(&created.body).unwrap();
    assert!(created["data"]["signing_key"].is_string());
    let listed = client.ask(request("GET", "/webhooks", &key, ""));
    assert!(listed.status == 200 && !listed.body.contains("signing_key"));
    process.end();
}
