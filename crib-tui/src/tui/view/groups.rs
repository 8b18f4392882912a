//! A process's files in groups, with what becomes of each.

use std::sync::Arc;

use ratatui::buffer::Buffer;
use ratatui::style::Style;
use ratatui::text::Line;

use super::layout::Regions;
use super::{millionths, number, say};
use crate::model::PerSecond;
use crate::model::column::Value;
use crate::model::groups::{GroupName, GroupSummary, OpenerId};
use crate::model::leaks::Frame;
use crate::tui::app::screens::GroupsScreen;
use crate::tui::app::{App, Files};
use crate::tui::format::{age, bytes, cut_end, name, shifted};
use crate::tui::theme::{Glyphs, Theme};
use crate::tui::widget::spark;
use crate::tui::widget::table::{Align, Column, Direction, FILL, Rows, draw_headings, draw_rows};
use crate::watch::Frames;

/// What all cells need.
pub struct Context {
    theme: Theme,
    frames: Arc<Frames>,
    shift: u16,
}

/// The columns.
pub const COLUMNS: &[Column<GroupSummary, Context>] = &[
    Column {
        title: "FDS",
        min: 6,
        max: 8,
        priority: 0,
        align: Align::Right,
        first: Direction::Descending,
        cell: |group, context, _| number(Some(group.count), &context.theme),
        key: |group, _| Value::from(group.count),
    },
    Column {
        title: "OPEN/S",
        min: 7,
        max: 8,
        priority: 3,
        align: Align::Right,
        first: Direction::Descending,
        cell: |group, context, _| rate(group.opened_per_second, &context.theme),
        key: |group, _| millionths(group.opened_per_second),
    },
    Column {
        title: "CLOSE/S",
        min: 8,
        max: 8,
        priority: 3,
        align: Align::Right,
        first: Direction::Descending,
        cell: |group, context, _| rate(group.closed_per_second, &context.theme),
        key: |group, _| millionths(group.closed_per_second),
    },
    Column {
        title: "GROWTH",
        min: 9,
        max: 10,
        priority: 1,
        align: Align::Right,
        first: Direction::Descending,
        cell: |group, context, _| {
            let text = PerSecond(group.per_second).to_string();
            let style = match group.suspected {
                true => context.theme.error,
                false if group.per_second == 0.0 => context.theme.dim,
                false => Style::new(),
            };
            Line::styled(text, style)
        },
        key: |group, _| millionths(Some(group.per_second)),
    },
    Column {
        title: "OLDEST",
        min: 7,
        max: 7,
        priority: 5,
        align: Align::Right,
        first: Direction::Descending,
        cell: |group, context, _| {
            let at_least = if group.oldest_is_at_least { ">" } else { "" };
            let text = group.oldest.map(|oldest| format!("{at_least}{}", age(oldest)));
            Line::styled(text.unwrap_or_default(), context.theme.dim)
        },
        key: |group, _| millionths(group.oldest.map(|oldest| oldest.as_secs_f64())),
    },
    Column {
        title: "QUEUED",
        min: 7,
        max: 7,
        priority: 4,
        align: Align::Right,
        first: Direction::Descending,
        cell: |group, context, _| match group.queued {
            None => Line::default(),
            Some(0) => Line::styled("0", context.theme.dim),
            Some(queued) => Line::raw(bytes(queued)),
        },
        key: |group, _| Value::from(group.queued),
    },
    Column {
        title: "COUNT",
        min: 10,
        max: 24,
        priority: 2,
        align: Align::Left,
        first: Direction::Descending,
        cell: |group, context, width| {
            Line::raw(spark::line(&group.levels, width.into(), &context.theme.glyphs))
        },
        // By how much it has changed since the first reading.
        key: |group, _| {
            let ends = group.levels.first().zip(group.levels.last());
            ends.map_or(Value::Unknown, |(&first, &last)| {
                Value::Int(i128::from(last) - i128::from(first))
            })
        },
    },
    Column {
        title: "BYTES",
        min: 10,
        max: 16,
        priority: 6,
        align: Align::Left,
        first: Direction::Descending,
        cell: |group, context, width| match group.queued {
            None => Line::default(),
            Some(_) => {
                let levels = &group.queued_levels;
                Line::raw(spark::line(levels, width.into(), &context.theme.glyphs))
            }
        },
        key: |group, _| Value::from(group.queued_levels.last().copied()),
    },
    Column {
        title: "GROUP",
        min: 26,
        max: FILL,
        priority: 0,
        align: Align::Left,
        first: Direction::Ascending,
        cell: |group, context, width| {
            let glyphs = &context.theme.glyphs;
            let text = label(&group.name, &context.frames, glyphs);
            // A stack is known by its innermost functions, a label by where it ends too.
            let is_stack = matches!(group.name, GroupName::Opener(_));
            let text = match context.shift {
                0 if is_stack => cut_end(&text, width.into(), glyphs),
                shift => shifted(&text, shift, width.into(), glyphs),
            };
            Line::raw(text.into_owned())
        },
        key: |group, room| {
            *room = plain(&group.name);
            Value::from(room.as_str())
        },
    },
];

