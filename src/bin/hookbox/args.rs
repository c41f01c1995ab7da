//! The command line: names, help texts and the form of each value. No behaviour.

mod api_key;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use hookbox::model::{BatchId, BatchStatus, EventType, KeyId, KeySize, Timestamp, WebhookId};
use ipnet::IpNet;

use crate::serve::args::ServeArgs;
use crate::spans::{parse_networks, parse_span, parse_time, parse_waits};

pub use api_key::ApiKeyCommand;

/// An embedded webhook outbox: registry, challenge, signed batches, retries and the record of
/// every attempt, in one SQLite file.
#[derive(Debug, Parser)]
#[command(
    name = "hookbox",
    version,
    after_help = "Exit codes: 0 done; 1 refused; 2 usage; \
    3 not found; 4 activation or verification failed; 5 storage."
)]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Args)]
pub struct Global {
    /// The box's file
    #[arg(
        long,
        global = true,
        env = "HOOKBOX_DB",
        default_value = "hookbox.db",
        value_name = "FILE"
    )]
    pub db: PathBuf,
    /// Print one JSON object instead of text
    #[arg(long, global = true)]
    pub json: bool,
    /// Allow http:// URLs as well as https://
    #[arg(long, global = true)]
    pub allow_http: bool,
    /// Allow endpoints in this network although it is not public; `all` allows every address
    #[arg(long, global = true, value_name = "CIDR|all", value_parser = parse_networks)]
    pub allow_private: Vec<Networks>,
    /// A file with the key-encryption key: 32 bytes in base64 (or the key itself in `HOOKBOX_KEY`)
    #[arg(long, global = true, value_name = "FILE")]
    pub key_file: Option<PathBuf>,
    /// A file with an earlier key, which still opens what it sealed; may be repeated
    #[arg(long, global = true, value_name = "FILE")]
    pub old_key_file: Vec<PathBuf>,
}

/// What one `--allow-private` stands for; a type of its own, as clap reads `Vec<Vec<_>>` otherwise.
#[derive(Debug, Clone)]
pub struct Networks(pub Vec<IpNet>);

/// What one `--retry` stands for.
#[derive(Debug, Clone)]
pub struct Waits(pub Vec<Duration>);

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show the whole way on loopback, in a temporary folder, with real checks
    Demo,
    /// Tenants
    #[command(subcommand)]
    App(AppCommand),
    /// Registered URLs
    #[command(subcommand)]
    Webhook(WebhookCommand),
    /// The catalogue of event types
    #[command(subcommand)]
    EventType(EventTypeCommand),
    /// Signing keys
    #[command(subcommand)]
    Key(KeyCommand),
    /// Keys of the management API
    #[command(subcommand)]
    ApiKey(ApiKeyCommand),
    /// The JWK set to publish for an app's receivers
    Jwks { app: String },
    /// Emit one event, or many from lines of JSON
    Emit(EmitArgs),
    /// Deliver what is due, until a signal comes
    Run(RunArgs),
    /// Serve the management API over HTTP, and deliver, until a signal comes
    Serve(ServeArgs),
    /// List events, newest first
    Events(ListArgs),
    /// List batches, newest first
    Batches(ListArgs),
    /// List attempts, newest first
    Attempts(ListArgs),
    /// Where each webhook of an app stands
    Backlog { app: String },
    /// Tell what happened to an event or batch, and what comes next
    Explain {
        /// `evt_…` or `bat_…`
        id: String,
    },
    /// Send an ended batch again, with a new budget of attempts
    Resend { app: String, batch: BatchId },
    /// Give up a batch that has not ended
    Cancel { app: String, batch: BatchId },
    /// Owe a webhook once more what was emitted since a time
    Replay {
        app: String,
        webhook: WebhookId,
        /// RFC 3339, or a span ago such as 2h
        #[arg(long, value_parser = parse_time)]
        since: Timestamp,
    },
    /// Check a received request from files
    Verify(VerifyArgs),
    /// Check the box's integrity
    Check,
    /// Delete what ended long ago and is owed to nobody
    Prune {
        #[arg(long, default_value = "30d", value_parser = parse_span, value_name = "SPAN")]
        older_than: Duration,
    },
    /// The box's sizes
    Stats,
    /// Seal every secret anew with the key of `--key-file` (plain, without one)
    Reseal,
    /// Copy the whole box to a new file while it is in use
    Backup { file: PathBuf },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum ProfileName {
    Prelude,
    Fingerprint,
    StandardWebhooks,
}

