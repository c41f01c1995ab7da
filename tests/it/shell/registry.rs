//! Apps, types, keys, webhooks, and what each refusal exits with.

use std::path::Path;

use serde_json::Value;

use super::super::support::*;
use super::{Shell, count};

#[test]
fn each_error_has_its_exit_code() {
    let (shell, receiver) = (Shell::with_app(), Receiver::start());
    let id = shell.webhook(&receiver);
    let ask = |args: &[&str]| shell.ask(args);
    ask(&["app", "create", APP]).refused(1, "app_exists");
    ask(&["emit", APP, "user.unknown", "{}"]).refused(1, "invalid_webhook_event");
    ask(&["emit", APP, TYPE, "{"]).refused(1, "invalid_payload");
    ask(&["webhook", "create", APP, "--url", "http://10.0.0.1/"]).refused(1, "webhook_invalid_url");
    ask(&["webhook", "roll-secret", APP, &id]).refused(1, "unsupported");
    ask(&["app", "create", "x", "--import-key", "none.pem"]).refused(1, "file");
    ask(&["events", APP, "--limit", "0"]).refused(1, "invalid_request");
    ask(&[
        "app",
        "create",
        "x",
        "--profile",
        "fingerprint",
        "--key-bits",
        "2048",
    ])
    .refused(2, "usage");
    ask(&["events", APP, "--status", "waiting"]).refused(2, "usage");
    ask(&["explain", "web_x"]).refused(2, "usage");
    for args in [
        &["nonsense"][..],
        &["run", "--wait", "5"],
        &["batches", APP, "--status", "x"],
    ] {
        assert_eq!(ask(args).code, 2, "{args:?}");
    }
    ask(&["nonsense"]).refused(2, "usage");
    ask(&["webhook", "get", APP, "no id"]).refused(1, "invalid_request");
    ask(&["resend", APP, "no id"]).refused(1, "invalid_request");
    ask(&["emit", APP, "no type", "{}"]).refused(1, "invalid_webhook_event");
    ask(&["events", "nobody"]).refused(3, "app_not_found");
    let other = "web_01h455vb4pex5vsknk084sn02q";
    ask(&["webhook", "get", APP, other]).refused(3, "webhook_not_found");
    ask(&["explain", "evt_01h455vb4pex5vsknk084sn02q"]).refused(3, "event_not_found");
    ask(&["resend", APP, "bat_01h455vb4pex5vsknk084sn02q"]).refused(3, "batch_not_found");
    ask(&["key", "retire", APP, "none"]).refused(3, "key_not_found");
    let dead = [
        "webhook",
        "create",
        APP,
        "--url",
        "http://127.0.0.1:1025/",
        "--timeout",
        "1s",
    ];
    let dead = shell.json(&dead)["id"].as_str().unwrap().to_owned();
    ask(&["webhook", "activate", APP, &dead]).refused(4, "webhook_activation_failed");
    ask(&["--db", "absent.db", "stats"]).refused(5, "storage_io");
    shell.file(
        "text.db",
        "this is no database, however long the text may be made to be ".repeat(40),
    );
    let damaged = ask(&["--db", "text.db", "stats"]);
    assert_eq!(damaged.code, 5, "{damaged:?}");
    shell.run(&["app", "disable", APP]).ok();
    ask(&["emit", APP, TYPE, "{}"]).refused(1, "session_disabled");
    let text = shell.run(&["emit", APP, TYPE, "{}"]).stderr;
    assert!(text.starts_with("error[session_disabled]: "), "{text}");
}

