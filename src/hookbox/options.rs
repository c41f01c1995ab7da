//! How a box is opened.

use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;

use crate::clock::{Clock, Random, SystemClock, SystemRandom};
use crate::delivery::OnNotice;
use crate::error::{Error, Result};
use crate::model::Notice;
use crate::signing::{KeyEncryptionKey, Sealer};
use crate::storage::Storage;
use crate::transport::{AddressPolicy, Transport};

use super::Hookbox;

/// Bytes of a payload at most, unless it was set otherwise.
pub(super) const PAYLOAD_BYTES_MAX: usize = 256 * 1024;

/// Settings of a box, each with a sound default.
///
/// ```no_run
/// # fn main() -> hookbox::Result<()> {
/// let hooks = hookbox::Options::new().allow_http(true).workers(4).open("app.db")?;
/// # Ok(()) }
/// ```
#[derive(Clone)]
#[must_use = "options do nothing until a box is opened with them"]
pub struct Options {
    pub(super) payload_bytes_max: Option<usize>,
    pub(super) workers: usize,
    pub(super) slow_requests_max: usize,
    pub(super) retention: Option<Duration>,
    pub(super) key_lead: Duration,
    pub(super) key_overlap: Duration,
    pub(super) sealer: Sealer,
    pub(super) addresses: AddressPolicy,
    #[cfg(feature = "http")]
    pub(super) http: crate::transport::HttpOptions,
    pub(super) transport: Option<Arc<dyn Transport>>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) random: Arc<dyn Random>,
    pub(super) on_notice: Option<OnNotice>,
    #[cfg(feature = "postgres")]
    pub(super) postgres_pool: Option<usize>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            payload_bytes_max: None,
            workers: 16,
            slow_requests_max: 1024,
            retention: Some(Duration::from_secs(30 * 86_400)),
            key_lead: Duration::from_secs(3600),
            key_overlap: Duration::from_secs(15 * 86_400),
            sealer: Sealer::default(),
            addresses: AddressPolicy::default(),
            #[cfg(feature = "http")]
            http: crate::transport::HttpOptions::default(),
            transport: None,
            clock: Arc::new(SystemClock),
            random: Arc::new(SystemRandom),
            on_notice: None,
            #[cfg(feature = "postgres")]
            postgres_pool: None,
        }
    }
}

/// A path that is a URL of PostgreSQL: it is never taken for the name of a file.
#[cfg(feature = "sqlite")]
fn postgres_url(path: &std::path::Path) -> Option<&str> {
    let is_url = |text: &&str| {
        ["postgres://", "postgresql://"]
            .iter()
            .any(|scheme| text.starts_with(scheme))
    };
    path.to_str().filter(is_url)
}

impl std::fmt::Debug for Options {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Options")
            .field("payload_bytes_max", &self.payload_bytes_max)
            .field("workers", &self.workers)
            .field("retention", &self.retention)
            .field("addresses", &self.addresses)
            .finish_non_exhaustive()
    }
}

impl Options {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Bytes of a payload at most: 1 byte to 64 MiB. The file keeps what was set last, for plain SQL
    /// and for programs that do not set it; 256 KiB at first.
    pub const fn payload_bytes_max(mut self, bytes: usize) -> Self {
        self.payload_bytes_max = Some(bytes);
        self
    }

    /// Requests that [`Hookbox::start`] sends at once to webhooks that answer, each on a thread of its own:
    /// 1 to 1024; 16 by default. Webhooks that were not tried yet get as many beside them, and those that
    /// failed last a quarter of it. Requests that wait for a slow endpoint are not counted.
    pub const fn workers(mut self, workers: usize) -> Self {
        self.workers = workers;
        self
    }

    /// Requests that may be out beside the others because their endpoint has not answered for more than
    /// 250 ms: 0 to 4096; 1024 by default. Each costs a thread while it waits. Webhooks that were not
    /// tried yet get half of them at most, those that failed last a quarter.
    pub const fn slow_requests_max(mut self, requests: usize) -> Self {
        self.slow_requests_max = requests;
        self
    }