#[derive(Debug, Subcommand)]
pub enum AppCommand {
    /// Create an app (and the box, where it is missing)
    Create {
        app: String,
        #[arg(long, value_enum, default_value = "prelude")]
        profile: ProfileName,
        /// Size of the generated signing key: 2048 (default), 3072 or 4096
        #[arg(long, value_parser = parse_bits, conflicts_with = "import_key")]
        key_bits: Option<KeySize>,
        /// Sign with this RSA key instead of a generated one
        #[arg(long, value_name = "PEMFILE")]
        import_key: Option<PathBuf>,
        /// The imported key's id; a random UUID by default
        #[arg(long, requires = "import_key", value_parser = KeyId::parse)]
        kid: Option<KeyId>,
    },
    /// List apps
    List(PageArgs),
    /// Let an app take events and changes again
    Enable { app: String },
    /// Refuse an app's events and changes; its deliveries wait
    Disable { app: String },
    /// Delete an app with everything of its
    Delete { app: String },
}

#[derive(Debug, Subcommand)]
pub enum WebhookCommand {
    /// Register a URL
    Create {
        app: String,
        #[arg(long)]
        url: String,
        /// The verification token sent with the challenge
        #[arg(long, default_value = "")]
        token: String,
        #[command(flatten)]
        settings: WebhookSettings,
    },
    /// List an app's webhooks
    List {
        app: String,
        #[command(flatten)]
        page: PageArgs,
    },
    /// Show one
    Get { app: String, id: WebhookId },
    /// Change one; a new URL un-verifies it
    Update {
        app: String,
        id: WebhookId,
        #[arg(long)]
        url: Option<String>,
        #[arg(long)]
        token: Option<String>,
        /// Hear all environments
        #[arg(long, conflicts_with = "environment")]
        no_environment: bool,
        #[arg(long, conflicts_with = "basic_auth")]
        no_basic_auth: bool,
        #[arg(long, conflicts_with = "header")]
        no_headers: bool,
        /// First forget timeout, concurrency, rate, ordering and retry
        #[arg(long)]
        reset_overrides: bool,
        #[command(flatten)]
        settings: WebhookSettings,
    },
    /// Delete one with its batches and attempts
    Delete { app: String, id: WebhookId },
    /// Challenge the endpoint and make the webhook active
    Activate { app: String, id: WebhookId },
    /// Challenge the endpoint, but leave the switch as it is
    Verify { app: String, id: WebhookId },
    /// Switch one off; what it is owed waits
    Deactivate { app: String, id: WebhookId },
    /// Subscribe to one more event type
    AddEvent {
        app: String,
        id: WebhookId,
        event_type: EventType,
    },
    /// Unsubscribe from an event type
    RemoveEvent {
        app: String,
        id: WebhookId,
        event_type: EventType,
    },
    /// Show the signing secrets, the current one first
    Secret { app: String, id: WebhookId },
    /// Make a new signing secret the current one, and show it
    RollSecret {
        app: String,
        id: WebhookId,
        /// Sign with both until the next roll
        #[arg(long)]
        keep_previous: bool,
    },
}

