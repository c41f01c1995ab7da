//! Times and networks as people type them.

use std::time::Duration;

use hookbox::clock::{Clock, SystemClock};
use hookbox::model::Timestamp;

use crate::args::{Networks, Waits};

/// `500ms`, `30s`, `5m`, `2h`, `3d`, and sums such as `1h30m`.
pub fn parse_span(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is no span such as 500ms, 30s, 5m, 2h, 3d or 1h30m");
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err(wrong());
    }
    let mut millis = 0_u64;
    while !rest.is_empty() {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, after) = rest.split_at(digits);
        let letters = after.len()
            - after
                .trim_start_matches(|c: char| c.is_ascii_alphabetic())
                .len();
        let (unit, after) = after.split_at(letters);
        let of_unit: u64 = match unit {
            "ms" => 1,
            "s" => 1000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return Err(wrong()),
        };
        let number: u64 = number.parse().map_err(|_| wrong())?;
        let part = number.checked_mul(of_unit);
        millis = part
            .and_then(|part| millis.checked_add(part))
            .ok_or_else(wrong)?;
        rest = after;
    }
    Ok(Duration::from_millis(millis))
}

/// RFC 3339, or a span ago.
pub fn parse_time(text: &str) -> Result<Timestamp, String> {
    if let Ok(span) = parse_span(text) {
        return Ok(SystemClock.now().minus(span));
    }
    text.parse().map_err(|_| {
        format!("`{text}` is neither RFC 3339 (2025-03-15T10:30:00Z) nor a span ago (30s, 2h, 3d)")
    })
}

/// RFC 3339, or a span from now on.
pub fn parse_time_ahead(text: &str) -> Result<Timestamp, String> {
    if let Ok(span) = parse_span(text) {
        return Ok(SystemClock.now().plus(span));
    }
    text.parse().map_err(|_| {
        format!("`{text}` is neither RFC 3339 (2025-03-15T10:30:00Z) nor a span (12h, 90d)")
    })
}

/// Spans between commas.
pub fn parse_waits(text: &str) -> Result<Waits, String> {
    text.split(',')
        .map(parse_span)
        .collect::<Result<_, _>>()
        .map(Waits)
}

/// One network, one address, or `all`.
pub fn parse_networks(text: &str) -> Result<Networks, String> {
    if text == "all" {
        let all = ["0.0.0.0/0", "::/0"].map(str::parse);
        return all
            .into_iter()
            .collect::<Result<_, _>>()
            .map(Networks)
            .map_err(|_| text.into());
    }
    let network = text
        .parse()
        .or_else(|_| text.parse::<std::net::IpAddr>().map(Into::into));
    network
        .map(|network| Networks(vec![network]))
        .map_err(|_| format!("`{text}` is neither a network such as 10.0.0.0/8 nor `all`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_sums_of_whole_units() {
        for (text, seconds) in [("30s", 30), ("5m", 300), ("1h30m", 5400), ("3d", 259_200)] {
            assert_eq!(parse_span(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        assert_eq!(parse_span("250ms"), Ok(Duration::from_millis(250)));
        for text in [
            "",
            "5",
            "m",
            "-5m",
            "5 m",
            "1.5h",
            "5w",
            "99999999999999999999d",
            "5é",
        ] {
            assert!(parse_span(text).is_err(), "{text}");
        }
    }

    #[test]
    fn networks_may_be_single_addresses() {
        assert_eq!(parse_networks("127.0.0.1").unwrap().0.len(), 1);
        assert_eq!(parse_networks("all").unwrap().0.len(), 2);
        assert!(parse_networks("localhost").is_err());
    }
}
