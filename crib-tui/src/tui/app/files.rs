//! The state of the table of one process's files.

use std::sync::Arc;
use std::time::Duration;

use super::Page;
use super::dumps::FollowUp;
use super::screens::{Body, FileScreen, Screen, Standing};
use super::watching::Outer;
use crate::model::{File, FileKey, FilesTable, Presence, Process, TrackedFile};
use crate::tui::arrangement::{ActiveFilter, Arrangement};
use crate::tui::theme::Glyphs;
use crate::tui::view::cells;
use crate::tui::view::file::Facts;
use crate::tui::widget::table::{Cursor, Sort};
use crate::tui::worker::{FilesOutcome, FilesRequest, Watched};

/// A look at one process: what was read, and how it is looked at.
pub struct Files {
    /// Tells this look at a process from the next.
    pub session: u64,
    /// The number of the first of the looks that this one lies upon; its own where there is
    /// none.
    pub base: u64,
    /// The process.
    pub pid: u32,
    /// The time from one reading to the next.
    pub delay: Duration,
    /// What the list of processes knew of it; none where it was named on the command line.
    pub known: Option<Process>,
    /// The latest reading; none before the first.
    pub table: Option<Arc<FilesTable>>,
    /// The places of the shown files in the reading, in order.
    pub order: Vec<u32>,
    /// Which files are shown, and in which order.
    pub arrangement: Arrangement,
    /// Whether the process is there.
    pub phase: Phase,
    /// Why the last attempt to read failed.
    pub error: Option<String>,
    /// The selected file.
    pub cursor: Cursor<FileKey>,
    /// How far long names are shifted to the left, in columns.
    pub shift: u16,
    /// What is searched for, in lower case.
    pub search: Option<String>,
    /// The screens below the table, the one that is shown last.
    pub screens: Vec<Screen>,
    /// Why queues and packets can't be read; none where they can.
    pub no_dumps: Option<String>,
    /// What was told of all files beside the table.
    pub watched: Watched,
    /// Whether it is to be traced who opens files.
    pub trace: bool,
    /// What lies below the table, where that shows one group only.
    pub outer: Vec<Outer>,
    /// Whether the present screen's last reading holds all that it was to hold.
    pub complete: bool,
    /// The file to select in the first reading: its thread and descriptor.
    pub(super) goal: Option<(Option<u32>, u32)>,
    pub(super) follow_up: Option<FollowUp>,
    /// Whether packets on the way were looked for already since the interval began.
    pub(super) searched: bool,
    pub(super) glyphs: Glyphs,
    serial: u64,
}

/// Whether the process is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// As far as is known.
    Alive,
    /// There is none with that pid.
    NoProcess,
    /// It has ended.
    Ended {
        /// Its parent has not asked for its exit status yet.
        zombie: bool,
    },
}

impl Files {
    /// A first look at the process `pid`.
    pub fn new(
        session: u64,
        pid: u32,
        delay: Duration,
        known: Option<Process>,
        arrangement: Arrangement,
        glyphs: Glyphs,
    ) -> Self {
        Self {
            session,
            base: session,
            pid,
            delay,
            known,
            table: None,
            order: Vec::new(),
            arrangement,
            phase: Phase::Alive,
            error: None,
            cursor: Cursor::default(),
            shift: 0,
            search: None,
            screens: Vec::new(),
            no_dumps: None,
            watched: Watched::default(),
            trace: false,
            outer: Vec::new(),
            complete: true,
            goal: None,
            follow_up: None,
            searched: false,
            glyphs,
            serial: 0,
        }
    }

    /// Whose files they are, as far as is known yet.
    pub fn process(&self) -> Option<&Process> {
        self.table.as_ref().map(|table| &table.process).or(self.known.as_ref())
    }

    /// All rows that were read.
    pub fn rows(&self) -> &[TrackedFile] {
        self.table.as_ref().map_or(&[], |table| &table.rows)
    }

