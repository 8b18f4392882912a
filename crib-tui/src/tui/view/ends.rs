//! A file's other end: who has it, with both queues side by side, and who else holds the file.

use super::cells;
use super::lines::Lines;
use crate::model::{File, Held, Listed, Peers, Queued, count};
use crate::tui::app::screens::{EndsScreen, Link};
use crate::tui::ends::EndsReading;
use crate::tui::format::{cut_end, name};
use crate::tui::theme::Glyphs;
use crate::tui::widget::sheet::SheetLine;

/// Columns for the name of a process, which the kernel cuts after 15 bytes.
const COMM: usize = 15;

/// What there is to say.
pub fn lines(screen: &EndsScreen, glyphs: Glyphs) -> Vec<SheetLine<Link>> {
    let mut lines = Lines::new(glyphs);
    let Some(reading) = &screen.reading else {
        lines.section("Other end");
        lines.field("looking through", "the open files of all processes".to_owned());
        return lines.lines;
    };
    both_ends(&mut lines, screen, reading);
    holders(&mut lines, screen, reading);
    lines.section("File");
    lines.field("name", cells::name(&screen.file, &glyphs));
    lines.lines
}

fn both_ends(lines: &mut Lines, screen: &EndsScreen, reading: &EndsReading) {
    let peers = &*reading.ends.peers;
    let has_queues = screen.file.queued() != (None, None);
    if has_queues || matches!(peers, Peers::Found(_)) {
        lines.section("Both ends");
        let list = List::Ends { with_queues: has_queues };
        lines.heading(row("", "PID", "COMMAND", "FD", &heading(has_queues)));
        if let Some(own) = &reading.own {
            link(lines, "this", own, list);
        }
        for held in peers.held() {
            link(lines, "other", held, list);
        }
    } else {
        lines.section("Other end");
    }
    match peers {
        Peers::Found(listed) => more(lines, listed),
        Peers::Absent(reason) => lines.field("no other end", reason.to_string()),
    }
}

fn holders(lines: &mut Lines, screen: &EndsScreen, reading: &EndsReading) {
    lines.section("Holders of the same open file");
    let Some(listed) = &reading.ends.holders else {
        return lines.field("not known", "/proc and kcmp(2) do not tell".to_owned());
    };
    if listed.held.is_empty() {
        lines.word("no process's table holds it");
    } else {
        lines.heading(row("", "PID", "COMMAND", "FD", ""));
    }
    let own = reading.own.as_ref().map(Held::place);
    for held in &listed.held {
        link(lines, if Some(held.place()) == own { "this" } else { "" }, held, List::Holders);
    }
    more(lines, listed);
    // Every descriptor is a reference; what is not one is somewhere else.
    let refs = screen.file.refs.map(|refs| refs as usize);
    if let Some(others) = refs.and_then(|refs| refs.checked_sub(listed.all)).filter(|&n| n > 0) {
        let who = "in flight, mapped into memory, or the kernel's own";
        lines.field("also referred to", format!("{}: {who}", count(others as u64, "time")));
    }
}

fn more(lines: &mut Lines, listed: &Listed) {
    if listed.more() > 0 {
        lines.note(format!("and {} more", listed.more()));
    }
}

/// Which list a descriptor is in.
#[derive(Clone, Copy)]
enum List {
    Ends { with_queues: bool },
    Holders,
}

/// A descriptor, which can be opened.
fn link(lines: &mut Lines, role: &str, held: &Held, list: List) {
    let (with_queues, holder) = match list {
        List::Ends { with_queues } => (with_queues, false),
        List::Holders => (false, true),
    };
    let comm = cut_end(&name(&held.comm, &lines.glyphs), COMM, &lines.glyphs).into_owned();
    let fd = held.file.fd.map_or_else(|| "-".to_owned(), |fd| fd.to_string());
    let mut rest = if with_queues { queues(&held.file) } else { String::new() };
    if let Some(tid) = held.file.tid {
        rest = format!("{rest}  thread {tid}");
    }
    let text = row(role, &held.pid.to_string(), &comm, &fd, &rest);
    let Held { pid, file, .. } = held;
    match file.fd {
        Some(fd) => lines.link(Link::Held { pid: *pid, tid: file.tid, fd, holder }, text),
        None => lines.heading(text),
    }
}

fn row(role: &str, pid: &str, comm: &str, fd: &str, rest: &str) -> String {
    use unicode_width::UnicodeWidthStr;
    let padding = " ".repeat(COMM.saturating_sub(comm.width()));
    format!("{role:<6}{pid:>8} {comm}{padding} {fd:>7}{rest}").trim_end().to_owned()
}

fn heading(with_queues: bool) -> String {
    if with_queues { numbers("RECV MSGS", "BYTES", "SEND MSGS", "BYTES") } else { String::new() }
}

/// What waits at one end: for its own reader, and what it has sent.
fn queues(file: &File) -> String {
    let (recv, send) = file.queued();
    let number = |number: Option<u64>| number.map_or_else(|| "-".into(), |n| n.to_string());
    let messages = |queued: Option<Queued>| number(queued.and_then(|q| q.messages));
    let bytes = |queued: Option<Queued>| number(queued.and_then(|q| q.payload));
    numbers(&messages(recv), &bytes(recv), &messages(send), &bytes(send))
}

fn numbers(recv: &str, recv_bytes: &str, send: &str, send_bytes: &str) -> String {
    format!("  {recv:>9} {recv_bytes:>9}  {send:>9} {send_bytes:>9}")
}
