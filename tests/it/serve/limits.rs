//! The limits: sizes, times, connections, threads.

use std::io::{Read, Write};
use std::sync::Barrier;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Instant;

use super::*;

/// Short, but long enough for a busy machine to do what is in time.
const SOON: Duration = Duration::from_millis(600);

fn reasons(happened: &[Happened]) -> Vec<&str> {
    let cut = happened.iter().filter_map(|one| match one {
        Happened::Cut { peer, reason } => {
            assert!(peer.ip().is_loopback());
            Some(*reason)
        }
        Happened::NotAccepted { message } => panic!("{message}"),
        Happened::Served { .. } => None,
    });
    cut.collect()
}

#[test]
fn heads_that_are_too_large_are_refused() {
    let served = Served::start(LIMITS, echo);
    let padded = |bytes| {
        format!(
            "GET / HTTP/1.1\r\nhost: x\r\nx: {}\r\n\r\n",
            "a".repeat(bytes)
        )
    };
    let mut client = served.client();
    assert_eq!(client.ask(padded(4000)).status, 200);
    assert_eq!(client.ask(padded(5000)).status, 431);
    client.closed();
    // One that never ends.
    let mut client = served.client();
    client.send("GET / HTTP/1.1\r\nhost: x\r\nx: ");
    while client.try_send([b'a'; 1024]).is_ok() {}
    client.closed();
    let mut client = served.client();
    let many = "a: b\r\n".repeat(100);
    assert_eq!(
        client
            .ask(format!("GET / HTTP/1.1\r\nhost: x\r\n{many}\r\n"))
            .status,
        431
    );
    let mut client = served.client();
    let long = format!("/{}", "a".repeat(5000));
    assert!([414, 431].contains(&client.ask(get(&long)).status));
    client.closed();
    assert_eq!(reasons(&served.end()), ["the head is too large"; 4]);
}

#[test]
fn bodies_that_are_too_large_are_refused() {
    let served = Served::start(LIMITS, |request| said(200, request.body.len().to_string()));
    let mut client = served.client();
    assert_eq!(client.ask(post("/", &"a".repeat(1000))).body, "1000");
    // Told by its length, before anything of it is read.
    let huge = "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 99999999999999\r\n\r\n";
    assert_eq!(client.ask(huge).status, 413);
    client.closed();
    let mut client = served.client();
    let expecting =
        "POST / HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 1001\r\n\r\n";
    assert_eq!(client.ask(expecting).status, 413, "and not 100 first");
    // A client that does not listen before it has sent everything gets its answer too.
    let mut client = served.client();
    client.send("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 500000\r\n\r\n");
    client.stream().peek(&mut [0]).unwrap();
    for _ in 0..50 {
        client.send([b'a'; 10_000]);
    }
    let answer = client.answer();
    assert_eq!(
        (answer.status, answer.header("connection")),
        (413, Some("close"))
    );
    // Told by what comes.
    let mut client = served.client();
    client.send("POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n");
    client.send(format!("1f4\r\n{}\r\n", "a".repeat(500)));
    client.send(format!("1f5\r\n{}\r\n", "a".repeat(501)));
    assert_eq!(client.answer().status, 413);
    client.closed();
    served.end();
}

#[test]
fn slow_heads_bodies_and_readers_are_cut() {
    let limits = Limits {
        head_time: SOON,
        body_time: SOON,
        write_time: SOON,
        ..LIMITS
    };
    let served = Served::start(limits, |request| match request.target.as_str() {
        "/large" => said(200, vec![b'a'; 64 << 20]),
        _ => echo(request),
    });
    let begun = Instant::now();
    let mut silent = served.client();
    let mut slow_head = served.client();
    slow_head.send("GET / HTTP/1.1\r\nhost: x\r\n");
    let mut slow_body = served.client();
    slow_body.send("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\n\r\na");
    let mut no_reader = served.client();
    no_reader.send(get("/large"));
    // An idle connection ends too, but nobody is to blame.
    let mut idle = served.client();
    idle.ask(get("/"));
    silent.closed();
    slow_head.closed();
    assert_eq!(slow_body.answer().status, 408);
    slow_body.closed();
    idle.closed();
    // One that reads before it is cut would be too slow no longer; its end shows only after what was on the way.
    while served.counts.cut.load(SeqCst) < 3 {
        assert!(begun.elapsed() < PATIENCE, "never cut");
        std::thread::sleep(Duration::from_millis(10));
    }
    no_reader.closed();
    assert!(begun.elapsed() >= SOON);
    let counts = served.counts.clone();
    let happened = served.end();
    assert_eq!(counts.cut.load(SeqCst), 3);
    let mut reasons = reasons(&happened);
    reasons.sort_unstable();
    let late = "the head did not come in time";
    assert_eq!(reasons, ["the answer was not taken in time", late, late]);
}

