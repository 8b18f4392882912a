//! The table of one process's files.

use std::time::Duration;

use ratatui::buffer::Buffer;
use ratatui::style::Style;
use ratatui::text::Line;

use super::layout::Regions;
use super::{cells, lints, say};
use crate::model::column::Value;
use crate::model::{
    AccessMode, Changed, File, FileKey, Presence, ProcessState, Queued, Seen, TrackedFile,
};
use crate::tui::app::{App, Files, Phase};
use crate::tui::format::{age, flags, push_flags, queue, shifted};
use crate::tui::theme::{Glyphs, Theme};
use crate::tui::widget::table::{Align, Column, Direction, FILL, Rows, draw_headings, draw_rows};

/// What all cells of the table need.
pub struct Context {
    theme: Theme,
    /// How long after the first reading that is.
    now: Duration,
    shift: u16,
    /// The rows on the screen about which lints found something.
    troubled: Vec<FileKey>,
}

/// The columns.
pub const COLUMNS: &[Column<TrackedFile, Context>] = &[
    Column {
        title: "FD",
        min: 7,
        max: 7,
        priority: 0,
        align: Align::Right,
        first: Direction::Ascending,
        cell: |row, _, _| Line::raw(row.file.fd.map(|fd| fd.to_string()).unwrap_or_default()),
        key: |row, _| {
            // As the reading is ordered: the process's own table, then those of threads.
            let thread = row.file.tid.map_or(0, |tid| i128::from(tid) + 1);
            row.file.fd.map_or(Value::Unknown, |fd| Value::Int((thread << 32) + i128::from(fd)))
        },
    },
    Column {
        title: "KIND",
        min: 9,
        max: 11,
        priority: 1,
        align: Align::Left,
        first: Direction::Ascending,
        cell: |row, _, _| Line::raw(row.file.kind.name()),
        key: |row, _| Value::from(row.file.kind.name()),
    },
    Column {
        title: "OPS",
        min: 15,
        max: 22,
        priority: 7,
        align: Align::Left,
        first: Direction::Ascending,
        cell: |row, context, _| {
            Line::styled(row.file.ops.as_deref().unwrap_or("-"), context.theme.dim)
        },
        key: |row, _| Value::from(row.file.ops.as_deref()),
    },
    Column {
        title: "MODE",
        min: 5,
        max: 5,
        priority: 5,
        align: Align::Left,
        first: Direction::Ascending,
        cell: |row, _, _| Line::raw(row.file.mode.map_or("", AccessMode::name)),
        key: |row, _| row.file.mode.map(AccessMode::name).into(),
    },
    Column {
        title: "FLAGS",
        min: 8,
        max: 14,
        priority: 6,
        align: Align::Left,
        first: Direction::Ascending,
        cell: |row, _, _| Line::raw(flags(row.file.flags, row.file.cloexec)),
        key: |row, room| {
            room.clear();
            push_flags(room, row.file.flags, row.file.cloexec);
            Value::from(&**room)
        },
    },
    Column {
        title: "RECV-Q",
        min: 7,
        max: 11,
        priority: 2,
        align: Align::Right,
        first: Direction::Descending,
        cell: |row, context, _| counts(row, row.file.queued().0, row.recv, &context.theme),
        key: |row, _| waiting(row.file.queued().0),
    },
    Column {
        title: "SEND-Q",
        min: 7,
        max: 11,
        priority: 2,
        align: Align::Right,
        first: Direction::Descending,
        cell: |row, context, _| counts(row, row.file.queued().1, row.send, &context.theme),
        key: |row, _| waiting(row.file.queued().1),
    },
    Column {
        title: "SIZE/POS",
        min: 9,
        max: 13,
        priority: 3,
        align: Align::Right,
        first: Direction::Descending,
        cell: |row, _, _| Line::raw(cells::size_and_pos(&row.file)),
        key: |row, _| match row.file.size.get() {
            Some(size) => Value::from(size),
            None => Value::from(row.file.pos.get()),
        },
    },
    Column {
        title: "AGE",
        min: 6,
        max: 6,
        priority: 4,
        align: Align::Right,
        first: Direction::Ascending,
        cell: |row, context, _| Line::styled(seen(row.seen, context.now), context.theme.dim),
        key: |row, _| {
            // By age, which is the less the later a file has been seen since.
            Value::Int(-i128::from(row.seen.rank()))
        },
    },
    Column {
        title: "NAME",
        min: 33,
        max: FILL,
        priority: 0,
        align: Align::Left,
        first: Direction::Ascending,
        cell: |row, context, width| {
            let glyphs = &context.theme.glyphs;
            let text = cells::name(&row.file, glyphs);
            Line::raw(shifted(&text, context.shift, width.into(), glyphs).into_owned())
        },
        key: |row, room| {
            room.clear();
            cells::push_name(room, &row.file, &Glyphs::UNICODE);
            if room.is_empty() { Value::Unknown } else { Value::from(&**room) }
        },
    },
];

