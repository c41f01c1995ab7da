//! Endpoints, by script.

use std::collections::BTreeSet;

use hookbox::model::FailureKind;
use hookbox::transport::{Method, Request, Response, TransportError};

use super::chance::Chance;
use super::time::{SECOND, Truth};

pub type Answer = Result<Response, TransportError>;

/// How an endpoint behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Temper {
    Good,
    /// Answers just before the deadline, or after it.
    Slow,
    /// Nobody answers.
    Dead,
    /// As it likes.
    Flapping,
    /// Takes the request, and breaks the connection.
    Lying,
    /// Refuses certain events, whatever comes with them.
    Poisoned(u16),
    Gone,
    /// Overloaded, with wishes for how long to wait.
    Throttling,
    /// Uses the receiver's control header.
    Controlling,
    /// Refuses a batch's first two attempts, and takes the third (of the exhaustive twin only).
    Waking,
}

/// The header by which a request names its webhook, where its id does not name the batch.
pub const NAMED: &str = "x-sim-webhook";

/// A request's header; empty where there is none.
pub fn header<'a>(request: &'a Request, name: &str) -> &'a str {
    let found = request
        .headers
        .iter()
        .find(|(key, _)| key.eq_ignore_ascii_case(name));
    found.map_or("", |(_, value)| value)
}

/// What a payload holds that a poisoned endpoint refuses.
pub const POISON: &str = "\"poison\"";

/// `Retry-After`, sane and otherwise.
const RETRY_AFTER: [&str; 11] = [
    "0",
    "1",
    "30",
    "3600",
    "86400",
    "-1",
    "999999999999999999999999",
    "Sun, 06 Nov 1994 08:49:37 GMT",
    "Fri, 31 Dec 9999 23:59:59 GMT",
    "soon",
    "",
];

impl Temper {
    pub fn draw(chance: &mut Chance) -> Self {
        match chance.below(16) {
            0..6 => Self::Good,
            6 | 7 => Self::Slow,
            8 | 9 => Self::Dead,
            10 | 11 => Self::Flapping,
            12 => Self::Lying,
            13 => Self::Poisoned(chance.pick(&[400, 413])),
            14 => chance.pick(&[Self::Gone, Self::Controlling]),
            _ => Self::Throttling,
        }
    }

    /// Whether everything that it is sent arrives sooner or later.
    pub const fn is_good(self) -> bool {
        matches!(self, Self::Good)
    }
}

#[derive(Debug)]
pub struct Endpoint {
    pub temper: Temper,
    /// The status with which it accepts.
    pub accepts: u16,
    /// Answers challenges.
    pub proves: bool,
    /// The webhooks' challenges that it answered: token by token.
    pub proved: BTreeSet<String>,
}

/// What an endpoint does with a request.
#[derive(Debug)]
pub struct Reply {
    pub answer: Answer,
    /// After this, in milliseconds.
    pub after: i64,
    /// The endpoint got all of the request.
    pub arrived: bool,
}

pub fn status(status: u16) -> Answer {
    Ok(Response {
        status,
        headers: Vec::new(),
        body: Vec::new(),
    })
}

fn status_with(code: u16, name: &str, value: &str) -> Answer {
    let mut answer = status(code);
    if let Ok(response) = &mut answer {
        response.headers.push((name.into(), value.into()));
    }
    answer
}

pub fn failure(kind: FailureKind) -> Answer {
    Err(TransportError {
        kind,
        message: "as the script has it".into(),
    })
}

impl Endpoint {
    pub fn new(temper: Temper, accepts: u16) -> Self {
        Self {
            temper,
            accepts,
            proves: true,
            proved: BTreeSet::new(),
        }
    }

    /// Answers a delivery. Says which class of fault it was, if it was one.
    pub fn answer(&self, request: &Request, chance: &mut Chance) -> (Reply, Option<&'static str>) {
        let timeout = i64::try_from(request.timeout.as_millis()).unwrap_or(i64::MAX);
        let quick = chance.between(1, 400);
        let reply = |answer, after, arrived| Reply {
            answer,
            after,
            arrived,
        };
        let temper = match self.temper {
            Temper::Flapping => chance.pick(&[
                Temper::Good,
                Temper::Good,
                Temper::Slow,
                Temper::Dead,
                Temper::Lying,
                Temper::Throttling,
            ]),
            other => other,
        };
        match temper {
            Temper::Good | Temper::Flapping => (reply(status(self.accepts), quick, true), None),
            Temper::Slow if chance.coin() => {
                let late = chance.between(timeout / 2, timeout - 1);
                (
                    reply(status(self.accepts), late, true),
                    Some("endpoint slow"),
                )
            }
            Temper::Slow => {
                let arrived = chance.coin();
                let answer = failure(FailureKind::Timeout);
                (reply(answer, timeout, arrived), Some("endpoint timeout"))
            }
            Temper::Dead => {
                let kind = chance.pick(&[
                    FailureKind::Connect,
                    FailureKind::Dns,
                    FailureKind::Tls,
                    FailureKind::AddressDenied,
                ]);
                (reply(failure(kind), quick, false), Some("endpoint dead"))
            }
            Temper::Lying => {
                let kind = chance.pick(&[FailureKind::Reset, FailureKind::Protocol]);
                let answer = failure(kind);
                (reply(answer, quick, true), Some("reset after the body"))
            }
            Temper::Poisoned(code) => {
                let text = String::from_utf8_lossy(&request.body);
                if text.contains(POISON) {
                    (reply(status(code), quick, true), Some("event refused"))
                } else {
                    (reply(status(self.accepts), quick, true), None)
                }
            }
            Temper::Waking => match header(request, "webhook-attempt") {
                "1" | "2" => (reply(status(500), quick, true), Some("5xx, 429, redirect")),
                _ => (reply(status(self.accepts), quick, true), None),
            },
            Temper::Gone => (reply(status(410), quick, true), Some("410")),
            Temper::Throttling => match chance.below(5) {
                0 => (reply(status(self.accepts), quick, true), None),
                1 => {
                    let code = chance.pick(&[500, 502, 504, 429, 301]);
                    (reply(status(code), quick, true), Some("5xx, 429, redirect"))
                }
                _ => {
                    let code = chance.pick(&[429, 503]);
                    let answer = status_with(code, "retry-after", chance.pick(&RETRY_AFTER));
                    (reply(answer, quick, true), Some("Retry-After"))
                }
            },
            Temper::Controlling => {
                let word = chance.pick(&["abort-message", "disable", "nonsense"]);
                let answer = status_with(400, "webhook-delivery", word);
                (reply(answer, quick, true), Some("control header"))
            }
        }
    }

    /// Answers a challenge: a GET with a number, or a POST of a test event.
    pub fn prove(&mut self, request: &Request, truth: &Truth) -> Answer {
        truth.advance(SECOND / 20);
        if !self.proves || self.temper == Temper::Dead {
            return failure(FailureKind::Connect);
        }
        let mut answer = status(200);
        if request.method == Method::Post {
            self.proved.insert(header(request, NAMED).to_owned());
            return answer;
        }
        let value = |name: &str| {
            let pair = request.query.iter().find(|(key, _)| key == name);
            pair.map(|(_, value)| value.clone()).unwrap_or_default()
        };
        self.proved.insert(value("verification_token"));
        let body = format!("{{\"challenge\":{}}}", value("challenge"));
        if let Ok(response) = &mut answer {
            response.body = body.into_bytes();
        }
        answer
    }
}
