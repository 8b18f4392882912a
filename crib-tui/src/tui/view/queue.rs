//! The packets of one queue.

use ratatui::buffer::Buffer;
use ratatui::style::Style;
use ratatui::text::Line;

use super::layout::Regions;
use super::{number, say};
use crate::model::column::Value;
use crate::model::{Packet, QueueName};
use crate::tui::app::screens::{Origin, QueueScreen};
use crate::tui::app::{App, Phase};
use crate::tui::format::{cut_end, moment, name, shifted};
use crate::tui::theme::Theme;
use crate::tui::widget::bytes::preview;
use crate::tui::widget::table::{Align, Column, Direction, FILL, Rows, draw_headings, draw_rows};
use jiff::tz::TimeZone;

/// A place in the queue, and the packet there where that was read.
#[derive(Clone, Debug)]
pub struct Slot {
    /// The place, from 0.
    pub index: u32,
    /// The packet.
    pub packet: Option<Packet>,
}

impl Slot {
    /// The place that a packet says it has.
    pub fn of(packet: Packet) -> Self {
        Self { index: packet.index, packet: Some(packet) }
    }

    fn field<'a, T>(&'a self, field: impl FnOnce(&'a Packet) -> Option<T>) -> Option<T> {
        self.packet.as_ref().and_then(field)
    }

    fn flags(&self) -> Option<String> {
        let flags = self.field(|packet| packet.tcp_flags)?;
        // As tcpdump(8) shortens them, without its dot for ACK.
        Some(flags.names().map(|name| &name[..1]).collect())
    }

    fn files(&self) -> Option<u32> {
        self.field(|packet| {
            let read = u32::try_from(packet.files.len()).unwrap_or(u32::MAX);
            Some(packet.file_count.unwrap_or(read))
        })
    }
}

/// What all cells of the table need.
pub struct Context {
    theme: Theme,
    zone: TimeZone,
    shift: u16,
}

type SlotColumn = Column<Slot, Context>;

const INDEX: SlotColumn = Column {
    title: "#",
    min: 6,
    max: 7,
    priority: 0,
    align: Align::Right,
    first: Direction::Ascending,
    cell: |slot, _, _| Line::raw(slot.index.to_string()),
    key: |slot, _| Value::from(u64::from(slot.index)),
};

const LEN: SlotColumn = Column {
    title: "LEN",
    min: 7,
    max: 8,
    priority: 1,
    align: Align::Right,
    first: Direction::Descending,
    cell: |slot, context, _| known(slot, slot.field(|packet| packet.len), context),
    key: |slot, _| Value::from(slot.field(|packet| packet.len).map(u64::from)),
};

const TRUESIZE: SlotColumn = Column {
    title: "TRUESIZE",
    min: 9,
    max: 9,
    priority: 5,
    align: Align::Right,
    first: Direction::Descending,
    cell: |slot, context, _| known(slot, slot.field(|packet| packet.truesize), context),
    key: |slot, _| Value::from(slot.field(|packet| packet.truesize).map(u64::from)),
};

const TIME: SlotColumn = Column {
    title: "TIME",
    min: 12,
    max: 12,
    priority: 4,
    align: Align::Left,
    first: Direction::Ascending,
    cell: |slot, context, _| {
        let time = slot.field(|packet| packet.time);
        Line::raw(time.map(|time| moment(time, &context.zone)).unwrap_or_default())
    },
    key: |slot, _| {
        let time = slot.field(|packet| packet.time);
        let since = time.and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
        since.map_or(Value::Unknown, |since| {
            Value::Int(i128::try_from(since.as_nanos()).unwrap_or(i128::MAX))
        })
    },
};

const FROM: SlotColumn = Column {
    title: "FROM",
    min: 16,
    max: 24,
    priority: 2,
    align: Align::Left,
    first: Direction::Ascending,
    cell: from_cell,
    key: |slot, _| from_key(slot),
};

/// As [`FROM`], where there is nothing else.
const ONLY_FROM: SlotColumn = Column { max: FILL, priority: 0, ..FROM };

const SEQ: SlotColumn = Column {
    title: "SEQ",
    min: 11,
    max: 11,
    priority: 2,
    align: Align::Right,
    first: Direction::Ascending,
    cell: |slot, context, _| known(slot, slot.field(|packet| packet.seq), context),
    key: |slot, _| Value::from(slot.field(|packet| packet.seq).map(u64::from)),
};

const FLAGS: SlotColumn = Column {
    title: "FLAGS",
    min: 6,
    max: 8,
    priority: 3,
    align: Align::Left,
    first: Direction::Ascending,
    cell: |slot, _, _| Line::raw(slot.flags().unwrap_or_default()),
    key: |slot, _| Value::from(slot.flags()),
};

