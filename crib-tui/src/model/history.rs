//! Readings of one process compared: what is new, what was closed, what changed.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::groups::{GroupKey, Groups, Opening, Track};
use super::lint::{Given, LintSet, Timing};
use super::{File, FilesReading, Process, Queued, Source};

/// For how many readings a mark stays, the one in which it appeared included.
pub const MARK_READINGS: u8 = 3;

/// One process's files after the latest reading, each with what is known from earlier ones.
#[derive(Clone, Debug)]
pub struct FilesTable {
    /// Where the reading came from.
    pub source: Source,
    /// When it was begun.
    pub time: SystemTime,
    /// How long after the first reading that was, by a clock that nobody sets.
    pub elapsed: Duration,
    /// Whose files they are.
    pub process: Process,
    /// Whether every descriptor that was open throughout the reading is in it.
    pub complete: bool,
    /// How many descriptors are open; closed ones that are still shown don't count.
    pub open: usize,
    /// The rows by thread table and descriptor; a closed file stands before the one that
    /// took over its number.
    pub rows: Vec<TrackedFile>,
    /// What the files of each group have in common, by [`Track::group`].
    pub groups: Arc<[GroupKey]>,
    /// Since when something about some of the rows has been as it is.
    timings: Timings,
}

impl FilesTable {
    /// What comparing readings tells lints of a row of this table.
    pub fn timing(&self, row: &TrackedFile) -> Option<&Timing> {
        if row.is_closed() { None } else { self.timings.of(&row.file) }
    }

    /// What lints go by in a row of this table; of a file that is closed, or may be, nothing is
    /// found any more.
    pub fn given(&self, row: &TrackedFile, wanted: LintSet) -> Given<'_> {
        let there = matches!(row.presence, Presence::Open | Presence::New { .. });
        let wanted = if there { wanted } else { LintSet::NONE };
        Given { wanted, now: Some(self.elapsed), timing: self.timing(row), ..Given::default() }
    }
}

/// One file, and what comparing readings tells of it.
#[derive(Clone, Debug, PartialEq)]
pub struct TrackedFile {
    /// As last read; one and the same for as long as nothing changes.
    pub file: Arc<File>,
    /// Since when it has been seen.
    pub seen: Seen,
    /// The group that it is in; none where it was not read with the table.
    pub track: Option<Track>,
    /// Whether it is there, and since when.
    pub presence: Presence,
    /// Whether the counts of its receive direction changed lately.
    pub recv: Changed,
    /// Whether the counts of its send direction changed lately.
    pub send: Changed,
}

/// The timings of a table, by the places of the open files that have one: most have none, so that
/// rows are better without.
#[derive(Clone, Debug, Default)]
struct Timings(Vec<(Place, Timing)>);

impl Timings {
    /// Adds that of a file whose place comes after all others.
    fn add(&mut self, file: &File, timing: Option<Timing>) {
        self.0.extend(timing.map(|timing| (place(file), timing)));
    }

    fn of(&self, file: &File) -> Option<&Timing> {
        let at = self.0.binary_search_by_key(&place(file), |&(place, _)| place).ok()?;
        Some(&self.0[at].1)
    }
}

/// Since when a file has been seen, counted from the first reading, to the microsecond: in eight
/// bytes, since every row has one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Seen(u64);

impl Seen {
    /// It was there in the first reading: it is at least as old as that.
    pub const FIRST: Self = Self(0);

    /// It was there this long after the first reading, and may be older.
    pub fn at_least_since(after: Duration) -> Self {
        Self(u64::try_from(after.as_micros()).unwrap_or(u64::MAX) << 1)
    }

    /// It was opened this long after the first reading, or appeared in the reading of then.
    pub fn since(after: Duration) -> Self {
        Self(u64::try_from(after.as_micros()).unwrap_or(u64::MAX) << 1 | 1)
    }

    /// How long after the first reading.
    pub fn after(self) -> Duration {
        Duration::from_micros(self.0 >> 1)
    }

    /// Whether it may be older than it has been seen.
    pub fn is_at_least(self) -> bool {
        self.0 & 1 == 0
    }

    /// How long ago that was at `now`, which is counted from the first reading too.
    pub fn age(self, now: Duration) -> Duration {
        now.saturating_sub(self.after())
    }

    /// A number that is greater the younger a file is, at the same time the greater where it is
    /// known not to be older.
    pub fn rank(self) -> u64 {
        self.0
    }
}

impl fmt::Debug for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at_least = self.is_at_least();
        f.debug_struct("Seen").field("after", &self.after()).field("at_least", &at_least).finish()
    }
}

/// Whether a file is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// It was there before.
    Open,
    /// It was opened since the reading before, or one of the few before that.
    New {
        /// For how many more readings to say so.
        left: u8,
    },
    /// It is closed, and shown for a little longer.
    Closed {
        /// For how many more readings.
        left: u8,
    },
    /// The latest reading was not complete and doesn't hold it: it may be there or not.
    Unconfirmed,
}

