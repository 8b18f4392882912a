//! All there is to say about one file.

use std::time::SystemTime;

use ratatui::buffer::Buffer;
use ratatui::text::{Line, Span};
use unicode_width::UnicodeWidthStr;

use super::cells;
use super::layout::Regions;
use crate::model::{Device, Epoll, File, Pipe, Presence, Queued, Seen, Socket, Text, TrackedFile};
use crate::tui::app::{App, Detail};
use crate::tui::format::{age, bytes, name, wrap};
use crate::tui::theme::{Glyphs, Theme};

/// One line, or several when it has to be wrapped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DetailLine {
    /// The title of the lines below it.
    Section(&'static str),
    /// A field and its value.
    Field(&'static str, String),
    /// Distance between sections.
    Empty,
}

/// Columns for a field's name and the distance to its value.
const LABEL: u16 = 19;

/// What there is to say about `row`, as of `now`. What is not known is shown as `-`, what
/// does not apply is left out.
pub fn lines(row: &TrackedFile, now: SystemTime, glyphs: &Glyphs) -> Vec<DetailLine> {
    let mut sheet = Sheet { lines: Vec::new(), glyphs };
    sheet.file(row, now);
    if let Some(socket) = &row.file.socket {
        sheet.socket(socket);
    }
    if let Some(pipe) = &row.file.pipe {
        sheet.pipe(pipe);
    }
    if let Some(epoll) = &row.file.epoll {
        sheet.epoll(epoll);
    }
    sheet.lines
}

struct Sheet<'a> {
    lines: Vec<DetailLine>,
    glyphs: &'a Glyphs,
}

impl Sheet<'_> {
    fn section(&mut self, title: &'static str) {
        if !self.lines.is_empty() {
            self.lines.push(DetailLine::Empty);
        }
        self.lines.push(DetailLine::Section(title));
    }

    fn field(&mut self, label: &'static str, value: impl Into<Option<String>>) {
        let value = value.into().unwrap_or_else(|| "-".into());
        self.lines.push(DetailLine::Field(label, value));
    }

    fn number<N: ToString>(&mut self, label: &'static str, number: Option<N>) {
        self.field(label, number.map(|number| number.to_string()));
    }

    fn text(&mut self, label: &'static str, text: Option<&Text>) {
        self.field(label, text.map(|text| name(text, self.glyphs)));
    }

    fn file(&mut self, row: &TrackedFile, now: SystemTime) {
        let file = &row.file;
        self.section("File");
        if let Some(presence) = presence(row.presence) {
            self.field("state", presence.to_owned());
        }
        self.number("descriptor", file.fd);
        if let Some(tid) = file.tid {
            self.field("thread", format!("{tid}, which has a descriptor table of its own"));
        }
        self.field("kind", file.kind.name().to_owned());
        self.field("operations", file.ops.as_deref().map(str::to_owned));
        self.field("access", access(file));
        let flags = file.flags.map(|flags| flags.names().collect::<Vec<_>>().join(" "));
        self.field("flags", flags);
        self.field("close on exec", yes_no(file.cloexec));
        self.text("path", file.path.as_ref());
        if file.deleted == Some(true) {
            self.field("deleted", "yes: it has no name any more".to_owned());
        }
        self.field("size", file.size.map(amount));
        self.field("position", file.pos.map(amount));
        self.number("file system", file.dev);
        if let Some(Device { .. }) = file.rdev {
            self.number("device", file.rdev);
        }
        self.number("inode", file.ino);
        self.number("references", file.refs);
        let seen = age(row.seen.age(now));
        self.field(
            "seen for",
            match row.seen {
                Seen::AtLeastSince(_) => format!("{seen} at least: it was open before"),
                Seen::Since(_) => seen,
            },
        );
    }

    fn socket(&mut self, socket: &Socket) {
        self.section("Socket");
        self.field("family", socket.family.map(|family| family.name().into_owned()));
        self.field("type", socket.kind.map(|kind| kind.name().into_owned()));
        self.field("protocol", socket.protocol.map(|protocol| protocol.name().into_owned()));
        self.field("state", socket.state.map(|state| state.name().into_owned()));
        self.text("local", socket.local.as_ref());
        self.text("remote", socket.remote.as_ref());
        self.field("peer", cells::peer(socket));
        self.queue("receive queue", socket.recv);
        self.queue("send queue", socket.send);
        if let Some(accept) = socket.accept {
            let waiting = format!("{} of at most {} connections wait", accept.pending, accept.max);
            self.field("accept queue", waiting);
        }
        let buffer = |size: Option<u32>| size.map(|size| amount(size.into()));
        self.field("receive buffer", buffer(socket.rcvbuf));
        self.field("send buffer", buffer(socket.sndbuf));
        self.number("drops", socket.drops);
        self.field("error", socket.error.map(errno));
        self.field("shut down", socket.shutdown.map(|side| side.name().to_owned()));
        self.number("files in flight", socket.inflight_files);
        self.number("net namespace", socket.netns);
    }

    fn queue(&mut self, label: &'static str, queued: Option<Queued>) {
        let Some(queued) = queued else { return self.field(label, None) };
        let count = |count: Option<u64>, unit: &str| {
            count.map(|count| format!("{count} {unit}{}", if count == 1 { "" } else { "s" }))
        };
        let parts = [
            count(queued.messages, "message"),
            count(queued.payload, "byte"),
            queued.memory.map(|memory| format!("{} of memory", bytes(memory))),
        ];
        let parts: Vec<_> = parts.into_iter().flatten().collect();
        self.field(label, (!parts.is_empty()).then(|| parts.join(", ")));
    }

    fn pipe(&mut self, pipe: &Pipe) {
        self.section("Pipe");
        self.field(
            "bytes",
            pipe.bytes.map(|count| amount(i64::try_from(count).unwrap_or(i64::MAX))),
        );
        self.field(
            "buffers",
            match (pipe.buffers, pipe.slots) {
                (Some(buffers), Some(slots)) => Some(format!("{buffers} of {slots}")),
                (buffers, _) => buffers.map(|buffers| buffers.to_string()),
            },
        );
        self.number("readers", pipe.readers);
        self.number("writers", pipe.writers);
    }

    fn epoll(&mut self, epoll: &Epoll) {
        self.section("Watches");
        if epoll.watches.is_empty() {
            self.field("", "none".to_owned());
        }
        for watch in &epoll.watches {
            let ready = match watch.ready {
                Some(true) => ", ready",
                Some(false) => ", not ready",
                None => "",
            };
            let data = watch.data;
            let events = watch.events_text();
            self.field("", format!("fd {}: {events}, data {data:#x}{ready}", watch.fd));
        }
    }
}

