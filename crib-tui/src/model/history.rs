//! Readings of one process compared: what is new, what was closed, what changed.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::groups::{GroupKey, Groups, Opening};
use super::lint::{Beside, Given, LintSet, Timing};
use super::tracked::{MARK_READINGS, Presence, Seen, TrackedFile};
use super::{File, FilesReading, Process, Source};

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
    /// What lints go by that was read beside the files.
    pub beside: Beside,
    /// Since when something about some of the rows has been as it is.
    timings: Timings,
}

impl FilesTable {
    /// Whether this very file was in the reading, and nothing about it has changed since.
    pub fn has(&self, file: &Arc<File>) -> bool {
        let first = self.rows.partition_point(|row| place(&row.file) < place(file));
        let same = self.rows[first..].iter().take_while(|row| place(&row.file) == place(file));
        same.last().is_some_and(|row| !row.is_closed() && Arc::ptr_eq(&row.file, file))
    }

    /// What comparing readings tells lints of a row of this table.
    pub fn timing(&self, row: &TrackedFile) -> Option<&Timing> {
        if row.is_closed() { None } else { self.timings.of(&row.file) }
    }

    /// What lints go by in a row of this table; of a file that is closed, or may be, nothing is
    /// found any more.
    pub fn given(&self, row: &TrackedFile, wanted: LintSet) -> Given<'_> {
        let there = matches!(row.presence, Presence::Open | Presence::New { .. });
        let wanted = if there { wanted } else { LintSet::NONE };
        Given {
            wanted,
            now: Some(self.elapsed),
            timing: self.timing(row),
            tcp: self.beside.tcp(&row.file),
            watched_by: None,
            inherited: self.beside.inherited(&row.file),
        }
    }
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
        let FilesReading { source, time, process, mut files, complete, beside } = reading;
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
            beside,
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
