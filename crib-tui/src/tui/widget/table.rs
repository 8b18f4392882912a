//! A table of any rows: columns that are fitted to the width, rows that are drawn only where
//! they are seen, and a selection that follows a row by what it is.

use std::borrow::Cow;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Line;

use crate::model::column::Value;
use crate::tui::format::cut_end;
use crate::tui::theme::Theme;

/// A column: how wide it is, what stands in it, and what it is sorted by. `R` is a row, `C`
/// what the screen gives to all cells.
pub struct Column<R, C> {
    /// The heading.
    pub title: &'static str,
    /// The least width it makes sense with, and at least one more than the heading, for the
    /// arrow that tells the sort.
    pub min: u16,
    /// The width beyond which it has no use for more; [`FILL`] takes all that is left.
    pub max: u16,
    /// Which columns are left out first when there is no room: those with the highest number.
    /// Columns with 0 always stay; those from [`LUXURY`] on are there only when the column
    /// that takes the rest has plenty.
    pub priority: u8,
    /// On which side short cells stand.
    pub align: Align,
    /// In which direction it is sorted when it is chosen.
    pub first: Direction,
    /// What stands in a row's cell of the given width; a wider text is cut.
    pub cell: for<'a> fn(&'a R, &'a C, u16) -> Line<'a>,
    /// What a row is sorted by. A text that has to be put together is put together in the string
    /// that is given.
    pub key: for<'a> fn(&'a R, &'a mut String) -> Value<'a>,
}

/// The width of a column that takes what the others leave.
pub const FILL: u16 = u16::MAX;

/// The priority from which on a column must not take room that a [`FILL`] column can use.
pub const LUXURY: u8 = 6;

/// What a [`FILL`] column is given before there are luxuries.
const PLENTY: u16 = 52;

/// What a [`FILL`] column is given before others grow beyond their least width.
const COMFORTABLE_FILL: u16 = 56;

/// On which side short cells stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Align {
    Left,
    Right,
}

/// In which direction a column is sorted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Direction {
    Ascending,
    Descending,
}

impl Direction {
    /// The other one.
    pub fn inverted(self) -> Self {
        match self {
            Self::Ascending => Self::Descending,
            Self::Descending => Self::Ascending,
        }
    }
}

/// By which column a table is sorted, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sort {
    /// The column's place in the list of all columns.
    pub column: usize,
    /// The direction.
    pub direction: Direction,
}

/// A column that is shown, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placed {
    /// The column's place in the list of all columns.
    pub column: usize,
    /// Where it begins, counted from the table's left edge.
    pub x: u16,
    /// Its width.
    pub width: u16,
}

/// Columns for the rows' marks, at the left edge.
const GUTTER: u16 = 1;

