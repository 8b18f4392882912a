//! Where a count is going: how fast it grows, and when it reaches a limit.

use std::collections::VecDeque;
use std::time::Duration;

/// How far back growth is looked at.
pub const WINDOW: Duration = Duration::from_secs(60);
/// Counts that are remembered at most.
const MAX_SAMPLES: u32 = 60;

/// A count over the last minute.
#[derive(Clone, Debug, Default)]
pub struct Trend {
    samples: VecDeque<(Duration, u64)>,
}

impl Trend {
    /// Notes the count at a time, which is not before that of the count before, by a clock that
    /// nobody sets.
    pub fn note(&mut self, at: Duration, count: u64) {
        // Counts that lie close together share a place, so that the minute fits.
        let close = self.samples.len() >= 2
            && at.saturating_sub(self.samples[self.samples.len() - 2].0) < WINDOW / MAX_SAMPLES;
        if close {
            self.samples.pop_back();
        }
        self.samples.push_back((at, count));
        // One from before the window is where it begins.
        while self.samples.get(1).is_some_and(|&(time, _)| time + WINDOW <= at) {
            self.samples.pop_front();
        }
    }

    /// By how much it has grown in a second, over the last minute or since it is known; none
    /// where it was noted once only.
    pub fn per_second(&self) -> Option<f64> {
        let (&(began, from), &(ended, to)) = self.samples.front().zip(self.samples.back())?;
        let seconds = ended.saturating_sub(began).as_secs_f64();
        (seconds > 0.0).then(|| (to as f64 - from as f64) / seconds)
    }

    /// Seconds until it reaches `limit` if it goes on like that; none where it doesn't grow.
    pub fn seconds_to(&self, limit: u64) -> Option<f64> {
        let per_second = self.per_second().filter(|&rate| rate > 0.0)?;
        let &(_, count) = self.samples.back()?;
        Some(limit.saturating_sub(count) as f64 / per_second)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn trend(samples: &[(f64, u64)]) -> Trend {
        let mut trend = Trend::default();
        for &(at, count) in samples {
            trend.note(Duration::from_secs_f64(at), count);
        }
        trend
    }

    #[test]
    fn growth_is_that_of_the_last_minute() {
        assert_eq!(trend(&[]).per_second(), None);
        assert_eq!(trend(&[(0.0, 5)]).per_second(), None);
        let growing = trend(&[(0.0, 10), (2.0, 30)]);
        assert_eq!((growing.per_second(), growing.seconds_to(1030)), (Some(10.0), Some(100.0)));
        assert_eq!(growing.seconds_to(20), Some(0.0), "it is over the limit already");
        let shrinking = trend(&[(0.0, 10), (2.0, 4)]);
        assert_eq!((shrinking.per_second(), shrinking.seconds_to(100)), (Some(-3.0), None));
        // What it did before the last minute does not count any more.
        let late: Vec<_> =
            (0..200).map(|n| (n as f64, if n < 100 { n * 50 } else { 5000 })).collect();
        assert_eq!(trend(&late).per_second(), Some(0.0));
    }

    proptest! {
        #[test]
        fn a_steady_rate_is_found_however_often_it_is_looked_at(
            steps in prop::collection::vec(0.01_f64..20.0, 2..400), rate in 0_u64..1000,
        ) {
            let mut at = 0.0;
            let samples: Vec<_> = steps.iter().map(|step| {
                at += step;
                (at, (at * 1000.0).floor() as u64 * rate)
            }).collect();
            let trend = trend(&samples);
            prop_assert!(trend.samples.len() <= MAX_SAMPLES as usize * 2 + 2, "{}", trend.samples.len());
            let found = trend.per_second().unwrap();
            let (first, last) = (trend.samples[0].0, trend.samples.back().unwrap().0);
            prop_assert!(last - first < WINDOW + Duration::from_secs(21));
            // A thousandth of a second more or less at each end.
            let unsure = 2.0 * rate as f64 / (last - first).as_secs_f64();
            prop_assert!((found - rate as f64 * 1000.0).abs() <= unsure + 1e-6);
        }
    }
}