    /// The selected row.
    pub fn selected(&self) -> Option<&TrackedFile> {
        let &row = self.order.get(self.cursor.index())?;
        self.rows().get(row as usize)
    }

    /// What to ask the reading thread for.
    pub fn request(&self, paused: bool) -> FilesRequest {
        FilesRequest {
            session: self.session,
            base: self.base,
            pid: self.pid,
            start_ticks: self.known.as_ref().map(|process| process.start_ticks),
            delay: self.delay,
            arrangement: self.arrangement.clone(),
            wish: self.wish(paused),
        }
    }

    /// Takes in what the reading thread answered.
    pub fn set_outcome(&mut self, outcome: FilesOutcome, page: Page) {
        self.error = None;
        match outcome {
            FilesOutcome::NoProcess => self.phase = Phase::NoProcess,
            FilesOutcome::Ended { zombie } => {
                self.phase = Phase::Ended { zombie };
                self.retell();
            }
            FilesOutcome::Failed(error) => self.error = Some(error),
            FilesOutcome::Read { table, arrangement, order, watched } => {
                self.order = if arrangement == self.arrangement {
                    order
                } else {
                    self.arrangement.order(&table)
                };
                self.table = Some(table);
                self.set_watched(*watched, page);
                self.follow(page);
                self.reach_goal(page);
                self.refresh_file();
                self.refresh_lints();
            }
        }
    }

    /// Takes the file that is looked at from the table, where only that is read.
    fn refresh_file(&mut self) {
        let Some(table) = self.table.as_ref().filter(|_| self.no_dumps.is_some()) else { return };
        let Some(screen) = self.screens.last_mut() else { return };
        let Body::File(file) = &mut screen.body else { return };
        let key = file.row.file.key();
        screen.time = Some(table.time);
        match table.rows.iter().find(|row| row.file.key() == key) {
            Some(row) => {
                file.row.clone_from(row);
                (file.timing, file.read) = (table.timing(row).copied(), table.elapsed);
                file.inherited = table.beside.inherited(&row.file).cloned();
                screen.standing =
                    if row.is_closed() { Standing::Closed } else { Standing::Present };
            }
            None => {
                file.row.presence = Presence::Closed { left: 0 };
                screen.standing = Standing::Closed;
            }
        }
        self.retell();
    }

    /// Lists anew what lints found, where that is shown.
    fn refresh_lints(&mut self) {
        if matches!(self.screens.last().map(|screen| &screen.body), Some(Body::Lints(_))) {
            self.retell();
        }
    }

    /// Has the present screen say anew what there is to say about its file.
    pub(super) fn retell(&mut self) {
        let Some(screen) = self.screens.last_mut() else { return };
        let Some(table) = &self.table else { return };
        let facts = Facts {
            glyphs: self.glyphs,
            table: Some(table),
            unread: self.no_dumps.as_deref(),
            over: self.phase != Phase::Alive,
            frames: &self.watched.frames,
            lints: self.arrangement.lints,
        };
        if let Body::Lints(lints) = &mut screen.body {
            screen.time = Some(table.time);
            lints.tell(table, self.arrangement.lints, self.glyphs);
        }
        if let Body::File(file) = &mut screen.body {
            if matches!(screen.standing, Standing::Closed | Standing::Replaced) {
                file.row.presence = Presence::Closed { left: 0 };
            }
            file.tell(&facts);
        }
    }

    /// Sorts.
    pub fn set_sort(&mut self, sort: Sort, page: Page) {
        self.arrangement.sort = Some(sort);
        self.rearrange(page);
    }

    /// Chooses which files are shown.
    pub fn set_filter(&mut self, filter: Option<ActiveFilter>, page: Page) {
        self.arrangement.filter = filter;
        self.rearrange(page);
    }

