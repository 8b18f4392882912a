//! Bytes of a packet as rows of hexadecimal digits or of text, with what could not be read
//! marked.

use std::borrow::Cow;
use std::ops::Range;

use ratatui::style::Style;
use ratatui::text::{Line, Span};
use unicode_width::UnicodeWidthStr;

use crate::model::escape;
use crate::tui::format::name;
use crate::tui::theme::{Glyphs, Theme};

/// How bytes are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Offset, digits and characters.
    #[default]
    Hex,
    /// Text, a row for each of its lines.
    Text,
}

/// Bytes, and where they are divided into rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bytes {
    payload: Vec<u8>,
    gaps: Vec<Range<usize>>,
    mode: Mode,
    /// For text: the width that `starts` is for.
    fitted: Option<u16>,
    /// For text: where each row begins.
    starts: Vec<usize>,
}

impl Bytes {
    /// Bytes of which those in `gaps`, in order, could not be read.
    pub fn new(payload: Vec<u8>, gaps: Vec<Range<usize>>, mode: Mode) -> Self {
        Self { payload, gaps, mode, fitted: None, starts: Vec::new() }
    }

    /// Divides text into rows of at most `width` columns; hexadecimal rows need no preparation.
    pub fn fit(&mut self, width: u16, glyphs: &Glyphs) {
        if self.mode == Mode::Hex || self.fitted == Some(width) {
            return;
        }
        self.fitted = Some(width);
        self.starts.clear();
        let room = usize::from(width).max(1);
        let mut at = 0;
        while at < self.payload.len() {
            self.starts.push(at);
            at = self.end_of_row(at, room, glyphs);
        }
    }

    /// How many rows they take.
    pub fn rows(&self, width: u16) -> usize {
        match self.mode {
            Mode::Hex => self.payload.len().div_ceil(Form::of(width).bytes),
            Mode::Text => self.starts.len(),
        }
    }

    /// One of the rows.
    pub fn row(&self, row: usize, width: u16, theme: &Theme) -> Line<'static> {
        match self.mode {
            Mode::Hex => self.hex_row(row, width, theme),
            Mode::Text => self.text_row(row, theme),
        }
    }

    fn gap_at(&self, at: usize) -> Option<&Range<usize>> {
        let after = self.gaps.partition_point(|gap| gap.end <= at);
        self.gaps.get(after).filter(|gap| gap.start <= at)
    }

    fn hex_row(&self, row: usize, width: u16, theme: &Theme) -> Line<'static> {
        let form = Form::of(width);
        let start = row.saturating_mul(form.bytes);
        let mut digits = Marked::new(theme);
        let mut characters = Marked::new(theme);
        for place in 0..form.bytes {
            let at = start + place;
            let apart = if place > 0 && place.is_multiple_of(8) { "  " } else { " " };
            digits.push(if place == 0 { "" } else { apart }, false);
            match self.payload.get(at) {
                None => digits.push("  ", false),
                Some(_) if self.gap_at(at).is_some() => {
                    digits.push("??", true);
                    characters.push("?", true);
                }
                Some(&byte) => {
                    digits.push(&format!("{byte:02x}"), false);
                    let shown = if byte.is_ascii_graphic() || byte == b' ' { byte } else { b'.' };
                    characters.push(char::from(shown).encode_utf8(&mut [0; 4]), false);
                }
            }
        }
        let mut spans = Vec::new();
        if form.offset {
            spans.push(Span::styled(format!("{start:06x}  "), theme.dim));
        }
        spans.extend(digits.finish());
        spans.push(Span::raw("  "));
        spans.extend(characters.finish());
        Line::from(spans)
    }

    fn text_row(&self, row: usize, theme: &Theme) -> Line<'static> {
        let Some(&start) = self.starts.get(row) else { return Line::default() };
        if let Some(gap) = self.gap_at(start) {
            let text = format!("?? {} bytes could not be read", gap.end - gap.start);
            return Line::styled(text, theme.warning);
        }
        let end = self.starts.get(row + 1).copied().unwrap_or(self.payload.len());
        let bytes = self.payload.get(start..end).unwrap_or_default();
        let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
        Line::raw(name(&escape(bytes), &theme.glyphs))
    }

    /// Where the row that begins at `start` ends: behind a line break, before a gap, or where
    /// it is full.
    fn end_of_row(&self, start: usize, room: usize, glyphs: &Glyphs) -> usize {
        if let Some(gap) = self.gap_at(start) {
            return gap.end.max(start + 1);
        }
        let next_gap = self.gaps.get(self.gaps.partition_point(|gap| gap.end <= start));
        let limit = next_gap.map_or(self.payload.len(), |gap| gap.start.min(self.payload.len()));
        let mut at = start;
        let mut used = 0;
        while at < limit {
            let piece = character(&self.payload[at..limit]);
            if piece == b"\n" {
                return at + 1;
            }
            used += match piece {
                [b' '..=b'~'] => 1,
                piece => name(&escape(piece), glyphs).width(),
            };
            // One character at least, however wide.
            if used > room && at > start {
                return at;
            }
            at += piece.len();
        }
        limit
    }
}