/// What a group is called.
pub fn label(group: &GroupName, frames: &Frames, glyphs: &Glyphs) -> String {
    match group {
        GroupName::Opener(Some(opener)) => match frames.get(opener) {
            Some(frames) => calls(frames, glyphs),
            None => plain(group),
        },
        GroupName::Label(_, label) | GroupName::Wider(_, label) if glyphs.ascii => {
            format!(
                "{} {}",
                plain(group).split(' ').next().unwrap_or_default(),
                name(label, glyphs)
            )
        }
        _ => plain(group),
    }
}

/// The same without the functions' names.
fn plain(group: &GroupName) -> String {
    match group {
        GroupName::Label(kind, label) | GroupName::Wider(kind, label) => {
            format!("{} {label}", kind.name())
        }
        GroupName::Kind(kind) => kind.name().to_owned(),
        GroupName::Opener(Some(OpenerId(number))) => format!("stack {number}"),
        GroupName::Opener(None) => "not seen when it was opened".to_owned(),
        GroupName::Namespace(Some(inode)) => format!("net:[{inode}]"),
        GroupName::Namespace(None) => "no socket".to_owned(),
    }
}

/// The functions of a stack in one line, innermost first: `socket < connect < main`.
fn calls(frames: &[Frame], glyphs: &Glyphs) -> String {
    let function = |frame: &Frame| match (&frame.symbol, &frame.module, frame.offset) {
        (Some(symbol), _, _) => name(symbol, glyphs),
        (None, Some(module), Some(offset)) => format!("{}+{offset:#x}", name(module, glyphs)),
        _ => format!("{:#x}", frame.address),
    };
    frames.iter().map(function).collect::<Vec<_>>().join(" < ")
}

fn rate<'a>(per_second: Option<f64>, theme: &Theme) -> Line<'a> {
    match per_second {
        None => super::dash(theme),
        Some(0.0) => Line::styled("0", theme.dim),
        Some(rate) => Line::raw(format!("{rate:.1}")),
    }
}

/// Draws headings and rows, or what there is to say where there are no rows.
pub fn draw(
    app: &App,
    files: &Files,
    screen: &GroupsScreen,
    regions: &Regions,
    buffer: &mut Buffer,
) {
    draw_headings(buffer, regions.headings, COLUMNS, screen.sort, &app.theme);
    if screen.order.is_empty() {
        let text = if screen.rows.is_some() { "no open files" } else { "reading its open files" };
        return say(buffer, regions.body, text, app.theme.dim, &app.theme);
    }
    let frames = Arc::clone(&files.watched.frames);
    let context = Context { theme: app.theme, frames, shift: screen.shift };
    let rows = screen.rows.as_deref().unwrap_or_default();
    let at = |index: usize| &rows[screen.order[index] as usize];
    let rows = Rows {
        len: screen.order.len(),
        offset: screen.cursor.offset(),
        selected: screen.cursor.index(),
        at: &at,
        look: |group, context: &Context| match group.suspected {
            true => ("!", context.theme.warning),
            false => ("", Style::new()),
        },
    };
    draw_rows(buffer, regions.body, COLUMNS, &rows, &context, &app.theme);
}
