//! The `hookbox` shell: the real binary against temporary folders.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::support::*;

/// A folder with a box in it, or not yet.
struct Shell {
    folder: tempfile::TempDir,
}

/// How a command ended.
#[derive(Debug)]
struct Ended {
    code: i32,
    stdout: String,
    stderr: String,
}

impl Ended {
    fn new(output: &Output) -> Self {
        Self {
            code: output.status.code().unwrap(),
            stdout: String::from_utf8(output.stdout.clone()).unwrap(),
            stderr: String::from_utf8(output.stderr.clone()).unwrap(),
        }
    }

    #[track_caller]
    fn ok(self) -> Self {
        assert_eq!(self.code, 0, "{self:?}");
        self
    }

    /// The exit code, and the error's code from `--json`'s object on standard error.
    #[track_caller]
    fn refused(self, exit: i32, code: &str) -> String {
        assert_eq!(self.code, exit, "{self:?}");
        let error: Value = serde_json::from_str(&self.stderr).unwrap();
        assert_eq!(error["code"], code, "{self:?}");
        error["message"].as_str().unwrap().to_owned()
    }
}

impl Shell {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    /// With an app.
    fn with_app() -> Self {
        let shell = Self::new();
        shell.run(&["app", "create", APP]).ok();
        shell
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn db(&self) -> PathBuf {
        self.path("box.db")
    }

    fn file(&self, name: &str, bytes: impl AsRef<[u8]>) -> String {
        std::fs::write(self.path(name), bytes).unwrap();
        self.path(name).to_str().unwrap().to_owned()
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hookbox"));
        command
            .env_remove("HOOKBOX_KEY")
            .env("HOOKBOX_DB", self.db());
        command
            .args(args)
            .args(["--allow-http", "--allow-private", "127.0.0.0/8"]);
        command.current_dir(self.folder.path());
        command
    }

    fn run(&self, args: &[&str]) -> Ended {
        Ended::new(&self.command(args).stdin(Stdio::null()).output().unwrap())
    }

    /// With `--json`.
    fn ask(&self, args: &[&str]) -> Ended {
        self.run(&[args, &["--json"]].concat())
    }

    #[track_caller]
    fn json(&self, args: &[&str]) -> Value {
        serde_json::from_str(&self.ask(args).ok().stdout).unwrap()
    }

    fn feed(&self, args: &[&str], input: &[u8]) -> Ended {
        let mut command = self.command(args);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        Ended::new(&child.wait_with_output().unwrap())
    }

    /// An active webhook.
    fn webhook(&self, receiver: &Receiver) -> String {
        let args = [
            "webhook",
            "create",
            APP,
            "--url",
            &receiver.url,
            "--token",
            "t",
            "--event",
            TYPE,
        ];
        let id = self.json(&args)["id"].as_str().unwrap().to_owned();
        self.run(&["webhook", "activate", APP, &id]).ok();
        id
    }
}

fn count(listing: &Value) -> usize {
    listing["items"].as_array().unwrap().len()
}

#[test]
fn from_registration_to_the_record_of_a_delivery() {
    let (shell, receiver) = (Shell::with_app(), Receiver::start());
    let args = [
        "webhook",
        "create",
        APP,
        "--url",
        &receiver.url,
        "--token",
        "t",
        "--event",
        TYPE,
    ];
    let created = shell.ask(&args).ok().stdout;
    // The vendor's eight first, in the vendor's order.
    let names = [
        "id",
        "url",
        "events",
        "active",
        "last_http_code",
        "last_http_code_date",
        "created_at",
        "updated_at",
        "app_id",
    ];
    let places: Vec<_> = names
        .iter()
        .map(|name| created.find(&format!("\"{name}\":")))
        .collect();
    assert!(
        places.iter().all(Option::is_some) && places.is_sorted(),
        "{created}"
    );
    let webhook: Value = serde_json::from_str(&created).unwrap();
    assert_eq!(webhook["last_http_code"], 0);
    assert_eq!(webhook["last_http_code_date"], "0001-01-01T00:00:00Z");
    assert_eq!(webhook["active"], false);
    let id = webhook["id"].as_str().unwrap();
    assert_eq!(
        shell.json(&["webhook", "activate", APP, id])["active"],
        true
    );

    receiver.answer_with([500]);
    shell
        .run(&["webhook", "update", APP, id, "--retry", "200ms,200ms"])
        .ok();
    let event = shell.json(&["emit", APP, TYPE, "{ \"user_id\" : 1.50 }", "--key", "k"]);
    let again = shell.json(&["emit", APP, TYPE, "{}", "--key", "k"]);
    assert_eq!(event["id"], again["id"]);
    let ran = shell.json(&["run", "--until-idle", "--workers", "2", "--wait", "10s"]);
    assert_eq!(ran["attempts"], 2);
    let bodies = receiver.deliveries();
    assert_eq!(bodies.len(), 2);
    assert_eq!(bodies[0].body, bodies[1].body);

    let attempts = shell.json(&["attempts", APP, "--webhook", id]);
    assert_eq!(count(&attempts), 2);
    assert_eq!(attempts["items"][0]["http_status"], 200);
    assert_eq!(attempts["items"][1]["http_status"], 500);
    assert!(
        attempts["items"][0]["started_at"]
            .as_str()
            .unwrap()
            .ends_with('Z')
    );
    let batches = shell.json(&["batches", APP, "--status", "delivered"]);
    let batch = batches["items"][0]["id"].as_str().unwrap();
    assert_eq!(count(&shell.json(&["attempts", APP, "--batch", batch])), 2);
    let events = shell.ask(&["events", APP, "--type", TYPE]).ok().stdout;
    assert!(
        events.contains("\"payload\":{ \"user_id\" : 1.50 }"),
        "{events}"
    );
    let story = shell.json(&["explain", event["id"].as_str().unwrap()]);
    assert_eq!(story["batches"][0]["batch"]["id"], batch);
    let told = shell.run(&["explain", batch]).ok().stdout;
    assert!(told.contains("was delivered at"), "{told}");
    let backlog = shell.json(&["backlog", APP]);
    assert_eq!(backlog["items"][0]["events_owed"], 0);
    assert_eq!(backlog["items"][0]["health"]["consecutive_failures"], 0);
    assert_eq!(
        shell.json(&["webhook", "get", APP, id])["last_http_code"],
        200
    );

    assert_eq!(shell.json(&["resend", APP, batch])["status"], "waiting");
    assert_eq!(shell.json(&["cancel", APP, batch])["status"], "cancelled");
    assert_eq!(
        shell.json(&["replay", APP, id, "--since", "1h"])["positions"],
        1
    );
    assert_eq!(shell.json(&["run", "--until-idle"])["attempts"], 1);
    assert_eq!(shell.json(&["check"])["ok"], true);
    assert_eq!(shell.json(&["stats"])["last_position"], 1);
    shell.run(&["prune", "--older-than", "1d"]).ok();
}

#[test]
fn pages_go_on_where_the_one_before_ended() {
    let shell = Shell::with_app();
    for number in ["1", "2", "3"] {
        shell.run(&["emit", APP, TYPE, number]).ok();
    }
    let first = shell.json(&["events", APP, "--limit", "2"]);
    let cursor = first["next_cursor"].as_str().unwrap();
    let second = shell.json(&["events", APP, "--limit", "2", "--cursor", cursor]);
    assert_eq!((count(&first), count(&second)), (2, 1));
    assert_eq!(second["items"][0]["payload"], 1);
    assert!(second["next_cursor"].is_null());
    assert!(
        shell
            .run(&["events", APP, "--limit", "2"])
            .ok()
            .stdout
            .contains("(more: --cursor")
    );
}

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

#[test]
fn looking_changes_nothing_and_creates_nothing() {
    let (shell, receiver) = (Shell::with_app(), Receiver::start());
    let id = shell.webhook(&receiver);
    let event = shell.json(&["emit", APP, TYPE, "{}"])["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let commands: [&[&str]; 12] = [
        &["app", "list"],
        &["webhook", "list", APP],
        &["webhook", "get", APP, &id],
        &["event-type", "list"],
        &["key", "list", APP],
        &["jwks", APP],
        &["events", APP],
        &["batches", APP],
        &["attempts", APP],
        &["backlog", APP],
        &["explain", &event],
        &["stats"],
    ];
    let before = std::fs::read(shell.db()).unwrap();
    for command in commands.into_iter().chain([&["check"][..]]) {
        shell.run(command).ok();
        assert!(std::fs::read(shell.db()).unwrap() == before, "{command:?}");
        let mut absent = command.to_vec();
        absent.extend(["--db", "absent.db"]);
        assert_eq!(shell.run(&absent).code, 5, "{command:?}");
    }
    // Nor does a change to a box that is not there.
    shell
        .ask(&["emit", APP, TYPE, "{}", "--db", "absent.db"])
        .refused(5, "storage_io");
    let names: Vec<_> = std::fs::read_dir(shell.folder.path())
        .unwrap()
        .flatten()
        .collect();
    assert!(
        names
            .iter()
            .all(|entry| !entry.path().ends_with("absent.db")),
        "{names:?}"
    );
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
        .refused(1, "file");
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
    let bad = shell.file("bad", "short");
    let wrong = shell.run(&["stats", "--key-file", &bad]);
    assert_eq!(wrong.code, 1, "{wrong:?}");
}

#[test]
fn the_demo_does_what_it_says() {
    let shell = Shell::new();
    let told = shell.run(&["demo"]).ok().stdout;
    assert!(told.contains("Every step did what it says."), "{told}");
    assert_eq!(shell.json(&["demo"])["attempts"], 4);
    assert_eq!(std::fs::read_dir(shell.folder.path()).unwrap().count(), 0);
}

#[cfg(unix)]
#[test]
fn a_signal_stops_the_run_with_a_drain() {
    let (shell, receiver) = (Shell::with_app(), Receiver::start());
    shell.webhook(&receiver);
    let mut command = shell.command(&["run", "--json"]);
    let child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    shell.run(&["emit", APP, TYPE, "{}"]).ok();
    receiver.wait_for(1);
    let began = Instant::now();
    let pid = child.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-TERM", &pid])
            .status()
            .unwrap()
            .success()
    );
    let ended = Ended::new(&child.wait_with_output().unwrap()).ok();
    assert!(began.elapsed() < Duration::from_secs(10));
    assert!(
        ended.stdout.contains("\"stopped_by_signal\":true"),
        "{ended:?}"
    );
    assert_eq!(
        shell.json(&["batches", APP])["items"][0]["status"],
        "delivered"
    );
}

