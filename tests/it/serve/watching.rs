//! `/healthz`, `/metrics` and the log.

use super::process::Process;
use super::*;
use crate::support::{APP, Exposed, Receiver, TYPE};

fn metrics(client: &mut Client) -> Exposed {
    let answer = client.ask(get("/metrics"));
    assert_eq!(answer.status, 200);
    let kind = "text/plain; version=0.0.4; charset=utf-8";
    assert_eq!(answer.header("content-type"), Some(kind));
    Exposed::read(&answer.body)
}

#[test]
fn a_served_box_is_well_and_its_metrics_say_what_it_did() {
    let endpoint = Receiver::start();
    let mut process = Process::with_webhook(&endpoint, &[]);
    let mut client = process.client();
    let health = client.ask(get("/healthz"));
    assert_eq!(
        (health.status, health.body.as_str()),
        (200, "{\"status\":\"ok\"}\n")
    );
    client.send("HEAD /healthz HTTP/1.1\r\nhost: x\r\n\r\n");
    assert_eq!(client.head().status, 200);
    assert_eq!(client.ask(post("/healthz", "")).status, 405);
    let before = metrics(&mut client);
    assert_eq!(before.get("hookbox_events_delivered_total", &[]), 0.0);
    assert_eq!(before.get("hookbox_engine_running", &[]), 1.0);

    // Emitted by another process: delivered and seen here all the same.
    process.ask(&["emit", APP, TYPE, "{}"]);
    endpoint.wait_for(1);
    let begun = std::time::Instant::now();
    let after = loop {
        let after = metrics(&mut client);
        if after.get("hookbox_batches_claimed", &[]) == 0.0
            && after.get("hookbox_events_delivered_total", &[]) == 1.0
        {
            break after;
        }
        assert!(begun.elapsed() < PATIENCE, "{after:?}");
    };
    assert_eq!(
        after.get("hookbox_attempt_duration_seconds_count", &[]),
        1.0
    );
    assert_eq!(after.get("hookbox_delivery_lag_seconds_count", &[]), 1.0);
    assert_eq!(after.get("hookbox_log_position", &[]), 1.0);
    assert_eq!(after.get("hookbox_http_connections", &[]), 1.0);
    assert_eq!(
        after.get("hookbox_http_requests_total", &[("status", "4xx")]),
        1.0
    );
    assert!(after.get("hookbox_http_requests_total", &[("status", "2xx")]) >= 3.0);
    drop(client);
    process.end();
}

/// With an address of their own, nothing of them is left on the other.
#[test]
fn what_watches_can_listen_elsewhere() {
    let mut process = Process::start(&["--metrics-listen", "127.0.0.1:0"]);
    let mut apart = Client::connect(process.metrics_listen.unwrap());
    metrics(&mut apart);
    assert_eq!(apart.ask(get("/healthz")).status, 200);
    assert_eq!(apart.ask(get("/v2/session/apps")).status, 404);
    let mut api = process.client();
    for path in ["/metrics", "/healthz"] {
        assert_ne!(api.ask(get(path)).status, 200);
    }
    drop((apart, api));
    process.end();
}

/// A line for each request, with what an operator needs and nothing that is secret.
#[test]
fn the_log_has_a_line_for_each_request() {
    let mut process = Process::start(&["--head-time", "500ms"]);
    let mut client = process.client();
    let secret = "POST /x?key=s3cret HTTP/1.1\r\nhost: x\r\nauthorization: Bearer s3cret\r\ncontent-length: 6\r\n\r\ns3cret";
    let status = client.ask(secret).status;
    let line = process.line("request");
    assert_eq!(line["path"], "/x");
    assert_eq!(
        (&line["method"], &line["status"]),
        (&"POST".into(), &status.into())
    );
    assert_eq!(line["bytes_in"], 6);
    let peer = client.stream().local_addr().unwrap().to_string();
    assert_eq!(line["peer"], peer);
    assert!(line["at"].as_str().unwrap().ends_with('Z') && line["micros"].is_u64());
    assert!(!line.to_string().contains("s3cret"), "{line}");
    let mut slow = process.client();
    slow.send("GET");
    slow.closed();
    assert_eq!(
        process.line("cut")["reason"],
        "the head did not come in time"
    );
    process.end();
    let rest = process.rest();
    assert_eq!(rest.last().unwrap()["log"], "stopped", "{rest:?}");
}

#[test]
fn a_quiet_log_leaves_the_requests_out() {
    let mut process = Process::start(&["--quiet"]);
    let mut client = process.client();
    client.ask(get("/healthz"));
    drop(client);
    process.end();
    let rest = process.rest();
    assert_eq!(rest.len(), 1, "{rest:?}");
    assert_eq!(
        (&rest[0]["log"], &rest[0]["drained"]),
        (&"stopped".into(), &true.into())
    );
}

/// A reader of the log that takes nothing holds up no request.
#[test]
fn nobody_waits_for_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let mut shell = std::process::Command::new(env!("CARGO_BIN_EXE_hookbox"));
    shell.env("HOOKBOX_DB", folder.path().join("box.db"));
    assert!(
        shell
            .args(["app", "create", APP, "--json"])
            .output()
            .unwrap()
            .status
            .success()
    );
    let mut shell = std::process::Command::new(env!("CARGO_BIN_EXE_hookbox"));
    let mut child = shell
        .env("HOOKBOX_DB", folder.path().join("box.db"))
        .args(["serve", "--listen", "127.0.0.1:0"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut stdout = std::io::BufReader::new(child.stdout.take().unwrap());
    std::io::BufRead::read_line(&mut stdout, &mut line).unwrap();
    let address = line.trim().strip_prefix("Listening on http://").unwrap();
    let mut client = Client::connect(address.parse().unwrap());
    // Far more than the pipe and the queue of lines hold.
    for _ in 0..100 {
        client.send(get(&format!("/{}", "a".repeat(250))).repeat(100));
        for _ in 0..100 {
            client.answer();
        }
    }
    drop(client);
    let id = child.id().to_string();
    let sent = std::process::Command::new("kill")
        .args(["-s", "TERM", &id])
        .status();
    assert!(sent.unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}
