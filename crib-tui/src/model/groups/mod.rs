//! Files of a process put together by what they are for, and what becomes of each group over
//! time: what came, what went, and what stays.

mod ages;
mod flow;
mod label;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use super::{File, FileId, FilesReading, Kind, Text};

pub use ages::{Ages, MAX_AGES};
pub use flow::{Count, Flow, Levels, MAX_SLOTS, Timeline};
use label::Listeners;

/// Groups that are told apart at most; further ones of a kind share one.
pub const MAX_GROUPS: usize = 2048;
/// Names in one directory that have a group each; further ones share the directory's.
pub const MAX_NAMES: usize = 32;
/// The label of the group that takes in what has no room of its own.
const OTHERS: &str = "(others)";

/// Which call opened a file: one for each distinct stack that was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OpenerId(pub u32);

/// What the files of a group have in common.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupKey {
    /// Their kind.
    pub kind: Kind,
    /// Protocol and remote address, or path without numbers (see [`label::label`]).
    pub label: Text,
    /// The stack that opened them, where that was traced and asked for.
    pub opener: Option<OpenerId>,
}

/// A group of files, and what became of it since the first reading.
#[derive(Clone, Debug)]
pub struct Group {
    /// What they have in common.
    pub key: GroupKey,
    /// Files that are open.
    pub count: u64,
    /// Files that appeared after the first reading.
    pub opened: u64,
    /// Files that disappeared.
    pub closed: u64,
    /// Since when the oldest of the open files was seen, counted from the first reading; none
    /// where no file is open.
    pub oldest: Option<Duration>,
    /// How many files were open, slot by slot.
    pub levels: Levels,
    /// For each age, which files reached it after the first reading, and which went that had
    /// reached it.
    flows: Vec<Flow>,
}

impl Group {
    fn new(key: GroupKey) -> Self {
        Self {
            key,
            count: 0,
            opened: 0,
            closed: 0,
            oldest: None,
            levels: Levels::default(),
            flows: Vec::new(),
        }
    }

    /// What came to the files of an age, and went from them.
    pub fn flow(&self, age: usize) -> Option<&Flow> {
        self.flows.get(age)
    }

    fn flow_mut(&mut self, age: usize) -> &mut Flow {
        if self.flows.len() <= age {
            self.flows.resize_with(age + 1, Flow::default);
        }
        &mut self.flows[age]
    }
}

/// What tells one open file from all others for as long as it is open. The inode is part of it
/// because the kernel may use the memory of a file that was closed for the next one.
type TrackKey = (Option<u32>, Option<u32>, Option<FileId>, Option<u64>);

fn track_key(file: &File) -> TrackKey {
    (file.tid, file.fd, file.id, file.ino.get())
}

/// An open file that is followed.
#[derive(Clone, Copy, Debug)]
struct Track {
    group: usize,
    /// When it appeared; zero where it was there in the first reading.
    since: Duration,
    /// How many ages it has reached.
    reached: usize,
    /// The latest reading that holds it.
    reading: u64,
    /// The hash of the addresses that its group was chosen by: a socket is named after it
    /// was opened.
    names: u64,
}

/// The groups of one process's files, reading by reading.
#[derive(Clone, Debug)]
pub struct Groups {
    ages: Ages,
    timeline: Timeline,
    groups: Vec<Group>,
    index: HashMap<GroupKey, usize>,
    /// The names that have a group of their own in each directory.
    names: HashMap<Text, HashSet<Text>>,
    listeners: Listeners,
    tracks: HashMap<TrackKey, Track>,
    readings: u64,
    /// When the reading before the next one was begun.
    before: Duration,
}

impl Groups {
    /// No groups yet, of a watch with this time between two readings.
    pub fn new(interval: Duration) -> Self {
        Self {
            ages: Ages::new(interval),
            timeline: Timeline::default(),
            groups: Vec::new(),
            index: HashMap::new(),
            names: HashMap::new(),
            listeners: Listeners::default(),
            tracks: HashMap::new(),
            readings: 0,
            before: Duration::ZERO,
        }
    }

