//! A webhook's URL, parsed once.
//!
//! Only syntax is checked here; which hosts, addresses and ports may be reached is
//! `transport::AddressPolicy`'s. Programs disagree about unusual URLs, and an attacker lives off the
//! difference between the one that checks and the one that connects. So anything on which the `url`
//! crate (WHATWG rules), `http::Uri` (which the HTTP client uses) and the text as a person reads it
//! might differ is refused.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use serde::{Deserialize, Serialize};

use crate::error::Error;

/// Characters of a URL, as given and as normalised (seed 000).
const CHARS_MAX: usize = 2048;

/// Bytes of a host name, and of one label of it (RFC 1035).
const HOST_MAX: usize = 253;
const LABEL_MAX: usize = 63;

/// An absolute http or https URL that passed the syntax rules, in its normalised form.
///
/// It is all ASCII, has a host without user name or password, and no fragment.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct WebhookUrl {
    text: String,
    /// Without the brackets of an IPv6 literal.
    host: String,
    port: u16,
}

impl WebhookUrl {
    /// Checks and normalises a URL.
    ///
    /// # Errors
    /// [`Error::WebhookInvalidUrl`] naming the rule it breaks; the reason never quotes the URL,
    /// which may hold a password.
    pub fn parse(text: &str) -> Result<Self, Error> {
        check(text).map_err(|reason| Error::WebhookInvalidUrl {
            reason: reason.to_owned(),
        })
    }

    /// The normalised URL.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether the scheme is https.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.text.starts_with("https:")
    }

    /// The host: a name in lower case (punycode where it is not ASCII), or an IP address, an
    /// IPv6 one without its brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port, explicit or the scheme's.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// The host, where it is an IP address and not a name.
    #[must_use]
    pub fn ip(&self) -> Option<IpAddr> {
        self.host.parse().ok()
    }
}

impl fmt::Display for WebhookUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// A stored row may be anybody's: it is parsed like any other text.
impl TryFrom<String> for WebhookUrl {
    type Error = Error;
    fn try_from(text: String) -> Result<Self, Error> {
        Self::parse(&text)
    }
}

impl From<WebhookUrl> for String {
    fn from(url: WebhookUrl) -> Self {
        url.text
    }
}

const NOT_ABSOLUTE: &str = "it must be absolute, as in `https://example.com/hooks`";
const AMBIGUOUS_HOST: &str = "its host is ambiguous: write a plain name, a dotted-decimal IPv4 address or a bracketed IPv6 address";
const BAD_PORT: &str = "its port must be a number from 1 to 65535 without leading zeros";
const DISAGREEMENT: &str = "it has characters that programs read differently: percent-encode them";

fn check(text: &str) -> Result<WebhookUrl, &'static str> {
    // `url` drops tabs and line breaks, trims spaces and takes `\` for `/`: none may reach it.
    if text.chars().take(CHARS_MAX + 1).count() > CHARS_MAX {
        return Err("it is longer than 2048 characters");
    }
    if text.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err("it contains white space or control characters");
    }
    if text.contains('\\') {
        return Err("it contains a backslash");
    }
    if text.contains('#') {
        return Err("it must not have a fragment (`#…`)");
    }

    let (scheme, rest) = text.split_once("://").ok_or(NOT_ABSOLUTE)?;
    let default_port = match scheme.to_ascii_lowercase().as_str() {
        "https" => 443,
        "http" => 80,
        _ => return Err("its scheme must be https or http"),
    };
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    if authority.contains('@') {
        return Err("it must not contain a user name or password");
    }
    let (written_host, written_port) = split_port(authority)?;
    let port = written_port
        .map_or(Ok(default_port), parse_port)
        .map_err(|()| BAD_PORT)?;
    if written_host.is_empty() {
        return Err(NOT_ABSOLUTE);
    }

    let parsed = url::Url::parse(text).map_err(|_| "it is not a well-formed URL")?;
    let host = checked_host(written_host, &parsed.host().ok_or(NOT_ABSOLUTE)?)?;
    if parsed.port_or_known_default() != Some(port) {
        return Err(BAD_PORT);
    }
    let text = String::from(parsed);
    if text.len() > CHARS_MAX {
        return Err("it is longer than 2048 characters in its normalised form");
    }
    if !client_agrees(&text, &host, port, default_port) {
        return Err(DISAGREEMENT);
    }
    Ok(WebhookUrl { text, host, port })
}

