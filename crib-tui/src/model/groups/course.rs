//! What became of the files of a group since the first reading.

use std::time::Duration;

use super::{Flow, Levels, MAX_AGES};
use crate::model::{File, Queued, Seen};

/// What became of a group; that of several is the sum.
#[derive(Clone, Debug, Default)]
pub struct Course {
    /// Files that are open.
    pub count: u64,
    /// Files that appeared after the first reading.
    pub opened: u64,
    /// Files that disappeared.
    pub closed: u64,
    /// Since when the oldest of the open files was seen, counted from the first reading; none
    /// where no file is open.
    pub oldest: Option<Duration>,
    /// Bytes that wait in both directions, as far as they are known; none where none are.
    pub queued: Option<u64>,
    /// How many files were open, slot by slot.
    pub levels: Levels,
    /// How many bytes waited, slot by slot.
    pub queued_levels: Levels,
    /// For each age, which files reached it after the first reading, and which went that had
    /// reached it.
    flows: Vec<Flow>,
}

impl Course {
    /// What came to the files of an age, and went from them.
    pub fn flow(&self, age: usize) -> Option<&Flow> {
        self.flows.get(age)
    }

    pub(super) fn flow_mut(&mut self, age: usize) -> &mut Flow {
        if self.flows.len() <= age {
            self.flows.resize_with(age.min(MAX_AGES) + 1, Flow::default);
        }
        &mut self.flows[age]
    }

    /// Begins a reading.
    pub(super) fn begin(&mut self) {
        self.oldest = None;
        self.queued = None;
    }

    /// Takes in an open file of the reading.
    pub(super) fn see(&mut self, file: &File, seen: Seen) {
        let since = seen.after();
        self.oldest = Some(self.oldest.map_or(since, |oldest| oldest.min(since)));
        let (recv, send) = file.queued();
        let payload = |queued: Option<Queued>| queued.and_then(|queued| queued.payload);
        for bytes in [payload(recv), payload(send)].into_iter().flatten() {
            self.queued = Some(self.queued.unwrap_or(0).saturating_add(bytes));
        }
    }

    /// Ends a reading, which is in the last of so many slots.
    pub(super) fn note(&mut self, slots: usize) {
        self.levels.note(slots, self.count);
        self.queued_levels.note(slots, self.queued.unwrap_or(0));
    }

    /// Makes one slot of each two.
    pub(super) fn fold(&mut self) {
        self.flows.iter_mut().for_each(Flow::fold);
        self.levels.fold();
        self.queued_levels.fold();
    }

    /// Adds what became of other files.
    pub(super) fn add(&mut self, other: &Self) {
        self.count += other.count;
        self.opened += other.opened;
        self.closed += other.closed;
        self.oldest = [self.oldest, other.oldest].into_iter().flatten().min();
        self.queued = match (self.queued, other.queued) {
            (Some(one), Some(two)) => Some(one.saturating_add(two)),
            (one, two) => one.or(two),
        };
        self.levels.add(&other.levels);
        self.queued_levels.add(&other.queued_levels);
        for (age, flow) in other.flows.iter().enumerate() {
            self.flow_mut(age).add(flow);
        }
    }
}
