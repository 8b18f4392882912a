//! What comes and goes in a group, over a time that may be long, in a memory that is bounded.

use std::time::Duration;

/// How many slots the time of a watch is divided into at most; when they are used up, each two
/// become one.
pub const MAX_SLOTS: usize = 96;

/// The times at which a watch's slots end. A slot covers one reading at first, and twice as many
/// each time that the slots are folded.
#[derive(Clone, Debug)]
pub struct Timeline {
    ends: Vec<Duration>,
    /// Readings that make a slot.
    per_slot: u32,
    /// Readings that the last slot holds.
    in_last: u32,
}

impl Default for Timeline {
    fn default() -> Self {
        Self { ends: Vec::new(), per_slot: 1, in_last: 1 }
    }
}

impl Timeline {
    /// Takes in the time of the next reading, counted from the first, which itself is none of
    /// these. Returns whether slots were folded, as all [`Flow`]s and [`Levels`] have to be then.
    pub fn advance(&mut self, at: Duration) -> bool {
        match self.ends.last_mut() {
            Some(end) if self.in_last < self.per_slot => {
                *end = at.max(*end);
                self.in_last += 1;
                false
            }
            _ => {
                let folded = self.ends.len() == MAX_SLOTS;
                if folded {
                    self.ends = self.ends.chunks_exact(2).map(|pair| pair[1]).collect();
                    self.per_slot = self.per_slot.saturating_mul(2);
                }
                let before = self.now();
                self.ends.push(at.max(before));
                self.in_last = 1;
                folded
            }
        }
    }

    /// The latest reading's time.
    pub fn now(&self) -> Duration {
        self.ends.last().copied().unwrap_or_default()
    }

    /// How many slots there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there was only the first reading so far.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// When a slot begins.
    pub fn start(&self, slot: usize) -> Duration {
        slot.checked_sub(1).and_then(|before| self.ends.get(before)).copied().unwrap_or_default()
    }

    /// The slot that a moment falls into: the first that ends no sooner. None of the future.
    pub fn slot(&self, at: Duration) -> Option<usize> {
        let slot = self.ends.partition_point(|&end| end < at);
        (slot < self.ends.len()).then_some(slot)
    }

    /// The first slot that begins at a moment or later; the number of slots where none does.
    pub fn first_from(&self, at: Duration) -> usize {
        if at.is_zero() { 0 } else { self.ends.partition_point(|&end| end < at) + 1 }
            .min(self.ends.len())
    }
}

/// How many files came to a group and went from it, slot by slot.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flow(Vec<Count>);

/// Files that came and went in one slot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Files that came.
    pub came: u64,
    /// Files that went.
    pub went: u64,
}

impl Flow {
    /// The count of one slot, to be changed.
    pub fn at(&mut self, slot: usize) -> &mut Count {
        if self.0.len() <= slot {
            self.0.resize(slot + 1, Count::default());
        }
        &mut self.0[slot]
    }

    /// The counts of some slots, zero where nothing happened.
    pub fn slots(&self, slots: std::ops::Range<usize>) -> impl Iterator<Item = Count> + '_ {
        slots.map(|slot| self.0.get(slot).copied().unwrap_or_default())
    }

    /// The sum over some slots.
    pub fn sum(&self, slots: std::ops::Range<usize>) -> Count {
        self.slots(slots).fold(Count::default(), |sum, count| Count {
            came: sum.came + count.came,
            went: sum.went + count.went,
        })
    }

    /// Adds what came to another group, and went from it.
    pub fn add(&mut self, other: &Self) {
        for (slot, count) in other.0.iter().enumerate() {
            let sum = self.at(slot);
            *sum = Count { came: sum.came + count.came, went: sum.went + count.went };
        }
    }

    /// Makes one slot of each two.
    pub fn fold(&mut self) {
        self.0 = self
            .0
            .chunks(2)
            .map(|pair| Count {
                came: pair.iter().map(|count| count.came).sum(),
                went: pair.iter().map(|count| count.went).sum(),
            })
            .collect();
    }
}

/// A number at the end of each slot: what a sparkline shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Levels(Vec<u64>);

impl Levels {
    /// Notes a number in the last of `slots` slots.
    pub fn note(&mut self, slots: usize, number: u64) {
        // What appears late was nothing before.
        self.0.resize(slots.max(1), 0);
        if let Some(last) = self.0.last_mut() {
            *last = number;
        }
    }

    /// Makes one slot of each two.
    pub fn fold(&mut self) {
        self.0 = self.0.chunks(2).filter_map(|pair| pair.last().copied()).collect();
    }

    /// Adds what another group had at the same times.
    pub fn add(&mut self, other: &Self) {
        self.0.resize(self.0.len().max(other.0.len()), 0);
        for (sum, number) in self.0.iter_mut().zip(&other.0) {
            *sum += number;
        }
    }

    /// The number at the end of each slot.
    pub fn as_slice(&self) -> &[u64] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(n: usize) -> Duration {
        Duration::from_secs(n as u64)
    }

    #[test]
    fn slots_are_readings_until_they_are_folded() {
        let (mut timeline, mut flow, mut levels) =
            (Timeline::default(), Flow::default(), Levels::default());
        assert_eq!((timeline.slot(seconds(0)), timeline.first_from(seconds(0))), (None, 0));
        for n in 1..=1000 {
            if timeline.advance(seconds(n)) {
                flow.fold();
                levels.fold();
            }
            assert!(timeline.len() <= MAX_SLOTS);
            assert_eq!(timeline.now(), seconds(n));
            assert_eq!(timeline.slot(seconds(n)), Some(timeline.len() - 1));
            flow.at(timeline.len() - 1).came += 1;
            levels.note(timeline.len(), n as u64);
        }
        let len = timeline.len();
        assert_eq!(flow.sum(0..len), Count { came: 1000, went: 0 });
        assert_eq!(levels.as_slice().len(), len);
        assert_eq!(levels.as_slice()[0], 16);
        assert_eq!(levels.as_slice()[len - 1], 1000);
        for slot in 0..len {
            assert_eq!(timeline.first_from(timeline.start(slot)), slot);
            assert_eq!(timeline.slot(timeline.start(slot) + Duration::from_nanos(1)), Some(slot));
        }
        assert_eq!(timeline.first_from(seconds(2000)), len);
    }

    #[test]
    fn a_group_that_appears_late_had_nothing_before() {
        let mut levels = Levels::default();
        levels.note(3, 5);
        levels.note(3, 2);
        assert_eq!(levels.as_slice(), [0, 0, 2]);
        levels.note(4, 1);
        let mut sum = Levels::default();
        sum.add(&levels);
        sum.add(&levels);
        assert_eq!(sum.as_slice(), [0, 0, 4, 2]);
    }
}