/// Which columns are shown in `width`, and where.
pub fn fit<R, C>(columns: &[Column<R, C>], width: u16) -> Vec<Placed> {
    let room = usize::from(width.saturating_sub(GUTTER));
    let mut shown: Vec<usize> = (0..columns.len()).collect();
    let least = |column: &Column<R, C>, luxury: bool| match column.max {
        FILL if luxury => column.min.max(PLENTY),
        _ => column.min,
    };
    let needed = |shown: &[usize]| {
        let is_luxury = |column: &Column<R, C>| column.priority >= LUXURY && column.max != FILL;
        let luxury = shown.iter().any(|&column| is_luxury(&columns[column]));
        let width = |&column: &usize| usize::from(least(&columns[column], luxury)) + 1;
        shown.iter().map(width).sum::<usize>()
    };
    // The last one needs no distance to the next.
    while needed(&shown) > room + 1 {
        let last = shown.iter().rposition(|&column| {
            let priority = columns[column].priority;
            priority > 0 && shown.iter().all(|&other| columns[other].priority <= priority)
        });
        match last {
            Some(last) => shown.remove(last),
            None => break,
        };
    }
    let mut widths: Vec<usize> =
        shown.iter().map(|&column| usize::from(columns[column].min)).collect();
    let mut spare = room.saturating_sub(needed_width(&widths));
    let fill = shown.iter().position(|&column| columns[column].max == FILL);
    if let Some(fill) = fill {
        let comfort = usize::from(COMFORTABLE_FILL).saturating_sub(widths[fill]).min(spare);
        widths[fill] += comfort;
        spare -= comfort;
    }
    for (width, &column) in widths.iter_mut().zip(&shown) {
        if columns[column].max != FILL {
            let growth = usize::from(columns[column].max).saturating_sub(*width).min(spare);
            *width += growth;
            spare -= growth;
        }
    }
    if let Some(fill) = fill {
        widths[fill] += spare;
        // Too narrow even for the columns that always stay: the one that can give does.
        let excess = needed_width(&widths).saturating_sub(room);
        widths[fill] = widths[fill].saturating_sub(excess).max(1);
    }
    let mut x = GUTTER;
    let mut placed = Vec::with_capacity(shown.len());
    for (&column, &wanted) in shown.iter().zip(&widths) {
        let left = width.saturating_sub(x);
        let wanted = u16::try_from(wanted).unwrap_or(u16::MAX).min(left);
        if wanted == 0 {
            break;
        }
        placed.push(Placed { column, x, width: wanted });
        x = x.saturating_add(wanted).saturating_add(1);
    }
    placed
}

fn needed_width(widths: &[usize]) -> usize {
    widths.iter().sum::<usize>() + widths.len().saturating_sub(1)
}

/// Which row is selected, and which one is the first to be seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor<K> {
    key: Option<K>,
    index: usize,
    offset: usize,
}

impl<K> Default for Cursor<K> {
    fn default() -> Self {
        Self { key: None, index: 0, offset: 0 }
    }
}

impl<K: PartialEq> Cursor<K> {
    /// The selected row's place among the arranged rows.
    pub fn index(&self) -> usize {
        self.index
    }

    /// The first row that is seen.
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// Selects the row at `index`, or the nearest there is, and scrolls it into the `page`
    /// rows that are seen.
    pub fn select(&mut self, index: usize, len: usize, page: usize, key: impl Fn(usize) -> K) {
        self.index = index.min(len.saturating_sub(1));
        self.key = (len > 0).then(|| key(self.index));
        self.reveal(len, page);
    }

    /// Moves the selection by some rows.
    pub fn step(&mut self, by: isize, len: usize, page: usize, key: impl Fn(usize) -> K) {
        self.select(self.index.saturating_add_signed(by), len, page, key);
    }

    /// Finds the selected row again after the rows were read or arranged anew. If it is gone,
    /// the one that took its place is selected. The selection stays at its height on the
    /// screen, so that rows above it may come and go without moving it.
    pub fn follow(&mut self, len: usize, page: usize, key: impl Fn(usize) -> K) {
        self.follow_with(len, page, &key, |wanted| (0..len).find(|&index| key(index) == *wanted));
    }

    /// As [`Self::follow`], where there is a faster way to find a row than to look at each.
    pub fn follow_with(
        &mut self,
        len: usize,
        page: usize,
        key: impl Fn(usize) -> K,
        find: impl FnOnce(&K) -> Option<usize>,
    ) {
        let height = self.index.saturating_sub(self.offset);
        let found = self.key.as_ref().and_then(|wanted| {
            // Most often it has not moved.
            if self.index < len && key(self.index) == *wanted {
                return Some(self.index);
            }
            find(wanted)
        });
        if let Some(index) = found {
            self.offset = if self.offset == 0 { 0 } else { index.saturating_sub(height) };
        }
        self.select(found.unwrap_or(self.index), len, page, key);
    }

    /// Scrolls so that the selected row is seen and no room is left unused below the last row.
    pub fn reveal(&mut self, len: usize, page: usize) {
        let page = page.max(1);
        let lowest = self.index.saturating_sub(page - 1);
        self.offset = self.offset.clamp(lowest, self.index).min(len.saturating_sub(page));
    }
}

