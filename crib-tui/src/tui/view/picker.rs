//! The list of processes.

use std::time::Duration;

use ratatui::buffer::Buffer;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::layout::Regions;
use super::{SOON, dash, millionths, number, usage_style};
use crate::model::column::Value;
use crate::model::{PerSecond, Process, ProcessState, Seconds};
use crate::tui::app::{App, ProcessEntry};
use crate::tui::format::{age, bytes, cut_end, name, percent, shifted};
use crate::tui::theme::Theme;
use crate::tui::widget::table::{Align, Column, Direction, FILL, Rows, draw_headings, draw_rows};

/// What all cells of the list need.
pub struct Context {
    theme: Theme,
    uptime: Duration,
    ticks_per_second: u64,
    shift: u16,
}

/// The place of the column FDS in [`COLUMNS`].
pub const FDS: usize = 2;

/// The columns.
pub const COLUMNS: &[Column<ProcessEntry, Context>] = &[
    Column {
        title: "PID",
        min: 7,
        max: 7,
        priority: 0,
        align: Align::Right,
        first: Direction::Ascending,
        cell: |ProcessEntry { process, .. }, _, _| Line::raw(process.pid.to_string()),
        key: |ProcessEntry { process, .. }, _| Value::from(process.pid),
    },
    Column {
        title: "USER",
        min: 8,
        max: 16,
        priority: 4,
        align: Align::Left,
        first: Direction::Ascending,
        cell: |ProcessEntry { process, .. }, context, _| user(process, &context.theme),
        key: |ProcessEntry { process, .. }, _| match (&process.user, process.uid) {
            (Some(user), _) => Value::from(user.as_str()),
            (None, uid) => Value::from(uid.map(|uid| uid.to_string())),
        },
    },
    Column {
        title: "FDS",
        min: 6,
        max: 7,
        priority: 1,
        align: Align::Right,
        first: Direction::Descending,
        cell: |ProcessEntry { totals, .. }, context, _| {
            number(totals.map(|totals| totals.fd_count), &context.theme)
        },
        key: |ProcessEntry { totals, .. }, _| Value::from(totals.map(|totals| totals.fd_count)),
    },
    Column {
        title: "LIMIT",
        min: 8,
        max: 8,
        priority: 5,
        align: Align::Right,
        first: Direction::Descending,
        cell: |ProcessEntry { process, .. }, context, _| limit(process.fd_limit, &context.theme),
        key: |ProcessEntry { process, .. }, _| Value::from(process.fd_limit),
    },
    Column {
        title: "USE%",
        min: 5,
        max: 14,
        priority: 2,
        align: Align::Right,
        first: Direction::Descending,
        cell: |entry, context, width| usage(entry, &context.theme, width),
        key: |ProcessEntry { process, totals, .. }, _| {
            // To a millionth, so that 1 of 1,000,000 is more than nothing.
            let share = |fds: u64| percent(fds.saturating_mul(10_000), process.fd_limit);
            Value::from(totals.and_then(|totals| share(totals.fd_count)))
        },
    },
    Column {
        title: "GROWTH",
        min: 9,
        max: 9,
        priority: 3,
        align: Align::Right,
        first: Direction::Descending,
        cell: |entry, context, _| match entry.per_second {
            None => dash(&context.theme),
            Some(0.0) => Line::styled("0", context.theme.dim),
            Some(rate) => Line::raw(PerSecond(rate).to_string()),
        },
        key: |entry, _| millionths(entry.per_second),
    },
    Column {
        title: "FULL IN",
        min: 8,
        max: 8,
        priority: 4,
        align: Align::Right,
        first: Direction::Ascending,
        cell: |entry, context, _| {
            let Some(seconds) = entry.seconds_to_limit else { return Line::default() };
            let style = if seconds < SOON { context.theme.warning } else { Style::new() };
            Line::styled(Seconds(seconds).to_string(), style)
        },
        key: |entry, _| millionths(entry.seconds_to_limit),
    },
    Column {
        title: "SOCKS",
        min: 6,
        max: 7,
        priority: 4,
        align: Align::Right,
        first: Direction::Descending,
        cell: |ProcessEntry { totals, .. }, context, _| {
            number(totals.and_then(|totals| totals.sockets), &context.theme)
        },
        key: |ProcessEntry { totals, .. }, _| Value::from(totals.and_then(|totals| totals.sockets)),
    },
    Column {
        title: "RECV-Q",
        min: 7,
        max: 8,
        priority: 3,
        align: Align::Right,
        first: Direction::Descending,
        cell: |ProcessEntry { totals, .. }, context, _| {
            amount(totals.and_then(|totals| totals.recv_payload), &context.theme)
        },
        key: |ProcessEntry { totals, .. }, _| {
            Value::from(totals.and_then(|totals| totals.recv_payload))
        },
    },
    Column {
        title: "SEND-Q",
        min: 7,
        max: 8,
        priority: 3,
        align: Align::Right,
        first: Direction::Descending,
        cell: |ProcessEntry { totals, .. }, context, _| {
            amount(totals.and_then(|totals| totals.send_payload), &context.theme)
        },
        key: |ProcessEntry { totals, .. }, _| {
            Value::from(totals.and_then(|totals| totals.send_payload))
        },
    },
    Column {
        title: "AGE",
        min: 5,
        max: 6,
        priority: 5,
        align: Align::Right,
        first: Direction::Descending,
        cell: |ProcessEntry { process, .. }, context, _| {
            let started = process.start_ticks / context.ticks_per_second;
            let age_of = context.uptime.saturating_sub(Duration::from_secs(started));
            Line::styled(age(age_of), context.theme.dim)
        },
        // Who started earlier is older.
        key: |ProcessEntry { process, .. }, _| Value::Int(-i128::from(process.start_ticks)),
    },
    Column {
        title: "COMMAND",
        min: 12,
        max: 16,
        priority: 0,
        align: Align::Left,
        first: Direction::Ascending,
        cell: |ProcessEntry { process, .. }, context, width| {
            let comm = name(&process.comm, &context.theme.glyphs);
            let comm = cut_end(&comm, width.into(), &context.theme.glyphs).into_owned();
            Line::styled(comm, command_style(process, &context.theme))
        },
        key: |ProcessEntry { process, .. }, _| Value::from(&process.comm),
    },
    Column {
        title: "COMMAND LINE",
        min: 16,
        max: FILL,
        priority: 6,
        align: Align::Left,
        first: Direction::Ascending,
        cell: |ProcessEntry { process, .. }, context, width| {
            let theme = &context.theme;
            let text = match process.state {
                ProcessState::KernelThread => "kernel thread".to_owned(),
                ProcessState::Zombie => "zombie".to_owned(),
                ProcessState::Alive => name(&process.cmdline, &theme.glyphs),
            };
            // A command line is known by how it begins.
            let text = match context.shift {
                0 => cut_end(&text, width.into(), &theme.glyphs),
                shift => shifted(&text, shift, width.into(), &theme.glyphs),
            };
            Line::styled(text.into_owned(), theme.dim)
        },
        key: |ProcessEntry { process, .. }, _| Value::from(&process.cmdline),
    },
];

