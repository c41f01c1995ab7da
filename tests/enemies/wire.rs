//! The server's side of a connection, and names that are never resolved.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use hookbox::transport::Resolver;

/// A resolver that hangs for longer than anybody waits: what a dead name server does.
#[derive(Debug)]
pub struct HangingNames;

impl Resolver for HangingNames {
    fn resolve(&self, _host: &str, _port: u16) -> Result<Vec<SocketAddr>, String> {
        std::thread::sleep(Duration::from_secs(3));
        Err("no answer".to_owned())
    }
}

/// The server's side of a connection.
pub struct Peer(pub TcpStream);

impl Peer {
    /// The number at the end of the request's path, read ahead: the request stays unread.
    pub fn instance(&self) -> usize {
        let mut buffer = [0; 512];
        let length = self.0.peek(&mut buffer).unwrap_or(0);
        let text = String::from_utf8_lossy(&buffer[..length]);
        let path = text.split_whitespace().nth(1).unwrap_or_default();
        path.trim_start_matches('/').parse().unwrap_or(0)
    }

    /// Reads one request to its end; `false` at the end of the connection.
    pub fn read_request(&self) -> bool {
        read_request(&mut BufReader::new(&self.0)).is_some()
    }

    /// Whether the client still takes bytes.
    pub fn write(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.0.write_all(bytes.as_ref()).is_ok()
    }

    /// Writes the block until the client is gone.
    pub fn forever(&mut self, block: impl AsRef<[u8]>) {
        while self.write(&block) {}
    }

    /// Writes the parts one by one with pauses, in which the client may go.
    pub fn drip<'a>(&mut self, parts: impl Iterator<Item = &'a [u8]>, pause: Duration) {
        self.0.set_read_timeout(Some(pause)).unwrap();
        for part in parts {
            if !self.write(part) || matches!(self.0.read(&mut [0]), Ok(0)) {
                return;
            }
        }
        self.0.set_read_timeout(None).unwrap();
    }

    /// Waits until the client is gone.
    pub fn wait(&mut self) {
        let _ = std::io::copy(&mut self.0, &mut std::io::sink());
    }
}

/// The request line's path, and the body; `None` at the end of the connection.
pub fn read_request(reader: &mut BufReader<impl Read>) -> Option<(String, Vec<u8>)> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "))
        .map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let path = head.split_whitespace().nth(1)?.to_owned();
    Some((path, body))
}
