//! The ages at which a group's files are looked at: the youngest at which they are no longer
//! closed shows a leak among any number of files that come and go.

use std::time::Duration;

/// Ages that are told apart: 0, then the time between two readings, twice that, and so on.
pub const MAX_AGES: usize = 24;

/// The ages of a watch.
#[derive(Clone, Copy, Debug)]
pub struct Ages {
    interval: Duration,
}

impl Ages {
    /// The ages of a watch with this time between two readings.
    pub fn new(interval: Duration) -> Self {
        Self { interval: interval.max(Duration::from_millis(1)) }
    }

    /// One of the ages.
    pub fn age(self, index: usize) -> Duration {
        match index {
            0 => Duration::ZERO,
            _ => self.interval.saturating_mul(1 << (index.min(MAX_AGES) - 1)),
        }
    }

    /// How many of the ages a file of this age has reached: at least one.
    pub fn reached(self, age: Duration) -> usize {
        (1..MAX_AGES).find(|&index| age < self.age(index)).unwrap_or(MAX_AGES)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_double() {
        let ages = Ages::new(Duration::from_secs(1));
        let seconds: Vec<_> = (0..6).map(|index| ages.age(index).as_secs()).collect();
        assert_eq!(seconds, [0, 1, 2, 4, 8, 16]);
        for (age, reached) in [(0, 1), (1, 2), (3, 3), (4, 4), (7, 4), (8, 5)] {
            assert_eq!(ages.reached(Duration::from_secs(age)), reached, "{age}");
        }
        assert_eq!(ages.reached(Duration::MAX), MAX_AGES);
        assert_eq!(Ages::new(Duration::ZERO).reached(Duration::ZERO), 1);
    }
}
