//! How values are written: fields one after the other, without names. Numbers of fixed width are
//! big-endian; a count or length is a LEB128 varint; text and bytes come after their length; an
//! optional field after a byte that is 0 or 1. Reading parses every field: a value may be anybody's.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{Error, Result, StorageFault};
use crate::model::{Position, Positions, Timestamp};

/// A stored value that hookbox would not have written.
pub(super) fn bad_row(what: &str, why: impl std::fmt::Display) -> Error {
    Error::storage(StorageFault::BadRow, format!("{what}: {why}"))
}

/// Writes a value.
#[derive(Default)]
pub(super) struct Encoder(pub(super) Vec<u8>);

impl Encoder {
    pub(super) fn byte(mut self, byte: u8) -> Self {
        self.0.push(byte);
        self
    }

    pub(super) fn flag(self, flag: bool) -> Self {
        self.byte(u8::from(flag))
    }

    pub(super) fn number(mut self, number: i64) -> Self {
        self.0.extend(number.to_be_bytes());
        self
    }

    /// A number that is mostly small.
    pub(super) fn count(mut self, mut count: u64) -> Self {
        while count >= 0x80 {
            self.0.push(count.to_le_bytes()[0] | 0x80);
            count >>= 7;
        }
        self.byte(count.to_le_bytes()[0])
    }

    pub(super) fn time(self, at: Timestamp) -> Self {
        self.number(at.as_millis())
    }

    pub(super) fn option<T>(self, value: Option<T>, write: impl FnOnce(Self, T) -> Self) -> Self {
        match value {
            Some(value) => write(self.byte(1), value),
            None => self.byte(0),
        }
    }

    pub(super) fn bytes(self, bytes: &[u8]) -> Self {
        let mut this = self.count(bytes.len() as u64);
        this.0.extend(bytes);
        this
    }

    pub(super) fn text(self, text: &str) -> Self {
        self.bytes(text.as_bytes())
    }

    pub(super) fn json(self, value: &impl Serialize) -> Result<Self> {
        let text = serde_json::to_vec(value).map_err(|error| Error::Internal(error.to_string()))?;
        Ok(self.bytes(&text))
    }

    /// Ranges, each as its distance from the one before and its length.
    pub(super) fn positions(self, positions: &Positions) -> Self {
        let ranges = positions.ranges();
        let mut this = self.count(ranges.len() as u64);
        let mut end = 0;
        for (from, to) in ranges {
            let (gap, length) = ((from - end).unsigned_abs(), (to - from).unsigned_abs());
            this = this.count(gap).count(length);
            end = *to;
        }
        this
    }
}

/// Reads a value, field by field.
pub(super) struct Decoder<'a> {
    /// What the value is, for errors.
    what: &'static str,
    rest: &'a [u8],
}

impl<'a> Decoder<'a> {
    pub(super) const fn new(what: &'static str, value: &'a [u8]) -> Self {
        Self { what, rest: value }
    }

    /// The error for a value of this kind.
    pub(super) fn bad(&self, why: impl std::fmt::Display) -> Error {
        bad_row(self.what, why)
    }