/// Messages and bytes; nothing for what has no queue.
fn counts<'a>(
    row: &TrackedFile,
    queued: Option<Queued>,
    changed: Changed,
    theme: &Theme,
) -> Line<'a> {
    let text = match queued {
        None if !has_queues(&row.file) => return Line::default(),
        queued => queue(queued),
    };
    let style = match text.as_str() {
        _ if changed.is_recent() => theme.changed,
        "0" | "-" => theme.dim,
        _ => Style::new(),
    };
    Line::styled(text, style)
}

/// Whether something can wait in both directions. Pipes have one only.
fn has_queues(file: &File) -> bool {
    file.socket.is_some()
}

/// What a queue is sorted by: its bytes, or its messages where only they are known.
fn waiting<'a>(queued: Option<Queued>) -> Value<'a> {
    Value::from(queued.and_then(|queued| queued.payload.or(queued.messages)))
}

/// For how long a file has been seen; `>` where it was there before the first reading.
fn seen(seen: Seen, now: Duration) -> String {
    let text = age(seen.age(now));
    if seen.is_at_least() { format!(">{text}") } else { text }
}

/// A row's mark and style.
pub fn look(row: &TrackedFile, theme: &Theme) -> (&'static str, Style) {
    match row.presence {
        Presence::Open => ("", Style::new()),
        Presence::New { .. } => ("+", theme.new),
        Presence::Closed { .. } => ("-", theme.closed),
        Presence::Unconfirmed => ("?", theme.dim),
    }
}

/// Draws headings and rows, or what there is to say where there are no rows.
pub fn draw(app: &App, files: &Files, regions: &Regions, buffer: &mut Buffer) {
    draw_headings(buffer, regions.headings, COLUMNS, files.arrangement.sort, &app.theme);
    let Some(table) = files.table.as_ref().filter(|_| !files.order.is_empty()) else {
        return say(buffer, regions.body, &nothing(files), app.theme.dim, &app.theme);
    };
    let at = |index: usize| &table.rows[files.order[index] as usize];
    let seen = (files.cursor.offset()..files.order.len()).take(regions.body.height.into());
    let troubled = seen
        .map(at)
        .filter(|row| !lints::subject(table, row, files.arrangement.lints).found().is_empty());
    let troubled = troubled.map(|row| row.file.key()).collect();
    let context = Context { theme: app.theme, now: table.elapsed, shift: files.shift, troubled };
    let rows = Rows {
        len: files.order.len(),
        offset: files.cursor.offset(),
        selected: files.cursor.index(),
        at: &at,
        look: |row, context: &Context| {
            let there = matches!(row.presence, Presence::Open | Presence::New { .. });
            match there && context.troubled.contains(&row.file.key()) {
                true => ("!", context.theme.warning),
                false => look(row, &context.theme),
            }
        },
    };
    draw_rows(buffer, regions.body, COLUMNS, &rows, &context, &app.theme);
}

/// Why there are no rows.
fn nothing(files: &Files) -> String {
    let state = files.process().map(|process| process.state);
    match (files.phase, &files.table) {
        (Phase::NoProcess, _) => format!("no process with pid {}", files.pid),
        (Phase::Ended { .. }, None) => "the process ended before its files were read".into(),
        (Phase::Alive, None) if files.error.is_some() => String::new(),
        (Phase::Alive, None) => "reading its open files".into(),
        (_, Some(table)) if !table.rows.is_empty() => "no file fulfils the filter".into(),
        _ if state == Some(ProcessState::KernelThread) => {
            "a kernel thread: it has no open files".into()
        }
        _ => "no open files".into(),
    }
}
