//! A sheet: lines about one thing, some of which can be selected and opened. It is scrolled as
//! a text with links is: the selection goes to the next link that is seen, else the text moves.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use unicode_width::UnicodeWidthStr;

use super::bytes::Bytes;
use crate::tui::format::{cut_end, wrap};
use crate::tui::theme::{Glyphs, Theme};

/// One line, or several when it has to be wrapped. `L` is what a line leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SheetLine<L> {
    /// The title of the lines below it.
    Section(&'static str),
    /// A field and its value.
    Field(&'static str, String),
    /// Distance between sections.
    Empty,
    /// Something to read, as it is.
    Text(String),
    /// Something to be aware of.
    Note(String),
    /// What the columns of the links below it are.
    Heading(String),
    /// Something that can be opened.
    Link(L, String),
    /// A packet's bytes.
    Bytes(Bytes),
}

/// Columns for a field's name and the distance to its value.
const LABEL: u16 = 19;

/// The lines, and which part of them is looked at.
#[derive(Clone, Debug)]
pub struct Sheet<L> {
    lines: Vec<SheetLine<L>>,
    /// How many rows are scrolled out at the top.
    scroll: usize,
    /// The selected link and its place among the links.
    selected: Option<(usize, L)>,
}

impl<L> Default for Sheet<L> {
    fn default() -> Self {
        Self { lines: Vec::new(), scroll: 0, selected: None }
    }
}

/// What is seen of a sheet: columns and rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct View {
    /// Columns.
    pub width: u16,
    /// Rows.
    pub height: usize,
}

impl<L: Clone + PartialEq> Sheet<L> {
    /// Replaces the lines. What is selected stays so; if it is gone, what took its place is.
    pub fn set_lines(&mut self, lines: Vec<SheetLine<L>>) {
        self.lines = lines;
        let links: Vec<&L> = self.lines.iter().filter_map(link).collect();
        let (at, wanted) = self.selected.take().map_or((0, None), |(at, link)| (at, Some(link)));
        let found = wanted.and_then(|wanted| links.iter().position(|link| **link == wanted));
        let at = found.unwrap_or(at.min(links.len().saturating_sub(1)));
        self.selected = links.get(at).map(|link| (at, (*link).clone()));
    }

    /// Prepares the lines for `view` and scrolls so that no room is wasted below the last row.
    pub fn fit(&mut self, view: View, glyphs: &Glyphs) {
        for line in &mut self.lines {
            if let SheetLine::Bytes(bytes) = line {
                bytes.fit(view.width, glyphs);
            }
        }
        self.scroll = self.scroll.min(self.last_scroll(view));
    }

    /// Moves by some rows: by one to the next link where it is seen, else the text moves.
    pub fn step(&mut self, by: isize, view: View) {
        let links = self.links(view.width);
        let last = self.last_scroll(view);
        let seen = |scroll: usize, row: usize| row >= scroll && row - scroll < view.height.max(1);
        let here = self.selected.as_ref().map(|&(at, _)| at).filter(|&at| {
            let row = links.get(at).copied();
            row.is_some_and(|row| seen(self.scroll, row))
        });
        let next = |scroll: usize| match (here, by > 0) {
            (Some(at), true) => Some(at + 1).filter(|&at| at < links.len()),
            (Some(at), false) => at.checked_sub(1),
            (None, true) => links.iter().position(|&row| seen(scroll, row)),
            (None, false) => links.iter().rposition(|&row| seen(scroll, row)),
        };
        if by.unsigned_abs() == 1 {
            let visible = next(self.scroll).filter(|&at| seen(self.scroll, links[at]));
            if visible.is_none() {
                self.scroll = self.scroll.saturating_add_signed(by).min(last);
            }
            let target = visible.or_else(|| next(self.scroll));
            self.select(target.filter(|&at| seen(self.scroll, links[at])));
            return;
        }
        self.scroll = self.scroll.saturating_add_signed(by).min(last);
        let stays = here.filter(|&at| seen(self.scroll, links[at]));
        let at_the_end = by == isize::MAX || by == isize::MIN;
        let target = match by > 0 {
            true if at_the_end => links.iter().rposition(|&row| seen(self.scroll, row)),
            false if at_the_end => links.iter().position(|&row| seen(self.scroll, row)),
            _ if stays.is_some() => stays,
            _ => links.iter().position(|&row| seen(self.scroll, row)),
        };
        self.select(target);
    }

