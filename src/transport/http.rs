//! The HTTP transport: ureq over our own connectors. Only this module names ureq and rustls.
//!
//! ureq's transport and resolver traits may change in a minor release; the version is pinned and
//! nothing of it shows in the crate's API.

mod connect;
mod failure;
mod tls;

use std::fmt::{self, Debug};
use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ureq::config::AutoHeaderValue;
use ureq::unversioned::transport::{ConnectProxyConnector, Connector, TcpConnector};
use ureq::{Agent, AsSendBody, Proxy};

use crate::error::{Error, Result};
use crate::model::FailureKind;
use crate::transport::resolver::LookupPool;
use crate::transport::{
    AddressPolicy, HEADERS_REFUSED, Method, RESPONSE_BODY_BYTES_MAX, Request, Resolver, Response,
    SystemResolver, Transport, TransportError,
};
use connect::{Guard, GuardedResolver, Labelled, Stage};

/// Bytes of a response's status line and headers; more is a protocol failure.
const RESPONSE_HEAD_BYTES_MAX: usize = 16 * 1024;

/// Bytes of a response header's value that are kept.
const HEADER_VALUE_BYTES_MAX: usize = 256;

/// The response headers that hookbox reads.
const HEADERS_KEPT: [&str; 2] = ["retry-after", "webhook-delivery"];

/// Longer deadlines count as this; it keeps time arithmetic from overflowing.
const TIMEOUT_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// How requests are sent.
#[derive(Clone)]
#[non_exhaustive]
pub struct HttpOptions {
    /// Which addresses, names and ports may be reached.
    pub policy: AddressPolicy,
    /// How names are looked up.
    pub resolver: Arc<dyn Resolver>,
    /// Which certificate authorities are trusted.
    pub tls_roots: TlsRoots,
    /// More certificate authorities to trust, as PEM text: a private network's own, for instance.
    pub extra_root_pem: Option<String>,
    /// The URL of an `http` or `https` proxy that opens every connection (`CONNECT`). Never taken
    /// from the environment. **Behind a proxy the address guard sees only URLs that name an
    /// address**: the proxy resolves names, so it must keep private addresses out of reach itself.
    pub proxy: Option<String>,
    /// Idle connections kept for reuse, over all endpoints. 0 opens one for each request.
    pub idle_connections: usize,
    /// For how long an idle connection may be reused. The default is below the 5 seconds after
    /// which common servers close theirs.
    pub idle_age: Duration,
    /// The `user-agent` header.
    pub user_agent: String,
}

impl Default for HttpOptions {
    fn default() -> Self {
        Self {
            policy: AddressPolicy::default(),
            resolver: Arc::new(SystemResolver),
            tls_roots: TlsRoots::default(),
            extra_root_pem: None,
            proxy: None,
            idle_connections: 64,
            idle_age: Duration::from_secs(4),
            user_agent: concat!("hookbox/", env!("CARGO_PKG_VERSION")).to_owned(),
        }
    }
}

/// Shows no proxy: its URL may hold a password.
impl Debug for HttpOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpOptions")
            .field("policy", &self.policy)
            .field("resolver", &self.resolver)
            .field("tls_roots", &self.tls_roots)
            .field("idle_connections", &self.idle_connections)
            .field("idle_age", &self.idle_age)
            .field("user_agent", &self.user_agent)
            .finish_non_exhaustive()
    }
}

/// Which certificate authorities are trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum TlsRoots {
    /// Mozilla's list, compiled in.
    #[default]
    Mozilla,
    /// The operating system's.
    #[cfg(feature = "platform-roots")]
    Platform,
}

