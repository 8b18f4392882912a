//! The first two lines: what the screen is about, in which state it is, and what else there
//! is to know.

use std::time::SystemTime;

use ratatui::style::Style;
use ratatui::text::Span;

use super::{SOON, crumbs, layout, leaks, usage_style};
use crate::model::{PerSecond, ProcessState, QueueName, Seconds, count};
use crate::tui::app::screens::{Body, QueueScreen, Root};
use crate::tui::app::{App, Files, Phase, Screen, Standing};
use crate::tui::format::{clock, interval, name, percent};
use crate::tui::keys::Context;
use crate::tui::theme::Theme;
use crate::tui::widget::bar::Part;
use crate::tui::widget::spark;
use crate::tui::worker::{Tracing, Watched};

/// From so many seconds on, the time until the limit is reached says nothing.
const FAR: f64 = 24.0 * 3600.0;

/// Columns of the sparkline.
const SPARKLINE: usize = 16;

/// That nothing is read.
const PAUSED: &str = "PAUSED";

/// The parts of the title in `width` columns, those at the left and those at the right.
pub fn parts(app: &App, width: u16) -> (Vec<Part<'_>>, Vec<Part<'_>>) {
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
            match files.screens.last() {
                None => (process(app, files), files.table.as_ref().map(|table| table.time), state),
                Some(screen) => {
                    let table = files.table.as_ref().filter(|_| files.no_dumps.is_some());
                    let time = screen.time.or(table.map(|table| table.time));
                    (whereabouts(app, files, screen, width, state), time, state)
                }
            }
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
    // Its files' paths are no paths of ours.
    if process.is_some_and(|process| process.other_mounts == Some(true)) {
        left.push(Part::new(5, [Span::styled("mounts of its own", theme.dim)]));
    }
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
        // One that has ended reaches no limit any more.
        if matches!(files.phase, Phase::Alive) {
            left.extend(growth(&files.watched, theme));
        }
    }
    left
}

/// How fast the descriptors grow, when the limit is reached, and how they came to be so many.
fn growth<'a>(watched: &Watched, theme: &Theme) -> Vec<Part<'a>> {
    let mut parts = Vec::new();
    let Some(rate) = watched.per_second.filter(|&rate| rate != 0.0) else { return parts };
    parts.push(Part::new(4, [Span::raw(PerSecond(rate).to_string())]));
    if let Some(seconds) = watched.seconds_to_limit.filter(|&seconds| seconds < FAR) {
        let style = if seconds < SOON { theme.warning } else { theme.dim };
        parts.push(Part::new(3, [Span::styled(format!("limit in {}", Seconds(seconds)), style)]));
    }
    let levels = spark::line(&watched.levels, SPARKLINE, &theme.glyphs);
    parts.push(Part::new(7, [Span::styled(levels, theme.dim)]));
    parts
}

/// Whether it is traced who opens files, and what is lost.
fn watch(files: &Files, paused: bool) -> String {
    let tracing = &files.watched.tracing;
    let text = match tracing {
        Tracing::Off if files.is_traced(paused) => "being traced".to_owned(),
        Tracing::On(_) | Tracing::Off if files.trace && paused => {
            "not traced while paused".to_owned()
        }
        _ => leaks::tracing_in_words(tracing),
    };
    let parts: Vec<_> = [Some(text), leaks::lost(tracing)].into_iter().flatten().collect();
    format!("openings: {}", parts.join("; "))
}

/// The breadcrumb, in what the state leaves of the line.
fn whereabouts<'a>(
    app: &App,
    files: &Files,
    screen: &Screen,
    width: u16,
    state: Option<&str>,
) -> Vec<Part<'a>> {
    let state = state.or(app.paused.then_some(PAUSED)).map_or(0, |state| state.len() + 2);
    let text = crumbs::text(app, files, usize::from(width).saturating_sub(state));
    let style = match screen.standing {
        Standing::Present => app.theme.title,
        Standing::Closed | Standing::Replaced | Standing::Gone { .. } => app.theme.closed,
    };
    vec![Part::new(0, [Span::styled(text, style)])]
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
        None if app.paused => right.push(Part::new(0, [Span::styled(PAUSED, theme.warning)])),
        None => {}
    }
    right
}

/// How much the notice is needed.
pub fn weight(app: &App) -> layout::Notice {
    match kind(app) {
        None => layout::Notice::None,
        Some(Notice::CommandLine | Notice::Queue | Notice::Watch) => layout::Notice::Background,
        Some(
            Notice::Error
            | Notice::Ended
            | Notice::Standing
            | Notice::Torn
            | Notice::Incomplete
            | Notice::Source,
        ) => layout::Notice::Warning,
    }
}

