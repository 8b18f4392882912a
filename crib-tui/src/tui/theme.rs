//! Colours and glyphs: each role has one style, and every style means something without
//! colours too.

use ratatui::style::{Color, Modifier, Style};

/// The styles by role, and the glyphs to draw with.
#[derive(Clone, Copy, Debug)]
pub struct Theme {
    /// What the screen is about: the pid, the command, a section's title.
    pub title: Style,
    /// Labels and values that matter less.
    pub dim: Style,
    /// Column headings.
    pub heading: Style,
    /// The heading of the column that the table is sorted by.
    pub sorted: Style,
    /// A key in the footer.
    pub key: Style,
    /// The selected row, on top of whatever it holds.
    pub selected: Style,
    /// A file that was opened lately.
    pub new: Style,
    /// A file that is closed.
    pub closed: Style,
    /// A number that changed lately.
    pub changed: Style,
    /// Something to be aware of: paused, a share of the limit that is high, /proc in use.
    pub warning: Style,
    /// Something failed or ended.
    pub error: Style,
    /// The label of an input line.
    pub prompt: Style,
    /// The glyphs.
    pub glyphs: Glyphs,
}

impl Theme {
    /// The theme for the user's choice of colours and characters.
    pub fn new(color: bool, ascii: bool) -> Self {
        let glyphs = if ascii { Glyphs::ASCII } else { Glyphs::UNICODE };
        if color { Self::coloured(glyphs) } else { Self::monochrome(glyphs) }
    }

    /// The terminal's own 16 colours, so that they fit its palette.
    fn coloured(glyphs: Glyphs) -> Self {
        let plain = Style::new();
        Self {
            title: plain.add_modifier(Modifier::BOLD),
            dim: plain.add_modifier(Modifier::DIM),
            heading: plain.fg(Color::Cyan),
            sorted: plain.fg(Color::Cyan).add_modifier(Modifier::BOLD),
            key: plain.fg(Color::Cyan),
            selected: plain.add_modifier(Modifier::REVERSED),
            new: plain.fg(Color::Green),
            closed: plain.fg(Color::Red).add_modifier(Modifier::DIM),
            changed: plain.fg(Color::Yellow),
            warning: plain.fg(Color::Yellow),
            error: plain.fg(Color::Red).add_modifier(Modifier::BOLD),
            prompt: plain.fg(Color::Cyan).add_modifier(Modifier::BOLD),
            glyphs,
        }
    }

    /// Bold, dim, underlined and reversed text only.
    fn monochrome(glyphs: Glyphs) -> Self {
        let plain = Style::new();
        let bold = plain.add_modifier(Modifier::BOLD);
        let dim = plain.add_modifier(Modifier::DIM);
        Self {
            title: bold,
            dim,
            heading: plain.add_modifier(Modifier::UNDERLINED),
            sorted: bold.add_modifier(Modifier::UNDERLINED),
            key: bold,
            selected: plain.add_modifier(Modifier::REVERSED),
            new: bold,
            closed: dim,
            changed: bold,
            warning: bold,
            error: bold.add_modifier(Modifier::REVERSED),
            prompt: bold,
            glyphs,
        }
    }
}

/// The characters that aren't letters, digits or punctuation of ASCII, with stand-ins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Glyphs {
    /// Between a socket's own address and the remote one.
    pub arrow: &'static str,
    /// Stands for what was cut out; one column wide.
    pub ellipsis: &'static str,
    /// Behind the heading of the column that is sorted upwards; one column wide.
    pub ascending: &'static str,
    /// Behind the heading of the column that is sorted downwards; one column wide.
    pub descending: &'static str,
    /// A bar's filled part; one column wide.
    pub full: &'static str,
    /// A bar's empty part; one column wide.
    pub empty: &'static str,
    /// From the lowest to the highest column of a sparkline; one column wide each.
    pub levels: [&'static str; 8],
    /// Between the parts of a header.
    pub separator: &'static str,
    /// Whether names, too, must be shown in ASCII.
    pub ascii: bool,
}

impl Glyphs {
    /// For terminals that show UTF-8.
    pub const UNICODE: Self = Self {
        arrow: "→",
        ellipsis: "…",
        ascending: "▲",
        descending: "▼",
        full: "█",
        empty: "░",
        levels: ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"],
        separator: "·",
        ascii: false,
    };

    /// For all others.
    pub const ASCII: Self = Self {
        arrow: "->",
        ellipsis: "~",
        ascending: "^",
        descending: "v",
        full: "#",
        empty: ".",
        levels: ["_", ".", "-", "~", "=", "+", "*", "#"],
        separator: "|",
        ascii: true,
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_monochrome_theme_names_no_colour() {
        let theme = format!("{:?}", Theme::new(false, false));
        assert!(!theme.contains("fg:") && !theme.contains("Color"), "{theme}");
    }

    #[test]
    fn the_ascii_glyphs_are_ascii() {
        let glyphs = Theme::new(true, true).glyphs;
        let Glyphs { arrow, ellipsis, ascending, descending, full, empty, separator, .. } = glyphs;
        let others = [arrow, ellipsis, ascending, descending, full, empty, separator];
        for glyph in others.iter().chain(&glyphs.levels) {
            assert!(glyph.is_ascii());
        }
    }
}