    fn select(&mut self, at: Option<usize>) {
        let Some(at) = at else { return };
        let link = self.lines.iter().filter_map(link).nth(at);
        if let Some(link) = link {
            self.selected = Some((at, link.clone()));
        }
    }

    /// The selected link, where it is seen.
    pub fn selected(&self, view: View) -> Option<&L> {
        let (at, link) = self.selected.as_ref()?;
        let row = *self.links(view.width).get(*at)?;
        let seen = row >= self.scroll && row - self.scroll < view.height;
        seen.then_some(link)
    }

    /// The row of each link.
    fn links(&self, width: u16) -> Vec<usize> {
        let mut row = 0;
        let mut links = Vec::new();
        for line in &self.lines {
            if link(line).is_some() {
                links.push(row);
            }
            row += rows_of(line, width);
        }
        links
    }

    fn last_scroll(&self, view: View) -> usize {
        let rows: usize = self.lines.iter().map(|line| rows_of(line, view.width)).sum();
        rows.saturating_sub(view.height.max(1))
    }

    /// Draws as many rows as fit.
    pub fn draw(&self, buffer: &mut Buffer, area: Rect, theme: &Theme) {
        let selected = self.selected.as_ref().map(|(at, _)| *at);
        let mut skip = self.scroll;
        let mut links = 0;
        let mut y = area.y;
        for line in &self.lines {
            let place = links;
            links += usize::from(link(line).is_some());
            if y >= area.bottom() {
                return;
            }
            let rows = rows_of(line, area.width);
            if rows <= skip {
                skip -= rows;
                continue;
            }
            let room = usize::from(area.bottom() - y);
            for row in skip..rows.min(skip + room) {
                let drawn = row_of(line, row, area.width, theme);
                buffer.set_line(area.x, y, &drawn, area.width);
                if link(line).is_some() && selected == Some(place) {
                    buffer.set_style(Rect { y, height: 1, ..area }, theme.selected);
                }
                y += 1;
            }
            skip = 0;
        }
    }
}

fn link<L>(line: &SheetLine<L>) -> Option<&L> {
    match line {
        SheetLine::Link(link, _) => Some(link),
        _ => None,
    }
}

/// Columns for a field's value.
fn room(width: u16) -> usize {
    width.saturating_sub(LABEL).max(width / 2).into()
}

/// Columns for a note, which is indented where there is room.
fn note_room(width: u16) -> usize {
    usize::from(width) - note_indent(width)
}

fn note_indent(width: u16) -> usize {
    if width > 30 { 2 } else { 0 }
}

fn rows_of<L>(line: &SheetLine<L>, width: u16) -> usize {
    let wrapped = |text: &str, room: usize| {
        if text.width() > room { wrap(text, room).count() } else { 1 }
    };
    match line {
        SheetLine::Field(_, value) => wrapped(value, room(width)),
        SheetLine::Text(text) | SheetLine::Note(text) => wrapped(text, note_room(width)),
        SheetLine::Bytes(bytes) => bytes.rows(width),
        SheetLine::Section(_) | SheetLine::Empty | SheetLine::Heading(_) | SheetLine::Link(..) => 1,
    }
}

