//! Connecting: the URL, TLS, what a server must be, and how each connection is set up.

use std::fmt::Debug;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use postgres::config::SslMode;
use postgres::{Client, Config};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::error::{Error, Result, StorageFault};

use super::session::Session;

/// PostgreSQL 13 is the first with `autovacuum_vacuum_insert_scale_factor`, without which the log's
/// index is never read alone, and with `gen_random_uuid`.
const SERVER_VERSION_MIN: i32 = 130_000;

/// Where the URL does not say how long connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// A server that does not answer for so long is gone.
const SILENCE_MAX: Duration = Duration::from_secs(30);

/// Each connection: commits are on disk before they are acknowledged, nothing waits for ever, and
/// plans go through the indices, row by row, whatever the statistics of tables that were empty a
/// minute ago say. JIT would take the price of what is switched off for a reason to compile.
const SET_UP: &str = "SET lock_timeout = '10s'; SET statement_timeout = '60s';
     SET idle_in_transaction_session_timeout = '60s'; SET client_encoding = 'UTF8';
     SET default_transaction_isolation = 'read committed';
     SET plan_cache_mode = 'force_generic_plan'; SET enable_seqscan = off; SET enable_hashjoin = off;
     SET enable_mergejoin = off; SET jit = off;
     SET hookbox.quiet = 'on'; SET client_min_messages = 'warning';
     SELECT set_config('synchronous_commit', 'on', false)
     WHERE current_setting('synchronous_commit') = 'off';";

/// Where the box is, and how to get there. Holds a password, and shows it to nobody.
#[derive(Clone)]
pub(super) struct Connector {
    config: Config,
    tls: MakeRustlsConnect,
}

impl Debug for Connector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connector")
            .field("hosts", &self.config.get_hosts())
            .field("dbname", &self.config.get_dbname())
            .finish_non_exhaustive()
    }
}

impl Connector {
    /// Reads `postgres://user:password@host:port/database?parameters`.
    pub(super) fn parse(url: &str) -> Result<Self> {
        let (url, asked) = take_tls_parameters(url)?;
        // The parser's own words may quote the password.
        let mut config: Config = url.parse().map_err(|_| {
            Error::invalid(
                "url",
                "must be postgres://user:password@host:port/database, with other characters than \
                 letters and digits percent-encoded, and parameters that docs/postgres.md names",
            )
        })?;
        if asked.must_verify {
            config.ssl_mode(SslMode::Require);
        }
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECT_TIMEOUT);
        }
        if config.get_application_name().is_none() {
            config.application_name("hookbox");
        }
        config.keepalives_idle(SILENCE_MAX);
        config.tcp_user_timeout(SILENCE_MAX);
        let tls = MakeRustlsConnect::new(client_config(asked.root_certificate.as_deref())?);
        Ok(Self { config, tls })
    }

    /// A connection that is set up.
    pub(super) fn connect(&self) -> Result<Session> {
        let mut client = self.client()?;
        client.batch_execute(SET_UP)?;
        Ok(Session::new(client))
    }

    /// A bare connection.
    pub(super) fn client(&self) -> Result<Client> {
        self.config.connect(self.tls.clone()).map_err(Error::from)
    }
}

/// What the URL says of TLS that the client does not take.
#[derive(Debug, Default, PartialEq, Eq)]
struct TlsParameters {
    must_verify: bool,
    root_certificate: Option<String>,
}

/// Takes `sslrootcert`, and the values of `sslmode` that ask for verification, out of a URL: a
/// certificate is always verified here.
fn take_tls_parameters(url: &str) -> Result<(String, TlsParameters)> {
    let mut asked = TlsParameters::default();
    let Some((place, query)) = url.split_once('?') else {
        return Ok((url.to_owned(), asked));
    };
    let mut kept = Vec::new();
    for parameter in query.split('&') {
        match parameter.split_once('=') {
            Some(("sslmode", "verify-full" | "verify-ca")) => asked.must_verify = true,
            Some(("sslrootcert", path)) => {
                let path = url::form_urlencoded::parse(format!("path={path}").as_bytes())
                    .map(|(_, value)| value.into_owned())
                    .next();
                asked.root_certificate = path;
            }
            _ => kept.push(parameter),
        }
    }
    if asked.root_certificate.as_deref() == Some("") {
        return Err(Error::invalid("url", "has an empty sslrootcert"));
    }
    Ok((format!("{place}?{}", kept.join("&")), asked))
}

