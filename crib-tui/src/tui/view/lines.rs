//! What sheets are written with: sections, fields, and how values read.

use std::time::Duration;

use crate::model::Text;
use crate::tui::app::screens::Link;
use crate::tui::format::{bytes, name};
use crate::tui::theme::Glyphs;
use crate::tui::widget::sheet::SheetLine;

/// Lines that are being written. What is not known is shown as `-`.
pub struct Lines {
    /// Those that are there already.
    pub lines: Vec<SheetLine<Link>>,
    /// What to write with.
    pub glyphs: Glyphs,
}

impl Lines {
    /// No lines yet.
    pub fn new(glyphs: Glyphs) -> Self {
        Self { lines: Vec::new(), glyphs }
    }

    /// Begins a section.
    pub fn section(&mut self, title: &'static str) {
        if !self.lines.is_empty() {
            self.lines.push(SheetLine::Empty);
        }
        self.lines.push(SheetLine::Section(title));
    }

    /// A field.
    pub fn field(&mut self, label: &'static str, value: impl Into<Option<String>>) {
        let value = value.into().unwrap_or_else(|| "-".into());
        self.lines.push(SheetLine::Field(label, value));
    }

    /// A word in place of what a section could hold.
    pub fn word(&mut self, word: &'static str) {
        self.lines.push(SheetLine::Field(word, String::new()));
    }

    /// A field that holds a number.
    pub fn number<N: ToString>(&mut self, label: &'static str, number: Option<N>) {
        self.field(label, number.map(|number| number.to_string()));
    }

    /// A field that holds someone else's bytes.
    pub fn text(&mut self, label: &'static str, text: Option<&Text>) {
        self.field(label, text.map(|text| name(text, &self.glyphs)));
    }

    /// Something to be aware of.
    pub fn note(&mut self, text: impl Into<String>) {
        self.lines.push(SheetLine::Note(text.into()));
    }

    /// What the columns of the following links are.
    pub fn heading(&mut self, text: impl Into<String>) {
        self.lines.push(SheetLine::Heading(text.into()));
    }

    /// Something that can be opened.
    pub fn link(&mut self, link: Link, text: impl Into<String>) {
        self.lines.push(SheetLine::Link(link, text.into()));
    }
}

/// Bytes in full, and compact where that is easier to grasp.
pub fn amount(amount: i64) -> String {
    match u64::try_from(amount) {
        Ok(count) if count >= 1024 => format!("{count} ({})", bytes(count)),
        _ => amount.to_string(),
    }
}

/// A short length of time: `250us`, `1.25ms`, `204ms`, `3s`.
pub fn short(time: Duration) -> String {
    // At most three decimal places, and none that say nothing.
    let trimmed = |number: f64| {
        let text = format!("{number:.3}");
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    };
    match time.as_micros() {
        micros @ 0..1000 => format!("{micros}us"),
        1000..1_000_000 => format!("{}ms", trimmed(time.as_secs_f64() * 1000.0)),
        _ => format!("{}s", trimmed(time.as_secs_f64())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_times_have_the_unit_that_fits() {
        let of = |micros| short(Duration::from_micros(micros));
        assert_eq!(
            [of(0), of(250), of(1250), of(204_000), of(3_000_000), of(61_500_000)],
            ["0us", "250us", "1.25ms", "204ms", "3s", "61.5s"]
        );
    }
}
