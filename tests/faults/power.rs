//! Power cuts. One life of a box is recorded, write by write; then, for each moment of it, the
//! files as a power cut may leave them: what was synced, and of everything else any part, torn at
//! any sector.
//!
//! Each such state must open, be whole, and hold everything that was acknowledged before the cut.
//! The planted run leaves out the syncs of the write-ahead log, as `synchronous = NORMAL` would: it must
//! lose events, or this test sees nothing.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use hookbox::clock::Prng;

use crate::run::{Figures, Size, Watchdog, below, figure};
use crate::scenario::{SQLITE, STEPS, Told, World};
use crate::vfs::{self, Record};

/// Bytes that a disk writes whole or not at all.
const SECTOR: usize = 512;

const FILE: &str = "box.db";

pub fn part(size: Size) -> Figures {
    let mut chance = size.chance();
    let (log, told) = life();
    let (mut states, mut cuts) = (0, 0);
    let mut disk = Disk::new();
    let mut known = Told::default();
    for (at, record) in log.iter().enumerate() {
        if size.full || below(&mut chance, log.len()) < 60 {
            cuts += 1;
            for _ in 0..size.pick(6, 2) {
                let result = check(&disk.cut(&mut chance), &known);
                assert_eq!(result, Ok(()), "cut before {at}: {record:?}");
                states += 1;
            }
        }
        disk.apply(record, true);
        if let Record::Mark(number) = record {
            known = told[*number].clone();
        }
    }
    vec![
        figure("cuts", cuts),
        figure("states checked", states),
        figure("lost", 0),
    ]
}

/// The same without the syncs of the log, which must be noticed.
pub fn planted(size: Size) -> Figures {
    let mut chance = size.chance();
    let (log, told) = life();
    let (mut states, mut lost) = (0, 0);
    let mut disk = Disk::new();
    let mut known = Told::default();
    for record in &log {
        if size.full || below(&mut chance, log.len()) < 60 {
            states += 1;
            lost += u64::from(check(&disk.cut(&mut chance), &known).is_err());
        }
        disk.apply(record, false);
        if let Record::Mark(number) = record {
            known = told[*number].clone();
        }
    }
    assert!(
        lost > 0,
        "a disk that loses acknowledged events was not noticed"
    );
    vec![
        figure("states checked", states),
        figure("losses noticed without syncs of the log", lost),
    ]
}

/// The files as a power cut left them, and what was told before it.
pub struct Cut {
    pub files: BTreeMap<String, Vec<u8>>,
    pub told: Told,
}

/// So many power cuts, from all over a box's life.
pub fn cuts(count: usize, chance: &mut Prng) -> Vec<Cut> {
    let (log, told) = life();
    let first = below(chance, log.len());
    let (mut disk, mut known) = (Disk::new(), Told::default());
    let mut cuts = Vec::new();
    for (at, record) in log.iter().enumerate() {
        if at == (cuts.len() * log.len() + first) / count {
            cuts.push(Cut {
                files: disk.cut(chance),
                told: known.clone(),
            });
        }
        disk.apply(record, true);
        if let Record::Mark(number) = record {
            known = told[*number].clone();
        }
    }
    cuts
}

/// A box's life, and what it had told at each mark.
fn life() -> (Vec<Record>, Vec<Told>) {
    vfs::install();
    vfs::disarm();
    let folder = tempfile::tempdir().unwrap();
    let mut world = World::new(SQLITE, &folder.path().join(FILE));
    let mut told = Vec::new();
    vfs::record();
    for (_, step) in STEPS {
        step(&mut world).unwrap();
        told.push(world.told.clone());
        vfs::mark(told.len() - 1);
    }
    world.close();
    (vfs::recorded(), told)
}

fn check(files: &BTreeMap<String, Vec<u8>>, told: &Told) -> Result<(), String> {
    let _watchdog = Watchdog::new("after a power cut", Duration::from_secs(60));
    let folder = tempfile::tempdir().unwrap();
    let mut world = found(files, told, folder.path());
    world.verify()
}

/// A box that finds its files so, in a folder, and was told this before.
pub fn found(files: &BTreeMap<String, Vec<u8>>, told: &Told, folder: &Path) -> World {
    for (name, content) in files {
        std::fs::write(folder.join(name), content).unwrap();
    }
    let mut world = World::new(SQLITE, &folder.join(FILE));
    world.told = told.clone();
    world
}

