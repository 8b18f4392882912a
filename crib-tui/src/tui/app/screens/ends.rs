//! The state of the screen about a file's other end.

use std::sync::Arc;
use std::time::Instant;

use super::Link;
use crate::model::{File, Held};
use crate::tui::ends::EndsReading;
use crate::tui::theme::Glyphs;
use crate::tui::view::ends as view;
use crate::tui::widget::sheet::Sheet;

/// A file whose other end is looked at.
pub struct EndsScreen {
    /// The process that holds it.
    pub pid: u32,
    /// The file, as last read.
    pub file: Arc<File>,
    /// What was found; none before anything was.
    pub reading: Option<EndsReading>,
    /// What there is to say about it.
    pub sheet: Sheet<Link>,
    /// The processes that had to do with it when all were looked through, and how long they will
    /// do.
    known: Option<(Vec<u32>, Instant)>,
}

impl EndsScreen {
    /// Of a file of the process `pid`, before anything was found.
    pub fn new(pid: u32, file: Arc<File>, glyphs: Glyphs) -> Self {
        let mut screen = Self { pid, file, reading: None, sheet: Sheet::default(), known: None };
        screen.tell(glyphs);
        screen
    }

    /// The processes that it will do to look through.
    pub fn only(&self) -> Option<Vec<u32>> {
        let (pids, until) = self.known.as_ref()?;
        let now = self.reading.as_ref()?.at;
        (now < *until).then(|| pids.clone())
    }

    /// Takes in what was found. Where the descriptor is closed, what was found before stays, and
    /// the answer is false.
    pub fn take(&mut self, reading: EndsReading, glyphs: Glyphs) -> bool {
        // A file in flight has no descriptor that it could be met under.
        if reading.own.is_none() && self.file.fd.is_some() && self.reading.is_some() {
            return false;
        }
        let present = reading.own.is_some() || self.file.fd.is_none();
        if let Some(own) = &reading.own {
            self.file = Arc::clone(&own.file);
        }
        if let Some(until) = reading.rests_until() {
            self.known = Some((reading.pids(), until));
        }
        self.reading = Some(reading);
        self.tell(glyphs);
        present
    }

    /// The descriptor that a line of the sheet leads to.
    pub fn held(&self, link: &Link) -> Option<&Held> {
        let &Link::Held { pid, tid, fd, .. } = link else { return None };
        let reading = self.reading.as_ref()?;
        let holders = reading.ends.holders.iter().flat_map(|listed| &listed.held);
        let mut held = reading.own.iter().chain(reading.ends.peers.held()).chain(holders);
        held.find(|held| held.place() == (pid, tid, Some(fd)))
    }

    /// Says anew what there is to say.
    pub fn tell(&mut self, glyphs: Glyphs) {
        self.sheet.set_lines(view::lines(self, glyphs));
    }
}
