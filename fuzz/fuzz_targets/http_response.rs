//! Any bytes as a server's answer, through the real transport over a loopback connection: it ends
//! before the deadline, within the caps, with a status or an error, and one connection.
#![no_main]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::{Duration, Instant};

use hookbox::machine::{ControlHeaders, Verdict, judge};
use hookbox::model::{AttemptResult, FailureKind, Profile, WebhookUrl};
use hookbox::transport::{
    HttpOptions, HttpTransport, Method, RESPONSE_BODY_BYTES_MAX, Request, Transport,
};
use hookbox_fuzz::START;
use libfuzzer_sys::fuzz_target;

const TIMEOUT: Duration = Duration::from_secs(5);

struct World {
    transport: HttpTransport,
    url: WebhookUrl,
    next: Arc<Mutex<Vec<u8>>>,
    connections: Arc<AtomicUsize>,
}

static WORLD: LazyLock<World> = LazyLock::new(|| {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    let next = Arc::<Mutex<Vec<u8>>>::default();
    let connections = Arc::<AtomicUsize>::default();
    let (of_thread, count) = (next.clone(), connections.clone());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            count.fetch_add(1, Ordering::SeqCst);
            let mut reader = BufReader::new(stream.unwrap());
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") && reader.read_line(&mut head).unwrap_or(0) > 0 {}
            let mut stream = reader.into_inner();
            // The client may have seen enough and be gone.
            let _ = stream.write_all(&of_thread.lock().unwrap());
            let _ = stream.shutdown(Shutdown::Write);
            let _ = std::io::copy(&mut stream.take(1 << 20), &mut std::io::sink());
        }
    });
    let mut options = HttpOptions::default();
    options.policy.allow_http = true;
    options.policy.allow = vec!["127.0.0.0/8".parse().unwrap()];
    options.idle_connections = 0;
    World {
        transport: HttpTransport::new(options).unwrap(),
        url: WebhookUrl::parse(&url).unwrap(),
        next,
        connections,
    }
});

fuzz_target!(|bytes: &[u8]| {
    let world = &*WORLD;
    *world.next.lock().unwrap() = bytes.to_vec();
    let request = Request {
        method: Method::Get,
        url: world.url.clone(),
        query: Vec::new(),
        headers: Vec::new(),
        body: Vec::new().into(),
        timeout: TIMEOUT,
    };
    let (before, begun) = (world.connections.load(Ordering::SeqCst), Instant::now());
    let result = world.transport.send(&request);
    assert!(begun.elapsed() < TIMEOUT, "{result:?}");
    assert_eq!(world.connections.load(Ordering::SeqCst), before + 1);
    let response = match result {
        Ok(response) => response,
        Err(error) => {
            // The server closes: nothing to wait for, and nobody else's fault.
            assert!(
                matches!(error.kind, FailureKind::Protocol | FailureKind::Reset),
                "{error}"
            );
            assert!(error.message.chars().count() <= 300);
            return;
        }
    };
    assert!((100..1000).contains(&response.status));
    assert!(response.body.len() <= RESPONSE_BODY_BYTES_MAX);
    assert!(response.headers.len() <= 2);
    for (name, value) in &response.headers {
        assert!(["retry-after", "webhook-delivery"].contains(&name.as_str()));
        assert!(value.chars().count() <= 256);
    }
    let lower = bytes.to_ascii_lowercase();
    let holds = |part: &[u8], all: &[u8]| {
        part.is_empty() || all.windows(part.len()).any(|window| window == part)
    };
    if !holds(b"chunked", &lower) {
        assert!(holds(&response.body, bytes), "not the bytes that were sent");
    }
    let headers = ControlHeaders {
        retry_after: response.header("retry-after"),
        webhook_delivery: response.header("webhook-delivery"),
    };
    for profile in [Profile::prelude(), Profile::standard_webhooks()] {
        let status = AttemptResult::Status(response.status);
        let outcome = judge(&profile.delivery, status, headers, START);
        if outcome.verdict == Verdict::Delivered {
            assert!((200..300).contains(&response.status));
        }
    }
});
