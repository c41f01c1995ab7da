//! The whole way, and how the process behaves.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::super::support::*;
use super::{Ended, Shell, count};

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
