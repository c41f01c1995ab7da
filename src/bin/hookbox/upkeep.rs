//! The file itself: `check`, `prune`, `stats`, `backup`.

use std::path::Path;
use std::time::Duration;

use hookbox::clock::{Clock, SystemClock};
use serde::Serialize;

use crate::args::Global;
use crate::boxes;
use crate::failure::{Failure, Outcome};
use crate::output::{Output, cell};

#[derive(Serialize)]
struct Checked<'a> {
    ok: bool,
    faults: &'a [String],
}

pub fn check(global: &Global, out: Output) -> Outcome {
    let faults = boxes::read(global)?.check()?;
    out.result(
        &Checked {
            ok: faults.is_empty(),
            faults: &faults,
        },
        || {
            if faults.is_empty() {
                return "The box is sound.".into();
            }
            let lines: Vec<_> = faults.iter().map(|fault| cell(fault)).collect();
            lines.join("\n")
        },
    )?;
    if faults.is_empty() {
        Ok(())
    } else {
        Err(Failure::Damaged(faults.len()))
    }
}

#[derive(Serialize)]
struct Pruned {
    before: String,
}

pub fn prune(global: &Global, out: Output, older_than: Duration) -> Outcome {
    let before = SystemClock.now().minus(older_than);
    boxes::change(global)?.prune(before)?;
    out.result(
        &Pruned {
            before: before.to_string(),
        },
        || format!("What ended before {before} and is owed to nobody is deleted."),
    )
}

pub fn stats(global: &Global, out: Output) -> Outcome {
    let stats = boxes::read(global)?.stats()?;
    out.result(&stats, || {
        format!(
            "last position  {}\nfile           {} bytes\nwrite-ahead log {} bytes",
            stats.last_position, stats.bytes, stats.wal_bytes
        )
    })
}

#[derive(Serialize)]
struct Resealed {
    sealed_anew: usize,
}

pub fn reseal(global: &Global, out: Output) -> Outcome {
    let sealed_anew = boxes::change(global)?.reseal()?;
    out.result(&Resealed { sealed_anew }, || {
        format!("Sealed {sealed_anew} values anew.")
    })
}

#[derive(Serialize)]
struct BackedUp {
    file: String,
    bytes: u64,
}

pub fn backup(global: &Global, out: Output, to: &Path) -> Outcome {
    boxes::read(global)?.backup(to)?;
    let bytes = std::fs::metadata(to).map_or(0, |file| file.len());
    out.result(
        &BackedUp {
            file: to.display().to_string(),
            bytes,
        },
        || format!("Copied to {} ({bytes} bytes).", to.display()),
    )
}