/// One of the rows that a line takes.
fn row_of<'a, L>(line: &'a SheetLine<L>, row: usize, width: u16, theme: &Theme) -> Line<'a> {
    match line {
        SheetLine::Empty => Line::default(),
        SheetLine::Section(title) => Line::styled(*title, theme.heading),
        SheetLine::Heading(text) => {
            Line::styled(cut_end(text, width.into(), &theme.glyphs), theme.dim)
        }
        SheetLine::Link(_, text) => Line::raw(cut_end(text, width.into(), &theme.glyphs)),
        SheetLine::Text(text) | SheetLine::Note(text) => {
            let piece = wrap(text, note_room(width)).nth(row).unwrap_or_default();
            let indent = " ".repeat(note_indent(width));
            let style = match line {
                SheetLine::Note(_) => theme.warning,
                _ => Style::new(),
            };
            Line::from(vec![Span::raw(indent), Span::styled(piece, style)])
        }
        SheetLine::Field(label, value) => {
            let indent = usize::from(width) - room(width);
            let label = if row == 0 { label } else { "" };
            let label = format!("  {label:<indent$}");
            // All labels are ASCII.
            let label = label.get(..indent.saturating_sub(1)).unwrap_or_default().to_owned();
            let piece = wrap(value, room(width)).nth(row).unwrap_or_default();
            Line::from(vec![Span::styled(label + " ", theme.dim), Span::raw(piece)])
        }
        SheetLine::Bytes(bytes) => bytes.row(row, width, theme),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::widget::bytes::Mode;
    use proptest::prelude::*;

    const VIEW: View = View { width: 40, height: 4 };

    fn sheet(lines: &str) -> Sheet<char> {
        let line = |c: char| match c {
            ' ' => SheetLine::Empty,
            link => SheetLine::Link(link, link.to_string()),
        };
        let mut sheet = Sheet::default();
        sheet.set_lines(lines.chars().map(line).collect());
        sheet
    }

    fn selected(sheet: &Sheet<char>) -> Option<char> {
        sheet.selected(VIEW).copied()
    }

    #[test]
    fn the_selection_goes_to_the_next_link_that_is_seen_and_else_the_text_moves() {
        let mut sheet = sheet(" ab     c ");
        let mut seen = Vec::new();
        for _ in 0..8 {
            seen.push((sheet.scroll, selected(&sheet)));
            sheet.step(1, VIEW);
        }
        assert_eq!(
            seen,
            [
                (0, Some('a')),
                (0, Some('b')),
                (1, Some('b')),
                (2, Some('b')),
                (3, None),
                (4, None),
                (5, Some('c')),
                (6, Some('c'))
            ]
        );
        for _ in 0..4 {
            sheet.step(-1, VIEW);
        }
        assert_eq!((sheet.scroll, selected(&sheet)), (2, Some('b')));
        sheet.step(isize::MAX, VIEW);
        assert_eq!((sheet.scroll, selected(&sheet)), (6, Some('c')));
        sheet.step(isize::MIN, VIEW);
        assert_eq!((sheet.scroll, selected(&sheet)), (0, Some('a')));
        sheet.step(4, VIEW);
        assert_eq!((sheet.scroll, selected(&sheet)), (4, None));
    }

    #[test]
    fn what_is_selected_stays_so_while_it_is_there() {
        let mut sheet = sheet("abc");
        sheet.step(1, VIEW);
        let lines = |text: &str| {
            text.chars().map(|c| SheetLine::Link(c, String::new())).collect::<Vec<_>>()
        };
        sheet.set_lines(lines("xab"));
        assert_eq!(selected(&sheet), Some('b'));
        sheet.set_lines(lines("xac"));
        assert_eq!(selected(&sheet), Some('c'));
        sheet.set_lines(lines(""));
        assert_eq!(selected(&sheet), None);
        sheet.set_lines(lines("q"));
        assert_eq!(selected(&sheet), Some('q'));
    }

    proptest! {
        #[test]
        fn no_step_leaves_the_text(
            text in "[ a-f]{0,30}", bytes in 0usize..400, width in 0u16..120, height in 0usize..9,
            steps in prop::collection::vec(
                prop_oneof![Just(1), Just(-1), Just(isize::MAX), Just(isize::MIN), -9isize..9], 0..40,
            ),
        ) {
            let mut sheet = sheet(&text);
            let block = Bytes::new(vec![7; bytes], vec![], Mode::Hex);
            sheet.lines.push(SheetLine::Bytes(block));
            let view = View { width, height };
            let theme = Theme::new(true, false);
            for by in steps {
                sheet.step(by, view);
                sheet.fit(view, &theme.glyphs);
                prop_assert!(sheet.scroll <= sheet.last_scroll(view));
                let area = Rect::new(0, 0, width, u16::try_from(height).unwrap());
                sheet.draw(&mut Buffer::empty(area), area, &theme);
            }
        }
    }
}
