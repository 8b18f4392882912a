//! What becomes of all files of a process: groups, what grows, and who opens it.

use super::screens::{Body, GroupsScreen, LeaksScreen, Screen};
use super::{App, Files, Page, Phase};
use crate::model::FileKey;
use crate::model::groups::{GroupName, Grouping};
use crate::model::leaks::Leaks;
use crate::tui::action::Action;
use crate::tui::app::screens::FileScreen;
use crate::tui::arrangement::Arrangement;
use crate::tui::theme::Glyphs;
use crate::tui::view;
use crate::tui::widget::table::Cursor;
use crate::tui::worker::{Tracing, Watched, Wish};

/// What lies below a table that shows one group: all that comes back when it is left.
pub struct Outer {
    arrangement: Arrangement,
    cursor: Cursor<FileKey>,
    shift: u16,
    search: Option<String>,
    screens: Vec<Screen>,
}

impl App {
    /// Shows files in groups; in groups of the next sort where they are already.
    pub(super) fn show_groups(&mut self) -> Vec<Action> {
        let Some(files) = &mut self.files else { return Vec::new() };
        match files.screens.last_mut().map(|top| &mut top.body) {
            Some(Body::Groups(screen)) => **screen = GroupsScreen::new(screen.grouping.next()),
            _ => files.push(Body::Groups(Box::new(GroupsScreen::new(Grouping::default())))),
        }
        self.refresh_soon()
    }

    /// Shows what grows.
    pub(super) fn show_leaks(&mut self) -> Vec<Action> {
        let Some(files) = &mut self.files else { return Vec::new() };
        files.push(Body::Leaks(Box::default()));
        self.refresh_soon()
    }

    /// Begins to trace who opens files, or ends that. Where nothing of it would be seen, what
    /// grows is shown too.
    pub(super) fn trace(&mut self) -> Vec<Action> {
        let Some(files) = &mut self.files else { return Vec::new() };
        if files.screens.last().is_some_and(Screen::is_watch) {
            files.trace = !files.trace;
        } else {
            files.trace = true;
            files.push(Body::Leaks(Box::default()));
        }
        self.refresh_soon()
    }
}

impl Files {
    /// Whether it is traced who opens files: as long as that is wished for, and readings go on.
    pub fn is_traced(&self, paused: bool) -> bool {
        self.trace && !paused && self.phase == Phase::Alive
    }

    /// What the reading thread is to tell beside the table.
    pub(super) fn wish(&self, paused: bool) -> Wish {
        let top = self.screens.last().map(|screen| &screen.body);
        Wish {
            groups: match top {
                Some(Body::Groups(screen)) => Some(screen.grouping),
                _ => None,
            },
            leaks: matches!(top, Some(Body::Leaks(_))),
            trace: self.is_traced(paused),
        }
    }

    /// Whether the present screen shows something that was not read at all.
    pub(super) fn lacks_watch(&self) -> bool {
        match self.screens.last().map(|screen| &screen.body) {
            Some(Body::Groups(screen)) => screen.rows.is_none(),
            Some(Body::Leaks(screen)) => !screen.told,
            _ => false,
        }
    }

    /// Takes in what was told beside the table.
    pub(super) fn set_watched(&mut self, mut watched: Watched, page: Page) {
        let (groups, leaks) = (watched.groups.take(), watched.leaks.take());
        self.watched = watched;
        let Some(screen) = self.screens.last_mut().filter(|screen| screen.is_watch()) else {
            return;
        };
        screen.time = self.table.as_ref().map(|table| table.time);
        match &mut screen.body {
            Body::Groups(screen) => {
                if let Some((grouping, rows)) = groups {
                    screen.take(grouping, rows, page);
                }
            }
            Body::Leaks(screen) => {
                if let Some(report) = leaks {
                    screen.take(&report, &self.watched.tracing, self.glyphs);
                }
            }
            _ => {}
        }
    }

    /// Shows the files of one group; the way back leads here.
    pub(super) fn enter_group(&mut self, group: GroupName, page: Page) {
        let arrangement = Arrangement { group: Some(group), ..self.arrangement.clone() };
        self.outer.push(Outer {
            arrangement: std::mem::replace(&mut self.arrangement, arrangement),
            cursor: std::mem::take(&mut self.cursor),
            shift: std::mem::take(&mut self.shift),
            search: self.search.take(),
            screens: std::mem::take(&mut self.screens),
        });
        self.rearrange(page);
    }

    /// Goes back to where the group was chosen that the table shows; false where it shows all.
    pub(super) fn leave_group(&mut self, page: Page) -> bool {
        let Some(outer) = self.outer.pop() else { return false };
        let Outer { arrangement, cursor, shift, search, screens } = outer;
        (self.arrangement, self.cursor, self.shift) = (arrangement, cursor, shift);
        (self.search, self.screens) = (search, screens);
        self.rearrange(page);
        true
    }

    /// Ends the tracing where nothing that is open shows it any more.
    pub(super) fn end_trace_unseen(&mut self) {
        let mut screens = self.outer.iter().flat_map(|outer| &outer.screens).chain(&self.screens);
        if !screens.any(Screen::is_watch) {
            self.trace = false;
        }
    }

    /// Opens the file that a descriptor stands for.
    pub(super) fn open_descriptor(&mut self, tid: Option<u32>, fd: u32) -> Result<(), String> {
        let closed = || format!("fd {fd} is closed");
        let mut rows = self.rows().iter().filter(|row| !row.is_closed());
        let row = rows.find(|row| (row.file.tid, row.file.fd) == (tid, Some(fd)));
        let row = row.zip(self.table.as_deref());
        let screen = row.and_then(|(row, table)| FileScreen::of_row(row, table));
        let screen = screen.ok_or_else(closed)?;
        self.push(Body::File(Box::new(screen)));
        self.retell();
        Ok(())
    }
}

impl LeaksScreen {
    fn take(&mut self, report: &Leaks, tracing: &Tracing, glyphs: Glyphs) {
        self.sheet.set_lines(view::leaks::lines(report, tracing, &glyphs));
        self.told = true;
    }
}
