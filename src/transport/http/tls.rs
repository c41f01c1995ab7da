//! TLS over ureq's transports, with rustls and aws-lc-rs.
//!
//! ureq has a connector of its own, but that trusts either Mozilla's roots or a list of
//! certificates, never both, and takes its cryptography from a process-wide default that belongs
//! to the host.

use std::fmt::{self, Debug};
use std::io::{Read, Write};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use ureq::unversioned::transport::time::{Duration, Instant};
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, Either, LazyBuffers, NextTimeout, Transport,
    TransportAdapter,
};

use super::TlsRoots;
use crate::error::{Error, Result};

/// The client's configuration: which roots are trusted, TLS 1.2 and 1.3, no client certificate.
pub(super) fn client_config(roots: TlsRoots, extra_pem: Option<&str>) -> Result<Arc<ClientConfig>> {
    let invalid = |message: &str| Error::invalid("extra_root_pem", message);
    let extra: Vec<CertificateDer<'static>> =
        CertificateDer::pem_slice_iter(extra_pem.unwrap_or_default().as_bytes())
            .collect::<std::result::Result<_, _>>()
            .map_err(|_| invalid("is not PEM"))?;
    if extra_pem.is_some() && extra.is_empty() {
        return Err(invalid("holds no certificate"));
    }
    // Also where the operating system verifies: a bad root must not go unnoticed.
    let mut store = RootCertStore::empty();
    for certificate in &extra {
        store
            .add(certificate.clone())
            .map_err(|_| invalid("holds a certificate that cannot be used"))?;
    }

    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|e| Error::Internal(format!("TLS: {e}")))?;
    let config = match roots {
        TlsRoots::Mozilla => {
            drop(provider);
            store
                .roots
                .extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
            builder.with_root_certificates(store)
        }
        #[cfg(feature = "platform-roots")]
        TlsRoots::Platform => builder
            // Only its name is dangerous: it verifies with the operating system's own means.
            .dangerous()
            .with_custom_certificate_verifier(platform_verifier(extra, provider)?),
    };
    Ok(Arc::new(config.with_no_client_auth()))
}

#[cfg(feature = "platform-roots")]
fn platform_verifier(
    extra: Vec<CertificateDer<'static>>,
    provider: Arc<rustls::crypto::CryptoProvider>,
) -> Result<Arc<dyn rustls::client::danger::ServerCertVerifier>> {
    rustls_platform_verifier::Verifier::new_with_extra_roots(extra, provider)
        .map(|verifier| Arc::new(verifier) as Arc<_>)
        .map_err(|e| Error::Unsupported(format!("the system's root certificates: {e}")))
}

/// Encrypts the connection where the URL's scheme is https.
pub(super) struct TlsConnector(pub(super) Arc<ClientConfig>);

impl<In: Transport> Connector<In> for TlsConnector {
    type Out = Either<In, TlsTransport>;

    fn connect(
        &self,
        details: &ConnectionDetails,
        chained: Option<In>,
    ) -> std::result::Result<Option<Self::Out>, ureq::Error> {
        let Some(transport) = chained else {
            return Ok(None);
        };
        if !details.needs_tls() || transport.is_tls() {
            return Ok(Some(Either::A(transport)));
        }
        let host = details.uri.host().unwrap_or_default();
        let name = ServerName::try_from(host.trim_matches(['[', ']']).to_owned())
            .map_err(|_| ureq::Error::Tls("the host's name cannot be in a certificate"))?;
        let mut conn = ClientConnection::new(Arc::clone(&self.0), name).map_err(rejected)?;
        let boxed: Box<dyn Transport> = Box::new(transport);
        let mut sock = TransportAdapter::new(boxed, Arc::clone(&details.current_time));
        sock.set_timeout(remaining(details));
        conn.complete_io(&mut sock)?;
        let config = details.config;
        Ok(Some(Either::B(TlsTransport {
            buffers: LazyBuffers::new(config.input_buffer_size(), config.output_buffer_size()),
            stream: StreamOwned { conn, sock },
        })))
    }
}

#[allow(clippy::needless_pass_by_value)] // for `map_err`
fn rejected(error: rustls::Error) -> ureq::Error {
    ureq::Error::from(std::io::Error::other(error.to_string()))
}

/// What the TCP connection has left of the time for connecting.
fn remaining(details: &ConnectionDetails) -> NextTimeout {
    let mut timeout = details.timeout;
    if let (Duration::Exact(after), Instant::Exact(started)) = (timeout.after, details.now) {
        timeout.after = Duration::Exact(after.saturating_sub(started.elapsed()));
    }
    timeout
}

impl Debug for TlsConnector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsConnector").finish_non_exhaustive()
    }
}

/// An encrypted connection.
pub(super) struct TlsTransport {
    buffers: LazyBuffers,
    stream: StreamOwned<ClientConnection, TransportAdapter>,
}

impl Transport for TlsTransport {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(
        &mut self,
        amount: usize,
        timeout: NextTimeout,
    ) -> std::result::Result<(), ureq::Error> {
        self.stream.sock.set_timeout(timeout);
        let output = &self.buffers.output()[..amount];
        self.stream.write_all(output)?;
        // Without this, an error in sending the last bytes would surface later, or never.
        self.stream.flush()?;
        Ok(())
    }

    fn await_input(&mut self, timeout: NextTimeout) -> std::result::Result<bool, ureq::Error> {
        self.stream.sock.set_timeout(timeout);
        let input = self.buffers.input_append_buf();
        let amount = self.stream.read(input)?;
        self.buffers.input_appended(amount);
        Ok(amount > 0)
    }

    fn is_open(&mut self) -> bool {
        // Decrypted bytes nobody asked for would be read as the next response's.
        let clean =
            self.stream.conn.process_new_packets().is_ok_and(|state| {
                state.plaintext_bytes_to_read() == 0 && !state.peer_has_closed()
            });
        clean && self.stream.sock.get_mut().is_open()
    }

    fn is_tls(&self) -> bool {
        true
    }
}

impl Debug for TlsTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsTransport")
            .field("under", &self.stream.sock.inner())
            .finish_non_exhaustive()
    }
}
