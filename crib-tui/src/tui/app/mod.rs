//! The application's state, and how it changes. It does no input or output: what is to be
//! done comes back as actions.

mod commands;
pub mod files;
pub mod picker;
pub mod prompt;
#[cfg(test)]
mod tests;

use std::time::Duration;

use crossterm::event::KeyEvent;
use jiff::tz::TimeZone;
use ratatui::layout::{Position, Rect, Size};

pub use self::files::{Detail, Files, Phase};
pub use self::picker::{Picker, ProcessEntry};
pub use self::prompt::{Prompt, Purpose};
use super::action::Action;
use super::arrangement::{ActiveFilter, Arrangement};
use super::event::Event;
use super::keys::{self, Context};
use super::theme::Theme;
use super::view::{self, layout::Regions};
use super::worker::{Opened, Reply, Request};

/// Rows that a table shows at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page(pub usize);

/// The whole state.
pub struct App {
    /// The list of processes, kept while one of them is looked at.
    pub picker: Picker,
    /// The process that is looked at; none while the list is.
    pub files: Option<Files>,
    /// How many lines of the help are scrolled out at the top; none while it isn't shown.
    pub help: Option<usize>,
    /// The line that is being typed.
    pub prompt: Option<Prompt>,
    /// Whether nothing is to be read.
    pub paused: bool,
    /// The refresh interval.
    pub delay: Duration,
    /// The source, and why it is that one.
    pub opened: Opened,
    /// Colours and glyphs.
    pub theme: Theme,
    /// In which times are shown.
    pub zone: TimeZone,
    size: Size,
    session: u64,
    /// The filter to begin with when a process is opened.
    filter: Option<ActiveFilter>,
    in_flight: bool,
    /// Something else is on the screen now, which must not wait for the next interval.
    urgent: bool,
}

impl App {
    /// The state before anything was read. With `pid`, that process is looked at first.
    pub fn new(
        pid: Option<u32>,
        filter: Option<ActiveFilter>,
        delay: Duration,
        opened: Opened,
        theme: Theme,
        zone: TimeZone,
    ) -> Self {
        let mut app = Self {
            picker: Picker::default(),
            files: None,
            help: None,
            prompt: None,
            paused: false,
            delay,
            opened,
            theme,
            zone,
            size: Size::new(80, 24),
            session: 0,
            filter,
            in_flight: false,
            urgent: false,
        };
        if let Some(pid) = pid {
            let arrangement = app.first_arrangement();
            app.files = Some(Files::new(app.next_session(), pid, None, arrangement, theme.glyphs));
        }
        app
    }

    /// Takes in what happened, and says what is to be done about it.
    pub fn update(&mut self, event: Event) -> Vec<Action> {
        let actions = match event {
            Event::Key(key) => self.key(key),
            Event::Paste(text) => {
                self.prompt_paste(&text);
                Vec::new()
            }
            Event::Resize(columns, rows) => {
                self.size = Size::new(columns, rows);
                Vec::new()
            }
            Event::Tick => self.refresh(),
            Event::Reply(reply) => {
                self.in_flight = false;
                self.reply(reply);
                if std::mem::take(&mut self.urgent) { self.refresh() } else { Vec::new() }
            }
        };
        self.reveal();
        actions
    }

    /// What is on the screen, as far as keys are concerned.
    pub fn context(&self) -> Context {
        match &self.files {
            _ if self.help.is_some() => Context::Help,
            Some(Files { detail: Some(_), .. }) => Context::File,
            Some(_) => Context::Files,
            None => Context::Picker,
        }
    }

    /// Where on the screen the parts stand.
    pub fn regions(&self) -> Regions {
        view::regions(self, Rect::from((Position::ORIGIN, self.size)))
    }

    fn page(&self) -> Page {
        Page(self.regions().body.height.into())
    }

    fn next_session(&mut self) -> u64 {
        self.session += 1;
        self.session
    }

    fn first_arrangement(&self) -> Arrangement {
        Arrangement { filter: self.filter.clone(), sort: None }
    }

    fn key(&mut self, key: KeyEvent) -> Vec<Action> {
        match self.prompt {
            Some(_) => self.prompt_key(key),
            None => keys::command(self.context(), &key)
                .map_or_else(Vec::new, |command| self.command(command)),
        }
    }

    /// Asks for what the screen shows, unless an answer is still awaited or nothing more is
    /// to be had.
    fn refresh(&mut self) -> Vec<Action> {
        if self.in_flight {
            return Vec::new();
        }
        let request = match &self.files {
            Some(files) if files.phase != Phase::Alive => None,
            Some(files) if self.paused && files.table.is_some() => None,
            Some(files) => Some(Request::Files(files.request())),
            None if self.paused && self.picker.list.is_some() => None,
            None => Some(Request::Processes),
        };
        self.in_flight = request.is_some();
        request.map(Action::Read).into_iter().collect()
    }

    /// As [`Self::refresh`], but where an answer is still awaited, as soon as it is there.
    fn refresh_soon(&mut self) -> Vec<Action> {
        self.urgent = self.in_flight;
        self.refresh()
    }

    fn reply(&mut self, reply: Reply) {
        let page = self.page();
        match reply {
            Reply::Processes(Ok(list)) => self.picker.set_list(list, page),
            Reply::Processes(Err(error)) => self.picker.error = Some(error),
            Reply::Files { session, outcome } => {
                // One that was left meanwhile has nothing to show.
                if let Some(files) = self.files.as_mut().filter(|files| files.session == session) {
                    files.set_outcome(outcome, page);
                }
            }
        }
    }

    /// Scrolls so that what is selected is seen and no room is wasted: any event may have
    /// changed the layout.
    fn reveal(&mut self) {
        let page = self.page();
        match &mut self.files {
            Some(files) => files.cursor.reveal(files.order.len(), page.0),
            None => self.picker.cursor.reveal(self.picker.order.len(), page.0),
        }
        let body = self.regions().body;
        let last = |lines: usize| lines.saturating_sub(body.height.max(1).into());
        if let Some(scroll) = self.help {
            self.help = Some(scroll.min(last(view::help::height(body.width))));
        }
        let lines = view::file::height(self, body.width);
        if let Some(detail) = self.files.as_mut().and_then(|files| files.detail.as_mut()) {
            detail.scroll = detail.scroll.min(last(lines));
        }
    }
}
