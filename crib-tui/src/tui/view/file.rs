//! All there is to say about one file.

use std::cell::LazyCell;
use std::collections::HashMap;

use super::lines::{Lines, amount};
use super::{cells, lints, socket};
use crate::model::lint::{Given, LintSet, Subject};
use crate::model::{
    Device, Epoll, File, FileId, FilesTable, Kind, Pipe, Presence, Queue, TrackedFile, Watch,
};
use crate::tui::app::screens::{FileScreen, Link, Root};
use crate::tui::format::{age, name};
use crate::tui::theme::Glyphs;
use crate::tui::widget::sheet::SheetLine;
use crate::watch::Frames;

/// What has to be known to speak of a file.
pub struct Facts<'a> {
    /// What to write with.
    pub glyphs: Glyphs,
    /// The table that it is in, which knows the other files.
    pub table: Option<&'a FilesTable>,
    /// Why its queues can't be read; none where they can.
    pub unread: Option<&'a str>,
    /// The stacks of those who open files, as far as they are known.
    pub frames: &'a Frames,
    /// The process has ended: nothing more will be read.
    pub over: bool,
    /// Which lints are wanted.
    pub lints: LintSet,
}

/// What there is to say about a file: first what can be opened. What is not known is shown as
/// `-`, what does not apply is left out.
pub fn lines(screen: &FileScreen, facts: &Facts<'_>) -> Vec<SheetLine<Link>> {
    let row = &screen.row;
    let mut lines = Lines::new(facts.glyphs);
    if let Some(socket) = &row.file.socket {
        queues(&mut lines, socket.queues.as_deref(), row.is_closed(), facts);
        if socket.deeper {
            lines.note("in flight deeper than its queues are looked into");
        }
        findings(&mut lines, screen, facts);
        socket::describe(&mut lines, socket);
        if let Some(tcp) = &socket.tcp {
            socket::tcp(&mut lines, tcp);
        }
    }
    if let Some(pipe) = &row.file.pipe {
        queues(&mut lines, pipe.queues.as_deref(), row.is_closed(), facts);
        findings(&mut lines, screen, facts);
        describe_pipe(&mut lines, pipe);
    }
    if let Some(epoll) = &row.file.epoll {
        watches(&mut lines, epoll, facts);
    }
    if row.file.socket.is_none() && row.file.pipe.is_none() {
        findings(&mut lines, screen, facts);
    }
    file(&mut lines, screen, facts);
    lines.lines
}

/// What lints found, if anything: it comes before everything that can't be opened.
fn findings(lines: &mut Lines, screen: &FileScreen, facts: &Facts<'_>) {
    let row = &screen.row;
    // A file in flight is nobody's: what is unread in it waits for whoever receives it.
    let in_flight = matches!(screen.root, Root::Flight { .. });
    let Some(table) = facts.table.filter(|_| !in_flight && !row.is_closed()) else { return };
    let watched_by = watchers(&row.file, facts.table);
    let given = Given {
        wanted: facts.lints,
        now: Some(screen.read),
        timing: screen.timing.as_ref(),
        tcp: table.beside.tcp(&row.file),
        watched_by: watched_by.as_deref(),
        inherited: screen.inherited.as_ref(),
    };
    let subject = Subject { process: &table.process, file: &row.file, given };
    let found = subject.findings();
    if !found.is_empty() {
        lines.section("Findings");
        lints::tell(lines, found);
    }
}

/// The queues side by side.
fn queues(lines: &mut Lines, queues: Option<&[Queue]>, closed: bool, facts: &Facts<'_>) {
    lines.section("Queues");
    match (queues, facts.unread) {
        (Some([]), _) => lines.word("none"),
        (Some(queues), _) => socket::queues(lines, queues),
        (None, Some(reason)) => lines.note(reason),
        (None, None) if closed || facts.over => lines.word("not read"),
        (None, None) => lines.word("being read"),
    }
}

fn describe_pipe(lines: &mut Lines, pipe: &Pipe) {
    lines.section("Pipe");
    lines.field("bytes", pipe.bytes.map(|count| amount(i64::try_from(count).unwrap_or(i64::MAX))));
    lines.field(
        "buffers",
        match (pipe.buffers, pipe.slots) {
            (Some(buffers), Some(slots)) => Some(format!("{buffers} of {slots}")),
            (buffers, _) => buffers.map(|buffers| buffers.to_string()),
        },
    );
    lines.number("readers", pipe.readers);
    lines.number("writers", pipe.writers);
}

fn watches(lines: &mut Lines, epoll: &Epoll, facts: &Facts<'_>) {
    lines.section("Watches");
    if epoll.watches.is_empty() {
        lines.word("none");
    } else {
        let titles = ("FD", "READY", "EVENTS", "DATA", "NAME");
        lines.heading(watch_row(titles.0, titles.1, titles.2, titles.3, titles.4));
    }
    // Only where a watched file is not found under its number are all others looked through.
    let others = LazyCell::new(|| by_identity(facts.table));
    for watch in &epoll.watches {
        let ready = match watch.ready {
            Some(true) => "yes",
            Some(false) => "no",
            None => "-",
        };
        let name = |file: &File| cells::name(file, &lines.glyphs);
        let elsewhere = || {
            let file = others.get(&watch.file?)?;
            Some(format!("{}, which is fd {}", name(file), file.fd?))
        };
        let name = watched(watch, facts.table).map(name).or_else(elsewhere).unwrap_or_default();
        let data = format!("{:#x}", watch.data);
        let text = watch_row(&watch.fd.to_string(), ready, &watch.events_text(), &data, &name);
        lines.link(Link::Watch { fd: watch.fd, file: watch.file }, text);
    }
    if !epoll.complete {
        lines.note("the list changed while it was read, or is longer than is read");
    }
}

