//! A frozen list of log positions, as ranges.

use serde::{Deserialize, Serialize};

use crate::model::Position;

/// Log positions in ascending order, held as inclusive ranges: `[[17,116],[118,118]]` in JSON.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(
    try_from = "Vec<(Position, Position)>",
    into = "Vec<(Position, Position)>"
)]
pub struct Positions(Vec<(Position, Position)>);

impl Positions {
    /// No positions.
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Appends a position.
    ///
    /// # Panics
    /// When `position` is not larger than the last one: an internal error, never a host's input.
    pub fn push(&mut self, position: Position) {
        match self.0.last_mut() {
            Some((_, last)) if *last + 1 == position => *last = position,
            Some((_, last)) => {
                assert!(*last < position, "positions must ascend");
                self.0.push((position, position));
            }
            None => self.0.push((position, position)),
        }
    }

    /// How many positions.
    #[must_use]
    pub fn len(&self) -> usize {
        let total: Position = self.0.iter().map(|(from, to)| to - from + 1).sum();
        usize::try_from(total).unwrap_or(usize::MAX)
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The first position.
    #[must_use]
    pub fn first(&self) -> Option<Position> {
        self.0.first().map(|(from, _)| *from)
    }

    /// The last position.
    #[must_use]
    pub fn last(&self) -> Option<Position> {
        self.0.last().map(|(_, to)| *to)
    }

    /// Whether a position is among them.
    #[must_use]
    pub fn contains(&self, position: Position) -> bool {
        self.0
            .iter()
            .any(|(from, to)| (*from..=*to).contains(&position))
    }

    /// The inclusive ranges.
    #[must_use]
    pub fn ranges(&self) -> &[(Position, Position)] {
        &self.0
    }

    /// Each position in order.
    pub fn iter(&self) -> impl Iterator<Item = Position> + '_ {
        self.0.iter().flat_map(|(from, to)| *from..=*to)
    }

    /// The first `count` positions and the rest.
    #[must_use]
    pub fn split_at(&self, count: usize) -> (Self, Self) {
        let (mut head, mut tail) = (Self::new(), Self::new());
        for (index, position) in self.iter().enumerate() {
            if index < count { &mut head } else { &mut tail }.push(position);
        }
        (head, tail)
    }
}

impl FromIterator<Position> for Positions {
    fn from_iter<I: IntoIterator<Item = Position>>(positions: I) -> Self {
        let mut list = Self::new();
        for position in positions {
            list.push(position);
        }
        list
    }
}

/// Refuses what [`Positions::push`] could not have built: a stored row may be anybody's.
impl TryFrom<Vec<(Position, Position)>> for Positions {
    type Error = &'static str;

    fn try_from(ranges: Vec<(Position, Position)>) -> Result<Self, Self::Error> {
        let mut end = 0;
        for (from, to) in &ranges {
            if *from <= end || to < from || to - from > 1_000_000 || *to == Position::MAX {
                return Err("position ranges must ascend from 1");
            }
            end = *to;
        }
        Ok(Self(ranges))
    }
}

impl From<Positions> for Vec<(Position, Position)> {
    fn from(positions: Positions) -> Self {
        positions.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_round_trip() {
        let list: Positions = [17, 18, 20].into_iter().collect();
        assert_eq!(serde_json::to_string(&list).unwrap(), "[[17,18],[20,20]]");
        assert_eq!(
            serde_json::from_str::<Positions>("[[17,18],[20,20]]").unwrap(),
            list
        );
        assert_eq!(
            (list.len(), list.first(), list.last()),
            (3, Some(17), Some(20))
        );
        let (head, tail) = list.split_at(1);
        assert_eq!(
            head.iter().chain(tail.iter()).collect::<Vec<_>>(),
            [17, 18, 20]
        );
        assert!(list.contains(20) && !list.contains(19));
    }

    #[test]
    fn hostile_ranges_are_refused() {
        for text in [
            "[[0,1]]",
            "[[5,4]]",
            "[[3,4],[4,5]]",
            "[[1,99999999999]]",
            "[[-1,1]]",
        ] {
            assert!(serde_json::from_str::<Positions>(text).is_err(), "{text}");
        }
    }
}