fn presence(presence: Presence) -> Option<&'static str> {
    match presence {
        Presence::Open => None,
        Presence::New { .. } => Some("opened lately"),
        Presence::Closed { .. } => Some("closed; this is how it was last read"),
        Presence::Unconfirmed => Some("not in the latest reading, which is incomplete"),
    }
}

fn access(file: &File) -> Option<String> {
    let mode = file.mode?;
    let words = match (mode.read, mode.write) {
        (true, true) => "read and write",
        (true, false) => "read",
        (false, true) => "write",
        (false, false) => "none (O_PATH)",
    };
    Some(words.to_owned())
}

fn yes_no(value: Option<bool>) -> Option<String> {
    value.map(|value| if value { "yes" } else { "no" }.to_owned())
}

/// Bytes in full, and compact where that is easier to grasp.
fn amount(amount: i64) -> String {
    match u64::try_from(amount) {
        Ok(count) if count >= 1024 => format!("{count} ({})", bytes(count)),
        _ => amount.to_string(),
    }
}

/// `104 (Connection reset by peer)`.
fn errno(number: u32) -> String {
    match i32::try_from(number) {
        Ok(0) | Err(_) => number.to_string(),
        Ok(code) => {
            let text = std::io::Error::from_raw_os_error(code).to_string();
            let reason = text.split(" (os error").next().unwrap_or(&text);
            format!("{number} ({reason})")
        }
    }
}

/// How many rows of the screen the lines take in `width`; 0 while no file is looked at.
pub fn height(app: &App, width: u16) -> usize {
    let detail = app.files.as_ref().and_then(|files| files.detail.as_ref());
    let room = room(width);
    detail.map_or(0, |detail| detail.lines.iter().map(|line| rows_of(line, room)).sum())
}

fn room(width: u16) -> usize {
    width.saturating_sub(LABEL).max(width / 2).into()
}

fn rows_of(line: &DetailLine, room: usize) -> usize {
    match line {
        DetailLine::Field(_, value) if value.width() > room => wrap(value, room).count(),
        DetailLine::Field(..) | DetailLine::Section(_) | DetailLine::Empty => 1,
    }
}

/// Draws as many lines as fit.
pub fn draw(app: &App, detail: &Detail, regions: &Regions, buffer: &mut Buffer) {
    let area = regions.body;
    let mut rows = detail
        .lines
        .iter()
        .flat_map(|line| screen_lines(line, area.width, &app.theme))
        .skip(detail.scroll);
    for y in area.y..area.bottom() {
        let Some(line) = rows.next() else { break };
        buffer.set_line(area.x, y, &line, area.width);
    }
}

fn screen_lines<'a>(
    line: &'a DetailLine,
    width: u16,
    theme: &Theme,
) -> Box<dyn Iterator<Item = Line<'a>> + 'a> {
    match line {
        DetailLine::Empty => Box::new(std::iter::once(Line::default())),
        DetailLine::Section(title) => {
            Box::new(std::iter::once(Line::styled(*title, theme.heading)))
        }
        DetailLine::Field(label, value) => {
            let indent = usize::from(width) - room(width);
            let dim = theme.dim;
            Box::new(wrap(value, room(width)).enumerate().map(move |(at, piece)| {
                let label = if at == 0 { label } else { "" };
                let label = format!("  {label:<indent$}");
                // All labels are ASCII.
                let label = label.get(..indent.saturating_sub(1)).unwrap_or_default().to_owned();
                Line::from(vec![Span::styled(label + " ", dim), Span::raw(piece)])
            }))
        }
    }
}
