//! Which addresses, names and ports may be reached.
//!
//! The URL of a webhook is a stranger's choice, and the host's network is full of services that
//! trust whoever can connect. Names are only hints (anybody can point a name anywhere), so the
//! check that counts is the one on the very addresses a connection is opened to.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use ipnet::IpNet;

use crate::error::{Error, Result};
use crate::model::WebhookUrl;

/// Which addresses, names and ports may be reached. The default is strict: https to public
/// addresses only.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AddressPolicy {
    /// Whether plain http is allowed as well as https.
    pub allow_http: bool,
    /// Networks that may be reached although they are not public, the host's own for instance.
    /// Addresses that embed an IPv4 address (`::ffff:10.0.0.1`) count as that IPv4 address.
    /// `0.0.0.0/0` and `::/0` together switch the address check off: for development only.
    pub allow: Vec<IpNet>,
    /// Which ports may be reached, on whatever address.
    pub ports: PortRule,
}

/// Which ports may be reached.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum PortRule {
    /// 443, 80 where http is allowed, and every port from 1024: no service that predates the web
    /// (mail, remote shells, file shares).
    #[default]
    Standard,
    /// Exactly these.
    Only(Vec<u16>),
}

/// Why an address is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeniedReason(&'static str);

impl fmt::Display for DeniedReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// IPv4 networks that are not public: address, prefix length, what it is.
const DENIED_V4: [(Ipv4Addr, u8, &str); 19] = [
    (Ipv4Addr::UNSPECIFIED, 8, "this host"),
    (Ipv4Addr::new(10, 0, 0, 0), 8, "private"),
    (Ipv4Addr::new(100, 64, 0, 0), 10, "shared (carrier NAT)"),
    (Ipv4Addr::new(127, 0, 0, 0), 8, "loopback"),
    // Azure's wire server: public in form, but it answers inside the virtual machine only.
    (Ipv4Addr::new(168, 63, 129, 16), 32, "cloud metadata"),
    (Ipv4Addr::new(169, 254, 0, 0), 16, "link-local"),
    (Ipv4Addr::new(172, 16, 0, 0), 12, "private"),
    (Ipv4Addr::new(192, 0, 0, 0), 24, "reserved"),
    (Ipv4Addr::new(192, 0, 2, 0), 24, "documentation"),
    (Ipv4Addr::new(192, 31, 196, 0), 24, "reserved"),
    (Ipv4Addr::new(192, 52, 193, 0), 24, "reserved"),
    (Ipv4Addr::new(192, 88, 99, 0), 24, "6to4 relay"),
    (Ipv4Addr::new(192, 168, 0, 0), 16, "private"),
    (Ipv4Addr::new(192, 175, 48, 0), 24, "reserved"),
    (Ipv4Addr::new(198, 18, 0, 0), 15, "benchmarking"),
    (Ipv4Addr::new(198, 51, 100, 0), 24, "documentation"),
    (Ipv4Addr::new(203, 0, 113, 0), 24, "documentation"),
    (Ipv4Addr::new(224, 0, 0, 0), 4, "multicast"),
    (Ipv4Addr::new(240, 0, 0, 0), 4, "reserved"),
];

/// The only public part of IPv6. What lies outside (loopback, unique local, link-local,
/// IPv4-compatible, NAT64, multicast …) need not be listed.
const GLOBAL_V6: (Ipv6Addr, u8) = (Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);

/// What is not public inside [`GLOBAL_V6`].
const DENIED_V6: [(Ipv6Addr, u8, &str); 5] = [
    // Teredo, which embeds IPv4 addresses, ORCHID, benchmarking and more.
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23, "reserved"),
    (
        Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0),
        32,
        "documentation",
    ),
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16, "6to4"),
    (
        Ipv6Addr::new(0x2620, 0x4f, 0x8000, 0, 0, 0, 0, 0),
        48,
        "reserved",
    ),
    (
        Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0),
        20,
        "documentation",
    ),
];