/// What the second line is about, the most pressing first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Notice {
    Error,
    Ended,
    /// What the screen shows is not there any more.
    Standing,
    /// What the screen shows changed while it was read, or not all of it was read.
    Torn,
    Incomplete,
    Source,
    /// The sums over the queue that is shown.
    Queue,
    /// Whether it is traced who opens files.
    Watch,
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
        if let Some(screen) = files.screens.last() {
            if screen.standing != Standing::Present {
                return Some(Notice::Standing);
            }
            if torn(files, screen).is_some() {
                return Some(Notice::Torn);
            }
            if matches!(screen.body, Body::Queue(_)) {
                return Some(Notice::Queue);
            }
            if matches!(screen.body, Body::Groups(_)) {
                return Some(Notice::Watch);
            }
        } else if files.table.as_ref().is_some_and(|table| !table.complete) {
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
        Notice::Standing => {
            let files = app.files.as_ref()?;
            (standing(app, files, files.screens.last()?)?, theme.warning)
        }
        Notice::Torn => {
            let files = app.files.as_ref()?;
            (torn(files, files.screens.last()?)?, theme.warning)
        }
        Notice::Queue => match &app.files.as_ref()?.screens.last()?.body {
            Body::Queue(screen) => (sums(screen)?, theme.dim),
            _ => return None,
        },
        Notice::Watch => (watch(app.files.as_ref()?, app.paused), theme.dim),
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
    let screen = files.screens.last().and_then(|screen| screen.time);
    if let Some(time) = screen.or(files.table.as_ref().map(|table| table.time)) {
        text.push_str(&format!("; this is its last reading, of {}", clock(time, &app.zone)));
    }
    Some(text)
}

/// That what the screen shows is not there any more.
fn standing(app: &App, files: &Files, screen: &Screen) -> Option<String> {
    let root = files.screens.iter().rev().find_map(|screen| match screen.file()?.root {
        Root::Descriptor { fd, .. } => Some(fd),
        Root::Flight { .. } => None,
    });
    let root = root.map_or_else(|| "the file".to_owned(), |fd| format!("fd {fd}"));
    let mut text = match screen.standing {
        Standing::Present => return None,
        Standing::Closed => format!("{root} was closed"),
        Standing::Replaced => format!("{root} was closed and stands for another file now"),
        Standing::Gone { queue } => {
            let what = if screen.packet().is_some() { "" } else { "its message is " };
            format!("{what}gone from the queue: {}", whereto(queue))
        }
    };
    // What went away before it was read itself is known from the screen below.
    if let Some(time) = files.screens.iter().rev().find_map(|screen| screen.time) {
        text.push_str(&format!("; this is the last copy, of {}", clock(time, &app.zone)));
    }
    Some(text)
}

/// What becomes of a packet that leaves a queue.
fn whereto(queue: QueueName) -> &'static str {
    match queue {
        QueueName::Receive | QueueName::Reader | QueueName::Error | QueueName::Pipe => {
            "read by the program"
        }
        QueueName::Write => "sent",
        QueueName::Retransmit => "acknowledged, or sent again",
        QueueName::OutOfOrder => "the gap before it was filled, or it was dropped",
        QueueName::Backlog => "taken over into another queue, or dropped",
        QueueName::Accept => "accepted by the program, or given up",
    }
}

/// That what is shown may be wrong or not all there is.
fn torn(files: &Files, screen: &Screen) -> Option<String> {
    if !files.complete {
        return Some("the reading is incomplete".to_owned());
    }
    match &screen.body {
        Body::Queue(shown) => {
            let queue = shown.queue.as_ref()?;
            if queue.torn {
                let text = "torn: the queue changed while it was read; packets may be missing or \
                            be there twice";
                return Some(text.to_owned());
            }
            let missing = shown.missing();
            (missing > 0 && !queue.complete).then(|| {
                format!("the queue could not be read to its end: {missing} packets are missing")
            })
        }
        _ => None,
    }
}

/// Messages, bytes and memory of a queue.
fn sums(screen: &QueueScreen) -> Option<String> {
    let queue = screen.queue.as_ref()?;
    let parts = [
        queue.messages.map(|messages| count(messages, "message")),
        queue.payload.map(|payload| count(payload, "byte")),
        queue.memory.map(|memory| format!("{} of memory", count(memory, "byte"))),
    ];
    Some(parts.into_iter().flatten().collect::<Vec<_>>().join(", "))
}