    /// How long ended batches, their attempts and events are kept (a minute at least; 30 days by
    /// default); `None` keeps them for good. What is still owed is never deleted.
    pub const fn retention(mut self, retention: Option<Duration>) -> Self {
        self.retention = retention;
        self
    }

    /// How long a new signing key is published before it signs (1 hour by default: longer than
    /// receivers cache a JWKS), and how long an old one stays published after it signed (15 days).
    pub const fn key_rotation(mut self, lead: Duration, overlap: Duration) -> Self {
        self.key_lead = lead;
        self.key_overlap = overlap;
        self
    }

    /// Seals private keys, tokens and other secrets with this key; without one they are stored as
    /// they are, protected by the file's mode alone: 0600 for a file that hookbox creates, the host's
    /// own choice for one that was there. `older` keys still open what they sealed; with them and no current key, the way leads back. What was stored
    /// before stays as it was until [`Hookbox::reseal`].
    pub fn key_encryption_key(
        mut self,
        current: impl Into<Option<KeyEncryptionKey>>,
        older: Vec<KeyEncryptionKey>,
    ) -> Self {
        self.sealer = Sealer::new(current.into(), older);
        self
    }

    /// Allows `http://` URLs as well.
    pub const fn allow_http(mut self, allow: bool) -> Self {
        self.addresses.allow_http = allow;
        self
    }

    /// Allows endpoints in this network although it is not public.
    pub fn allow_network(mut self, network: IpNet) -> Self {
        self.addresses.allow.push(network);
        self
    }

    /// Which ports endpoints may have.
    pub fn ports(mut self, ports: crate::transport::PortRule) -> Self {
        self.addresses.ports = ports;
        self
    }

    /// The whole address policy at once.
    pub fn addresses(mut self, policy: AddressPolicy) -> Self {
        self.addresses = policy;
        self
    }

    /// Settings of the HTTP client: roots, proxy, resolver, keep-alive. Its address policy is
    /// replaced by the box's own.
    #[cfg(feature = "http")]
    pub fn http(mut self, http: crate::transport::HttpOptions) -> Self {
        self.http = http;
        self
    }

    /// Sends with the host's own HTTP client.
    pub fn transport(mut self, transport: Arc<dyn Transport>) -> Self {
        self.transport = Some(transport);
        self
    }

    /// Takes the time from here.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Takes randomness from here. Ids, challenges, secrets and nonces depend on it.
    pub fn random(mut self, random: Arc<dyn Random>) -> Self {
        self.random = random;
        self
    }

    /// Calls back with operational notices, on hookbox's threads, with no lock held. The callback
    /// may use the box, but neither start nor stop it.
    pub fn on_notice(mut self, on_notice: impl Fn(&Notice) + Send + Sync + 'static) -> Self {
        self.on_notice = Some(Arc::new(on_notice));
        self
    }

    /// Connections to a PostgreSQL server at most, beside the one that listens: 1 to 1000; 8 by
    /// default.
    #[cfg(feature = "postgres")]
    pub const fn postgres_pool(mut self, connections: usize) -> Self {
        self.postgres_pool = Some(connections);
        self
    }

    /// Opens the box in an SQLite file, which is created where it is missing; or, with the feature
    /// `postgres`, in the database of a URL `postgres://user:password@host/database`
    /// (docs/postgres.md).
    ///
    /// # Errors
    /// [`Error::InvalidRequest`] for an option out of range, or a URL that cannot be used;
    /// [`Error::Unsupported`] for a URL where hookbox was built without the feature; storage errors.
    #[cfg(feature = "sqlite")]
    pub fn open(mut self, path: impl AsRef<std::path::Path>) -> Result<Hookbox> {
        self.check()?;
        if let Some(url) = postgres_url(path.as_ref()) {
            return self.open_postgres(url);
        }
        let limit = self.payload_bytes_max;
        let storage = crate::storage::sqlite::SqliteStorage::open(path.as_ref(), limit)?;
        self.payload_bytes_max = Some(storage.payload_bytes_max()?);
        self.open_storage(Arc::new(storage))
    }

