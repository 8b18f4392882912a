//! The breadcrumb: where one is, from the process to the packet.

use unicode_width::UnicodeWidthStr;

use super::cells;
use crate::model::{File, QueueName};
use crate::tui::app::screens::{Body, FileScreen, Root, Screen};
use crate::tui::app::{App, Files};
use crate::tui::format::name;

/// Where one is, in at most `width` columns where that can be: what is left out first is what
/// sort of file it is, then what lies between, from the outside in.
pub fn text(app: &App, files: &Files, width: usize) -> String {
    let process = match files.process() {
        Some(process) => format!("{} {}", name(&process.comm, &app.theme.glyphs), files.pid),
        None => files.pid.to_string(),
    };
    let crumbs = |whole: bool| -> Vec<String> {
        let below = std::iter::once(None).chain(files.screens.iter().map(Some));
        let screens = below.zip(&files.screens).map(|(below, screen)| crumb(screen, below, whole));
        std::iter::once(process.clone()).chain(screens).collect()
    };
    let (long, short) = (crumbs(true), crumbs(false));
    let ellipsis = app.theme.glyphs.ellipsis;
    // Process and file are kept as long as there is room for them, then the process.
    let shortened = [2, 1].into_iter().flat_map(|kept| {
        let short = &short;
        (kept + 1..short.len()).map(move |from| {
            joined(&[&short[..kept], &[ellipsis.to_owned()], &short[from..]].concat())
        })
    });
    let ends = (1..short.len()).map(|left_out| {
        let kept = [&[ellipsis.to_owned()], &short[left_out..]].concat();
        joined(&kept)
    });
    let last = short.last().cloned().unwrap_or_default();
    let mut wanted = [joined(&long), joined(&short)].into_iter().chain(shortened).chain(ends);
    wanted.find(|text| text.width() <= width).unwrap_or(last)
}

fn joined(crumbs: &[String]) -> String {
    crumbs.join(" > ")
}

fn crumb(screen: &Screen, below: Option<&Screen>, whole: bool) -> String {
    match &screen.body {
        Body::File(file) if whole => format!("{} {}", place(file), sort(&file.row.file)),
        Body::File(file) => place(file),
        Body::Queue(queue) => queue.name.name().to_owned(),
        Body::Groups(groups) => format!("groups by {}", groups.grouping.name()),
        Body::Leaks(_) => "leaks".to_owned(),
        Body::Ends(ends) => match (below.map(|below| &below.body), ends.file.fd) {
            (None, Some(fd)) => format!("other end of fd {fd}"),
            _ => "other end".to_owned(),
        },
        Body::Lints(_) => "findings".to_owned(),
        Body::Packet(packet) => {
            let what = if packet.queue == QueueName::Accept { "connection" } else { "packet" };
            let moved = match below.map(|below| &below.body) {
                Some(Body::Queue(queue)) if queue.name != packet.queue => {
                    format!(" in {}", packet.queue.name())
                }
                _ => String::new(),
            };
            format!("{what} {}{moved}", packet.packet.index)
        }
    }
}

fn place(file: &FileScreen) -> String {
    match file.root {
        Root::Descriptor { fd, tid: None } => format!("fd {fd}"),
        Root::Descriptor { fd, tid: Some(tid) } => format!("thread {tid} fd {fd}"),
        Root::Flight { file } => format!("file {file}"),
    }
}

fn sort(file: &File) -> String {
    let kind = file.kind.name();
    match file.socket.as_deref().map(cells::label) {
        Some(label) if !label.is_empty() => format!("{kind} {label}"),
        _ => kind.to_owned(),
    }
}
