//! The command line of `serve`.

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

use clap::{Args, ValueEnum};

use crate::spans::parse_span;

/// Whose management API is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum Contract {
    Prelude,
    Fingerprint,
}

#[derive(Debug, Args)]
pub struct ServeArgs {
    /// Where to listen; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:8080", value_name = "ADDR")]
    pub listen: SocketAddr,
    /// Whose management API to speak
    #[arg(long, value_enum, default_value = "prelude")]
    pub profile: Contract,
    /// Answer /healthz and /metrics here instead
    #[arg(long, value_name = "ADDR")]
    pub metrics_listen: Option<SocketAddr>,
    /// Deliveries sent at once, not counting slow ones: 1 to 1024
    #[arg(long, default_value_t = 16, value_name = "N")]
    pub workers: usize,
    /// Requests answered at once: 1 to 256
    #[arg(long, default_value = "16", value_parser = in_range(1..=256), value_name = "N")]
    pub api_workers: usize,
    /// Connections at once: 1 to 65536
    #[arg(long, default_value = "512", value_parser = in_range(1..=65_536), value_name = "N")]
    pub max_connections: usize,
    /// Bytes of a request's line and headers: 1024 to 1048576
    #[arg(long, default_value = "16384", value_parser = in_range(1024..=1_048_576), value_name = "BYTES")]
    pub max_head: usize,
    /// Bytes of a request's body: 1 to 134217728
    #[arg(long, default_value = "1048576", value_parser = in_range(1..=134_217_728), value_name = "BYTES")]
    pub max_body: usize,
    /// For a request's head to come; an idle connection is closed after it, too
    #[arg(long, default_value = "10s", value_parser = parse_span, value_name = "SPAN")]
    pub head_time: Duration,
    /// For a request's body to come
    #[arg(long, default_value = "20s", value_parser = parse_span, value_name = "SPAN")]
    pub body_time: Duration,
    /// For an answer to be taken
    #[arg(long, default_value = "20s", value_parser = parse_span, value_name = "SPAN")]
    pub write_time: Duration,
    /// For one of the `--api-workers` to be free; 503 then
    #[arg(long, default_value = "10s", value_parser = parse_span, value_name = "SPAN")]
    pub queue_time: Duration,
    /// After a signal: how long to wait for requests in flight, and then again for deliveries
    #[arg(long, default_value = "15s", value_parser = parse_span, value_name = "SPAN")]
    pub drain: Duration,
    /// Log no line for each request
    #[arg(long)]
    pub quiet: bool,
}

/// Reads a number within these bounds.
fn in_range(
    bounds: RangeInclusive<usize>,
) -> impl Fn(&str) -> Result<usize, String> + Clone + Send + Sync {
    move |text| {
        let number = text.parse().ok().filter(|number| bounds.contains(number));
        number.ok_or_else(|| format!("must be {} to {}", bounds.start(), bounds.end()))
    }
}
