//! The parameters of a query, each looked at once, with everything that is wrong with them.

use crate::error::Error;
use crate::storage::PageRequest;

use super::fault::{Fault, Violation, reason_of};

/// A query being read.
#[derive(Debug)]
pub(super) struct Query {
    pairs: Vec<(String, String)>,
    violations: Vec<Violation>,
}

impl Query {
    /// Takes a query apart. Parameters that nobody asks for are ignored.
    pub fn parse(text: &str) -> Self {
        let pairs = url::form_urlencoded::parse(text.as_bytes());
        Self {
            pairs: pairs.into_owned().collect(),
            violations: Vec::new(),
        }
    }

    /// A parameter's text, if it is there once.
    pub fn text(&mut self, name: &str) -> Option<String> {
        let mut values = self.pairs.iter().filter(|(key, _)| key == name);
        let value = values.next().map(|(_, value)| value.clone());
        if values.next().is_some() {
            self.refuse(name, "must be given once");
            return None;
        }
        value
    }

    /// A parameter, parsed by the rule of its type.
    pub fn parsed<T>(&mut self, name: &str, parse: fn(&str) -> Result<T, Error>) -> Option<T> {
        let text = self.text(name)?;
        match parse(&text) {
            Ok(value) => Some(value),
            Err(error) => {
                self.refuse(name, reason_of(&error));
                None
            }
        }
    }

    /// A parameter that is one of a few words.
    pub fn one_of<T: Copy>(&mut self, name: &str, words: &[(&str, T)]) -> Option<T> {
        let text = self.text(name)?;
        let found = words.iter().find(|(word, _)| *word == text);
        if found.is_none() {
            let words = words.iter().map(|(word, _)| *word);
            let words = words.collect::<Vec<_>>().join(", ");
            self.refuse(name, format!("must be one of: {words}"));
        }
        found.map(|(_, value)| *value)
    }

    /// `limit`: 1 to `most`, or the default.
    pub fn limit(&mut self, default: usize, most: usize) -> usize {
        let Some(text) = self.text("limit") else {
            return default;
        };
        match text.parse() {
            Ok(limit)
                if (1..=most).contains(&limit) && text.bytes().all(|b| b.is_ascii_digit()) =>
            {
                limit
            }
            _ => {
                self.refuse("limit", format!("must be a whole number, 1 to {most}"));
                default
            }
        }
    }

    /// Notes that a parameter is wrong.
    pub fn refuse(&mut self, name: &str, message: impl Into<String>) {
        self.violations.push(Violation::new(name, message));
    }

    /// # Errors
    /// 400 with everything that was wrong.
    pub fn check(self) -> Result<(), Fault> {
        if self.violations.is_empty() {
            Ok(())
        } else {
            Err(Fault::invalid(self.violations))
        }
    }

    /// Which page of one of our own listings: `cursor`, and `limit` (1 to 1000, by default 100).
    ///
    /// # Errors
    /// 400 with everything that was wrong, here and before.
    pub fn page(mut self) -> Result<PageRequest, Fault> {
        let cursor = self.text("cursor");
        let limit = self.limit(100, 1000);
        self.check()?;
        Ok(PageRequest::first(limit)?.after(cursor))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::WebhookId;

    #[test]
    fn everything_that_is_wrong_is_told() {
        let mut query = Query::parse("limit=0&limit=&webhook=x&status=no&other=1&a=b%20c+d");
        assert_eq!(query.text("a").as_deref(), Some("b c d"));
        assert_eq!(query.limit(7, 100), 7);
        assert_eq!(query.parsed("webhook", WebhookId::parse), None);
        assert_eq!(query.one_of("status", &[("yes", 1)]), None);
        let names: Vec<_> = query
            .check()
            .unwrap_err()
            .violations
            .into_iter()
            .map(|violation| violation.property)
            .collect();
        assert_eq!(names, ["limit", "webhook", "status"]);
        for (text, limit) in [("", 7), ("limit=1", 1), ("limit=100", 100)] {
            let mut query = Query::parse(text);
            assert_eq!(query.limit(7, 100), limit);
            assert!(query.check().is_ok());
        }
        for text in ["limit=", "limit=101", "limit=-1", "limit=%2B1", "limit=1.0"] {
            let mut query = Query::parse(text);
            query.limit(7, 100);
            assert!(query.check().is_err(), "{text}");
        }
    }
}