    /// What was not read yet.
    pub(super) const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// The value must end here.
    pub(super) fn end(&self) -> Result<()> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(self.bad("is longer than it should be"))
        }
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8]> {
        let (taken, rest) = self
            .rest
            .split_at_checked(length)
            .ok_or_else(|| self.bad("is cut short"))?;
        self.rest = rest;
        Ok(taken)
    }

    pub(super) fn byte(&mut self) -> Result<u8> {
        Ok(self.take(1)?[0])
    }

    pub(super) fn flag(&mut self) -> Result<bool> {
        match self.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            other => Err(self.bad(format!("{other} is neither 0 nor 1"))),
        }
    }

    pub(super) fn number(&mut self) -> Result<i64> {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(self.take(8)?);
        Ok(i64::from_be_bytes(bytes))
    }

    pub(super) fn count(&mut self) -> Result<u64> {
        let mut count = 0;
        for shift in (0..63).step_by(7) {
            let byte = self.byte()?;
            count |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(count);
            }
        }
        Err(self.bad("holds a count that is too large"))
    }

    /// A count that fits a smaller type.
    pub(super) fn small<T: TryFrom<u64>>(&mut self) -> Result<T> {
        let count = self.count()?;
        T::try_from(count).map_err(|_| self.bad("holds a count that is too large"))
    }

    pub(super) fn time(&mut self) -> Result<Timestamp> {
        Ok(Timestamp::from_millis(self.number()?))
    }

    pub(super) fn option<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T>,
    ) -> Result<Option<T>> {
        if self.flag()? {
            read(self).map(Some)
        } else {
            Ok(None)
        }
    }

    pub(super) fn bytes(&mut self) -> Result<&'a [u8]> {
        let length = self.small()?;
        self.take(length)
    }

    pub(super) fn text(&mut self) -> Result<&'a str> {
        let bytes = self.bytes()?;
        std::str::from_utf8(bytes).map_err(|error| self.bad(error))
    }

    /// Text that parses as a name or an id.
    pub(super) fn parsed<T: std::str::FromStr<Err = Error>>(&mut self) -> Result<T> {
        let text = self.text()?;
        text.parse().map_err(|error| self.bad(error))
    }

    /// Text that is one of an enum's names, or of a checked text's.
    pub(super) fn named<T: DeserializeOwned>(&mut self) -> Result<T> {
        let text = self.text()?;
        serde_json::from_value(serde_json::Value::String(text.to_owned()))
            .map_err(|error| self.bad(error))
    }

    pub(super) fn json<T: DeserializeOwned>(&mut self) -> Result<T> {
        let bytes = self.bytes()?;
        serde_json::from_slice(bytes).map_err(|error| self.bad(error))
    }

    pub(super) fn positions(&mut self) -> Result<Positions> {
        let ranges: usize = self.small()?;
        let mut list: Vec<(Position, Position)> = Vec::new();
        let mut end: Position = 0;
        for _ in 0..ranges {
            let (gap, length): (Position, Position) = (self.small()?, self.small()?);
            let from = end.checked_add(gap);
            let to = from.and_then(|from| from.checked_add(length));
            let (Some(from), Some(to)) = (from, to) else {
                return Err(self.bad("holds a position that is too large"));
            };
            list.push((from, to));
            end = to;
        }
        Positions::try_from(list).map_err(|error| self.bad(error))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn fields_come_back(
            number in any::<i64>(),
            count in 0..i64::MAX.unsigned_abs(),
            text in ".*",
            option in any::<Option<i64>>(),
            positions in prop::collection::btree_set(1..5_000i64, 0..50),
        ) {
            let positions: Positions = positions.into_iter().collect();
            let value = Encoder::default()
                .number(number)
                .count(count)
                .text(&text)
                .option(option, Encoder::number)
                .positions(&positions)
                .flag(true);
            let mut read = Decoder::new("value", &value.0);
            prop_assert_eq!(read.number().unwrap(), number);
            prop_assert_eq!(read.count().unwrap(), count);
            prop_assert_eq!(read.text().unwrap(), text);
            prop_assert_eq!(read.option(Decoder::number).unwrap(), option);
            prop_assert_eq!(read.positions().unwrap(), positions);
            prop_assert!(read.flag().unwrap());
            read.end().unwrap();
        }

        #[test]
        fn what_somebody_spoiled_is_an_error(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            // Whatever it is, nothing panics; what is left over is noticed.
            let mut read = Decoder::new("value", &bytes);
            let _ = (read.positions(), read.text().map(str::len), read.count(), read.flag());
            prop_assert_eq!(read.end().is_ok(), read.rest().is_empty());
        }
    }

    #[test]
    fn hostile_positions_are_refused() {
        let huge = Encoder::default().count(1).count(u64::MAX >> 1).count(9);
        let none = Encoder::default()
            .count(2)
            .count(5)
            .count(0)
            .count(0)
            .count(0);
        for value in [huge, none] {
            let refused = Decoder::new("batch", &value.0).positions().unwrap_err();
            assert_eq!(refused.code(), "storage_bad_row");
        }
    }
}