fn command_style(process: &Process, theme: &Theme) -> Style {
    match process.state {
        ProcessState::Alive => theme.title,
        ProcessState::Zombie | ProcessState::KernelThread => theme.dim,
    }
}

fn user<'a>(process: &Process, theme: &Theme) -> Line<'a> {
    match (&process.user, process.uid) {
        (Some(user), _) => Line::raw(name(user, &theme.glyphs)),
        (None, Some(uid)) => Line::raw(uid.to_string()),
        (None, None) => dash(theme),
    }
}

/// A limit; one of eight digits and more is usually as good as none, and shown compact.
fn limit<'a>(limit: Option<u64>, theme: &Theme) -> Line<'a> {
    match limit {
        Some(limit @ 10_000_000..) => Line::raw(bytes(limit)),
        limit => number(limit, theme),
    }
}

fn amount<'a>(amount: Option<u64>, theme: &Theme) -> Line<'a> {
    match amount {
        None => dash(theme),
        Some(0) => Line::styled("0", theme.dim),
        Some(amount) => Line::raw(bytes(amount)),
    }
}

/// The share of the limit, as a bar too where there is room for one.
fn usage<'a>(
    ProcessEntry { process, totals, .. }: &ProcessEntry,
    theme: &Theme,
    width: u16,
) -> Line<'a> {
    let Some(percent) = totals.and_then(|totals| percent(totals.fd_count, process.fd_limit)) else {
        return dash(theme);
    };
    let style = usage_style(percent, theme);
    let figure = Span::styled(format!("{percent:>4}%"), style);
    let room = width.saturating_sub(6);
    if room < 4 {
        return Line::from(figure);
    }
    let mut spans = bar(percent, room.into(), theme, style);
    spans.push(figure);
    Line::from(spans)
}

fn bar<'a>(percent: u64, width: usize, theme: &Theme, style: Style) -> Vec<Span<'a>> {
    // Anything at all shows; only all of it fills the bar.
    let full = (usize::try_from(percent.min(100)).unwrap_or(100) * width).div_ceil(100);
    vec![
        Span::styled(theme.glyphs.full.repeat(full), style),
        Span::styled(theme.glyphs.empty.repeat(width - full), theme.dim),
    ]
}

/// Draws headings and rows, or what there is to say where there are no rows.
pub fn draw(app: &App, regions: &Regions, buffer: &mut Buffer) {
    let picker = &app.picker;
    let sort = (!picker.ranked).then_some(picker.sort);
    draw_headings(buffer, regions.headings, COLUMNS, sort, &app.theme);
    let Some(list) = &picker.list else {
        let text = if picker.error.is_some() { "" } else { "reading all processes" };
        return super::say(buffer, regions.body, text, app.theme.dim, &app.theme);
    };
    if picker.order.is_empty() {
        let text = if picker.query().is_empty() { "no processes" } else { "no process matches" };
        return super::say(buffer, regions.body, text, app.theme.dim, &app.theme);
    }
    let context = Context {
        theme: app.theme,
        uptime: list.uptime,
        ticks_per_second: rustix::param::clock_ticks_per_second().max(1),
        shift: picker.shift,
    };
    let at = |index: usize| &picker.entries()[picker.order[index] as usize];
    let rows = Rows {
        len: picker.order.len(),
        offset: picker.cursor.offset(),
        selected: picker.cursor.index(),
        at: &at,
        look: |_, _| ("", Style::new()),
    };
    draw_rows(buffer, regions.body, COLUMNS, &rows, &context, &app.theme);
}