/// Whether a number changed lately.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Changed {
    /// For how many more readings to say so.
    left: u8,
}

impl Changed {
    /// Whether it is to be pointed out.
    pub fn is_recent(self) -> bool {
        self.left > 0
    }

    fn next(self, changed: bool) -> Self {
        Self { left: if changed { MARK_READINGS } else { self.left.saturating_sub(1) } }
    }
}

impl TrackedFile {
    /// A file that was found when nobody compares readings, so long after the first.
    pub fn found(file: Arc<File>, elapsed: Duration) -> Self {
        Self {
            file,
            seen: Seen::at_least_since(elapsed),
            track: None,
            presence: Presence::Open,
            recv: Changed::default(),
            send: Changed::default(),
        }
    }

    /// The same file in the next reading.
    fn continued(&self, file: Arc<File>, groups: &mut Groups) -> Self {
        let presence = match self.presence {
            Presence::New { left } if left > 0 => Presence::New { left: left - 1 },
            Presence::New { .. }
            | Presence::Open
            | Presence::Closed { .. }
            | Presence::Unconfirmed => Presence::Open,
        };
        let (recv, send) = if Arc::ptr_eq(&self.file, &file) {
            (false, false)
        } else {
            let (old_recv, old_send) = self.file.queued();
            let (recv, send) = file.queued();
            (differ(old_recv, recv), differ(old_send, send))
        };
        let mut track = self.track;
        if let Some(track) = &mut track {
            groups.stay(track, &self.file, &file, self.seen);
        }
        Self {
            recv: self.recv.next(recv),
            send: self.send.next(send),
            file,
            seen: self.seen,
            track,
            presence,
        }
    }

    /// Whether `file`, which has the same place in a later reading, is this one. The inode is
    /// looked at because the kernel may use the memory of a file that was closed for the next.
    fn is(&self, file: &File) -> bool {
        let inodes = self.file.ino.get().zip(file.ino.get());
        self.file.key() == file.key() && inodes.is_none_or(|(mine, other)| mine == other)
    }

    /// The row that is left when the next reading doesn't hold the file; none when it has
    /// been shown as closed for long enough.
    fn missing(&self, complete: bool, groups: &mut Groups) -> Option<Self> {
        match self.track {
            Some(track) if !self.is_closed() && complete => groups.go(track, self.seen),
            Some(track) if !self.is_closed() => groups.doubt(track, &self.file, self.seen),
            _ => {}
        }
        let presence = match self.presence {
            Presence::Closed { left: 0 } => return None,
            Presence::Closed { left } => Presence::Closed { left: left - 1 },
            _ if complete => Presence::Closed { left: MARK_READINGS - 1 },
            _ => Presence::Unconfirmed,
        };
        let (recv, send) = (Changed::default(), Changed::default());
        Some(Self { presence, recv, send, ..self.clone() })
    }

    /// Whether it is closed.
    pub fn is_closed(&self) -> bool {
        matches!(self.presence, Presence::Closed { .. })
    }
}

/// Whether messages or bytes are known to have changed. Memory doesn't count: it moves when
/// nothing else does.
fn differ(old: Option<Queued>, new: Option<Queued>) -> bool {
    let Some((old, new)) = old.zip(new) else { return false };
    let differ = |old: Option<u64>, new: Option<u64>| old.zip(new).is_some_and(|(a, b)| a != b);
    differ(old.messages, new.messages) || differ(old.payload, new.payload)
}

/// The readings of one process so far.
#[derive(Debug)]
pub struct History {
    latest: Option<Arc<FilesTable>>,
    /// The table before that: its room is used for the next one, unless somebody still looks at
    /// it. So it is also freed here and not by who draws, for whom freeing a million rows would
    /// take too long.
    retired: Option<Arc<FilesTable>>,
    groups: Groups,
}

impl History {
    /// No readings yet, between two of which there will be this time.
    pub fn new(interval: Duration) -> Self {
        Self { latest: None, retired: None, groups: Groups::new(interval) }
    }

    /// What became of the files, group by group.
    pub fn groups(&self) -> &Groups {
        &self.groups
    }

    /// The latest table; none before the first reading.
    pub fn latest(&self) -> Option<&Arc<FilesTable>> {
        self.latest.as_ref()
    }