/// The host and port of an authority as written. Brackets stay on an IPv6 literal.
fn split_port(authority: &str) -> Result<(&str, Option<&str>), &'static str> {
    let after_host = if authority.starts_with('[') {
        authority.find(']').ok_or(AMBIGUOUS_HOST)? + 1
    } else {
        authority.find(':').unwrap_or(authority.len())
    };
    let (host, port) = authority.split_at(after_host);
    match port.strip_prefix(':') {
        Some(port) => Ok((host, Some(port))),
        None if port.is_empty() => Ok((host, None)),
        None => Err(AMBIGUOUS_HOST),
    }
}

fn parse_port(text: &str) -> Result<u16, ()> {
    if text.is_empty() || text.starts_with('0') || !text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(());
    }
    text.parse().map_err(|_| ())
}

/// The host as `url` understood it, provided that it is what the text says.
fn checked_host(written: &str, parsed: &url::Host<&str>) -> Result<String, &'static str> {
    match parsed {
        // `127.1`, `0x7f000001`, `2130706433`, `①②⑦.⓪.⓪.①` … all are 127.0.0.1 to `url`.
        url::Host::Ipv4(address) if address.to_string() == written => Ok(written.to_owned()),
        url::Host::Ipv6(address) => {
            let inner = written
                .strip_prefix('[')
                .and_then(|inner| inner.strip_suffix(']'));
            if inner.and_then(|inner| inner.parse::<Ipv6Addr>().ok()) == Some(*address) {
                Ok(address_text(*address))
            } else {
                Err(AMBIGUOUS_HOST)
            }
        }
        url::Host::Domain(name) => {
            check_name(written, name)?;
            Ok((*name).to_owned())
        }
        url::Host::Ipv4(_) => Err(AMBIGUOUS_HOST),
    }
}

/// An IPv6 address as `url` serialises it: unlike `std`, without a dotted-decimal tail.
fn address_text(address: Ipv6Addr) -> String {
    url::Host::<&str>::Ipv6(address)
        .to_string()
        .trim_matches(['[', ']'])
        .to_owned()
}

/// Every label must come out as it was written, but for its case; one that is not ASCII must
/// come out as punycode. So full-width digits, soft hyphens and percent-encoding cannot turn one
/// name into another.
fn check_name(written: &str, name: &str) -> Result<(), &'static str> {
    if name.len() > HOST_MAX {
        return Err("its host name is longer than 253 characters");
    }
    if name.ends_with('.') {
        return Err("its host name must not end with a dot");
    }
    if written.split('.').count() != name.split('.').count() {
        return Err(AMBIGUOUS_HOST);
    }
    for (written, label) in written.split('.').zip(name.split('.')) {
        if label.is_empty() || label.len() > LABEL_MAX {
            return Err("each part of its host name must have 1 to 63 characters");
        }
        if !label
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        {
            return Err("its host name may contain letters, digits, `-`, `_` and dots only");
        }
        let as_written = if written.is_ascii() {
            written.eq_ignore_ascii_case(label)
        } else {
            label.starts_with("xn--")
        };
        if !as_written {
            return Err(AMBIGUOUS_HOST);
        }
    }
    Ok(())
}

/// Whether the HTTP client's parser finds the same host and port in the normalised URL.
fn client_agrees(text: &str, host: &str, port: u16, default_port: u16) -> bool {
    let Ok(uri) = text.parse::<http::Uri>() else {
        return false;
    };
    let same_host = uri
        .host()
        .is_some_and(|found| found.trim_matches(['[', ']']) == host);
    // `port()` is `None` also for a port that does not fit: then the authority is longer.
    let authority = uri.authority().map_or("", http::uri::Authority::as_str);
    let same_port = match uri.port_u16() {
        Some(found) => found == port,
        None => port == default_port && authority.trim_matches(['[', ']']) == host,
    };
    same_host && same_port
}

#[cfg(test)]
#[path = "url_tests.rs"]
mod tests;
