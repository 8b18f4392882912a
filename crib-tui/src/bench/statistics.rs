//! The numbers of several rounds.

use std::time::Duration;

/// What several rounds took, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    /// The middle one; of an even number the mean of the two in the middle.
    pub median: u64,
    /// The shortest.
    pub min: u64,
    /// The longest.
    pub max: u64,
}

impl Times {
    /// Those of some rounds; none of no rounds.
    pub fn of(rounds: &[Duration]) -> Option<Self> {
        let mut sorted: Vec<u64> = rounds.iter().map(|round| nanoseconds(*round)).collect();
        sorted.sort_unstable();
        let (&min, &max) = (sorted.first()?, sorted.last()?);
        let (low, high) = (sorted[(sorted.len() - 1) / 2], sorted[sorted.len() / 2]);
        Some(Self { median: low.midpoint(high), min, max })
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// How many times `base` the other is; none where there is nothing to compare.
pub fn ratio(time: u64, base: Option<u64>) -> Option<f64> {
    base.filter(|&base| base > 0).map(|base| time as f64 / base as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(nanoseconds: &[u64]) -> Option<(u64, u64, u64)> {
        let rounds: Vec<_> = nanoseconds.iter().copied().map(Duration::from_nanos).collect();
        Times::of(&rounds).map(|times| (times.min, times.median, times.max))
    }

    #[test]
    fn the_median_is_the_middle_one_or_between_two() {
        assert_eq!(times(&[]), None);
        assert_eq!(times(&[7]), Some((7, 7, 7)));
        assert_eq!(times(&[9, 1, 5]), Some((1, 5, 9)));
        assert_eq!(times(&[9, 1, 5, 7]), Some((1, 6, 9)));
        assert_eq!(times(&[u64::MAX, u64::MAX]), Some((u64::MAX, u64::MAX, u64::MAX)));
    }

    #[test]
    fn one_far_off_does_not_move_the_median() {
        assert_eq!(times(&[10, 11, 12, 13, 1_000_000]), Some((10, 12, 1_000_000)));
    }

    #[test]
    fn a_ratio_needs_something_to_compare_with() {
        assert_eq!(ratio(30, Some(10)), Some(3.0));
        assert_eq!(ratio(30, None), None);
        assert_eq!(ratio(30, Some(0)), None);
    }
}
