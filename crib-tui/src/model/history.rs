//! Readings of one process compared: what is new, what was closed, what changed.

use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

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
    /// Whose files they are.
    pub process: Process,
    /// Whether every descriptor that was open throughout the reading is in it.
    pub complete: bool,
    /// How many descriptors are open; closed ones that are still shown don't count.
    pub open: usize,
    /// The rows by thread table and descriptor; a closed file stands before the one that
    /// took over its number.
    pub rows: Vec<TrackedFile>,
    /// Since when something about some of the rows has been as it is.
    timings: Timings,
}

impl FilesTable {
    /// What comparing readings tells lints of a row of this table.
    pub fn timing(&self, row: &TrackedFile) -> Option<&Timing> {
        self.timings.get(row.timing)
    }

    /// What lints go by in a row of this table; of a file that is closed, or may be, nothing is
    /// found any more.
    pub fn given(&self, row: &TrackedFile, wanted: LintSet) -> Given<'_> {
        let there = matches!(row.presence, Presence::Open | Presence::New { .. });
        let wanted = if there { wanted } else { LintSet::NONE };
        Given { wanted, now: Some(self.time), timing: self.timing(row), ..Given::default() }
    }
}

/// One file, and what comparing readings tells of it.
#[derive(Clone, Debug, PartialEq)]
pub struct TrackedFile {
    /// As last read; one and the same for as long as nothing changes.
    pub file: Arc<File>,
    /// Since when it has been seen.
    pub seen: Seen,
    /// Whether it is there, and since when.
    pub presence: Presence,
    /// Whether the counts of its receive direction changed lately.
    pub recv: Changed,
    /// Whether the counts of its send direction changed lately.
    pub send: Changed,
    /// Where the table has since when something about it has been as it is.
    timing: TimingPlace,
}

/// The place of a [`Timing`] in its table; of most rows there is none. In four bytes, since every
/// row has one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct TimingPlace(Option<NonZeroU32>);

/// The timings of a table, in the order of its rows.
#[derive(Clone, Debug, Default)]
struct Timings(Vec<Timing>);

impl Timings {
    fn add(&mut self, timing: Option<Timing>) -> TimingPlace {
        let Some(timing) = timing else { return TimingPlace::default() };
        self.0.push(timing);
        // There are fewer rows than descriptors, of which 32 bits can count all.
        TimingPlace(u32::try_from(self.0.len()).ok().and_then(NonZeroU32::new))
    }

    fn get(&self, place: TimingPlace) -> Option<&Timing> {
        self.0.get(place.0?.get() as usize - 1)
    }
}

/// Since when a file has been seen, to the microsecond: in eight bytes, since every row has one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Seen(u64);

impl Seen {
    /// It was there in the first reading, of this time: it is at least as old as that.
    pub fn at_least_since(time: SystemTime) -> Self {
        Self(micros(time) << 1)
    }

    /// It appeared in the reading of this time, between which and the one before it was opened.
    pub fn since(time: SystemTime) -> Self {
        Self(micros(time) << 1 | 1)
    }

    /// Whether it may be older than it has been seen.
    pub fn is_at_least(self) -> bool {
        self.0 & 1 == 0
    }

    /// How long ago that was at `now`; zero where the clock was set back.
    pub fn age(self, now: SystemTime) -> Duration {
        Duration::from_micros(micros(now).saturating_sub(self.0 >> 1))
    }

    /// A number that is greater the younger a file is, at the same time the greater where it is
    /// known not to be older.
    pub fn rank(self) -> u64 {
        self.0
    }
}

impl fmt::Debug for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = SystemTime::UNIX_EPOCH + Duration::from_micros(self.0 >> 1);
        f.debug_struct("Seen").field("time", &time).field("at_least", &self.is_at_least()).finish()
    }
}

