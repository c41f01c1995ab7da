//! The group commit: each thread gets its own result, and one write's failure is its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::storage::commit::CommitQueue;
use crate::storage::file;
use crate::storage::sqlite::open::Location;

fn queue(folder: &tempfile::TempDir) -> (Arc<CommitQueue<Connection>>, Arc<AtomicUsize>) {
    let location = Location::new(&folder.path().join("a.db")).unwrap();
    file::create(location.path()).unwrap();
    let connects = Arc::new(AtomicUsize::new(0));
    let counted = connects.clone();
    let connect = move || {
        counted.fetch_add(1, Ordering::SeqCst);
        location.writer()
    };
    let queue = CommitQueue::new(Box::new(connect)).unwrap();
    queue
        .write(|db| {
            db.execute_batch("CREATE TABLE t (n INTEGER PRIMARY KEY)")?;
            Ok(())
        })
        .unwrap();
    (Arc::new(queue), connects)
}

fn insert(db: &Connection, n: i64) -> Result<i64> {
    db.execute("INSERT INTO t VALUES (?1)", (n,))?;
    Ok(n)
}

fn count(queue: &CommitQueue<Connection>) -> i64 {
    let all = |db: &Connection| Ok(db.query_row("SELECT count(*) FROM t", (), |row| row.get(0))?);
    queue.with_writer(all).unwrap()
}

#[test]
fn many_threads_each_get_their_own_result() {
    let folder = tempfile::tempdir().unwrap();
    let (queue, _) = queue(&folder);
    std::thread::scope(|scope| {
        for thread in 0..16 {
            let queue = &queue;
            scope.spawn(move || {
                for n in 0..25 {
                    let n = thread * 100 + n;
                    assert_eq!(queue.write(move |db| insert(db, n)), Ok(n));
                    // Inserted first, so that what is undone is something.
                    let failed = queue.write(move |db| {
                        insert(db, n + 50)?;
                        insert(db, n)
                    });
                    assert_eq!(failed.unwrap_err().code(), "storage_bad_row");
                    let panicked: Result<()> = queue.write(move |db| {
                        insert(db, n + 50)?;
                        panic!("on demand")
                    });
                    assert_eq!(panicked.unwrap_err().code(), "internal");
                }
            });
        }
    });
    assert_eq!(count(&queue), 16 * 25);
}

#[test]
fn a_full_database_refuses_and_goes_on_when_there_is_room() {
    let folder = tempfile::tempdir().unwrap();
    let (queue, _) = queue(&folder);
    let pages = |limit: i64| {
        move |db: &Connection| {
            let sql = format!("PRAGMA max_page_count = {limit}");
            db.query_row(&sql, (), |_| Ok(())).map_err(Error::from)
        }
    };
    queue.with_writer(pages(3)).unwrap();
    let large = |db: &Connection| {
        db.execute_batch("CREATE TABLE IF NOT EXISTS large (b BLOB)")?;
        db.execute("INSERT INTO large VALUES (zeroblob(100000))", ())?;
        Ok(())
    };
    assert_eq!(queue.write(large).unwrap_err().code(), "storage_full");
    assert_eq!(queue.write(|db| insert(db, 1)), Ok(1));
    queue.with_writer(pages(1_000_000)).unwrap();
    queue.write(large).unwrap();
    assert_eq!(count(&queue), 1);
}

/// After an error whose outcome is unknown the connection is made anew.
#[test]
fn an_io_error_of_the_transaction_costs_the_connection() {
    let folder = tempfile::tempdir().unwrap();
    let (queue, connects) = queue(&folder);
    let ended: Result<()> = queue.write(|db| {
        db.execute_batch("ROLLBACK")?;
        Ok(())
    });
    assert_eq!(ended.unwrap_err().code(), "storage_io");
    assert_eq!(queue.write(|db| insert(db, 1)), Ok(1));
    assert_eq!(connects.load(Ordering::SeqCst), 2);
}
