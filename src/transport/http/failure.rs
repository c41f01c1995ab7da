//! From ureq's errors to ours.

use std::io::ErrorKind;

use crate::model::FailureKind;
use crate::transport::TransportError;

/// Longer messages are cut: some of their text comes from the other side.
const MESSAGE_CHARS_MAX: usize = 300;

pub(super) fn new(kind: FailureKind, message: String) -> TransportError {
    let message = match message.char_indices().nth(MESSAGE_CHARS_MAX) {
        Some((end, _)) => message[..end].to_owned(),
        None => message,
    };
    TransportError { kind, message }
}

/// An error of ours, to be carried through ureq.
pub(super) fn into_ureq(error: TransportError) -> ureq::Error {
    ureq::Error::Other(Box::new(error))
}

/// What an error of ureq means. The connectors label theirs, so that what arrives here without a
/// label happened on an open connection, and the endpoint may have got the request.
pub(super) fn from_ureq(error: ureq::Error) -> TransportError {
    use FailureKind as Kind;
    match error {
        ureq::Error::Other(inner) => match inner.downcast::<TransportError>() {
            Ok(ours) => *ours,
            Err(_) => new(Kind::Protocol, "the HTTP client failed".to_owned()),
        },
        ureq::Error::Timeout(_) => new(
            Kind::Timeout,
            "the deadline passed before the response's headers were complete".to_owned(),
        ),
        ureq::Error::Io(error) => new(Kind::Reset, io_message(&error)),
        ureq::Error::HostNotFound => new(Kind::Dns, "the name has no address".to_owned()),
        ureq::Error::ConnectionFailed => new(Kind::Connect, "no connection".to_owned()),
        ureq::Error::TlsRequired => new(Kind::Tls, "the connection is not encrypted".to_owned()),
        ureq::Error::Tls(message) => new(Kind::Tls, message.to_owned()),
        ureq::Error::ConnectProxyFailed(message) => new(Kind::Proxy, message),
        ureq::Error::LargeResponseHeader(_, limit) => new(
            Kind::Protocol,
            format!("the response's headers are larger than {limit} bytes"),
        ),
        ureq::Error::Protocol(error) => new(Kind::Protocol, protocol_message(&error.to_string())),
        // The rest is about features that are switched off.
        _ => new(Kind::Protocol, "the HTTP client refused".to_owned()),
    }
}

pub(super) fn io_message(error: &std::io::Error) -> String {
    match error.kind() {
        ErrorKind::UnexpectedEof => "the connection was closed".to_owned(),
        _ => error.to_string(),
    }
}

/// Of what follows a colon, only the parser's fixed texts are kept: elsewhere it may quote a header.
fn protocol_message(text: &str) -> String {
    let safe = match text.split_once(':') {
        Some((head, _)) if head != "http parse fail" => head,
        _ => text,
    };
    format!("the response is not valid HTTP ({safe})")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_quote_no_header_and_are_short() {
        assert_eq!(
            protocol_message("location header is malformed: secret"),
            "the response is not valid HTTP (location header is malformed)"
        );
        assert!(protocol_message("http parse fail: invalid token").contains("invalid token"));
        let long = new(FailureKind::Dns, "é".repeat(1000));
        assert_eq!(long.message.chars().count(), MESSAGE_CHARS_MAX);
    }

    #[test]
    fn ours_come_back_as_they_went_in() {
        let ours = new(FailureKind::AddressDenied, "no".to_owned());
        assert_eq!(from_ureq(into_ureq(ours.clone())), ours);
        // TLS carries errors as `io::Error`.
        let carried = into_ureq(ours.clone()).into_io();
        assert_eq!(from_ureq(carried.into()), ours);
    }
}
