//! Rows as aligned plain text.

use std::borrow::Cow;
use std::io::{self, Write};

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::model::column::{Align, Column, Table};

/// How a table is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Layout {
    /// Whether it has a line of headings.
    pub headings: bool,
    /// Whether characters outside of ASCII are escaped.
    pub ascii: bool,
    /// The width in cells at which lines are cut; none where nobody's screen would wrap.
    pub width: Option<usize>,
}

/// Writes rows, in the columns given.
///
/// # Errors
/// Those of writing.
pub fn write<T: Table>(
    out: &mut impl Write,
    columns: &[&Column<T>],
    rows: &[T::Row<'_>],
    layout: Layout,
) -> io::Result<()> {
    let headings: Vec<_> = columns.iter().map(|column| (column.name, column.align())).collect();
    let cells = |row| columns.iter().map(|column| column.text(row)).collect();
    write_twice(out, &headings, || rows.iter().map(cells), layout)
}

/// Writes lines of cells under headings; every line has a cell for each heading.
///
/// # Errors
/// Those of writing.
pub fn write_cells(
    out: &mut impl Write,
    headings: &[(&str, Align)],
    lines: Vec<Vec<String>>,
    layout: Layout,
) -> io::Result<()> {
    write_twice(out, headings, || lines.iter().cloned(), layout)
}

/// The same of lines that are made twice, first to learn how wide they get: the texts of a million
/// rows would take far more memory than the rows do.
fn write_twice<I: Iterator<Item = Vec<String>>>(
    out: &mut impl Write,
    headings: &[(&str, Align)],
    lines: impl Fn() -> I,
    layout: Layout,
) -> io::Result<()> {
    let heading = || headings.iter().map(|&(name, _)| name.to_owned()).collect();
    let all = || {
        let shown = |mut line: Vec<String>| {
            // Before it is known how wide they are.
            for cell in line.iter_mut().filter(|cell| layout.ascii && !cell.is_ascii()) {
                *cell = ascii(cell);
            }
            line
        };
        layout.headings.then(heading).into_iter().chain(lines().map(shown))
    };
    let mut widths = vec![0; headings.len()];
    for line in all() {
        for (width, cell) in widths.iter_mut().zip(&line) {
            *width = (*width).max(cell.width());
        }
    }
    for line in all() {
        write_line(out, &aligned(&line, headings, &widths), layout)?;
    }
    Ok(())
}

/// Writes one line, in ASCII where that is asked for, which is cut to the screen's width.
///
/// # Errors
/// Those of writing.
pub fn write_line(out: &mut impl Write, line: &str, layout: Layout) -> io::Result<()> {
    let escaped = (layout.ascii && !line.is_ascii()).then(|| ascii(line));
    let line = escaped.as_deref().unwrap_or(line);
    match layout.width {
        Some(width) => writeln!(out, "{}", cut(line, width, layout.ascii)),
        None => writeln!(out, "{line}"),
    }
}

fn aligned(cells: &[String], headings: &[(&str, Align)], widths: &[usize]) -> String {
    let mut text = String::new();
    // Padding waits until something stands behind it: the last column has none.
    let mut padding = 0;
    for ((cell, (_, align)), width) in cells.iter().zip(headings).zip(widths) {
        // `format!` would pad by characters, of which some are two cells wide and some none.
        let missing = width.saturating_sub(cell.width());
        let (before, after) = match align {
            Align::Right => (missing, 0),
            Align::Left => (0, missing),
        };
        padding += before;
        if !cell.is_empty() {
            text.extend(std::iter::repeat_n(' ', padding));
            text.push_str(cell);
            padding = 0;
        }
        padding += after + 1;
    }
    text
}

/// The text in at most `width` cells, with a mark where something was cut off.
fn cut(text: &str, width: usize, ascii: bool) -> Cow<'_, str> {
    if text.width() <= width {
        return Cow::Borrowed(text);
    }
    let room = width.saturating_sub(1);
    let mut used = 0;
    let end = text
        .char_indices()
        .find(|&(_, c)| {
            used += c.width().unwrap_or(0);
            used > room
        })
        .map_or(text.len(), |(index, _)| index);
    Cow::Owned(format!("{}{}", &text[..end], if ascii { '+' } else { '…' }))
}

/// The text with the bytes of what is not ASCII as `\xNN`.
fn ascii(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_ascii() {
            out.push(c);
        } else {
            let mut utf8 = [0; 4];
            for byte in c.encode_utf8(&mut utf8).bytes() {
                out.push_str(&format!("\\x{byte:02x}"));
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::column::select;
    use crate::model::{FileRow, Files, ProcessRow, Processes, sample};

    const HEADINGS: Layout = Layout { headings: true, ascii: false, width: None };

    fn files(columns: &str, layout: Layout) -> String {
        let reading = sample::reading();
        let rows: Vec<_> =
            reading.files.iter().map(|file| FileRow::new(&reading.process, file)).collect();
        let columns = match columns {
            "" => Files::default_columns(),
            list => select(list).unwrap(),
        };
        let mut out = Vec::new();
        write::<Files>(&mut out, &columns, &rows, layout).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_table_of_files() {
        insta::assert_snapshot!(files("", HEADINGS));
    }

    #[test]
    fn the_table_of_processes() {
        let reading = sample::processes();
        let rows: Vec<_> = reading
            .processes
            .iter()
            .map(|&(ref process, totals)| ProcessRow { process, totals })
            .collect();
        let mut out = Vec::new();
        write::<Processes>(&mut out, &Processes::default_columns(), &rows, HEADINGS).unwrap();
        insta::assert_snapshot!(String::from_utf8(out).unwrap());
    }

    #[test]
    fn without_headings_their_names_take_no_room() {
        let text = files("CLOEXEC,FD", Layout { headings: false, ..HEADINGS });
        assert_eq!(text.lines().next(), Some("no  0"));
    }

    #[test]
    fn a_line_is_cut_at_the_width_of_the_screen_and_says_so() {
        let text = files("FD,NAME", Layout { width: Some(12), ..HEADINGS });
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[1], " 0 /dev/pts…");
        assert_eq!(lines[2], " 1 pipe:[20]");
        let text = files("FD,NAME", Layout { width: Some(9), ascii: true, ..HEADINGS });
        assert_eq!(text.lines().nth(1), Some(" 0 /dev/+"));
        for width in 0..4 {
            files("FD,NAME", Layout { width: Some(width), ..HEADINGS });
        }
    }

    #[test]
    fn ascii_escapes_what_is_none() {
        let text = files("NAME", Layout { ascii: true, ..HEADINGS });
        assert!(text.contains("/tmp/caf\\xc3\\xa9\\x1b[31m (deleted)"), "{text}");
        assert!(text.is_ascii());
    }

    #[test]
    fn wide_characters_take_two_cells() {
        let headings = [("A", Align::Left), ("B", Align::Left)];
        let lines = [["漢字", "x"], ["abcd", "y"], ["e\u{301}", "z"]]
            .map(|line| line.map(str::to_owned).into());
        let mut out = Vec::new();
        write_cells(&mut out, &headings, lines.into(), HEADINGS).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "A    B\n漢字 x\nabcd y\ne\u{301}    z\n");
        assert_eq!(cut("漢字漢字", 4, false), "漢…");
    }
}