fn watch_row(fd: &str, ready: &str, events: &str, data: &str, name: &str) -> String {
    format!("{fd:>7} {ready:<5} {events:<12} {data:<12} {name}").trim_end().to_owned()
}

/// The watched file, where the table has it under the number that it was added with.
fn watched<'a>(watch: &Watch, table: Option<&'a FilesTable>) -> Option<&'a File> {
    let place = (None, Some(watch.fd));
    let rows = &table?.rows;
    let first = rows.partition_point(|row| (row.file.tid, row.file.fd) < place);
    rows[first..]
        .iter()
        .take_while(|row| (row.file.tid, row.file.fd) == place)
        .filter(|row| !row.is_closed())
        .map(|row| &*row.file)
        .find(|file| watch.file.is_none() || file.id == watch.file)
}

/// The files that are open, by what they are.
fn by_identity(table: Option<&FilesTable>) -> HashMap<FileId, &File> {
    let rows = table.map_or(&[][..], |table| &table.rows);
    let open = rows.iter().filter(|row| !row.is_closed()).map(|row| &*row.file);
    open.filter_map(|file| Some((file.id?, file))).collect()
}

/// The epoll instances that watch a file: as it says itself, or as the table tells.
fn watchers(file: &File, table: Option<&FilesTable>) -> Option<Vec<u32>> {
    if let Some(watchers) = &file.watched_by {
        return Some(watchers.to_vec());
    }
    let (id, table): (FileId, _) = file.id.zip(table)?;
    let epolls = || table.rows.iter().filter(|row| !row.is_closed()).map(|row| &*row.file);
    let known = epolls().filter(|file| file.kind == Kind::Eventpoll).all(|file| {
        let epoll = file.epoll.as_ref();
        epoll.is_some_and(|epoll| epoll.watches.iter().all(|watch| watch.file.is_some()))
    });
    let watches = |file: &&File| {
        let epoll = file.epoll.as_ref();
        epoll.is_some_and(|epoll| epoll.watches.iter().any(|watch| watch.file == Some(id)))
    };
    known.then(|| epolls().filter(watches).filter_map(|file| file.fd).collect())
}

fn file(lines: &mut Lines, screen: &FileScreen, facts: &Facts<'_>) {
    let row: &TrackedFile = &screen.row;
    let file = &row.file;
    lines.section("File");
    if let Some(presence) = presence(row.presence) {
        lines.field("state", presence.to_owned());
    }
    match screen.root {
        Root::Descriptor { .. } => lines.number("descriptor", file.fd),
        Root::Flight { .. } => lines.field("descriptor", "none: it is in flight".to_owned()),
    }
    if let Some(tid) = file.tid {
        lines.field("thread", format!("{tid}, which has a descriptor table of its own"));
    }
    lines.field("kind", file.kind.name().to_owned());
    lines.field("operations", file.ops.as_deref().map(str::to_owned));
    lines.field("access", access(file));
    let flags = file.flags.map(|flags| flags.names().collect::<Vec<_>>().join(" "));
    lines.field("flags", flags);
    lines.field("close on exec", yes_no(file.cloexec));
    lines.text("path", file.path.as_ref());
    if file.deleted == Some(true) {
        lines.field("deleted", "yes: it has no name any more".to_owned());
    }
    lines.field("size", file.size.get().map(amount));
    lines.field("position", file.pos.get().map(amount));
    lines.number("file system", file.dev);
    if let Some(Device { .. }) = file.rdev {
        lines.number("device", file.rdev);
    }
    lines.number("inode", file.ino.get());
    lines.number("references", file.refs);
    if let Some(watchers) = watchers(file, facts.table) {
        let watchers: Vec<_> = watchers.iter().map(|fd| format!("fd {fd}")).collect();
        let text = if watchers.is_empty() { "none".into() } else { watchers.join(", ") };
        lines.field("watched by epoll", text);
    }
    if matches!(screen.root, Root::Flight { .. }) {
        return;
    }
    let Some(table) = facts.table else { return };
    // The file may have been read later than the table.
    let seen = age(row.seen.age(screen.read));
    lines.field(
        "seen for",
        match row.seen.is_at_least() {
            true => format!("{seen} at least: it was open before"),
            false => seen,
        },
    );
    let key = row.track.and_then(|track| table.groups.get(track.group()));
    let opener = key.and_then(|key| key.opener);
    for (n, frame) in opener
        .and_then(|at| facts.frames.get(&at))
        .into_iter()
        .flat_map(|frames| frames.iter())
        .enumerate()
    {
        let label = if n == 0 { "opened by" } else { "" };
        lines.field(label, name(frame, &facts.glyphs));
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
