//! The help: the keys, and what the marks and abbreviations stand for.

use ratatui::buffer::Buffer;
use ratatui::text::{Line, Span};

use super::layout::Regions;
use crate::tui::app::App;
use crate::tui::format::{FLAG_ABBREVIATIONS, wrap};
use crate::tui::keys::BINDINGS;
use crate::tui::theme::Theme;

/// What a screen shows that does not explain itself.
const LEGEND: &[(&str, &str)] = &[
    ("+", "opened since the first reading, for three readings"),
    ("-", "closed, for three readings"),
    ("?", "not in an incomplete reading, so perhaps still open"),
    ("!", "in trouble, or it looks like it: L lists how, and so does Enter"),
    ("RECV-Q", "messages/bytes that wait for this file's reader"),
    ("SEND-Q", "messages/bytes sent and not yet taken by the other end"),
    ("SIZE/POS", "size, and the position in it unless that is 0; /end at its end"),
    ("AGE", "time since first seen; > where it was open before that"),
    ("!", "in a queue: a packet that changed while it was read"),
    ("??", "bytes that could not be read"),
    ("CX", "FLAGS: close-on-exec"),
];

/// Columns for the keys and abbreviations, and the distance to what they mean.
const LABEL: usize = 16;

/// The lines of the help: what is explained, and how; a title has no explanation.
fn entries() -> impl Iterator<Item = (&'static str, String)> {
    let title = |title| (title, String::new());
    let keys = BINDINGS.iter().map(|binding| (binding.label, binding.help.to_owned()));
    let legend = LEGEND.iter().map(|&(label, help)| (label, help.to_owned()));
    let flags = FLAG_ABBREVIATIONS.iter().map(|&(long, short)| (short, format!("FLAGS: {long}")));
    std::iter::once(title("Keys"))
        .chain(keys)
        .chain([title(""), title("In the tables")])
        .chain(legend)
        .chain(flags)
        .chain([("SFRPAUEC", "FLAGS of TCP: SYN FIN RST PSH ACK URG ECE CWR".to_owned())])
        .chain([title(""), title("crib-top only reads: no key changes the process.")])
}

fn room(width: u16) -> usize {
    usize::from(width).saturating_sub(LABEL + 2).max(1)
}

/// How many rows of the screen it takes in `width`.
pub fn height(width: u16) -> usize {
    entries().map(|(_, help)| wrap(&help, room(width)).count()).sum()
}

/// Draws as many lines as fit.
pub fn draw(app: &App, scroll: usize, regions: &Regions, buffer: &mut Buffer) {
    let area = regions.body;
    let lines = entries().flat_map(|(label, help)| lines(label, &help, area.width, &app.theme));
    for (line, y) in lines.skip(scroll).zip(area.y..area.bottom()) {
        buffer.set_line(area.x, y, &line, area.width);
    }
}

fn lines(label: &'static str, help: &str, width: u16, theme: &Theme) -> Vec<Line<'static>> {
    if help.is_empty() {
        return vec![Line::styled(label, theme.heading)];
    }
    let label = |at| if at == 0 { label } else { "" };
    wrap(help, room(width))
        .enumerate()
        .map(|(at, piece)| {
            Line::from(vec![
                Span::styled(format!("  {:<LABEL$}", label(at)), theme.key),
                Span::raw(piece.to_owned()),
            ])
        })
        .collect()
}