/// Sends requests over HTTP/1.1 and TLS, within an [`AddressPolicy`].
///
/// - The name is looked up for **each** request, and all of its addresses must be allowed, also
///   when an idle connection is then reused; a new one is opened to exactly the addresses checked.
/// - One deadline covers everything, the lookup included.
/// - No redirect is followed, no body decompressed, no cookie kept, and no environment variable
///   read.
/// - An idle connection that the server has closed is noticed before it is reused. One that the
///   server closes in the very moment of reuse fails with [`FailureKind::Reset`]: sending again at
///   once could deliver twice what must be delivered at most once, so that is left to the caller.
/// - A request that cannot be put on the wire (a line break in a header, a header that is not the
///   caller's to set) fails with [`FailureKind::Signing`]: our side's fault, and nothing was sent.
/// - A proxy's faults are [`FailureKind::Proxy`], unless it answers 502 or 504, by which it says
///   that the endpoint cannot be reached: [`FailureKind::Connect`].
/// - ureq cannot choose the local address; nor can this.
/// - A server that answers before it has read the whole body, and closes, counts as a reset.
pub struct HttpTransport {
    agent: Agent,
    policy: AddressPolicy,
    closed: AtomicBool,
}

impl HttpTransport {
    /// Builds the transport; opens no connection and starts no thread.
    ///
    /// # Errors
    /// [`Error::InvalidRequest`] for an unusable proxy URL, user agent or root certificate.
    pub fn new(options: HttpOptions) -> Result<Self> {
        let proxy = options.proxy.as_deref().map(parse_proxy).transpose()?;
        if http::HeaderValue::from_str(&options.user_agent).is_err() {
            return Err(Error::invalid("user_agent", "is not a valid header value"));
        }
        let tls = tls::client_config(options.tls_roots, options.extra_root_pem.as_deref())?;

        let connector = ()
            .chain(Labelled(Stage::Proxy, ConnectProxyConnector::default()))
            .chain(Guard {
                policy: options.policy.clone(),
                behind_proxy: proxy.is_some(),
            })
            .chain(Labelled(Stage::Connect, TcpConnector::default()))
            .chain(Labelled(Stage::Tls, tls::TlsConnector(tls)));
        let resolver = GuardedResolver {
            pool: LookupPool::new(options.resolver),
            policy: options.policy.clone(),
        };
        let config = Agent::config_builder()
            .proxy(proxy)
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .accept_encoding(AutoHeaderValue::None)
            .user_agent(options.user_agent)
            .max_response_header_size(RESPONSE_HEAD_BYTES_MAX)
            .input_buffer_size(2 * RESPONSE_HEAD_BYTES_MAX)
            .output_buffer_size(32 * 1024)
            .max_idle_connections(options.idle_connections)
            .max_idle_connections_per_host(options.idle_connections)
            .max_idle_age(options.idle_age)
            .build();
        Ok(Self {
            agent: Agent::with_parts(config, connector, resolver),
            policy: options.policy,
            closed: AtomicBool::new(false),
        })
    }

    /// Breaks all connections, so that requests in flight return at once, and refuses new ones.
    ///
    /// Such a request fails with [`FailureKind::Lost`], which is not charged to the endpoint. One
    /// that is still looking a name up or opening a connection returns at its deadline.
    fn break_connections(&self) {
        self.closed.store(true, Ordering::SeqCst);
        self.agent.clone().shutdown();
    }

    fn try_send(&self, request: &Request) -> std::result::Result<Response, TransportError> {
        // Once more: the stored URL, or the policy, may have changed since the registration.
        self.policy
            .check_url(&request.url)
            .map_err(|e| failure::new(FailureKind::AddressDenied, e.to_string()))?;
        let head = Self::build(request)?;
        // For ureq any body, be it empty, is a reason to send `content-length`.
        let response = match request.method {
            Method::Get => self.run(head, request.timeout),
            Method::Post => {
                let (head, ()) = head.into_parts();
                let whole = http::Request::from_parts(head, request.body.as_ref());
                self.run(whole, request.timeout)
            }
        }
        .map_err(failure::from_ureq)?;
        let (parts, body) = response.into_parts();
        Ok(Response {
            status: parts.status.as_u16(),
            headers: kept_headers(&parts.headers),
            body: read_body(body.into_reader()),
        })
    }