    pub(super) fn rearrange(&mut self, page: Page) {
        if let Some(table) = &self.table {
            self.order = self.arrangement.order(table);
        }
        self.follow(page);
    }

    /// Opens the selected file.
    pub fn open_selected(&mut self) {
        let row = self.selected().zip(self.table.as_deref());
        let Some(file) = row.and_then(|(row, table)| FileScreen::of_row(row, table)) else {
            return;
        };
        let closed = file.row.is_closed();
        self.push(Body::File(Box::new(file)));
        if closed && let Some(screen) = self.screens.last_mut() {
            screen.standing = Standing::Closed;
        }
        self.retell();
    }

    /// Shows one more screen.
    pub fn push(&mut self, body: Body) {
        self.serial += 1;
        let standing = Standing::Present;
        self.follow_up = None;
        self.complete = true;
        self.screens.push(Screen { serial: self.serial, standing, time: None, body });
    }

    /// Goes back by one screen; false where there is none.
    pub fn pop(&mut self, page: Page) -> bool {
        self.follow_up = None;
        self.complete = true;
        self.error = None;
        let went = self.screens.pop().is_some() || self.leave_group(page);
        self.end_trace_unseen();
        went
    }

    /// Selects the file at a place of the shown ones.
    pub fn select(&mut self, index: usize, page: Page) {
        self.with_cursor(|cursor, len, key| cursor.select(index, len, page.0, key));
    }

    /// Moves the selection.
    pub fn step(&mut self, by: isize, page: Page) {
        self.with_cursor(|cursor, len, key| cursor.step(by, len, page.0, key));
    }

    /// Finds the selected file again.
    pub fn follow(&mut self, page: Page) {
        let rows = self.table.as_ref().map_or(&[][..], |table| &table.rows);
        let order = &self.order;
        let key = |index: usize| rows[order[index] as usize].file.key();
        // Rows are ordered by thread and descriptor, and their numbers lie close to one another:
        // of a million rows few have to be looked at.
        let find = |wanted: &FileKey| {
            let &(tid, fd, _) = wanted;
            let place = |row: &TrackedFile| (row.file.tid, row.file.fd);
            let first = rows.partition_point(|row| place(row) < (tid, fd));
            let same = rows[first..].iter().take_while(|row| place(row) == (tid, fd));
            let row = first + same.map(|row| row.file.key()).position(|key| key == *wanted)?;
            order.iter().position(|&number| number as usize == row)
        };
        self.cursor.follow_with(order.len(), page.0, key, find);
    }

    fn with_cursor(
        &mut self,
        change: impl FnOnce(&mut Cursor<FileKey>, usize, &dyn Fn(usize) -> FileKey),
    ) {
        let rows = self.table.as_ref().map_or(&[][..], |table| &table.rows);
        let order = &self.order;
        let key = |index: usize| {
            let row: &TrackedFile = &rows[order[index] as usize];
            row.file.key()
        };
        change(&mut self.cursor, order.len(), &key);
    }

    /// The place of the first match at or after `from`, or at or before it, going round at
    /// the end.
    pub fn find(&self, from: usize, forward: bool) -> Option<usize> {
        let needle = self.search.as_deref().filter(|needle| !needle.is_empty())?;
        let len = self.order.len();
        (0..len)
            .map(|step| if forward { (from + step) % len } else { (from + len - step) % len })
            .find(|&index| {
                let row = &self.rows()[self.order[index] as usize];
                matches(&row.file, needle, &self.glyphs)
            })
    }
}

/// Whether any text of a file's row holds `needle`, which is in lower case.
fn matches(file: &File, needle: &str, glyphs: &Glyphs) -> bool {
    let holds = |text: &str| text.to_lowercase().contains(needle);
    holds(file.kind.name())
        || file.ops.as_deref().is_some_and(holds)
        || file.fd.is_some_and(|fd| fd.to_string() == needle)
        || holds(&cells::state(file))
        || holds(&cells::name(file, glyphs))
}