/// The rows to draw: their number, how to get at one by its place, and how each looks.
pub struct Rows<'a, R, C> {
    /// How many there are.
    pub len: usize,
    /// The first one that is seen.
    pub offset: usize,
    /// The selected one.
    pub selected: usize,
    /// The row at a place.
    pub at: &'a dyn Fn(usize) -> &'a R,
    /// A row's mark in the gutter and the style of all its cells.
    pub look: fn(&R, &C) -> (&'static str, Style),
}

/// Draws the headings in the first line of `area`.
pub fn draw_headings<R, C>(
    buffer: &mut Buffer,
    area: Rect,
    columns: &[Column<R, C>],
    sort: Option<Sort>,
    theme: &Theme,
) {
    buffer.set_style(Rect { height: area.height.min(1), ..area }, theme.heading);
    if area.height == 0 {
        return;
    }
    for placed in fit(columns, area.width) {
        let column = &columns[placed.column];
        let sorted = sort.filter(|sort| sort.column == placed.column);
        let arrow = sorted.map(|sort| match sort.direction {
            Direction::Ascending => theme.glyphs.ascending,
            Direction::Descending => theme.glyphs.descending,
        });
        let title = match (arrow, column.align) {
            (None, _) => Cow::Borrowed(column.title),
            (Some(arrow), Align::Left) => Cow::Owned(format!("{}{arrow}", column.title)),
            (Some(arrow), Align::Right) => Cow::Owned(format!("{arrow}{}", column.title)),
        };
        let style = if sorted.is_some() { theme.sorted } else { theme.heading };
        let line = Line::styled(cut_end(&title, placed.width.into(), &theme.glyphs), style);
        draw_cell(buffer, area.x + placed.x, area.y, placed.width, column.align, &line);
    }
}

/// Draws the rows that fit into `area`; what it costs depends on them alone.
pub fn draw_rows<'a, R, C>(
    buffer: &mut Buffer,
    area: Rect,
    columns: &'a [Column<R, C>],
    rows: &Rows<'a, R, C>,
    context: &'a C,
    theme: &Theme,
) {
    let placed = fit(columns, area.width);
    for (index, y) in (rows.offset..rows.len).zip(area.y..area.bottom()) {
        let row = (rows.at)(index);
        let line = Rect { y, height: 1, ..area };
        let (mark, style) = (rows.look)(row, context);
        if index == rows.selected {
            // What is between the cells has their colour, too.
            buffer.set_style(line, style);
        }
        buffer.set_stringn(area.x, y, mark, area.width.into(), style);
        for placed in &placed {
            let column = &columns[placed.column];
            let mut cell = (column.cell)(row, context, placed.width);
            cut_line(&mut cell, placed.width, theme);
            cell.style = style.patch(cell.style);
            draw_cell(buffer, area.x + placed.x, y, placed.width, column.align, &cell);
        }
        if index == rows.selected {
            buffer.set_style(line, theme.selected);
        }
    }
}

fn draw_cell(buffer: &mut Buffer, x: u16, y: u16, width: u16, align: Align, line: &Line<'_>) {
    let used = u16::try_from(line.width()).unwrap_or(u16::MAX);
    let indent = match align {
        Align::Left => 0,
        Align::Right => width.saturating_sub(used),
    };
    buffer.set_line(x + indent, y, line, width - indent);
}

/// Cuts a cell that is too wide, with an ellipsis to say so.
fn cut_line(line: &mut Line<'_>, width: u16, theme: &Theme) {
    let mut room = usize::from(width);
    if line.width() <= room {
        return;
    }
    let cut = line.spans.iter().position(|span| {
        let width = span.width();
        let over = width > room;
        room = room.saturating_sub(if over { 0 } else { width });
        over
    });
    if let Some(cut) = cut {
        line.spans.truncate(cut + 1);
        let span = &mut line.spans[cut];
        span.content = Cow::Owned(cut_end(&span.content, room, &theme.glyphs).into_owned());
    }
}

#[cfg(test)]
#[path = "table_tests.rs"]
mod tests;