#[test]
fn apps_types_and_keys() {
    let shell = Shell::with_app();
    let pem =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/rsa2048_pkcs8_test_only.pem");
    let pem = pem.to_str().unwrap();
    shell
        .run(&["app", "create", "two", "--import-key", pem, "--kid", "mine"])
        .ok();
    assert_eq!(shell.json(&["jwks", "two"])["keys"][0]["kid"], "mine");
    let rotated = shell.json(&["key", "rotate", "two", "--lead", "0s"]);
    assert_eq!(rotated["phase"], "active");
    shell.run(&["key", "import", APP, pem, "--kid", "k2"]).ok();
    let keys = shell.json(&["key", "list", APP]);
    assert_eq!(
        (count(&keys), &keys["items"][1]["phase"]),
        (2, &Value::from("next"))
    );
    shell
        .run(&["key", "retire", "two", "mine", "--overlap", "0s"])
        .ok();
    assert_eq!(count(&shell.json(&["key", "list", "two"])), 2);
    assert_eq!(
        shell.json(&["jwks", "two"])["keys"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    shell.run(&["event-type", "add", "order.paid"]).ok();
    assert_eq!(count(&shell.json(&["event-type", "list"])), 8);
    shell.run(&["event-type", "replace", "a", "b"]).ok();
    assert_eq!(shell.run(&["event-type", "list"]).ok().stdout, "a\nb\n");
    shell.run(&["app", "disable", "two"]).ok();
    assert_eq!(
        shell.json(&["app", "list"])["items"][1]["state"],
        "disabled"
    );
    shell.run(&["app", "enable", "two"]).ok();
    shell.run(&["app", "delete", "two"]).ok();
    assert_eq!(count(&shell.json(&["app", "list"])), 1);
    let copy = shell.path("copy.db");
    shell.run(&["backup", copy.to_str().unwrap()]).ok();
    shell
        .ask(&["backup", copy.to_str().unwrap()])
        .refused(1, "invalid_request");
    assert_eq!(count(&shell.json(&["app", "list", "--db", "copy.db"])), 1);
}

#[test]
fn a_webhook_is_changed_setting_by_setting_and_its_secrets_stay_hidden() {
    let (shell, receiver) = (Shell::with_app(), Receiver::start());
    let id = shell.webhook(&receiver);
    let args = [
        "webhook",
        "update",
        APP,
        &id,
        "--timeout",
        "5s",
        "--rate",
        "7",
        "--header",
        "X-Tenant: hidden-1",
        "--basic-auth",
        "u:hidden-2",
        "--token",
        "hidden-3",
        "--environment",
        "live",
        "--description",
        "d",
    ];
    let shown = shell.ask(&args).ok().stdout;
    assert!(!shown.contains("hidden"), "{shown}");
    let shown = shell.run(&["webhook", "get", APP, &id]).ok().stdout;
    assert!(
        shown.contains("X-Tenant") && !shown.contains("hidden"),
        "{shown}"
    );
    let after = shell.json(&[
        "webhook",
        "update",
        APP,
        &id,
        "--concurrency",
        "2",
        "--no-environment",
    ]);
    assert_eq!(after["overrides"]["timeout"], 5000);
    assert_eq!(after["overrides"]["concurrency"], 2);
    assert!(after["environment"].is_null());
    let after = shell.json(&["webhook", "update", APP, &id, "--reset-overrides"]);
    assert!(after["overrides"]["timeout"].is_null());
    let after = shell.json(&["webhook", "add-event", APP, &id, "user.deleted"]);
    assert_eq!(after["events"].as_array().unwrap().len(), 2);
    let after = shell.json(&["webhook", "remove-event", APP, &id, TYPE]);
    assert_eq!(after["events"].as_array().unwrap().len(), 1);
    assert_eq!(
        shell.json(&["webhook", "deactivate", APP, &id])["active"],
        false
    );
    assert_eq!(
        shell.json(&["webhook", "verify", APP, &id])["enabled"],
        false
    );
    shell.run(&["webhook", "delete", APP, &id]).ok();
    assert_eq!(count(&shell.json(&["webhook", "list", APP])), 0);
}

#[test]
fn a_sealed_box_needs_its_key() {
    let (shell, receiver) = (Shell::new(), Receiver::start());
    let key = shell.file("key", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n");
    shell
        .run(&[
            "app",
            "create",
            APP,
            "--profile",
            "standard_webhooks",
            "--key-file",
            &key,
        ])
        .ok();
    let made = shell.json(&[
        "webhook",
        "create",
        APP,
        "--url",
        &receiver.url,
        "--key-file",
        &key,
    ]);
    let id = made["id"].as_str().unwrap();
    shell
        .ask(&["webhook", "secret", APP, id])
        .refused(1, "seal_broken");
    let opened = shell.json(&["webhook", "secret", APP, id, "--key-file", &key]);
    assert!(opened["secrets"][0].as_str().unwrap().starts_with("whsec_"));
    let next = shell.file("next", "HwABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4=\n");
    let moved = shell.json(&["reseal", "--key-file", &next, "--old-key-file", &key]);
    assert_eq!(moved["sealed_anew"], 1);
    let again = shell.json(&["webhook", "secret", APP, id, "--key-file", &next]);
    assert_eq!(again["secrets"], opened["secrets"]);
    let plain = shell.json(&["reseal", "--old-key-file", &next]);
    assert_eq!(plain["sealed_anew"], 1);
    assert_eq!(
        shell.json(&["webhook", "secret", APP, id])["secrets"],
        opened["secrets"]
    );
    let bad = shell.file("bad", "short");
    let wrong = shell.run(&["stats", "--key-file", &bad]);
    assert_eq!(wrong.code, 1, "{wrong:?}");
}
