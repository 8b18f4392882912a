//! Numbers that may be unknown, in the room of the number alone: a table has a million of them.

use std::fmt::{self, Debug};

use serde::{Serialize, Serializer};

/// As `Option<N>`, in half the room: one number, which nothing in the kernel counts up to,
/// stands for the unknown.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Maybe<N>(N);

/// A type of number, and which one of it is given up.
pub trait Number: Copy + PartialEq {
    /// It stands for the unknown.
    const UNKNOWN: Self;
}

impl Number for u64 {
    const UNKNOWN: Self = Self::MAX;
}

impl Number for i64 {
    const UNKNOWN: Self = Self::MIN;
}

impl<N: Number> Maybe<N> {
    /// What is not known.
    pub const UNKNOWN: Self = Self(N::UNKNOWN);

    /// The number, where it is known.
    pub fn get(self) -> Option<N> {
        (self.0 != N::UNKNOWN).then_some(self.0)
    }
}

impl<N: Number> From<Option<N>> for Maybe<N> {
    fn from(number: Option<N>) -> Self {
        Self(number.unwrap_or(N::UNKNOWN))
    }
}

impl<N: Number> From<N> for Maybe<N> {
    fn from(number: N) -> Self {
        Self(number)
    }
}

impl<N: Number + Debug> Debug for Maybe<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.get().fmt(f)
    }
}

impl<N: Number + Serialize> Serialize for Maybe<N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.get().serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_an_option_in_half_the_room() {
        for number in [None, Some(0), Some(-1), Some(i64::MAX)] {
            let maybe = Maybe::from(number);
            assert_eq!(maybe.get(), number);
            assert_eq!(format!("{maybe:?}"), format!("{number:?}"));
            assert_eq!(serde_json::to_value(maybe).unwrap(), serde_json::to_value(number).unwrap());
        }
        assert_eq!(size_of::<Maybe<i64>>() * 2, size_of::<Option<i64>>());
        assert_eq!(Maybe::from(5_u64), Maybe::from(Some(5)));
        assert_eq!(Maybe::<u64>::UNKNOWN.get(), None);
    }
}
