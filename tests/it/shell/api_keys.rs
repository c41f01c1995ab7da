//! `api-key`.

use serde_json::Value;

use super::super::support::*;
use super::{Shell, count};

#[test]
fn a_key_is_made_shown_once_listed_and_revoked() {
    let shell = Shell::with_app();
    let made = shell.run(&["api-key", "create", "--name", "billing"]).ok();
    let key = made.stdout.trim();
    assert!(key.starts_with("hbk_") && key.len() == 95, "{key}");
    assert!(made.stderr.contains(&key[..30]) && !made.stderr.contains(key));
    let args = [
        "api-key",
        "create",
        "--app",
        APP,
        "--read-only",
        "--expires",
        "90d",
        "--rate",
        "7",
    ];
    let other = shell.json(&args);
    let id = other["id"].as_str().unwrap();
    assert!(
        other["key"]
            .as_str()
            .unwrap()
            .starts_with(&format!("{id}_"))
    );
    assert_eq!(
        (
            &other["scope"],
            &other["read_only"],
            &other["requests_per_second"],
            &other["state"]
        ),
        (&APP.into(), &true.into(), &7.into(), &"valid".into())
    );
    assert!(other["expires_at"].as_str().unwrap() > other["created_at"].as_str().unwrap());
    let listed = shell.json(&["api-key", "list"]);
    assert_eq!(count(&listed), 2);
    assert!(!listed.to_string().contains(&key[31..]));
    let first = &listed["items"][0];
    assert_eq!(
        (&first["id"], &first["scope"], &first["last_used_at"]),
        (&key[..30].into(), &Value::Null, &Value::Null)
    );
    let of_app = shell.json(&["api-key", "list", "--app", APP]);
    assert_eq!((count(&of_app), &of_app["items"][0]["id"]), (1, &id.into()));
    let page = shell.json(&["api-key", "list", "--limit", "1"]);
    let cursor = page["next_cursor"].as_str().unwrap();
    let page = shell.json(&["api-key", "list", "--limit", "1", "--cursor", cursor]);
    assert_eq!(page["items"][0]["id"], id);

    let revoked = shell.json(&["api-key", "revoke", id]);
    assert_eq!(revoked["state"], "revoked");
    assert_eq!(shell.json(&["api-key", "revoke", id]), revoked);
    let table = shell.run(&["api-key", "list"]).ok().stdout;
    assert!(
        table.contains("revoked") && table.contains("all apps"),
        "{table}"
    );
}

#[test]
fn what_cannot_be_made_or_found_is_refused() {
    let shell = Shell::with_app();
    let ask = |args: &[&str]| shell.ask(&[&["api-key"], args].concat());
    ask(&["create", "--app", "nobody"]).refused(3, "app_not_found");
    ask(&["create", "--rate", "0"]).refused(1, "invalid_request");
    ask(&["create", "--expires", "2001-01-01T00:00:00Z"]).refused(1, "invalid_request");
    ask(&["create", "--expires", "soon"]).refused(2, "usage");
    ask(&["revoke", "hbk_01h455vb4pex5vsknk084sn02q"]).refused(3, "api_key_not_found");
    // Somebody pastes the whole key: it is not said again.
    let made = shell.json(&["api-key", "create"]);
    let key = made["key"].as_str().unwrap();
    let message = ask(&["revoke", key]).refused(1, "invalid_request");
    assert!(!message.contains(&key[31..]), "{message}");
    let shown = shell.run(&["api-key", "revoke", key]);
    assert!(
        shown.code == 1 && !shown.stderr.contains(&key[31..]),
        "{shown:?}"
    );
    assert_eq!(count(&shell.json(&["api-key", "list"])), 1);
    // No box is made by the way.
    Shell::new()
        .ask(&["api-key", "create"])
        .refused(5, "storage_io");
}
