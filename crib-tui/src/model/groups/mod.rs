//! Files of a process put together by what they are for, and what becomes of each group over
//! time: what came, what went, and what stays.

mod ages;
mod course;
mod flow;
mod label;
mod summary;
#[cfg(test)]
mod tests;
pub mod wider;

use std::collections::{HashMap, HashSet};
use std::num::NonZeroU8;
use std::sync::Arc;
use std::time::Duration;

use super::{File, Kind, Seen, State, Text};

pub use ages::{Ages, MAX_AGES};
pub use course::Course;
pub use flow::{Count, Flow, Levels, MAX_SLOTS, Timeline};
use label::Listeners;
pub use summary::{GroupName, GroupSummary, Grouping, summaries};

/// Groups that are told apart at most; further ones of a kind share one.
pub const MAX_GROUPS: usize = 2048;
/// Groups up to which those are told apart that differ only in who opened their files: the rest
/// is for groups that differ in more.
pub const MAX_PARTED: usize = MAX_GROUPS / 4 * 3;
/// Names in one directory that have a group each; further ones share the directory's.
pub const MAX_NAMES: usize = 32;
/// The label of the group that takes in what has no room of its own.
const OTHERS: &str = "(others)";

/// Which call opened a file: one for each distinct stack that was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OpenerId(pub u32);

/// What is known of how a file was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Opening {
    /// Which call did it; none where its stack was lost.
    pub opener: Option<OpenerId>,
    /// How long after the first reading; none where it was not traced.
    pub at: Option<Duration>,
}

/// What the files of a group have in common.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupKey {
    /// Their kind.
    pub kind: Kind,
    /// Protocol and remote address, or path without numbers (see [`label::label`]).
    pub label: Text,
    /// The inode of the network namespace that sockets are in.
    pub netns: Option<u64>,
    /// The stack that opened them, where that was traced.
    pub opener: Option<OpenerId>,
}

/// The smallest group that is told apart, and what became of it.
#[derive(Clone, Debug)]
pub struct Group {
    /// What its files have in common.
    pub key: GroupKey,
    /// What became of it since the first reading.
    pub course: Course,
}

/// How an open file is followed: three bytes, since every row has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Track {
    group: u16,
    /// How many ages it has reached.
    reached: NonZeroU8,
}

impl Track {
    /// The place of its group among [`Groups::groups`].
    pub fn group(self) -> usize {
        self.group.into()
    }
}

/// The groups of one process's files, reading by reading.
#[derive(Clone, Debug)]
pub struct Groups {
    ages: Ages,
    timeline: Timeline,
    groups: Vec<Group>,
    /// What the groups have in common, for those who have to know without the rest.
    keys: Arc<[GroupKey]>,
    index: HashMap<GroupKey, u16>,
    /// The names that have a group of their own in each directory.
    names: HashMap<Text, HashSet<Text>>,
    listeners: Listeners,
    readings: u64,
    /// How many files there were in all, slot by slot.
    levels: Levels,
    /// When the present reading was begun, and the one before.
    at: Duration,
    before: Duration,
}

impl Groups {
    /// No groups yet, of a watch with this time between two readings.
    pub fn new(interval: Duration) -> Self {
        Self {
            ages: Ages::new(interval),
            timeline: Timeline::default(),
            groups: Vec::new(),
            keys: Arc::new([]),
            index: HashMap::new(),
            names: HashMap::new(),
            listeners: Listeners::default(),
            readings: 0,
            levels: Levels::default(),
            at: Duration::ZERO,
            before: Duration::ZERO,
        }
    }

    /// The groups, in the order in which they appeared; those too of which nothing is left.
    pub fn groups(&self) -> &[Group] {
        &self.groups
    }

    /// What each of the groups has in common, in the same order.
    pub fn keys(&self) -> Arc<[GroupKey]> {
        Arc::clone(&self.keys)
    }