/// Mozilla's roots, or the ones in a file; TLS 1.2 and 1.3.
fn client_config(root_certificate: Option<&str>) -> Result<ClientConfig> {
    let mut roots = RootCertStore::empty();
    if let Some(path) = root_certificate {
        let invalid =
            |why: String| Error::invalid("url", format!("names sslrootcert {path}: {why}"));
        let found = CertificateDer::pem_file_iter(Path::new(path))
            .map_err(|error| invalid(error.to_string()))?;
        for certificate in found {
            let certificate = certificate.map_err(|error| invalid(error.to_string()))?;
            let added = roots.add(certificate);
            added.map_err(|error| invalid(error.to_string()))?;
        }
        if roots.is_empty() {
            return Err(invalid("it holds no certificate".to_owned()));
        }
    } else {
        roots
            .roots
            .extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    Ok(ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::Internal(format!("TLS: {error}")))?
        .with_root_certificates(roots)
        .with_no_client_auth())
}

/// Refuses a server that hookbox cannot keep its promises on; to write to, unless `reading`.
pub(super) fn check_server(session: &mut Session, reading: bool) -> Result<()> {
    let row = session.client.query_one(
        "SELECT current_setting('server_version_num')::INTEGER,
                current_setting('server_encoding'),
                current_setting('transaction_read_only') = 'on',
                current_schema()::TEXT",
        &[],
    )?;
    let unsupported =
        |message: String| Err(Error::storage(StorageFault::UnsupportedEngine, message));
    let version: i32 = row.try_get(0)?;
    if version < SERVER_VERSION_MIN {
        let major = version / 10_000;
        return unsupported(format!(
            "PostgreSQL {major} is too old: 13 or later is needed"
        ));
    }
    let encoding: String = row.try_get(1)?;
    if encoding != "UTF8" {
        return unsupported(format!(
            "the database's encoding is {encoding}: create one with ENCODING 'UTF8'"
        ));
    }
    let schema: Option<String> = row.try_get(3)?;
    if schema.is_none() {
        return unsupported("no schema of the search_path exists: create it first".to_owned());
    }
    if row.try_get(2)? && !reading {
        let message = "this server takes no writes (a standby, or default_transaction_read_only): \
                       connect to the primary, with target_session_attrs=read-write";
        return Err(Error::storage(StorageFault::ReadOnly, message));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tls_parameters_are_taken_out_and_the_others_left() {
        let (url, asked) = take_tls_parameters(
            "postgres://a:b@c/d?sslmode=verify-full&options=-csearch_path%3Dx&sslrootcert=/a%20b.pem",
        )
        .unwrap();
        assert_eq!(url, "postgres://a:b@c/d?options=-csearch_path%3Dx");
        let root = Some("/a b.pem".to_owned());
        assert!(asked.must_verify && asked.root_certificate == root);
        let (url, asked) = take_tls_parameters("postgres://c/d?sslmode=disable").unwrap();
        assert_eq!(url, "postgres://c/d?sslmode=disable");
        assert_eq!(asked, TlsParameters::default());
    }

    #[test]
    fn a_password_is_in_no_error_and_no_debug_text() {
        for good in [
            "postgres://me:hunter2@host.example/db",
            "postgresql://me:pass?hunter2=@host/db?connect_timeout=3",
        ] {
            let connector = Connector::parse(good).unwrap();
            assert!(!format!("{connector:?}").contains("hunter2"));
        }
        for bad in [
            "postgres://me:hunter2@host:port/db",
            "postgres://me:x@host/db?hunter2=1",
            "postgres://me:x@host/db?sslmode=hunter2",
        ] {
            let error = Connector::parse(bad).unwrap_err();
            assert_eq!(error.code(), "invalid_request");
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{bad}");
        }
    }
}
