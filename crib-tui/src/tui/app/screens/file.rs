//! The state of the screen about one file.

use std::sync::Arc;
use std::time::Duration;

use super::Link;
use crate::model::lint::{Inherited, Timing};
use crate::model::{File, FilesTable, Presence, TrackedFile};
use crate::tui::view::file::{self as view, Facts};
use crate::tui::widget::sheet::Sheet;

/// A file that is looked at closely.
pub struct FileScreen {
    /// How it is reached.
    pub root: Root,
    /// The file as last read.
    pub row: TrackedFile,
    /// Since when something about it has been as it is.
    pub timing: Option<Timing>,
    /// The parent that holds it too, as the table tells, until a use of it is seen.
    pub inherited: Option<Inherited>,
    /// When it was last read: so long after the first reading of the process.
    pub read: Duration,
    /// What there is to say about it.
    pub sheet: Sheet<Link>,
}

/// How a file is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Root {
    /// By its descriptor.
    Descriptor {
        /// The number.
        fd: u32,
        /// The thread in whose own table it is.
        tid: Option<u32>,
    },
    /// It is in flight in the packet that the screen below shows.
    Flight {
        /// Its place in the packet.
        file: u32,
    },
}

impl FileScreen {
    /// A file that is in the table.
    pub fn of_row(row: &TrackedFile, table: &FilesTable) -> Option<Self> {
        let root = Root::Descriptor { fd: row.file.fd?, tid: row.file.tid };
        let inherited = table.beside.inherited(&row.file).cloned();
        let (timing, read) = (table.timing(row).copied(), table.elapsed);
        Some(Self { root, row: row.clone(), timing, inherited, read, sheet: Sheet::default() })
    }

    /// A file of which no more is known yet than `file` says, so long after the first reading of
    /// the process.
    pub fn of_file(root: Root, file: File, elapsed: Duration) -> Self {
        let row = TrackedFile::found(Arc::new(file), elapsed);
        let timing = Timing::begin(&row.file, elapsed);
        Self { root, row, timing, inherited: None, read: elapsed, sheet: Sheet::default() }
    }

    /// Whether `file`, which stands in the same place, is this very file.
    pub fn is(&self, file: &File) -> bool {
        self.row.file.may_be(file)
    }

    /// Takes in what was read of it, so long after the first reading of the process.
    pub fn take(&mut self, file: File, elapsed: Duration, facts: &Facts<'_>) {
        let before = (&*self.row.file, self.timing.as_ref());
        self.timing = Timing::next(before, self.read, &file, elapsed);
        self.read = elapsed;
        self.inherited.take_if(|_| !self.row.file.is_untouched(&file));
        self.row.file = Arc::new(file);
        // What is read is open.
        if !matches!(self.row.presence, Presence::New { .. }) {
            self.row.presence = Presence::Open;
        }
        self.tell(facts);
    }

    /// Says anew what there is to say.
    pub fn tell(&mut self, facts: &Facts<'_>) {
        self.sheet.set_lines(view::lines(self, facts));
    }
}
