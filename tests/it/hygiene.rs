//! The architecture, kept.
//!
//! Goal: what the design says of the code stays true. Method: the sources are read, comments and
//! test modules left out, and held against the rules.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The layers, the lowest first. A module may use those before it, and what is named beside it is
/// out of its bounds all the same.
const LAYERS: [(&str, &[&str]); 13] = [
    ("sync", &[]),
    ("error", &[]),
    ("process", &[]),
    ("model", &[]),
    ("clock", &["machine"]),
    ("machine", &["clock"]),
    ("storage", &["transport", "signing"]),
    ("transport", &["storage", "signing", "machine"]),
    ("signing", &["transport"]),
    ("verify", &["storage", "transport", "machine"]),
    ("registry", &[]),
    ("metrics", &["transport", "signing", "registry"]),
    ("delivery", &["registry"]),
];

/// Words that may stand in these places only.
const CONFINED: [(&str, &[&str]); 16] = [
    ("shuttle", &["src/sync/"]),
    ("ureq", &["src/transport/"]),
    ("rustls", &["src/transport/", "src/storage/postgres/"]),
    ("tokio_postgres_rustls", &["src/storage/postgres/"]),
    (
        "rusqlite",
        &[
            "src/storage/sqlite/",
            "src/hookbox/log.rs",
            "src/ffi/events.rs",
            "src/ffi/version.rs",
        ],
    ),
    ("redb", &["src/storage/kv/", "src/storage/mod.rs"]),
    ("self_cell", &["src/storage/kv/redb.rs"]),
    ("hyper", &["src/bin/hookbox/serve/server/"]),
    ("tokio", &["src/bin/hookbox/serve/server/"]),
    ("SystemTime::now", &["src/clock.rs"]),
    ("Instant::now", &["src/clock.rs"]),
    ("getrandom", &["src/clock.rs"]),
    ("unsafe", &["src/ffi/"]),
    ("todo!", &[]),
    ("unimplemented!", &[]),
    ("dbg!", &[]),
];

/// Known exceptions, each with its reason.
const EXCEPTIONS: [(&str, &str); 1] = [
    // The lint that forbids it.
    ("src/lib.rs", "unsafe"),
];

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Every source file with its path from the root and its text.
fn all(folder: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    sources(&root().join(folder), &mut found);
    found.sort();
    assert!(found.len() > 10);
    let read = |path: PathBuf| {
        let name = path
            .strip_prefix(root())
            .unwrap()
            .to_str()
            .unwrap()
            .to_owned();
        (name, std::fs::read_to_string(path).unwrap())
    };
    found.into_iter().map(read).collect()
}

