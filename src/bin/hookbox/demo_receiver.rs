//! A receiver for the demo only: a few lines of HTTP on loopback, one thread a connection, no
//! limits. Nobody should build a receiver like this; `hookbox::verify` is the part to copy.

use std::collections::VecDeque;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hookbox::model::Secret;
use hookbox::verify::answer_challenge;

/// One request as it came.
#[derive(Debug, Clone)]
pub struct Received {
    pub line: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

#[derive(Debug, Default)]
struct State {
    /// The token that the receiver's owner expects in a challenge.
    token: Secret,
    /// Answers to the next deliveries; 200 when there are none.
    answers: VecDeque<u16>,
    challenges: Vec<Received>,
    deliveries: Vec<Received>,
}

/// The running receiver; its thread ends with the process.
#[derive(Debug)]
pub struct DemoReceiver {
    pub url: String,
    state: Arc<Mutex<State>>,
}

impl DemoReceiver {
    pub fn start(token: &str) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let url = format!("http://{}/hooks", listener.local_addr()?);
        let state = Arc::new(Mutex::new(State {
            token: Secret::new(token),
            ..State::default()
        }));
        let shared = Arc::clone(&state);
        std::thread::Builder::new()
            .name("demo receiver".into())
            .spawn(move || {
                for stream in listener.incoming().flatten() {
                    let shared = Arc::clone(&shared);
                    // A broken connection is the sender's business.
                    std::thread::spawn(move || drop(serve(stream, &shared)));
                }
            })?;
        Ok(Self { url, state })
    }

    pub fn expect_token(&self, token: &str) {
        self.state().token = Secret::new(token);
    }

    pub fn answer_with(&self, statuses: &[u16]) {
        self.state().answers.extend(statuses);
    }

    pub fn challenges(&self) -> Vec<Received> {
        self.state().challenges.clone()
    }

    pub fn deliveries(&self) -> Vec<Received> {
        self.state().deliveries.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

fn serve(mut stream: TcpStream, state: &Mutex<State>) -> io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    while let Some(request) = read_request(&mut reader)? {
        let (status, body) = answer(request, &mut lock(state));
        let length = body.len();
        let head = format!(
            "HTTP/1.1 {status} Demo\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n"
        );
        stream.write_all(format!("{head}{body}").as_bytes())?;
    }
    Ok(())
}

fn answer(request: Received, state: &mut State) -> (u16, String) {
    if request.line.starts_with("GET ") {
        let target = request.line.split(' ').nth(1).unwrap_or_default();
        let query = target.split_once('?').map_or("", |(_, query)| query);
        let answer = answer_challenge(query, &state.token);
        state.challenges.push(request);
        return match answer {
            Ok(answer) => (answer.status, answer.body),
            Err(reason) => (403, format!("{{\"refused\":\"{reason}\"}}")),
        };
    }
    state.deliveries.push(request);
    match state.answers.pop_front().unwrap_or(200) {
        200 => (200, "{}".into()),
        status => (status, "{\"error\":\"the demo fails on purpose\"}".into()),
    }
}

fn read_request(reader: &mut impl BufRead) -> io::Result<Option<Received>> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut headers = Vec::new();
    loop {
        let mut header = String::new();
        reader.read_line(&mut header)?;
        let Some((name, value)) = header.trim_end().split_once(':') else {
            break;
        };
        headers.push((name.to_owned(), value.trim().to_owned()));
    }
    let length = headers
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    let length: u64 = length
        .and_then(|(_, value)| value.parse().ok())
        .unwrap_or(0);
    let mut body = Vec::new();
    reader.by_ref().take(length).read_to_end(&mut body)?;
    Ok(Some(Received {
        line: line.trim_end().to_owned(),
        headers,
        body,
    }))
}