    /// Groups put together by a part of what they have in common, in the order in which the first
    /// of each appeared.
    pub fn by<K: Clone + Eq + std::hash::Hash>(
        &self,
        part: impl Fn(&GroupKey) -> K,
    ) -> Vec<(K, Course)> {
        self.some_by(|key| Some(part(key)))
    }

    /// The same, without those that have no such part.
    pub fn some_by<K: Clone + Eq + std::hash::Hash>(
        &self,
        part: impl Fn(&GroupKey) -> Option<K>,
    ) -> Vec<(K, Course)> {
        let mut places = HashMap::new();
        let mut sums: Vec<(K, Course)> = Vec::new();
        for group in &self.groups {
            let Some(key) = part(&group.key) else { continue };
            let place = *places.entry(key.clone()).or_insert_with(|| {
                sums.push((key, Course::default()));
                sums.len() - 1
            });
            sums[place].1.add(&group.course);
        }
        sums
    }

    /// How many files there were in all, slot by slot.
    pub fn levels(&self) -> &[u64] {
        self.levels.as_slice()
    }

    /// The times that the histories of the groups are divided by.
    pub fn timeline(&self) -> &Timeline {
        &self.timeline
    }

    /// The ages that files are looked at.
    pub fn ages(&self) -> Ages {
        self.ages
    }

    /// How many readings were taken in.
    pub fn readings(&self) -> u64 {
        self.readings
    }

    /// Begins the next reading, which was begun at `at`, counted from the first one by a clock
    /// that nobody sets.
    pub(super) fn begin(&mut self, at: Duration, files: &[Arc<File>]) {
        self.readings += 1;
        self.before = std::mem::replace(&mut self.at, at);
        if !self.is_first() && self.timeline.advance(at) {
            self.groups.iter_mut().for_each(|group| group.course.fold());
            self.levels.fold();
        }
        self.listeners.learn(files.iter().map(|file| &**file));
        self.groups.iter_mut().for_each(|group| group.course.begin());
    }

    /// Ends a reading: every file was told.
    pub(super) fn end(&mut self) {
        let slots = self.timeline.len();
        if !self.is_first() {
            self.groups.iter_mut().for_each(|group| group.course.note(slots));
            self.levels.note(slots, self.groups.iter().map(|group| group.course.count).sum());
        }
        if self.keys.len() != self.groups.len() {
            self.keys = self.groups.iter().map(|group| group.key.clone()).collect();
        }
    }

    fn is_first(&self) -> bool {
        self.readings == 1
    }

    /// A file that the readings before did not hold.
    pub(super) fn appear(&mut self, file: &File, seen: Seen, opener: Option<OpenerId>) -> Track {
        let (group, first) = (self.group_for(file, opener), self.is_first());
        let course = &mut self.groups[usize::from(group)].course;
        course.count += 1;
        course.see(file, seen);
        if !first {
            course.opened += 1;
            if let Some(slot) = self.timeline.slot(self.at) {
                course.flow_mut(0).at(slot).came += 1;
            }
        }
        let mut track = Track { group, reached: NonZeroU8::MIN };
        self.age(&mut track, seen);
        track
    }

    /// A file that the reading before held too, there as `before`.
    pub(super) fn stay(
        &mut self,
        track: &mut Track,
        before: &Arc<File>,
        file: &Arc<File>,
        seen: Seen,
    ) {
        // A socket is named after it was opened.
        if !Arc::ptr_eq(before, file) && names(before) != names(file) {
            let opener = self.groups[track.group()].key.opener;
            let group = self.group_for(file, opener);
            self.regroup(*track, group, seen);
            track.group = group;
        }
        self.groups[track.group()].course.see(file, seen);
        self.age(track, seen);
    }

    /// A file of which an incomplete reading does not tell whether it is there.
    pub(super) fn doubt(&mut self, track: Track, file: &File, seen: Seen) {
        self.groups[track.group()].course.see(file, seen);
    }

