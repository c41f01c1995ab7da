//! `api-key` on the command line.

use clap::Subcommand;
use hookbox::model::{ApiKeyId, AppId, NewApiKey, Timestamp};

use super::PageArgs;
use crate::spans::parse_time_ahead;

#[derive(Debug, Subcommand)]
pub enum ApiKeyCommand {
    /// Make a key and show it: this once, as only a digest is kept
    Create {
        /// What it is for, in your words
        #[arg(long, default_value = "")]
        name: String,
        /// Only for this app; for all of them by default
        #[arg(long, value_parser = AppId::parse)]
        app: Option<AppId>,
        /// For looking only
        #[arg(long)]
        read_only: bool,
        /// When it ends: a span from now such as 90d, or RFC 3339; never by default
        #[arg(long, value_parser = parse_time_ahead, value_name = "SPAN|TIME")]
        expires: Option<Timestamp>,
        /// Requests a second in the long run; twice as many at once
        #[arg(long, value_name = "N", default_value_t = NewApiKey::REQUESTS_PER_SECOND)]
        rate: u32,
    },
    /// List keys, the oldest first; never the keys themselves
    List {
        /// Only those for this app
        #[arg(long, value_parser = AppId::parse)]
        app: Option<AppId>,
        #[command(flatten)]
        page: PageArgs,
    },
    /// Refuse a key from now on, for good
    Revoke {
        /// `hbk_…`: the id, not the whole key
        id: ApiKeyId,
    },
}
