//! The `hookbox` shell: the real binary against temporary folders.

mod api_keys;
mod registry;
mod story;
mod wire;

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

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