/// A file as the disk has it, and what the system has not written yet.
#[derive(Debug, Clone, Default)]
struct Inode {
    synced: Vec<u8>,
    pending: Vec<Pending>,
    /// Its name was never synced.
    is_new: bool,
}

#[derive(Debug, Clone)]
enum Pending {
    Write(usize, Vec<u8>),
    Truncate(usize),
}

/// The folder: names now, and names as the disk has them, of files by number.
struct Disk {
    files: Vec<Inode>,
    names: BTreeMap<String, usize>,
    synced_names: BTreeMap<String, usize>,
}

impl Disk {
    /// With the empty file that hookbox makes, and syncs the name of, before SQLite sees it.
    fn new() -> Self {
        let names = BTreeMap::from([(FILE.to_owned(), 0)]);
        Self {
            files: vec![Inode::default()],
            synced_names: names.clone(),
            names,
        }
    }

    fn apply(&mut self, record: &Record, syncs_log: bool) {
        match record {
            Record::Open(name) => {
                if !name.is_empty() && !self.names.contains_key(name) {
                    self.names.insert(name.clone(), self.files.len());
                    let is_new = true;
                    self.files.push(Inode {
                        is_new,
                        ..Inode::default()
                    });
                }
            }
            Record::Write(name, at, data) => self.add(name, Pending::Write(*at, data.clone())),
            Record::Truncate(name, size) => self.add(name, Pending::Truncate(*size)),
            Record::Sync(name) if syncs_log || !name.ends_with("-wal") => {
                if let Some(number) = self.names.get(name) {
                    let file = &mut self.files[*number];
                    for pending in std::mem::take(&mut file.pending) {
                        pending.write_to(&mut file.synced);
                    }
                    // SQLite syncs the folder with the first sync of a file that it made.
                    if std::mem::take(&mut file.is_new) {
                        self.synced_names.clone_from(&self.names);
                    }
                }
            }
            Record::Delete(name, synced) => {
                self.names.remove(name);
                if *synced {
                    self.synced_names.clone_from(&self.names);
                }
            }
            Record::Sync(_) | Record::Mark(_) => {}
        }
    }

    fn add(&mut self, name: &str, pending: Pending) {
        if let Some(number) = self.names.get(name) {
            self.files[*number].pending.push(pending);
        }
    }

    /// The files as they may be found afterwards.
    fn cut(&self, chance: &mut Prng) -> BTreeMap<String, Vec<u8>> {
        let mut found = BTreeMap::new();
        // One cut in four leaves only what was synced, one all of it.
        let mood = below(chance, 4);
        let all_names = self.names.keys().chain(self.synced_names.keys());
        for name in all_names {
            let (now, synced) = (self.names.get(name), self.synced_names.get(name));
            let kept = if below(chance, 2) == 0 { now } else { synced };
            if let Some(number) = kept {
                found.insert(name.clone(), self.files[*number].cut(mood, chance));
            }
        }
        found
    }
}

impl Inode {
    fn cut(&self, mood: usize, chance: &mut Prng) -> Vec<u8> {
        let mut content = self.synced.clone();
        for pending in &self.pending {
            match (mood, below(chance, 3)) {
                (0, _) | (2 | 3, 0) => {}
                (1, _) | (2 | 3, 1) => pending.write_to(&mut content),
                _ => pending.tear_to(&mut content, chance),
            }
        }
        content
    }
}

impl Pending {
    fn write_to(&self, content: &mut Vec<u8>) {
        match self {
            Self::Write(at, data) => {
                if content.len() < at + data.len() {
                    content.resize(at + data.len(), 0);
                }
                content[*at..at + data.len()].copy_from_slice(data);
            }
            Self::Truncate(size) => content.resize(*size, 0),
        }
    }

    /// Some of its sectors.
    fn tear_to(&self, content: &mut Vec<u8>, chance: &mut Prng) {
        let Self::Write(at, data) = self else {
            return self.write_to(content);
        };
        let mut from = 0;
        while from < data.len() {
            let until = data.len().min((at + from) / SECTOR * SECTOR + SECTOR - at);
            if below(chance, 2) == 0 {
                Self::Write(at + from, data[from..until].to_vec()).write_to(content);
            }
            from = until;
        }
    }
}
