//! What is deleted is gone, what is owed stays, and no statement grows dearer with the tables.

use std::time::Duration;

use hookbox::clock::Clock as _;

use crate::support::*;

#[test]
fn deleting_leaves_no_row_behind() {
    let bench = Bench::over(Engine::Postgres, |options| options);
    let mut client = bench.schema.as_ref().unwrap().client();
    let rows = |client: &mut postgres::Client| -> i64 {
        [
            "event",
            "log",
            "webhook",
            "webhook_state",
            "subscription",
            "batch",
            "attempt",
            "key",
            "api_key",
            "app",
        ]
        .iter()
        .map(|table| {
            let sql = format!("SELECT count(*) FROM hookbox_{table}");
            client.query_one(&sql, &[]).unwrap().get::<_, i64>(0)
        })
        .sum()
    };
    let new = hookbox::model::NewApiKey {
        scope: Some(APP.parse().unwrap()),
        ..Default::default()
    };
    bench.hooks.create_api_key(new).unwrap();
    let webhook = bench.webhook("a");
    bench.webhook("b");
    for n in 0..5 {
        bench.emit(n.to_string());
        bench.poll();
    }
    bench.emit("7");
    bench.hooks.delete_webhook(APP, &webhook).unwrap();
    let of_webhook =
        "SELECT (SELECT count(*) FROM hookbox_batch) + (SELECT count(*) FROM hookbox_attempt)";
    assert_eq!(
        client.query_one(of_webhook, &[]).unwrap().get::<_, i64>(0),
        10
    );
    bench.hooks.delete_app(APP).unwrap();
    assert_eq!(rows(&mut client), 0);
    assert_eq!(bench.hooks.check().unwrap(), Vec::<String>::new());
}

/// What was pruned is gone from every table, and what is owed is kept.
#[test]
fn retention_deletes_what_ended_and_nothing_owed() {
    let bench = Bench::over(Engine::Postgres, |options| options);
    let mut client = bench.schema.as_ref().unwrap().client();
    let mut counts = move || -> (i64, i64, i64) {
        let sql = "SELECT (SELECT count(*) FROM hookbox_event), (SELECT count(*) FROM hookbox_log),
             (SELECT count(*) FROM hookbox_batch)";
        let row = client.query_one(sql, &[]).unwrap();
        (row.get(0), row.get(1), row.get(2))
    };
    bench.webhook("a");
    for n in 0..5 {
        bench.emit(n.to_string());
        bench.poll();
    }
    bench.net.script(|_| status(500));
    bench.emit("5");
    bench.poll();
    bench.emit("6");
    let day = Duration::from_secs(86_400);
    bench.clock.advance(day);
    bench.hooks.prune(bench.clock.now()).unwrap();
    assert_eq!(
        counts(),
        (2, 1, 1),
        "a waiting batch, and an event without a position"
    );
    bench.net.script(|_| status(200));
    bench.run_for(day);
    let got: usize = bench
        .net
        .deliveries()
        .iter()
        .map(|one| numbers_in(one).len())
        .sum();
    assert!(got >= 7);
    bench.hooks.prune(bench.clock.now()).unwrap();
    assert_eq!(counts(), (0, 0, 0));
}

