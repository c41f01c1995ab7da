//! How receivers read base64: senders differ in alphabet and padding (contracts.md §1.4).

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

use super::NotAuthentic;

/// Decodes either alphabet, with or without padding. A mixture of alphabets is refused, and so is
/// anything else that an encoder does not write: line breaks, stray bits, padding in the middle.
pub(super) fn decode(text: &str) -> Result<Vec<u8>, NotAuthentic> {
    let standard = text.contains(['+', '/']);
    let url_safe = text.contains(['-', '_']);
    let engine = match (standard, url_safe) {
        (true, true) => return Err(NotAuthentic::MixedAlphabets),
        (_, true) => &URL_SAFE_NO_PAD,
        (_, false) => &STANDARD_NO_PAD,
    };
    let unpadded = text.trim_end_matches('=');
    if text.len() - unpadded.len() > 2 {
        return Err(NotAuthentic::BadBase64);
    }
    engine.decode(unpadded).map_err(|_| NotAuthentic::BadBase64)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn both_alphabets_and_any_padding() {
        for text in ["-_8", "-_8=", "+/8", "+/8="] {
            assert_eq!(decode(text), Ok(vec![0xfb, 0xff]), "{text}");
        }
        assert_eq!(decode("+_8="), Err(NotAuthentic::MixedAlphabets));
        for text in ["+/8===", "+/9", "+=/8", "+/8 ", "+/\n8", "+", "é"] {
            assert_eq!(decode(text), Err(NotAuthentic::BadBase64), "{text}");
        }
        assert_eq!(decode(""), Ok(vec![]));
    }

    proptest! {
        #[test]
        fn never_panics(text in ".*") {
            let _ = decode(&text);
        }
    }
}
