//! `benches/peers/run`: one endpoint, so many events, the sink of hookbox's own bench; through
//! webhooksmith, over SQLite and (where `HOOKBOX_TEST_POSTGRES` names a server) PostgreSQL, with its
//! default settings. `cargo bench --bench ceiling -- peers` does the same through hookbox.

// The other bench reads more of it.
#[allow(dead_code)]
#[path = "../../ceiling/sink.rs"]
mod sink;

use std::time::{Duration, Instant};

use sink::Sink;
use tokio::sync::oneshot;
use webhooksmith::{SqliteEngine, WebhookEngine};

const SECRET: &str = "a secret of thirty-two characters";

/// Events sent, and delivered.
const EVENTS: usize = 5_000;

#[tokio::main]
async fn main() {
    if std::env::args().nth(1).as_deref() == Some(sink::CHILD) {
        return sink::serve();
    }
    sqlite().await;
    match std::env::var("HOOKBOX_TEST_POSTGRES") {
        Ok(url) => postgres(&url).await,
        Err(_) => println!("webhooksmith 0.2.1, PostgreSQL: HOOKBOX_TEST_POSTGRES names no server"),
    }
}

async fn sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}?mode=rwc", folder.path().join("box.db").display());
    let engine = SqliteEngine::builder()
        .database_url(url)
        .allow_insecure_urls()
        .build()
        .await
        .unwrap();
    engine.migrate().await.unwrap();
    let sink = Sink::start();
    let endpoint = engine.register(&sink.timed_url(), SECRET).await.unwrap();
    let began = Instant::now();
    for _ in 0..EVENTS {
        engine
            .send("user.created", payload(), endpoint.id)
            .await
            .unwrap();
    }
    let sent = began.elapsed();
    let (stop, stopped) = oneshot::channel::<()>();
    let began = Instant::now();
    let worker = engine.run_graceful(async { drop(stopped.await) });
    let delivered = async {
        all_arrived(&sink).await;
        while engine.queue_stats().await.unwrap().delivered < EVENTS as i64 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        drop(stop);
        began.elapsed()
    };
    let ((), took) = tokio::join!(worker, delivered);
    print("webhooksmith 0.2.1, SQLite", sent, took);
}

async fn postgres(url: &str) {
    let engine = WebhookEngine::builder()
        .database_url(url)
        .allow_insecure_urls()
        .build()
        .await
        .unwrap();
    engine.migrate().await.unwrap();
    let sink = Sink::start();
    let endpoint = engine.register(&sink.timed_url(), SECRET).await.unwrap();
    let began = Instant::now();
    for _ in 0..EVENTS {
        engine
            .send("user.created", payload(), endpoint.id)
            .await
            .unwrap();
    }
    let sent = began.elapsed();
    let before = engine.queue_stats().await.unwrap().delivered;
    let (stop, stopped) = oneshot::channel::<()>();
    let began = Instant::now();
    let worker = engine.run_graceful(async { drop(stopped.await) });
    let delivered = async {
        all_arrived(&sink).await;
        while engine.queue_stats().await.unwrap().delivered < before + EVENTS as i64 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        drop(stop);
        began.elapsed()
    };
    let ((), took) = tokio::join!(worker, delivered);
    print("webhooksmith 0.2.1, PostgreSQL", sent, took);
}

async fn all_arrived(sink: &Sink) {
    let mut arrived = 0;
    while arrived < EVENTS {
        tokio::time::sleep(Duration::from_millis(10)).await;
        arrived += sink.arrived().timed;
    }
}

/// As long as those of hookbox's own bench.
fn payload() -> serde_json::Value {
    serde_json::json!({ "t": sink::nanos(), "x": "x".repeat(465) })
}

fn print(name: &str, sent: Duration, delivered: Duration) {
    let rate = |took: Duration| EVENTS as f64 / took.as_secs_f64();
    println!("{name:<50} {:>12.0} {:>12.0}", rate(sent), rate(delivered));
}
