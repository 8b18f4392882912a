//! For tests: an application on a terminal of any size that exists in memory only.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use jiff::tz::TimeZone;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::style::{Color, Modifier};

use super::action::Action;
use super::app::App;
use super::ends::{self, EndsRequest};
use super::event::Event;
use super::theme::Theme;
use super::view;
use super::worker::{
    DumpOutcome, DumpRequest, FilesOutcome, FilesRequest, Opened, ProcessList, Readings, Reply,
    Request, Tracing, Watched,
};
use crate::model::groups::{OpenerId, Opening, summaries};
use crate::model::leaks::Leaks;
use crate::model::trend::Trend;
use crate::model::{
    Dump, DumpReading, File, FilesReading, FilesTable, Held, History, ProcessesReading, ReadError,
    Search, Source, Sweep, sample, sample_queues,
};
use crate::watch::Frames;

/// The application, and what the reading thread would know.
pub(crate) struct Stage {
    pub(crate) app: App,
    terminal: Terminal<TestBackend>,
    /// The request that awaits its answer.
    pub(crate) pending: Option<Request>,
    /// What was asked for besides readings.
    pub(crate) wishes: Vec<Action>,
    /// What a dump finds.
    pub(crate) world: Vec<File>,
    /// What comes of a wish to trace who opens files.
    pub(crate) tracing: Tracing,
    /// Who opens a descriptor, where that is traced.
    pub(crate) opener: fn(u32) -> Option<OpenerId>,
    /// The stacks of those who do.
    pub(crate) frames: Arc<Frames>,
    history: History,
    trend: Trend,
    /// The time of the first reading of files.
    first: Option<SystemTime>,
}

impl Stage {
    /// On a terminal of 80x24 with colours, before the first reading.
    pub(crate) fn new(pid: Option<u32>) -> Self {
        Self::with(pid, Theme::new(true, false), None)
    }

    pub(crate) fn with(pid: Option<u32>, theme: Theme, reason: Option<&str>) -> Self {
        let source = if reason.is_some() { Source::Procfs } else { Source::Bpf };
        let opened = Opened { source, reason: reason.map(str::to_owned) };
        let delay = Duration::from_secs(1);
        let mut stage = Self {
            app: App::new(pid, None, delay, opened, theme, TimeZone::UTC),
            // The size is set below.
            terminal: Terminal::new(TestBackend::new(1, 1)).unwrap(),
            pending: None,
            wishes: Vec::new(),
            world: sample_queues::files(),
            tracing: Tracing::Refused("this kernel does not allow it".to_owned()),
            opener: |_| None,
            frames: Arc::default(),
            history: History::new(delay),
            trend: Trend::default(),
            first: None,
        };
        stage.resize(80, 24);
        stage.happen(Event::Tick);
        stage
    }

    /// One process that is looked at, and its first reading.
    pub(crate) fn of_files(reading: FilesReading) -> Self {
        let mut stage = Self::new(Some(reading.process.pid));
        stage.read(reading);
        stage
    }

    /// The list of processes.
    pub(crate) fn of_processes(reading: ProcessesReading) -> Self {
        let mut stage = Self::new(None);
        stage.list(reading);
        stage
    }

    pub(crate) fn happen(&mut self, event: Event) {
        for action in self.app.update(event) {
            match action {
                Action::Read(request) => {
                    assert_eq!(self.pending, None, "one request at a time");
                    self.pending = Some(request);
                }
                other => self.wishes.push(other),
            }
        }
    }

    pub(crate) fn resize(&mut self, width: u16, height: u16) {
        self.terminal.backend_mut().resize(width, height);
        self.happen(Event::Resize(width, height));
    }

    pub(crate) fn tick(&mut self) {
        self.happen(Event::Tick);
    }

    pub(crate) fn press(&mut self, code: KeyCode) {
        self.happen(Event::Key(KeyEvent::new(code, KeyModifiers::NONE)));
    }

    pub(crate) fn ctrl(&mut self, c: char) {
        self.happen(Event::Key(KeyEvent::new(KeyCode::Char(c), KeyModifiers::CONTROL)));
    }

    /// Types characters; `\n` is Enter.
    pub(crate) fn keys(&mut self, text: &str) {
        for c in text.chars() {
            self.press(if c == '\n' { KeyCode::Enter } else { KeyCode::Char(c) });
        }
    }

