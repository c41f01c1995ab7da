//! The ceilings: what SQLite, the key and the HTTP client do by themselves.

use std::path::Path;
use std::time::{Duration, Instant};

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::RSA_PSS_SHA256;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hookbox::clock::{Clock, SystemClock};
use hookbox::model::{EventId, Secret};
use rusqlite::Connection;

use crate::boxes::{TYPE, payload, rate};

/// A table as hookbox's log is, with the same indexes and durability, and without its triggers.
pub struct Log {
    db: Connection,
    bits: u128,
}

impl Log {
    pub fn create(path: &Path) -> Self {
        let db = Connection::open(path).unwrap();
        db.query_row("PRAGMA journal_mode = WAL", (), |_| Ok(()))
            .unwrap();
        db.execute_batch(
            "PRAGMA synchronous = FULL;
             CREATE TABLE event (
                 position INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT UNIQUE, app_id TEXT NOT NULL,
                 type TEXT NOT NULL, created_at INTEGER NOT NULL, idempotency_key TEXT,
                 environment TEXT, at_most_once INTEGER NOT NULL, payload TEXT NOT NULL,
                 checksum INTEGER) STRICT;
             CREATE INDEX event_of_type ON event (app_id, type, position);
             CREATE UNIQUE INDEX event_key ON event (app_id, idempotency_key)
                 WHERE idempotency_key IS NOT NULL;",
        )
        .unwrap();
        Self { db, bits: 1 }
    }

    /// Events a second, so many in each commit.
    pub fn insert_rate(&mut self, total: usize, size: usize) -> f64 {
        let began = Instant::now();
        for _ in 0..total / size {
            let payloads: Vec<String> = (0..size).map(|_| payload()).collect();
            self.commit(&payloads);
        }
        rate(total / size * size, began.elapsed())
    }

    fn commit(&mut self, payloads: &[String]) {
        let run = |sql| self.db.prepare_cached(sql).unwrap().execute(()).unwrap();
        run("BEGIN IMMEDIATE");
        {
            let mut insert = self
                .db
                .prepare_cached(
                    "INSERT INTO event (id, app_id, type, created_at, idempotency_key, environment,
                         at_most_once, payload, checksum)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
                )
                .unwrap();
            for payload in payloads {
                // As an id of ours: sorted by time, random within a millisecond.
                self.bits = self.bits.wrapping_mul(0xDA94_2042_E4DD_58B5) | 1;
                let now = SystemClock.now();
                let id = EventId::new(now, self.bits.rotate_left(64)).to_string();
                let none: Option<&str> = None;
                let (at, sum) = (now.as_millis(), u32::MAX);
                insert
                    .execute((id, "app", TYPE, at, none, none, 0, payload, sum))
                    .unwrap();
            }
        }
        run("COMMIT");
    }
}

/// Signs as hookbox does: RSA-2048, PSS, SHA-256.
pub struct Signer(KeyPair);

impl Signer {
    pub fn new() -> Self {
        Self(KeyPair::generate(KeySize::Rsa2048).unwrap())
    }

    /// The private key, as PKCS #8.
    pub fn pem(&self) -> Secret {
        let der: Pkcs8V1Der = self.0.as_der().unwrap();
        let base64 = STANDARD.encode(der.as_ref());
        let mut pem = "-----BEGIN PRIVATE KEY-----\n".to_owned();
        for line in base64.as_bytes().chunks(64) {
            pem += std::str::from_utf8(line).unwrap();
            pem.push('\n');
        }
        Secret::new(pem + "-----END PRIVATE KEY-----\n")
    }

    pub fn sign(&self, body: &[u8]) -> Vec<u8> {
        let mut signature = vec![0; 256];
        self.0
            .sign(&RSA_PSS_SHA256, &SystemRandom::new(), body, &mut signature)
            .unwrap();
        signature
    }

    /// Signatures a second on one core.
    pub fn rate(&self, body: &[u8], span: Duration) -> f64 {
        repeat(span, || {
            self.sign(body);
        })
    }
}

/// POSTs a second over connections that are kept, from so many threads; signed, with a signer.
pub fn post_rate(
    url: &str,
    body: &[u8],
    threads: usize,
    signer: Option<&Signer>,
    span: Duration,
) -> f64 {
    let config = ureq::Agent::config_builder()
        .max_idle_connections(64)
        .max_idle_connections_per_host(64)
        .timeout_global(Some(Duration::from_secs(10)))
        .build();
    let agent = ureq::Agent::new_with_config(config);
    let rates: Vec<f64> = std::thread::scope(|scope| {
        let running: Vec<_> = (0..threads)
            .map(|_| {
                scope.spawn(|| {
                    repeat(span, || {
                        let mut request =
                            agent.post(url).header("content-type", "application/json");
                        if let Some(signer) = signer {
                            let signature = STANDARD.encode(signer.sign(body));
                            request = request.header("x-signature", signature);
                        }
                        let mut answer = request.send(body).unwrap();
                        answer.body_mut().read_to_vec().unwrap();
                    })
                })
            })
            .collect();
        running
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    rates.iter().sum()
}

/// How often something can be done in a second.
fn repeat(span: Duration, mut work: impl FnMut()) -> f64 {
    let began = Instant::now();
    let mut count = 0;
    while began.elapsed() < span {
        work();
        count += 1;
    }
    rate(count, began.elapsed())
}
