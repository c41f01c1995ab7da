//! The file.
//!
//! Goal: the hot statements stay on their indices, the file is a good guest and a good host, and
//! retention takes nothing that is owed. Method: query plans of the sources' own statements, and
//! plain SQL on the box's file.

use std::time::Duration;

use hookbox::model::BatchStatus;
use hookbox::storage::{AttemptFilter, PageRequest};
use hookbox::{Options, StorageFault};
use rusqlite::Connection;

use super::support::*;

const DAY: Duration = Duration::from_secs(86_400);

fn plan(db: &Connection, sql: &str) -> String {
    let mut statement = db.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
    let count = statement.parameter_count();
    for index in 1..=count {
        statement.raw_bind_parameter(index, 1).unwrap();
    }
    let mut rows = statement.raw_query();
    let mut lines = Vec::new();
    while let Some(row) = rows.next().unwrap() {
        lines.push(row.get::<_, String>(3).unwrap());
    }
    lines.join("\n")
}

/// The string literals of a source file that are one whole statement.
fn statements(source: &str) -> Vec<String> {
    let path = format!("{}/src/storage/sqlite/{source}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).unwrap();
    let is_statement = |text: &&str| {
        ["SELECT ", "UPDATE ", "DELETE "]
            .iter()
            .any(|verb| text.starts_with(verb))
            && !text.contains(['{', '\\'])
    };
    text.split('"')
        .skip(1)
        .step_by(2)
        .filter(is_statement)
        .map(str::to_owned)
        .collect()
}

#[test]
fn no_hot_statement_scans() {
    let bench = Bench::new();
    let db = Connection::open(bench.path()).unwrap();
    // Only when the clock was set back, and at the start: every timer is looked at.
    let all_timers = "SET ready = 1 WHERE ready = 0 AND due_at IS NOT NULL";
    let mut seen = 0;
    for source in [
        "api_keys.rs",
        "attempts.rs",
        "batches.rs",
        "entries.rs",
        "log.rs",
        "ready.rs",
        "state.rs",
    ] {
        for sql in statements(source) {
            seen += 1;
            let plan = plan(&db, &sql);
            for line in plan
                .lines()
                .filter(|line| line.starts_with("SCAN hookbox_"))
            {
                assert!(sql.ends_with(all_timers), "{source}: {sql}\n{line}");
            }
        }
    }
    assert!(seen >= 20, "{seen}");
    // Batches that ended long ago must cost a claim nothing.
    let folder = format!("{}/src/storage/sqlite", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(format!("{folder}/batches.rs")).unwrap();
    let by_status = text
        .split('"')
        .skip(1)
        .step_by(2)
        .filter(|sql| sql.contains("webhook_no = ?1") && sql.contains("status = "));
    let by_status: Vec<&str> = by_status.collect();
    assert!(by_status.len() >= 5, "{by_status:?}");
    for sql in by_status {
        let sql = sql.replace("{order}", "b.due_at");
        // Which rows, by the index; then each by its number.
        let sql = match sql.strip_prefix("b.no IN (") {
            Some(rest) => rest.rsplit_once(')').unwrap().0.to_owned(),
            None => sql,
        };
        let plan = plan(&db, &sql);
        let sought = plan.matches("hookbox_batch_open (webhook_no").count();
        assert_eq!(
            sought,
            sql.matches("FROM hookbox_batch").count() + sql.matches("UPDATE hookbox_batch").count(),
            "{sql}\n{plan}"
        );
    }
    for (sql, index) in [
        (
            "SELECT webhook_no FROM hookbox_webhook_state
          WHERE ready = 1 AND class = ?1 AND app_id = ?2 ORDER BY due_at LIMIT ?3",
            "hookbox_webhook_state_ready",
        ),
        (
            "SELECT due_at FROM hookbox_webhook_state WHERE ready = 0 AND due_at IS NOT NULL
          ORDER BY due_at LIMIT 1",
            "hookbox_webhook_state_timer",
        ),
        (
            "SELECT position FROM hookbox_log WHERE app_id = ?1 AND type = ?2 AND position > ?3
          ORDER BY position",
            "hookbox_log_of_type",
        ),
    ] {
        let plan = plan(&db, sql);
        assert!(
            plan.contains(index) && !plan.contains("TEMP B-TREE"),
            "{sql}\n{plan}"
        );
    }
}

#[test]
fn a_newer_schema_is_refused() {
    let bench = Bench::new();
    let db = Connection::open(bench.path()).unwrap();
    db.execute(
        "INSERT INTO hookbox_migration (version, library) VALUES (999, '9.9')",
        (),
    )
    .unwrap();
    let options = || Options::new().transport(bench.net.clone());
    for opened in [
        options().open(bench.path()),
        options().open_read_only(bench.path()),
    ] {
        assert_eq!(
            opened.unwrap_err().code(),
            StorageFault::NewerSchema.as_str()
        );
    }
}

#[test]
fn a_hosts_own_file_stays_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.db");
    let db = Connection::open(&path).unwrap();
    db.execute_batch(
        "PRAGMA user_version = 7; PRAGMA application_id = 11;
         CREATE TABLE account (name TEXT); INSERT INTO account VALUES ('a')",
    )
    .unwrap();
    let hooks = Options::new()
        .transport(FakeTransport::new())
        .open(&path)
        .unwrap();
    hooks.create_app(APP).unwrap();
    hooks.emit(APP, TYPE, "1").unwrap();
    let number = |sql: &str| -> i64 { db.query_row(sql, (), |row| row.get(0)).unwrap() };
    assert_eq!(
        (
            number("PRAGMA user_version"),
            number("PRAGMA application_id")
        ),
        (7, 11)
    );
    assert_eq!(number("SELECT count(*) FROM account"), 1);
    assert_eq!(hooks.check().unwrap(), Vec::<String>::new());
    let foreign = "SELECT count(*) FROM sqlite_schema WHERE name NOT LIKE '%hookbox%'
        AND name NOT LIKE 'sqlite_%' AND name <> 'account'";
    assert_eq!(number(foreign), 0, "every name begins with hookbox_");
}

#[cfg(unix)]
#[test]
fn a_new_file_is_its_owners_only() {
    use std::os::unix::fs::PermissionsExt;
    let bench = Bench::new();
    assert_eq!(
        bench.path().metadata().unwrap().permissions().mode() & 0o777,
        0o600
    );
}

#[test]
fn reading_only_changes_nothing_and_refuses_to() {
    let bench = Bench::new();
    let id = bench.webhook("a");
    bench.emit("1");
    let read = || {
        ["box.db", "box.db-wal"].map(|file| std::fs::read(bench.folder.path().join(file)).unwrap())
    };
    let before = read();
    let options = || {
        Options::new()
            .transport(bench.net.clone())
            .clock(bench.clock.clone())
    };
    let reader = options().open_read_only(bench.path()).unwrap();
    assert_eq!(reader.webhook(APP, &id).unwrap().id, id);
    assert_eq!(reader.backlog(APP, &id).unwrap().events_owed, 1);
    for error in [
        reader.create_app("b").unwrap_err(),
        reader.emit(APP, TYPE, "1").unwrap_err(),
        reader.deactivate(APP, &id).unwrap_err(),
        reader.delete_webhook(APP, &id).unwrap_err(),
        reader.poll(START).unwrap_err(),
        reader.prune(START).unwrap_err(),
    ] {
        assert_eq!(error.code(), "read_only");
    }
    drop(reader);
    assert!(read() == before);
    let missing = bench.folder.path().join("none.db");
    assert!(options().open_read_only(&missing).is_err() && !missing.exists());
}

#[test]
fn retention_deletes_what_ended_and_nothing_owed() {
    let bench = Bench::new();
    let rows = |table: &str| -> i64 {
        let db = Connection::open(bench.path()).unwrap();
        db.query_row(
            &format!("SELECT count(*) FROM hookbox_{table}"),
            (),
            |row| row.get(0),
        )
        .unwrap()
    };
    let well = bench.webhook("well");
    for n in 0..20 {
        bench.emit(n.to_string());
        bench.poll();
    }
    // From here on: one parked, one owed in no batch, one exhausted.
    let gone = bench.webhook("gone");
    bench.hooks.deactivate(APP, &well).unwrap();
    bench.net.script(|_| status(410));
    let parked = bench.emit("100");
    bench.poll();
    bench.hooks.activate(APP, &well).unwrap();
    bench.net.script(|_| status(200));
    let owed = bench.emit("101");
    bench.hooks.deactivate(APP, &well).unwrap();
    let _ = gone;
    bench.clock.advance(40 * DAY);
    bench.hooks.prune(START.plus(10 * DAY)).unwrap();
    assert_eq!((rows("event"), rows("batch"), rows("attempt")), (2, 1, 1));
    for id in [&parked, &owed] {
        assert!(bench.hooks.event(&id.parse().unwrap()).is_ok());
    }
    bench.hooks.activate(APP, &well).unwrap();
    bench.hooks.activate(APP, &gone).unwrap();
    bench.poll();
    let sent = bench.net.deliveries();
    let mut last: Vec<i64> = sent[sent.len() - 2..].iter().flat_map(numbers_in).collect();
    last.sort_unstable();
    assert_eq!(last, [100, 101]);
    // What ended lately is kept, until it is old as well.
    bench.hooks.prune(START.plus(10 * DAY)).unwrap();
    assert_eq!(rows("batch"), 2);
    bench.hooks.prune(START.plus(50 * DAY)).unwrap();
    assert_eq!((rows("event"), rows("batch"), rows("attempt")), (0, 0, 0));
    assert_eq!(bench.hooks.check().unwrap(), Vec::<String>::new());
}

#[test]
fn the_views_and_stories_tell_what_is() {
    let bench = Bench::new();
    let id = bench.webhook("a");
    bench.net.script(|_| status(503));
    let event = bench.emit("1");
    bench.poll();
    let db = Connection::open(bench.path()).unwrap();
    let text = |sql: &str| -> String { db.query_row(sql, (), |row| row.get(0)).unwrap() };
    assert_eq!(
        text("SELECT webhook_id || active || last_http_code FROM hookbox_webhooks"),
        format!("{id}1503")
    );
    assert_eq!(
        text("SELECT webhook_id || waiting || leased || consecutive_failures FROM hookbox_backlog"),
        format!("{id}101")
    );
    assert_eq!(
        text("SELECT started || number || http_status FROM hookbox_recent_attempts"),
        "2025-03-15T10:30:00Z1503"
    );
    assert_eq!(
        text("SELECT event_id || status || position FROM hookbox_batch_event"),
        format!("{event}waiting1")
    );
    let late = bench.emit("2");
    let sentences = |event: &str| {
        let story = bench.hooks.explain_event(&event.parse().unwrap());
        story.unwrap().sentences.join(" ")
    };
    assert!(sentences(&late).contains(&format!("in the backlog of `{id}`")));
    let other = bench.hooks.emit(APP, "user.deleted", "3").unwrap();
    assert!(sentences(&other.to_string()).contains("still awaits it"));
    let story = bench.hooks.explain_event(&event.parse().unwrap()).unwrap();
    let told = story.batches[0].sentences.join(" ");
    assert!(
        told.contains("answered with 503") && told.contains("attempt 2"),
        "{told}"
    );
    assert_eq!(story.batches[0].batch.status, BatchStatus::Waiting);
    let backlog = bench.hooks.backlog(APP, &id).unwrap();
    assert_eq!(
        (backlog.batches.waiting, backlog.health.consecutive_failures),
        (1, 1)
    );
    let filter = AttemptFilter {
        webhook: Some(id),
        batch: None,
    };
    assert_eq!(
        bench
            .hooks
            .attempts(APP, filter, PageRequest::default())
            .unwrap()
            .items
            .len(),
        1
    );
}