    /// A file that is closed.
    pub(super) fn go(&mut self, track: Track, seen: Seen) {
        let course = &mut self.groups[track.group()].course;
        course.count = course.count.saturating_sub(1);
        course.closed += 1;
        // What was there from the start has reached every age as soon as the watch had.
        let reached = match seen.is_at_least() {
            true => self.ages.reached(self.before),
            false => usize::from(track.reached.get()),
        };
        if let Some(slot) = self.timeline.len().checked_sub(1) {
            for age in 0..reached {
                course.flow_mut(age).at(slot).went += 1;
            }
        }
    }

    /// Notes the ages that a file has reached since the reading before.
    fn age(&mut self, track: &mut Track, seen: Seen) {
        let before = usize::from(track.reached.get());
        let age = self.at.saturating_sub(seen.after());
        if seen.is_at_least() || before >= MAX_AGES || age < self.ages.age(before) {
            return;
        }
        let reached = self.ages.reached(age);
        let course = &mut self.groups[track.group()].course;
        for age in before..reached {
            if let Some(slot) = self.timeline.slot(seen.after() + self.ages.age(age)) {
                course.flow_mut(age).at(slot).came += 1;
            }
        }
        // There are 24 ages, and a file that has reached one has reached the first.
        track.reached =
            u8::try_from(reached).ok().and_then(NonZeroU8::new).unwrap_or(NonZeroU8::MIN);
    }

    /// Moves a file to another group, with its past.
    fn regroup(&mut self, track: Track, to: u16, seen: Seen) {
        if to == track.group {
            return;
        }
        for (group, comes) in [(track.group, false), (to, true)] {
            let course = &mut self.groups[usize::from(group)].course;
            let add = |number: &mut u64| {
                *number = if comes { *number + 1 } else { number.saturating_sub(1) };
            };
            add(&mut course.count);
            if !seen.is_at_least() {
                add(&mut course.opened);
                for age in 0..track.reached.get().into() {
                    if let Some(slot) = self.timeline.slot(seen.after() + self.ages.age(age)) {
                        add(&mut course.flow_mut(age).at(slot).came);
                    }
                }
            }
        }
    }

    /// The place of a file's group, which is made where there is none.
    fn group_for(&mut self, file: &File, opener: Option<OpenerId>) -> u16 {
        let label = label::label(file, &self.listeners);
        let netns = file.socket.as_ref().and_then(|socket| socket.netns);
        let mut key = GroupKey { kind: file.kind, label, netns, opener };
        if let Some(&index) = self.index.get(&key) {
            return index;
        }
        if file.socket.is_none()
            && self.groups.len() < MAX_GROUPS
            && let Some(directory) = label::directory(key.label.as_bytes())
        {
            let names = self.names.entry(directory.into()).or_default();
            if names.contains(&key.label) || names.len() < MAX_NAMES {
                names.insert(key.label.clone());
            } else {
                key.label = [directory, b"*"].concat().into();
            }
        }
        if self.groups.len() >= MAX_PARTED && !self.index.contains_key(&key) {
            key.opener = None;
        }
        if self.groups.len() >= MAX_GROUPS && !self.index.contains_key(&key) {
            key = GroupKey { label: OTHERS.into(), netns: None, ..key };
        }
        // There is one such group a kind beyond the most: far from 65,536 in all.
        let next = u16::try_from(self.groups.len()).unwrap_or(u16::MAX);
        *self.index.entry(key).or_insert_with_key(|key| {
            self.groups.push(Group { key: key.clone(), course: Course::default() });
            next
        })
    }
}

/// A hash of a socket's addresses and state of listening; the same for all else.
fn names(file: &File) -> u64 {
    use std::hash::{DefaultHasher, Hash, Hasher};

    let Some(socket) = &file.socket else { return 0 };
    let mut hasher = DefaultHasher::new();
    let listens = socket.state == Some(State::LISTEN);
    (&socket.local, &socket.remote, listens).hash(&mut hasher);
    hasher.finish()
}
