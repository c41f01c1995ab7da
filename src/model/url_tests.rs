//! URLs that must be taken, refused, and read alike by every parser.

use super::*;
use proptest::prelude::*;

fn reason(text: &str) -> String {
    match WebhookUrl::parse(text) {
        Err(Error::WebhookInvalidUrl { reason }) => reason,
        other => panic!("{text:?} gave {other:?}"),
    }
}

#[test]
fn good_urls_are_normalised() {
    for (text, normalised, host, port) in [
        (
            "https://example.com",
            "https://example.com/",
            "example.com",
            443,
        ),
        (
            "HTTPS://Example.COM:443/A?b=c%20d",
            "https://example.com/A?b=c%20d",
            "example.com",
            443,
        ),
        (
            "http://example.com:8080/é",
            "http://example.com:8080/%C3%A9",
            "example.com",
            8080,
        ),
        (
            "https://münchen.de/",
            "https://xn--mnchen-3ya.de/",
            "xn--mnchen-3ya.de",
            443,
        ),
        ("http://127.0.0.1:1/", "http://127.0.0.1:1/", "127.0.0.1", 1),
        ("http://[::1]/", "http://[::1]/", "::1", 80),
        (
            "https://[::FFFF:10.0.0.1]:65535/",
            "https://[::ffff:a00:1]:65535/",
            "::ffff:a00:1",
            65535,
        ),
        (
            "https://a_b.example/?",
            "https://a_b.example/?",
            "a_b.example",
            443,
        ),
    ] {
        let url = WebhookUrl::parse(text).unwrap_or_else(|e| panic!("{text}: {e}"));
        assert_eq!(
            (url.as_str(), url.host(), url.port()),
            (normalised, host, port)
        );
        assert_eq!(url.is_https(), normalised.starts_with("https"));
    }
    let literal = WebhookUrl::parse("http://[::ffff:127.0.0.1]/").unwrap();
    assert_eq!(literal.ip(), Some("::ffff:127.0.0.1".parse().unwrap()));
    assert_eq!(WebhookUrl::parse("http://1e.net/").unwrap().ip(), None);
}

/// `tests/vectors/refused_urls.json`: what programs read differently, or what is no webhook's URL.
#[test]
fn hostile_urls_are_refused() {
    let vectors = include_str!("../../tests/vectors/refused_urls.json");
    let vectors: serde_json::Value = serde_json::from_str(vectors).unwrap();
    for row in vectors["syntax"].as_array().unwrap() {
        for text in row["urls"].as_array().unwrap() {
            reason(text.as_str().unwrap());
        }
    }
}

#[test]
fn reasons_help_and_hold_no_password() {
    assert!(reason("example.com/x").contains("absolute"));
    assert!(reason("https://me:hunter2@example.com/").contains("user name"));
    assert!(!reason("https://me:hunter2@example.com/").contains("hunter2"));
    assert!(reason("https://127.1/").contains("ambiguous"));
}

#[test]
fn lengths() {
    let of = |length: usize| format!("https://example.com/{}", "a".repeat(length - 20));
    assert!(WebhookUrl::parse(&of(2048)).is_ok());
    assert!(WebhookUrl::parse(&of(2049)).is_err());
    assert!(WebhookUrl::parse(&of(1 << 20)).is_err());
    // Short as given, long once percent-encoded.
    assert!(reason(&format!("https://example.com/{}", "é".repeat(1000))).contains("normalised"));
    let host = |length: usize| {
        let label = "a".repeat(49);
        let host = format!("{label}.{label}.{label}.{label}.{label}.{label}");
        format!("https://{}/", &host[..length])
    };
    assert!(WebhookUrl::parse(&host(253)).is_ok());
    assert!(WebhookUrl::parse(&host(254)).is_err());
    let label = |length: usize| format!("https://{}.com/", "a".repeat(length));
    assert!(WebhookUrl::parse(&label(63)).is_ok());
    assert!(WebhookUrl::parse(&label(64)).is_err());
}

#[test]
fn rows_are_parsed() {
    let url: WebhookUrl = serde_json::from_str(r#""https://example.com""#).unwrap();
    assert_eq!(
        serde_json::to_string(&url).unwrap(),
        r#""https://example.com/""#
    );
    assert!(serde_json::from_str::<WebhookUrl>(r#""http://127.1/""#).is_err());
}

/// Pieces that URLs, and attacks on their parsers, are made of.
fn url_like() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("http://"),
        Just("https://"),
        Just("HTTP:"),
        Just("//"),
        Just("/"),
        Just("\\"),
        Just("@"),
        Just(":"),
        Just("::"),
        Just("["),
        Just("]"),
        Just("#"),
        Just("?"),
        Just("."),
        Just(".."),
        Just("%31"),
        Just("%2e"),
        Just("127"),
        Just("0x7f"),
        Just("0"),
        Just("1"),
        Just("080"),
        Just("99999"),
        Just("a"),
        Just("example.com"),
        Just("xn--"),
        Just("é"),
        Just("①"),
        Just("。"),
        Just("\u{ad}"),
        Just(" "),
        Just("\t"),
        Just("ffff"),
        Just("{"),
        Just("|"),
        Just("'"),
        Just("\""),
        Just("<"),
        Just("^"),
        Just("`"),
        Just("&a=b"),
    ];
    proptest::collection::vec(piece, 0..14).prop_map(|pieces| pieces.concat())
}

fn agrees_everywhere(text: &str) -> Result<(), TestCaseError> {
    let Ok(url) = WebhookUrl::parse(text) else {
        return Ok(());
    };
    prop_assert_eq!(&WebhookUrl::parse(url.as_str()).unwrap(), &url);
    prop_assert!(url.as_str().is_ascii() && url.as_str().len() <= CHARS_MAX);
    let uri: http::Uri = url.as_str().parse().unwrap();
    prop_assert_eq!(uri.host().unwrap().trim_matches(['[', ']']), url.host());
    let default = if url.is_https() { 443 } else { 80 };
    prop_assert_eq!(uri.port_u16().unwrap_or(default), url.port());
    prop_assert_eq!(uri.scheme_str() == Some("https"), url.is_https());
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn any_text_is_survived(text in ".{0,80}") {
        agrees_everywhere(&text)?;
    }

    #[test]
    fn parsers_agree(tail in url_like(), https: bool) {
        agrees_everywhere(&tail)?;
        let scheme = if https { "https" } else { "http" };
        agrees_everywhere(&format!("{scheme}://{tail}"))?;
        agrees_everywhere(&format!("{scheme}://example.com{tail}"))?;
    }

    #[test]
    fn every_address_round_trips(v4: u32, v6: u128, port in 1..=u16::MAX) {
        for (text, ip) in [
            (std::net::Ipv4Addr::from(v4).to_string(), IpAddr::from(v4.to_be_bytes())),
            (format!("[{}]", Ipv6Addr::from(v6)), IpAddr::from(v6.to_be_bytes())),
        ] {
            let url = WebhookUrl::parse(&format!("http://{text}:{port}/")).unwrap();
            prop_assert_eq!((url.ip(), url.port()), (Some(ip), port));
        }
    }
}