const FILES: SlotColumn = Column {
    title: "FILES",
    min: 6,
    max: 6,
    priority: 3,
    align: Align::Right,
    first: Direction::Descending,
    cell: |slot, context, _| number(slot.files().map(u64::from), &context.theme),
    key: |slot, _| Value::from(slot.files().map(u64::from)),
};

const DATA: SlotColumn = Column {
    title: "DATA",
    min: 8,
    max: FILL,
    priority: 0,
    align: Align::Left,
    first: Direction::Ascending,
    cell: |slot, context, width| {
        let Some(packet) = &slot.packet else {
            return Line::styled(context.theme.glyphs.ellipsis, context.theme.dim);
        };
        let glyphs = &context.theme.glyphs;
        let text = preview(&packet.payload, &packet.gaps, glyphs);
        // Unlike names, data are known by how they begin.
        let text = match context.shift {
            0 => cut_end(&text, width.into(), glyphs),
            shift => shifted(&text, shift, width.into(), glyphs),
        };
        Line::raw(text.into_owned())
    },
    key: |slot, _| Value::from(slot.field(|packet| Some(crate::model::escape(&packet.payload)))),
};

fn from_cell<'a>(slot: &'a Slot, context: &'a Context, width: u16) -> Line<'a> {
    let glyphs = &context.theme.glyphs;
    match slot.field(|packet| packet.from.as_ref()) {
        Some(from) => Line::raw(
            shifted(&name(from, glyphs), context.shift, width.into(), glyphs).into_owned(),
        ),
        None => Line::default(),
    }
}

fn from_key(slot: &Slot) -> Value<'_> {
    Value::from(slot.field(|packet| packet.from.as_ref()))
}

/// A number that every packet has: a dash where it is not known of one that was read.
fn known<'a>(slot: &Slot, value: Option<u32>, context: &Context) -> Line<'a> {
    match slot.packet {
        Some(_) => number(value.map(u64::from), &context.theme),
        None => Line::default(),
    }
}

const OF_TCP: &[SlotColumn] = &[INDEX, LEN, TRUESIZE, TIME, SEQ, FLAGS, DATA];
const OF_MESSAGES: &[SlotColumn] = &[INDEX, LEN, TRUESIZE, TIME, FROM, FILES, DATA];
const OF_PIPES: &[SlotColumn] = &[INDEX, LEN, DATA];
const OF_CONNECTIONS: &[SlotColumn] = &[INDEX, ONLY_FROM];

/// The columns that make sense for the packets of a queue.
pub fn columns(origin: Origin, queue: QueueName) -> &'static [Column<Slot, Context>] {
    match queue {
        QueueName::Accept => OF_CONNECTIONS,
        QueueName::Pipe => OF_PIPES,
        _ if origin.is_tcp() => OF_TCP,
        _ => OF_MESSAGES,
    }
}

/// A row's mark and style.
fn look(slot: &Slot, context: &Context) -> (&'static str, Style) {
    match &slot.packet {
        Some(packet) if packet.torn => ("!", context.theme.warning),
        Some(_) => ("", Style::new()),
        None => ("", context.theme.dim),
    }
}

/// Draws headings and rows, or what there is to say where there are no rows.
pub fn draw(app: &App, screen: &QueueScreen, regions: &Regions, buffer: &mut Buffer) {
    let columns = screen.columns();
    let sort = screen.sort.filter(|_| screen.is_whole());
    draw_headings(buffer, regions.headings, columns, sort, &app.theme);
    if screen.total == 0 {
        let over = app.files.as_ref().is_some_and(|files| files.phase != Phase::Alive);
        let text = match &screen.queue {
            Some(_) => "the queue is empty",
            None if over => "the process ended before its packets were read",
            None => "reading its packets",
        };
        return say(buffer, regions.body, text, app.theme.dim, &app.theme);
    }
    let context = Context { theme: app.theme, zone: app.zone.clone(), shift: screen.shift };
    let offset = screen.cursor.offset();
    // Rows that are seen and were not read: just as many as fit on the screen.
    let page = offset..screen.total.min(offset.saturating_add(regions.body.height.into()));
    let blanks: Vec<Slot> = page
        .map(|row| Slot { index: u32::try_from(row).unwrap_or(u32::MAX), packet: None })
        .collect();
    let at = |row: usize| screen.slot(row).unwrap_or_else(|| &blanks[row - offset]);
    let rows = Rows { len: screen.total, offset, selected: screen.cursor.index(), at: &at, look };
    draw_rows(buffer, regions.body, columns, &rows, &context, &app.theme);
}
