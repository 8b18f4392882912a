//! The application's state, and how it changes. It does no input or output: what is to be
//! done comes back as actions.

mod commands;
mod drill;
mod dumps;
pub mod files;
mod looks;
pub mod picker;
pub mod prompt;
pub mod screens;
#[cfg(test)]
mod tests;
mod watching;

use std::time::Duration;

use crossterm::event::{KeyEvent, KeyEventKind};
use jiff::tz::TimeZone;
use ratatui::layout::{Position, Rect, Size};

pub use self::files::{Files, Phase};
pub use self::picker::{Picker, ProcessEntry};
pub use self::prompt::{Prompt, Purpose};
pub use self::screens::{Body, Screen, Standing};
use super::action::Action;
use super::arrangement::{ActiveFilter, Arrangement};
use super::capture::WriteRequest;
use super::event::Event;
use super::keys::{self, Context};
use super::theme::Theme;
use super::view::{self, layout::Regions};
use super::widget::sheet;
use super::worker::{Opened, Reply, Request};
use crate::model::lint::LintSet;
use crate::model::{Process, Source};

/// Rows that a table shows at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page(pub usize);

/// What came of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// It did what it does.
    Done(String),
    /// It could not.
    Refused(String),
}

/// What a search comes to that finds nothing.
const NO_MATCH: &str = "no file matches";

/// Why there are no queues where /proc is read.
const NO_DUMPS: &str = "queues and packets are read by BPF, not from /proc; see `crib-top doctor`";