/// What create and update share.
#[derive(Debug, Args)]
pub struct WebhookSettings {
    /// Event types to hear (several, or repeated)
    #[arg(long, value_name = "TYPE", num_args = 1.., conflicts_with = "all_events")]
    pub event: Option<Vec<EventType>>,
    /// Hear every event type
    #[arg(long)]
    pub all_events: bool,
    #[arg(long)]
    pub description: Option<String>,
    /// Hear only this environment's events
    #[arg(long)]
    pub environment: Option<String>,
    /// A header to send with every request (repeatable)
    #[arg(long, value_name = "NAME: VALUE")]
    pub header: Vec<String>,
    #[arg(long, value_name = "USER:PASS")]
    pub basic_auth: Option<String>,
    /// The deadline of one attempt: 1s to 60s
    #[arg(long, value_parser = parse_span, value_name = "SPAN")]
    pub timeout: Option<Duration>,
    /// Fresh batches in flight: 1 to 64
    #[arg(long, value_name = "N")]
    pub concurrency: Option<u32>,
    /// Requests a second at most
    #[arg(long, value_name = "N")]
    pub rate: Option<u32>,
    /// Whether a failed batch holds back the ones after it
    #[arg(long, value_enum)]
    pub ordering: Option<OrderingName>,
    /// The waits before each retry, such as '1m,5m,1h'
    #[arg(long, value_parser = parse_waits, value_name = "SPANS")]
    pub retry: Option<Waits>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum OrderingName {
    None,
    Fifo,
}

#[derive(Debug, Subcommand)]
pub enum EventTypeCommand {
    /// Show the catalogue
    List,
    /// Add types
    Add {
        #[arg(required = true, value_name = "TYPE")]
        types: Vec<EventType>,
    },
    /// Make these the whole catalogue
    Replace {
        #[arg(required = true, value_name = "TYPE")]
        types: Vec<EventType>,
    },
}

#[derive(Debug, Subcommand)]
pub enum KeyCommand {
    /// List an app's keys, oldest first
    List { app: String },
    /// Publish a new key now, which signs after the lead time
    Rotate {
        app: String,
        #[arg(long, default_value = "2048", value_parser = parse_bits)]
        bits: KeySize,
        #[arg(long, default_value = "1h", value_parser = parse_span)]
        lead: Duration,
    },
    /// As rotate, with an RSA key from a PEM file
    Import {
        app: String,
        pem: PathBuf,
        #[arg(long, value_parser = KeyId::parse)]
        kid: Option<KeyId>,
        #[arg(long, default_value = "1h", value_parser = parse_span)]
        lead: Duration,
    },
    /// Let a key sign no more
    Retire {
        app: String,
        #[arg(value_parser = KeyId::parse)]
        kid: KeyId,
        /// How long it stays published; 0s revokes it
        #[arg(long, default_value = "15d", value_parser = parse_span)]
        overlap: Duration,
    },
}

#[derive(Debug, Args)]
pub struct EmitArgs {
    pub app: String,
    #[arg(
        required_unless_present = "ndjson",
        conflicts_with = "ndjson",
        value_name = "TYPE"
    )]
    pub event_type: Option<EventType>,
    /// The JSON payload; `-` (the default) reads standard input
    #[arg(
        conflicts_with = "ndjson",
        value_name = "JSON",
        allow_hyphen_values = true
    )]
    pub payload: Option<String>,
    /// Idempotency key: the same key again returns the first event's id
    #[arg(long, conflicts_with = "ndjson")]
    pub key: Option<String>,
    #[arg(long)]
    pub environment: Option<String>,
    /// Do not send again once a request may have arrived
    #[arg(long)]
    pub at_most_once: bool,
    /// Read lines `{"type", "payload", "key"?, "environment"?, "at_most_once"?}` from a file, or
    /// from standard input
    #[arg(long, num_args = 0..=1, default_missing_value = "-", value_name = "FILE")]
    pub ndjson: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct RunArgs {
    /// Deliver what is due now, and return
    #[arg(long)]
    pub until_idle: bool,
    /// With --until-idle: also wait for retries that come due within this span
    #[arg(long, requires = "until_idle", default_value = "0s", value_parser = parse_span)]
    pub wait: Duration,
    /// Requests sent at once, not counting slow ones: 1 to 1024 (with --until-idle, too)
    #[arg(long, default_value_t = 16)]
    pub workers: usize,
    /// How long to wait for requests in flight after a signal
    #[arg(long, default_value = "15s", value_parser = parse_span)]
    pub drain: Duration,
}

#[derive(Debug, Args)]
pub struct PageArgs {
    /// Rows at most: 1 to 1000
    #[arg(long, default_value_t = 50)]
    pub limit: usize,
    /// The `next_cursor` of the page before
    #[arg(long)]
    pub cursor: Option<String>,
}

/// The filters of the three listings; each refuses those that mean nothing to it.
#[derive(Debug, Args)]
pub struct ListArgs {
    pub app: String,
    /// Batches and attempts: of this webhook
    #[arg(long)]
    pub webhook: Option<WebhookId>,
    /// Attempts: of this batch
    #[arg(long)]
    pub batch: Option<BatchId>,
    /// Batches: with this status
    #[arg(long, value_parser = parse_status)]
    pub status: Option<BatchStatus>,
    /// Events: of this type
    #[arg(long = "type", value_name = "TYPE")]
    pub event_type: Option<EventType>,
    #[command(flatten)]
    pub page: PageArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum SchemeName {
    Auto,
    Prelude,
    Fingerprint,
    StandardWebhooks,
}

#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// `Name: value` lines; a leading request line is skipped
    #[arg(long, value_name = "FILE")]
    pub headers: PathBuf,
    /// The body, exactly as it came
    #[arg(long, value_name = "FILE")]
    pub body: PathBuf,
    /// The sender's JWK set (Prelude)
    #[arg(long, value_name = "FILE")]
    pub jwks: Option<PathBuf>,
    /// The webhook's secret (Fingerprint, Standard Webhooks; repeatable)
    #[arg(long)]
    pub secret: Vec<String>,
    #[arg(long, value_enum, default_value = "auto")]
    pub scheme: SchemeName,
    /// When it was received, for schemes that cover the time; now by default
    #[arg(long, value_parser = parse_time, value_name = "TIME")]
    pub at: Option<Timestamp>,
}

fn parse_bits(text: &str) -> Result<KeySize, String> {
    let bits = text
        .parse()
        .map_err(|_| "must be 2048, 3072 or 4096".to_owned())?;
    KeySize::from_bits(bits).map_err(|error| error.to_string())
}

fn parse_status(text: &str) -> Result<BatchStatus, String> {
    let found = BatchStatus::ALL
        .into_iter()
        .find(|status| status.as_str() == text);
    found.ok_or_else(|| {
        let names = BatchStatus::ALL.map(BatchStatus::as_str);
        format!("must be one of {}", names.join(", "))
    })
}