    #[cfg(all(feature = "sqlite", not(feature = "postgres")))]
    #[allow(clippy::unused_self)] // as where the feature is on
    fn open_postgres(self, _url: &str) -> Result<Hookbox> {
        let message = "build hookbox with the feature `postgres` to open such a URL";
        Err(Error::Unsupported(message.into()))
    }

    /// Opens the box in a PostgreSQL database: `postgres://user:password@host:port/database`. Its
    /// tables are created where they are missing.
    ///
    /// # Errors
    /// As [`crate::storage::postgres::PostgresStorage::open`]; [`Error::InvalidRequest`] for an option
    /// out of range.
    #[cfg(feature = "postgres")]
    pub fn open_postgres(mut self, url: &str) -> Result<Hookbox> {
        use crate::storage::postgres::{PostgresOptions, PostgresStorage};
        self.check()?;
        let options = PostgresOptions {
            pool_size: self.postgres_pool,
            payload_bytes_max: self.payload_bytes_max,
        };
        let storage = PostgresStorage::open(url, options)?;
        self.payload_bytes_max = Some(storage.payload_bytes_max()?);
        self.open_storage(Arc::new(storage))
    }

    /// Opens the box in an SQLite file, or a PostgreSQL database, for looking only: nothing is
    /// created, migrated, changed or sent; calls that would do so fail with [`Error::ReadOnly`].
    ///
    /// # Errors
    /// Storage errors; also when there is no box.
    #[cfg(feature = "sqlite")]
    pub fn open_read_only(self, path: impl AsRef<std::path::Path>) -> Result<Hookbox> {
        #[cfg(feature = "postgres")]
        if let Some(url) = postgres_url(path.as_ref()) {
            let storage = crate::storage::postgres::PostgresStorage::open_read_only(url)?;
            return self.open_storage(Arc::new(storage));
        }
        let storage = crate::storage::sqlite::SqliteStorage::open_read_only(path.as_ref())?;
        self.open_storage(Arc::new(storage))
    }

    /// Opens the box over a storage of the host's own.
    ///
    /// # Errors
    /// [`Error::InvalidRequest`] for an option out of range; [`Error::Unsupported`] without a
    /// transport, where hookbox was built without the feature `http`.
    pub fn open_storage(self, storage: Arc<dyn Storage>) -> Result<Hookbox> {
        self.check()?;
        Hookbox::new(self, storage)
    }

    fn check(&self) -> Result<()> {
        let limit = self.payload_bytes_max.unwrap_or(PAYLOAD_BYTES_MAX);
        if !(1..=64 * 1024 * 1024).contains(&limit) {
            return Err(Error::invalid(
                "payload_bytes_max",
                "must be 1 byte to 64 MiB",
            ));
        }
        if !(1..=1024).contains(&self.workers) {
            return Err(Error::invalid("workers", "must be 1 to 1024"));
        }
        if self.slow_requests_max > 4096 {
            return Err(Error::invalid("slow_requests_max", "must be 0 to 4096"));
        }
        if self
            .retention
            .is_some_and(|span| span < Duration::from_secs(60))
        {
            return Err(Error::invalid("retention", "must be at least a minute"));
        }
        Ok(())
    }

    /// The transport to send with.
    pub(super) fn make_transport(&self) -> Result<Arc<dyn Transport>> {
        if let Some(transport) = &self.transport {
            return Ok(Arc::clone(transport));
        }
        #[cfg(feature = "http")]
        {
            let mut http = self.http.clone();
            http.policy = self.addresses.clone();
            Ok(Arc::new(crate::transport::HttpTransport::new(http)?))
        }
        #[cfg(not(feature = "http"))]
        Err(Error::Unsupported(
            "give Options::transport, or build with the feature `http`".into(),
        ))
    }
}