/// Hot statements stay on their indices, however large the tables get: each statement that was
/// prepared by a box at work is explained, and none scans a table that grows.
#[test]
fn no_hot_statement_scans() {
    let bench = Bench::over(Engine::Postgres, |options| options.postgres_pool(1));
    let webhook = bench.webhook("a");
    bench.net.script(|_| status(500));
    for n in 0..3 {
        bench.emit(n.to_string());
        bench.poll();
    }
    bench.hooks.replay(APP, &webhook, START).unwrap();
    bench.net.script(|_| status(200));
    bench.run_for(Duration::from_secs(86_400));
    let mut client = bench.schema.as_ref().unwrap().client();
    client
        .batch_execute(
            "SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off;
             SET plan_cache_mode = 'force_generic_plan'; SET jit = off",
        )
        .unwrap();
    let mut seen = 0;
    for source in [
        "api_keys.rs",
        "attempts.rs",
        "batches.rs",
        "entries.rs",
        "log.rs",
        "ready.rs",
        "route.rs",
        "state.rs",
    ] {
        for sql in statements(source) {
            seen += 1;
            // The one that is put together from two pieces.
            let condition = if sql.ends_with("l.event_seq = e.seq") {
                " WHERE e.id = $1"
            } else {
                ""
            };
            let sql = sql + condition;
            let prepared = client.prepare(&sql).unwrap();
            let count = prepared.params().len();
            client
                .batch_execute(&format!("PREPARE it AS {sql}"))
                .unwrap();
            let nulls = vec!["NULL"; count].join(", ");
            let values = if count == 0 {
                String::new()
            } else {
                format!("({nulls})")
            };
            let rows = client
                .simple_query(&format!("EXPLAIN EXECUTE it{values}"))
                .unwrap();
            client.batch_execute("DEALLOCATE it").unwrap();
            let plan: Vec<String> = rows
                .iter()
                .filter_map(|row| match row {
                    postgres::SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
                    _ => None,
                })
                .collect();
            let plan = plan.join("\n");
            // One row each, or what waits for a moment, or for a minute.
            let small = ["log_head", "lock", "mark", "gap"];
            let is_small = |line: &str| {
                let table = line.split(" on hookbox_").nth(1).unwrap_or_default();
                small.contains(&table.split(' ').next().unwrap_or_default())
            };
            let lines: Vec<&str> = plan.lines().collect();
            for (at, line) in lines.iter().enumerate() {
                let scans = line.contains(" Scan") && line.contains(" on hookbox_");
                let seeks = lines
                    .get(at + 1)
                    .is_some_and(|next| next.contains("Index Cond"));
                // In the order of its index, and no further than the first rows.
                let is_limited = lines[..at].iter().any(|above| above.contains("Limit"));
                let fine = is_small(line) || seeks || line.contains("Bitmap Heap Scan");
                assert!(!scans || fine || is_limited, "{source}: {sql}\n{plan}");
            }
        }
    }
    assert!(seen >= 25, "{seen}");
}

/// The string literals of a source file that are one whole statement.
fn statements(source: &str) -> Vec<String> {
    let path = format!(
        "{}/src/storage/postgres/{source}",
        env!("CARGO_MANIFEST_DIR")
    );
    let text = std::fs::read_to_string(path).unwrap();
    let is_statement = |text: &&str| {
        ["SELECT ", "UPDATE ", "DELETE ", "INSERT ", "WITH "]
            .iter()
            .any(|verb| text.starts_with(verb))
            && !text.contains('{')
    };
    let literals = text.split('"').skip(1).step_by(2);
    literals.filter(is_statement).map(str::to_owned).collect()
}

/// Rows that somebody spoiled by hand hold up their own webhook, and nobody else's: the transaction is
/// run again, in parts.
#[test]
fn a_spoiled_row_holds_up_its_own_webhook_only() {
    for damage in [
        "ALTER TABLE hookbox_webhook_state DROP CONSTRAINT hookbox_webhook_state_webhook_no_fkey;
         ALTER TABLE hookbox_subscription DROP CONSTRAINT hookbox_subscription_webhook_no_fkey;
         DELETE FROM hookbox_webhook WHERE url LIKE '%/bad'",
        "UPDATE hookbox_webhook_state SET health = '{\"ramp\":-1}' WHERE webhook_no = 1",
        "UPDATE hookbox_webhook SET overrides = '7', version = 1 WHERE url LIKE '%/bad'",
        "UPDATE hookbox_subscription SET environment = 'a b' WHERE webhook_no = 1",
        "INSERT INTO hookbox_subscription SELECT webhook_no, '*', from_position, until_position,
             environment, app_id FROM hookbox_subscription WHERE webhook_no = 1",
    ] {
        let bench = Bench::over(Engine::Postgres, |options| options);
        bench.webhook("bad");
        bench.webhook("good");
        bench.emit("1");
        let mut client = bench.schema.as_ref().unwrap().client();
        client.batch_execute(damage).unwrap();
        bench.poll();
        bench.emit("2");
        bench.poll();
        let good = bench.net.deliveries();
        let good = good
            .iter()
            .filter(|one| one.url.as_str().ends_with("/good"));
        let events: usize = good.map(|one| events_in(one).len()).sum();
        assert_eq!(events, 2, "{damage}");
    }
    // A result whose batch is unreadable is refused, and does not disturb the others.
    let bench = Bench::over(Engine::Postgres, |options| options);
    bench.webhook("bad");
    bench.webhook("good");
    bench.emit("1");
    let claimed = bench.hooks.claim(10).unwrap();
    let mut client = bench.schema.as_ref().unwrap().client();
    let damage = "UPDATE hookbox_batch SET positions = '7' WHERE webhook_no = 1";
    client.batch_execute(damage).unwrap();
    let mut lost = 0;
    for delivery in &claimed {
        lost += usize::from(bench.hooks.settle(delivery, status(200)).is_err());
    }
    assert_eq!((claimed.len(), lost), (2, 1));
}
