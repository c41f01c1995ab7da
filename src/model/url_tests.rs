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

/// reliability.md 3.3 and rows 1, 2, 6, 7 and 9 to 14 of 3.5.
#[test]
fn hostile_urls_are_refused() {
    for text in [
        // Relative, or no http.
        "",
        "example.com",
        "/hooks",
        "//example.com/",
        "http:example.com",
        "http:/example.com",
        "http:///example.com",
        "http:/\\127.0.0.1",
        "https://",
        "https://:443/",
        "https:///x",
        "ftp://example.com/",
        "file:///etc/passwd",
        "gopher://example.com/",
        "data:text/plain,x",
        "javascript:alert(1)",
        "ws://example.com/",
        "unix:///x",
        "http+unix://x/",
        "dict://x.com:11/",
        // Numbers that are addresses to somebody.
        "http://2130706433/",
        "http://0x7f000001/",
        "http://0x7f.1/",
        "http://0177.0.0.1/",
        "http://127.1/",
        "http://017700000001/",
        "http://0/",
        "http://4294967297/",
        "http://256.0.0.1/",
        "http://1.2.3.256/",
        "http://127.0.0.1./",
        "http://127.0.0.01/",
        "http://①②⑦.⓪.⓪.①/",
        "http://127。0。0。1/",
        "http://%31%32%37.0.0.1/",
        "http://%2531.0.0.1/",
        "http://1.2.3.4.5/",
        "http://example.0x1/",
        // IPv6 that is not one bracketed address.
        "http://::1/",
        "http://[::1/",
        "http://::1]/",
        "http://[[::1]]/",
        "http://[::1]x/",
        "http://[fe80::1%25eth0]/",
        "http://[fe80::1%eth0]/",
        "http://[::ffff:0x7f.1]/",
        "http://[]/",
        // Names that change when they are read.
        "http://ⓛocalhost/",
        "http://exa\u{ad}mple.com/",
        "http://ｅxample.com/",
        "http://example.com./",
        "http://.example.com/",
        "http://a..b/",
        "http://exam%70le.com/",
        "http://xn--a/",
        "http://ex*mple.com/",
        "http://a,b.com/",
        "http://a;b.com/",
        // Who is the host?
        "http://user@example.com/",
        "http://user:pw@127.0.0.1/",
        "http://good.com@bad.com/",
        "http://good.com:80@127.0.0.1/",
        "http://@example.com/",
        "http://good.com%40bad.com/",
        "http://127.0.0.1\\@good.com/",
        "http://good.com#@bad.com/",
        "http://example.com/#",
        // White space and controls.
        "http://a\tb.com/",
        "http://127.0.0.1\n.evil.com/",
        " http://example.com/",
        "http://example.com/\r\nx: y",
        "http://example.com/a b",
        "http://example.com/\0",
        "http://example.com/\u{85}",
        "http://example.com/\u{a0}",
        "http://example.com/\u{2028}",
        // Ports.
        "http://example.com:0/",
        "http://example.com:65536/",
        "http://example.com:99999/",
        "http://example.com:/",
        "http://example.com:080/",
        "http://example.com:-1/",
        "http://example.com:+80/",
        "http://example.com:80:80/",
        "http://example.com:８０/",
    ] {
        reason(text);
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
