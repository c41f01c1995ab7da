//! URLs and the address guard: what is accepted reads alike everywhere, is its own normal form, and
//! names no special address, in whatever spelling.
#![no_main]

use std::net::Ipv4Addr;

use hookbox::model::WebhookUrl;
use hookbox::transport::{AddressPolicy, Method, Request};
use hookbox_fuzz::is_special;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let Ok(url) = WebhookUrl::parse(text) else {
        return;
    };
    assert_eq!(WebhookUrl::parse(url.as_str()).as_ref(), Ok(&url));
    assert!(url.as_str().is_ascii() && url.as_str().len() <= 2048);
    // A person who reads the text sees no other host than the one that is asked.
    assert!(!url.as_str().contains(['@', '\\', '#']) || !url.host().contains(['@', '\\', '#']));

    let request = Request {
        method: Method::Get,
        url: url.clone(),
        query: vec![("challenge".to_owned(), "1 &\r\n@".to_owned())],
        headers: Vec::new(),
        body: Vec::new().into(),
        timeout: std::time::Duration::ZERO,
    };
    for sent in [url.as_str().to_owned(), request.target()] {
        let uri: http::Uri = sent.parse().unwrap();
        let default = if url.is_https() { 443 } else { 80 };
        assert_eq!(uri.host().unwrap().trim_matches(['[', ']']), url.host());
        assert_eq!(uri.port_u16().unwrap_or(default), url.port());
        assert_eq!(uri.scheme_str() == Some("https"), url.is_https());
    }

    let mut policy = AddressPolicy::default();
    policy.allow_http = true;
    if policy.check_url(&url).is_ok() {
        match url.ip() {
            Some(address) => assert!(!is_special(address), "{address} got through"),
            // The system's resolver would take such a name for an address.
            None => assert_eq!(as_c_reads_it(url.host()), None, "{}", url.host()),
        }
    }
});

/// `inet_aton`, which `getaddrinfo` uses: one to four numbers, decimal, octal or hexadecimal; the
/// last one fills the rest.
fn as_c_reads_it(host: &str) -> Option<Ipv4Addr> {
    let parts: Vec<u64> = host.split('.').map(number).collect::<Option<_>>()?;
    let (last, first) = parts.split_last()?;
    let rest = 8 * (4 - u32::try_from(first.len()).ok()?.min(4));
    if first.len() > 3 || first.iter().any(|part| *part > 255) || *last >= 1 << rest {
        return None;
    }
    let upper = first.iter().fold(0, |sum, part| sum << 8 | part);
    Some(Ipv4Addr::from(u32::try_from(upper << rest | last).ok()?))
}

fn number(text: &str) -> Option<u64> {
    let lower = text.to_ascii_lowercase();
    match (lower.strip_prefix("0x"), lower.strip_prefix('0')) {
        (Some(""), _) => Some(0),
        (Some(digits), _) => u64::from_str_radix(digits, 16).ok(),
        (None, Some("")) => Some(0),
        (None, Some(digits)) => u64::from_str_radix(digits, 8).ok(),
        (None, None) => text.parse().ok(),
    }
}
