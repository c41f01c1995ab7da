//! Which senders a webhook's batches go through.

/// What is known of a webhook's endpoint. Each class has senders of its own, so that endpoints nobody
/// has met yet, and those that fail, cannot take the senders of those that answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// The last attempt succeeded.
    Well,
    /// No attempt has been answered or has failed since it was activated.
    Untried,
    /// The last attempt failed.
    Failing,
}

/// Something of each class, by [`Class::index`].
pub type OfClass<T> = [T; Class::COUNT];

impl Class {
    /// How many there are.
    pub const COUNT: usize = 3;

    /// Every class, by its number.
    pub const ALL: [Self; Self::COUNT] = [Self::Well, Self::Untried, Self::Failing];

    /// Its number: its place in [`Class::ALL`], and what storages keep.
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }

    /// The class with a number; `None` if there is none.
    #[must_use]
    pub fn from_index(index: usize) -> Option<Self> {
        Self::ALL.get(index).copied()
    }
}
