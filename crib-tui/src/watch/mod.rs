//! A watch of one process: its readings compared, its groups, and who opens its files.

pub mod details;
mod inherited;
mod openers;

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use crate::model::groups::{Groups, OpenerId, Opening};
use crate::model::leaks::{Leaks, Traced};
use crate::model::lint::{Lint, LintSet};
use crate::model::{Dump, DumpReading, FilesReading, FilesTable, History, ReadError};
use crate::privileges::{self, LOADING, PROCFS, STACKS};
use crate::procfs::{self, Image};

use details::Before;
use inherited::Candidates;
pub use openers::{Frames, Openers};

/// A watch of one process. Begins with the first reading, and ends when the process runs another
/// program: whoever goes on after that begins anew.
pub struct Watch {
    pid: u32,
    history: History,
    /// When the first reading was begun, or the one that is to be the first.
    began: Option<(Instant, SystemTime)>,
    /// How long after that the present reading was begun.
    at: Duration,
    image: Option<Image>,
    openers: Openers,
    candidates: Candidates,
}

impl Watch {
    /// A watch of a process of which nothing was read yet, with this time between two readings.
    pub fn new(pid: u32, interval: Duration) -> Self {
        let image = image(pid);
        Self {
            pid,
            history: History::new(interval),
            began: None,
            at: Duration::ZERO,
            openers: Openers::new(pid, image.clone()),
            image,
            candidates: Candidates::new(pid),
        }
    }

    /// Traces who opens files, from now on.
    ///
    /// # Errors
    /// As [`Openers::trace`].
    pub fn trace(&mut self, fd_limit: Option<u64>) -> Result<(), ReadError> {
        let elapsed = self.elapsed();
        if self.openers.is_tracing() {
            return Ok(());
        }
        privileges::raised(LOADING, || self.openers.trace(fd_limit, elapsed))
    }

    /// Ends the tracing.
    pub fn end_trace(&mut self) {
        self.openers.end();
    }

    /// To be called before each reading.
    pub fn begin_reading(&mut self) {
        if self.history.latest().is_none() {
            self.began = Some((Instant::now(), SystemTime::now()));
        }
        self.at = self.elapsed();
        self.openers.begin_reading();
    }

    /// Whether the process runs another program than when the watch began.
    pub fn is_another_image(&self) -> bool {
        let image = image(self.pid);
        self.image.is_some() && image.is_some() && image != self.image
    }

    /// Whether there was a reading before the one that was begun.
    pub fn has_begun(&self) -> bool {
        self.history.latest().is_some()
    }

    /// Puts beside the reading that was begun what TCP knows of its connections, where that is
    /// wanted: see [`details::read`].
    pub fn look_at_connections(
        &self,
        reading: &mut FilesReading,
        wanted: LintSet,
        rest: bool,
        dump: impl FnOnce(&Dump) -> Result<DumpReading, ReadError>,
    ) -> bool {
        let before = self.history.latest().map(|table| {
            let passed = self.at.saturating_sub(table.elapsed);
            Before { table, passed, rest }
        });
        details::read(reading, wanted, before, dump)
    }

    /// Puts beside the reading that was begun which of its files came from the parent, where that
    /// is wanted.
    pub fn look_for_inherited(&mut self, reading: &mut FilesReading, wanted: LintSet) {
        if wanted.has(Lint::InheritedFd) {
            let inherited = self.candidates.observe(reading, self.at);
            reading.beside.add_inherited(inherited);
        }
    }

    /// Takes in the reading that was begun.
    pub fn observe(&mut self, reading: FilesReading) -> Arc<FilesTable> {
        let (openers, history, at) = (&mut self.openers, &mut self.history, self.at);
        let table = if openers.is_tracing() {
            // Callers are found by what is in the files of code.
            let observe = || history.observe(reading, at, |file| openers.opening(file));
            privileges::raised(STACKS, observe)
        } else {
            history.observe(reading, at, |_| Opening::default())
        };
        // Whose functions they are is not told any more when the program has ended.
        self.look_up([]);
        table
    }

    /// The groups so far.
    pub fn groups(&self) -> &Groups {
        self.history.groups()
    }

    /// How openings are traced; none where they are not.
    pub fn traced(&self) -> Option<Traced> {
        self.openers.traced()
    }

    /// The stacks of openers, as far as they were looked up; some more are with each reading.
    pub fn frames(&self) -> Arc<Frames> {
        self.openers.frames()
    }

    /// Looks up the functions in the stacks of these openers, and of some others.
    fn look_up(&mut self, openers: impl IntoIterator<Item = OpenerId>) {
        let wanted = self.openers.unknown(openers);
        if !wanted.is_empty() {
            privileges::raised(STACKS, || self.openers.look_up(&wanted));
        }
    }

    /// What the watch comes to; none before the first reading.
    pub fn report(&mut self) -> Option<Leaks> {
        let table = self.history.latest()?;
        let (_, time) = self.began?;
        let mut report = Leaks::new(self.history.groups(), table, time, self.traced());
        self.look_up(report.groups.iter().filter_map(|group| group.opener));
        for group in &mut report.groups {
            group.stack = group.opener.and_then(|opener| self.openers.stack(opener));
        }
        Some(report)
    }

    /// How long ago the first reading was begun; zero before that.
    pub fn elapsed(&self) -> Duration {
        self.began.map_or(Duration::ZERO, |(began, _)| began.elapsed())
    }
}

/// The program that a process runs, which is for its user to know.
fn image(pid: u32) -> Option<Image> {
    privileges::raised(PROCFS, || procfs::image(pid))
}