    fn run(
        &self,
        request: http::Request<impl AsSendBody>,
        timeout: Duration,
    ) -> std::result::Result<http::Response<ureq::Body>, ureq::Error> {
        let request = self
            .agent
            .configure_request(request)
            .timeout_global(Some(timeout.min(TIMEOUT_MAX)))
            .build();
        self.agent.run(request)
    }

    /// Everything but the body.
    fn build(request: &Request) -> std::result::Result<http::Request<()>, TransportError> {
        let mut builder = http::Request::builder()
            .method(match request.method {
                Method::Get => http::Method::GET,
                Method::Post => http::Method::POST,
            })
            .uri(request.target());
        for (name, value) in &request.headers {
            if HEADERS_REFUSED
                .iter()
                .any(|refused| name.eq_ignore_ascii_case(refused))
            {
                return Err(unsendable(&format!("the header `{name}` may not be set")));
            }
            // This refuses line breaks and other controls in both.
            builder = builder.header(name.as_str(), value.as_str());
        }
        let head = builder
            .body(())
            .map_err(|_| unsendable("a header or the query is malformed"))?;
        // The URL was checked when it was parsed; but what is sent is what counts.
        let host = head.uri().host().unwrap_or_default();
        if host.trim_matches(['[', ']']) == request.url.host() {
            Ok(head)
        } else {
            let message = "the URL is ambiguous".to_owned();
            Err(failure::new(FailureKind::AddressDenied, message))
        }
    }
}

impl Transport for HttpTransport {
    fn send(&self, request: &Request) -> std::result::Result<Response, TransportError> {
        let shut_down = |kind| failure::new(kind, "the transport was shut down".to_owned());
        if self.closed.load(Ordering::SeqCst) {
            return Err(shut_down(FailureKind::Stopped));
        }
        self.try_send(request).map_err(|error| {
            // Broken by us, then: the endpoint is not to blame, and may have got the request.
            match self.closed.load(Ordering::SeqCst) {
                true if error.kind.is_before_sending() => shut_down(FailureKind::Stopped),
                true => shut_down(FailureKind::Lost),
                false => error,
            }
        })
    }

    fn shutdown(&self) {
        self.break_connections();
    }
}

impl Debug for HttpTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpTransport")
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}

/// A request that cannot be put on the wire. Like one that cannot be signed: it is not the
/// endpoint's fault, and certainly nothing was sent.
fn unsendable(message: &str) -> TransportError {
    failure::new(FailureKind::Signing, message.to_owned())
}

fn parse_proxy(text: &str) -> Result<Proxy> {
    let proxy = Proxy::new(text).map_err(|_| Error::invalid("proxy", "is not a proxy URL"))?;
    match proxy.protocol() {
        ureq::ProxyProtocol::Http | ureq::ProxyProtocol::Https => Ok(proxy),
        _ => Err(Error::invalid("proxy", "must be an http or https URL")),
    }
}

fn kept_headers(headers: &http::HeaderMap) -> Vec<(String, String)> {
    let mut kept = Vec::new();
    for name in HEADERS_KEPT {
        if let Some(value) = headers.get(name) {
            let value = value.as_bytes();
            let value = &value[..value.len().min(HEADER_VALUE_BYTES_MAX)];
            kept.push((name.to_owned(), String::from_utf8_lossy(value).into_owned()));
        }
    }
    kept
}

/// The start of the body. That it stalls, breaks or lies about its length changes nothing: the
/// status decided. A body not read to its end is dropped together with its connection.
fn read_body(reader: impl Read) -> Vec<u8> {
    // One byte more than is kept, so as to see the end of a body of exactly that length.
    let limit = RESPONSE_BODY_BYTES_MAX + 1;
    let mut body = Vec::new();
    let mut reader = reader.take(limit as u64);
    // On an error, what came before it stays in the vector.
    let _ = reader.read_to_end(&mut body);
    body.truncate(RESPONSE_BODY_BYTES_MAX);
    body
}
