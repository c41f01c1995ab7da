//! The binary as a process, on ports that the system chooses.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};

use serde_json::Value;

use super::PATIENCE;
use super::client::Client;
use crate::support::{APP, Receiver as Endpoint, TYPE};

/// A box in a folder, served.
pub struct Process {
    pub folder: tempfile::TempDir,
    child: Child,
    pub listen: SocketAddr,
    pub metrics_listen: Option<SocketAddr>,
    /// The log after its first line.
    lines: Receiver<Value>,
}

impl Process {
    /// With an app and these arguments.
    pub fn start(args: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        command(&folder, &["app", "create", APP]);
        Self::start_in(folder, args)
    }

    /// With a webhook, too.
    pub fn with_webhook(endpoint: &Endpoint, args: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        command(&folder, &["app", "create", APP]);
        let created = [
            "webhook",
            "create",
            APP,
            "--url",
            &endpoint.url,
            "--token",
            "t",
        ];
        // As long as a test may hold back an answer.
        let more = ["--event", TYPE, "--timeout", "60s"];
        let created = command(&folder, &[&created[..], &more].concat());
        command(
            &folder,
            &["webhook", "activate", APP, created["id"].as_str().unwrap()],
        );
        Self::start_in(folder, args)
    }

    fn start_in(folder: tempfile::TempDir, args: &[&str]) -> Self {
        let mut child = shell(&folder)
            .args(["serve", "--listen", "127.0.0.1:0"])
            .args(args)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = read_lines(child.stderr.take().unwrap());
        let started = lines.recv_timeout(PATIENCE).unwrap();
        assert_eq!(started["log"], "started", "{started}");
        let address = |name: &str| started[name].as_str().map(|text| text.parse().unwrap());
        Self {
            listen: address("listen").unwrap(),
            metrics_listen: address("metrics_listen"),
            folder,
            child,
            lines,
        }
    }

    pub fn client(&self) -> Client {
        Client::connect(self.listen)
    }

    /// Runs another command on the same box.
    #[track_caller]
    pub fn ask(&self, args: &[&str]) -> Value {
        command(&self.folder, args)
    }

    /// The next line of the log of this kind.
    #[track_caller]
    pub fn line(&self, log: &str) -> Value {
        loop {
            let line = self.lines.recv_timeout(PATIENCE).expect(log);
            if line["log"] == log {
                return line;
            }
        }
    }

    /// What is left of the log, once the process has ended.
    pub fn rest(&self) -> Vec<Value> {
        self.lines.iter().collect()
    }

    pub fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args(["-s", name, &id]).status();
        assert!(sent.unwrap().success());
    }

    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    pub fn ended(&mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }

    /// Sends the signal that ends it, and waits.
    #[track_caller]
    pub fn end(&mut self) {
        self.signal("TERM");
        assert_eq!(self.ended().code(), Some(0));
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Ended already, unless a test failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn shell(folder: &tempfile::TempDir) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hookbox"));
    command
        .env_remove("HOOKBOX_KEY")
        .env("HOOKBOX_DB", folder.path().join("box.db"))
        .args(["--json", "--allow-http", "--allow-private", "127.0.0.0/8"]);
    command
}

#[track_caller]
fn command(folder: &tempfile::TempDir, args: &[&str]) -> Value {
    let output = shell(folder).args(args).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Reads each line as JSON; on a thread, so that a wait for one can end.
fn read_lines(stderr: ChildStderr) -> Receiver<Value> {
    let (sender, lines) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            let parsed = serde_json::from_str(&line);
            let parsed = parsed.unwrap_or(Value::String(line));
            if sender.send(parsed).is_err() {
                return;
            }
        }
    });
    lines
}
