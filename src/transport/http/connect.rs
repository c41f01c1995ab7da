//! The steps to an open connection: looking up, guarding, and telling apart what failed.

use std::fmt::Debug;
use std::net::{IpAddr, SocketAddr};

use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver as UreqResolver};
use ureq::unversioned::transport::{ConnectionDetails, Connector, NextTimeout, Transport};

use super::failure;
use crate::model::FailureKind;
use crate::transport::AddressPolicy;
use crate::transport::resolver::{LookupError, LookupPool};

/// As many addresses as ureq's list takes.
const ADDRESSES_MAX: usize = 16;

fn error(kind: FailureKind, message: impl Into<String>) -> ureq::Error {
    failure::into_ureq(failure::new(kind, message.into()))
}

/// The IP address that a URI's host is, if it is one.
fn literal(uri: &Uri) -> Option<IpAddr> {
    let host = uri.host()?.trim_matches(['[', ']']);
    host.parse().ok()
}

/// Looks names up in the pool and refuses an answer with any address that is not allowed.
///
/// ureq asks it for every request, also for one that then reuses an idle connection.
#[derive(Debug)]
pub(super) struct GuardedResolver {
    pub(super) pool: LookupPool,
    pub(super) policy: AddressPolicy,
}

impl UreqResolver for GuardedResolver {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let port = uri.port_u16().unwrap_or(match uri.scheme_str() {
            Some("https") => 443,
            _ => 80,
        });
        let answer = match literal(uri) {
            Some(ip) => vec![SocketAddr::new(ip, port)],
            None => self.lookup(uri.host().unwrap_or_default(), port, *timeout.after)?,
        };
        // With a proxy, only the proxy's own name is ever asked for, and the host chose that.
        if config.proxy().is_none() {
            // All of them, not only those that ureq's list will hold.
            self.policy
                .check_answer(&answer)
                .map_err(|message| error(FailureKind::AddressDenied, message))?;
        }
        let mut addresses = self.empty();
        for address in answer.into_iter().take(ADDRESSES_MAX) {
            addresses.push(address);
        }
        Ok(addresses)
    }
}

impl GuardedResolver {
    fn lookup(
        &self,
        host: &str,
        port: u16,
        within: std::time::Duration,
    ) -> Result<Vec<SocketAddr>, ureq::Error> {
        let dns = |message: String| error(FailureKind::Dns, message);
        let within = within.min(super::TIMEOUT_MAX);
        match self.pool.lookup(host, port, within) {
            Ok(answer) if answer.is_empty() => Err(dns("the name has no address".to_owned())),
            Ok(answer) => Ok(answer),
            Err(LookupError::Failed(message)) => Err(dns(message)),
            Err(LookupError::Overloaded) => {
                Err(dns("resolver overloaded: too many lookups hang".to_owned()))
            }
            Err(LookupError::TimedOut) => Err(error(
                FailureKind::Timeout,
                "the deadline passed while the name was looked up",
            )),
        }
    }
}

/// Checks the very addresses that the next connector dials: the last word, whatever happened
/// before.
#[derive(Debug)]
pub(super) struct Guard {
    pub(super) policy: AddressPolicy,
    /// Then the only addresses ever dialled are the proxy's.
    pub(super) behind_proxy: bool,
}

impl<In: Transport> Connector<In> for Guard {
    type Out = In;

    fn connect(
        &self,
        details: &ConnectionDetails,
        chained: Option<In>,
    ) -> Result<Option<In>, ureq::Error> {
        // A tunnel through the proxy is open already, or the way to the proxy itself is opened.
        if chained.is_some() || self.behind_proxy {
            return Ok(chained);
        }
        self.policy
            .check_answer(&details.addrs)
            .map_err(|message| error(FailureKind::AddressDenied, message))?;
        Ok(None)
    }
}

/// Which step a connector is.
#[derive(Debug, Clone, Copy)]
pub(super) enum Stage {
    /// Reaching the proxy and opening a tunnel through it.
    Proxy,
    /// Opening a TCP connection.
    Connect,
    /// The TLS handshake.
    Tls,
}

