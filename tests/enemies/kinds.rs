//! The kinds of hostile endpoints: what each does to a connection.

use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::wire::Peer;

/// One kind of hostile endpoint.
pub struct Kind {
    pub name: &'static str,
    /// How many there are of it, at the least.
    pub weight: usize,
    /// What the URL looks like before the host: the wrong one, for some.
    pub scheme: &'static str,
    pub does: Does,
}

/// What it does.
pub enum Does {
    /// This, with each connection.
    Serve(fn(&mut Peer)),
    /// Never accepts a connection: the kernel completes it, and nobody ever reads.
    NotAccept,
    /// Listens to nothing.
    NotListen,
    /// Has a name that is never resolved.
    NotResolve,
}

use Does::{NotAccept, NotListen, NotResolve, Serve};

const fn http(name: &'static str, weight: usize, serve: fn(&mut Peer)) -> Kind {
    Kind {
        name,
        weight,
        scheme: "http",
        does: Serve(serve),
    }
}

const fn https(name: &'static str, weight: usize, serve: fn(&mut Peer)) -> Kind {
    Kind {
        name,
        weight,
        scheme: "https",
        does: Serve(serve),
    }
}

const fn without(name: &'static str, weight: usize, does: Does) -> Kind {
    Kind {
        name,
        weight,
        scheme: "http",
        does,
    }
}

/// What resets and closes cut short.
const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

pub const KINDS: &[Kind] = &[
    http("never answers", 20, |peer| {
        peer.read_request();
        peer.wait();
    }),
    http("never reads", 5, |_| {
        std::thread::sleep(Duration::from_secs(2));
    }),
    http("a byte a second", 10, |peer| {
        peer.read_request();
        peer.drip(ANSWER.chunks(1), Duration::from_secs(1));
    }),
    http("slow headers", 10, |peer| {
        peer.read_request();
        peer.write("HTTP/1.1 200 OK\r\n");
        let lines = std::iter::repeat(&b"x: y\r\n"[..]);
        peer.drip(lines, Duration::from_millis(50));
    }),
    http("endless header", 10, |peer| {
        peer.read_request();
        peer.write("HTTP/1.1 200 OK\r\nx: ");
        peer.forever([b'a'; 4096]);
    }),
    http("header flood", 10, |peer| {
        peer.read_request();
        peer.write("HTTP/1.1 200 OK\r\n");
        peer.forever("x: y\r\n".repeat(500));
    }),
    http("1xx flood", 10, |peer| {
        peer.read_request();
        peer.forever("HTTP/1.1 103 Early\r\nlink: </x>\r\n\r\n".repeat(100));
    }),
    http("slow 1xx", 5, |peer| {
        peer.read_request();
        let interim = std::iter::repeat(&b"HTTP/1.1 100 Continue\r\n\r\n"[..]);
        peer.drip(interim, Duration::from_millis(50));
    }),
    http("endless body", 10, |peer| {
        peer.read_request();
        peer.write("HTTP/1.1 500 No\r\n\r\n");
        peer.forever([b'a'; 16_384]);
    }),
    http("slow body", 5, |peer| {
        peer.read_request();
        peer.write("HTTP/1.1 500 No\r\ncontent-length: 9999\r\n\r\n");
        let bytes = std::iter::repeat(&b"a"[..]);
        peer.drip(bytes, Duration::from_millis(50));
    }),
    http("endless chunked", 10, |peer| {
        peer.read_request();
        peer.write("HTTP/1.1 500 No\r\ntransfer-encoding: chunked\r\n\r\n");
        peer.forever(format!("1000\r\n{}\r\n", "a".repeat(4096)));
    }),
    http("1-byte chunks", 10, |peer| {
        peer.read_request();
        peer.write("HTTP/1.1 500 No\r\ntransfer-encoding: chunked\r\n\r\n");
        peer.forever("1\r\na\r\n".repeat(500));
    }),
    http("chunk extension", 5, |peer| {
        peer.read_request();
        peer.write("HTTP/1.1 500 No\r\ntransfer-encoding: chunked\r\n\r\n1;");
        peer.forever([b'a'; 4096]);
    }),
    http("gzip bomb", 5, |peer| {
        peer.read_request();
        peer.write("HTTP/1.1 500 No\r\ncontent-encoding: gzip\r\n\r\n");
        peer.write(b"\x1f\x8b\x08\x00\0\0\0\0\0\xff");
        peer.forever(deflated_zeros());
    }),
    // One for each byte of the answer, whatever the size of the run.
    http("reset at a byte", ANSWER.len() + 1, |peer| {
        let at = peer.instance() % (ANSWER.len() + 1);
        // What was never read makes the kernel reset the connection when it is closed.
        peer.write(&ANSWER[..at]);
    }),
    http("close at a byte", ANSWER.len(), |peer| {
        let at = peer.instance() % ANSWER.len();
        peer.read_request();
        peer.write(&ANSWER[..at]);
    }),
    http("odd status line", ODD.len(), |peer| {
        let odd = ODD[peer.instance() % ODD.len()];
        peer.read_request();
        peer.write(odd);
    }),
    http("redirect", 10, |peer| {
        let instance = peer.instance();
        let status = [301, 302, 303, 307, 308][instance % 5];
        // To itself, or to where nobody should ever come.
        let port = if instance.is_multiple_of(2) {
            peer.0.local_addr().unwrap().port()
        } else {
            super::servers::trap_port()
        };
        let url = format!("http://127.0.0.1:{port}/0");
        let answer = format!(
            "HTTP/1.1 {status} Moved\r\nlocation: {url}\r\nrefresh: 0; url={url}\r\n\
             content-length: 0\r\n\r\n"
        );
        while peer.read_request() && peer.write(&answer) {}
    }),
    http("huge retry-after", 5, |peer| {
        let nines = "9".repeat(8000);
        let answer =
            format!("HTTP/1.1 503 Later\r\nretry-after: {nines}\r\ncontent-length: 0\r\n\r\n");
        while peer.read_request() && peer.write(&answer) {}
    }),
    http("two answers", 5, |peer| {
        peer.read_request();
        peer.write("HTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n".repeat(2));
        peer.wait();
    }),
    https("TLS stall", 10, Peer::wait),
    https("TLS drip", 5, |peer| {
        // The start of a handshake record that never ends.
        let bytes =
            std::iter::once(&b"\x16\x03\x03\x40\x00\x02"[..]).chain(std::iter::repeat(&b"\0"[..]));
        peer.drip(bytes, Duration::from_millis(50));
    }),
    https("TLS garbage", 5, |peer| {
        peer.forever([0x16; 4096]);
    }),
    https("TLS to plain", 5, |peer| {
        peer.write("HTTP/1.1 400 Bad\r\ncontent-length: 0\r\n\r\n");
        peer.wait();
    }),
    https("wrong certificate", 5, tls_server),
    http("plain to TLS", 5, tls_server),
    without("never accepts", 5, NotAccept),
    without("nobody listens", 5, NotListen),
    without("name hangs", 8, NotResolve),
];