/// Microseconds since 1970; 0 for what a clock that was never set says.
fn micros(time: SystemTime) -> u64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
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
    /// A file seen for the first time.
    fn appeared(
        file: Arc<File>,
        time: SystemTime,
        first_reading: bool,
        timings: &mut Timings,
    ) -> Self {
        let (seen, presence) = if first_reading {
            (Seen::at_least_since(time), Presence::Open)
        } else {
            (Seen::since(time), Presence::New { left: MARK_READINGS - 1 })
        };
        let timing = timings.add(Timing::begin(&file, time));
        let (recv, send) = (Changed::default(), Changed::default());
        Self { file, seen, presence, recv, send, timing }
    }

    /// A file that was found when nobody compares readings.
    pub fn found(file: Arc<File>, time: SystemTime) -> Self {
        Self {
            file,
            seen: Seen::at_least_since(time),
            presence: Presence::Open,
            recv: Changed::default(),
            send: Changed::default(),
            timing: TimingPlace::default(),
        }
    }

    /// The same file in the next reading.
    fn continued(&self, file: Arc<File>, timing: TimingPlace) -> Self {
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
        Self {
            recv: self.recv.next(recv),
            send: self.send.next(send),
            file,
            seen: self.seen,
            presence,
            timing,
        }
    }

    /// The row that is left when the next reading doesn't hold the file; none when it has
    /// been shown as closed for long enough.
    fn missing(&self, complete: bool) -> Option<Self> {
        let presence = match self.presence {
            Presence::Closed { left: 0 } => return None,
            Presence::Closed { left } => Presence::Closed { left: left - 1 },
            _ if complete => Presence::Closed { left: MARK_READINGS - 1 },
            _ => Presence::Unconfirmed,
        };
        let timing = TimingPlace::default();
        let (recv, send) = (Changed::default(), Changed::default());
        Some(Self { presence, recv, send, timing, ..self.clone() })
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
#[derive(Debug, Default)]
pub struct History {
    latest: Option<Arc<FilesTable>>,
    /// The table before that: its room is used for the next one, unless somebody still looks at
    /// it. So it is also freed here and not by who draws, for whom freeing a million rows would
    /// take too long.
    retired: Option<Arc<FilesTable>>,
}

impl History {
    /// Takes in the next reading and returns its table, with the marks from all readings so far.
    ///
    /// Costs one walk over both readings side by side.
    pub fn observe(&mut self, reading: FilesReading) -> Arc<FilesTable> {
        let FilesReading { source, time, process, mut files, complete } = reading;
        if !files.is_sorted_by_key(|file| place(file)) {
            files.sort_by_key(|file| place(file));
        }
        let open = files.len();
        let room = self.retired.take().and_then(Arc::into_inner);
        let (mut rows, mut timings) = room.map_or_else(Default::default, |table| {
            let (mut rows, mut timings) = (table.rows, table.timings);
            rows.clear();
            timings.0.clear();
            (rows, timings)
        });
        rows.reserve_exact(open);
        match &self.latest {
            None => rows.extend(
                files.into_iter().map(|f| TrackedFile::appeared(f, time, true, &mut timings)),
            ),
            Some(before) => merge(before, files, time, complete, (&mut rows, &mut timings)),
        }
        let table = Arc::new(FilesTable { source, time, process, complete, open, rows, timings });
        self.retired = self.latest.replace(Arc::clone(&table));
        table
    }
}

/// What the rows are ordered by.
fn place(file: &File) -> (Option<u32>, Option<u32>) {
    (file.tid, file.fd)
}

/// Walks two readings in step, both ordered by [`place`]. The rows of one place are few: the
/// open file and the closed ones that had its number before.
fn merge(
    table: &FilesTable,
    now: Vec<Arc<File>>,
    time: SystemTime,
    complete: bool,
    (rows, timings): (&mut Vec<TrackedFile>, &mut Timings),
) {
    let mut before = &table.rows[..];
    for file in now {
        let gone = split_while(&mut before, |row| place(&row.file) < place(&file));
        rows.extend(gone.iter().filter_map(|row| row.missing(complete)));
        let same_place = split_while(&mut before, |row| place(&row.file) == place(&file));
        let mut known = None;
        for row in same_place {
            // What was closed does not open again: the kernel has used its memory anew.
            if !row.is_closed() && row.file.key() == file.key() {
                known = Some(row);
            } else {
                // Something else has its number now, so it is closed even if the reading is
                // not complete.
                rows.extend(row.missing(true));
            }
        }
        rows.push(match known {
            Some(row) => {
                let timing = table.timing(row);
                let timing = if Arc::ptr_eq(&row.file, &file) {
                    timing.copied()
                } else {
                    Timing::next((&row.file, timing), table.time, &file, time)
                };
                row.continued(file, timings.add(timing))
            }
            None => TrackedFile::appeared(file, time, false, timings),
        });
    }
    rows.extend(before.iter().filter_map(|row| row.missing(complete)));
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