    /// Answers the pending request with a list of processes.
    pub(crate) fn list(&mut self, reading: ProcessesReading) {
        self.list_at(reading, Duration::from_secs(7200));
    }

    /// The same, so long after the system was started.
    pub(crate) fn list_at(&mut self, reading: ProcessesReading, uptime: Duration) {
        assert_eq!(self.pending.take(), Some(Request::Processes));
        let list = ProcessList { reading, uptime };
        self.happen(Event::Reply(Reply::Processes(Ok(list))));
    }

    /// Answers the pending request with one process's files.
    pub(crate) fn read(&mut self, reading: FilesReading) {
        let elapsed = self.elapsed(reading.time);
        let table = self.history.observe(reading, elapsed, |file| Opening {
            opener: file.fd.and_then(self.opener),
            at: None,
        });
        self.show(table);
    }

    /// How long after the first reading that is, by what their times say.
    fn elapsed(&mut self, time: SystemTime) -> Duration {
        time.duration_since(*self.first.get_or_insert(time)).unwrap_or_default()
    }

    pub(crate) fn show(&mut self, table: Arc<FilesTable>) {
        let request = self.files_request();
        let order = request.arrangement.order(&table);
        let arrangement = request.arrangement;
        let groups = self.history.groups();
        let leaks = || {
            let traced = match self.tracing {
                Tracing::On(traced) if request.wish.trace => Some(traced),
                _ => None,
            };
            let mut report = Leaks::new(groups, &table, sample::time(), traced);
            for group in &mut report.groups {
                group.stack = group.opener.and_then(|opener| self.frames.get(&opener).cloned());
            }
            Box::new(report)
        };
        self.trend.note(table.elapsed, table.open as u64);
        let limit = table.process.fd_limit;
        let watched = Box::new(Watched {
            levels: groups.levels().to_vec(),
            per_second: self.trend.per_second(),
            seconds_to_limit: limit.and_then(|limit| self.trend.seconds_to(limit)),
            groups: request.wish.groups.map(|by| (by, summaries(groups, by))),
            leaks: request.wish.leaks.then(leaks),
            tracing: if request.wish.trace { self.tracing.clone() } else { Tracing::Off },
            frames: Arc::clone(&self.frames),
        });
        self.outcome(request.session, FilesOutcome::Read { table, arrangement, order, watched });
    }

    /// Answers the pending request with something else than files.
    pub(crate) fn fail(&mut self, outcome: FilesOutcome) {
        let session = self.files_request().session;
        self.outcome(session, outcome);
    }

    fn outcome(&mut self, session: u64, outcome: FilesOutcome) {
        self.happen(Event::Reply(Reply::Files { session, outcome }));
    }

    /// Answers dumps from the world until something else is asked for, or nothing.
    pub(crate) fn dump(&mut self) {
        while matches!(self.pending, Some(Request::Dump(_))) {
            self.dump_once();
        }
    }

    /// Answers the pending request for a file's other end from these descriptors of all
    /// processes.
    pub(crate) fn sweep(&mut self, held: &[Held]) {
        let Some(Request::Ends(request)) = self.pending.take() else {
            panic!("no other end was asked for")
        };
        let EndsRequest { session, screen, .. } = request;
        let mut everyone = Everyone { held: held.to_vec(), asked: Vec::new() };
        let outcome = ends::look(&mut everyone, &request).map_err(|error| error.to_string());
        self.happen(Event::Reply(Reply::Ends { session, screen, outcome }));
    }

    /// Answers one dump from the world.
    pub(crate) fn dump_once(&mut self) {
        let request = self.dump_request();
        let outcome = match sample_queues::answer(&self.world, &request.dump) {
            Ok(reading) => {
                let elapsed = self.elapsed(reading.time);
                DumpOutcome::Read { reading: Box::new(reading), elapsed }
            }
            Err(ReadError::NoFile { .. }) => DumpOutcome::NoFile,
            Err(error) => DumpOutcome::Failed(error.to_string()),
        };
        self.dumped(request, outcome);
    }

    /// Answers a dump with something else than a reading.
    pub(crate) fn dumped(&mut self, request: DumpRequest, outcome: DumpOutcome) {
        let DumpRequest { session, ticket, .. } = request;
        self.happen(Event::Reply(Reply::Dump { session, ticket, outcome }));
    }