/// A connector whose errors say at which step they happened: nothing has been sent by then.
#[derive(Debug)]
pub(super) struct Labelled<C>(pub(super) Stage, pub(super) C);

impl<In: Transport, C: Connector<In>> Connector<In> for Labelled<C> {
    type Out = C::Out;

    fn connect(
        &self,
        details: &ConnectionDetails,
        chained: Option<In>,
    ) -> Result<Option<C::Out>, ureq::Error> {
        self.1
            .connect(details, chained)
            .map_err(|failed| self.label(failed))
    }
}

impl<C> Labelled<C> {
    fn label(&self, failed: ureq::Error) -> ureq::Error {
        match (self.0, failed) {
            (Stage::Proxy, ureq::Error::ConnectProxyFailed(message)) => {
                error(proxy_refusal(&message), message)
            }
            // Whatever fails on the way to the proxy is the proxy's.
            (Stage::Proxy, failed) => {
                let inner = failure::from_ureq(failed);
                error(FailureKind::Proxy, inner.to_string())
            }
            (_, failed @ ureq::Error::Other(_)) => failed,
            (Stage::Connect, ureq::Error::Timeout(_)) => {
                error(FailureKind::Timeout, "the deadline passed while connecting")
            }
            (Stage::Tls, ureq::Error::Timeout(_)) => error(
                FailureKind::Timeout,
                "the deadline passed in the TLS handshake",
            ),
            (Stage::Connect, ureq::Error::Io(inner)) => {
                error(FailureKind::Connect, failure::io_message(&inner))
            }
            (Stage::Tls, ureq::Error::Io(inner)) => {
                error(FailureKind::Tls, failure::io_message(&inner))
            }
            (Stage::Connect, failed) => error(FailureKind::Connect, failed.to_string()),
            (Stage::Tls, failed) => error(FailureKind::Tls, failed.to_string()),
        }
    }
}

/// A proxy that answers 502 or 504 works, and says that the endpoint cannot be reached.
fn proxy_refusal(message: &str) -> FailureKind {
    let mut words = message.split([' ', '/']);
    if words.any(|word| word == "502" || word == "504") {
        FailureKind::Connect
    } else {
        FailureKind::Proxy
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use ureq::Agent;
    use ureq::unversioned::transport::TcpConnector;

    use super::*;

    /// Lets any address through.
    #[derive(Debug)]
    struct Unguarded(SocketAddr);

    impl UreqResolver for Unguarded {
        fn resolve(
            &self,
            _: &Uri,
            _: &Config,
            _: NextTimeout,
        ) -> Result<ResolvedSocketAddrs, ureq::Error> {
            let mut addresses = self.empty();
            addresses.push(self.0);
            Ok(addresses)
        }
    }

    /// The resolver refuses first, so only a fault in it shows that the guard stands by itself.
    #[test]
    fn the_guard_needs_no_resolver() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let guard = Guard {
            policy: AddressPolicy::default(),
            behind_proxy: false,
        };
        let chain = ().chain(guard).chain(TcpConnector::default());
        let config = Agent::config_builder().proxy(None).build();
        let agent = Agent::with_parts(config, chain, Unguarded(address));
        let refused = agent.get("http://example.com/").call().unwrap_err();
        let refused = failure::from_ureq(refused);
        assert_eq!(refused.kind, FailureKind::AddressDenied);
        listener.set_nonblocking(true).unwrap();
        assert!(listener.accept().is_err(), "a connection was opened");
    }

    #[test]
    fn a_proxys_refusal_is_told_from_its_fault() {
        let refused = |message| proxy_refusal(message) == FailureKind::Connect;
        assert!(refused("proxy server responded 502/502"));
        assert!(refused("proxy server responded 504/504"));
        assert!(!refused("proxy server responded 407/407"));
        assert!(!refused("proxy server did not respond"));
    }
}
