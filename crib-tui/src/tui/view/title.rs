//! The first two lines: what the screen is about, in which state it is, and what else there
//! is to know.

use std::time::SystemTime;

use ratatui::style::Style;
use ratatui::text::Span;

use super::{layout, usage_style};
use crate::model::ProcessState;
use crate::tui::app::{App, Files, Phase};
use crate::tui::format::{clock, interval, name, percent};
use crate::tui::keys::Context;
use crate::tui::widget::bar::Part;

/// The parts of the title, those at the left and those at the right.
pub fn parts(app: &App) -> (Vec<Part<'_>>, Vec<Part<'_>>) {
    let theme = &app.theme;
    let (left, time, state) = match (app.context(), &app.files) {
        (Context::Help, _) => {
            let title = Part::new(0, [Span::styled("crib-top", theme.title), Span::raw(" help")]);
            return (vec![title], Vec::new());
        }
        (_, None) => {
            let time = app.picker.list.as_ref().map(|list| list.reading.time);
            (processes(app), time, None)
        }
        (_, Some(files)) => {
            let state = match files.phase {
                Phase::Alive => None,
                Phase::NoProcess => Some("NOT FOUND"),
                Phase::Ended { .. } => Some("ENDED"),
            };
            (process(app, files), files.table.as_ref().map(|table| table.time), state)
        }
    };
    (left, right(app, time, state))
}

fn processes(app: &App) -> Vec<Part<'_>> {
    let title = Part::new(0, [Span::styled("crib-top", app.theme.title)]);
    let all = app.picker.entries().len();
    if app.picker.list.is_none() {
        return vec![title];
    }
    let text = match app.picker.query() {
        "" => format!("{all} processes"),
        _ => format!("{} of {all} processes", app.picker.order.len()),
    };
    vec![title, Part::new(1, [Span::raw(text)])]
}

fn process<'a>(app: &'a App, files: &'a Files) -> Vec<Part<'a>> {
    let theme = &app.theme;
    let mut left = vec![Part::new(0, [Span::styled(who(app, files), theme.title)])];
    let process = files.process();
    let user = process.and_then(|process| {
        process.user.clone().or_else(|| process.uid.map(|uid| format!("uid {uid}")))
    });
    left.extend(user.map(|user| Part::new(3, [Span::raw(name(&user, &theme.glyphs))])));
    if let Some(table) = &files.table {
        let limit = table.process.fd_limit;
        let count = match limit {
            Some(limit) => format!("{} of {limit} fds", table.open),
            None => format!("{} fds", table.open),
        };
        left.push(Part::new(2, [Span::raw(count)]));
        // A length of memory, which no u64 of descriptors exceeds.
        if let Some(percent) = percent(table.open as u64, limit) {
            let style = usage_style(percent, theme);
            left.push(Part::new(1, [Span::styled(format!("{percent}%"), style)]));
        }
    }
    if let Some(detail) = &files.detail {
        let fd = detail.row.file.fd.map_or_else(|| "a file".to_owned(), |fd| format!("fd {fd}"));
        let (_, style) = super::files::look(&detail.row, theme);
        let closed = if detail.row.is_closed() { " closed" } else { "" };
        left.insert(1, Part::new(0, [Span::styled(format!("{fd}{closed}"), style)]));
    }
    left
}

/// Pid and command.
fn who(app: &App, files: &Files) -> String {
    match files.process() {
        Some(process) => format!("{} {}", files.pid, name(&process.comm, &app.theme.glyphs)),
        None => files.pid.to_string(),
    }
}

fn right<'a>(app: &App, time: Option<SystemTime>, state: Option<&'a str>) -> Vec<Part<'a>> {
    let theme = &app.theme;
    let mut right = vec![
        Part::new(5, [Span::styled(app.opened.source.name(), theme.dim)]),
        Part::new(6, [Span::styled(format!("every {}", interval(app.delay)), theme.dim)]),
    ];
    if let Some(time) = time {
        right.push(Part::new(4, [Span::raw(clock(time, &app.zone))]));
    }
    match state {
        Some(state) => right.push(Part::new(0, [Span::styled(state, theme.error)])),
        None if app.paused => right.push(Part::new(0, [Span::styled("PAUSED", theme.warning)])),
        None => {}
    }
    right
}

/// How much the notice is needed.
pub fn weight(app: &App) -> layout::Notice {
    match kind(app) {
        None => layout::Notice::None,
        Some(Notice::CommandLine) => layout::Notice::Background,
        Some(Notice::Error | Notice::Ended | Notice::Incomplete | Notice::Source) => {
            layout::Notice::Warning
        }
    }
}

/// What the second line is about, the most pressing first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Notice {
    Error,
    Ended,
    Incomplete,
    Source,
    CommandLine,
}

fn kind(app: &App) -> Option<Notice> {
    if app.help.is_some() {
        return None;
    }
    let error = app.files.as_ref().map_or(&app.picker.error, |files| &files.error);
    if error.is_some() {
        return Some(Notice::Error);
    }
    if let Some(files) = &app.files {
        if matches!(files.phase, Phase::Ended { .. }) {
            return Some(Notice::Ended);
        }
        if files.table.as_ref().is_some_and(|table| !table.complete) {
            return Some(Notice::Incomplete);
        }
    }
    if app.opened.reason.is_some() {
        return Some(Notice::Source);
    }
    app.files.as_ref().and_then(Files::process).map(|_| Notice::CommandLine)
}

/// The second line.
pub fn notice(app: &App) -> Option<(String, Style)> {
    let theme = &app.theme;
    Some(match kind(app)? {
        Notice::Error => {
            let error = app.files.as_ref().map_or(&app.picker.error, |files| &files.error);
            (format!("{}; trying again", error.as_deref()?), theme.error)
        }
        Notice::Ended => (ended(app)?, theme.warning),
        Notice::Incomplete => {
            ("the latest reading is incomplete: files may be missing".into(), theme.warning)
        }
        Notice::Source => {
            (format!("read from /proc: {}", app.opened.reason.as_deref()?), theme.warning)
        }
        Notice::CommandLine => {
            let process = app.files.as_ref()?.process()?;
            let text = match process.state {
                ProcessState::KernelThread => "kernel thread".into(),
                ProcessState::Zombie => "zombie: its first thread has ended".into(),
                ProcessState::Alive => name(&process.cmdline, &theme.glyphs),
            };
            (text, theme.dim)
        }
    })
}

fn ended(app: &App) -> Option<String> {
    let files = app.files.as_ref()?;
    let mut text = format!("process {} has ended", who(app, files));
    if files.phase == (Phase::Ended { zombie: true }) {
        text.push_str(" (a zombie: its parent has not waited for it)");
    }
    if let Some(table) = &files.table {
        text.push_str(&format!("; this is its last reading, of {}", clock(table.time, &app.zone)));
    }
    Some(text)
}
