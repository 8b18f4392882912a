//! What lints found: in the whole process, and in one file.

use super::cells;
use super::lines::Lines;
use crate::model::lint::{Finding, LintSet, Subject, of_process};
use crate::model::{FilesTable, TrackedFile, count};
use crate::tui::app::screens::Link;
use crate::tui::theme::Glyphs;
use crate::tui::widget::sheet::SheetLine;

/// How many files are listed. A screen is no place for more, and each costs a reading's time.
const FILES: usize = 500;

/// The findings of the process, file by file.
pub fn lines(table: &FilesTable, wanted: LintSet, glyphs: Glyphs) -> Vec<SheetLine<Link>> {
    let mut lines = Lines::new(glyphs);
    let whole = of_process(&table.process, table.open as u64, wanted);
    if !whole.is_empty() {
        lines.section("The process");
        tell(&mut lines, whole);
    }
    let mut left_out = 0;
    let mut listed = 0;
    for row in &table.rows {
        let subject = subject(table, row, wanted);
        if subject.found().is_empty() {
            continue;
        }
        if listed == FILES {
            left_out += 1;
            continue;
        }
        if listed == 0 {
            lines.section("Files");
        } else {
            lines.lines.push(SheetLine::Empty);
        }
        listed += 1;
        let (tid, fd) = (row.file.tid, row.file.fd);
        let number = fd.map(|fd| format!("fd {fd}  ")).unwrap_or_default();
        let text = format!("{number}{}", cells::name(&row.file, &lines.glyphs));
        lines.link(Link::File { tid, fd, file: row.file.id }, text);
        tell(&mut lines, subject.findings());
    }
    if left_out > 0 {
        lines.note(format!("{} more with findings", count(left_out, "file")));
    }
    if lines.lines.is_empty() {
        let text = if wanted.is_empty() { "all lints are switched off" } else { "nothing found" };
        lines.heading(text);
    }
    lines.lines
}

/// A row of the table, as lints see it.
pub fn subject<'a>(table: &'a FilesTable, row: &'a TrackedFile, wanted: LintSet) -> Subject<'a> {
    Subject { process: &table.process, file: &row.file, given: table.given(row, wanted) }
}

/// What was found, what it means, and what to look at.
pub fn tell(lines: &mut Lines, findings: Vec<Finding>) {
    for Finding { lint, seen, means, look } in findings {
        lines.note(format!("{}: {seen}", lint.name()));
        lines.field("  means", means.to_owned());
        lines.field("  look at", look);
    }
}
