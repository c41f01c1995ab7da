//! Appending query pairs to a URL.

use std::fmt::Write;

/// The URL with the pairs appended to its own query, which is kept as it is. The URL must have no
/// fragment: a `WebhookUrl` has none.
pub(crate) fn with_query(url: &str, pairs: &[(String, String)]) -> String {
    let mut text = url.to_owned();
    for (name, value) in pairs {
        match text.split_once('?') {
            None => text.push('?'),
            Some((_, "")) => {}
            Some(_) => text.push('&'),
        }
        encode(&mut text, name);
        text.push('=');
        encode(&mut text, value);
    }
    text
}

/// Percent-encodes all but the characters that no parser treats specially (RFC 3986 §2.3).
fn encode(out: &mut String, text: &str) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a `String` cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::with_query;
    use proptest::prelude::*;

    #[test]
    fn pairs_are_appended() {
        let pairs = [("a".to_owned(), "b c&d=é".to_owned())];
        for (url, expected) in [
            ("https://x/", "https://x/?a=b%20c%26d%3D%C3%A9"),
            ("https://x/?", "https://x/?a=b%20c%26d%3D%C3%A9"),
            (
                "https://x/?k=%20+v",
                "https://x/?k=%20+v&a=b%20c%26d%3D%C3%A9",
            ),
        ] {
            assert_eq!(with_query(url, &pairs), expected);
            assert_eq!(with_query(url, &[]), url);
        }
    }

    proptest! {
        #[test]
        fn a_parser_reads_the_same_pairs(
            pairs in proptest::collection::vec((".{0,9}", ".{0,9}"), 0..4)
        ) {
            let url: url::Url = with_query("https://x/?own=1", &pairs).parse().unwrap();
            let read: Vec<_> = url.query_pairs().into_owned().skip(1).collect();
            prop_assert_eq!(read, pairs);
        }
    }
}