    /// Takes in the next reading, which was begun `elapsed` after the first, and returns its
    /// table, with the marks from all readings so far. `opening` says of files that are new how
    /// they were opened, where that is traced.
    ///
    /// Costs one walk over both readings side by side.
    pub fn observe(
        &mut self,
        reading: FilesReading,
        elapsed: Duration,
        mut opening: impl FnMut(&File) -> Opening,
    ) -> Arc<FilesTable> {
        let FilesReading { source, time, process, mut files, complete } = reading;
        // As exact as [`Seen`], so that the times of files can be compared with those of readings.
        let elapsed = Duration::from_micros(u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX));
        if !files.is_sorted_by_key(|file| place(file)) {
            files.sort_by_key(|file| place(file));
        }
        // A number stands for one file at a time. A source that says otherwise saw both the file
        // that had it and the next.
        files.dedup_by(|later, first| place(later) == place(first));
        let open = files.len();
        let room = self.retired.take().and_then(Arc::into_inner);
        let (mut rows, mut timings) = room.map_or_else(Default::default, |table| {
            let (mut rows, mut timings) = (table.rows, table.timings);
            rows.clear();
            timings.0.clear();
            (rows, timings)
        });
        rows.reserve_exact(open);
        self.groups.begin(elapsed, &files);
        let before = self.latest.as_ref();
        let mut merge = Merge {
            groups: &mut self.groups,
            opening: &mut opening,
            before: before.map(|table| &**table),
            elapsed,
            complete,
            rows: &mut rows,
            timings: &mut timings,
        };
        merge.run(files);
        self.groups.end();
        let groups = self.groups.keys();
        let table = Arc::new(FilesTable {
            source,
            time,
            elapsed,
            process,
            complete,
            open,
            rows,
            groups,
            timings,
        });
        self.retired = self.latest.replace(Arc::clone(&table));
        table
    }
}

/// Thread and descriptor.
type Place = (Option<u32>, Option<u32>);

/// What the rows are ordered by.
fn place(file: &File) -> Place {
    (file.tid, file.fd)
}

/// The walk over two readings in step, both ordered by [`place`]. The rows of one place are few:
/// the open file and the closed ones that had its number before.
struct Merge<'a, O> {
    groups: &'a mut Groups,
    opening: &'a mut O,
    /// The reading before this one; none of the first.
    before: Option<&'a FilesTable>,
    elapsed: Duration,
    complete: bool,
    rows: &'a mut Vec<TrackedFile>,
    timings: &'a mut Timings,
}

impl<O: FnMut(&File) -> Opening> Merge<'_, O> {
    fn run(&mut self, now: Vec<Arc<File>>) {
        let table = self.before;
        let mut before = table.map_or(&[][..], |table| &table.rows);
        for file in now {
            let gone = split_while(&mut before, |row| place(&row.file) < place(&file));
            self.missing(gone, self.complete);
            let same_place = split_while(&mut before, |row| place(&row.file) == place(&file));
            let mut known = None;
            for row in same_place {
                // What was closed does not open again: the kernel has used its memory anew.
                if !row.is_closed() && row.is(&file) {
                    known = Some(row);
                } else {
                    // Something else has its number now, so it is closed even if the reading is
                    // not complete.
                    self.missing(std::slice::from_ref(row), true);
                }
            }
            let row = match known.zip(table) {
                Some((row, table)) => self.continued(row, table, file),
                None => self.appeared(file),
            };
            self.rows.push(row);
        }
        self.missing(before, self.complete);
    }

    fn missing(&mut self, gone: &[TrackedFile], complete: bool) {
        let groups = &mut *self.groups;
        self.rows.extend(gone.iter().filter_map(|row| row.missing(complete, groups)));
    }

    /// A file that was in the reading before.
    fn continued(&mut self, row: &TrackedFile, table: &FilesTable, file: Arc<File>) -> TrackedFile {
        let timing = table.timing(row);
        let timing = if Arc::ptr_eq(&row.file, &file) {
            timing.copied()
        } else {
            Timing::next((&row.file, timing), table.elapsed, &file, self.elapsed)
        };
        self.timings.add(&file, timing);
        row.continued(file, self.groups)
    }

    /// A file seen for the first time.
    fn appeared(&mut self, file: Arc<File>) -> TrackedFile {
        let (seen, opener, presence) = match self.before {
            None => (Seen::FIRST, None, Presence::Open),
            Some(before) => {
                let Opening { opener, at } = (self.opening)(&file);
                // It was not there in the reading before.
                let now = self.elapsed;
                let earliest = (before.elapsed + Duration::from_micros(1)).min(now);
                let at = at.map_or(now, |at| at.clamp(earliest, now));
                (Seen::since(at), opener, Presence::New { left: MARK_READINGS - 1 })
            }
        };
        let track = Some(self.groups.appear(&file, seen, opener));
        self.timings.add(&file, Timing::begin(&file, self.elapsed));
        let (recv, send) = Default::default();
        TrackedFile { file, seen, track, presence, recv, send }
    }
}

/// Takes the leading rows for which `wanted` holds off `rows`.
fn split_while<'a>(
    rows: &mut &'a [TrackedFile],
    wanted: impl Fn(&TrackedFile) -> bool,
) -> &'a [TrackedFile] {
    let end = rows.iter().position(|row| !wanted(row)).unwrap_or(rows.len());
    let (taken, rest) = rows.split_at(end);
    *rows = rest;
    taken
}

#[cfg(test)]
#[path = "history_tests.rs"]
mod tests;
