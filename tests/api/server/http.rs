//! The smallest server that `Api` can be mounted in: HTTP/1.1 with `Content-Length`, a thread for each
//! connection. For tests: it has no limits on time, and trusts its clients.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

use hookbox::api::{Api, Request, Response};

/// Serves until the process ends.
pub fn serve(listener: &TcpListener, api: Api) {
    let api = Arc::new(api);
    for stream in listener.incoming().flatten() {
        let api = api.clone();
        std::thread::spawn(move || converse(stream, &api));
    }
}

/// Request after request, until the client leaves or says what is no HTTP.
fn converse(stream: TcpStream, api: &Api) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut writer = stream;
    loop {
        let request = read(&mut reader)?;
        let answer = api.handle(&request);
        writer.write_all(&head(&request, &answer)).ok()?;
        writer.write_all(&answer.body).ok()?;
        if request
            .header("connection")
            .is_some_and(|value| value == "close")
        {
            return None;
        }
    }
}

fn read(reader: &mut impl BufRead) -> Option<Request> {
    let first = line(reader)?;
    let mut parts = first.split(' ');
    let (method, target) = (parts.next()?.to_owned(), parts.next()?.to_owned());
    let mut headers = Vec::new();
    loop {
        let line = line(reader)?;
        let Some((name, value)) = line.split_once(':') else {
            break;
        };
        headers.push((name.to_owned(), value.trim().to_owned()));
    }
    let mut request = Request {
        method,
        target,
        headers,
        body: Vec::new(),
    };
    let length = request.header("content-length").map_or(Ok(0), str::parse);
    request.body = vec![0; length.ok()?];
    reader.read_exact(&mut request.body).ok()?;
    Some(request)
}

/// A line without its end; bytes that are no UTF-8 are replaced.
fn line(reader: &mut impl BufRead) -> Option<String> {
    let mut bytes = Vec::new();
    let count = reader.read_until(b'\n', &mut bytes).ok()?;
    let text = String::from_utf8_lossy(&bytes);
    (count > 0).then(|| text.trim_end_matches(['\r', '\n']).to_owned())
}

fn head(request: &Request, answer: &Response) -> Vec<u8> {
    let mut head = format!("HTTP/1.1 {} Status\r\n", answer.status);
    for (name, value) in &answer.headers {
        head += &format!("{name}: {value}\r\n");
    }
    // 204 has none, and that of HEAD would be another's.
    if answer.status != 204 && request.method != "HEAD" {
        head += &format!("content-length: {}\r\n", answer.body.len());
    }
    (head + "\r\n").into_bytes()
}