impl AddressPolicy {
    /// Whether a connection to this address may be opened.
    ///
    /// # Errors
    /// Why not.
    pub fn check_ip(&self, address: IpAddr) -> std::result::Result<(), DeniedReason> {
        let address = address.to_canonical();
        if self.allow.iter().any(|net| net.contains(&address)) {
            return Ok(());
        }
        let denied = match address {
            IpAddr::V4(address) => denied_v4(address),
            IpAddr::V6(address) => denied_v6(address),
        };
        denied.map_or(Ok(()), |what| Err(DeniedReason(what)))
    }

    /// Whether all of the addresses that a name resolved to may be reached. One that may not
    /// condemns them all: a mixed answer is what a rebinding attack looks like.
    ///
    /// # Errors
    /// A sentence that names the first address refused.
    pub fn check_answer(&self, answer: &[SocketAddr]) -> std::result::Result<(), String> {
        answer.iter().map(SocketAddr::ip).try_for_each(|ip| {
            self.check_ip(ip)
                .map_err(|reason| format!("the address {ip} is not allowed: {reason}"))
        })
    }

    /// Whether a webhook may be registered with this URL, and a request be sent to it: its
    /// scheme, port and host. A name's addresses are checked when it is resolved, each time.
    ///
    /// # Errors
    /// [`Error::WebhookInvalidUrl`] with the rule the URL breaks.
    pub fn check_url(&self, url: &WebhookUrl) -> Result<()> {
        let refuse = |reason: String| Err(Error::WebhookInvalidUrl { reason });
        if !url.is_https() && !self.allow_http {
            return refuse("its scheme must be https".to_owned());
        }
        if !self.allows_port(url.port()) {
            return refuse(format!("port {} is not allowed", url.port()));
        }
        if let Some(address) = url.ip() {
            return self.check_ip(address).or_else(|reason| {
                refuse(format!("its address {address} is not allowed: {reason}"))
            });
        }
        // With an allow-list, a private name may be meant; its addresses decide.
        if self.allow.is_empty() && is_private_name(url.host()) {
            return refuse(format!("`{}` is not a public name", url.host()));
        }
        Ok(())
    }

    fn allows_port(&self, port: u16) -> bool {
        match &self.ports {
            PortRule::Standard => port == 443 || port >= 1024 || (port == 80 && self.allow_http),
            PortRule::Only(ports) => ports.contains(&port),
        }
    }
}

fn denied_v4(address: Ipv4Addr) -> Option<&'static str> {
    DENIED_V4
        .iter()
        .find(|(net, length, _)| {
            let shift = 32 - u32::from(*length);
            u32::from(address) >> shift == u32::from(*net) >> shift
        })
        .map(|(_, _, what)| *what)
}

fn denied_v6(address: Ipv6Addr) -> Option<&'static str> {
    let within = |net: Ipv6Addr, length: u8| {
        let shift = 128 - u32::from(length);
        u128::from(address) >> shift == u128::from(net) >> shift
    };
    if !within(GLOBAL_V6.0, GLOBAL_V6.1) {
        return Some(if address.is_loopback() {
            "loopback"
        } else {
            "not a global address"
        });
    }
    // ISATAP interface ids embed an IPv4 address under any prefix; two bits of them are free.
    let segments = address.segments();
    if segments[4] & !0x0300 == 0 && segments[5] == 0x5efe {
        return Some("ISATAP");
    }
    DENIED_V6
        .iter()
        .find(|(net, length, _)| within(*net, *length))
        .map(|(_, _, what)| *what)
}

/// Names that only mean something inside a network.
fn is_private_name(name: &str) -> bool {
    const SUFFIXES: [&str; 4] = [".localhost", ".localdomain", ".local", ".internal"];
    !name.contains('.') || SUFFIXES.iter().any(|suffix| name.ends_with(suffix))
}

#[cfg(test)]
#[path = "guard_tests.rs"]
mod tests;
