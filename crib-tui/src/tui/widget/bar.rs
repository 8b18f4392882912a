//! A line of parts, some at its left and some at its right end; where there is no room for
//! all, the least important ones are left out.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

/// A part of a bar.
#[derive(Clone, Debug, Default)]
pub struct Part<'a> {
    spans: Vec<Span<'a>>,
    priority: u8,
}

impl<'a> Part<'a> {
    /// A part that is left out before those with a lower number; 0 stays.
    pub fn new(priority: u8, spans: impl IntoIterator<Item = Span<'a>>) -> Self {
        Self { spans: spans.into_iter().collect(), priority }
    }

    fn width(&self) -> usize {
        self.spans.iter().map(Span::width).sum()
    }
}

/// Columns between two parts.
const DISTANCE: usize = 2;

/// Draws the parts into the first line of `area`.
pub fn draw<'a>(
    buffer: &mut Buffer,
    area: Rect,
    mut left: Vec<Part<'a>>,
    mut right: Vec<Part<'a>>,
) {
    if area.is_empty() {
        return;
    }
    while needed(&left, &right) > area.width.into() && drop_least(&mut left, &mut right) {}
    let right = joined(right);
    let start = area.right().saturating_sub(u16::try_from(right.width()).unwrap_or(u16::MAX));
    let start = start.max(area.x);
    let left = joined(left);
    // What must not be left out and yet doesn't fit: the right part wins, as it says what
    // state things are in, but the left one keeps half.
    let end = if right.width() == 0 {
        area.right()
    } else {
        start.saturating_sub(1).max(area.x + area.width / 2)
    };
    let (end_of_left, _) = buffer.set_line(area.x, area.y, &left, end - area.x);
    let start = if end_of_left > area.x { start.max(end_of_left + 1) } else { start };
    if start < area.right() {
        buffer.set_line(start, area.y, &right, area.right() - start);
    }
}

fn needed(left: &[Part<'_>], right: &[Part<'_>]) -> usize {
    let count = left.len() + right.len();
    let width: usize = left.iter().chain(right).map(Part::width).sum();
    width + count.saturating_sub(1) * DISTANCE
}

/// Leaves out the least important part, the last of several; false when all must stay.
fn drop_least<'a>(left: &mut Vec<Part<'a>>, right: &mut Vec<Part<'a>>) -> bool {
    let least = left.iter().chain(right.iter()).map(|part| part.priority).max().unwrap_or(0);
    if least == 0 {
        return false;
    }
    for side in [right, left] {
        if let Some(at) = side.iter().rposition(|part| part.priority == least) {
            side.remove(at);
            return true;
        }
    }
    false
}

fn joined(parts: Vec<Part<'_>>) -> Line<'_> {
    let mut spans = Vec::new();
    for part in parts {
        if !spans.is_empty() {
            spans.push(Span::raw("  "));
        }
        spans.extend(part.spans);
    }
    Line::from(spans)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(width: u16) -> String {
        let part = |priority, text: &'static str| Part::new(priority, [Span::raw(text)]);
        let area = Rect::new(0, 0, width, 1);
        let mut buffer = Buffer::empty(area);
        let left = vec![part(0, "1234 nginx"), part(2, "root"), part(1, "40%")];
        draw(&mut buffer, area, left, vec![part(3, "bpf"), part(0, "PAUSED")]);
        buffer.content().iter().map(|cell| cell.symbol()).collect()
    }

    #[test]
    fn parts_go_by_priority() {
        assert_eq!(drawn(40), "1234 nginx  root  40%        bpf  PAUSED");
        assert_eq!(drawn(30), "1234 nginx  root  40%   PAUSED");
        assert_eq!(drawn(28), "1234 nginx  40%       PAUSED");
        assert_eq!(drawn(18), "1234 nginx  PAUSED");
        assert_eq!(drawn(12), "1234 n PAUSE");
        assert_eq!(drawn(1), "P");
        assert_eq!(drawn(0), "");
    }
}