/// The code of a file: no comments, nothing from its tests on, no strings' insides needed.
fn code(text: &str) -> String {
    let end = text.find("#[cfg(test)]\nmod tests {").unwrap_or(text.len());
    let lines = text[..end].lines().map(|line| {
        let comment = line.find("//").filter(|at| !line[..*at].contains('"'));
        &line[..comment.unwrap_or(line.len())]
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn is_test_file(name: &str) -> bool {
    name.ends_with("tests.rs")
}

/// Whether a word stands in the text by itself.
fn names(text: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(word).any(|(at, _)| {
        !text[..at].ends_with(is_part) && !text[at + word.len()..].starts_with(is_part)
    })
}

/// The modules of this crate that a text names.
fn used(text: &str) -> BTreeSet<&str> {
    let paths = text.match_indices("crate::").map(|(at, _)| &text[at + 7..]);
    paths
        .map(|rest| {
            let end = rest
                .find(|c: char| !(c.is_alphanumeric() || c == '_'))
                .unwrap_or(rest.len());
            &rest[..end]
        })
        .collect()
}

#[test]
fn every_module_uses_only_the_layers_below_it() {
    let order: Vec<&str> = LAYERS
        .iter()
        .map(|(layer, _)| *layer)
        .chain(["hookbox", "api"])
        .collect();
    for (name, text) in all("src") {
        let module = name["src/".len()..]
            .split(['/', '.'])
            .next()
            .unwrap()
            .to_owned();
        let Some(height) = order.iter().position(|layer| *layer == module) else {
            assert!(
                ["lib", "bin", "ffi", "testing"].contains(&module.as_str()),
                "{name}: which layer?"
            );
            continue;
        };
        if is_test_file(&name) {
            continue;
        }
        let forbidden = LAYERS
            .get(height)
            .map_or(&[][..], |(_, forbidden)| *forbidden);
        let code = code(&text);
        for other in used(&code) {
            let Some(of_other) = order.iter().position(|layer| *layer == other) else {
                continue;
            };
            // The error type and the plain data know each other.
            let is_base = ["error", "model"].contains(&other);
            assert!(
                of_other <= height || is_base,
                "{name} uses {other}, which is above it"
            );
            assert!(!forbidden.contains(&other), "{name} uses {other}");
        }
    }
}

#[test]
fn words_stay_where_they_belong() {
    for (name, text) in all("src") {
        if is_test_file(&name) {
            continue;
        }
        let code = code(&text);
        for (word, places) in CONFINED {
            let is_excepted = EXCEPTIONS
                .iter()
                .any(|(place, what)| name.starts_with(place) && *what == word);
            let is_home = places.iter().any(|place| name.starts_with(place));
            assert!(
                is_home || is_excepted || !names(&code, word),
                "{name} names `{word}`"
            );
        }
    }
}

/// Under `shuttle` one thread of the system runs them all: a lock of another kind would stop it for good.
#[test]
fn what_shuttle_runs_takes_its_locks_from_one_place() {
    let run = [
        "src/delivery/",
        "src/hookbox/",
        "src/storage/commit.rs",
        "src/storage/kv/memory.rs",
        "src/storage/outbox/",
    ];
    let others = [
        "Mutex", "RwLock", "Condvar", "Barrier", "mpsc", "atomic", "thread",
    ];
    for (name, text) in all("src") {
        if !run.iter().any(|place| name.starts_with(place)) {
            continue;
        }
        let code = code(&text);
        let of_std = |line: &&str| line.contains("std::sync") || line.contains("std::thread");
        for line in code.lines().filter(of_std) {
            let other = others.iter().find(|word| names(line, word));
            assert_eq!(other, None, "{name}: {line}");
        }
    }
}

/// Tests that stand between SQLite and the disk, or fork, cannot do without.
#[test]
fn tests_are_safe_but_for_two_files() {
    for (name, text) in all("tests") {
        let may = ["tests/faults/vfs.rs", "tests/faults/system.rs"].contains(&name.as_str());
        let is = text.contains("unsafe {") || text.contains("unsafe extern");
        assert!(
            may || !is || name == "tests/it/hygiene.rs",
            "{name} has unsafe code"
        );
    }
}

/// The check above is worth nothing if it does not see.
#[test]
fn the_rules_would_be_noticed() {
    assert!(names("let x = unsafe { 1 };", "unsafe") && !names("unsafe_code", "unsafe"));
    assert_eq!(code("a // unsafe\n#[cfg(test)]\nmod tests {\nunsafe"), "a ");
    let found = used("use crate::model::{A, B};\ncrate::clock::now()");
    assert_eq!(found, BTreeSet::from(["clock", "model"]));
    let (_, log) = all("src")
        .into_iter()
        .find(|(name, _)| name == "src/hookbox/log.rs")
        .unwrap();
    assert!(names(&code(&log), "rusqlite"));
}

#[test]
fn files_are_short_and_each_belongs_to_a_module() {
    for folder in ["src", "tests"] {
        let files = all(folder);
        for (name, text) in &files {
            assert!(
                text.lines().count() <= 500,
                "{name} has more than 500 lines"
            );
            let path = Path::new(name);
            let stem = path.file_stem().unwrap().to_str().unwrap();
            let parent = path.parent().unwrap();
            if ["lib", "main"].contains(&stem) {
                continue;
            }
            let (module, above) = if stem == "mod" {
                (
                    parent.file_name().unwrap().to_str().unwrap(),
                    parent.parent().unwrap(),
                )
            } else {
                (stem, parent)
            };
            let is_declared = files.iter().any(|(other, text)| {
                let other = Path::new(other);
                let near = other.parent() == Some(above) || other.with_extension("") == above;
                let plain = format!("mod {module};");
                near && (text.contains(&plain) || text.contains(&format!("\"{stem}.rs\"")))
            });
            assert!(is_declared, "{name} is declared by nobody");
        }
    }
}
