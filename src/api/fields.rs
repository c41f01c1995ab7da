//! The members of a JSON body, each looked at once, with everything that is wrong with them.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use crate::error::Error;

use super::fault::{Fault, Violation, reason_of};

/// A JSON object being read. Members that nobody asks for are ignored, as both vendors do.
#[derive(Debug)]
pub(super) struct Fields<'a> {
    members: BTreeMap<String, &'a RawValue>,
    /// What stands before a member's name in a violation: `[3].` in a list.
    prefix: String,
    violations: Vec<Violation>,
}

impl<'a> Fields<'a> {
    /// Reads a body that is one JSON object.
    ///
    /// # Errors
    /// 400 with a violation of `body`.
    pub fn parse(body: &'a [u8]) -> Result<Self, Fault> {
        Self::from_text(text_of(body)?, String::new())
    }

    /// Reads a body that is one JSON object, or a list of them: then `true`.
    ///
    /// # Errors
    /// 400 with a violation of `body`, or of `[n]`.
    pub fn parse_one_or_many(body: &'a [u8]) -> Result<(Vec<Self>, bool), Fault> {
        let text = text_of(body)?;
        if !text.trim_start().starts_with('[') {
            return Ok((vec![Self::from_text(text, String::new())?], false));
        }
        let items: Vec<&RawValue> = serde_json::from_str(text).map_err(|error| bad_json(&error))?;
        let fields = items
            .iter()
            .enumerate()
            .map(|(index, item)| Self::from_text(item.get(), format!("[{index}]")));
        Ok((fields.collect::<Result<_, _>>()?, true))
    }

    fn from_text(text: &'a str, place: String) -> Result<Self, Fault> {
        let members = serde_json::from_str(text).map_err(|error| {
            if error.is_data() {
                let property = if place.is_empty() { "body" } else { &place };
                return Fault::invalid(vec![Violation::new(property, "must be a JSON object")]);
            }
            bad_json(&error)
        })?;
        let prefix = if place.is_empty() { place } else { place + "." };
        Ok(Self {
            members,
            prefix,
            violations: Vec::new(),
        })
    }

    /// A member that must be there; `rule` says what of.
    pub fn required<T: DeserializeOwned>(&mut self, name: &str, rule: &str) -> Option<T> {
        if !self.members.contains_key(name) {
            self.refuse(name, format!("is missing: it {rule}"));
        }
        self.optional(name, rule)
    }

    /// A member that may be there; `rule` says what of.
    pub fn optional<T: DeserializeOwned>(&mut self, name: &str, rule: &str) -> Option<T> {
        let text = self.members.get(name)?.get();
        let value = serde_json::from_str(text).ok();
        if value.is_none() {
            self.refuse(name, rule);
        }
        value
    }

    /// A member that may be there: a whole number, 0 to `most`. `1.0` is one, as in JSON Schema.
    pub fn whole(&mut self, name: &str, most: u32) -> Option<u32> {
        let rule = format!("must be a whole number, 0 to {most}");
        let value = self.optional::<f64>(name, &rule)?;
        let is_fit = value.fract() == 0.0 && (0.0..=f64::from(most)).contains(&value);
        if !is_fit {
            self.refuse(name, rule);
            return None;
        }
        // Exact: it is whole, and between 0 and a u32.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        Some(value as u32)
    }

    /// A member's JSON text, verbatim.
    pub fn verbatim(&self, name: &str) -> Option<&'a str> {
        self.members.get(name).map(|value| value.get())
    }

    /// Holds a value against the rule of its type.
    pub fn parsed<T>(&mut self, name: &str, parsed: Result<T, Error>) -> Option<T> {
        match parsed {
            Ok(value) => Some(value),
            Err(error) => {
                self.refuse(name, reason_of(&error));
                None
            }
        }
    }

    /// Notes that a member is wrong.
    pub fn refuse(&mut self, name: &str, message: impl Into<String>) {
        let property = format!("{}{name}", self.prefix);
        self.violations.push(Violation::new(property, message));
    }

    /// Everything that was wrong so far.
    pub fn violations(&mut self) -> Vec<Violation> {
        std::mem::take(&mut self.violations)
    }

    /// # Errors
    /// 400 with everything that was wrong so far.
    pub fn check(&mut self) -> Result<(), Fault> {
        if self.violations.is_empty() {
            Ok(())
        } else {
            Err(self.fault())
        }
    }

    /// 400 with everything that was wrong so far.
    pub fn fault(&mut self) -> Fault {
        Fault::invalid(self.violations())
    }
}

