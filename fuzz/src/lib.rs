//! What the fuzz targets share: a world without sockets, entropy or a clock of its own, so that the
//! same input always does the same.

pub mod host;
pub mod soup;

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex};

use hookbox::clock::{Clock, Prng, Random};
use hookbox::model::Timestamp;
use hookbox::transport::{Request, Response, Transport, TransportError};

/// 2025-03-15T10:30:00Z.
pub const START: Timestamp = Timestamp::from_millis(1_742_034_600_000);

/// A clock that moves only when told to.
#[derive(Debug)]
pub struct HandClock(pub Mutex<Timestamp>);

impl HandClock {
    pub fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new(START)))
    }
}

impl Clock for HandClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }
}

/// The same bytes in every run.
#[derive(Debug)]
pub struct SameRandom(Mutex<Prng>);

impl SameRandom {
    pub fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new(Prng::new(1))))
    }
}

impl Random for SameRandom {
    fn fill(&self, buffer: &mut [u8]) -> hookbox::Result<()> {
        let mut prng = self.0.lock().unwrap();
        buffer.fill_with(|| prng.next_u64() as u8);
        Ok(())
    }
}

type Answer = Result<Response, TransportError>;
type Script = dyn Fn(&Request) -> Answer + Send + Sync;

/// A transport without sockets, that answers by a script.
pub struct Scripted(pub Box<Script>);

impl fmt::Debug for Scripted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Scripted")
    }
}

impl Transport for Scripted {
    fn send(&self, request: &Request) -> Answer {
        (self.0)(request)
    }
}

/// An answer without headers.
pub fn answer(status: u16, body: &[u8]) -> Answer {
    Ok(Response {
        status,
        headers: Vec::new(),
        body: body.to_vec(),
    })
}

/// Whether the registries (tests/vectors/special_addresses.txt) say that an address is special.
pub fn is_special(address: IpAddr) -> bool {
    let address = address.to_canonical();
    let rows = include_str!("../../tests/vectors/special_addresses.txt")
        .lines()
        .filter(|line| !line.starts_with('#'));
    let mut networks = rows.map(|row| row.split_whitespace().next().unwrap());
    networks.any(|text| text.parse::<ipnet::IpNet>().unwrap().contains(&address))
        || matches!(address, IpAddr::V6(address) if is_isatap(address))
}

/// RFC 5214: an IPv4 address inside an interface id.
fn is_isatap(address: Ipv6Addr) -> bool {
    let [.., a, b, c, d, _, _, _, _] = address.octets();
    (a & !3, b, c, d) == (0, 0, 0x5e, 0xfe)
}