/// A client that sends or takes a byte now and then is as slow as one that does nothing: each limit is for
/// the whole.
#[test]
fn a_byte_now_and_then_changes_nothing() {
    let limits = Limits {
        head_time: SOON,
        body_time: SOON,
        ..LIMITS
    };
    let served = Served::start(limits, echo);
    let mut head = served.client();
    head.send("GET / HTTP/1.1\r\nhost: x\r\nx: ");
    let mut body = served.client();
    body.send("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 100000\r\n\r\n");
    // Bodies beyond the limit are not waited for.
    assert_eq!(body.answer().status, 413);
    let mut body = served.client();
    body.send("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n");
    let begun = Instant::now();
    for client in [&head, &body] {
        let pace = Some(Duration::from_millis(20));
        client.stream().set_read_timeout(pace).unwrap();
    }
    // Waiting in vain for an answer sets the pace.
    let drip = |client: &Client| {
        let mut byte = [0];
        while client.stream().write_all(b"a").is_ok() {
            match client.stream().read(&mut byte) {
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                _ => break,
            }
            assert!(begun.elapsed() < PATIENCE, "never cut");
        }
        begun.elapsed()
    };
    std::thread::scope(|scope| {
        let of_body = scope.spawn(|| drip(&body));
        assert!(drip(&head) >= SOON / 2);
        assert!(of_body.join().unwrap() >= SOON / 2);
    });
    served.end();
}

#[test]
fn connections_beyond_the_limit_are_told_so() {
    let limits = Limits {
        connections: 3,
        ..LIMITS
    };
    let served = Served::start(limits, echo);
    let mut kept = [(); 3].map(|()| served.client());
    for client in &mut kept {
        assert_eq!(client.ask(get("/")).status, 200);
    }
    let mut one_more = served.client();
    let answer = one_more.answer();
    assert_eq!(
        (answer.status, answer.header("retry-after")),
        (503, Some("1"))
    );
    one_more.closed();
    assert_eq!(served.counts.refused.load(SeqCst), 1);
    // Those that are in are well, and one that leaves makes room.
    let [mut first, second, _third] = kept;
    assert_eq!(first.ask(get("/")).status, 200);
    drop(second);
    let begun = Instant::now();
    loop {
        let mut next = served.client();
        if next.try_send(get("/")).is_ok() && next.answer().status == 200 {
            break;
        }
        assert!(begun.elapsed() < PATIENCE, "no room");
    }
    drop(first);
    served.end();
}

#[test]
fn a_request_that_finds_no_free_thread_in_time_is_told_so() {
    let limits = Limits {
        queue_time: SOON,
        ..LIMITS
    };
    let gate = Arc::new(Barrier::new(3));
    let of_handler = gate.clone();
    let served = Served::start(limits, move |request| {
        if request.target == "/wait" {
            of_handler.wait();
        }
        echo(request)
    });
    let mut waiting = [served.client(), served.client()];
    for client in &mut waiting {
        client.send(get("/wait"));
    }
    // Both threads are taken for sure only once both handlers wait: until then this one is answered.
    let mut third = served.client();
    let refused = loop {
        let answer = third.ask(get("/"));
        if answer.status != 200 {
            break answer;
        }
    };
    assert_eq!(
        (refused.status, refused.header("retry-after")),
        (503, Some("1"))
    );
    gate.wait();
    for client in &mut waiting {
        assert_eq!(client.answer().body, "GET /wait []");
    }
    assert_eq!(
        third.ask(get("/")).status,
        200,
        "and the connection is kept"
    );
    served.end();
}

/// Hundreds of clients that send a byte now and then neither hold a thread nor keep others waiting.
#[test]
fn slow_clients_do_not_delay_others() {
    const SLOW: usize = 300;
    let limits = Limits {
        connections: SLOW + 50,
        head_time: Duration::from_secs(2),
        body_time: Duration::from_secs(2),
        ..LIMITS
    };
    let served = Served::start(limits, echo);
    let mut slow: Vec<Client> = (0..SLOW).map(|_| served.client()).collect();
    for (n, client) in slow.iter_mut().enumerate() {
        let body = "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 900\r\n\r\n";
        client.send(if n % 2 == 0 {
            "GET / HTTP/1.1\r\nx: "
        } else {
            body
        });
    }
    let mut well = served.client();
    let mut longest = Duration::ZERO;
    for _ in 0..100 {
        for client in slow.iter_mut().skip(1).step_by(7) {
            // Some may be cut by now.
            let _ = client.try_send("a");
        }
        let begun = Instant::now();
        assert_eq!(well.ask(get("/")).status, 200);
        longest = longest.max(begun.elapsed());
    }
    assert!(longest < Duration::from_secs(1), "waited for {longest:?}");
    for client in &mut slow {
        client.closed();
    }
    assert_eq!(well.ask(get("/")).status, 200);
    served.end();
}