fn text_of(body: &[u8]) -> Result<&str, Fault> {
    std::str::from_utf8(body)
        .map_err(|_| Fault::invalid(vec![Violation::new("body", "must be UTF-8")]))
}

fn bad_json(error: &serde_json::Error) -> Fault {
    let message = if error.is_data() {
        "must be a JSON object, or a list of them".to_owned()
    } else {
        format!("must be one JSON text: {error}")
    };
    Fault::invalid(vec![Violation::new("body", message)])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(fault: &Fault) -> Vec<&str> {
        let properties = fault.violations.iter();
        properties.map(|found| found.property.as_str()).collect()
    }

    #[test]
    fn everything_that_is_wrong_is_told() {
        let body = br#"{"a": 1, "b": "x", "c": null, "d": [ 1.50 ], "extra": {}}"#;
        let mut fields = Fields::parse(body).unwrap();
        assert_eq!(fields.required::<String>("a", "must be text"), None);
        assert_eq!(fields.required("b", "must be text"), Some("x".to_owned()));
        assert_eq!(
            fields.optional::<Option<u8>>("c", "may be null"),
            Some(None)
        );
        assert_eq!(fields.optional::<u8>("none", "may be missing"), None);
        assert_eq!(fields.verbatim("d"), Some("[ 1.50 ]"));
        assert_eq!(fields.required::<u8>("e", "must be small"), None);
        assert_eq!(told(&fields.check().unwrap_err()), ["a", "e"]);
    }

    #[test]
    fn whole_numbers_are_those_of_json_schema() {
        let whole = |text: &str| {
            let body = format!("{{\"n\":{text}}}");
            let mut fields = Fields::parse(body.as_bytes()).unwrap();
            let value = fields.whole("n", 10);
            assert_eq!(value.is_none(), fields.check().is_err(), "{text}");
            value
        };
        for (text, value) in [("0", 0), ("10", 10), ("3.0", 3), ("1e1", 10), ("-0", 0)] {
            assert_eq!(whole(text), Some(value), "{text}");
        }
        for text in ["11", "-1", "1.5", "1e99", "\"1\"", "null", "[]"] {
            assert_eq!(whole(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_no_object_is_refused_as_a_whole() {
        for body in [
            "",
            "{",
            "{}{}",
            "[]",
            "null",
            "7",
            "\"a\"",
            "{\"a\":1,}",
            "\u{feff}{}",
        ] {
            let fault = Fields::parse(body.as_bytes()).unwrap_err();
            assert_eq!((fault.status, told(&fault)), (400, vec!["body"]), "{body}");
        }
        assert_eq!(told(&Fields::parse(b"\xff").unwrap_err()), ["body"]);
    }

    #[test]
    fn a_list_names_the_place() {
        let (mut many, is_list) = Fields::parse_one_or_many(br#" [{"a":1},{}]"#).unwrap();
        assert!(is_list && many.len() == 2);
        assert_eq!(many[1].required::<u8>("a", "must be a number"), None);
        assert_eq!(told(&many[1].fault()), ["[1].a"]);
        let fault = Fields::parse_one_or_many(b"[{},7]").unwrap_err();
        assert_eq!(told(&fault), ["[1]"]);
        assert!(!Fields::parse_one_or_many(b"{}").unwrap().1);
        assert!(Fields::parse_one_or_many(b"[{}").is_err());
    }
}
