//! The target of a request line: a path in segments, and a query.

use percent_encoding::percent_decode_str;

/// A target, taken apart.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Target<'a> {
    /// The path's segments, each percent-decoded by itself, so that an encoded `/` is part of a
    /// segment. `None` for a path that nothing can be found at.
    pub segments: Option<Vec<String>>,
    /// What follows the first `?`, still encoded.
    pub query: &'a str,
}

impl<'a> Target<'a> {
    /// Takes a target apart: in origin form (`/a?b`) or in absolute form (`http://host/a?b`), as
    /// every server must accept it (RFC 9112 §3.2.2).
    pub fn parse(text: &'a str) -> Self {
        let text = text.split('#').next().unwrap_or_default();
        let (path, query) = text.split_once('?').unwrap_or((text, ""));
        let path = match path.split_once("://") {
            Some((_, rest)) if !path.starts_with('/') => {
                rest.find('/').map_or("/", |at| &rest[at..])
            }
            _ => path,
        };
        Self {
            segments: path.strip_prefix('/').and_then(segments),
            query,
        }
    }
}

fn segments(path: &str) -> Option<Vec<String>> {
    let decoded = path.split('/').map(|segment| {
        let text = percent_decode_str(segment).decode_utf8().ok()?;
        Some(text.into_owned())
    });
    decoded.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_are_decoded_one_by_one() {
        let found = Target::parse("/a%20b/c%2Fd/?x=1&y=/?z#f");
        assert_eq!(found.segments.unwrap(), ["a b", "c/d", ""]);
        assert_eq!(found.query, "x=1&y=/?z");
        let absolute = Target::parse("http://example.com:80/a/b");
        assert_eq!(absolute.segments.unwrap(), ["a", "b"]);
        assert_eq!(Target::parse("http://example.com").segments.unwrap(), [""]);
        assert_eq!(Target::parse("/a?u=http://b/c").segments.unwrap(), ["a"]);
    }

    #[test]
    fn what_is_no_path_has_no_segments() {
        for text in ["", "*", "a/b", "/%ff", "?a"] {
            assert_eq!(Target::parse(text).segments, None, "{text}");
        }
    }
}
