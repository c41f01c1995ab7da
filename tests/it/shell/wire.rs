//! Events in from lines, requests checked from files.

use super::super::support::*;
use super::Shell;

#[test]
fn lines_of_json_are_emitted_verbatim_and_a_bad_one_is_named() {
    let shell = Shell::with_app();
    let line = |n: usize| {
        format!("{{\"type\":\"{TYPE}\",\"payload\":{{\"n\": {n}.0}},\"key\":\"k{n}\"}}\n")
    };
    let good: String = (0..1200).map(line).collect();
    let ended = shell
        .feed(&["emit", APP, "--ndjson", "--json"], good.as_bytes())
        .ok();
    assert_eq!(ended.stdout, "{\"emitted\":1200}\n");
    assert_eq!(ended.stderr, "", "no progress bar away from a terminal");
    let newest = shell.ask(&["events", APP, "--limit", "1"]).ok().stdout;
    assert!(newest.contains("\"payload\":{\"n\": 1199.0}"), "{newest}");

    for (bad, code) in [
        (
            "{\"type\":\"user.created\"}\n".to_owned(),
            "invalid_payload",
        ),
        ("not json\n".to_owned(), "invalid_payload"),
        (
            "{\"type\":\"user.unknown\",\"payload\":1}\n".to_owned(),
            "invalid_webhook_event",
        ),
        (
            format!(
                "{{\"type\":\"{TYPE}\",\"payload\":\"{}\"}}\n",
                "x".repeat(300_000)
            ),
            "payload_too_large",
        ),
    ] {
        let before = shell.json(&["stats"])["last_position"].as_i64().unwrap();
        let text = format!(
            "{{\"type\":\"{TYPE}\",\"payload\":1}}\n\n{bad}{{\"type\":\"{TYPE}\",\"payload\":2}}\n"
        );
        let path = shell.file("lines", text);
        let message = shell
            .ask(&["emit", APP, "--ndjson", &path])
            .refused(1, code);
        assert!(message.starts_with("line 3 "), "{message}");
        let after = shell.json(&["events", APP, "--limit", "1"]);
        assert_eq!(
            after["items"][0]["payload"], 1,
            "the line before is stored, the one after is not"
        );
        assert!(shell.json(&["stats"])["last_position"].as_i64().unwrap() > before);
    }
    shell
        .feed(&["emit", APP, TYPE, "-"], b"{\"from\":\"stdin\"}\n")
        .ok();
    shell
        .ask(&["emit", "nobody", "--ndjson", "lines"])
        .refused(3, "app_not_found");
}

#[test]
fn a_received_request_is_verified_from_files() {
    let (shell, receiver) = (Shell::with_app(), Receiver::start());
    shell.webhook(&receiver);
    shell.run(&["emit", APP, TYPE, "{\"a\":1}"]).ok();
    shell.run(&["run", "--until-idle"]).ok();
    let delivery = receiver.wait_for(1).remove(0);
    let mut head = format!("POST {} HTTP/1.1\r\n", delivery.target);
    for (name, value) in &delivery.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    let headers = shell.file("headers", &head);
    let body = shell.file("body", &delivery.body);
    let jwks = shell.file("jwks", shell.run(&["jwks", APP]).ok().stdout);
    let args = [
        "verify",
        "--headers",
        &headers,
        "--body",
        &body,
        "--jwks",
        &jwks,
    ];
    let verified = shell.json(&args);
    assert_eq!(verified["scheme"], "prelude");
    assert_eq!(verified["events"][0]["payload"]["a"], 1);
    assert!(
        shell
            .run(&args)
            .ok()
            .stdout
            .starts_with("Authentic (prelude), 1 events.")
    );
    shell.ask(&args[..5]).refused(2, "usage");

    shell.file("body", [&delivery.body[..], b" "].concat());
    let message = shell.ask(&args).refused(4, "not_authentic");
    assert!(
        message.contains("the signature does not match"),
        "{message}"
    );
    shell.file("headers", "a: b\n");
    shell.ask(&args).refused(4, "not_authentic");
    shell
        .ask(&["verify", "--headers", "absent", "--body", &body])
        .refused(1, "file");

    // The vendor's own vector (contracts.md §2.2): the payload is no JSON, so the signature passes
    // and the envelope does not.
    let tag = "1b2c16b75bd2a870c114153ccda5bcfca63314bc722fa160d690de133ccbb9db";
    let headers = shell.file("fp", format!("fpjs-event-signature: v1={tag}\n"));
    let body = shell.file("data", "data");
    let args = ["verify", "--headers", &headers, "--body", &body, "--secret"];
    let message = shell
        .ask(&[&args[..], &["secret"]].concat())
        .refused(4, "not_authentic");
    assert!(message.contains("envelope"), "{message}");
    let message = shell
        .ask(&[&args[..], &["another"]].concat())
        .refused(4, "not_authentic");
    assert!(message.contains("does not match"), "{message}");
}

#[test]
fn a_standard_webhooks_request_is_verified_with_the_shown_secret() {
    let (shell, receiver) = (Shell::new(), Receiver::start());
    shell
        .run(&["app", "create", APP, "--profile", "standard_webhooks"])
        .ok();
    let made = shell.json(&[
        "webhook",
        "create",
        APP,
        "--url",
        &receiver.url,
        "--all-events",
    ]);
    assert_eq!(made["events"][0], "*");
    let id = made["id"].as_str().unwrap();
    let old = shell
        .run(&["webhook", "secret", APP, id])
        .ok()
        .stdout
        .trim()
        .to_owned();
    shell
        .run(&["webhook", "roll-secret", APP, id, "--keep-previous"])
        .ok();
    let secrets = shell.json(&["webhook", "secret", APP, id]);
    assert_eq!(secrets["secrets"].as_array().unwrap().len(), 2);
    shell.run(&["emit", APP, TYPE, "{}"]).ok();
    shell.run(&["run", "--until-idle"]).ok();
    let delivery = receiver.wait_for(1).remove(0);
    let lines: Vec<_> = delivery
        .headers
        .iter()
        .map(|(n, v)| format!("{n}: {v}"))
        .collect();
    let (headers, body) = (
        shell.file("h", lines.join("\n")),
        shell.file("b", &delivery.body),
    );
    let args = [
        "verify",
        "--headers",
        &headers,
        "--body",
        &body,
        "--secret",
        &old,
    ];
    assert_eq!(shell.json(&args)["scheme"], "standard_webhooks");
    let late = shell
        .ask(&[&args[..], &["--at", "1h"]].concat())
        .refused(4, "not_authentic");
    assert!(late.contains("from now"), "{late}");
}