/// The first character of `bytes`, or their first byte where that begins none.
fn character(bytes: &[u8]) -> &[u8] {
    let most = bytes.get(..4).unwrap_or(bytes);
    let first = most.utf8_chunks().next();
    let len = first.and_then(|chunk| chunk.valid().chars().next()).map_or(1, char::len_utf8);
    bytes.get(..len).unwrap_or(bytes)
}

/// What fits into a row of digits.
struct Form {
    bytes: usize,
    offset: bool,
}

impl Form {
    fn of(width: u16) -> Self {
        let (bytes, offset) = match width {
            0..9 => (1, false),
            9..17 => (2, false),
            17..25 => (4, false),
            25..42 => (4, true),
            42..75 => (8, true),
            75..141 => (16, true),
            _ => (32, true),
        };
        Self { bytes, offset }
    }
}

/// Text of which some is marked as unread.
struct Marked<'t> {
    spans: Vec<Span<'static>>,
    text: String,
    unread: bool,
    theme: &'t Theme,
}

impl<'t> Marked<'t> {
    fn new(theme: &'t Theme) -> Self {
        Self { spans: Vec::new(), text: String::new(), unread: false, theme }
    }

    fn push(&mut self, text: &str, unread: bool) {
        if unread != self.unread {
            self.cut();
            self.unread = unread;
        }
        self.text.push_str(text);
    }

    fn cut(&mut self) {
        let style = if self.unread { self.theme.warning } else { Style::new() };
        let text = std::mem::take(&mut self.text);
        if !text.is_empty() {
            self.spans.push(Span::styled(text, style));
        }
    }

    fn finish(mut self) -> Vec<Span<'static>> {
        self.cut();
        self.spans
    }
}

/// Bytes as one line of text, `??` for each stretch that could not be read.
pub fn preview(payload: &[u8], gaps: &[Range<usize>], glyphs: &Glyphs) -> String {
    let mut text = String::new();
    let mut at = 0;
    for gap in gaps {
        let read = payload.get(at..gap.start.min(payload.len())).unwrap_or_default();
        text.push_str(&shown(read, glyphs));
        text.push_str("??");
        at = gap.end;
    }
    text.push_str(&shown(payload.get(at..).unwrap_or_default(), glyphs));
    text
}

fn shown<'a>(bytes: &[u8], glyphs: &Glyphs) -> Cow<'a, str> {
    Cow::Owned(name(&escape(bytes), glyphs))
}

#[cfg(test)]
#[allow(clippy::single_range_in_vec_init, reason = "gaps are ranges")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rows(bytes: &mut Bytes, width: u16) -> Vec<String> {
        let theme = Theme::new(true, false);
        bytes.fit(width, &theme.glyphs);
        (0..bytes.rows(width)).map(|row| bytes.row(row, width, &theme).to_string()).collect()
    }

    #[test]
    fn digits_stand_beside_their_characters_and_gaps_are_marked() {
        let mut bytes = Bytes::new(b"hello\n\x00world, again".into(), vec![2..4], Mode::Hex);
        assert_eq!(
            rows(&mut bytes, 80),
            [
                "000000  68 65 ?? ?? 6f 0a 00 77  6f 72 6c 64 2c 20 61 67  he??o..world, ag",
                "000010  61 69 6e                                          ain",
            ]
        );
        assert_eq!(rows(&mut bytes, 20)[..2], ["68 65 ?? ??  he??", "6f 0a 00 77  o..w"]);
        assert_eq!(rows(&mut bytes, 0).len(), 19);
    }

    #[test]
    fn text_is_divided_at_line_breaks_gaps_and_the_edge() {
        let payload = b"GET / HTTP/1.1\r\n\n\xff\x1b[2Jcaf\xc3\xa9\x00\x00\x00end";
        let mut bytes = Bytes::new(payload.into(), vec![27..30], Mode::Text);
        assert_eq!(
            rows(&mut bytes, 16),
            [
                "GET / HTTP/1.1",
                "\\x0d",
                "",
                "\\xff\\x1b[2Jcafé",
                "?? 3 bytes could not be read",
                "end",
            ]
        );
    }

    #[test]
    fn a_preview_is_one_line() {
        let glyphs = Theme::new(true, false).glyphs;
        assert_eq!(preview(b"a\nb\x00\x00c", &[3..5, 6..9], &glyphs), "a\\x0ab??c??");
        assert_eq!(preview(b"", &[], &glyphs), "");
    }

    proptest! {
        #[test]
        fn every_byte_of_a_text_is_in_one_row_that_fits(
            payload: Vec<u8>, gap in (0usize..40, 1usize..9), width in 8u16..40,
        ) {
            let gap = gap.0.min(payload.len())..(gap.0 + gap.1).min(payload.len());
            let gaps = if gap.is_empty() { vec![] } else { vec![gap] };
            let glyphs = Theme::new(true, false).glyphs;
            let mut bytes = Bytes::new(payload, gaps, Mode::Text);
            bytes.fit(width, &glyphs);
            prop_assert!(bytes.starts.is_sorted_by(|a, b| a < b));
            prop_assert!(bytes.payload.is_empty() || bytes.starts[0] == 0);
            let theme = Theme::new(true, false);
            for (row, &start) in bytes.starts.iter().enumerate() {
                let line = bytes.row(row, width, &theme);
                prop_assert!(bytes.gap_at(start).is_some() || line.width() <= width.into());
            }
        }
    }
}
