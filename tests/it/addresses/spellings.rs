//! Random special addresses in random spellings.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::LazyLock;
use std::time::Duration;

use hookbox::model::{FailureKind, WebhookUrl};
use hookbox::transport::{HttpTransport, Method, Request, Transport};
use proptest::prelude::*;

use super::*;

/// An address of a random row of the registries.
fn special() -> impl Strategy<Value = IpAddr> {
    (0..networks().len(), any::<u128>()).prop_map(|(index, random)| match networks()[index] {
        ipnet::IpNet::V4(net) => {
            let host = u32::MAX.checked_shr(net.prefix_len().into()).unwrap_or(0);
            (Ipv4Addr::from(u32::from(net.network()) | (random as u32 & host))).into()
        }
        ipnet::IpNet::V6(net) => {
            let host = u128::MAX.checked_shr(net.prefix_len().into()).unwrap_or(0);
            Ipv6Addr::from(u128::from(net.network()) | (random & host)).into()
        }
    })
}

/// A host part that somebody may read as this IPv4 address.
fn spelled(address: Ipv4Addr, how: usize) -> String {
    let [a, b, c, d] = address.octets();
    let number = u32::from(address);
    let (high, low) = (number >> 16, number & 0xffff);
    let v6 = |prefix: &str| format!("[{prefix}{high:x}:{low:x}]");
    match how {
        0 => address.to_string(),
        1 => number.to_string(),
        2 => format!("0x{number:x}"),
        3 => format!("0{number:o}"),
        4 => format!("0x{a:x}.0x{b:X}.0x{c:x}.0x{d:x}"),
        5 => format!("0{a:o}.0{b:o}.0{c:o}.0{d:o}"),
        6 => format!("{a}.{}", number & 0xff_ffff),
        7 => format!("{a}.{b}.{low}"),
        8 => format!("0{a:o}.0x{b:x}.{c}.{d}"),
        9 => format!("{address}."),
        10 => address.to_string().replace('.', "\u{3002}"),
        11 => address
            .to_string()
            .chars()
            .map(|c| {
                c.to_digit(10)
                    .map_or(c, |n| char::from_u32(0xff10 + n).unwrap())
            })
            .collect(),
        12 => address
            .to_string()
            .bytes()
            .map(|byte| format!("%{byte:02x}"))
            .collect(),
        13 => format!("good.com@{address}"),
        14 => format!("{:03}.{:03}.{:03}.{:03}", a, b, c, d),
        15 => format!("[::ffff:{address}]"),
        16 => v6("::FFFF:"),
        17 => v6("0:0:0:0:0:ffff:"),
        18 => v6("::"),
        19 => v6("::ffff:0:"),
        20 => v6("64:ff9b::"),
        21 => v6("64:ff9b:1::"),
        22 => format!("[2002:{high:x}:{low:x}::1]"),
        23 => format!("[2001:0:{high:x}:{low:x}::1]"),
        24 => format!("[2001:0:808:808::{:x}:{:x}]", high ^ 0xffff, low ^ 0xffff),
        25 => v6("2606:4700::5efe:"),
        26 => v6("2606:4700::200:5efe:"),
        _ => format!("[fe80::{high:x}:{low:x}%25eth0]"),
    }
}

const SPELLINGS: usize = 28;

/// On every local address, so that a connection to any of them is seen; there must be none.
static RECEIVER: LazyLock<Receiver> = LazyLock::new(Receiver::start);

/// A resolver that always gives these.
#[derive(Debug)]
pub(super) struct Gives(pub(super) Vec<IpAddr>);

impl Resolver for Gives {
    fn resolve(&self, _: &str, port: u16) -> Result<Vec<SocketAddr>, String> {
        Ok(self.0.iter().map(|ip| SocketAddr::new(*ip, port)).collect())
    }
}

pub(super) fn transport(policy: AddressPolicy, resolver: Gives) -> HttpTransport {
    let mut options = HttpOptions::default();
    options.policy = policy;
    options.resolver = Arc::new(resolver);
    HttpTransport::new(options).unwrap()
}

pub(super) fn get(url: WebhookUrl) -> Request {
    Request {
        method: Method::Get,
        url,
        query: Vec::new(),
        headers: Vec::new(),
        body: Vec::new().into(),
        timeout: Duration::from_secs(5),
    }
}

pub(super) fn with_http() -> AddressPolicy {
    AddressPolicy {
        allow_http: true,
        ..AddressPolicy::default()
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    /// However it is written, it is refused when it is registered.
    #[test]
    fn no_spelling_gets_through(address in special(), how in 0..SPELLINGS, https: bool) {
        let host = match address {
            IpAddr::V4(address) => spelled(address, how),
            IpAddr::V6(address) => format!("[{address}]"),
        };
        let scheme = if https { "https" } else { "http" };
        let url = WebhookUrl::parse(&format!("{scheme}://{host}:8443/"));
        prop_assert!(url.is_err() || with_http().check_url(&url.unwrap()).is_err(), "{}", host);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    /// One special address among those a name resolves to, wherever it stands: nothing is connected
    /// to, not even the others.
    #[test]
    fn no_answer_with_a_special_address_is_connected_to(address in special(), at in 0..20usize) {
        let mut answer = vec![IpAddr::from([127, 0, 0, 1]); 20];
        answer[at] = address;
        let policy = AddressPolicy {
            allow: vec!["127.0.0.1/32".parse().unwrap()],
            ..with_http()
        };
        prop_assume!(policy.check_ip(address).is_err());
        let url = format!("http://example.com:{}/", RECEIVER.port);
        let refused = transport(policy, Gives(answer)).send(&get(WebhookUrl::parse(&url).unwrap()));
        prop_assert_eq!(refused.unwrap_err().kind, FailureKind::AddressDenied);
        prop_assert_eq!(RECEIVER.connections(), 0);
    }

    /// This host, in every spelling, with somebody who listens: nothing arrives.
    #[test]
    fn nothing_reaches_this_host(tail in 0..1u32 << 24, zero: bool, how in 0..SPELLINGS) {
        let first = if zero { 0 } else { 127 << 24 };
        let address = Ipv4Addr::from(first | tail);
        let url = format!("http://{}:{}/", spelled(address, how), RECEIVER.port);
        if let Ok(url) = WebhookUrl::parse(&url) {
            let strict = transport(with_http(), Gives(vec![address.into()]));
            let refused = strict.send(&get(url)).unwrap_err();
            prop_assert_eq!(refused.kind, FailureKind::AddressDenied);
        }
        prop_assert_eq!(RECEIVER.connections(), 0);
    }
}