/// The whole state.
pub struct App {
    /// The list of processes, kept while one of them is looked at.
    pub picker: Picker,
    /// The process that is looked at; none while the list is.
    pub files: Option<Files>,
    /// The looks at other processes that lie below that one, the last one next to it.
    pub below: Vec<Files>,
    /// How many lines of the help are scrolled out at the top; none while it isn't shown.
    pub help: Option<usize>,
    /// The line that is being typed.
    pub prompt: Option<Prompt>,
    /// What came of the last key, until the next one.
    pub message: Option<Message>,
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
    /// Which lints are wanted.
    lints: LintSet,
    in_flight: bool,
    /// Whether the reading thread was asked to trace who opens files, and not to end that.
    tracing: bool,
    /// What is to be written to a file before anything else is read.
    write: Option<WriteRequest>,
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
            below: Vec::new(),
            help: None,
            prompt: None,
            message: None,
            paused: false,
            delay,
            opened,
            theme,
            zone,
            size: Size::new(80, 24),
            session: 0,
            filter,
            lints: LintSet::default(),
            in_flight: false,
            tracing: false,
            write: None,
            urgent: false,
        };
        if let Some(pid) = pid {
            app.files = Some(app.look_at(pid, None));
        }
        app
    }

    /// Has the lints looked for that are wanted, from the first reading on.
    pub fn set_lints(&mut self, lints: LintSet) {
        self.lints = lints;
        if let Some(files) = &mut self.files {
            files.arrangement.lints = lints;
        }
    }

    /// Takes in what happened, and says what is to be done about it.
    pub fn update(&mut self, event: Event) -> Vec<Action> {
        let mut actions = match event {
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
        if self.files.as_ref().is_some_and(|files| files.lacks(self.page())) {
            actions.extend(self.refresh_soon());
        }
        actions.extend(self.end_trace());
        actions
    }

    /// Has the tracing ended as soon as nothing is read any more that shows it: it slows down the
    /// whole machine, and the next request for files may never be made.
    fn end_trace(&mut self) -> Option<Action> {
        let wanted = self.files.as_ref().is_some_and(|files| files.is_traced(self.paused));
        let ends = self.tracing && !wanted;
        self.tracing &= wanted;
        ends.then_some(Action::EndTrace)
    }

    /// Whether who opens files may be traced: it was asked for, and not that it ends.
    pub fn is_traced(&self) -> bool {
        self.tracing
    }

    /// What is on the screen, as far as keys are concerned.
    pub fn context(&self) -> Context {
        match &self.files {
            _ if self.help.is_some() => Context::Help,
            Some(files) => files.screens.last().map_or(Context::Files, Screen::context),
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

    /// A first look at a process.
    fn look_at(&mut self, pid: u32, known: Option<Process>) -> Files {
        let arrangement = Arrangement {
            filter: self.filter.clone(),
            lints: self.lints,
            ..Arrangement::default()
        };
        let mut files =
            Files::new(self.next_session(), pid, self.delay, known, arrangement, self.theme.glyphs);
        files.base =
            self.below.first().or(self.files.as_ref()).map_or(files.session, |f| f.session);
        if self.opened.source == Source::Procfs {
            files.no_dumps = Some(NO_DUMPS.to_owned());
        }
        files
    }

    fn key(&mut self, key: KeyEvent) -> Vec<Action> {
        if key.kind != KeyEventKind::Release {
            self.message = None;
        }
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
        let page = self.page();
        let request = match &mut self.files {
            _ if self.write.is_some() => self.write.take().map(Request::Write),
            Some(files) => files.next_request(self.paused, page),
            None if self.paused && self.picker.list.is_some() => None,
            None => Some(Request::Processes),
        };
        self.in_flight = request.is_some();
        if let Some(Request::Files(request)) = &request {
            self.tracing |= request.wish.trace;
        }
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
                    let had_goal = files.goal.is_some();
                    files.set_outcome(outcome, page);
                    // A file that was reached from another process waits for its table.
                    self.urgent |= had_goal && files.goal.is_none();
                }
            }
            Reply::Ends { session, screen, outcome } => {
                if let Some(files) = self.files.as_mut().filter(|files| files.session == session) {
                    files.set_ends(screen, outcome);
                    self.urgent |= files.follow_up.is_some();
                }
            }
            // The loop keeps that for itself: nothing on the screen waits for it.
            Reply::TraceEnded => {}
            Reply::Written(Ok(text)) => self.message = Some(Message::Done(text)),
            Reply::Written(Err(text)) => self.message = Some(Message::Refused(text)),
            Reply::Dump { session, ticket, outcome } => {
                if let Some(files) = self.files.as_mut().filter(|files| files.session == session) {
                    files.set_dump(ticket, outcome, page);
                    self.urgent |= files.follow_up.is_some();
                }
            }
        }
    }

    /// Scrolls so that what is selected is seen and no room is wasted: any event may have
    /// changed the layout.
    fn reveal(&mut self) {
        let page = self.page();
        let glyphs = self.theme.glyphs;
        let view = self.sheet_view();
        match &mut self.files {
            Some(files) => {
                files.cursor.reveal(files.order.len(), page.0);
                match files.screens.last_mut().map(|screen| &mut screen.body) {
                    Some(Body::File(screen)) => screen.sheet.fit(view, &glyphs),
                    Some(Body::Packet(screen)) => screen.sheet.fit(view, &glyphs),
                    Some(Body::Lints(screen)) => screen.sheet.fit(view, &glyphs),
                    Some(Body::Queue(screen)) => screen.reveal(page),
                    Some(Body::Groups(screen)) => screen.cursor.reveal(screen.order.len(), page.0),
                    Some(Body::Leaks(screen)) => screen.sheet.fit(view, &glyphs),
                    Some(Body::Ends(screen)) => screen.sheet.fit(view, &glyphs),
                    None => {}
                }
            }
            None => self.picker.cursor.reveal(self.picker.order.len(), page.0),
        }
        if let Some(scroll) = self.help {
            let lines = view::help::height(view.width);
            self.help = Some(scroll.min(lines.saturating_sub(view.height.max(1))));
        }
    }

    /// The part of the screen that a sheet has.
    fn sheet_view(&self) -> sheet::View {
        let body = self.regions().body;
        sheet::View { width: body.width, height: body.height.into() }
    }
}