    /// The groups, in the order in which they appeared; those too of which nothing is left.
    pub fn groups(&self) -> &[Group] {
        &self.groups
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

    /// The group of a file that the latest reading holds, and when the file appeared.
    pub fn group_of(&self, file: &File) -> Option<(usize, Duration)> {
        let track = self.tracks.get(&track_key(file))?;
        Some((track.group, track.since))
    }

    /// Takes in the next reading, which was begun at `at`, counted from the first one by a clock
    /// that nobody sets. `opener` says which call opened a file, where that is to part groups.
    pub fn observe(
        &mut self,
        reading: &FilesReading,
        at: Duration,
        mut opener: impl FnMut(&File) -> Option<OpenerId>,
    ) {
        let first = self.readings == 0;
        self.readings += 1;
        if !first && self.timeline.advance(at) {
            for group in &mut self.groups {
                group.flows.iter_mut().for_each(Flow::fold);
                group.levels.fold();
            }
        }
        self.listeners.learn(reading.files.iter().map(|file| &**file));
        for file in &reading.files {
            self.see(file, at, first, &mut opener);
        }
        self.forget_closed(reading);
        self.before = at;
        for group in &mut self.groups {
            group.oldest = None;
            if !first {
                group.levels.note(self.timeline.len(), group.count);
            }
        }
        for track in self.tracks.values() {
            let oldest = &mut self.groups[track.group].oldest;
            *oldest = Some(oldest.map_or(track.since, |since| since.min(track.since)));
        }
    }

    /// One file of a reading.
    fn see(
        &mut self,
        file: &File,
        at: Duration,
        first: bool,
        opener: &mut impl FnMut(&File) -> Option<OpenerId>,
    ) {
        let key = track_key(file);
        let names = names(file);
        let (readings, ages) = (self.readings, self.ages);
        match self.tracks.get_mut(&key) {
            // Two descriptors of one table never are the same: a source that says so is not
            // counted twice.
            Some(track) if track.reading == readings => return,
            // Nothing is new of most files.
            Some(track)
                if track.names == names
                    && (track.since.is_zero()
                        || at.saturating_sub(track.since) < ages.age(track.reached)) =>
            {
                track.reading = readings;
                return;
            }
            _ => {}
        }
        let mut track = match self.tracks.get(&key) {
            Some(&track) if track.names == names => track,
            Some(&track) => {
                let group = self.group_for(file, &self.groups[track.group].key.opener.clone());
                self.move_track(track, group);
                Track { group, names, ..track }
            }
            None => {
                let group = self.group_for(file, &opener(file));
                let group_now = &mut self.groups[group];
                group_now.count += 1;
                let since = if first { Duration::ZERO } else { at };
                if !first {
                    group_now.opened += 1;
                    if let Some(slot) = self.timeline.slot(at) {
                        group_now.flow_mut(0).at(slot).came += 1;
                    }
                }
                Track { group, since, reached: 1, reading: 0, names }
            }
        };
        if !track.since.is_zero() {
            let reached = ages.reached(at.saturating_sub(track.since));
            for age in track.reached..reached {
                let group = &mut self.groups[track.group];
                if let Some(slot) = self.timeline.slot(track.since + ages.age(age)) {
                    group.flow_mut(age).at(slot).came += 1;
                }
            }
            track.reached = reached;
        }
        track.reading = readings;
        self.tracks.insert(key, track);
    }

    /// Takes what the reading doesn't hold as closed. Of one that isn't complete, only what has
    /// lost its number to another file.
    fn forget_closed(&mut self, reading: &FilesReading) {
        let taken: HashSet<_> = if reading.complete {
            HashSet::new()
        } else {
            reading.files.iter().map(|file| (file.tid, file.fd)).collect()
        };
        let (readings, ages) = (self.readings, self.ages);
        let (before, last) = (self.before, self.timeline.len().checked_sub(1));
        let groups = &mut self.groups;
        self.tracks.retain(|key, track| {
            let gone =
                track.reading != readings && (reading.complete || taken.contains(&(key.0, key.1)));
            if gone {
                let group = &mut groups[track.group];
                group.count = group.count.saturating_sub(1);
                group.closed += 1;
                // What was there from the start has reached every age as soon as the watch had.
                let reached = match track.since.is_zero() {
                    true => ages.reached(before),
                    false => track.reached,
                };
                for age in 0..reached {
                    if let Some(slot) = last {
                        group.flow_mut(age).at(slot).went += 1;
                    }
                }
            }
            !gone
        });
    }

    /// Moves a file to another group, with its past.
    fn move_track(&mut self, track: Track, to: usize) {
        if to == track.group {
            return;
        }
        let appeared = !track.since.is_zero();
        for (group, comes) in [(track.group, false), (to, true)] {
            let group = &mut self.groups[group];
            let add = |number: &mut u64| {
                *number = if comes { *number + 1 } else { number.saturating_sub(1) };
            };
            add(&mut group.count);
            if appeared {
                add(&mut group.opened);
                for age in 0..track.reached {
                    if let Some(slot) = self.timeline.slot(track.since + self.ages.age(age)) {
                        add(&mut group.flow_mut(age).at(slot).came);
                    }
                }
            }
        }
    }

    /// The index of a file's group, which is made where there is none.
    fn group_for(&mut self, file: &File, opener: &Option<OpenerId>) -> usize {
        let label = label::label(file, &self.listeners);
        let mut key = GroupKey { kind: file.kind, label, opener: *opener };
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
        if self.groups.len() >= MAX_GROUPS && !self.index.contains_key(&key) {
            key = GroupKey { label: OTHERS.into(), opener: None, ..key };
        }
        *self.index.entry(key).or_insert_with_key(|key| {
            self.groups.push(Group::new(key.clone()));
            self.groups.len() - 1
        })
    }
}

/// A hash of a socket's addresses and state of listening; the same for all else.
fn names(file: &File) -> u64 {
    use std::hash::{DefaultHasher, Hash, Hasher};

    let Some(socket) = &file.socket else { return 0 };
    let mut hasher = DefaultHasher::new();
    let listens = socket.state == Some(super::State::LISTEN);
    (&socket.local, &socket.remote, listens).hash(&mut hasher);
    hasher.finish()
}
