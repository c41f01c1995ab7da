//! A limit on the size of files, in a child of its own: emitting fails with a clear error, what was
//! acknowledged is there, and without the limit the box goes on.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use hookbox::model::EventId;
use hookbox::{Error, Options, StorageFault};

use crate::box_of::*;
use crate::run::{Figures, Size, Watchdog, figure};
use crate::support::*;
use crate::system;

const LIMIT: u64 = 400_000;

pub fn part(_: Size) -> Figures {
    let _watchdog = Watchdog::new("limits", Duration::from_secs(60));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("box.db");
    let open = || Options::new().transport(FakeTransport::new()).open(&path);
    open().unwrap().create_app_with(new_app()).unwrap();
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["child", "limits"])
        .arg(&path)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let output = String::from_utf8(output.stdout).unwrap();
    let hooks = open().unwrap();
    let stored = events(&hooks).unwrap();
    let mut acknowledged = 0;
    for id in output.lines().filter_map(|id| EventId::parse(id).ok()) {
        assert!(
            stored.contains_key(&id),
            "{id} was acknowledged and is gone"
        );
        acknowledged += 1;
    }
    assert!(acknowledged > 0);
    hooks.emit(APP, TYPE, "1").unwrap();
    assert_eq!(hooks.check().unwrap(), Vec::<String>::new());
    vec![
        figure("events before the limit", acknowledged),
        figure(
            "refused at it",
            output
                .lines()
                .filter(|line| line.starts_with("refused"))
                .count(),
        ),
    ]
}

pub fn child(arguments: &[String]) {
    let [path] = arguments else {
        panic!("child limits PATH")
    };
    system::limit_file_size(LIMIT);
    let hooks = Options::new()
        .transport(FakeTransport::new())
        .open(Path::new(path))
        .unwrap();
    let mut refused = 0;
    for number in 0.. {
        match hooks.emit(APP, TYPE, payload(number)) {
            Ok(id) => println!("{id}"),
            Err(Error::Storage {
                fault: StorageFault::Full | StorageFault::Io | StorageFault::CommitUnknown,
                message,
            }) => {
                println!("refused: {message}");
                refused += 1;
                if refused == 20 {
                    return;
                }
            }
            Err(error) => panic!("{error:?}"),
        }
    }
}