#[cfg(unix)]
#[test]
fn a_reader_that_left_is_no_error() {
    let shell = Shell::with_app();
    let mut command = shell.command(&["event-type", "list"]);
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let ended = Ended::new(
        &command
            .stdout(writer)
            .stderr(Stdio::piped())
            .output()
            .unwrap(),
    );
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""));
}

#[test]
fn the_sqlite_shell_emits_and_is_refused_in_words() {
    let sqlite = |db: &Path, sql: &str| {
        Command::new("sqlite3")
            .arg(db)
            .arg(sql)
            .output()
            .map(|output| Ended::new(&output))
    };
    let (shell, receiver) = (Shell::with_app(), Receiver::start());
    let Ok(version) = sqlite(Path::new(":memory:"), "SELECT sqlite_version()") else {
        eprintln!("skipped: no sqlite3 shell");
        return;
    };
    eprintln!("sqlite3 {}", version.stdout.trim());
    shell.webhook(&receiver);
    let insert = |app: &str, kind: &str, payload: &str| {
        let sql = format!(
            "INSERT INTO hookbox_event(app_id, type, payload) VALUES ('{app}', '{kind}', '{payload}')"
        );
        sqlite(&shell.db(), &sql).unwrap()
    };
    insert(APP, TYPE, "{\"by\": \"sql\"}").ok();
    for (app, kind, payload, words) in [
        ("nobody", TYPE, "{}", "app_not_found"),
        (APP, "user.unknown", "{}", "invalid_webhook_event"),
        (APP, TYPE, "{", "invalid_payload"),
    ] {
        let refused = insert(app, kind, payload);
        assert!(
            refused.code != 0 && refused.stderr.contains(words),
            "{refused:?}"
        );
    }
    assert_eq!(shell.json(&["run", "--until-idle"])["attempts"], 1);
    let body = String::from_utf8(receiver.wait_for(1).remove(0).body).unwrap();
    assert!(body.contains("\"payload\":{\"by\": \"sql\"}"), "{body}");
}
