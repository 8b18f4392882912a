//! `crib-top files`: the open files of some processes, once.

use std::io::Write;

use super::{Streams, find_all, keep, kernel_release, open};
use crate::export::json::{self, FilesOf, Header};
use crate::export::table;
use crate::failure::{Code, Failure};
use crate::kernel::Wanted;
use crate::model::column::{Table, find};
use crate::model::{FileRow, Files, FilesReading};
use crate::privileges::NOTHING;
use crate::settings::{Format, Output, Style, Target};
use crate::source::SourceChoice;

/// Prints the files of the targets. One that can't be read is said on the way and doesn't
/// keep the others from being shown.
pub(super) fn run<O: Write>(
    targets: &[Target],
    output: &Output<Files>,
    source: SourceChoice,
    style: Style,
    streams: &mut Streams<'_, O>,
) -> Result<(), Failure> {
    let pids = find_all(targets)?;
    let mut reader = open(source, Wanted::Files, streams.note)?;
    let mut readings = Vec::with_capacity(pids.len());
    let mut worst = None;
    for pid in pids {
        match reader.files(pid) {
            Ok(reading) => readings.push(reading),
            Err(error) => {
                let failure = Failure::Read(error);
                (streams.note)(&failure.to_string());
                worst = worst.max(Some(failure.code()));
            }
        }
    }
    keep(NOTHING)?;
    let Some(first) = readings.first() else {
        return Err(Failure::Said(worst.unwrap_or(Code::Nothing)));
    };
    let header = Header::new(first.source, kernel_release(), first.time).because(reader.reason());
    let matched = print(&readings, &header, output, style, streams)?;
    match worst {
        Some(code) => Err(Failure::Said(code)),
        None if output.filter.is_some() && matched == 0 => {
            Err(Failure::NothingMatched(Files::ROWS))
        }
        None => Ok(()),
    }
}

/// Prints the files that match, and counts them.
fn print<O: Write>(
    readings: &[FilesReading],
    header: &Header,
    output: &Output<Files>,
    style: Style,
    streams: &mut Streams<'_, O>,
) -> Result<usize, Failure> {
    let matches = |row: &FileRow<'_>| output.filter.as_ref().is_none_or(|f| f.matches(row));
    let rows: Vec<Vec<FileRow<'_>>> = readings
        .iter()
        .map(|reading| {
            let rows = reading.files.iter().map(|file| FileRow::new(&reading.process, file));
            rows.filter(matches).collect()
        })
        .collect();
    let matched = rows.iter().map(Vec::len).sum();
    if output.format == Format::Table {
        let columns = output.columns.clone().unwrap_or_else(|| {
            // Of several processes each row has to say whose it is.
            let whose = if readings.len() > 1 { &["PID", "COMM"][..] } else { &[] };
            let whose = whose.iter().filter_map(|name| find(name));
            whose.chain(Files::default_columns()).collect()
        });
        let layout = streams.layout(output.headings, style);
        table::write(&mut streams.out, &columns, &rows.concat(), layout)?;
        return Ok(matched);
    }
    let processes: Vec<FilesOf<'_>> = readings
        .iter()
        .zip(&rows)
        .map(|(reading, rows)| {
            let files = rows.iter().map(|row| row.file).collect();
            let count = reading.files.len() as u64;
            FilesOf::new(&reading.process, count, reading.complete, files)
        })
        .collect();
    match output.format {
        Format::JsonLines => json::file_lines(&mut streams.out, &processes)?,
        _ => json::files(&mut streams.out, header, &processes)?,
    }
    Ok(matched)
}