#[rustfmt::skip]
const ODD: &[&str] = &[
    "HTTP/1.1 999 ?\r\ncontent-length: 0\r\n\r\n", "HTTP/1.1 099 ?\r\n\r\n", "HTTP/1.1 1000 ?\r\n\r\n",
    "HTTP/1.1 abc OK\r\n\r\n", "HTTP/1.1 -200 OK\r\n\r\n", "HTTP/1.1  200 OK\r\n\r\n", "HTTP/1.1\r\n\r\n",
    "HTTP/9.9 200 OK\r\n\r\n", "HTTP/0.9 200 OK\r\n\r\n", "ICY 200 OK\r\n\r\n", "http/1.1 200 OK\r\n\r\n",
    "200 OK\r\n\r\n", "\r\n\r\n", "\0\0\0\0", "HTTP/1.1 2\u{e9}0 OK\r\n\r\n", "HTTP/1.1 200 \x01\r\n\r\n",
    "HTTP/1.1 500 No\r\n : \r\n\r\n", "HTTP/1.1 500 No\r\nno colon\r\n\r\n",
    "HTTP/1.1 500 No\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
    "HTTP/1.1 500 No\r\ncontent-length: 99999999999999999999\r\n\r\n",
    "HTTP/1.1 500 No\r\ncontent-length: -1\r\n\r\n", "SSH-2.0-OpenSSH_9.6\r\n\r\n",
    "HTTP/1.1 500 No\r\ntransfer-encoding: chunked\r\n\r\nffffffffffffffffff\r\n",
    "HTTP/1.1 101 Switching\r\nupgrade: x\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
];

/// Zeros in a deflate stream, 158 to a byte: a block of fixed codes (RFC 1951 §3.2.6) with a zero
/// and then copies of 258 bytes from one byte back, repeated as it is.
fn deflated_zeros() -> Vec<u8> {
    let mut bits = String::from("010"); // not the last block; fixed codes
    bits.push_str("00110000"); // the literal 0
    for _ in 0..4000 {
        bits.push_str("1100010100000"); // length 258, distance 1
    }
    bits.push_str("0000000"); // the end of the block
    let bits = bits.into_bytes();
    bits.chunks(8)
        .map(|byte| byte.iter().rev().fold(0, |sum, bit| sum << 1 | (bit & 1)))
        .collect()
}

/// A TLS server whose certificate nobody signed.
fn tls_server(peer: &mut Peer) {
    let key = rcgen::KeyPair::generate().unwrap();
    let params = rcgen::CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    let certificate = params.self_signed(&key).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der())),
        )
        .unwrap();
    let conn = ServerConnection::new(Arc::new(config)).unwrap();
    let mut stream = StreamOwned::new(conn, &mut peer.0);
    let _ = std::io::copy(&mut stream, &mut std::io::sink());
}
