//! From a file to its other end, and from there to another process and back.

use std::sync::Arc;
use std::time::Duration;

use super::dumps::FollowUp;
use super::screens::{Body, EndsScreen, FileScreen, Root, Screen};
use super::{App, Files, Message, Page, Phase, Standing};
use crate::model::{File, Held, TrackedFile};
use crate::tui::action::Action;
use crate::tui::ends::{EndsReading, EndsRequest};
use crate::tui::worker::Request;

/// Looks at processes that may lie upon one another: each keeps its last readings.
const LOOKS: usize = 16;

impl App {
    /// Shows the other end of the selected file, or of the one that is shown.
    pub(super) fn show_ends(&mut self) -> Vec<Action> {
        let Some(files) = &mut self.files else { return Vec::new() };
        match files.subject() {
            Some(Ok(file)) => {
                let screen = EndsScreen::new(files.pid, file, files.glyphs);
                files.push(Body::Ends(Box::new(screen)));
                self.refresh_soon()
            }
            Some(Err(refusal)) => {
                self.message = Some(Message::Refused(refusal));
                Vec::new()
            }
            None => Vec::new(),
        }
    }

    /// Opens a descriptor of whatever process.
    pub(super) fn open_held(&mut self, held: &Held) -> Result<(), String> {
        let Some(files) = &mut self.files else { return Ok(()) };
        if held.pid == files.pid {
            files.push_held(held);
            return Ok(());
        }
        if self.below.len() + 1 >= LOOKS {
            return Err(format!("{LOOKS} processes are open, one upon the other: go back first"));
        }
        let mut look = self.look_at(held.pid, None);
        // The table comes first: it is what one goes back to, and tells whose pid it is.
        look.push_held(held);
        look.follow_up = Some(FollowUp::Table);
        look.goal = held.file.fd.map(|fd| (held.file.tid, fd));
        if let Some(files) = self.files.replace(look) {
            self.below.push(files);
        }
        Ok(())
    }
}

impl Files {
    /// The file whose other end is asked for; none where no file is shown, and a refusal where it
    /// is not there any more.
    fn subject(&self) -> Option<Result<Arc<File>, String>> {
        let closed = |file: &File| match file.fd {
            Some(fd) => format!("fd {fd} is closed"),
            None => "the file is not in flight any more".to_owned(),
        };
        let (row, present) = match self.screens.last() {
            None => (self.selected()?, true),
            Some(screen) => (&screen.file()?.row, screen.standing == Standing::Present),
        };
        let there = present && !row.is_closed() && self.phase == Phase::Alive;
        Some(if there { Ok(Arc::clone(&row.file)) } else { Err(closed(&row.file)) })
    }

    /// Shows a file that a look through all processes found.
    fn push_held(&mut self, held: &Held) {
        let Some(fd) = held.file.fd else { return };
        let root = Root::Descriptor { fd, tid: held.file.tid };
        let table = self.table.as_deref();
        let elapsed = table.map_or(Duration::ZERO, |table| table.elapsed);
        // From /proc, each look through all processes makes identities of its own.
        let row = self.row_at(held.file.tid, fd);
        let row = row.filter(|row| self.no_dumps.is_some() || row.file.id == held.file.id);
        let screen = match row.zip(table) {
            Some((row, table)) => FileScreen::of_row(row, table),
            None => Some(FileScreen::of_file(root, File::clone(&held.file), elapsed)),
        };
        if let Some(screen) = screen {
            self.push(Body::File(Box::new(screen)));
            self.retell();
        }
    }

    /// Asks for the other end that the present screen shows.
    pub(super) fn ends_request(&self) -> Option<Request> {
        let screen = self.screens.last()?;
        let Body::Ends(ends) = &screen.body else { return None };
        Some(Request::Ends(EndsRequest {
            session: self.session,
            screen: screen.serial,
            pid: self.pid,
            file: Arc::clone(&ends.file),
            only: ends.only(),
        }))
    }

    /// Takes in what was found at the other end.
    pub(super) fn set_ends(&mut self, serial: u64, outcome: Result<EndsReading, String>) {
        // A screen that was left meanwhile has nothing to show.
        let top = self.screens.last_mut().filter(|screen| screen.serial == serial);
        let Some(Screen { standing, time, body: Body::Ends(ends), .. }) = top else { return };
        self.error = None;
        match outcome {
            Ok(reading) => {
                let read = reading.time;
                if ends.take(reading, self.glyphs) {
                    (*standing, *time) = (Standing::Present, Some(read));
                } else {
                    *standing = Standing::Closed;
                    time.get_or_insert(read);
                    // It tells whether the process has ended.
                    self.follow_up = Some(FollowUp::Table);
                }
            }
            Err(error) => self.error = Some(error),
        }
    }

    /// Selects in the table the file through which one came here.
    pub(super) fn reach_goal(&mut self, page: Page) {
        let Some((tid, fd)) = self.goal.take() else { return };
        let rows = self.rows();
        let is_it = |&row: &u32| {
            let file = &rows[row as usize].file;
            (file.tid, file.fd) == (tid, Some(fd))
        };
        if let Some(index) = self.order.iter().position(is_it) {
            self.select(index, page);
        }
        // Where only the table is read, the file is known by what that says of it.
        let row = self.row_at(tid, fd).filter(|_| self.no_dumps.is_some()).cloned();
        if let Some(Screen { body: Body::File(file), .. }) = self.screens.last_mut()
            && let Some(row) = row.filter(|row| row.file.ino == file.row.file.ino)
        {
            file.row = row;
        }
    }

    /// The open file in the table under this descriptor.
    fn row_at(&self, tid: Option<u32>, fd: u32) -> Option<&TrackedFile> {
        let place = (tid, Some(fd));
        self.rows().iter().find(|row| !row.is_closed() && (row.file.tid, row.file.fd) == place)
    }
}
