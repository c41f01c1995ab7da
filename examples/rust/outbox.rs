//! Register, activate, emit, deliver, verify: the whole way, on this machine. The same program is here
//! in C, C++, Go and Python.
//!
//! `cargo run --example outbox`

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use hookbox::clock::{Clock, SystemClock};
use hookbox::model::{Events, NewWebhook, Secret};
use hookbox::verify;
use hookbox::{Hookbox, Options};

const APP: &str = "54e9ujn";
const TOKEN: &str = "my-secret-token";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let url = format!("http://{}/webhook", listener.local_addr()?);
    let (received, deliveries) = channel();
    std::thread::spawn(move || receive(&listener, &received));

    // The endpoint is on this machine, which is not allowed unless it is said.
    let folder = tempfile::tempdir()?;
    let hooks = Options::new()
        .allow_http(true)
        .allow_network("127.0.0.0/8".parse()?)
        .open(folder.path().join("app.db"))?;
    hooks.create_app(APP)?;
    let events = Events::only(["user.created".parse()?]);
    let new = NewWebhook::new(&url).token(TOKEN).events(events);
    let webhook = hooks.create_webhook(APP, new)?;
    println!("registered {} for {url}", webhook.id);
    let webhook = hooks.activate(APP, &webhook.id)?;
    println!("activated: {}", webhook.is_active());

    hooks.start()?;
    let id = hooks.emit(APP, "user.created", r#"{"user_id":"usr_1"}"#)?;
    println!("emitted {id}");
    let delivery = deliveries.recv_timeout(Duration::from_secs(10))?;
    print_events(&hooks, &delivery)?;
    hooks.stop(Duration::from_secs(5))?;
    Ok(())
}

/// The receiver's side: is it authentic, and what does it say?
fn print_events(hooks: &Hookbox, delivery: &Delivery) -> Result<(), Box<dyn std::error::Error>> {
    // A receiver elsewhere fetches the JWK set from the address that the sender told it.
    let keys = hooks.jwks(APP)?;
    let headers = delivery.headers.iter().map(|(name, value)| (name, value));
    let request = verify::Request::new(headers, &delivery.body);
    let options = verify::Options::default();
    for event in verify::verify_prelude(&request, &keys, &options, SystemClock.now())? {
        let (id, kind) = (
            event.id.unwrap_or_default(),
            event.event_type.unwrap_or_default(),
        );
        println!("verified {kind} {id}: {}", event.payload);
    }
    Ok(())
}

/// A request as it came.
struct Delivery {
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

/// Answers the challenge, and takes deliveries. A program of yours has a web server for this.
fn receive(listener: &TcpListener, received: &Sender<Delivery>) {
    for stream in listener.incoming().flatten() {
        if let Err(error) = answer(stream, received) {
            eprintln!("the receiver: {error}");
        }
    }
}

fn answer(mut stream: TcpStream, received: &Sender<Delivery>) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let target = line.split(' ').nth(1).unwrap_or_default().to_owned();
    let mut headers = Vec::new();
    loop {
        let mut header = String::new();
        reader.read_line(&mut header)?;
        let Some((name, value)) = header.trim_end().split_once(": ") else {
            break;
        };
        headers.push((name.to_ascii_lowercase(), value.to_owned()));
    }
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let length = length.and_then(|(_, value)| value.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body)?;
    let reply = match target.split_once('?') {
        Some((_, query)) if line.starts_with("GET ") => {
            verify::answer_challenge(query, &Secret::new(TOKEN))
                .map(|answer| answer.body)
                .unwrap_or_default()
        }
        _ => {
            let _ = received.send(Delivery { headers, body });
            String::new()
        }
    };
    write!(
        stream,
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{reply}",
        reply.len()
    )
}