    pub(crate) fn dump_request(&mut self) -> DumpRequest {
        match self.pending.take() {
            Some(Request::Dump(request)) => request,
            other => panic!("no dump was asked for, but {other:?}"),
        }
    }

    /// Opens a file of the sample table by its descriptor, and reads it.
    pub(crate) fn open(&mut self, fd: u32) {
        let files = self.app.files.as_ref().unwrap();
        let is_it = |&row: &u32| files.rows()[row as usize].file.fd == Some(fd);
        let place = files.order.iter().position(is_it).unwrap();
        self.keys("g");
        (0..place).for_each(|_| self.press(KeyCode::Down));
        self.keys("\n");
        self.dump();
    }

    pub(crate) fn files_request(&mut self) -> FilesRequest {
        match self.pending.take() {
            Some(Request::Files(request)) => request,
            other => panic!("no files were asked for, but {other:?}"),
        }
    }

    pub(crate) fn draw(&mut self) {
        self.terminal.draw(|frame| view::draw(&self.app, frame)).unwrap();
    }

    /// What is on the screen.
    pub(crate) fn screen(&mut self) -> String {
        self.draw();
        let buffer = self.terminal.backend().buffer();
        let width = usize::from(buffer.area.width).max(1);
        let lines = buffer.content().chunks(width).map(|cells| {
            let line: String = cells.iter().map(|cell| cell.symbol()).collect();
            line.trim_end().to_owned()
        });
        lines.collect::<Vec<_>>().join("\n")
    }

    /// Each stretch of text that is not plain, with its style, line by line.
    pub(crate) fn styles(&mut self) -> String {
        self.draw();
        let buffer = self.terminal.backend().buffer();
        let mut text = String::new();
        for y in 0..buffer.area.height {
            let mut x = 0;
            while x < buffer.area.width {
                let style = buffer[(x, y)].style();
                let mut stretch = String::new();
                while x < buffer.area.width && buffer[(x, y)].style() == style {
                    stretch.push_str(buffer[(x, y)].symbol());
                    x += 1;
                }
                let color = style.fg.filter(|&color| color != Color::Reset);
                if color.is_some() || style.add_modifier != Modifier::empty() {
                    let color = color.map(|color| color.to_string()).unwrap_or_default();
                    let modifier = match style.add_modifier {
                        Modifier { .. } if style.add_modifier.is_empty() => String::new(),
                        modifier => format!("{modifier:?}"),
                    };
                    let name = [color, modifier].join(" ").trim().to_owned();
                    text.push_str(&format!("{y:>2} {name:<28} {:?}\n", stretch.trim_end()));
                }
            }
        }
        text
    }
}

/// A source that knows no more than descriptors of all processes.
pub(crate) struct Everyone {
    /// The descriptors.
    pub(crate) held: Vec<Held>,
    /// Which processes were to be looked through, each time.
    pub(crate) asked: Vec<Option<Vec<u32>>>,
}

impl Readings for Everyone {
    fn source(&self) -> Source {
        Source::Bpf
    }

    fn reason(&self) -> Option<&str> {
        None
    }

    fn processes(&mut self) -> Result<ProcessesReading, ReadError> {
        Ok(sample::processes())
    }

    fn files(&mut self, pid: u32) -> Result<FilesReading, ReadError> {
        Err(ReadError::NoProcess(pid))
    }

    fn dump(&mut self, request: &Dump) -> Result<DumpReading, ReadError> {
        Err(ReadError::NoProcess(request.pid))
    }

    fn sweep(&mut self, search: &Search, only: Option<&[u32]>) -> Result<Sweep, ReadError> {
        self.asked.push(only.map(<[u32]>::to_vec));
        let asked = |held: &&Held| only.is_none_or(|only| only.contains(&held.pid));
        let held = self.held.iter().filter(asked).filter(|held| search.wants(&held.file));
        Ok(Sweep::new(Source::Bpf, sample::time(), true, held.cloned().collect()))
    }
}

/// The sample reading, `seconds` after its time.
pub(crate) fn reading_after(seconds: u64) -> FilesReading {
    let reading = sample::reading();
    FilesReading { time: reading.time + Duration::from_secs(seconds), ..reading }
}
